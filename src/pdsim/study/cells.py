"""Cells to numbers, and the numbers of a row to counts or scores: the rules that they keep."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd

from pdsim.arraytypes import Bools, Floats
from pdsim.study.frames import file_of, text_column, visible
from pdsim.study.options import Decimal, StudyOptions
from pdsim.study.problems import Findings, listed

type Values = dict[str, Floats]
type Source = Literal["counts", "percent", "scores"]

MAX_COUNT: Final = 1e12
"""A larger count is a slip, or an identifier in the wrong column."""

BLANK: Final = ("", "NA")
"""Cells that hold nothing."""

_NUMBER: Final = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_COMMA: Final = r"[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?"
_GROUPED: Final = r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+"
_WHOLE: Final = "correct the count; counts that were weighted or averaged are scores (mean, se)"
_MISSING: Final = "give both, or leave the row out for a missing cell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Columns of numbers.

    Attributes
    ----------
    values : dict of ndarray (rows,)
        NaN in blank cells and in cells that are not finite numbers.
    spoiled : ndarray of bool (rows,)
        Rows with a cell that is not a number; it must not count as blank as well.
    """

    values: Values
    spoiled: Bools


def numbers(
    table: pd.DataFrame, columns: Sequence[str], found: Findings, *, decimal: Decimal | None = None
) -> Numbers:
    """Read columns of numbers.

    Parameters
    ----------
    table : DataFrame
        Raw table.
    columns : sequence of str
    found : Findings
        Takes cells that are not finite numbers, and commas that could mean two things.
    decimal : {".", ","}, optional
        Default: a comma where the numbers of the table hold commas and no points, and cannot
        be meant as thousands.
    """
    texts = {name: _cells(table[name]) for name in columns if not _is_typed(table[name])}
    if "percent" in texts:
        texts["percent"] = texts["percent"].str.removesuffix("%").str.strip()
    given = {name: text != "" for name, text in texts.items()}
    if decimal is None:
        before = found.count
        decimal = _decimal(table, texts, found)
        if found.count > before:
            # no cell is read both ways
            texts = {
                name: text.mask(text.str.contains(",", regex=False), "")
                for name, text in texts.items()
            }
    values: Values = {}
    spoiled = np.zeros(len(table), dtype=bool)
    for name in columns:
        if name in texts:
            values[name] = _parse(table, name, texts[name], decimal, found)
            spoiled |= given[name].to_numpy(dtype=bool) & np.isnan(values[name])
        else:
            values[name] = _typed(table, name, found)
            spoiled |= np.isnan(values[name]) & table[name].notna().to_numpy(dtype=bool)
    return Numbers(values=values, spoiled=spoiled)


def _is_typed(column: "pd.Series[float]") -> bool:
    dtype = column.dtype
    return pd.api.types.is_float_dtype(dtype) or pd.api.types.is_integer_dtype(dtype)


def _cells(column: "pd.Series[float]") -> "pd.Series[str]":
    text = text_column(column)
    return text.mask(text.isin(BLANK), "")


def _typed(table: pd.DataFrame, name: str, found: Findings) -> Floats:
    values = table[name].to_numpy(dtype=np.float64, na_value=np.nan)
    infinite = np.isinf(values)
    found.rows(
        table,
        infinite,
        rule=f"{name} must be a finite number (received {{{name}}})",
        cure="correct it, or leave the row out for a missing cell",
    )
    return np.where(infinite, np.nan, values)


def _decimal(table: pd.DataFrame, texts: "dict[str, pd.Series[str]]", found: Findings) -> Decimal:
    """Decide whether commas are decimal commas."""
    with_comma = [text[text.str.contains(",", regex=False)] for text in texts.values()]
    if not any(len(text) for text in with_comma):
        return "."
    if any(text.str.contains(".", regex=False).any() for text in texts.values()):
        return "."
    commas = pd.concat(with_comma)
    if commas.str.fullmatch(_GROUPED).all():
        found.add(
            f"the comma in {commas.iloc[0]!r} may be a decimal comma or divide thousands",
            'write numbers without thousands separators, or state decimal = ","',
            file=file_of(table),
        )
    return ","


