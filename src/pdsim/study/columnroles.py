"""Which column of a table plays which role."""

import re
from typing import Any, Final

import pandas as pd

from pdsim.study.columnwords import column_for, tokens
from pdsim.study.frames import text_column, visible
from pdsim.study.problems import listed
from pdsim.study.recognised import Recognised
from pdsim.study.statfiles import LABELS
from pdsim.study.words import MISSING, NO, YES, answer, folded

BOOKKEEPING: Final = re.compile(
    r"_.*|.*_complete|record.?id|id|uuid|case.?(no|number|id)?|redcap_.*|instance.?id|device.?id"
    r"|start|end|start.?time|end.?time|deviceid|today|username|row|index|no\.?|nr\.?|#",
    re.IGNORECASE,
)


_SHARE: Final = (
    r"percent|%|proportion|share|pourcentage|prozent|porcent|coverage|\brate\b|taux|tasa|taxa"
    r"|cobertura|couverture"
)
_NUMERIC: Final = r"(?:<=?|>|≤|&lt;=?|[+-])?\s*[\d.,' \u00a0\u202f]+(?:[eE][+-]?\d+)?\s*%?\*?"
_DAY: Final = r"((19|20)\d\d-\d\d-\d\d|\d{1,2}[/.-]\d{1,2}[/.-](19|20)\d\d)([T ].*)?"
_BORN: Final = re.compile(r"birth|born|\bdob\b|naissance|nacimiento|nascimento|geburt|kuzaliwa")
_PERSON: Final = re.compile(r"\b(sex|sexo|sexe|gender|geschlecht|jinsia|age|edad)\b", re.IGNORECASE)
_NAMES: Final = ("facility", "indicator", "period")
NUMBERS: Final = ("successes", "trials", "percent", "mean", "sd", "se", "value")


def roles_of(table: pd.DataFrame) -> dict[str, str]:
    """Return which column plays which role, by what it is called and by what it holds.

    A column has one role; those of numbers hold more numbers than words. Where the source says
    what its columns mean, as Stata does, that counts as their name.
    """
    meant = table.attrs.get(LABELS, {})
    names = visible(table)
    numeric = {name for name in names if _is_numeric(text_column(table[name]))}
    roles: dict[str, str] = {}
    for role in (*_NAMES, *NUMBERS):
        free = [name for name in names if name not in roles.values()]
        if role == "period":
            free = [name for name in free if not _BORN.search(folded(name))]
        if role in NUMBERS:
            free = [name for name in free if name in numeric]
        spoken = {meant.get(name, name): name for name in reversed(free)}
        name = column_for(role, free) or spoken.get(column_for(role, list(spoken)) or "")
        if name is not None:
            roles[role] = name
    if "period" not in roles:
        years = [name for name in names if name not in roles.values() and _years(table[name])]
        days = [name for name in names if name not in roles.values() and _days(name, table[name])]
        found = years if len(years) == 1 else days
        roles |= {"period": found[0]} if len(found) == 1 else {}
    if "percent" in roles and "trials" not in roles:
        free = [name for name in names if name in numeric and name not in roles.values()]
        counted = [name for name in free if {"n", "number", "no"} & set(tokens(name))]
        roles |= {"trials": counted[0]} if len(counted) == 1 else {}
    if "trials" not in roles and "successes" not in roles and {"n", "N"} <= set(names):
        roles |= {"successes": "n", "trials": "N"}
    elif "trials" not in roles and "n" in [folded(name) for name in names]:
        roles["trials" if "mean" not in roles else "n"] = next(n for n in names if folded(n) == "n")
    return roles


def _years(column: "pd.Series[Any]") -> bool:
    """Tell whether a column holds a few years, each of them often."""
    text = text_column(column)
    given = text[~text.map(folded).isin(MISSING)]
    return bool(
        given.str.fullmatch(r"(19|20)\d\d").all()
        and 2 <= given.nunique() <= 6
        and len(given) >= 3 * given.nunique()
    )


