"""Broken rules are collected, counted and refused together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pdsim.errors import InputError, Problem

LISTED: Final = 50
"""Problems that one message lists; the rest are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Problems found in an input: the first few of them, and how many there are.

    A table may break a rule in millions of rows, of which nobody reads more than a screenful.

    Attributes
    ----------
    shown : tuple of Problem
        At most ``LISTED``.
    count : int
        All of them.
    """

    shown: tuple[Problem, ...] = ()
    count: int = 0

    def __add__(self, other: "Findings") -> "Findings":
        """Join two findings."""
        return Findings(
            shown=(self.shown + other.shown)[:LISTED],
            count=self.count + other.count,
        )

    def __bool__(self) -> bool:
        """Tell whether anything was found."""
        return self.count > 0


NOTHING: Final = Findings()


def found(problems: Problem | Iterable[Problem]) -> Findings:
    """Return findings of the given problems."""
    listed = (problems,) if isinstance(problems, Problem) else tuple(problems)
    return Findings(shown=listed[:LISTED], count=len(listed))


def refuse(findings: Findings) -> None:
    """Raise `InputError` with every finding; do nothing when there is none.

    Raises
    ------
    InputError
        At most ``LISTED`` problems are listed; one more says how many are left.
    """
    if not findings:
        return
    problems = list(findings.shown)
    rest = findings.count - len(problems)
    if rest:
        problems.append(
            Problem(
                rule=f"{rest:,} more problem{'s are' if rest > 1 else ' is'} not listed",
                cure="mend the ones above and check again",
            )
        )
    raise InputError(problems)


def rows_where(
    table: pd.DataFrame,
    mask: NDArray[np.bool_],
    *,
    rule: str,
    cure: str,
    fields: Mapping[str, str] | None = None,
) -> Findings:
    """Return one problem for every row of `table` where `mask` holds.

    Parameters
    ----------
    table : DataFrame
        With the columns ``file`` and ``row`` that say where a row comes from, and any of
        ``facility``, ``indicator`` and ``period``.
    mask : ndarray of bool (rows,)
    rule : str
        May name columns in braces: ``"trials must be whole, got {trials}"``.
    cure : str
    fields : mapping of str to str, optional
        Column that holds ``facility``, ``indicator`` or ``period`` under another name.
    """
    bad = np.flatnonzero(mask)
    if not bad.size:
        return NOTHING
    rows = [
        {str(name): value for name, value in row.items()}
        for row in table.iloc[bad[:LISTED]].to_dict(orient="records")
    ]
    problems = [
        Problem(
            rule=rule.format_map({name: quote(value) for name, value in row.items()}),
            cure=cure,
            file=_text(row.get("file")),
            row=_whole(row.get("row")),
            **{
                name: _text(row.get((fields or {}).get(name, name)))
                for name in ("facility", "indicator", "period")
            },
        )
        for row in rows
    ]
    return Findings(shown=tuple(problems), count=bad.size)


def quote(value: Any) -> str:
    """Show a received value: escaped, and cut when it is long."""
    if is_missing(value):
        return "nothing"
    if isinstance(value, float | np.floating):
        return f"{value:.12g}"
    if isinstance(value, int | np.integer):
        return str(value)
    text = value if isinstance(value, str) else str(value)
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def listed(values: Sequence[str], *, limit: int = 8) -> str:
    """Return the values as quoted text, the first `limit` of them and the number of the rest."""
    shown = ", ".join(quote(value) for value in values[:limit])
    rest = len(values) - limit
    return f"{shown} and {rest:,} more" if rest > 0 else shown


def _text(value: Any) -> str | None:
    text = "" if is_missing(value) else str(value).strip()
    if not text:
        return None
    return text if len(text) <= 60 else f"{text[:57]}..."


def _whole(value: Any) -> int | None:
    return None if is_missing(value) else int(value)


def is_missing(value: Any) -> bool:
    """Tell whether a cell holds nothing, in any of the ways to say so."""
    return value is None or value is pd.NA or (isinstance(value, float) and value != value)
