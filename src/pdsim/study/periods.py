"""Labels of periods in the source become baseline and endline."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pdsim.arraytypes import Ints
from pdsim.conventions import PERIODS
from pdsim.errors import Problem
from pdsim.study.frames import file_of
from pdsim.study.names import Coded, coded
from pdsim.study.problems import NOTHING, Findings, found, listed, quote


def stated_periods(periods: Sequence[str] | None) -> tuple[tuple[str, ...] | None, Findings]:
    """Return the stated period labels as text, and the rules that they break."""
    if periods is None:
        return None, NOTHING
    cure = 'state the labels of baseline and endline, such as periods = ["2021", "2023"]'
    if isinstance(periods, str):
        return None, found(Problem(rule="periods must be a list of labels", cure=cure))
    labels = tuple(str(label).strip() for label in periods)
    if len(labels) not in (1, 2) or "" in labels:
        rule = f"periods must be one or two labels (received {listed(labels) or 'none'})"
        return None, found(Problem(rule=rule, cure=cure))
    if len({label.casefold() for label in labels}) < len(labels):
        rule = f"the two periods must differ (received {listed(labels)})"
        return None, found(Problem(rule=rule, cure=cure))
    return labels, NOTHING


def period_positions(
    table: pd.DataFrame, periods: tuple[str, ...] | None
) -> tuple[tuple[str, ...], Ints, Findings]:
    """Return the labels of the periods in order, and the position of every row's period.

    Parameters
    ----------
    table : DataFrame
        Raw long table; without a column ``period`` all rows are of one period.
    periods : tuple of str or None
        Labels stated by the user, baseline first.

    Returns
    -------
    tuple of str
        One label (levels at one period) or two.
    ndarray of int (rows,)
        -1 where the period is blank or unknown.
    Findings
    """
    if "period" not in table:
        if periods is not None and len(periods) == 2:
            problem = Problem(
                file=file_of(table),
                rule=f"there is no column 'period', but two periods are stated: {listed(periods)}",
                cure="add the column, or state one label for a study of one period",
            )
            return periods, np.zeros(len(table), dtype=np.int64), found(problem)
        return periods or (PERIODS[1],), np.zeros(len(table), dtype=np.int64), NOTHING
    labels, findings = coded(table, "period")
    if periods is None:
        periods, more = _implied(labels, file_of(table))
        findings += more
        if not periods:
            return PERIODS, np.full(len(table), -1, dtype=np.int64), findings
    place = {label.casefold(): position for position, label in enumerate(periods)}
    of_label = np.array([*(place.get(name.casefold(), -1) for name in labels.names), -1])
    positions = of_label[labels.codes]
    findings += found(
        [
            _stranger(table, labels, code, periods)
            for code in np.unique(labels.codes[(positions < 0) & (labels.codes >= 0)])
        ]
    )
    absent = [label for position, label in enumerate(periods) if position not in positions]
    findings += found(
        [
            Problem(
                file=file_of(table),
                rule=f"no row has the period {quote(label)}; the file has {listed(labels.names)}",
                cure="correct the label in the key periods or in the file",
            )
            for label in absent
        ]
    )
    return periods, positions, findings


def _stranger(table: pd.DataFrame, labels: Coded, code: int, periods: Sequence[str]) -> Problem:
    """Report a period that is not one of the stated ones, once for all its rows."""
    rows = np.flatnonzero(labels.codes == code)
    return Problem(
        file=file_of(table),
        row=int(table["row"].iloc[int(rows[0])]),
        period=labels.names[code],
        rule=f"the period is not one of the stated periods {listed(periods)} ({rows.size:,} "
        f"row{'s' if rows.size > 1 else ''})",
        cure="remove these rows, or correct the label or the key periods",
    )


def _implied(labels: Coded, file: str | None) -> tuple[tuple[str, ...], Findings]:
    """Return the periods of a table whose periods nobody stated."""
    if len(labels.names) <= 1:
        return labels.names, NOTHING
    by_fold = {name.casefold(): name for name in labels.names}
    if set(by_fold) == set(PERIODS):
        return tuple(by_fold[name] for name in PERIODS), NOTHING
    wanted = ", ".join(f'"{name}"' for name in sorted(labels.names)[:2])
    rest = ", and remove the rows of the others" if len(labels.names) > 2 else ""
    problem = Problem(
        file=file,
        rule=f"the periods are called {listed(labels.names)}, not 'baseline' and 'endline'",
        cure=f"state which is which, baseline first: periods = [{wanted}]{rest}",
    )
    return (), found(problem)
