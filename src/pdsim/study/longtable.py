"""A long table, one row per facility, indicator and period, becomes a checked Dataset."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Ints
from pdsim.conventions import PERIODS
from pdsim.study.cells import CellValues, Source, read_values, source_of
from pdsim.study.clustering import Clustering
from pdsim.study.correlation import CaseCorrelation
from pdsim.study.frames import (
    KEYS,
    METADATA,
    VALUES,
    Coded,
    as_written,
    coded,
    file_of,
    named,
    text_column,
)
from pdsim.study.indicators import Indicators, indicators_of
from pdsim.study.naming import renamed, without_totals
from pdsim.study.options import Columns, StudyOptions, whole_from_1
from pdsim.study.periods import period_positions, stated_periods
from pdsim.study.problems import Findings, listed
from pdsim.study.rounds import windowed
from pdsim.terms.kinds import COUNTS, SCORES

COMPOSITE: Final = "composite"
"""Name of the one indicator of a table of composite percentages."""

_NO_TIER: Final = "-"
_FEW_AGAIN: Final = 3
"""Cells given twice that are named one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableContent:
    """What a table holds, ready for a `Study`.

    Attributes
    ----------
    data : xr.Dataset (facility, indicator, period) or None
        None where there are problems.
    facilities : int
        0 where the number is not known.
    period_labels : tuple of str
    rounds : xr.Dataset (facility, indicator, round) or None
        Where there are more than two.
    estimated : CaseCorrelation or None
        From cases, not truncated.
    clustering : Clustering or None
        From cases with visits.
    """

    data: xr.Dataset | None = None
    facilities: int = 0
    period_labels: tuple[str, ...] = ()
    rounds: xr.Dataset | None = None
    estimated: CaseCorrelation | None = None
    clustering: Clustering | None = None


def observed_from_long(
    table: pd.DataFrame,
    indicators: pd.DataFrame | None,
    columns: Columns,
    options: StudyOptions,
    found: Findings,
    *,
    carried: Sequence[str] = (),
) -> TableContent:
    """Return what a raw long table holds.

    Parameters
    ----------
    table : DataFrame
        Raw table, see `pdsim.study.frames`.
    indicators : DataFrame or None
        Raw indicator table.
    columns : Columns
        Names of the columns in both tables, as far as they are not canonical by now.
    options : StudyOptions
    found : Findings
    carried : sequence of str
        Columns of numbers that become variables of the data as they are.
    """
    before, file = found.count, file_of(table)
    table = named(table, columns, (*KEYS, "tier", *VALUES), found)
    table = without_totals(renamed(table, options, found), options, found)
    # a column that is mapped wrongly has its own message
    source = source_of(table, found) if found.count == before else None
    if "indicator" not in table and (source == "percent" or _one_indicator(table)):
        table = table.assign(indicator=COMPOSITE)
        if source != "percent":
            found.notes.append("No column names an indicator: the table is taken as one.")
    absent = [name for name in ("facility", "indicator") if name not in table]
    for name in absent:
        found.add(
            f"there is no column {name!r}; the file has {listed(as_written(table))}",
            f'add or rename it, or map it in [columns]: {name} = "..."',
            file=file,
        )
    _purpose(source, options, found)
    if columns.visit is not None:
        found.add(
            "visits are columns of cases, and this table holds values of whole cells",
            "state visit_sd and visits, and leave [columns] visit out",
            file=file,
        )
    if absent:
        return TableContent()
    facility, indicator = coded(table, "facility", found), coded(table, "indicator", found)
    values = {} if source is None else read_values(table, source, options, found)
    values |= {name: table[name].to_numpy(dtype=np.float64) for name in carried}
    stated = stated_periods(options, found)
    labels: tuple[str, ...] = PERIODS
    position = np.full(len(table), -1)
    if stated is not None or not (options.periods or options.dates):
        labels, position = period_positions(table, stated, found)
    tier = _tier(table, facility, found)
    if options.repeated or (options.dates and source == "counts"):
        table, facility, indicator, position, values = _merged(
            table, facility, indicator, position, values, options, found
        )
    _repeated(table, facility, indicator, position, values, labels, found)
    if indicators is not None:
        indicators = named(indicators, columns, ("indicator", *METADATA), found)
    meta = indicators_of(indicators, indicator.names, options, found)
    if found.count > before or meta is None:
        # in a table with problems, names stand for facilities
        for dim, names in (("facility", facility.names), ("indicator", indicator.names)):
            found.size(dim, len(names), file=file)
        return TableContent(facilities=len(facility.names))
    if source == "percent":
        values = {name: column * (options.items or 1) for name, column in values.items()}
        _rebuilt(options, found)
    data = _dataset(values, facility, indicator, position, meta, labels, tier=tier)
    rounds = data.rename(period="round") if len(labels) > 2 else None
    if rounds is not None:
        data, labels = windowed(rounds, options, found)
    elif options.windows:
        found.add("windows choose among more than two periods", "list them in periods, in order")
    data = _without_empty(data, found)
    if rounds is not None:
        rounds = rounds.sel(facility=data["facility"], indicator=data["indicator"])
        rounds = rounds.assign_coords(weight=data["weight"])
    for dim in ("facility", "indicator"):
        found.size(dim, data.sizes[dim], file=file)
    if found.count > before:
        return TableContent(facilities=data.sizes["facility"])
    return TableContent(
        data=data, facilities=data.sizes["facility"], period_labels=labels, rounds=rounds
    )


