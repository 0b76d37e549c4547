"""Tables that are put together: sheets by a key, numerators with denominators, dates to periods."""

from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from pdsim.conventions import PERIODS
from pdsim.errors import suggestion
from pdsim.study.frames import file_of, named, text_column, visible
from pdsim.study.options import Join, StudyOptions
from pdsim.study.problems import LISTED, Findings, listed, quote

_VALUE: tuple[str, ...] = ("facility", "indicator", "period", "tier", "value")
_NUMBER = "number of the row of a cell"


def with_parent(
    table: pd.DataFrame, parent: pd.DataFrame, join: Join, found: Findings
) -> pd.DataFrame:
    """Return the table with the columns of the sheet that its rows belong to.

    A column of both keeps the table's cells.
    """
    for frame, key in ((table, join.key), (parent, join.to)):
        if key not in frame:
            found.add(
                f"there is no column {quote(key)} to join the sheets by; there are "
                + listed(visible(frame)),
                "correct [join]" + suggestion(key, visible(frame)),
                file=file_of(frame),
            )
            return table
    keys, targets = text_column(table[join.key]), text_column(parent[join.to])
    known = targets[targets != ""]
    repeated = sorted(set(known[known.duplicated()]))
    if repeated:
        found.add(
            f"the column {quote(join.to)} of the sheet {quote(join.sheet)} holds "
            f"{listed(repeated)} more than once",
            "correct [join]: every row of the table must belong to one row of that sheet",
            file=file_of(parent),
        )
        return table
    found.rows(
        table.assign(key=keys),
        (keys == "").to_numpy() | ~keys.isin(set(known)).to_numpy(),
        rule=f"the row belongs to no row of the sheet {quote(join.sheet)} (received {{key}})",
        cure=f"correct the column {quote(join.key)}",
    )
    added = [name for name in visible(parent) if name not in table.columns]
    place = {target: row for row, target in enumerate(targets) if target}
    at = np.array([place.get(key, 0) for key in keys], dtype=np.int64)
    columns = {name: parent[name].to_numpy(dtype=object)[at] for name in added}
    return pd.concat([table, pd.DataFrame(columns, index=table.index)], axis=1)


def filled_down(table: pd.DataFrame, options: StudyOptions, found: Findings) -> pd.DataFrame:
    """Return the table with blanks of some columns filled by what stands above them."""
    filled = {}
    for name in options.fill:
        if name not in visible(table):
            found.add(
                f"there is no column {quote(name)} to fill; there are {listed(visible(table))}",
                "correct the key fill" + suggestion(name, visible(table)),
                file=file_of(table),
            )
            continue
        text = text_column(table[name])
        filled[name] = text.mask(text == "").ffill().fillna("")
    return table.assign(**filled)


def in_periods(table: pd.DataFrame, options: StudyOptions, found: Findings) -> pd.DataFrame:
    """Return the rows whose dates lie in a period, with the period in place of the date."""
    bounds = {}
    for label, (first, last) in options.dates.items():
        try:
            bounds[label] = (date.fromisoformat(first), date.fromisoformat(last))
        except ValueError:
            found.add(
                f"the dates of {quote(label)} must be written as in '2021-06-30' (received "
                f"{quote(first)} and {quote(last)})",
                "correct [dates]",
            )
            return table
        if bounds[label][0] > bounds[label][1]:
            found.add(f"the first day of {quote(label)} is after its last", "correct [dates]")
    spans = sorted(bounds.values())
    if any(one[1] >= other[0] for one, other in pairwise(spans)):
        found.add("the dates of the periods overlap", "correct [dates]")
    keyed = named(table, options.columns, ("period",), found)
    if "period" not in keyed:
        found.add(
            f"dates are stated, but there is no column 'period'; the file has "
            f"{listed(visible(table))}",
            'map it: [columns] period = "..."',
            file=file_of(table),
        )
        return table
    days = dates_of(keyed["period"])
    label_of = np.full(len(keyed), "", dtype=object)
    for label, (lower, upper) in bounds.items():
        inside = (days >= pd.Timestamp(lower)) & (days < pd.Timestamp(upper) + pd.Timedelta(days=1))
        label_of[inside.to_numpy()] = label
    out = label_of == ""
    if out.any():
        unread = int(days.isna().sum())
        found.notes.append(
            f"Left out: {out.sum():,} of {len(out):,} rows whose date lies in no period "
            f"({unread:,} of them have none)."
        )
    column = next((old for old in visible(table) if old not in keyed.columns), "period")
    return table.assign(**{column: label_of})[~out].reset_index(drop=True)


