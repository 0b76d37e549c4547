"""How the rows and columns of a table are to be read, written as keys of a study.toml."""

import re
from collections.abc import Sequence
from typing import Final

import pandas as pd

from pdsim.study.columnroles import part_of, to_numbers
from pdsim.study.columnwords import is_in, period_labels, tokens, without_label
from pdsim.study.describing import describe, take_periods
from pdsim.study.frames import text_column, visible
from pdsim.study.options import Columns
from pdsim.study.problems import listed, quote
from pdsim.study.quality import likeness
from pdsim.study.recognised import Recognised
from pdsim.study.widetable import wide_columns
from pdsim.study.words import folded, is_total

WHOLE: Final = (
    {"successes", "trials"}, {"percent", "trials"}, {"mean", "se"}, {"mean", "sd", "n"}
)  # fmt: skip
_ABOVE: Final = (
    "numerator", "num", "numer", "numerateur", "numerador", "zahler", "met", "yes", "oui", "si",
    "done", "achieved", "compliant", "conforme", "correct", "passed", "x", "n",
)  # fmt: skip
_BELOW: Final = (
    "denominator", "den", "denom", "denominateur", "denominador", "nenner", "total", "n", "cases",
    "trials", "observed", "patients", "effectif", "cas", "casos", "sample", "assessed",
)  # fmt: skip
_SHARES: Final = ("%", "pct", "percent", "percentage", "rate", "taux", "tasa", "taxa", "prozent")


def take_columns(roles: dict[str, str], wanted: Sequence[str], found: Recognised) -> None:
    """Write down what the columns of some roles are called."""
    mapped = {role: roles[role] for role in wanted if role in roles and folded(roles[role]) != role}
    if mapped:
        found.keys["columns"] = found.keys.get("columns", {}) | mapped
    shown = ", ".join(f"{role} from {roles[role]!r}" for role in wanted if role in roles)
    found.taken.append(f"Taken: {shown}.")


def take_fill(table: pd.DataFrame, roles: dict[str, str], found: Recognised) -> pd.DataFrame:
    """Fill names down where cells are merged: one stands above many blanks."""
    filled = {}
    for role in ("facility", "indicator", "period"):
        name = roles.get(role)
        if name is None or name not in table:
            continue
        text = text_column(table[name])
        blank = (text == "").to_numpy(dtype=bool)
        if len(text) > 2 and not blank[0] and blank.mean() >= 0.3:
            filled[name] = text.mask(text == "").ffill()
    if filled:
        found.keys["fill"] = list(filled)
        found.unsure.append(
            f"Blank cells of {listed(list(filled))} are taken to hold what is above"
        )
    return table.assign(**filled)


def take_long(table: pd.DataFrame, roles: dict[str, str], found: Recognised) -> None:
    """Read one row per facility, indicator and period."""
    found.layout = "long"
    values = ("mean", "sd", "n", "se") if "mean" in roles else ("successes", "trials")
    if "mean" not in roles and not {"successes", "trials"} <= set(roles):
        values = ("percent", "trials")
        if "trials" not in roles:
            found.unsure.append(
                "The number of cases behind the percentages is not in the table: state the one "
                "that you assume"
            )
            found.keys["trials"] = None
        text = text_column(table[roles["percent"]])
        most = to_numbers(text).max()
        if 0.1 < most <= 1 and not text.str.contains("%", regex=False).any():
            found.keys["shares"] = True
            found.unsure.append(
                f"No percentage is above {most:g}: they are taken as shares from 0 to 1"
            )
    counted = counted_columns(table, roles)
    if "mean" in roles and not {"se", "n"} & set(roles) and len(counted) == 1:
        roles["n"] = counted.pop()
    if "mean" in roles and not {"se", "n"} & set(roles) and counted:
        found.unsure.append(
            f"Which of {listed(counted)} is the number behind each mean is not said: state it in "
            f"[columns], such as n = {quote(counted[0])}; or, where the counts are to be ranked, "
            f"state [ratios], such as x = [{quote(counted[-1])}, {quote(counted[0])}]"
        )
    take_columns(roles, ("facility", "indicator", "period", *values), found)
    if values[0] == "successes" and "percent" in roles:
        found.keys["ignore"] = [roles["percent"]]
        found.taken.append(f"{roles['percent']!r} is left out beside the counts.")
    if "indicator" not in roles and values[0] != "percent":
        found.unsure.append(
            "No column names the indicator: the table is taken as one, unless you map a column in "
            "[columns] indicator"
        )
    if "period" in roles:
        take_periods(table[roles["period"]], found)
    if "mean" not in roles:
        take_repeated(table, roles, found)
    if "indicator" in roles:
        out = found.keys.get("exclude", {}).get(roles["indicator"], [])
        given = dict.fromkeys(text_column(table[roles["indicator"]]))
        names = [name for name in given if name and name not in out]
        titles = [n for n in visible(table) if {"name", "label"} & set(tokens(n))]
        label = next((n for n in titles if n not in roles.values()), None)
        labels = {}
        if label is not None:
            labels = dict(zip(text_column(table[roles["indicator"]]), text_column(table[label]),
                              strict=True))  # fmt: skip
        describe(names, labels, found)


