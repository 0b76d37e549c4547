"""A long table, one row per facility, indicator and period, becomes a checked Dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from pdsim.conventions import PERIODS
from pdsim.errors import Problem
from pdsim.study.cells import Source, Values, read_values, source_of
from pdsim.study.check import empty_findings, is_whole, size_findings
from pdsim.study.frames import KEYS, METADATA, VALUES, Columns, file_of, named, text_column, visible
from pdsim.study.indicators import Indicators, indicators_of
from pdsim.study.names import Coded, coded
from pdsim.study.numbers import Decimal
from pdsim.study.periods import period_positions, stated_periods
from pdsim.study.problems import LISTED, NOTHING, Findings, found, listed, rows_where

COMPOSITE: Final = "composite"
"""Name of the one indicator of a table of composite percentages."""

_NO_TIER: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a table holds, ready for a `Study`.

    Attributes
    ----------
    data : xr.Dataset (facility, indicator, period)
    period_labels : tuple of str
    notes : tuple of str
        What was assumed on the way.
    case_correlation : float or None
        Estimated from cases, within 0 to 0.9.
    case_correlation_limits : tuple of float or None
    """

    data: xr.Dataset
    period_labels: tuple[str, ...]
    notes: tuple[str, ...] = ()
    case_correlation: float | None = None
    case_correlation_limits: tuple[float, float] | None = None


def observed_from_long(
    table: pd.DataFrame,
    *,
    indicators: pd.DataFrame | None = None,
    weights: Mapping[str, float] | None = None,
    periods: Sequence[str] | None = None,
    trials: int | None = None,
    items: int | None = None,
    decimal: Decimal | None = None,
    columns: Columns | None = None,
) -> tuple[Observed | None, int, Findings]:
    """Return what a raw long table holds.

    Parameters
    ----------
    table : DataFrame
        Raw table, see `pdsim.study.frames`.
    indicators : DataFrame, optional
        Raw indicator table.
    weights, periods, trials, items
        As in `Study.from_long`.
    decimal : {".", ","}, optional
    columns : Columns, optional
        Names of the columns in both tables.

    Returns
    -------
    Observed or None
        None when there are findings.
    int
        Number of facilities; 0 where that is unknown.
    Findings
    """
    columns = columns or Columns()
    table, findings = named(table, columns, (*KEYS, "tier", *VALUES))
    source = None
    if not findings:
        # a column that is mapped wrongly has its own message
        source, findings = source_of(table)
    if source == "percent" and "indicator" not in table:
        table = table.assign(indicator=COMPOSITE)
    absent = [name for name in ("facility", "indicator") if name not in table]
    findings += found(
        [
            Problem(
                file=file_of(table),
                rule=f"there is no column {name!r}; the file has {listed(visible(table))}",
                cure=f'add or rename it, or map it in [columns]: {name} = "..."',
            )
            for name in absent
        ]
    )
    findings += _purpose(source, trials=trials, items=items)
    if absent:
        return None, 0, findings
    facility, more = coded(table, "facility")
    findings += more
    indicator, more = coded(table, "indicator")
    findings += more
    stated, more = stated_periods(periods)
    findings += more
    values: Values = {}
    if source is not None:
        values, more = read_values(table, source, decimal=decimal, trials=trials)
        findings += more
    findings += size_findings("facility", len(facility.names), file=file_of(table))
    findings += size_findings("indicator", len(indicator.names), file=file_of(table))
    if values and not more:
        findings += _empty(values, facility, "facility", file_of(table))
        findings += _empty(values, indicator, "indicator", file_of(table))
    labels, position, more = (
        period_positions(table, stated)
        if stated is not None or periods is None
        else (PERIODS, np.full(len(table), -1), NOTHING)
    )
    findings += more
    tier, more = _tier(table, facility)
    findings += more
    findings += _repeated(table, facility, indicator, position, labels)
    if indicators is not None:
        indicators, more = named(indicators, columns, ("indicator", *METADATA))
        findings += more
    meta, more = indicators_of(indicators, indicator.names, weights=weights)
    findings += more
    if findings or meta is None:
        return None, len(facility.names), findings
    if source == "percent":
        values = {name: column * (items or 1) for name, column in values.items()}
    data = _dataset(values, facility, indicator, position, meta, periods=len(labels), tier=tier)
    notes = (*_rebuilt(source, values, trials, items), *meta.notes)
    return Observed(data=data, period_labels=labels, notes=notes), len(facility.names), NOTHING


def _empty(values: Values, names: Coded, dim: str, file: str | None) -> Findings:
    """Report facilities or indicators whose cells are all missing."""
    has = values["trials"] > 0 if "trials" in values else ~np.isnan(values["mean"])
    seen = np.bincount(names.codes[has & (names.codes >= 0)], minlength=len(names.names))
    return empty_findings(dim, names.names, seen > 0, file=file)


