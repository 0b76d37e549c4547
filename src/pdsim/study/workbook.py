"""Sheets of Excel workbooks."""

import io
import warnings
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pandas as pd

from pdsim.errors import InputError, Problem, suggestion
from pdsim.study.problems import listed


def workbook_sheets(
    content: bytes, *, file: str, sheet: str | None, max_bytes: int, max_cells: int
) -> dict[str, pd.DataFrame]:
    """Return the sheets of an .xlsx workbook as text.

    Parameters
    ----------
    content : bytes
    file : str
        Named in messages.
    sheet : str, optional
        The only one that is wanted; default: all of them.
    max_bytes, max_cells : int
        Limits of the unpacked workbook and of the cells of a sheet.

    Returns
    -------
    dict of str to DataFrame of str
        All rows of each sheet; formulas count as the values that were saved with them.

    Raises
    ------
    InputError
        If openpyxl is not installed, or the workbook is broken, too large, or without `sheet`.
    """
    try:
        from openpyxl import load_workbook
    except ModuleNotFoundError:
        problem = Problem(
            file=file,
            rule="reading Excel files needs the package openpyxl, which is not installed",
            cure="run: pip install 'pdsim[excel]', or save the sheet as CSV",
        )
        raise InputError(problem) from None
    _refuse_bomb(content, file, max_bytes)
    try:
        with warnings.catch_warnings():
            # openpyxl warns of styles and validations that it leaves out; no cell depends on them
            warnings.simplefilter("ignore")
            book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            names = [page.title for page in book.worksheets]
            _refuse_sheet(sheet, names, file)
            wanted = names if sheet is None else [sheet]
            return {name: _sheet(book[name], file, max_bytes, max_cells) for name in wanted}
    except InputError:
        raise
    # a damaged workbook makes the layers of its reader fail in whatever way the damage leads to
    except Exception as error:
        problem = Problem(
            file=file,
            rule=f"the file is not a readable Excel workbook ({type(error).__name__})",
            cure="open it in a spreadsheet program and save it again as .xlsx, or as CSV",
        )
        raise InputError(problem) from error


def _refuse_sheet(sheet: str | None, names: list[str], file: str) -> None:
    if not names or (sheet is not None and sheet not in names):
        rule = f"there is no sheet {sheet!r:.60}; the workbook has {listed(names)}"
        cure = "correct the key sheet" + (suggestion(sheet, names) if sheet else "")
        raise InputError(Problem(file=file, rule=rule, cure=cure))


def _sheet(page: Any, file: str, max_bytes: int, max_cells: int) -> pd.DataFrame:
    """Return the rows of a sheet as text."""
    # the size that the file states may be that of an empty grid
    page.reset_dimensions()
    rows = list(_rows(page, file, max_bytes, max_cells))
    width = max((len(row) for row in rows), default=0)
    return pd.DataFrame([row + [""] * (width - len(row)) for row in rows], dtype="str")


def _rows(page: Any, file: str, max_bytes: int, max_cells: int) -> Iterator[list[str]]:
    """Yield the rows as text, without blank cells at their ends."""
    cells, size = 0, 0
    for row in page.iter_rows(values_only=True):
        texts = [_text(value) for value in row]
        while texts and not texts[-1]:
            texts.pop()
        cells += len(row) + 1
        # a workbook holds a text once, however many cells show it
        size += sum(map(len, texts))
        if cells > max_cells or size > max_bytes:
            problem = Problem(
                file=file,
                rule=f"the sheet has more than {max_cells:,} cells or {max_bytes:,} characters",
                cure="keep the table only, without cells far below or beside it",
            )
            raise InputError(problem)
        yield texts


def _text(value: Any) -> str:
    """Return a cell as a person reads it."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime) and value.time() == datetime.min.time():
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return str(value).strip()


def _refuse_bomb(content: bytes, file: str, max_bytes: int) -> None:
    """Refuse a workbook that would unpack to too much; zipfile reads no more than is declared."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError):
        problem = Problem(
            file=file,
            rule="the file is not an Excel workbook (.xlsx)",
            cure="save it as .xlsx or as CSV, with the ending that it is",
        )
        raise InputError(problem) from None
    if size > max_bytes:
        problem = Problem(
            file=file,
            rule=f"the workbook unpacks to {size:,} bytes, at most {max_bytes:,} are read",
            cure="save the table alone, as CSV",
        )
        raise InputError(problem)
