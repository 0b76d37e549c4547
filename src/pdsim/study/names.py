"""Names from the data: cleaned, coded, and refused where two of them cannot be told apart."""

import unicodedata
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pdsim.errors import Problem
from pdsim.study.frames import text_column
from pdsim.study.problems import NOTHING, Findings, found, quote, rows_where

MAX_NAME: Final = 200
"""Characters of a name; more is not a name but a wrong column."""

# they reorder the text around them or make two names look the same; the marks that Arabic,
# Hebrew and Indic scripts need are not among them
_INVISIBLE: Final = frozenset(
    "\u200b\u2060\ufeff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
_CONTROL: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """A column of names as numbers.

    Attributes
    ----------
    names : tuple of str
        In order of first appearance.
    codes : ndarray of int (rows,)
        Position in `names`; -1 where the cell is blank.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int64]


def coded(table: pd.DataFrame, column: str) -> tuple[Coded, Findings]:
    """Code a column of names and check them.

    Parameters
    ----------
    table : DataFrame
        Raw table.
    column : str

    Returns
    -------
    Coded
    Findings
        Blank cells, names that are too long or hold control characters, and pairs of names
        that differ only in case, spaces or leading zeros.
    """
    text = text_column(table[column])
    codes, uniques = pd.factorize(text)
    cleaned = [unicodedata.normalize("NFC", str(name)) for name in uniques]
    names = tuple(dict.fromkeys(name for name in cleaned if name))
    position = {name: code for code, name in enumerate(names)} | {"": -1}
    recoded = np.array([*(position[name] for name in cleaned), -1], dtype=np.int64)[codes]
    noun = column.replace("_", " ")
    findings = rows_where(
        table,
        recoded < 0,
        rule=f"the {noun} is blank",
        cure=f"give the {noun} in every row",
    )
    first = np.full(len(names), -1, dtype=np.int64)
    rows = np.flatnonzero(recoded >= 0)[::-1]
    first[recoded[rows]] = rows
    problems: list[Problem] = []
    alike: dict[str, int] = {}
    for code, name in enumerate(names):
        rule = broken_name(name)
        key = _key(name)
        twin = alike.setdefault(key, code)
        if rule is None and twin != code:
            rule = (
                f"the {column} names {quote(names[twin])} and {quote(name)} differ only in case, "
                "spaces, invisible characters or leading zeros"
            )
            cure = "write one name in one way, or make two names differ visibly"
        else:
            cure = f"give a plain name of at most {MAX_NAME} characters"
            rule = rule and f"the {noun} {quote(name)} {rule}"
        if rule is not None:
            place = table.iloc[int(first[code])]
            problems.append(
                Problem(file=place["file"] or None, row=int(place["row"]), rule=rule, cure=cure)
            )
    return Coded(names=names, codes=recoded), findings + (found(problems) if problems else NOTHING)


def broken_name(name: str) -> str | None:
    """Return the rule that a name breaks, or None."""
    if len(name) > MAX_NAME:
        return f"has {len(name):,} characters"
    if not name.isprintable() and any(
        unicodedata.category(char) in _CONTROL or char in _INVISIBLE for char in name
    ):
        return "holds control or invisible characters"
    return None


def _key(name: str) -> str:
    """Return what is left of a name when everything is gone that a reader may not see."""
    text = name.casefold()
    if not name.isascii():
        text = unicodedata.normalize("NFKC", name).casefold()
        text = "".join(char for char in text if unicodedata.category(char) != "Cf")
    text = " ".join(text.split())
    return text.lstrip("0") or "0" if text.isdecimal() else text
