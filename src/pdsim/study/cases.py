"""A table of observed cases, one row each, becomes counts and a within-case correlation."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pdsim.errors import Problem
from pdsim.study.check import MAX_CASE_CORRELATION
from pdsim.study.correlation import estimate_case_correlation
from pdsim.study.frames import METADATA, Columns, file_of, named, suggestion, text_column, visible
from pdsim.study.longtable import Observed, observed_from_long
from pdsim.study.problems import NOTHING, Findings, found, listed, quote, rows_where

# a column with blanks becomes one of decimal numbers in many programs
_MET: Final = dict.fromkeys(("1", "1.0", "1,0", "yes", "true"), 1.0) | dict.fromkeys(
    ("0", "0.0", "0,0", "no", "false"), 0.0
)
_KEYS: Final = ("facility", "period")


def observed_from_cases(
    table: pd.DataFrame,
    *,
    indicators: pd.DataFrame | None = None,
    weights: Mapping[str, float] | None = None,
    periods: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    columns: Columns | None = None,
) -> tuple[Observed | None, int, Findings]:
    """Return the counts of a raw table of cases and their within-case correlation.

    Parameters
    ----------
    table : DataFrame
        Raw table: ``facility``, ``period`` and one column per indicator with 1, yes or true
        where it was met, 0, no or false where it was not, and blank where it was not scored.
    indicators : DataFrame, optional
        Raw indicator table. With it, other columns of `table` are left alone; without it,
        every column but the keys and those in `ignore` is an indicator.
    weights, periods, columns
        As in `observed_from_long`.
    ignore : sequence of str
        Columns that are no indicators.

    Returns
    -------
    Observed or None
    int
        Number of facilities; 0 where that is unknown.
    Findings
    """
    columns = columns or Columns()
    table, findings = named(table, columns, _KEYS)
    names, more = _indicator_columns(table, indicators, columns, ignore)
    findings += more
    if "facility" not in table:
        findings += found(
            Problem(
                file=file_of(table),
                rule=f"there is no column 'facility'; the file has {listed(visible(table))}",
                cure='add or rename it, or map it in [columns]: facility = "..."',
            )
        )
    if "facility" not in table or not names:
        return None, 0, findings
    read = {}
    for name in names:
        column, more = _scores(table, name)
        findings += more
        if column is not None:
            read[name] = column
    names = tuple(read)
    if not names:
        return None, 0, findings
    scores = np.column_stack([read[name] for name in names])
    keys = [name for name in _KEYS if name in table]
    texts = {name: text_column(table[name]) for name in keys}
    blank = np.zeros(len(table), dtype=bool)
    for name in keys:
        empty = (texts[name] == "").to_numpy(dtype=bool)
        findings += rows_where(
            table, empty, rule=f"the {name} is blank", cure=f"give the {name} of every case"
        )
        blank |= empty
    if blank.all():
        return None, 0, findings
    rows = table.loc[~blank, ["file", "row"]].assign(**texts)
    counts = _counts(rows, keys, names, scores[~blank])
    observed, facilities, more = observed_from_long(
        counts, indicators=indicators, weights=weights, periods=periods, columns=_metadata(columns)
    )
    findings += more
    if findings or observed is None:
        return None, facilities, findings
    return _with_correlation(observed, rows, names, scores[~blank]), facilities, NOTHING


def _metadata(columns: Columns) -> Columns:
    """Return the names of the columns of the indicator table only."""
    keep = {name: getattr(columns, name) for name in ("indicator", *METADATA)}
    return Columns(**keep)


def _indicator_columns(
    table: pd.DataFrame, indicators: pd.DataFrame | None, columns: Columns, ignore: Sequence[str]
) -> tuple[tuple[str, ...], Findings]:
    """Return the columns that hold indicators."""
    present = [name for name in visible(table) if name not in _KEYS]
    strange = [name for name in ignore if name not in visible(table)]
    findings = found(
        [
            Problem(
                file=file_of(table),
                rule=f"there is no column {quote(name)} to ignore",
                cure="correct the key ignore" + suggestion(name, present),
            )
            for name in strange
        ]
    )
    if indicators is None:
        names = tuple(name for name in present if name not in ignore)
        if not names:
            findings += found(
                Problem(
                    file=file_of(table),
                    rule="no column holds an indicator",
                    cure="give one column per indicator, beside facility and period",
                )
            )
        return names, findings
    described, _ = named(indicators, columns, ("indicator",))
    if "indicator" not in described:
        return tuple(present), findings
    wanted = [name for name in dict.fromkeys(text_column(described["indicator"])) if name]
    findings += found(
        [
            Problem(
                file=file_of(table),
                indicator=name,
                rule="the indicator of the indicator table is not a column of the cases",
                cure="correct the name in one of the two" + suggestion(name, present),
            )
            for name in wanted
            if name not in present
        ]
    )
    return tuple(name for name in wanted if name in present), findings


def _scores(table: pd.DataFrame, name: str) -> tuple[NDArray[np.float64] | None, Findings]:
    """Read one column of met and not met; None where it holds something else."""
    text = text_column(table[name]).str.casefold()
    blank = text.isin(["", "na"]).to_numpy(dtype=bool)
    scores = np.asarray(text.map(_MET), dtype=np.float64)
    bad = np.isnan(scores) & ~blank
    cure = "write 1 (met), 0 (not met), or leave the cell blank (not scored)"
    if bad.sum() > 0.5 * (~blank).sum():
        first = table[name].to_numpy()[int(np.flatnonzero(bad)[0])]
        problem = Problem(
            file=file_of(table),
            rule=f"column {quote(name)} does not hold 0 and 1 (such as {quote(first)})",
            cure=f"{cure}; where it is no indicator, add it to ignore or give an indicator table",
        )
        return None, found(problem)
    return scores, rows_where(
        table.assign(indicator=name, value=table[name]),
        bad,
        rule="a case must be 0 or 1 (received {value})",
        cure=cure,
    )


def _counts(
    rows: pd.DataFrame, keys: list[str], names: tuple[str, ...], scores: NDArray[np.float64]
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
    observed: Observed, rows: pd.DataFrame, names: tuple[str, ...], scores: NDArray[np.float64]
) -> Observed:
    """Add the within-case correlation, where two indicators share their cases."""
    group = dict(
        zip(
            observed.data["indicator"].to_numpy().tolist(),
            observed.data["case_group"].to_numpy().tolist(),
            strict=True,
        )
    )
    groups = np.array([group[name] for name in names])
    pairs = (groups[:, None] == groups) & (groups != "") & ~np.eye(len(names), dtype=bool)
    if not pairs.any():
        return observed
    facility = pd.factorize(rows["facility"])[0]
    period = (
        pd.factorize(rows["period"])[0] if "period" in rows else np.zeros(len(rows), dtype=np.int64)
    )
    result = estimate_case_correlation(scores, facility, period, pairs)
    if not np.isfinite([result.estimate, *result.limits]).all():
        note = "The cases do not tell the within-case correlation: too few vary or are shared."
        return replace(observed, notes=(*observed.notes, note))
    inside = [
        float(np.clip(value, 0.0, MAX_CASE_CORRELATION))
        for value in (result.estimate, *result.limits)
    ]
    notes = observed.notes
    if inside != [result.estimate, *result.limits]:
        notes += (
            f"The within-case correlation estimated from the cases, {result.estimate:.3f} "
            f"({result.limits[0]:.3f} to {result.limits[1]:.3f}), is truncated to the range 0 to "
            f"{MAX_CASE_CORRELATION}.",
        )
    return replace(
        observed,
        notes=notes,
        case_correlation=inside[0],
        case_correlation_limits=(inside[1], inside[2]),
    )
