"""Figures and tables to hand in: one file each, as a journal or a spreadsheet wants it."""

import re
from pathlib import Path
from typing import Final

from pdsim.analysis.fits import load_results
from pdsim.analysis.report_files import RESULTS_FILE
from pdsim.errors import InputError, Problem
from pdsim.files import write_atomically
from pdsim.reports.formats.csv import table_to_csv
from pdsim.reports.formats.document import Document, Section, Table
from pdsim.reports.formats.image import figure_file
from pdsim.reports.formats.latex import latex_table
from pdsim.reports.formats.markdown import to_markdown
from pdsim.reports.formats.word import to_word
from pdsim.reports.formats.xlsx import table_to_xlsx
from pdsim.reports.study.figures import figure
from pdsim.reports.study.journal import journal_table
from pdsim.reports.study.sections import build_document
from pdsim.reports.study.view import Results, read_results

TABLE_FORMATS: Final = ("docx", "tex", "md", "csv", "xlsx")
_WIDTH: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(mm|cm|in)?")
_UNITS: Final = {"mm": 1.0, "cm": 10.0, "in": 25.4, None: 1.0}


def results_of(folder: str | Path) -> Results:
    """Return the results in a folder that `pdsim.analyse` wrote."""
    path = Path(folder)
    return read_results(load_results(path / RESULTS_FILE if path.is_dir() else path))


def write_figure(
    folder: str | Path,
    name: str,
    out: str | Path,
    *,
    width: str | float = "170mm",
    dpi: int = 300,
    style: str = "plain",
    grey: bool = False,
) -> Path:
    """Write one figure of an analysis to a file.

    Parameters
    ----------
    folder : str or Path
        That `pdsim.analyse` wrote.
    name : str
        See `pdsim.reports.study.figures.FIGURES`.
    out : str or Path
        Ends in .pdf, .svg, .png or .tiff.
    width : str or float
        ``"85mm"``, ``"8.5cm"``, ``"3.35in"``; a number is millimetres.
    dpi, style, grey
        See `pdsim.reports.formats.image.figure_file`.

    Raises
    ------
    InputError
        If there is no such figure, or something is out of range.
    """
    path = Path(out)
    match = _WIDTH.fullmatch(str(width).strip())
    if match is None:
        raise InputError(
            Problem(rule=f"{str(width)!r:.30} is no width", cure="write 85mm, 8.5cm or 3.35in")
        )
    size = float(match[1]) * _UNITS[match[2]]
    drawn, _ = figure(results_of(folder), name)
    kind = path.suffix.removeprefix(".").lower().replace("tif", "tiff").replace("tifff", "tiff")
    content = figure_file(drawn, kind, width=size, dpi=dpi, look=style, grey=grey)
    write_atomically(path, content)
    return path


def find_table(folder: str | Path, name: str) -> Table:
    """Return one table of an analysis; ``"journal"`` is the one for a paper.

    Raises
    ------
    InputError
        If there is no such table.
    """
    results = results_of(folder)
    if name == "journal":
        return journal_table(results)
    tables = build_document(results).tables
    if name not in tables:
        raise InputError(
            Problem(
                rule=f"there is no table {name!r:.60}",
                cure=f"use one of: {', '.join(['journal', *tables])}",
            )
        )
    return tables[name]


def write_table(
    folder: str | Path,
    name: str,
    out: str | Path,
    *,
    kind: str | None = None,
    spreadsheet: bool = False,
    decimal: str = ".",
) -> Path:
    """Write one table of an analysis to a file.

    Parameters
    ----------
    folder, name
        See `find_table`.
    out : str or Path
    kind : {"docx", "tex", "md", "csv", "xlsx"}, optional
        Default: what `out` ends in.
    spreadsheet : bool
        Of CSV: with a byte order mark, semicolons, and the cells as printed.
    decimal : {".", ","}
        Of CSV.

    Raises
    ------
    InputError
        If the table or the format is not known.
    """
    path = Path(out)
    kind = kind or path.suffix.removeprefix(".").lower()
    if kind not in TABLE_FORMATS or decimal not in (".", ","):
        wrong = f"there is no table format {kind!r:.20}"
        wrong = wrong if kind not in TABLE_FORMATS else f"there is no decimal mark {decimal!r:.5}"
        cure = f"use {', '.join(TABLE_FORMATS)}; and . or , as the decimal mark"
        raise InputError(Problem(rule=wrong, cure=cure))
    table = find_table(folder, name)
    section = Section(key=table.key, title=table.title, blocks=(table,))
    page = Document(title=(table.title,), subtitle=(), sections=(section,))
    content: str | bytes
    if kind == "docx":
        content = to_word(page, bare=True)
    elif kind == "xlsx":
        content = table_to_xlsx(table)
    elif kind == "tex":
        content = latex_table(table) + "\n"
    elif kind == "md":
        content = to_markdown(page)
    else:
        content = table_to_csv(table, spreadsheet=spreadsheet, decimal=decimal)
    write_atomically(path, content)
    return path
