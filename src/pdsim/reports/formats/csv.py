"""Tables as CSV: full precision, the same bytes every time, no formula in any cell."""

import csv
import io
from typing import Any

import pandas as pd

from pdsim.reports.formats.document import Table
from pdsim.reports.formats.escape import csv_cell
from pdsim.reports.formats.numbers import fixed
from pdsim.reports.formats.plainwords import words_of


def table_to_csv(
    table: Table,
    *,
    convergence: str = "passed",
    spreadsheet: bool = False,
    decimal: str = ".",
) -> str:
    """Return all rows and columns of a table as CSV text.

    Parameters
    ----------
    table : Table
    convergence : str
        Stands in the last column of every row when it is not ``passed``: a figure cut out of
        the file still says that it must not be cited.
    spreadsheet : bool
        Whether a spreadsheet opens it by itself: a byte order mark in front, semicolons.
    decimal : {".", ","}

    Returns
    -------
    str
        UTF-8 text with a header, commas and line feeds. Numbers have nine significant digits;
        truth values are ``true`` and ``false``; a text that a spreadsheet would take for a
        formula has an apostrophe in front.
    """
    label = convergence if table.marked and convergence != "passed" else ""
    text = _write(table.frame, label, ";" if spreadsheet or decimal == "," else ",", decimal)
    return f"\ufeff{text}" if spreadsheet else text


def frame_to_csv(frame: pd.DataFrame) -> str:
    """Return the data of a figure as CSV text; a named index becomes the first column."""
    return _write(frame.reset_index() if frame.index.name else frame, "")


def _write(frame: pd.DataFrame, label: str, comma: str = ",", decimal: str = ".") -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n", delimiter=comma)
    writer.writerow(
        [*(csv_cell(str(name)) for name in frame.columns), *(["convergence"] if label else [])]
    )
    columns = [_cells(frame[name], decimal) for name in frame.columns]
    for row in zip(*columns, strict=True):
        writer.writerow([*row, *([csv_cell(label)] if label else [])])
    return buffer.getvalue()


def _cells(column: "pd.Series[Any]", decimal: str) -> list[str]:
    if column.dtype.kind == "b":
        return ["true" if value else "false" for value in column]
    if column.dtype.kind in "iu":
        return [str(int(value)) for value in column]
    if column.dtype.kind == "f":
        return [fixed(float(value)).replace(".", decimal) for value in column]
    return [csv_cell(_text(value)) for value in column]


def _text(value: Any) -> str:
    """Return a cell of names with semicolons between them, one of words as they read."""
    if not isinstance(value, tuple):
        return str(value)
    if all(isinstance(part, str) for part in value):
        return "; ".join(value)
    return words_of(value)