def take_repeated(table: pd.DataFrame, roles: dict[str, str], found: Recognised) -> None:
    """Add up rows of one cell where a column, such as the month, tells them apart."""
    named = {"facility", "indicator", "period"}
    keys = [name for role, name in roles.items() if role in named | {"part"}]
    texts = pd.DataFrame({name: text_column(table[name]) for name in visible(table)})
    if "dates" in found.keys or not texts.duplicated(keys).any():
        return
    found.keys["repeated"] = None
    for name in visible(table):
        words = texts[name].unique().tolist()
        # a column of finer places tells facilities apart, not parts of a cell
        own = texts.groupby(name)[roles["facility"]].nunique()
        apart = not texts.duplicated([*keys, name]).any() and own.max() > 1
        if name in roles.values() or not apart or not named <= set(roles):
            continue
        whole = [word for word in words if is_total(word)]
        rest = [word for word in words if word not in whole]
        said = f"Rows of one cell differ in {name!r}: "
        if not whole:
            found.keys["repeated"] = "sum"
            found.unsure.append(said + "their counts are added up")
        elif (
            len(whole) == 1
            and len(texts[keys].drop_duplicates()) == (texts[name] == whole[0]).sum()
        ):
            del found.keys["repeated"]
            found.keys.setdefault("exclude", {})[name] = rest
            found.unsure.append(f"{said}those of {whole[0]!r} are kept")
        return


def counted_columns(table: pd.DataFrame, roles: dict[str, str]) -> list[str]:
    """Return the columns that are called numbers and hold whole ones, without a role."""
    return [
        name
        for name in visible(table)
        if name not in roles.values()
        and {"n", "number", "no", "nb", "#"} & set(tokens(name))
        and (to_numbers(table[name]).dropna() % 1 == 0).all()
    ]


def take_counted(table: pd.DataFrame, roles: dict[str, str], found: Recognised) -> bool:
    """Take columns of numbers over the one among them that none of them ever exceeds."""
    counted = counted_columns(table, roles)
    values = {name: to_numbers(table[name]) for name in counted}
    above = [n for n in counted if not any((values[n] < values[o]).any() for o in counted)]
    if "facility" not in roles or len(counted) < 2 or len(above) != 1:
        return False
    (base,) = above
    found.layout = "ratios"
    found.keys["ratios"] = {name: [name, base] for name in counted if name != base}
    found.unsure.append(f"All are taken over {base!r}, since none exceeds it: check [ratios]")
    take_columns(roles, ("facility", "period"), found)
    describe([name for name in counted if name != base], {}, found)
    if "period" in roles:
        take_periods(table[roles["period"]], found)
    take_repeated(table, roles, found)
    return True


