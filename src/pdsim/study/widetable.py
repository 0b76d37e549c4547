"""A wide table, with a column per value and period, becomes a long one."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import pandas as pd

from pdsim.conventions import PERIODS
from pdsim.study.frames import VALUES, file_of, named, visible
from pdsim.study.longtable import COMPOSITE
from pdsim.study.options import Columns
from pdsim.study.problems import Findings, listed, quote

_SEPARATORS: Final = " _.-:/|"


@dataclass(frozen=True, slots=True, kw_only=True)
class WideColumn:
    """One column of a wide table: which value of which indicator in which period."""

    column: str
    value: str
    period: str
    indicator: str


def wide_columns(
    names: Sequence[str], columns: Columns, periods: Sequence[str] | None
) -> list[WideColumn]:
    """Return the columns whose names say value and period.

    Parameters
    ----------
    names : sequence of str
    columns : Columns
        Other words for the values, such as ``trials = "n"``.
    periods : sequence of str, optional
        Labels of the periods; default "baseline" and "endline".

    Examples
    --------
    >>> wide_columns(["percent_baseline", "Hb 2021 trials"], Columns(), None)
    [WideColumn(column='percent_baseline', value='percent', period='baseline', indicator='')]
    """
    labels = tuple(periods) if periods else PERIODS
    words = _words(columns)
    items = [item for name in names if (item := _split(name, words, labels)) is not None]
    if len({(item.value, item.period) for item in items}) < len(items):
        return items
    # where nothing stands twice there is one indicator, which not every column need name
    name = max((item.indicator for item in items), key=len, default="")
    return [replace(item, indicator=name) for item in items]


def valued(names: Sequence[str], columns: Columns) -> list[str]:
    """Return the columns whose names hold the name of a value and say something more."""
    words = [word.casefold() for word in _words(columns).values()]
    ends = f"[{re.escape(_SEPARATORS)}]"
    among = re.compile(f"(?:^|{ends})(?:{'|'.join(map(re.escape, words))})(?:$|{ends})")
    return [
        name for name in names if among.search(name.casefold()) and name.casefold() not in words
    ]


def _words(columns: Columns) -> dict[str, str]:
    """Return the word for each value; a stated word means nothing else any more."""
    stated = {value: getattr(columns, value) for value in VALUES if getattr(columns, value)}
    taken = {word.casefold() for word in stated.values()}
    return {value: value for value in VALUES if value not in taken} | stated


def _split(name: str, words: dict[str, str], labels: Sequence[str]) -> WideColumn | None:
    shared = Counter(word.casefold() for word in words.values())
    for value, word in words.items():
        # n and N are two words where both are stated
        exact = shared[word.casefold()] > 1
        for label in labels:
            pairs = ((word, label, exact, False), (label, word, False, exact))
            for first, second, first_exact, second_exact in pairs:
                for rest in _rests(name, first, first_exact):
                    for indicator in _rests(rest, second, second_exact):
                        return WideColumn(
                            column=name, value=value, period=label, indicator=indicator
                        )
    return None


def _rests(text: str, word: str, exact: bool) -> Iterator[str]:
    """Yield what is left of `text` without `word` at its end or at its beginning."""
    folded = text if exact else text.casefold()
    word = word if exact else word.casefold()
    if folded == word:
        yield ""
    # casefold may change the length of a text; then no ends can be cut off safely
    elif len(folded) == len(text):
        if folded.endswith(word) and text[-len(word) - 1] in _SEPARATORS:
            yield text[: -len(word)].rstrip(_SEPARATORS)
        if folded.startswith(word) and text[len(word)] in _SEPARATORS:
            yield text[len(word) :].lstrip(_SEPARATORS)


def split_name(
    name: str, elements: Sequence[str], periods: Sequence[str]
) -> tuple[str | None, str | None]:
    """Return which element in which period a column is named by; None where by neither."""
    for element in elements:
        for rest in _rests(name, element, exact=False):
            for period in periods:
                if rest.casefold() == period.casefold():
                    return element, period
    return None, None


def long_from_wide(
    table: pd.DataFrame, columns: Columns, periods: Sequence[str] | None, found: Findings
) -> pd.DataFrame | None:
    """Return the raw long table of a raw wide one; None where that is not possible.

    A row of the wide table is a facility, or a facility and an indicator. Its columns are
    named by value and period and, in tables without a column ``indicator``, by the indicator:
    ``percent_baseline``, ``successes 2021``, ``IMM_3.trials.2023``. A value without a period
    (``trials``) holds for both.

    Parameters
    ----------
    table : DataFrame
        Raw wide table.
    columns : Columns
    periods : sequence of str, optional
    found : Findings
    """
    before = found.count
    # a stated indicator may be the column of the indicator table
    indicator = columns.indicator if columns.indicator in table else None
    keys_only = Columns(facility=columns.facility, indicator=indicator, tier=columns.tier)
    table = named(table, keys_only, ("facility", "indicator", "tier"), found)
    keys = [name for name in ("facility", "indicator", "tier") if name in table]
    rest = [name for name in visible(table) if name not in keys]
    wide = wide_columns(rest, columns, periods)
    common = _common(rest, columns, wide)
    parsed = {item.column for item in wide} | set(common.values())
    lost = [name for name in valued(rest, columns) if name not in parsed]
    _layout_findings(table, wide, lost, periods, found)
    if not wide and not lost:
        found.add(
            f"no column names a value and a period; the file has {listed(rest)}",
            "name the columns such as percent_baseline and percent_endline",
            file=file_of(table),
        )
    if found.count > before:
        return None
    parts = []
    for indicator, period in dict.fromkeys((item.indicator, item.period) for item in wide):
        cells = {
            item.column: item.value
            for item in wide
            if (item.indicator, item.period) == (indicator, period)
        }
        names = [*keys, *cells, *common.values(), "file", "row"]
        part = table[names].rename(columns=cells | {old: new for new, old in common.items()})
        part = part.assign(period=period)
        if "indicator" not in keys:
            part = part.assign(indicator=indicator or COMPOSITE)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _common(rest: Sequence[str], columns: Columns, wide: Sequence[WideColumn]) -> dict[str, str]:
    """Return the columns that hold one value for all periods."""
    words = {word.casefold(): value for value, word in _words(columns).items()}
    taken = {item.value for item in wide}
    return {
        words[name.casefold()]: name
        for name in rest
        if name.casefold() in words and words[name.casefold()] not in taken
    }


def _layout_findings(
    table: pd.DataFrame,
    wide: Sequence[WideColumn],
    lost: Sequence[str],
    periods: Sequence[str] | None,
    found: Findings,
) -> None:
    """Report columns without a period, columns that mean the same, and columns that lack."""
    file = file_of(table)
    for name in lost:
        found.add(
            f"column {quote(name)} names none of the periods {listed(tuple(periods or PERIODS))}",
            'correct its name, or state the labels: periods = ["2021", "2023"]',
            file=file,
        )
    cells: dict[tuple[str, str, str], str] = {}
    for item in wide:
        key = (item.indicator, item.period, item.value)
        if key in cells:
            found.add(
                f"columns {quote(cells[key])} and {quote(item.column)} mean the same",
                "keep one of them",
                file=file,
            )
        cells[key] = item.column
        if item.indicator and "indicator" in table:
            found.add(
                f"column {quote(item.column)} names an indicator, and there is a column "
                "'indicator' as well",
                "keep one of the two ways",
                file=file,
            )
    by_value = Counter(item.value for item in wide)
    either = {"successes", "percent"}
    for indicator, period in dict.fromkeys((item.indicator, item.period) for item in wide):
        has = {value for value in by_value if (indicator, period, value) in cells}
        for value in sorted(set(by_value) - has - (either if has & either else set())):
            if (indicator, period, value) not in cells:
                found.add(
                    f"the column of {value} is missing",
                    "add it; other indicators or periods have one",
                    file=file,
                    indicator=indicator or None,
                    period=period,
                )
