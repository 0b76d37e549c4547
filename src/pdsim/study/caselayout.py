"""Tables of cases, one a row: their indicators, and the sheet that the rows belong to."""

import json
from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from pdsim.study.columnroles import BOOKKEEPING, one_two_columns
from pdsim.study.columnwords import column_for
from pdsim.study.describing import describe, take_periods
from pdsim.study.frames import text_column, visible
from pdsim.study.layouts import take_columns
from pdsim.study.placing import first_cells
from pdsim.study.problems import listed
from pdsim.study.recognised import Recognised
from pdsim.study.sources import Sheet
from pdsim.study.statfiles import LABELS
from pdsim.study.words import MISSING, NO, VISIT_WORDS, YES, answer, folded

_MOST_CODES: Final = 12


def take_cases(
    table: pd.DataFrame, roles: dict[str, str], binary: Sequence[str], found: Recognised
) -> None:
    """Read one row per case, with a column of yes and no for each indicator."""
    found.layout = "cases"
    found.keys["format"] = "cases"
    take_columns(roles, ("facility", "period"), found)
    if "period" in roles:
        take_periods(table[roles["period"]], found)
    # an option stands beside the column of its question, an indicator in a group does not
    options = [name for name in binary if "/" in name and name.rsplit("/", 1)[0] in table]
    kept = [name for name in binary if name not in options or "_parent_index" not in table]
    coded = one_two_columns(table, roles)
    if coded:
        kept += coded
        found.keys["no"] = ["2"]
        found.unsure.append(
            f"1 is taken as yes and 2 as no in {listed(coded)}: check no, and ignore what is no "
            "indicator"
        )
    beside = [n for n in found.receipt.pop("beside", []) if n not in table]
    everything = [*visible(table), *beside]
    others = [n for n in everything if n not in kept and n not in roles.values()]
    visits = [name for name in others if folded(name) in VISIT_WORDS]
    if visits:
        others.remove(visits[0])
        found.taken.append(f"Cases with one value of {visits[0]!r} are of one visit.")
    if others:
        found.keys["ignore"] = others
        found.taken.append(f"No indicators: {listed(others)}.")
    found.taken.append(f"Indicators: {listed(kept) or 'none found'}.")
    codes: dict[str, int] = {}
    for name in kept:
        text = text_column(table[name])
        for word in text.unique().tolist():
            if answer(word) not in YES | NO | MISSING and not (coded and word == "2"):
                codes[str(word)] = codes.get(str(word), 0) + int((text == word).sum())
    if codes:
        found.keys["missing"] = list(codes)
        shown = ", ".join(f"{word!r} ({n})" for word, n in codes.items())
        found.unsure.append(f"Read as missing, since neither yes nor no: {shown}")
    if not kept:
        _coded(table, roles, found)
    labels = table.attrs.get(LABELS, {})
    describe(list(kept), {name: labels[name] for name in kept if name in labels}, found)


def _coded(table: pd.DataFrame, roles: dict[str, str], found: Recognised) -> None:
    """Say what a column of codes is needed for."""
    for name in visible(table):
        text = text_column(table[name])
        words = [word for word in text.unique().tolist() if word]
        few = 2 <= len(words) <= _MOST_CODES and len(words) < 0.7 * len(text)
        if name in roles.values() or BOOKKEEPING.fullmatch(name) or "/" in name or not few:
            continue
        found.unsure.append(
            f"Each row is an opportunity; which codes of {name!r} are an action that met it? State "
            f"met = {{{json.dumps(name)} = [...]}} with some of {listed(words)}, and take the "
            "column out of ignore"
        )


def take_join(
    table: pd.DataFrame,
    found: Recognised,
    sheets: Sequence[Sheet],
    sheet: Sheet,
    roles: dict[str, str],
) -> None:
    """Join the sheet that the rows belong to, and look there for what is missing here."""
    stated = text_column(table["_parent_table_name"]) if "_parent_table_name" in table else None
    name = str(stated.iloc[0]) if stated is not None and len(stated) else ""
    parents = [other for other in sheets if other is not sheet and "_index" in first_cells(other)]
    parent = next(
        (other for other in parents if other.name == name), parents[0] if parents else None
    )
    if parent is None:
        found.unsure.append("The sheet that _parent_index points to is not in the file")
        return
    found.keys["join"] = {"sheet": parent.name}
    found.taken.append(f"Each row belongs to a row of the sheet {parent.name!r} by _parent_index.")
    above = parent.table(file="", header=None)
    found.receipt["beside"] = visible(above)
    for role in ("facility", "period"):
        column = column_for(role, visible(above))
        if column is not None and (role == "facility" or "period" not in roles):
            roles[role] = column
            table[column] = _from_parent(table, above, column)


def _from_parent(table: pd.DataFrame, above: pd.DataFrame, column: str) -> Any:
    cells = dict(zip(text_column(above["_index"]), text_column(above[column]), strict=True))
    return text_column(table["_parent_index"]).map(cells).fillna("").to_numpy()