def _parse(
    table: pd.DataFrame, name: str, text: "pd.Series[str]", decimal: Decimal, found: Findings
) -> Floats:
    blank = (text == "").to_numpy(dtype=bool)
    if decimal == ",":
        comma = text.str.fullmatch(_COMMA)
        text = text.mask(comma, text.str.replace(",", ".", regex=False))
    good = text.str.fullmatch(_NUMBER).to_numpy(dtype=bool)
    values = text.where(good, "nan").to_numpy(dtype=object).astype(np.float64)
    overflown = good & ~np.isfinite(values)
    cure = "write a plain number such as 12 or 12.5, or leave the row out for a missing cell"
    if (text[~good].str.contains(",", regex=False)).any():
        cure = "write plain numbers without thousands separators, with one decimal sign throughout"
    found.rows(
        table,
        ~(good | blank) | overflown,
        rule=f"{name} must be a finite number (received {{{name}}})",
        cure=cure,
    )
    return np.where(overflown, np.nan, values)


def source_of(table: pd.DataFrame, found: Findings) -> Source | None:
    """Return which numbers a raw table holds; None where that is a problem."""
    names = visible(table)
    has = set(names)
    file = file_of(table)
    if "mean" in has and {"successes", "percent"} & has:
        found.add(
            "the table has columns of counts and of scores",
            "keep one kind: a study does not mix them",
            file=file,
        )
        return None
    if {"successes", "percent"} <= has:
        found.add(
            "the table has both columns 'successes' and 'percent'",
            "keep 'successes' and 'trials'",
            file=file,
        )
        return None
    if {"successes", "trials"} <= has:
        return "counts"
    if "percent" in has:
        return "percent"
    if "mean" in has and ("se" in has or {"sd", "n"} <= has):
        return "scores"
    wanted = {
        "successes": "'successes' needs a column 'trials'",
        "trials": "'trials' needs a column 'successes' or 'percent'",
        "mean": "'mean' needs a column 'se', or 'sd' and 'n'",
    }
    rule = next((text for name, text in wanted.items() if name in has), "no column of values")
    found.add(
        f"{rule}; the file has {listed(names)}",
        "name the columns successes and trials (or percent and trials, or mean and se, or "
        "mean, sd and n), or map them in [columns]",
        file=file,
    )
    return None


def read_values(
    table: pd.DataFrame, source: Source, options: StudyOptions, found: Findings
) -> Values:
    """Read the numbers of every row and check them.

    Returns
    -------
    dict of ndarray (rows,)
        ``successes`` and ``trials`` (0 in a missing cell), or ``mean``, ``se`` and, where the
        table has it, ``sd`` (NaN in a missing cell).
    """
    wanted, finish = {
        "counts": (("successes", "trials"), _counts),
        "percent": (("percent", "trials"), _percent),
        "scores": (("mean", "se", "sd", "n"), _scores),
    }[source]
    present = [name for name in wanted if name in table]
    return finish(table, numbers(table, present, found, decimal=options.decimal), options, found)


def _counts(table: pd.DataFrame, read: Numbers, options: StudyOptions, found: Findings) -> Values:
    successes, trials = read.values["successes"], read.values["trials"]
    no_successes, no_trials = np.isnan(successes), np.isnan(trials)
    found.rows(
        table,
        no_successes & ~no_trials & (trials != 0) & ~read.spoiled,
        rule="successes is blank while trials is {trials}",
        cure=_MISSING,
    )
    found.rows(
        table,
        no_trials & ~no_successes & ~read.spoiled,
        rule="trials is blank while successes is {successes}",
        cure=_MISSING,
    )
    for name, values in (("successes", successes), ("trials", trials)):
        for bad, what, cure in (
            (values < 0, "0 or more", "correct the count"),
            ((values >= 0) & (values != np.floor(values)), "a whole number", _WHOLE),
            (
                values > MAX_COUNT,
                "at most a million million",
                "check that the columns are the right ones",
            ),
        ):
            found.rows(table, bad, rule=f"{name} must be {what} (received {{{name}}})", cure=cure)
    found.rows(
        table,
        (successes > trials) & (trials >= 0),
        rule="successes must not exceed trials (received {successes} of {trials})",
        cure="correct one of the two, or swap the columns",
    )
    missing = no_successes | no_trials
    return {
        "successes": np.where(missing, 0.0, successes),
        "trials": np.where(missing, 0.0, trials),
    }


