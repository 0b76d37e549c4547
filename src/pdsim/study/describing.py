"""What is said of the periods, indicators and totals that a table holds."""

import re
from collections.abc import Sequence
from typing import Any

import pandas as pd

from pdsim.conventions import PERIODS
from pdsim.study.columnwords import ADVERSE, LOWER, PAIRS, in_order
from pdsim.study.frames import HIDDEN, text_column
from pdsim.study.joining import dates_of
from pdsim.study.problems import listed
from pdsim.study.recognised import Recognised
from pdsim.study.words import folded, is_total


def take_periods(column: "pd.Series[Any]", found: Recognised) -> None:
    """State the periods that were found, or the bins of dates."""
    text = text_column(column)
    labels = [label for label in dict.fromkeys(text) if label]
    dated = any(re.search(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}", label) for label in labels)
    if dated and len(labels) > 1:
        days = dates_of(column)
        if days.notna().mean() > 0.8 and days.dropna().nunique() > 1:
            _bins(days.dropna(), found)
            return
    ordered = in_order(labels)
    if [folded(label) for label in ordered] in (["baseline", "endline"], []):
        return
    if len(ordered) > 2:
        between = ordered[1:-1]
        found.unsure.append(
            f"There are {len(ordered)} periods: the first and the last are compared, and "
            f"{listed(between)} {'is a round' if len(between) == 1 else 'are rounds'} in between; "
            "check their order and [windows]"
        )
        found.keys["windows"] = {PERIODS[0]: ordered[:1], PERIODS[1]: ordered[-1:]}
    found.keys["periods"] = ordered
    known = any({folded(o) for o in ordered} == set(pair) for pair in PAIRS)
    if len(ordered) == 2 and not known and not any(re.search(r"\d", label) for label in ordered):
        found.unsure.append(f"Which of {listed(ordered)} is the earlier is a guess: check periods")


def _bins(days: "pd.Series[Any]", found: Recognised) -> None:
    """Divide dates at the longest gap between them, or in the middle where there is none."""
    ordered = days.sort_values().dt.normalize().drop_duplicates().reset_index(drop=True)
    gaps = ordered.diff().dt.days.fillna(0)
    span = (ordered.iloc[-1] - ordered.iloc[0]).days
    at = int(gaps.to_numpy().argmax())
    rule = "at the longest gap"
    if gaps.iloc[at] < max(14, 0.1 * span):
        middle = ordered.iloc[0] + (ordered.iloc[-1] - ordered.iloc[0]) / 2
        at = int((ordered <= middle).sum())
        rule = "in the middle, since there is no long gap"
    iso = [day.date().isoformat() for day in ordered]
    if not 0 < at < len(iso):
        return
    found.keys["dates"] = {"baseline": [iso[0], iso[at - 1]], "endline": [iso[at], iso[-1]]}
    found.unsure.append(f"The dates are divided {rule}, {iso[at - 1]} and {iso[at]}: check [dates]")


def describe(names: Sequence[str], labels: dict[str, str], found: Recognised) -> None:
    """Describe indicators: domains from a shared prefix, direction where the label says it."""
    prefixes = {name: re.split(r"[_:]| - ", name)[0].strip() for name in names}
    shared = [p for p in set(prefixes.values()) if list(prefixes.values()).count(p) > 1]
    domains = len(shared) > 1 and all(p in shared for p in prefixes.values())
    rows, adverse = [], []
    for name in names:
        said = f"{name} {labels.get(name, '')}"
        lower = bool(LOWER.search(said))
        if not lower and ADVERSE.search(said):
            adverse.append(name)
        row = {"indicator": name, "direction": "lower" if lower else "higher"}
        if domains:
            row["domain"] = prefixes[name]
        if labels.get(name):
            row["label"] = labels[name][:200]
        rows.append(row)
    if domains:
        found.taken.append(f"Domains by the prefix of the indicators: {listed(sorted(shared))}.")
    if adverse:
        found.unsure.append(f"Is lower better for {listed(adverse)}? State it in indicators.csv")
    if domains or adverse or any(row["direction"] == "lower" for row in rows) or labels:
        found.indicators = rows
        higher = [row["indicator"] for row in rows if row["direction"] == "higher"]
        if higher:
            found.taken.append(f"Higher is taken as better for {listed(higher)}: indicators.csv.")


def without_strays(table: pd.DataFrame, roles: dict[str, str], found: Recognised) -> pd.DataFrame:
    """Return the table without footnotes and repeated headers, which are left out by `exclude`."""
    column = roles.get("facility")
    if column is None or column not in table:
        return table
    names = [name for name in table.columns if name not in HIDDEN]
    cells = pd.DataFrame({name: text_column(table[name]) for name in names})
    filled = (cells != "").sum(axis=1)
    own = cells[column]
    again = (cells == pd.Series(names, index=names)).sum(axis=1) >= max(2, len(names) - 1)
    notes = (filled == 1) & (own != "") & own.str.contains(r"\s|:|^\W", regex=True)
    stray = again | (notes if len(names) > 2 else False)
    words = own[stray].unique().tolist()
    if not words or own[~stray].isin(words).any() or stray.mean() > 0.2:
        return table
    found.keys.setdefault("exclude", {})[column] = words
    found.taken.append(f"Footnotes and repeated headers are left out: {listed(words)}.")
    return table[~stray].reset_index(drop=True)


def note_totals(table: pd.DataFrame, roles: dict[str, str], found: Recognised) -> None:
    """Say which rows of totals are left out."""
    column = roles.get("facility")
    if column is None or column not in table:
        return
    names = [name for name in text_column(table[column]).unique().tolist() if is_total(name)]
    if names:
        found.taken.append(f"Rows of totals are left out: {listed(names)}.")