def _purpose(source: Source | None, *, trials: int | None, items: int | None) -> Findings:
    """Report assumed cases and items beside a table that is not of percentages."""
    problems = [
        Problem(
            rule=f"{name} = {value} is stated, but the table does not hold percentages",
            cure=f"remove {name}",
        )
        for name, value in (("trials", trials), ("items", items))
        if value is not None and source in ("counts", "scores")
    ]
    problems += [
        Problem(
            rule=f"{name} must be a whole number of 1 or more (received {value!r:.60})",
            cure=f"correct {name}",
        )
        for name, value in (("trials", trials), ("items", items))
        if value is not None and not (is_whole(value) and value >= 1)
    ]
    return found(problems)


def _tier(table: pd.DataFrame, facility: Coded) -> tuple[NDArray[np.str_] | None, Findings]:
    """Return the published label of every facility."""
    if "tier" not in table:
        return None, NOTHING
    text = text_column(table["tier"])
    tier, findings = coded(table.assign(tier=text.mask(text == "", _NO_TIER)), "tier")
    first = np.full(len(facility.names), -1, dtype=np.int64)
    rows = np.flatnonzero(facility.codes >= 0)[::-1]
    first[facility.codes[rows]] = tier.codes[rows]
    findings += rows_where(
        table,
        (facility.codes >= 0) & (first[facility.codes] != tier.codes),
        rule="the tier {tier} differs from the one in an earlier row of the facility",
        cure="give a facility one tier",
    )
    names = np.array([name if name != _NO_TIER else "" for name in tier.names], dtype=str)
    return names[first], findings


def _repeated(
    table: pd.DataFrame,
    facility: Coded,
    indicator: Coded,
    position: NDArray[np.int64],
    labels: tuple[str, ...],
) -> Findings:
    """Report cells that stand in more than one row."""
    known = (facility.codes >= 0) & (indicator.codes >= 0) & (position >= 0)
    cell = (facility.codes * len(indicator.names) + indicator.codes) * len(labels) + position
    cell = np.where(known, cell, -1 - np.arange(len(cell)))
    repeated = pd.Series(cell).duplicated().to_numpy()
    if not repeated.any():
        return NOTHING
    first = pd.Series(np.arange(len(table))).groupby(cell, sort=False).transform("first").to_numpy()
    again = np.flatnonzero(repeated)
    problems = []
    for place in again[:LISTED]:
        row, earlier = table.iloc[int(place)], table.iloc[int(first[place])]
        elsewhere = f" of {earlier['file']}" if earlier["file"] != row["file"] else ""
        problems.append(
            Problem(
                file=row["file"] or None,
                row=int(row["row"]),
                facility=facility.names[facility.codes[place]],
                indicator=indicator.names[indicator.codes[place]],
                period=labels[position[place]],
                rule=f"the cell is given twice (first in row {earlier['row']}{elsewhere})",
                cure="keep one row per facility, indicator and period",
            )
        )
    return Findings(shown=tuple(problems), count=again.size)


def _dataset(
    values: Values,
    facility: Coded,
    indicator: Coded,
    position: NDArray[np.int64],
    meta: Indicators,
    *,
    periods: int,
    tier: NDArray[np.str_] | None,
) -> xr.Dataset:
    """Lay the rows out as arrays."""
    place = {name: k for k, name in enumerate(meta.names)}
    order = np.array([place[name] for name in indicator.names], dtype=np.int64)
    shape = (len(facility.names), len(meta.names), periods)
    at = (facility.codes, order[indicator.codes], position)
    arrays = {}
    for name, column in values.items():
        array = np.full(shape, 0.0 if name in ("successes", "trials") else np.nan)
        array[at] = column
        arrays[name] = (("facility", "indicator", "period"), array)
    coords = {
        "facility": np.array(facility.names, dtype=str),
        "indicator": np.array(meta.names, dtype=str),
        "period": np.array(PERIODS[2 - periods :], dtype=str),
        **meta.coords(),
    }
    if tier is not None:
        coords["tier"] = ("facility", tier)
    return xr.Dataset(arrays, coords=coords)


def _rebuilt(
    source: Source | None, values: Values, trials: int | None, items: int | None
) -> tuple[str, ...]:
    """Say what was assumed about the cases behind percentages."""
    if source != "percent":
        return ()
    cases = f"an assumed {trials:,} cases" if trials is not None else "the stated numbers of cases"
    scored = f", each scored on {items} items" if items is not None and items > 1 else ""
    return (
        f"Counts were rebuilt from percentages with {cases} behind each{scored}; "
        "they need not be whole.",
    )
