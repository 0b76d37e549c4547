"""Where the table of a file stands: which sheet, and which lines are its header."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from pdsim.errors import InputError, Problem
from pdsim.study.columnwords import column_for, is_in, period_labels
from pdsim.study.frames import visible
from pdsim.study.problems import listed
from pdsim.study.recognised import Recognised
from pdsim.study.sources import Sheet, holds_table

_HEADER_LINES: Final = 3


def chosen_sheet(sheets: Sequence[Sheet], found: Recognised) -> Sheet:
    """Return the sheet with the data: the one that others belong to, else the first table."""
    tables = [sheet for sheet in sheets if holds_table(sheet)] or list(sheets)
    children = [sheet for sheet in tables if "_parent_index" in first_cells(sheet)]
    sheet = (children or tables)[0]
    if len(sheets) > 1:
        others = [other.name for other in sheets if other is not sheet]
        found.keys["sheet"] = sheet.name
        found.taken.append(f"The sheet {sheet.name!r} holds the data; not read: {listed(others)}.")
    rivals = [other.name for other in tables if other is not sheet and not children]
    if rivals:
        found.unsure.append(
            f"These sheets hold tables too: {listed(rivals)}; change sheet if need be"
        )
    return sheet


def stacked(sheets: Sequence[Sheet], file: str) -> tuple[pd.DataFrame, str] | None:
    """Return the sheets below each other where each is a round or a facility; None where not.

    They have the same columns. A column ``period`` says which sheet a row comes from where they
    are called like periods; else ``facility`` does, if no column names the facilities.
    """
    named = [sheet for sheet in sheets if holds_table(sheet) and sheet.cells is not None]
    labels = period_labels([sheet.name for sheet in named])
    chosen = {label: [one for one in named if is_in(label, one.name)] for label in labels}
    role = "period"
    if len(labels) < 2:
        role, chosen = "facility", {sheet.name: [sheet] for sheet in named}
    if len(chosen) < 2 or any(len(mine) != 1 for mine in chosen.values()):
        return None
    tables = {label: located_table(mine[0], file)[0] for label, mine in chosen.items()}
    columns = [visible(table) for table in tables.values()]
    if any(names != columns[0] for names in columns) or role in columns[0]:
        return None
    if role == "facility" and (column_for(role, columns[0]) or "_index" in columns[0]):
        return None
    parts = [table.assign(**{role: label}) for label, table in tables.items()]
    return pd.concat(parts, ignore_index=True), role


def first_cells(sheet: Sheet) -> list[str]:
    """Return the cells of the first line of a sheet."""
    if sheet.cells is None or not len(sheet.cells):
        return []
    return [str(cell).strip() for cell in sheet.cells.iloc[0]]


def located_table(sheet: Sheet, file: str) -> tuple[pd.DataFrame, tuple[int, int] | None]:
    """Return the raw table of a sheet, and the lines of its header where that must be stated."""
    if sheet.cells is None:
        return sheet.table(file=file, header=None), None
    filled = (sheet.cells != "").to_numpy(dtype=bool)
    rows = np.flatnonzero(filled.any(axis=1))
    if not rows.size:
        raise InputError(Problem(file=file, rule="the file is empty", cure="check the path"))
    width = int(np.median(filled[rows].sum(axis=1)))
    wide = [row for row in rows[:20] if filled[row].sum() >= max(2, 0.6 * width)]
    first = int(wide[0] if wide else rows[0])
    used = filled.any(axis=0)
    # merged cells leave a line of a header with few; a title has one
    for row in rows[rows < first][::-1][: _HEADER_LINES - 1]:
        if filled[row].sum() < 2 or _numeric(sheet.cells.iloc[int(row)]):
            break
        first = int(row)
    last = first
    for row in rows[rows > first][: _HEADER_LINES - 1]:
        gaps = not filled[last][used].all() and not _numeric(sheet.cells.iloc[int(row)])
        if not gaps:
            break
        last = int(row)
    header = (first + sheet.first_row, last + sheet.first_row)
    plain = first == int(rows[0]) and last == first
    table = sheet.table(file=file, header=None if plain else header)
    return table, None if plain else header


def _numeric(row: "pd.Series[str]") -> bool:
    # a line of years is one of a header
    given = [str(cell).strip() for cell in row]
    return any(re.fullmatch(r"(?!(19|20)\d\d$)[<]?[\d.,]+\s*%?", cell) for cell in given)
