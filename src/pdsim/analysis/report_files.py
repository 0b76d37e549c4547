"""From results to a folder of tables and a report: of an analysis, a plan or a sweep."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import xarray as xr

from pdsim.analysis.fits import load_fit, load_results
from pdsim.analysis.lock import RUN_FILE
from pdsim.errors import InputError, Problem
from pdsim.files import check_seal, published, read_json, recover, write_json
from pdsim.reports.formats.csv import table_to_csv
from pdsim.reports.formats.write import check_formats, rendered, write_document, write_files
from pdsim.reports.study.sections import base_tables, build_document
from pdsim.reports.study.view import read_results

RESULTS_FILE: Final = "results.nc"
PLAN_FILE: Final = "plan.nc"

_CSV: Final = ("selection", "improvement")


def write_report(
    results: xr.DataTree,
    folder: str | Path,
    *,
    formats: Sequence[str] = ("html",),
    brief: bool = False,
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
        ``selection.csv``, ``improvement.csv`` and every other table under ``tables`` are always
        written.
    brief : bool
        Whether page one is wanted alone.

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
    document = build_document(view, brief=brief, tables=tables)
    contents |= {
        f"tables/{name}.csv": table_to_csv(table, convergence=convergence)
        for name, table in document.tables.items()
        if name not in _CSV
    }
    contents |= rendered(document, formats)
    return write_files(contents, Path(folder))


def write_plan(
    plan: xr.DataTree, folder: str | Path, *, formats: Sequence[str] = ("html",)
) -> list[Path]:
    """Write ``planning.html`` (or ``.docx``, ``.md``) into a folder, see `write_report`.

    Parameters
    ----------
    plan : xr.DataTree
        From `pdsim.plan`.
    folder : str or Path
        Must exist.
    formats : sequence of str

    Returns
    -------
    list of Path
    """
    from pdsim.reports.plan.plan_document import plan_document  # of no use to a study

    return write_document(plan_document(plan), folder, formats=formats, stem="planning")


def report(
    folder: str | Path, *, formats: Sequence[str] = ("html",), brief: bool = False
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
    brief : bool
        Of an analysis: whether page one is wanted alone.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    InputError
        If there are no results.
    DamagedError
        If they are not as they were written.

    Examples
    --------
    >>> report("no such folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    pdsim.errors.InputError: no such folder/results.nc: there are no results to report; give ...
    """
    path = Path(folder)
    recover(path)
    if path.is_file():
        from pdsim.reports.sweep import sweep_document

        check_seal(path)
        with xr.open_dataset(path, engine="h5netcdf") as data:
            document = sweep_document(data.load())
        return write_document(document, path.parent, formats=formats, stem=path.stem)
    planned = (path / PLAN_FILE).is_file()
    if not planned and not (path / RESULTS_FILE).is_file():
        raise InputError(
            Problem(
                file=str(path / RESULTS_FILE),
                rule="there are no results to report",
                cure="give a folder that pdsim analyse or pdsim plan wrote, or a sweep's file",
            )
        )
    results = load_fit(path / PLAN_FILE) if planned else load_results(path / RESULTS_FILE)
    with published(path, keep=lambda file: True) as new:
        if planned:
            written = write_plan(results, new, formats=formats)
        else:
            written = write_report(results, new, formats=formats, brief=brief)
            if (path / RUN_FILE).exists():
                run = read_json(path / RUN_FILE)
                names = {file.relative_to(new).as_posix() for file in written}
                write_json(new / RUN_FILE, {**run, "files": sorted({*run["files"], *names})})
    return [path / file.relative_to(new) for file in written]