def take_ratios(table: pd.DataFrame, roles: dict[str, str], found: Recognised) -> None:
    """Pair rows of numerators with rows of denominators by their names."""
    found.layout = "ratios"
    take_columns(roles, ("facility", "indicator", "period", "value"), found)
    names = [name for name in dict.fromkeys(text_column(table[roles["indicator"]])) if name]
    value = to_numbers(table[roles["value"]])
    given = text_column(table[roles["indicator"]])
    keys = [text_column(table[roles[role]]) for role in ("facility", "period") if role in roles]
    cells = pd.DataFrame(dict(enumerate(keys))).apply(tuple, axis=1)
    pair_elements(
        {name: value[given == name].set_axis(cells[given == name]) for name in names}, found
    )
    if "period" in roles:
        take_periods(table[roles["period"]], found)
    take_repeated(table, roles, found)


def pair_elements(values: "dict[str, pd.Series[float]]", found: Recognised) -> None:
    """Pair numerators with the denominators that are called most like them.

    Of two elements whose names do not say it, the one that never exceeds the other is the
    numerator.
    """
    names = list(values)
    below = [name for name in names if part_of(name) == "trials"]
    ratios: dict[str, list[str]] = {}
    for name in (name for name in names if below and part_of(name) == "successes"):
        other = max(below, key=lambda item: _stem_likeness(name, item))
        ratios[_stem(name)] = [name, other]
        if _stem_likeness(name, other) < 100:
            found.unsure.append(f"{name!r} is taken over {other!r}: check [ratios]")
    if ratios:
        found.keys["ratios"] = ratios
        describe(list(ratios), {}, found)
        return
    for one, other in (names, names[::-1]) if len(names) == 2 else ():
        first, second = values[one].align(values[other], join="inner")
        if len(first) and not (first > second).any() and (first < second).any():
            found.keys["ratios"] = {one: [one, other]}
            found.unsure.append(
                f"{one!r} is taken over {other!r}, since it never exceeds it: check [ratios]"
            )
            describe([one], {}, found)
            return
    found.unsure.append(
        "Which of these are numerators and which denominators is not in their names: state "
        f'[ratios], such as "x" = ["numerator", "denominator"]; there are {listed(names)}'
    )


def take_parts(table: pd.DataFrame, roles: dict[str, str], part: str, found: Recognised) -> None:
    """Put rows of numerators and denominators side by side; a column says which they are."""
    keys = [role for role in ("facility", "indicator", "period") if role in roles]
    cells = pd.DataFrame({role: text_column(table[roles[role]]) for role in (*keys, "value")})
    cells["part"] = [part_of(word) for word in text_column(table[part])]
    known = cells[cells["part"].notna()]
    # parts of a cell, such as its months, are paired in turn
    known = known.assign(number=known.groupby([*keys, "part"]).cumcount())
    wide = known.pivot(index=[*keys, "number"], columns="part", values="value")
    order = known[[*keys, "number"]].drop_duplicates()
    wide = wide.loc[pd.MultiIndex.from_frame(order)].fillna("").reset_index()
    found.layout = "long"
    found.converted = wide.drop(columns="number")
    found.taken.append(
        f"Rows of numerators and of denominators, told apart by {part!r}, were put side by side."
    )
    left = len(cells) - len(known)
    found.receipt["dropped"] = (
        [{"why": "neither numerator nor denominator", "rows": left}] if left else []
    )
    take_repeated(table, roles | {"part": part}, found)
    if "period" in roles:
        take_periods(cells["period"], found)
        found.keys.get("columns", {}).pop("period", None)
    describe([name for name in dict.fromkeys(cells["indicator"]) if name], {}, found)


def _stem(name: str) -> str:
    bare = " ".join(word for word in re.split(r"[\s_]+", name) if part_of(word) is None)
    return " ".join(bare.split()).strip(" -_:") or name


def _stem_likeness(one: str, other: str) -> float:
    plain = [re.sub(r"\d+", "", _stem(name)) for name in (one, other)]
    return 100.0 if _stem(one) == _stem(other) else min(99.0, likeness(*plain))