def _one_indicator(table: pd.DataFrame) -> bool:
    """Tell whether no cell stands twice, so that a table without indicators holds one."""
    keys = [name for name in ("facility", "period") if name in table]
    return "facility" in table and not table.duplicated(keys).any()


def _purpose(source: Source | None, options: StudyOptions, found: Findings) -> None:
    """Report assumed cases and items beside a table that is not of percentages."""
    for name in ("trials", "items"):
        value = getattr(options, name)
        if value is not None and source in ("counts", "scores"):
            found.add(
                f"{name} = {value} is stated, but the table does not hold percentages",
                f"remove {name}",
            )
        if value is not None and not whole_from_1(value):
            found.add(
                f"{name} must be a whole number of 1 or more (received {value!r:.60})",
                f"correct {name}",
            )


def _tier(table: pd.DataFrame, facility: Coded, found: Findings) -> NDArray[np.str_] | None:
    """Return the published label of every facility."""
    if "tier" not in table:
        return None
    text = text_column(table["tier"])
    tier = coded(table.assign(tier=text.mask(text == "", _NO_TIER)), "tier", found)
    first = np.full(len(facility.names), -1, dtype=np.int64)
    rows = np.flatnonzero(facility.codes >= 0)[::-1]
    first[facility.codes[rows]] = tier.codes[rows]
    found.rows(
        table,
        (facility.codes >= 0) & (first[facility.codes] != tier.codes),
        rule="the tier {tier} differs from the one in an earlier row of the facility",
        cure="give a facility one tier",
    )
    names = np.array([name if name != _NO_TIER else "" for name in tier.names], dtype=str)
    return names[first]


def _merged(
    table: pd.DataFrame,
    facility: Coded,
    indicator: Coded,
    position: Ints,
    values: CellValues,
    options: StudyOptions,
    found: Findings,
) -> tuple[pd.DataFrame, Coded, Coded, Ints, CellValues]:
    """Add up counts of a cell in several rows, or keep its first; what has no cell stays as it is.

    Of suppressed counts both ends are added up, with the counts of the other rows.
    """
    keys = np.stack([facility.codes, indicator.codes, position])
    own = np.where((keys >= 0).all(axis=0), -1, np.arange(len(table)))
    groups = pd.DataFrame([*keys, own]).T.groupby([0, 1, 2, 3], sort=False)
    first = np.sort(groups.head(1).index.to_numpy())
    if len(first) == len(table):
        return table, facility, indicator, position, values
    if options.repeated == "first":
        how = "Of a cell in several rows the first was taken"
        values = {name: column[first] for name, column in values.items()}
    elif "successes" in values:
        how = "Counts of a cell in several rows were added up"
        values = _added_up(values, groups.ngroup().to_numpy().astype(np.int64))
    else:
        found.add(
            "scores of a cell in several rows cannot be added up",
            'give one mean for each cell, or keep the first: repeated = "first"',
            file=file_of(table),
        )
        return table, facility, indicator, position, values
    found.notes.append(f"{how}: {len(table):,} rows are {len(first):,} cells.")
    facility, indicator = (replace(one, codes=one.codes[first]) for one in (facility, indicator))
    return table.iloc[first].reset_index(drop=True), facility, indicator, position[first], values


def _added_up(values: CellValues, cell: Ints) -> CellValues:
    """Return the sums of counts by cell; NaN where no row of a cell has a number."""
    counted = dict(values)
    for name, seen in (("low", "successes"), ("high", "successes"), ("of", "trials")):
        if name in values:
            counted[name] = np.where(np.isnan(values[name]), values[seen], values[name])
    return {
        name: np.where(
            np.bincount(cell, weights=~np.isnan(values[name])) > 0,
            np.bincount(cell, weights=np.nan_to_num(counted[name])),
            np.nan,
        )
        for name in values
    }


