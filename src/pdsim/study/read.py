"""`read_study`: a study.toml or a table becomes a `Study`."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from pdsim.errors import InputError, Problem, suggestion
from pdsim.settings import read_toml
from pdsim.study.caselevel import observed_from_cases
from pdsim.study.core import Study, study_of
from pdsim.study.facilities import Facilities, facilities_apart
from pdsim.study.frames import KEYS, METADATA, VALUES, named, visible
from pdsim.study.joining import filled_down, in_periods, with_parent, with_ratios
from pdsim.study.longtable import TableContent, observed_from_long
from pdsim.study.naming import without_excluded
from pdsim.study.options import Columns, StudyOptions, parse_options
from pdsim.study.problems import Findings, quote
from pdsim.study.sources import Load, Reading, read_source, refuse_size
from pdsim.study.widetable import long_from_wide, valued, wide_columns


def read_study(path: str | os.PathLike[str], *, options: StudyOptions | None = None) -> Study:
    """Read a study from its study.toml, or from a table.

    Parameters
    ----------
    path : path
        A study.toml, a folder that holds one, or a table (``.csv``, ``.tsv``, ``.txt``, also
        ``.gz``; ``.xlsx``; ``.parquet``).
    options : StudyOptions, optional
        Each option that is not its default replaces the key of a study.toml. A file of
        indicators or facilities may then lie anywhere.

    Returns
    -------
    Study

    Raises
    ------
    InputError
        With all problems of all files at once, each naming file, row, facility, indicator,
        the rule broken and the cure.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> rows = ["facility,baseline_percent,endline_percent", "A,20,60", "B,30,50"]
    >>> options = StudyOptions(trials=20, items=14, case_correlation=0.1)
    >>> with TemporaryDirectory() as folder:
    ...     table = Path(folder) / "published.csv"
    ...     _ = table.write_text(chr(10).join(rows))
    ...     study = read_study(table, options=options)
    >>> study
    <Study 'published': counts, 2 facilities x 1 indicator x 2 periods, m = 1>
    >>> study.effective_data()["trials"].values[0, 0].round(1)
    array([121.7, 121.7])
    """
    source, given = Path(path), {} if options is None else options.stated()
    own = (given.get("indicators"), given.get("facilities"))
    if not source.exists():
        raise InputError(Problem(file=str(source), rule="does not exist", cure="check the path"))
    if source.is_dir():
        source = source / "study.toml"
    if source.suffix.lower() != ".toml":
        mapping = {"data": source.name} | given
        load = _within(source.parent, True, given=own)
        return study_from(mapping, load=load, name=source.name.split(".")[0] or "study")
    mapping = read_toml(source) | given
    outside = bool(mapping.get("allow_outside"))
    load = _within(source.parent, outside, given=own)
    name = source.resolve().parent.name or "study"
    return study_from(mapping, load=load, name=name, file=source.name)


def study_from(mapping: dict[str, Any], *, load: Load, name: str, file: str | None = None) -> Study:
    """Return the study of the keys of a study.toml.

    Parameters
    ----------
    mapping : dict
    load : callable
        Returns the bytes of a file of the study.
    name : str
        What the study is called where it is not stated.
    file : str, optional
        Where the keys were stated.

    Raises
    ------
    InputError
    """
    found = Findings()
    options, problems = parse_options(mapping, file=file)
    found.take(problems)
    if options is None:
        found.refuse()
        raise AssertionError("unusable options have problems")
    if options.name is None:
        options = replace(options, name=name)
    observed, about = _observed(options, load, found)
    return study_of(observed, options, found, about=about, file=file)


def _observed(
    options: StudyOptions, load: Load, found: Findings
) -> tuple[TableContent, Facilities | None]:
    """Read the tables and lay them out."""
    before = found.count
    if not options.files:
        found.add("data names no file", 'state data = "table.csv"')
    reading = Reading(
        delimiter=options.delimiter,
        encoding=options.encoding,
        sheet=options.sheet,
        header=options.header,
    )
    tables = [_table(name, load, reading, found) for name in options.files]
    if options.join is not None and all(table is not None for table in tables):
        above = Reading(encoding=options.encoding, sheet=options.join.sheet)
        parents = [_table(name, load, above, found) for name in options.files]
        tables = [
            with_parent(table, parent, options.join, found)
            for table, parent in zip(tables, parents, strict=True)
            if table is not None and parent is not None
        ]
    indicators = None
    if options.indicators:
        reading = Reading(encoding=options.encoding, sheet=options.indicators_sheet)
        indicators = _table(options.indicators, load, reading, found)
    about = None
    if options.facilities:
        reading = Reading(encoding=options.encoding)
        about = _table(options.facilities, load, reading, found)
    if found.count > before:
        return TableContent(), None
    table = _joined([table for table in tables if table is not None], found)
    table = without_excluded(filled_down(table, options, found), options, found)
    if found.count == before and options.dates:
        table = in_periods(table, options, found)
    if found.count == before and not len(table):
        found.add(
            "no row is left", "correct the keys exclude and dates", file=", ".join(options.files)
        )
    if found.count > before:
        return TableContent(), None
    table, facilities = facilities_apart(table, about, options, found)
    return _laid_out(table, indicators, options, found), facilities


def _laid_out(
    table: pd.DataFrame, indicators: pd.DataFrame | None, options: StudyOptions, found: Findings
) -> TableContent:
    """Lay out a table of any format."""
    if options.format == "cases":
        return observed_from_cases(table, indicators, options, found)
    table = table.drop(columns=[name for name in options.ignore if name in visible(table)])
    columns = options.columns
    periods: tuple[str, ...] | None = tuple(options.dates) or None
    if options.periods is not None:
        periods = tuple(str(label) for label in options.periods)
    if options.ratios:
        paired = with_ratios(table, options, periods, found)
        if paired is None:
            return TableContent()
        return observed_from_long(
            paired, indicators, columns.only("indicator", *METADATA), options, found
        )
    if options.format == "wide" or (options.format == "auto" and _is_wide(table, columns, periods)):
        laid_out = long_from_wide(table, columns, periods, found)
        if laid_out is None:
            return TableContent()
        # the long table has canonical names by now
        table, columns = laid_out, columns.only("indicator", *METADATA)
    return observed_from_long(table, indicators, columns, options, found)


def _table(name: str, load: Load, reading: Reading, found: Findings) -> pd.DataFrame | None:
    try:
        return read_source(name, load, reading, found.notes)
    except InputError as error:
        found.take(error.problems)
        return None


def _is_wide(table: pd.DataFrame, columns: Columns, periods: Sequence[str] | None) -> bool:
    """Tell a wide table from a long one, which has a column for a value itself."""
    table = named(table, columns, (*KEYS, *VALUES), Findings())
    names = visible(table)
    if "period" in names or {"successes", "mean", "percent"} & set(names):
        return False
    return bool(wide_columns(names, columns, periods) or valued(names, columns))


def _joined(tables: list[pd.DataFrame], found: Findings) -> pd.DataFrame:
    """Join files with the same columns."""
    first = tables[0]
    names = {name.casefold(): name for name in visible(first)}
    aligned = [first]
    for table in tables[1:]:
        theirs = {name.casefold(): name for name in visible(table)}
        for name in sorted(set(names) ^ set(theirs)):
            lacking, having = (table, first) if name in names else (first, table)
            shown = names.get(name, theirs.get(name, name))
            found.add(
                f"there is no column {quote(shown)}, which {having['file'].iloc[0]} has",
                "give all files the same columns" + suggestion(shown, visible(lacking)),
                file=str(lacking["file"].iloc[0]),
            )
        aligned.append(
            table.rename(columns={theirs[key]: names[key] for key in theirs if key in names})
        )
    return pd.concat(aligned, ignore_index=True) if len(aligned) > 1 else first


def _within(folder: Path, allow_outside: bool, *, given: tuple[str | None, ...]) -> Load:
    """Return a reader of the files of a study.toml, which must lie in its folder."""

    def load(name: str) -> bytes:
        if name in given:
            return bytes_of(Path(name))
        path = folder / name
        inside = path.resolve().is_relative_to(folder.resolve())
        if not inside and not allow_outside:
            raise InputError(
                Problem(
                    file=name,
                    rule="the file lies outside the folder of the study.toml",
                    cure="copy it into the folder and name it relative to the study.toml (or state "
                    "allow_outside = true)",
                )
            )
        return bytes_of(path)

    return load


def bytes_of(path: Path) -> bytes:
    """Return the bytes of a file."""
    try:
        if path.is_file():
            refuse_size(path.stat().st_size, path.name)
            return path.read_bytes()
        reason = "is a folder" if path.is_dir() else "does not exist"
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
    raise InputError(Problem(file=path.name, rule=f"the file {reason}", cure="check the path"))
