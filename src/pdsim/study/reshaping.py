"""Tables laid out as no study is read: two numbers in a cell, a column for each facility, ..."""

import re
from collections.abc import Callable
from typing import Any, Final

import pandas as pd
from scipy.special import ndtri

from pdsim.conventions import PERIODS
from pdsim.study.columnroles import (
    NUMBERS,
    free_numbers,
    part_column,
    part_of,
    roles_of,
    to_numbers,
    yes_no_columns,
)
from pdsim.study.columnwords import column_for, period_labels, tokens
from pdsim.study.frames import HIDDEN, text_column, visible
from pdsim.study.layouts import WHOLE, value_words
from pdsim.study.options import Columns
from pdsim.study.problems import listed
from pdsim.study.recognised import Recognised
from pdsim.study.widetable import wide_columns
from pdsim.study.words import MISSING, NO, YES, answer, folded

type _Step = Callable[[pd.DataFrame, Recognised], pd.DataFrame | None]

_PAIRS: Final = (
    (("successes", "trials"), r"^([0-9]+)\s*/\s*([0-9]+)\s*(?:\(.*\)|=.*|[0-9.,]+\s*%)?$"),
    (("percent", "trials"), r"^([0-9.,]+)\s*%?\s*[(\[]\s*n\s*=\s*([0-9]+)\s*[)\]]$"),
    (("mean", "sd"), r"^(-?[0-9.,]+)\s*(?:±|\+/-|\+-)\s*([0-9.,]+)$"),
)
"""Two numbers in one cell, and what they are."""


def reshaped(table: pd.DataFrame, found: Recognised) -> pd.DataFrame | None:
    """Return the table in a layout that `read_study` knows; None where it has one already."""
    changed = False
    for step in _STEPS:
        other = step(table, found)
        if other is not None:
            table, changed = other, True
    return table if changed else None


def _pairs_apart(table: pd.DataFrame, found: Recognised) -> pd.DataFrame | None:
    """Divide cells such as ``12/40 (30 %)``.

    Where a column names the period, those of several indicators stand below each other.
    """
    apart = {name: pair for name in visible(table) if (pair := _pair_of(name, table)) is not None}
    if not apart:
        return None
    found.taken.append(f"Cells such as 12/40 were divided: {listed(list(apart))}.")
    period = column_for("period", visible(table))
    rest = table.drop(columns=list(apart))
    if len(apart) == 1 or period is not None:
        parts = [
            rest.assign(**({"indicator": name} if len(apart) > 1 else {}), **pair)
            for name, pair in apart.items()
        ]
        return pd.concat(parts, ignore_index=True)
    columns = {f"{n} {value}": c for n, pair in apart.items() for value, c in pair.items()}
    return rest.assign(**columns)


def _pair_of(name: str, table: pd.DataFrame) -> "dict[str, pd.Series[Any]] | None":
    """Return the two numbers that each cell of a column holds; None where it does not."""
    text = text_column(table[name])
    for values, pattern in _PAIRS:
        parts = text.str.extract(pattern)
        whole = parts[0].notna()
        if not whole.any() or (~whole & ~text.map(folded).isin(MISSING)).any():
            continue
        if values[0] == "successes":
            above, below = (parts[k].dropna().astype(float) for k in (0, 1))
            # 3/2021 is a month, and so is 12/3
            dated = name == column_for("period", visible(table)) or below.between(1900, 2100).all()
            if dated or (above > below).any():
                return None
        if values[1] == "sd" and {"se", "sem"} & set(tokens(name)):
            values = ("mean", "se")
        # a word for a missing cell stands for both
        return {value: parts[part].where(whole, text) for part, value in enumerate(values)}
    return None


def _facilities_across(table: pd.DataFrame, found: Recognised) -> pd.DataFrame | None:
    """Put columns that are each a facility below each other."""
    roles = roles_of(table)
    if "indicator" not in roles or {"facility", *NUMBERS} & set(roles):
        return None
    columns = free_numbers(table, roles)
    keys = [name for name in visible(table) if name not in columns]
    words = sum(part_of(name) is not None for name in columns)
    if len(columns) < 2 or words or len(period_labels(columns)) > 1:
        return None
    found.unsure.append(f"Each of the columns {listed(columns)} is taken as a facility")
    return table.melt([*keys, *HIDDEN], columns, var_name="facility", value_name="value")


def _answers_apart(table: pd.DataFrame, found: Recognised) -> pd.DataFrame | None:
    """Put answers of a row each side by side, by case; where none is named, count them."""
    known = roles_of(table)
    roles = {role: name for role, name in known.items() if role not in ("value", "successes")}
    keys = [roles[role] for role in ("facility", "indicator", "period") if role in roles]
    own = yes_no_columns(table, roles)
    if not {"facility", "indicator"} <= set(roles) or {*NUMBERS} & set(roles) or len(own) != 1:
        return None
    if not table.duplicated(keys).any():
        return None
    item = roles["indicator"]
    texts = pd.DataFrame({name: text_column(table[name]) for name in visible(table)})
    others = [name for name in visible(table) if name not in (*keys, *own)]
    case = next((name for name in others if not texts.duplicated([name, item]).any()), None)
    whose = [name for name in keys if name != item]
    if case is not None and not texts.drop_duplicates([case, *whose]).duplicated(case).any():
        found.taken.append(f"The answers to {item!r} were put side by side, by {case!r}.")
        wide = texts.pivot(index=[case, *whose], columns=item, values=own[0]).fillna("")
        return _as_read(wide.rename_axis(columns=None).reset_index())
    found.taken.append(f"The answers {own[0]!r} were counted: no column names the case.")
    words = texts[own[0]].map(answer)
    counted = texts.assign(successes=words.isin(YES) * 1, trials=words.isin(YES | NO) * 1)
    sums = counted.groupby(keys, sort=False)[["successes", "trials"]].sum()
    return _as_read(sums.reset_index())