def _repeated(
    table: pd.DataFrame,
    facility: Coded,
    indicator: Coded,
    position: Ints,
    values: CellValues,
    labels: tuple[str, ...],
    found: Findings,
) -> None:
    """Report cells that stand in more than one row: each of a few, many in one line."""
    known = (facility.codes >= 0) & (indicator.codes >= 0) & (position >= 0)
    cell = (facility.codes * len(indicator.names) + indicator.codes) * len(labels) + position
    cell = np.where(known, cell, -1 - np.arange(len(cell)))
    again = np.flatnonzero(pd.Series(cell).duplicated().to_numpy())
    if not again.size:
        return
    first = pd.Series(np.arange(len(table))).groupby(cell, sort=False).transform("first").to_numpy()
    many = again.size > _FEW_AGAIN
    same = bool(values) and all(
        np.array_equal(column[again], column[first[again]], equal_nan=True)
        for column in values.values()
    )
    cure = 'say so: repeated = "first"' if same else "keep one row"
    if not same and "successes" in values:
        cure += ', or, where rows are parts of a cell, have them added up: repeated = "sum"'
    for place in again[: 1 if many else None]:
        row, earlier = table.iloc[int(place)], table.iloc[int(first[place])]
        elsewhere = f" of {earlier['file']}" if earlier["file"] != row["file"] else ""
        more = f", and so are {again.size - 1:,} more" if many else ""
        equal = ", with the same values" if same else ""
        also = "; if a column names the indicator or the round, map it in [columns]" if many else ""
        found.add(
            f"the cell is given twice (first in row {earlier['row']}{elsewhere}){more}{equal}",
            f"{cure}{also}",
            file=row["file"] or None,
            row=int(row["row"]),
            facility=facility.names[facility.codes[place]],
            indicator=indicator.names[indicator.codes[place]],
            period=labels[position[place]],
        )


def _dataset(
    values: CellValues,
    facility: Coded,
    indicator: Coded,
    position: Ints,
    meta: Indicators,
    labels: tuple[str, ...],
    *,
    tier: NDArray[np.str_] | None,
) -> xr.Dataset:
    """Lay the rows out as arrays."""
    place = {name: k for k, name in enumerate(meta.names)}
    order = np.array([place[name] for name in indicator.names], dtype=np.int64)
    shape = (len(facility.names), len(meta.names), len(labels))
    at = (facility.codes, order[indicator.codes], position)
    kind = COUNTS if "successes" in values else SCORES
    blank = dict(zip(kind.values, kind.blank, strict=True))
    arrays = {}
    for name, column in values.items():
        array = np.full(shape, blank.get(name, np.nan))
        array[at] = column
        arrays[name] = (("facility", "indicator", "period"), array)
    coords = {
        "facility": np.array(facility.names, dtype=str),
        "indicator": np.array(meta.names, dtype=str),
        "period": np.array(labels if len(labels) > 2 else PERIODS[-len(labels) :], dtype=str),
        **meta.coords(),
    }
    if tier is not None:
        coords["tier"] = ("facility", tier)
    return xr.Dataset(arrays, coords=coords)


def _without_empty(data: xr.Dataset, found: Findings) -> xr.Dataset:
    """Leave out facilities and indicators without an observed cell, and say so."""
    kind = COUNTS if "successes" in data else SCORES
    value, size = (data[name].to_numpy() for name in kind.values)
    seen = ~kind.missing(value, size)
    kept = {"facility": seen.any(axis=(1, 2)), "indicator": seen.any(axis=(0, 2))}
    for dim, has in kept.items():
        if not has.all():
            names = data[dim].to_numpy()[~has].tolist()
            found.notes.append(
                f"Left out, since nothing was observed there: {dim} {listed(names)}."
            )
    data = data.isel({dim: np.flatnonzero(has) for dim, has in kept.items()})
    weight = data["weight"].to_numpy()
    if kept["indicator"].all() or not weight.size:
        return data
    if weight.sum() == 0:
        found.add("all indicators with data have weight 0", "state other weights")
        return data
    return data.assign_coords(weight=("indicator", weight / weight.sum()))


def _rebuilt(options: StudyOptions, found: Findings) -> None:
    """Say what was assumed about the cases behind percentages."""
    trials, items = options.trials, options.items
    cases = f"an assumed {trials:,} cases" if trials is not None else "the stated numbers of cases"
    scored = f", each scored on {items} items" if items is not None and items > 1 else ""
    found.notes.append(
        f"Counts were rebuilt from percentages with {cases} behind each{scored}; "
        "they need not be whole."
    )
