"""The numbers of a cell: counts, rebuilt counts or scores, and the rules they keep."""

from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pdsim.errors import Problem
from pdsim.study.frames import file_of, text_column, visible
from pdsim.study.numbers import BLANK, Decimal, numbers
from pdsim.study.problems import NOTHING, Findings, found, listed, rows_where

type Values = dict[str, NDArray[np.float64]]
type Source = Literal["counts", "percent", "scores"]

MAX_COUNT: Final = 1e12
"""A larger count is a slip, or an identifier in the wrong column."""

_WHOLE: Final = "correct the count; counts that were weighted or averaged are scores (mean, se)"
_MISSING: Final = "give both, or leave the row out for a missing cell"


def source_of(table: pd.DataFrame) -> tuple[Source | None, Findings]:
    """Return which numbers a raw table holds.

    Returns
    -------
    {"counts", "percent", "scores"} or None
        None when there are findings.
    Findings
    """
    has = set(visible(table))
    counts = {"successes", "percent"} & has
    scores = {"mean"} & has
    file = file_of(table)
    if counts and scores:
        problem = Problem(
            file=file,
            rule="the table has columns of counts and of scores",
            cure="keep one kind: a study does not mix them",
        )
        return None, found(problem)
    if len(counts) == 2:
        problem = Problem(
            file=file,
            rule="the table has both columns 'successes' and 'percent'",
            cure="keep 'successes' and 'trials'",
        )
        return None, found(problem)
    if "successes" in counts and "trials" in has:
        return "counts", NOTHING
    if "percent" in counts:
        return "percent", NOTHING
    if scores and ("se" in has or {"sd", "n"} <= has):
        return "scores", NOTHING
    wanted = {
        "successes": "'successes' needs a column 'trials'",
        "trials": "'trials' needs a column 'successes' or 'percent'",
        "mean": "'mean' needs a column 'se', or 'sd' and 'n'",
    }
    rule = next((text for name, text in wanted.items() if name in has), "no column of values")
    problem = Problem(
        file=file,
        rule=f"{rule}; the file has {listed(visible(table))}",
        cure="name the columns successes and trials (or percent and trials, or mean and se, or "
        "mean, sd and n), or map them in [columns]",
    )
    return None, found(problem)


def read_values(
    table: pd.DataFrame, source: Source, *, decimal: Decimal | None, trials: int | None
) -> tuple[Values, Findings]:
    """Read the numbers of every row and check them.

    Parameters
    ----------
    table : DataFrame
        Raw long table.
    source : {"counts", "percent", "scores"}
    decimal : {".", ","}, optional
    trials : int, optional
        Assumed number of cases behind every percentage.

    Returns
    -------
    dict of ndarray (rows,)
        ``successes`` and ``trials`` (0 in a missing cell), or ``mean``, ``se`` and, where the
        table has it, ``sd`` (NaN in a missing cell).
    Findings
    """
    wanted = {
        "counts": ("successes", "trials"),
        "percent": ("percent", "trials"),
        "scores": ("mean", "se", "sd", "n"),
    }[source]
    values, findings = numbers(table, [name for name in wanted if name in table], decimal=decimal)
    # a cell that is not a number has its own message; here it must not also count as blank
    spoiled = np.zeros(len(table), dtype=bool)
    if findings:
        given = {name: _given(table, name) for name in values}
        spoiled = np.any([given[name] & np.isnan(values[name]) for name in values], axis=0)
    if source == "scores":
        result, more = _scores(table, values, spoiled)
    elif source == "counts":
        result, more = _counts(table, values["successes"], values["trials"], spoiled)
    else:
        result, more = _percent(table, values, spoiled, trials)
    return result, findings + more


def _given(table: pd.DataFrame, name: str) -> NDArray[np.bool_]:
    return np.asarray(~text_column(table[name]).isin(BLANK), dtype=bool)


