"""Labels of periods in the source become baseline and endline."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from pdsim.arraytypes import Ints
from pdsim.conventions import PERIODS
from pdsim.study.frames import Coded, coded, file_of
from pdsim.study.options import StudyOptions
from pdsim.study.problems import Findings, listed, quote


def stated_periods(options: StudyOptions, found: Findings) -> tuple[str, ...] | None:
    """Return the stated labels of the periods as text; None where none can be used."""
    given: Any = options.periods or tuple(options.dates) or None
    if given is None:
        return None
    cure = 'state the labels in order, baseline first, such as periods = ["2021", "2023"]'
    if isinstance(given, str):
        found.add("periods must be a list of labels", cure)
        return None
    labels = tuple(str(label).strip() for label in given)
    if not labels or "" in labels:
        shown = listed(labels) or "none"
        found.add(f"periods must be one or more labels (received {shown})", cure)
        return None
    if len({label.casefold() for label in labels}) < len(labels):
        found.add(f"the periods must differ (received {listed(labels)})", cure)
        return None
    return labels


def period_positions(
    table: pd.DataFrame, periods: tuple[str, ...] | None, found: Findings
) -> tuple[tuple[str, ...], Ints]:
    """Return the labels of the periods in order, and the position of every row's period.

    Parameters
    ----------
    table : DataFrame
        Raw long table; without a column ``period`` all rows are of one period.
    periods : tuple of str or None
        Labels stated by the user, baseline first.
    found : Findings

    Returns
    -------
    tuple of str
        One label (levels at one period), two, or those of all rounds.
    ndarray of int (rows,)
        -1 where the period is blank or unknown.
    """
    file = file_of(table)
    if "period" not in table:
        if periods is not None and len(periods) > 1:
            found.add(
                f"there is no column 'period', but periods are stated: {listed(periods)}",
                "add the column, or state one label for a study of one period",
                file=file,
            )
        return (periods or PERIODS)[-1:], np.zeros(len(table), dtype=np.int64)
    labels = coded(table, "period", found)
    periods = periods or _implied(labels, file, found)
    if not periods:
        return PERIODS, np.full(len(table), -1, dtype=np.int64)
    place = {label.casefold(): position for position, label in enumerate(periods)}
    of_label = np.array([*(place.get(name.casefold(), -1) for name in labels.names), -1])
    positions = of_label[labels.codes]
    for code in np.unique(labels.codes[(positions < 0) & (labels.codes >= 0)]):
        _stranger(table, labels, int(code), periods, found)
    for position, label in enumerate(periods):
        if position not in positions:
            found.add(
                f"no row has the period {quote(label)}; the file has {listed(labels.names)}",
                "correct the label in the key periods or in the file",
                file=file,
            )
    return periods, positions


def _stranger(
    table: pd.DataFrame, labels: Coded, code: int, periods: Sequence[str], found: Findings
) -> None:
    """Report a period that is not one of the stated ones, once for all its rows."""
    rows = np.flatnonzero(labels.codes == code)
    found.add(
        f"the period is not one of the stated periods {listed(periods)} ({rows.size:,} "
        f"row{'s' if rows.size > 1 else ''})",
        "remove these rows, or correct the label or the key periods",
        file=file_of(table),
        row=int(table["row"].iloc[int(rows[0])]),
        period=labels.names[code],
    )


def _implied(labels: Coded, file: str | None, found: Findings) -> tuple[str, ...]:
    """Return the periods of a table whose periods nobody stated."""
    if len(labels.names) <= 1:
        return labels.names
    by_fold = {name.casefold(): name for name in labels.names}
    if set(by_fold) == set(PERIODS):
        return tuple(by_fold[name] for name in PERIODS)
    wanted = ", ".join(f'"{name}"' for name in sorted(labels.names)[:2])
    rest = ", or list all rounds in order" if len(labels.names) > 2 else ""
    found.add(
        f"the periods are called {listed(labels.names)}, not 'baseline' and 'endline'",
        f"state which is which, baseline first: periods = [{wanted}]{rest}",
        file=file,
    )
    return ()
