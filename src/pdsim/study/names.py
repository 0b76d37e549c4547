"""What a name may hold, when two cannot be told apart, and how one that is a formula is kept."""

import unicodedata
from typing import Final

MAX_NAME: Final = 200
"""Characters of a name; more is not a name but a wrong column."""

# they reorder the text around them or make two names look the same; the marks that Arabic,
# Hebrew and Indic scripts need are not among them
_INVISIBLE: Final = frozenset(
    "\u200b\u2060\ufeff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
_CONTROL: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_FORMULA: Final = frozenset("=+-@＝＋－＠")


def broken_name(name: str) -> str | None:
    """Return the rule that a name breaks, or None."""
    if len(name) > MAX_NAME:
        return f"has {len(name):,} characters"
    if not name.isprintable() and any(
        unicodedata.category(char) in _CONTROL or char in _INVISIBLE for char in name
    ):
        return "holds control or invisible characters"
    return None


def sight_key(name: str) -> str:
    """Return what is left of a name when everything is gone that a reader may not see."""
    text = name.casefold()
    if not name.isascii():
        text = unicodedata.normalize("NFKC", name).casefold()
        text = "".join(char for char in text if unicodedata.category(char) != "Cf")
    text = " ".join(text.split())
    return text.lstrip("0") or "0" if text.isdecimal() else text


def guarded(text: str) -> str:
    """Return text so that no spreadsheet takes it for a formula: with an apostrophe in front.

    Spreadsheets understand it as "this is text". Every text has a form of its own, so that
    `unguarded` finds it again.
    """
    return f"'{text}" if _like_formula(text) else text


def unguarded(text: str) -> str:
    """Return the text that was guarded, any other text as it is.

    Examples
    --------
    >>> unguarded(guarded("=North")), unguarded("St. Mary's")
    ('=North', "St. Mary's")
    """
    return text[1:] if text.startswith("'") and _like_formula(text[1:]) else text


def _like_formula(text: str) -> bool:
    """Whether a text begins like a formula, behind blanks and apostrophes too."""
    first = next((char for char in text if char != "'" and not char.isspace()), "")
    return first in _FORMULA
