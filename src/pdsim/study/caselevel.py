"""A table of observed cases, one row each, becomes counts and a within-case correlation."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from pdsim.arraytypes import Floats
from pdsim.study.correlation import estimate_case_correlation
from pdsim.study.frames import METADATA, file_of, named, suggestion, text_column, visible
from pdsim.study.longtable import Observed, observed_from_long
from pdsim.study.options import StudyOptions
from pdsim.study.problems import Findings, listed, quote

# a column with blanks becomes one of decimal numbers in many programs
_MET: Final = dict.fromkeys(("1", "1.0", "1,0", "yes", "true"), 1.0) | dict.fromkeys(
    ("0", "0.0", "0,0", "no", "false"), 0.0
)
_KEYS: Final = ("facility", "period")


def observed_from_cases(
    table: pd.DataFrame, indicators: pd.DataFrame | None, options: StudyOptions, found: Findings
) -> Observed:
    """Return the counts of a raw table of cases and their within-case correlation.

    Parameters
    ----------
    table : DataFrame
        Raw table: ``facility``, ``period`` and one column per indicator with 1, yes or true
        where it was met, 0, no or false where it was not, and blank where it was not scored.
    indicators : DataFrame or None
        Raw indicator table. With it, other columns of `table` are left alone; without it,
        every column but the keys and those to ignore is an indicator.
    options : StudyOptions
    found : Findings
    """
    before = found.count
    table = named(table, options.columns, _KEYS, found)
    names = _indicator_columns(table, indicators, options, found)
    if "facility" not in table:
        found.add(
            f"there is no column 'facility'; the file has {listed(visible(table))}",
            'add or rename it, or map it in [columns]: facility = "..."',
            file=file_of(table),
        )
        return Observed()
    columns = {name: _scores(table, name, found) for name in names}
    read = {name: column for name, column in columns.items() if column is not None}
    if not read:
        return Observed()
    names = tuple(read)
    scores = np.column_stack([read[name] for name in names])
    keys = [name for name in _KEYS if name in table]
    texts = {name: text_column(table[name]) for name in keys}
    blank = np.zeros(len(table), dtype=bool)
    for name in keys:
        empty = (texts[name] == "").to_numpy(dtype=bool)
        found.rows(table, empty, rule=f"the {name} is blank", cure=f"give the {name} of every case")
        blank |= empty
    if blank.all():
        return Observed()
    rows = table.loc[~blank, ["file", "row"]].assign(**texts)
    counts = _counts(rows, keys, names, scores[~blank])
    observed = observed_from_long(
        counts, indicators, options.columns.only("indicator", *METADATA), options, found
    )
    if found.count > before or observed.data is None:
        return observed
    return _with_correlation(observed, rows, names, scores[~blank], found)


def _indicator_columns(
    table: pd.DataFrame, indicators: pd.DataFrame | None, options: StudyOptions, found: Findings
) -> tuple[str, ...]:
    """Return the columns that hold indicators."""
    present = [name for name in visible(table) if name not in _KEYS]
    for name in options.ignore:
        if name not in visible(table):
            found.add(
                f"there is no column {quote(name)} to ignore",
                "correct the key ignore" + suggestion(name, present),
                file=file_of(table),
            )
    if indicators is None:
        names = tuple(name for name in present if name not in options.ignore)
        if not names:
            found.add(
                "no column holds an indicator",
                "give one column per indicator, beside facility and period",
                file=file_of(table),
            )
        return names
    # what is wrong with the names of its columns is said where it is read
    described = named(indicators, options.columns, ("indicator",), Findings())
    if "indicator" not in described:
        return tuple(present)
    wanted = [name for name in dict.fromkeys(text_column(described["indicator"])) if name]
    for name in wanted:
        if name not in present:
            found.add(
                "the indicator of the indicator table is not a column of the cases",
                "correct the name in one of the two" + suggestion(name, present),
                file=file_of(table),
                indicator=name,
            )
    return tuple(name for name in wanted if name in present)


def _scores(table: pd.DataFrame, name: str, found: Findings) -> Floats | None:
    """Read one column of met and not met; None where it holds something else."""
    text = text_column(table[name]).str.casefold()
    blank = text.isin(["", "na"]).to_numpy(dtype=bool)
    scores = np.asarray(text.map(_MET), dtype=np.float64)
    bad = np.isnan(scores) & ~blank
    cure = "write 1 (met), 0 (not met), or leave the cell blank (not scored)"
    if bad.sum() > 0.5 * (~blank).sum():
        first = table[name].to_numpy()[int(np.flatnonzero(bad)[0])]
        found.add(
            f"column {quote(name)} does not hold 0 and 1 (such as {quote(first)})",
            f"{cure}; where it is no indicator, add it to ignore or give an indicator table",
            file=file_of(table),
        )
        return None
    found.rows(
        table.assign(indicator=name, value=table[name]),
        bad,
        rule="a case must be 0 or 1 (received {value})",
        cure=cure,
    )
    return scores


def _counts(
    rows: pd.DataFrame, keys: list[str], names: tuple[str, ...], scores: Floats
) -> pd.DataFrame:
    """Return the raw long table of counts; its rows are the first ones of their cases."""
    groups = rows.groupby(keys, sort=False)
    group = groups.ngroup().to_numpy()
    first = groups.head(1)
    size = len(first)
    scored = ~np.isnan(scores)
    tables = []
    for k, name in enumerate(names):
        trials = np.bincount(group, weights=scored[:, k], minlength=size)
        met = np.bincount(group, weights=np.where(scored[:, k], scores[:, k], 0.0), minlength=size)
        tables.append(first.assign(indicator=name, successes=met, trials=trials))
    return pd.concat(tables, ignore_index=True)


def _with_correlation(
    observed: Observed,
    rows: pd.DataFrame,
    names: Sequence[str],
    scores: Floats,
    found: Findings,
) -> Observed:
    """Add the within-case correlation, where two indicators share their cases."""
    assert observed.data is not None
    groups = observed.data["case_group"].sel(indicator=list(names)).to_numpy()
    pairs = (groups[:, None] == groups) & (groups != "") & ~np.eye(len(names), dtype=bool)
    if not pairs.any():
        return observed
    facility = pd.factorize(rows["facility"])[0]
    period = (
        pd.factorize(rows["period"])[0] if "period" in rows else np.zeros(len(rows), dtype=np.int64)
    )
    result = estimate_case_correlation(scores, facility, period, pairs)
    if not np.isfinite([result.estimate, *result.limits]).all():
        found.notes.append(
            "The cases do not tell the within-case correlation: too few vary or are shared."
        )
        return observed
    return replace(observed, estimated=result)