def _percent(table: pd.DataFrame, read: Numbers, options: StudyOptions, found: Findings) -> Values:
    percent, stated, file = read.values["percent"], options.trials, file_of(table)
    if "trials" in read.values and stated is not None:
        found.add(
            "trials are stated twice, as a column and as one number for all cells",
            "keep one of the two",
            file=file,
        )
    if "trials" not in read.values and stated is None:
        found.add(
            "percentages need the number of cases behind them",
            "add a column 'trials', or state the number you assume for every facility and "
            "period: trials = 20",
            file=file,
        )
    # without trials the percentages are still checked, against any number of cases
    cases = read.values.get("trials", np.full(len(percent), float(stated or 1)))
    found.rows(
        table,
        (percent < 0) | (percent > 100),
        rule="percent must be between 0 and 100 (received {percent})",
        cure="correct the percentage",
    )
    finite = percent[~np.isnan(percent)]
    if finite.size and finite.max() <= 1 and finite.max() > 0:
        found.add(
            f"no percentage is above {finite.max():.6g}: these look like shares, not percent",
            "multiply them by 100; for rates that low give successes and trials",
            file=file,
        )
    blank = np.isnan(percent)
    if "trials" in read.values:
        found.rows(
            table,
            blank & (cases > 0) & ~read.spoiled,
            rule="percent is blank while trials is {trials}",
            cure=_MISSING,
        )
        found.rows(
            table,
            np.isnan(cases) & ~blank & ~read.spoiled,
            rule="trials is blank while percent is {percent}",
            cure=_MISSING,
        )
        found.rows(
            table,
            (cases < 0) | (cases > MAX_COUNT) | (cases != np.floor(cases)) & ~np.isnan(cases),
            rule="trials must be a whole number from 0 to a million million (received {trials})",
            cure=_WHOLE,
        )
    missing = blank | np.isnan(cases)
    cases = np.where(missing, 0.0, cases)
    return {"successes": np.where(missing, 0.0, percent) / 100.0 * cases, "trials": cases}


def _scores(table: pd.DataFrame, read: Numbers, options: StudyOptions, found: Findings) -> Values:
    nothing = np.full(len(table), np.nan)
    mean, se, sd, n = (read.values.get(name, nothing) for name in ("mean", "se", "sd", "n"))
    for name, column in (("se", se), ("sd", sd)):
        found.rows(
            table,
            column <= 0,
            rule=f"{name} must be above 0 (received {{{name}}})",
            cure="correct it; a score without error has no place in a model of errors",
        )
    found.rows(
        table,
        (n < 2) | (n > MAX_COUNT) | (n != np.floor(n)) & ~np.isnan(n),
        rule="n must be a whole number of 2 or more (received {n})",
        cure="correct n; the standard error is sd / sqrt(n)",
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.where(np.isnan(se), sd / np.sqrt(n), se)
    no_mean, no_error = np.isnan(mean), np.isnan(error)
    wanted = "se" if "se" in read.values else "sd or n"
    found.rows(
        table,
        no_error & ~no_mean & ~read.spoiled,
        rule=f"{wanted} is blank while mean is {{mean}}",
        cure=_MISSING,
    )
    found.rows(
        table,
        no_mean & ~no_error & ~read.spoiled,
        rule="mean is blank while its error is given",
        cure=_MISSING,
    )
    missing = no_mean | no_error
    result = {"mean": np.where(missing, np.nan, mean), "se": np.where(missing, np.nan, error)}
    if "sd" in read.values:
        result["sd"] = np.where(missing, np.nan, sd)
    return result