def _days(name: str, column: "pd.Series[Any]") -> bool:
    """Tell whether a column holds days that are no births and no stamps of a device."""
    if BOOKKEEPING.fullmatch(name) or _BORN.search(folded(name)):
        return False
    text = text_column(column)
    given = text[~text.map(folded).isin(MISSING)]
    return given.nunique() > 1 and bool(given.str.fullmatch(_DAY).all())


def _is_numeric(text: "pd.Series[str]") -> bool:
    given = text[~text.map(folded).isin(MISSING)]
    return bool(len(given)) and bool(given.str.fullmatch(_NUMERIC).mean() > 0.5)


def one_two_columns(table: pd.DataFrame, roles: dict[str, str]) -> list[str]:
    """Return the columns of 1 and 2, the codes of many surveys for yes and no."""
    found = []
    for name in visible(table):
        words = {folded(word) for word in text_column(table[name]).unique().tolist()}
        known = words - MISSING - {"8", "9", "88", "98", "99"}
        own = name in roles.values() or BOOKKEEPING.fullmatch(name) or _PERSON.search(name)
        if known == {"1", "2"} and not own:
            found.append(name)
    return found


def free_numbers(table: pd.DataFrame, roles: dict[str, str]) -> list[str]:
    """Return the columns of numbers without a role that are not for bookkeeping."""
    return [
        name
        for name in visible(table)
        if name not in roles.values()
        and not BOOKKEEPING.fullmatch(name)
        and _is_numeric(text_column(table[name]))
    ]


def filled_roles(table: pd.DataFrame, roles: dict[str, str], found: Recognised) -> dict[str, str]:
    """Take columns of whole numbers that are left for counts, if one never exceeds the other."""
    lacking = [role for role in ("successes", "trials") if role not in roles]
    keys = [roles[role] for role in _NAMES if role in roles]
    free = free_numbers(table, roles)
    other = {"percent", "mean", "se", "value"} & set(roles)
    if other or not {"facility", "indicator"} <= set(roles) or len(free) != len(lacking):
        return roles
    if not lacking or table.duplicated(keys).any():
        return roles
    names = [roles[role] for role in ("successes", "trials") if role in roles] + free
    numbers = {name: to_numbers(table[name]) for name in names}
    for above, below in (names, names[::-1]):
        filled = roles | {"successes": above, "trials": below}
        kept = all(filled[role] == name for role, name in roles.items())
        whole = all((values.dropna() % 1 == 0).all() for values in numbers.values())
        if kept and whole and not (numbers[above] > numbers[below]).any():
            found.unsure.append(f"{above!r} is taken over {below!r}, since it never exceeds it")
            return filled
    return roles


def to_numbers(column: "pd.Series[Any]") -> "pd.Series[float]":
    """Return the numbers of a column, NaN where a cell is none; only to compare them."""
    text = text_column(column).str.replace(r"[ '\u00a0\u202f]", "", regex=True)
    return pd.to_numeric(text.str.replace(",", ".", regex=False), errors="coerce")


def part_column(table: pd.DataFrame, roles: dict[str, str]) -> str | None:
    """Return the column that says of every row whether it is a numerator or a denominator."""
    for name in visible(table):
        sorts = text_column(table[name]).map(part_of)
        both = {"successes", "trials"} <= set(sorts.unique())
        if name not in roles.values() and both and sorts.notna().mean() > 0.5:
            return name
    return None


def part_of(name: str) -> str | None:
    """Return whether a name speaks of a numerator or of a denominator.

    Examples
    --------
    >>> part_of("ANC 4 (numerator)"), part_of("Dénominateur"), part_of("visits")
    ('successes', 'trials', None)
    """
    word = folded(name)
    above = re.search(r"\bnum\b|numerat|numerad|zahler", word)
    below = re.search(r"\bden(om)?\b|denomin|nenner", word)
    if above and not below:
        return "successes"
    return "trials" if below and not above else None


