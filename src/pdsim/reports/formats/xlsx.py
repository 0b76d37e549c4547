"""A table as a workbook: numbers as numbers, names as text, never a formula."""

import io
import math

from pdsim.errors import InputError, Problem
from pdsim.reports.formats.document import Table
from pdsim.reports.formats.escape import plain
from pdsim.reports.formats.plainwords import words_of


def table_to_xlsx(table: Table) -> bytes:
    """Return all printed columns of a table as XLSX.

    Raises
    ------
    InputError
        If openpyxl is not installed.
    """
    try:
        from openpyxl import Workbook
        from openpyxl.styles import Font
    except ModuleNotFoundError as error:
        problem = Problem(
            rule="the format xlsx needs openpyxl",
            cure="install it with: pip install pdsim[excel]",
        )
        raise InputError(problem) from error
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = table.key[:31]
    headers: list[str] = []
    keys: list[tuple[str, bool]] = []
    for column in table.columns:
        header = column.header if isinstance(column.header, str) else words_of(column.header)
        for n, key in enumerate(column.keys):
            ends = f"{header}, {('lower', 'upper')[n]}" if column.layout == "interval" else header
            headers.append(ends if not n or column.layout == "interval" else f"{header}, MCSE")
            keys.append((key, key in table.kinds))
    rows: list[list[str | float | None]] = [[plain(text) for text in headers]]
    for row in table.positions:
        cells: list[str | float | None] = []
        for key, number in keys:
            value = table.value(row, key)
            if number:
                cells.append(None if math.isnan(float(value)) else float(value))
            else:
                text = "; ".join(map(str, value)) if isinstance(value, tuple) else str(value)
                cells.append(plain(text))
        rows.append(cells)
    for line, values in enumerate(rows, start=1):
        for place, content in enumerate(values, start=1):
            cell = sheet.cell(line, place, content)
            if isinstance(content, str):
                # a name that begins with = stays a name
                cell.data_type = "s"
            if line == 1:
                cell.font = Font(bold=True)
    for place, note in enumerate(table.notes):
        sheet.cell(len(rows) + 2 + place, 1, words_of(note)).data_type = "s"
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()