def dates_of(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return the days of a column of dates; NaT where a cell is none.

    Years first, or days first where no cell could be a month first only.
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        return column.dt.tz_localize(None) if column.dt.tz is not None else column
    text = text_column(column).str.replace(r"[T ]\d{1,2}:\d{2}.*$", "", regex=True)
    days = pd.to_datetime(text, format="%Y-%m-%d", errors="coerce")
    rest = days.isna() & (text != "")
    if not rest.any():
        return days
    best = days
    for pattern in ("%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m/%d/%Y", "%Y/%m/%d", "%Y%m%d", "%Y-%m"):
        read = days.fillna(pd.to_datetime(text, format=pattern, errors="coerce"))
        if read.notna().sum() > best.notna().sum():
            best = read
    return best


def with_ratios(
    table: pd.DataFrame,
    options: StudyOptions,
    periods: tuple[str, ...] | None,
    found: Findings,
) -> pd.DataFrame | None:
    """Return a raw long table of counts from numerators and denominators that stand apart."""
    keyed = named(table, options.columns, _VALUE, found)
    if "value" not in keyed:
        keyed = _melted(keyed, options, periods or PERIODS, found)
    if "facility" not in keyed or "indicator" not in keyed:
        found.add(
            f"ratios need the columns facility, indicator and value; the file has "
            f"{listed(visible(table))}",
            'map them: [columns] value = "..."',
            file=file_of(table),
        )
        return None
    keys = [name for name in ("facility", "period") if name in keyed]
    text = text_column(keyed["indicator"])
    wanted = {name for pair in options.ratios.values() for name in pair}
    for name in sorted(wanted - set(text)):
        found.add(
            f"no row or column holds {quote(name)}, stated in [ratios]",
            "correct [ratios]" + suggestion(name, sorted(set(text))),
            file=file_of(table),
        )
    unused = sorted(set(text) - wanted - {""})
    if unused:
        found.notes.append(f"Not used in any ratio: {listed(unused)}.")
    cells = keyed.assign(indicator=text, **{key: text_column(keyed[key]) for key in keys})
    # parts of a cell, such as its months, are paired in turn
    number = cells.groupby([*keys, "indicator"]).cumcount()
    again = (number > 0).to_numpy() & text.isin(wanted).to_numpy() & (options.repeated is None)
    found.rows(
        cells,
        again,
        rule="the value is given twice",
        cure='keep one row; or have them added up: repeated = "sum" (or take the "first")',
    )
    if again.any():
        return None
    cells, keys = cells.assign(**{_NUMBER: number}), [*keys, _NUMBER]
    parts = []
    for name, (above, below) in options.ratios.items():
        columns = {}
        for role, which in (("successes", above), ("trials", below)):
            part = cells[text == which]
            columns[role] = part.rename(columns={"value": role}).drop(columns="indicator")
        right = columns["trials"].drop(columns=["file", "row", "tier"], errors="ignore")
        merged = columns["successes"].merge(right, on=keys, how="outer")
        parts.append(merged.assign(indicator=name))
    result = pd.concat(parts, ignore_index=True)
    place = result["row"].ffill().bfill().fillna(1)
    file = result["file"].ffill().bfill()
    return result.drop(columns=_NUMBER).assign(row=place.astype(np.int64), file=file)


def _melted(
    table: pd.DataFrame, options: StudyOptions, periods: tuple[str, ...], found: Findings
) -> pd.DataFrame:
    """Return the long table of one whose columns are named by element and period."""
    from pdsim.study.widetable import split_name

    elements = sorted({name for pair in options.ratios.values() for name in pair})
    keys = [name for name in ("facility", "period", "tier") if name in table]
    parts = []
    for name in visible(table):
        if name in keys:
            continue
        element: str | None
        period: str | None
        if "period" in keys:
            element, period = (name if name in elements else None), None
        else:
            element, period = split_name(name, elements, periods)
        if element is None:
            continue
        part = table[[*keys, "file", "row"]].assign(indicator=element, value=table[name])
        parts.append(part if period is None else part.assign(period=period))
    if len(parts) > LISTED * 10:
        found.add("more than 500 columns hold numerators and denominators", "give fewer")
    return pd.concat(parts, ignore_index=True) if parts else table