def _counts(
    table: pd.DataFrame,
    successes: NDArray[np.float64],
    trials: NDArray[np.float64],
    spoiled: NDArray[np.bool_],
) -> tuple[Values, Findings]:
    no_successes, no_trials = np.isnan(successes), np.isnan(trials)
    findings = rows_where(
        table,
        no_successes & ~no_trials & (trials != 0) & ~spoiled,
        rule="successes is blank while trials is {trials}",
        cure=_MISSING,
    )
    findings += rows_where(
        table,
        no_trials & ~no_successes & ~spoiled,
        rule="trials is blank while successes is {successes}",
        cure=_MISSING,
    )
    for name, values in (("successes", successes), ("trials", trials)):
        findings += rows_where(
            table,
            values < 0,
            rule=f"{name} must be 0 or more (received {{{name}}})",
            cure="correct the count",
        )
        findings += rows_where(
            table,
            (values >= 0) & (values != np.floor(values)),
            rule=f"{name} must be a whole number (received {{{name}}})",
            cure=_WHOLE,
        )
        findings += rows_where(
            table,
            values > MAX_COUNT,
            rule=f"{name} must be at most a million million (received {{{name}}})",
            cure="check that the columns are the right ones",
        )
    findings += rows_where(
        table,
        (successes > trials) & (trials >= 0),
        rule="successes must not exceed trials (received {successes} of {trials})",
        cure="correct one of the two, or swap the columns",
    )
    missing = no_successes | no_trials
    return {
        "successes": np.where(missing, 0.0, successes),
        "trials": np.where(missing, 0.0, trials),
    }, findings


def _percent(
    table: pd.DataFrame, values: Values, spoiled: NDArray[np.bool_], trials: int | None
) -> tuple[Values, Findings]:
    percent = values["percent"]
    findings = NOTHING
    if "trials" in values and trials is not None:
        problem = Problem(
            file=file_of(table),
            rule="trials are stated twice, as a column and as one number for all cells",
            cure="keep one of the two",
        )
        findings += found(problem)
    if "trials" not in values and trials is None:
        problem = Problem(
            file=file_of(table),
            rule="percentages need the number of cases behind them",
            cure="add a column 'trials', or state the number you assume for every facility and "
            "period: trials = 20",
        )
        findings += found(problem)
    # without trials the percentages are still checked, against any number of cases
    cases = values.get("trials", np.full(len(percent), float(trials or 1)))
    findings += rows_where(
        table,
        (percent < 0) | (percent > 100),
        rule="percent must be between 0 and 100 (received {percent})",
        cure="correct the percentage",
    )
    finite = percent[~np.isnan(percent)]
    if finite.size and finite.max() <= 1 and finite.max() > 0:
        problem = Problem(
            file=file_of(table),
            rule=f"no percentage is above {finite.max():.6g}: these look like shares, not percent",
            cure="multiply them by 100; for rates that low give successes and trials",
        )
        findings += found(problem)
    blank = np.isnan(percent)
    if "trials" in values:
        findings += rows_where(
            table,
            blank & (cases > 0) & ~spoiled,
            rule="percent is blank while trials is {trials}",
            cure=_MISSING,
        )
        findings += rows_where(
            table,
            np.isnan(cases) & ~blank & ~spoiled,
            rule="trials is blank while percent is {percent}",
            cure=_MISSING,
        )
        findings += rows_where(
            table,
            (cases < 0) | (cases > MAX_COUNT) | (cases != np.floor(cases)) & ~np.isnan(cases),
            rule="trials must be a whole number from 0 to a million million (received {trials})",
            cure=_WHOLE,
        )
    missing = blank | np.isnan(cases)
    cases = np.where(missing, 0.0, cases)
    return {"successes": np.where(missing, 0.0, percent) / 100.0 * cases, "trials": cases}, findings


def _scores(
    table: pd.DataFrame, values: Values, spoiled: NDArray[np.bool_]
) -> tuple[Values, Findings]:
    nothing = np.full(len(table), np.nan)
    mean, se, sd, n = (values.get(name, nothing) for name in ("mean", "se", "sd", "n"))
    findings = NOTHING
    for name, column in (("se", se), ("sd", sd)):
        findings += rows_where(
            table,
            column <= 0,
            rule=f"{name} must be above 0 (received {{{name}}})",
            cure="correct it; a score without error has no place in a model of errors",
        )
    findings += rows_where(
        table,
        (n < 2) | (n > MAX_COUNT) | (n != np.floor(n)) & ~np.isnan(n),
        rule="n must be a whole number of 2 or more (received {n})",
        cure="correct n; the standard error is sd / sqrt(n)",
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.where(np.isnan(se), sd / np.sqrt(n), se)
    no_mean, no_error = np.isnan(mean), np.isnan(error)
    wanted = "se" if "se" in values else "sd or n"
    findings += rows_where(
        table,
        no_error & ~no_mean & ~spoiled,
        rule=f"{wanted} is blank while mean is {{mean}}",
        cure=_MISSING,
    )
    findings += rows_where(
        table,
        no_mean & ~no_error & ~spoiled,
        rule="mean is blank while its error is given",
        cure=_MISSING,
    )
    missing = no_mean | no_error
    result = {"mean": np.where(missing, np.nan, mean), "se": np.where(missing, np.nan, error)}
    if "sd" in values:
        result["sd"] = np.where(missing, np.nan, sd)
    return result, findings
