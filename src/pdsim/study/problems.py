"""Broken rules are collected on the way from a table to a study, and refused together."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from pdsim.arraytypes import Bools
from pdsim.errors import InputError, Problem

LISTED: Final = 50
"""Problems that one message lists; the rest are counted."""

_SIZES: Final = {"facility": (2, 10_000), "indicator": (1, 500)}
PLURAL: Final = {"facility": "facilities", "indicator": "indicators", "period": "periods"}


class Findings:
    """What was found in an input: problems, and notes on what was assumed.

    One is made where an input comes in and handed down to everything that reads it. A table may
    break a rule in millions of rows, of which nobody reads more than a screenful: the first
    ``LISTED`` problems are kept, all of them are counted.

    Attributes
    ----------
    problems : list of Problem
        At most ``LISTED``.
    count : int
        All problems.
    notes : list of str
        Sentences on what was assumed or guessed.

    Examples
    --------
    >>> found = Findings()
    >>> found.add("trials must be whole (received '19.5')", "correct the count", row=4)
    >>> found.count, str(found.problems[0])
    (1, "row 4: trials must be whole (received '19.5'); correct the count.")
    """

    __slots__ = ("count", "notes", "problems")

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.count = 0
        self.notes: list[str] = []

    def __bool__(self) -> bool:
        """Tell whether there is a problem."""
        return self.count > 0

    def add(
        self,
        rule: str,
        cure: str = "",
        *,
        file: str | None = None,
        row: int | None = None,
        facility: str | None = None,
        indicator: str | None = None,
        period: str | None = None,
    ) -> None:
        """Add one problem; see `pdsim.errors.Problem`."""
        problem = Problem(
            rule=rule, cure=cure, file=file, row=row,
            facility=facility, indicator=indicator, period=period,
        )  # fmt: skip
        self.take([problem])

    def take(self, problems: Iterable[Problem], *, more: int = 0) -> None:
        """Add the problems, and `more` that are counted only."""
        given = list(problems)
        self.problems += given[: LISTED - len(self.problems)]
        self.count += len(given) + more

    def rows(
        self,
        table: pd.DataFrame,
        mask: Bools,
        *,
        rule: str,
        cure: str,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        """Add one problem for every row of `table` where `mask` holds.

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
        records = table.iloc[bad[:LISTED]].to_dict(orient="records")
        for record in records:
            row = {str(name): value for name, value in record.items()}
            places = {
                name: _text(row.get((fields or {}).get(name, name)))
                for name in ("facility", "indicator", "period")
            }
            self.add(
                rule.format_map({name: quote(value) for name, value in row.items()}),
                cure,
                file=_text(row.get("file")),
                row=None if is_missing(row.get("row")) else int(row["row"]),
                facility=places["facility"],
                indicator=places["indicator"],
                period=places["period"],
            )
        self.count += bad.size - len(records)

    def size(self, dim: str, size: int, *, file: str | None = None) -> None:
        """Add a problem where there are too few or too many facilities or indicators."""
        least, most = _SIZES[dim]
        if size < least:
            few = f"is one {dim}" if size == 1 else f"are no {PLURAL[dim]}"
            self.add(
                f"there {few}: a study needs at least {least}", f"add {PLURAL[dim]}", file=file
            )
        if size > most:
            self.add(
                f"there are {size:,} {PLURAL[dim]}, at most {most:,} are possible",
                "check that the columns facility and indicator are the right ones",
                file=file,
            )

    def refuse(self) -> None:
        """Raise `InputError` with every problem; do nothing when there is none.

        Raises
        ------
        InputError
            At most ``LISTED`` problems are listed; one more says how many are left.
        """
        if not self:
            return
        problems = list(self.problems)
        rest = self.count - len(problems)
        if rest:
            rule = f"{rest:,} more problem{'s are' if rest > 1 else ' is'} not listed"
            problems.append(Problem(rule=rule, cure="mend the ones above and check again"))
        raise InputError(problems)


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


def is_missing(value: Any) -> bool:
    """Tell whether a cell holds nothing, in any of the ways to say so."""
    return value is None or value is pd.NA or (isinstance(value, float) and value != value)


def _text(value: Any) -> str | None:
    text = "" if is_missing(value) else str(value).strip()
    if not text:
        return None
    return text if len(text) <= 60 else f"{text[:57]}..."