def _as_read(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(file=None, row=range(2, len(table) + 2))


def _values_below(table: pd.DataFrame, found: Recognised) -> pd.DataFrame | None:
    """Put the values of several indicators, in a row for each period, below each other."""
    roles = roles_of(table)
    keys = [roles[role] for role in ("facility", "period") if role in roles]
    if len(keys) < 2 or "indicator" in roles or table.duplicated(keys).any():
        return None
    names = [name for name in visible(table) if name not in keys]
    if len(period_labels(names)) > 1:
        return None
    # as if the period stood in the name of every column
    spoken = {f"{name} {PERIODS[0]}": name for name in names}
    best: dict[str, dict[str, str]] = {}
    for words in value_words(names):
        items = wide_columns(list(spoken), Columns(**words), PERIODS)
        common = {item.value: spoken[item.column] for item in items if not item.indicator}
        parts: dict[str, dict[str, str]] = {}
        for item in items:
            if item.indicator:
                parts.setdefault(item.indicator, dict(common))[item.value] = spoken[item.column]
        whole = all(any(kind <= set(part) for kind in WHOLE) for part in parts.values())
        if whole and len(parts) > max(1, len(best)):
            best = parts
    if not best:
        return None
    found.taken.append(f"The columns of {listed(list(best))} were put below each other.")
    return pd.concat(
        [
            table[[*keys, *HIDDEN]].assign(
                indicator=name, **{value: table[column] for value, column in part.items()}
            )
            for name, part in best.items()
        ],
        ignore_index=True,
    )


def _periods_below(table: pd.DataFrame, found: Recognised) -> pd.DataFrame | None:
    """Put columns that are each a period below each other."""
    roles = roles_of(table)
    names = free_numbers(table, roles)
    labels = period_labels(names)
    if "facility" not in roles or "period" in roles or len(labels) < 2 or set(labels) != set(names):
        return None
    found.taken.append(f"The columns {listed(labels)} were put below each other, as periods.")
    values = pd.concat([to_numbers(table[name]) for name in names])
    items = table[roles["indicator"]].map(str).map(part_of) if "indicator" in roles else None
    parts = part_column(table, roles) is not None or (items is not None and items.notna().any())
    value = "value" if parts or values.max() > 100 or values.min() < 0 else "percent"
    keys = [name for name in visible(table) if name not in names]
    return table.melt([*keys, *HIDDEN], names, var_name="period", value_name=value)


def _met_and_unmet(table: pd.DataFrame, found: Recognised) -> pd.DataFrame | None:
    """Add up a column of yes and one of no to the number of cases."""
    roles = roles_of(table)
    met = roles.get("successes", "")
    unmet = [n for n in visible(table) if folded(n) in NO and to_numbers(table[n]).notna().any()]
    if "trials" in roles or folded(met) not in YES or len(unmet) != 1:
        return None
    found.taken.append(f"The cases are those of {met!r} and of {unmet[0]!r} together.")
    total = to_numbers(table[met]) + to_numbers(table[unmet[0]])
    return table.drop(columns=unmet).assign(trials=total.astype("Int64"))


def _errors_of_limits(table: pd.DataFrame, found: Recognised) -> pd.DataFrame | None:
    """Take the standard error of means from their limits."""
    roles = roles_of(table)
    free = free_numbers(table, roles)
    ends = [
        [name for name in free if words & set(tokens(name))]
        for words in ({"lower", "low", "lcl", "lci", "ll"}, {"upper", "high", "ucl", "uci", "ul"})
    ]
    if "mean" not in roles or {"se", "sd"} & set(roles) or any(len(end) != 1 for end in ends):
        return None
    (lower,), (upper,) = ends
    stated = re.findall(r"\b([5-9]\d)\b", f"{lower} {upper}")
    level = int(stated[0]) if stated else 95
    found.unsure.append(f"{lower!r} and {upper!r} are taken as limits of {level} %: check se")
    width = to_numbers(table[upper]) - to_numbers(table[lower])
    error = width / (2.0 * float(ndtri(0.5 + level / 200.0)))
    mean = roles["mean"]
    return table.drop(columns=[lower, upper]).assign(**{mean: to_numbers(table[mean]), "se": error})


_STEPS: Final[tuple[_Step, ...]] = (
    _pairs_apart,
    _facilities_across,
    _answers_apart,
    _periods_below,
    _values_below,
    _met_and_unmet,
    _errors_of_limits,
)
