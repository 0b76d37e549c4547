"""Cells to numbers, and the numbers of a row to counts or scores: the rules that they keep."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import pandas as pd

from pdsim.arraytypes import Bools, Floats
from pdsim.study.errormatrix import COLUMN
from pdsim.study.frames import as_written, file_of, text_column, visible
from pdsim.study.options import Decimal, StudyOptions
from pdsim.study.problems import Findings, listed, quote
from pdsim.study.words import MISSING, folded, with_own

type CellValues = dict[str, Floats]
type Source = Literal["counts", "percent", "scores"]

MAX_COUNT: Final = 1e12
"""A larger count is a slip, or an identifier in the wrong column."""

_NUMBER: Final = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_COMMA: Final = r"[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?"
_GROUPED: Final = r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+"
_DOTTED: Final = r"[+-]?[1-9][0-9]{0,2}(\.[0-9]{3})+"
_SPACED: Final = r"[+-]?[1-9][0-9]{0,2}([ '\u2019\u00a0\u202f][0-9]{3})+([.,][0-9]+)?"
_BELOW: Final = (
    r"(?:<|&lt;|less than|fewer than|under|moins de|menos de|menos que|unter|weniger als|chini ya)"
    r"\s*([0-9]+)"
)
_UP_TO: Final = r"(?:≤|<=|&lt;=|1\s*(?:-|–|to|à|a|bis))\s*([0-9]+)"
_COUNTS: Final = ("successes", "trials", "n")
_WHOLE: Final = "correct the count; counts that were weighted or averaged are scores (mean, se)"
_MISSING: Final = 'give both; or state that blank cells are missing: missing = [""]'
_MANY: Final = 3
"""Cells with one and the same word that are reported one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Columns of numbers.

    Attributes
    ----------
    values : dict of ndarray (rows,)
        NaN in blank cells and in cells that are not finite numbers.
    below : dict of ndarray (rows,)
        Where a cell says only that it is below a number, such as ``<5``: that number; else NaN.
    wrong : ndarray of bool (rows,)
        Rows with a cell that is not a number, which has its own message.
    excused : ndarray of bool (rows,)
        Those, and rows with a cell that is said to be missing, or blank where the study says
        that blanks are.
    """

    values: CellValues
    below: CellValues
    wrong: Bools
    excused: Bools


def numbers(
    table: pd.DataFrame,
    columns: Sequence[str],
    found: Findings,
    options: StudyOptions | None = None,
) -> Numbers:
    """Read columns of numbers.

    Parameters
    ----------
    table : DataFrame
        Raw table.
    columns : sequence of str
    found : Findings
        Takes cells that are not finite numbers, and commas that could mean two things; and
        notes on what was read as missing.
    options : StudyOptions, optional
        With ``decimal``, ``thousands`` and ``missing``.
    """
    options = options or StudyOptions()
    texts = {name: text_column(table[name]) for name in columns if not _is_typed(table[name])}
    if "percent" in texts:
        texts["percent"] = texts["percent"].str.removesuffix("%").str.strip()
    # a blank cell may be a slip, unless the study states that it is not
    excused = np.full(len(table), "" in options.missing)
    given = {name: (text != "").to_numpy(dtype=bool) for name, text in texts.items()}
    texts = _without_missing(texts, options, found)
    below = {name: _below(text) for name, text in texts.items()}
    texts = {name: text.mask(~np.isnan(below[name]), "") for name, text in texts.items()}
    decimal = options.decimal
    if decimal is None and options.thousands is None and _dots_divide(texts):
        decimal, options = ",", replace(options, thousands=".")
        found.notes.append("Dots divide thousands and commas are decimal commas: 1.234,5.")
    texts = {name: _plain(name, text, options) for name, text in texts.items()}
    if decimal is None:
        before = found.count
        decimal = _decimal(table, texts, found)
        if found.count > before:
            # no cell is read both ways
            texts = {
                name: text.mask(text.str.contains(",", regex=False), "")
                for name, text in texts.items()
            }
    values: CellValues = {}
    bad: dict[str, Bools] = {}
    for name in columns:
        if name in texts:
            values[name], bad[name] = _parse(texts[name], decimal)
            excused |= given[name] & np.isnan(values[name])
        else:
            values[name] = _typed(table, name, found)
            excused |= np.isnan(values[name]) & table[name].notna().to_numpy(dtype=bool)
    _strangers(table, bad, found)
    wrong = np.any([*bad.values(), np.zeros(len(table), dtype=bool)], axis=0)
    return Numbers(values=values, below=below, wrong=wrong, excused=excused)


def _dots_divide(texts: "dict[str, pd.Series[str]]") -> bool:
    """Tell whether a measure has dots and then a comma, and all with either can be read so."""
    both = any(
        text.str.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+,\d+").any()
        for name, text in texts.items()
        if name not in _COUNTS
    )
    if not both:
        return False
    text = pd.concat(list(texts.values()))
    signed = text[text.str.contains("[.,]", regex=True)]
    return bool(signed.str.fullmatch(r"[+-]?(\d{1,3}(\.\d{3})+(,\d+)?|\d+,\d+)").all())


def _is_typed(column: "pd.Series[float]") -> bool:
    dtype = column.dtype
    return pd.api.types.is_float_dtype(dtype) or pd.api.types.is_integer_dtype(dtype)


def _without_missing(
    texts: "dict[str, pd.Series[str]]", options: StudyOptions, found: Findings
) -> "dict[str, pd.Series[str]]":
    """Blank the cells that hold a word for nothing, and say which words these were."""
    words = with_own(MISSING, (str(word) for word in options.missing))
    counts: Counter[str] = Counter()
    blanked = {}
    for name, text in texts.items():
        known = {value: folded(value) in words for value in text.unique().tolist()}
        missing = text.map(known).astype(bool)
        counts.update(text[missing & (text != "")].tolist())
        blanked[name] = text.mask(missing, "")
    note_missing(counts, found)
    return blanked


def note_missing(counts: Counter[str], found: Findings) -> None:
    """Say which words were read as missing."""
    if counts:
        shown = ", ".join(f"{quote(word)} ({n:,})" for word, n in counts.most_common(8))
        found.notes.append(f"Read as missing, not as 0: {shown}.")


def _below(text: "pd.Series[str]") -> Floats:
    """Return the numbers that cells such as ``<5`` and ``1-4`` are below; NaN elsewhere."""
    if not text.str.contains(r"^(?:[<&≤]|[^\W\d]{4})|^1\s*[-–taàb]", regex=True).any():
        return np.full(len(text), np.nan)
    folded_text = text.str.casefold()
    below, up_to = (
        folded_text.str.extract(f"^{pattern}$", expand=False).to_numpy(dtype=float, na_value=np.nan)
        for pattern in (_BELOW, _UP_TO)
    )
    return np.where(np.isnan(below), up_to + 1.0, below)


def _plain(name: str, text: "pd.Series[str]", options: StudyOptions) -> "pd.Series[str]":
    """Return numbers without the signs that divide thousands."""
    mark = options.thousands
    if mark is not None:
        return text.str.replace(mark, "", regex=False) if mark else text
    spaced = text.str.fullmatch(_SPACED)
    if spaced.any():
        text = text.mask(spaced, text.str.replace(r"[ '\u2019\u00a0\u202f]", "", regex=True))
    if name not in _COUNTS or options.decimal == ",":
        return text
    # a count is whole, so that its comma divides thousands; one that does not is a slip
    with_comma = text[text.str.contains(",", regex=False)]
    if len(with_comma) and with_comma.str.fullmatch(_GROUPED).all():
        return text.str.replace(",", "", regex=False)
    with_dot = text[text.str.contains(".", regex=False)]
    grouped = len(with_dot) and with_dot.str.fullmatch(_DOTTED).all()
    # 12.000 alone may be 12 with decimals; 1.204 cannot be a count
    if grouped and not with_dot.str.endswith(".000").all() and options.decimal is None:
        return text.str.replace(".", "", regex=False)
    return text


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
            'state which: decimal = "," or thousands = ","',
            file=file_of(table),
        )
    return ","


def _parse(text: "pd.Series[str]", decimal: Decimal) -> tuple[Floats, Bools]:
    """Return the numbers, and which cells hold something else."""
    blank = (text == "").to_numpy(dtype=bool)
    if decimal == ",":
        comma = text.str.fullmatch(_COMMA)
        text = text.mask(comma, text.str.replace(",", ".", regex=False))
    good = text.str.fullmatch(_NUMBER).to_numpy(dtype=bool)
    values = text.where(good, "nan").to_numpy(dtype=object).astype(np.float64)
    overflown = good & ~np.isfinite(values)
    return np.where(overflown, np.nan, values), ~(good | blank) | overflown


def _strangers(table: pd.DataFrame, bad: dict[str, Bools], found: Findings) -> None:
    """Report cells that are not numbers: a word that stands in many of them once."""
    places: dict[str, list[tuple[str, int]]] = {}
    for name, mask in bad.items():
        for row in np.flatnonzero(mask):
            places.setdefault(str(table[name].iloc[row]), []).append((name, int(row)))
    single: dict[str, Bools] = {name: np.zeros(len(table), dtype=bool) for name in bad}
    for word, where in places.items():
        names = list(dict.fromkeys(name for name, _ in where))
        if len(where) <= _MANY or re.match(r"[+-]?[0-9.,]", word):
            for name, place in where:
                single[name][place] = True
            continue
        columns = f"{len(names)} columns" if len(names) > 1 else f"column {quote(names[0])}"
        found.add(
            f"{quote(word)} in {columns}, {len(where):,} cells, is not a number",
            f"state what it means: missing = [{quote(word)}], or correct the cells",
            file=file_of(table),
            row=int(table["row"].iloc[where[0][1]]),
        )
    for name, mask in single.items():
        if not mask.any():
            continue
        cure = "write a plain number such as 12 or 12.5"
        texts = table[name][mask].map(str)
        if texts.str.contains(",", regex=False).any():
            cure = 'write one decimal sign throughout, or state decimal = "," or thousands = ","'
        elif texts.str.contains("[^0-9.eE+-]", regex=True).any():
            cure = 'correct it, or state that it is missing: missing = ["..."]'
        rule = f"{name} must be a finite number (received {{{name}}})"
        found.rows(table, mask, rule=rule, cure=cure)


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
    if {"successes", "percent"} <= has and "trials" not in has:
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
    cases = (
        '; where a row is a case, state format = "cases"' if rule == "no column of values" else ""
    )
    found.add(
        f"{rule}; the file has {listed(as_written(table))}",
        "name the columns successes and trials (or percent and trials, or mean and se, or "
        f"mean, sd and n), or map them in [columns]{cases}",
        file=file,
    )
    return None


def read_values(
    table: pd.DataFrame, source: Source, options: StudyOptions, found: Findings
) -> CellValues:
    """Read the numbers of every row and check them.

    Returns
    -------
    dict of ndarray (rows,)
        ``successes`` and ``trials`` (0 in a missing cell), with ``expected`` where the table has it
        (NaN in a missing cell), or ``mean``, ``se`` and, where the
        table has them, ``sd`` (NaN in a missing cell) and ``correlation`` (NaN where blank).
    """
    wanted, finish = {
        "counts": (("successes", "trials", "expected"), _counts),
        "percent": (("percent", "trials"), _percent),
        "scores": (("mean", "se", "sd", "n", COLUMN), _scores),
    }[source]
    if source == "counts":
        table = _percent_apart(table, found)
    present = [name for name in wanted if name in table]
    if source == "counts" and "percent" in table:
        present.append("percent")
    read = numbers(table, present, found, options)
    if options.shares and "percent" in read.values:
        read.values["percent"] *= 100.0
    return finish(table, read, options, found)


def _percent_apart(table: pd.DataFrame, found: Findings) -> pd.DataFrame:
    """Return the table with percentages among the successes in a column of their own."""
    if "percent" in table or _is_typed(table["successes"]):
        return table
    text = text_column(table["successes"])
    share = text.str.endswith("%")
    if not share.any():
        return table
    found.notes.append(
        f"{share.sum():,} cells of the successes are percentages: counts were rebuilt from them "
        "and their trials."
    )
    return table.assign(successes=text.mask(share, ""), percent=text.where(share, ""))


def _counts(
    table: pd.DataFrame, read: Numbers, options: StudyOptions, found: Findings
) -> CellValues:
    successes, trials = read.values["successes"], read.values["trials"]
    if "percent" in read.values:
        successes = _filled(table, read, options, found)
    no_successes, no_trials = np.isnan(successes), np.isnan(trials)
    found.rows(
        table,
        no_successes & ~no_trials & (trials != 0) & ~read.excused,
        rule="successes is blank while trials is {trials}",
        cure=_MISSING,
    )
    found.rows(
        table,
        no_trials & ~no_successes & ~read.wrong,
        rule="trials is blank while successes is {successes}",
        cure=_MISSING,
    )
    for name, values in (("successes", successes), ("trials", trials)):
        for bad, what, cure in (
            (values < 0, "0 or more", "correct the count"),
            (
                (values >= 0) & (values != np.floor(values)) & ~np.isnan(read.values[name]),
                "a whole number",
                _WHOLE,
            ),
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
    result = {
        "successes": np.where(missing, 0.0, successes),
        "trials": np.where(missing, 0.0, trials),
    }
    if "expected" in read.values:
        result["expected"] = _expected(table, read.values["expected"], result["trials"], found)
    limit = read.below.get("successes", np.full(len(trials), np.nan))
    known = ~np.isnan(limit) & (trials > 0)
    if known.any():
        # a count that is not published is one at least: a 0 would have been
        result["low"] = np.where(known, np.minimum(1.0, trials), np.nan)
        result["high"] = np.where(known, np.minimum(limit - 1.0, trials), np.nan)
        result["of"] = np.where(known, trials, np.nan)
        found.notes.append(
            f"{known.sum():,} counts are published only as below a number (up to "
            f"{np.nanmax(limit[known]):,.0f}): they are missing in the fit, and the choice is made "
            "again with all of them at their lowest and at their highest."
        )
    return result


def _expected(table: pd.DataFrame, expected: Floats, trials: Floats, found: Findings) -> Floats:
    """Return the expected counts of the cells that have trials."""
    seen = trials > 0
    found.rows(
        table,
        seen & np.isnan(expected),
        rule="expected is blank while trials is {trials}",
        cure="give the count to expect of the cases of the cell, or ignore the column",
    )
    found.rows(
        table,
        seen & ((expected <= 0) | (expected >= trials)),
        rule="expected must lie above 0 and below trials (received {expected} of {trials})",
        cure="correct it: it is the sum of the probabilities of the cell's cases",
    )
    return np.where(seen, expected, np.nan)


def _filled(table: pd.DataFrame, read: Numbers, options: StudyOptions, found: Findings) -> Floats:
    """Return successes, from the percentage where a row gives that instead."""
    successes, percent = read.values["successes"], read.values["percent"]
    found.rows(
        table,
        ~np.isnan(successes) & ~np.isnan(percent),
        rule="the row has both 'successes' and 'percent'",
        cure="keep 'successes', and ignore the column of percentages",
    )
    rebuilt = _recovered(table, percent, read.values["trials"], options, found)
    return np.where(np.isnan(successes), rebuilt, successes)


def _recovered(
    table: pd.DataFrame, percent: Floats, trials: Floats, options: StudyOptions, found: Findings
) -> Floats:
    """Return the counts behind percentages: whole where their rounding allows only that.

    A percentage that was printed with d decimals is that of the nearest whole count if it differs
    by at most half a unit of its last decimal; otherwise the product itself is the count.
    """
    text = text_column(table["percent"]).str.removesuffix("%").str.strip()
    decimals = text.str.extract(r"[.,]([0-9]+)$", expand=False).str.len().fillna(0).to_numpy()
    unit = 10.0 ** ((2.0 if options.shares else 0.0) - decimals.astype(float))
    exact = percent / 100.0 * trials
    nearest = np.round(exact)
    with np.errstate(invalid="ignore", divide="ignore"):
        off = np.abs(100.0 * nearest / trials - percent)
    close = off <= 0.5 * unit + 1e-9
    if (close & (np.abs(nearest - exact) > 1e-9)).any():
        found.notes.append("Whole counts were recovered from percentages that are rounded.")
    return np.where(close, nearest, exact)


def _percent(
    table: pd.DataFrame, read: Numbers, options: StudyOptions, found: Findings
) -> CellValues:
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
    _outside(table, (percent < 0) | (percent > 100), percent, options, found)
    finite = percent[~np.isnan(percent)]
    if finite.size and 0 < finite.max() <= 1 and not options.shares:
        found.add(
            f"no percentage is above {finite.max():.6g}: these look like shares, not percent",
            "state shares = true; for rates that low give successes and trials",
            file=file,
        )
    blank = np.isnan(percent)
    if "trials" in read.values:
        found.rows(
            table,
            blank & (cases > 0) & ~read.excused,
            rule="percent is blank while trials is {trials}",
            cure=_MISSING,
        )
        found.rows(
            table,
            np.isnan(cases) & ~blank & ~read.wrong,
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
    successes = percent / 100.0 * cases
    if "trials" in read.values:
        successes = _recovered(table, percent, cases, options, found)
    return {"successes": np.where(missing, 0.0, successes), "trials": cases}


def _outside(
    table: pd.DataFrame, bad: Bools, percent: Floats, options: StudyOptions, found: Findings
) -> None:
    """Report percentages that are none: an indicator that holds something else once."""
    if "indicator" in table:
        names = text_column(table["indicator"])
        column = options.columns.indicator or "indicator"
        for name in names[bad].unique().tolist():
            mine = (names == name).to_numpy(dtype=bool)
            seen = mine & ~np.isnan(percent)
            if (mine & bad).sum() > max(1, 0.5 * seen.sum()):
                found.add(
                    f"percent must be between 0 and 100; {(mine & bad).sum():,} of "
                    f"{seen.sum():,} values are not (such as "
                    f"{quote(float(percent[mine & bad][0]))}): this is no percentage",
                    f"leave it out: exclude = {{{column} = [{quote(name)}]}}",
                    file=file_of(table),
                    row=int(table["row"].to_numpy()[mine & bad][0]),
                    indicator=name,
                )
                bad = bad & ~mine
    found.rows(
        table,
        bad,
        rule="percent must be between 0 and 100 (received {percent})",
        cure="correct the percentage",
    )


def _scores(
    table: pd.DataFrame, read: Numbers, options: StudyOptions, found: Findings
) -> CellValues:
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
        no_error & ~no_mean & ~read.excused,
        rule=f"{wanted} is blank while mean is {{mean}}",
        cure=_MISSING,
    )
    found.rows(
        table,
        no_mean & ~no_error & ~read.excused,
        rule="mean is blank while its error is given",
        cure=_MISSING,
    )
    missing = no_mean | no_error
    result = {"mean": np.where(missing, np.nan, mean), "se": np.where(missing, np.nan, error)}
    if "sd" in read.values:
        result["sd"] = np.where(missing, np.nan, sd)
    if COLUMN in read.values:
        result[COLUMN] = read.values[COLUMN]
        found.rows(
            table,
            np.abs(result[COLUMN]) >= 1,
            rule=f"{COLUMN} must lie between -1 and 1 (received {{{COLUMN}}})",
            cure="correct it: it is that of the errors of the two periods, not of the scores",
        )
    return result