def take_shares(table: pd.DataFrame, roles: dict[str, str], found: Recognised) -> None:
    """Take a column of scores for percentages where the labels say so; drop an idle period."""
    if not {"facility", "indicator"} <= set(roles):
        return
    keys = [text_column(table[roles[role]]) for role in ("facility", "indicator")]
    if "period" in roles and not pd.DataFrame(dict(enumerate(keys))).duplicated().any():
        found.taken.append(
            f"One period, since no cell stands twice; {roles['period']!r} is not used."
        )
        del roles["period"]
    if "value" not in roles or "percent" in roles or "successes" in roles:
        return
    if "trials" in roles:
        _take_value(table, roles, found)
        return
    labels = [name for name in visible(table) if {"name", "label"} & set(tokens(name))]
    label = next((name for name in labels if name not in roles.values()), roles["indicator"])
    text = text_column(table[label]).map(folded)
    said = text.str.contains(_SHARE)
    values = pd.to_numeric(text_column(table[roles["value"]]), errors="coerce")
    outside = (values > 100) | (values < 0)
    names = keys[1]
    no_share = set(names[outside]) | set(names[~said])
    if not said.any() or no_share >= set(names):
        return
    roles["percent"] = roles.pop("value")
    if no_share:
        found.keys.setdefault("exclude", {})[roles["indicator"]] = sorted(no_share)
        found.unsure.append(f"Left out, since no percentages: {listed(sorted(no_share))}")


def _take_value(table: pd.DataFrame, roles: dict[str, str], found: Recognised) -> None:
    """Take values beside numbers of cases for counts or for percentages, as they can be."""
    name, below = roles.pop("value"), to_numbers(table[roles["trials"]])
    values = to_numbers(table[name])
    counts = bool((values.dropna() % 1 == 0).all()) and not (values > below).any()
    percent = not counts or bool({"score", "rate"} & set(tokens(name)))
    roles["percent" if percent else "successes"] = name
    what = "percentages" if percent else "counts"
    found.unsure.append(f"{name!r} is taken as {what} of the cases in {roles['trials']!r}")


def repeating_column(table: pd.DataFrame, roles: dict[str, str]) -> str | None:
    """Return the first column of words that repeat and are not yes and no."""
    for name in visible(table):
        if name in roles.values() or BOOKKEEPING.fullmatch(name):
            continue
        text = text_column(table[name])
        given = text[text != ""]
        count = given.nunique()
        words = given.str.contains(r"[^\W\d_]", regex=True).mean() if len(given) else 0.0
        if 2 <= count <= max(2, len(given)) and words > 0.9 and not _codes(given):
            return name
    return None


def _codes(text: "pd.Series[str]") -> bool:
    known = YES | NO | MISSING
    return all(folded(word) in known for word in text.unique().tolist())


def yes_no_columns(table: pd.DataFrame, roles: dict[str, str]) -> list[str]:
    """Return the columns of yes and no."""
    found = []
    for name in visible(table):
        if name in roles.values() or BOOKKEEPING.fullmatch(name):
            continue
        text = text_column(table[name])
        words = {answer(word) for word in text.unique().tolist()} - MISSING
        known = words & (YES | NO)
        share = text.map(answer).isin(known | MISSING).mean() if len(text) else 0.0
        if known and share > 0.8 and len(words - known) <= 3:
            found.append(name)
    return found


def word_columns(table: pd.DataFrame, roles: dict[str, str]) -> tuple[list[str], list[str]] | None:
    """Return two or more columns that hold the same few words, and these; None without any."""
    held: dict[frozenset[str], list[str]] = {}
    for name in visible(table):
        if name in roles.values() or BOOKKEEPING.fullmatch(name):
            continue
        text = text_column(table[name])
        words = frozenset(text[~text.map(folded).isin(MISSING)].unique().tolist())
        if 2 <= len(words) <= 7 and len(text) > 2 * len(words):
            held.setdefault(words, []).append(name)
    most = max(held, key=lambda words: len(held[words]), default=frozenset())
    columns = held.get(most, [])
    return (columns, sorted(most)) if len(columns) >= 2 else None
