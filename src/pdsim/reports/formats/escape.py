"""Text from the data made harmless, one function for each kind of output.

Names in data are hostile: they may hold HTML, LaTeX commands, spreadsheet formulas, terminal
escapes or characters that reorder the text around them. Each function returns text that shows
the name and does nothing else.
"""

import re
import unicodedata
from typing import Final

from pdsim.study.names import guarded

# they reorder the text around them; Arabic and Hebrew names do not need them
_REORDERING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_LATEX: Final = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "-": "{-}",
    "\u2212": r"\ensuremath{-}",
    "\u2265": r"\ensuremath{\geq}",
    "\u2264": r"\ensuremath{\leq}",
    "\u00d7": r"\ensuremath{\times}",
    "\u2020": r"\textdagger{}",
}
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]#|~^$@])")
# only at the start of a line do these begin a list, a heading, a definition or a rule
_MARKDOWN_START: Final = re.compile(r"^(\s*\d*)([-+=:.)])")
_MARKDOWN_LINK: Final = re.compile(r"(www|:(?=//))", re.IGNORECASE)


def plain(text: str) -> str:
    r"""Return `text` with control and reordering characters written out.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Safe for a terminal, XML and a single line.

    Examples
    --------
    >>> print(plain("A" + chr(27) + "[31mB"))
    A\x1b[31mB
    """
    return "".join(_visible(char) for char in text)


def _visible(char: str) -> str:
    if char in _REORDERING or unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp", "Cn"}:
        return char.encode("unicode_escape").decode()
    return char


def csv_cell(text: str) -> str:
    """Return `text` so that no spreadsheet takes it for a formula.

    A text that begins like a formula gets an apostrophe in front, which spreadsheets understand
    as "this is text".

    Examples
    --------
    >>> csv_cell("=1+1"), csv_cell("St. Mary")
    ("'=1+1", 'St. Mary')
    """
    return guarded(plain(text))


def markdown(text: str, *, start: bool = True) -> str:
    r"""Return `text` so that Markdown, Pandoc and the HTML made of them show it as it is.

    Parameters
    ----------
    text : str
    start : bool
        Whether it may stand at the beginning of a line.

    Examples
    --------
    >>> print(markdown("<b> *A*"))
    &lt;b&gt; \*A\*
    """
    shown = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = _MARKDOWN.sub(r"\\\1", shown)
    shown = _MARKDOWN_START.sub(r"\1\\\2", shown) if start else shown
    # an address in a name is a name, not a link
    return _MARKDOWN_LINK.sub(lambda found: _unlinked(found[0]), shown)


def _unlinked(found: str) -> str:
    return "\\:" if found == ":" else f"{found[:2]}&#{ord(found[2])};"


def latex(text: str) -> str:
    r"""Return `text` so that LaTeX prints it and runs nothing.

    Examples
    --------
    >>> print(latex("\\input{x}"))
    \textbackslash{}input\{x\}
    """
    return "".join(_LATEX.get(char, char) for char in plain(text))