def take_wide(table: pd.DataFrame, roles: dict[str, str], found: Recognised) -> bool:
    """Recognise columns that are named by value and period, or by element and period."""
    keys = [roles[role] for role in ("facility", "indicator") if role in roles]
    names = [name for name in visible(table) if name not in keys]
    labels = period_labels(names)
    if len(labels) < 2:
        return False
    shown = [labels[0], labels[-1]]
    left = [name for name in names if any(is_in(label, name) for label in labels[1:-1])]
    kept = [name for name in names if name not in left]
    (count, whole), words = max(
        ((_values_in(kept, words, shown), words) for words in value_words(kept)),
        key=lambda item: item[0],
    )
    if count < 2 or not whole:
        return _elements(table[kept], shown, left, roles, found)
    take_columns(roles, ("facility", "indicator"), found)
    _two_periods(shown, left, found)
    if words:
        found.keys["columns"] = found.keys.get("columns", {}) | words
    found.taken.append(f"{count} columns hold a value of one of the periods {listed(shown)}.")
    parsed = wide_columns(kept, Columns(**words), shown)
    items = [item.indicator for item in parsed]
    if "indicator" in roles:
        items = text_column(table[roles["indicator"]]).tolist()
    describe([name for name in dict.fromkeys(items) if name], {}, found)
    if {item.value for item in parsed} == {"percent"}:
        found.keys["trials"] = None
        found.unsure.append("State the number of cases that you assume behind the percentages")
    found.layout = "wide"
    return True


def _values_in(
    names: Sequence[str], words: dict[str, str], periods: Sequence[str]
) -> tuple[int, bool]:
    """Return how many columns hold a value by these words, and whether the values suffice."""
    parsed = wide_columns(names, Columns(**words), periods)
    values = {item.value for item in parsed}
    # percentages alone are those of a number of cases that is assumed
    whole = values == {"percent"} or any(kind <= values for kind in WHOLE)
    return len({(item.indicator, item.period, item.value) for item in parsed}), whole


def _two_periods(shown: Sequence[str], left: Sequence[str], found: Recognised) -> None:
    if [folded(label) for label in shown] != ["baseline", "endline"]:
        found.keys["periods"] = list(shown)
    if left:
        found.keys["ignore"] = list(left)
        found.unsure.append(f"The first and the last period are compared; left out: {listed(left)}")


def _elements(
    table: pd.DataFrame,
    shown: Sequence[str],
    left: Sequence[str],
    roles: dict[str, str],
    found: Recognised,
) -> bool:
    """Recognise the pivot of a DHIS2: a column for every element and period, without a value."""
    ends = [
        {without_label(str(name), label): name for name in table if is_in(label, str(name))}
        for label in shown
    ]
    both = [name for name in ends[0] if name and name in ends[1]]
    if "facility" not in roles or len(both) < 2:
        return False
    take_columns(roles, ("facility",), found)
    _two_periods(shown, left, found)
    found.taken.append(f"Columns by element and period ({listed(shown)}): {listed(both)}.")
    values = {
        name: pd.concat([to_numbers(table[end[name]]) for end in ends], keys=shown) for name in both
    }
    pair_elements(values, found)
    found.layout = "ratios"
    return True


def value_words(names: Sequence[str]) -> list[dict[str, str]]:
    """Return ways to read the last or first words of columns as values."""
    raw = [word for name in names for word in re.split(r"[\s_.\-:/|()]+", name) if word]
    # a unit behind the name stands in parentheses: Hands 2021 (%)
    inside = {part for name in names for part in re.findall(r"\(([^()]+)\)", name)}
    written = {folded(w): f"({w})" if w in inside else w for w in [*reversed(raw), "%"]}
    options: list[dict[str, str]] = [{}]
    if {"n", "N"} <= set(raw):
        one, other = (f"({word})" if word in inside else word for word in "nN")
        options.append({"successes": one, "trials": other})
    above = [written[word] for word in _ABOVE if word in written]
    below = [written[word] for word in _BELOW if word in written]
    options += [
        {"successes": one, "trials": other} for one in above for other in below if one != other
    ]
    for share in (written[word] for word in _SHARES if word in written):
        options += [{"percent": share}, *({"percent": share, "trials": n} for n in below)]
        if "N" in raw:
            options.append({"percent": share, "trials": "N"})
    return options
