"""Results to files: the only module of the reports that writes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import xarray as xr

from pdsim.errors import InputError, Problem
from pdsim.files import write_atomically
from pdsim.reports.csvfiles import frame_to_csv, table_to_csv
from pdsim.reports.document import Document
from pdsim.reports.html import to_html
from pdsim.reports.latextables import to_latex
from pdsim.reports.markdown import FIGURES, to_markdown
from pdsim.reports.sections import base_tables, build_document
from pdsim.reports.svg import figure_to_svg
from pdsim.reports.view import read_results

type Renderer = Callable[[Document], dict[str, str | bytes]]

RESULTS_FILE: Final = "results.nc"
PLAN_FILE: Final = "plan.nc"

_CSV: Final = ("selection", "improvement")


def _html(document: Document) -> dict[str, str | bytes]:
    return {"report.html": to_html(document)}


def _markdown(document: Document) -> dict[str, str | bytes]:
    figures = {
        f"{FIGURES}/{picture.key}.svg": figure_to_svg(picture.figure, key=picture.key)
        for picture in document.pictures
    }
    return {"report.md": to_markdown(document), **figures}


def _word(document: Document) -> dict[str, str | bytes]:
    from pdsim.reports.word import to_word

    return {"report.docx": to_word(document)}


def _latex(document: Document) -> dict[str, str | bytes]:
    return {"tables.tex": to_latex(document)}


def _csv(document: Document) -> dict[str, str | bytes]:
    convergence = document.failed or "passed"
    tables = {
        f"tables/{key}.csv": table_to_csv(table, convergence=convergence)
        for key, table in document.tables.items()
    }
    drawn = {
        f"{FIGURES}/{picture.key}.csv": frame_to_csv(picture.data) for picture in document.pictures
    }
    return {**tables, **drawn}


_RENDERERS: Final[dict[str, Renderer]] = {
    "html": _html,
    "docx": _word,
    "md": _markdown,
    "tex": _latex,
    "csv": _csv,
}

FORMATS: Final = tuple(_RENDERERS)
"""Formats of a report."""


def write_report(
    results: xr.DataTree,
    folder: str | Path,
    *,
    formats: Sequence[str] = ("html",),
    long: bool = True,
) -> list[Path]:
    """Write the report of an analysis into a folder.

    Parameters
    ----------
    results : xr.DataTree
        From `pdsim.analysis.gather`.
    folder : str or Path
        Must exist. Each file is written whole or not at all, and only after every one of them
        could be made.
    formats : sequence of str
        ``html`` (report.html), ``docx`` (report.docx), ``md`` (report.md and figures),
        ``tex`` (tables.tex), ``csv`` (every table, and the data of every figure).
        ``selection.csv`` and ``improvement.csv`` are always written.
    long : bool
        Whether every section is wanted, or only the answer and how it was made.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    InputError
        If a format is unknown or the results lack what a report needs.
    """
    check_formats(formats)
    view = read_results(results)
    tables = base_tables(view)
    convergence = view.failed or "passed"
    contents: dict[str, str | bytes] = {
        f"{name}.csv": table_to_csv(tables[name], convergence=convergence) for name in _CSV
    }
    contents |= _rendered(build_document(view, long=long), formats)
    return _write(contents, Path(folder))


def write_document(
    document: Document,
    folder: str | Path,
    *,
    formats: Sequence[str] = ("html",),
    stem: str = "report",
) -> list[Path]:
    """Write the report of a plan or a sweep into a folder, see `write_report`.

    `stem` takes the place of ``report`` in the names of the files.
    """
    check_formats(formats)
    contents = {
        f"{stem}{file.removeprefix('report')}" if file.startswith("report.") else file: content
        for file, content in _rendered(document, formats).items()
    }
    return _write(contents, Path(folder))


def check_formats(formats: Sequence[str]) -> None:
    """Raise InputError unless there are all these formats."""
    unknown = [name for name in formats if name not in _RENDERERS]
    if unknown:
        raise InputError(
            Problem(
                rule=f"there is no report format {', '.join(map(repr, unknown))}",
                cure=f"use any of: {', '.join(_RENDERERS)}",
            )
        )


def _rendered(document: Document, formats: Sequence[str]) -> dict[str, str | bytes]:
    contents: dict[str, str | bytes] = {}
    for name in formats:
        contents |= _RENDERERS[name](document)
    return contents


def _write(contents: dict[str, str | bytes], target: Path) -> list[Path]:
    for file, content in contents.items():
        (target / file).parent.mkdir(exist_ok=True)
        write_atomically(target / file, content)
    return [target / file for file in contents]


def report(
    folder: str | Path, *, formats: Sequence[str] = ("html",), long: bool = True
) -> list[Path]:
    """Write the report of an analysis, a plan or a sweep again, from its results.

    Parameters
    ----------
    folder : str or Path
        A folder that `pdsim.analyse` wrote, with ``results.nc``; one that ``pdsim plan`` wrote,
        with ``plan.nc``; or the netCDF file of a sweep, whose report is written beside it under
        the file's own name.
    formats : sequence of str
        See `write_report`.
    long : bool
        Of an analysis: whether every section is wanted, or only the answer and how it was made.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    InputError
        If there are no results.

    Examples
    --------
    >>> report("no such folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    pdsim.errors.InputError: no such folder/results.nc: there are no results to report; give ...
    """
    path = Path(folder)
    if path.is_file():
        from pdsim.reports.sweeps import sweep_document

        with xr.open_dataset(path, engine="h5netcdf") as data:
            document = sweep_document(data.load())
        return write_document(document, path.parent, formats=formats, stem=path.stem)
    if (path / PLAN_FILE).is_file():
        from pdsim.reports.planning import write_plan

        return write_plan(_loaded(path / PLAN_FILE), path, formats=formats)
    if not (path / RESULTS_FILE).is_file():
        raise InputError(
            Problem(
                file=str(path / RESULTS_FILE),
                rule="there are no results to report",
                cure="give a folder that pdsim analyse or pdsim plan wrote, or a sweep's file",
            )
        )
    return write_report(_loaded(path / RESULTS_FILE), folder, formats=formats, long=long)


def _loaded(path: Path) -> xr.DataTree:
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        return tree.load()
