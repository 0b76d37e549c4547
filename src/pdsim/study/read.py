"""`read_study`: a study.toml or a table becomes a `Study`."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from pdsim.errors import InputError, Problem
from pdsim.priors import Priors
from pdsim.settings import read_toml
from pdsim.study.cases import observed_from_cases
from pdsim.study.check import option_findings
from pdsim.study.core import Study, default_m
from pdsim.study.frames import KEYS, METADATA, VALUES, Columns, named, suggestion, visible
from pdsim.study.longtable import Observed, observed_from_long
from pdsim.study.problems import NOTHING, Findings, found, quote, refuse
from pdsim.study.sampler import SamplerSettings
from pdsim.study.settings import Format, StudyFile, parse_settings
from pdsim.study.sources import Load, Reading, read_source, refuse_size
from pdsim.study.widetable import long_from_wide, valued, wide_columns


def read_study(
    path: str | os.PathLike[str],
    *,
    indicators: str | os.PathLike[str] | None = None,
    format: Format | None = None,
    columns: Mapping[str, str] | None = None,
    ignore: Sequence[str] | None = None,
    periods: Sequence[str] | None = None,
    name: str | None = None,
    m: int | None = None,
    weights: Mapping[str, float] | None = None,
    case_correlation: float | None = None,
    design_effect: float | None = None,
    trials: int | None = None,
    items: int | None = None,
    suppress_below: int | None = None,
    priors: Priors | None = None,
    sampler: SamplerSettings | None = None,
    delimiter: str | None = None,
    decimal: Literal[".", ","] | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    indicators_sheet: str | None = None,
    allow_outside: bool = False,
) -> Study:
    """Read a study from its study.toml, or from a table.

    Parameters
    ----------
    path : path
        A study.toml, a folder that holds one, or a table (``.csv``, ``.tsv``, ``.txt``, also
        ``.gz``; ``.xlsx``; ``.parquet``).
    indicators : path, optional
        File of the indicator table.
    format, columns, ignore, periods, name, m, weights, case_correlation, design_effect, trials
        See `pdsim.study.StudyFile`; each replaces the key of a study.toml.
    items, suppress_below, priors, sampler, delimiter, decimal, encoding, sheet
    indicators_sheet
        Likewise.
    allow_outside : bool
        Let a study.toml name files outside its folder.

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
    >>> with TemporaryDirectory() as folder:
    ...     table = Path(folder) / "published.csv"
    ...     _ = table.write_text(chr(10).join(rows))
    ...     study = read_study(table, trials=20, items=14, case_correlation=0.1)
    >>> study
    <Study 'published': counts, 2 facilities x 1 indicator x 2 periods, m = 1>
    >>> study.effective_data()["trials"].values[0, 0].round(1)
    array([121.7, 121.7])
    """
    source = Path(path)
    if source.is_dir():
        source = source / "study.toml"
    stated: dict[str, Any] = {
        "indicators": None if indicators is None else os.fspath(indicators),
        "format": format,
        "columns": None if columns is None else dict(columns),
        "ignore": None if ignore is None else tuple(ignore),
        "periods": periods,
        "name": name,
        "m": m,
        "weights": None if weights is None else dict(weights),
        "case_correlation": case_correlation,
        "design_effect": design_effect,
        "trials": trials,
        "items": items,
        "suppress_below": suppress_below,
        "priors": priors,
        "sampler": sampler,
        "delimiter": delimiter,
        "decimal": decimal,
        "encoding": encoding,
        "sheet": sheet,
        "indicators_sheet": indicators_sheet,
    }
    stated = {key: value for key, value in stated.items() if value is not None}
    if source.suffix.lower() == ".toml":
        mapping = read_toml(source) | stated
        load = _within(source.parent, allow_outside, given=stated.get("indicators"))
        file, default_name = source.name, source.resolve().parent.name
    else:
        mapping = {"data": os.fspath(source)} | stated
        load = _any
        file, default_name = None, source.name.split(".")[0]
    settings, findings = parse_settings(mapping, file=file)
    return study_of(settings, findings, load=load, default_name=default_name or "study", file=file)


def study_of(
    settings: StudyFile | None,
    findings: Findings,
    *,
    load: Load,
    default_name: str,
    file: str | None = None,
) -> Study:
    """Return the study of parsed settings.

    Parameters
    ----------
    settings : StudyFile or None
        None where they cannot be used; `findings` then say why.
    findings : Findings
        What is wrong in the settings; reported together with what is wrong in the tables.
    load : callable
        Returns the bytes of a file of the study.
    default_name : str
    file : str, optional
        Where the settings were stated.

    Raises
    ------
    InputError
    """
    if settings is None:
        refuse(findings)
        raise AssertionError("unusable settings have findings")
    observed, facilities, notes, more = _observed(settings, load)
    name = settings.name or default_name
    options = option_findings(
        facilities=facilities,
        name=name,
        m=settings.m,
        case_correlation=settings.case_correlation,
        design_effect=settings.design_effect,
        suppress_below=settings.suppress_below,
        priors=settings.priors,
        sampler=settings.sampler,
        notes=settings.notes,
        file=file,
    )
    refuse(findings + more + options)
    assert observed is not None  # there are no findings
    estimated = settings.case_correlation is None and observed.case_correlation is not None
    if observed.case_correlation is not None and not estimated:
        low, high = observed.case_correlation_limits or (0.0, 0.0)
        notes += (
            f"The cases themselves give a within-case correlation of "
            f"{observed.case_correlation:.3f} ({low:.3f} to {high:.3f}); the stated one is used.",
        )
    return Study(
        data=observed.data,
        name=name,
        m=default_m(observed.data) if settings.m is None else settings.m,
        case_correlation=observed.case_correlation if estimated else settings.case_correlation,
        case_correlation_source="estimated" if estimated else "unset",
        case_correlation_limits=observed.case_correlation_limits if estimated else None,
        design_effect=settings.design_effect,
        items=settings.items,
        priors=settings.priors,
        sampler=settings.sampler,
        notes=(*settings.notes, *notes, *observed.notes),
        period_labels=observed.period_labels,
        suppress_below=settings.suppress_below,
    )


def _observed(
    settings: StudyFile, load: Load
) -> tuple[Observed | None, int, tuple[str, ...], Findings]:
    """Read the tables and lay them out."""
    reading = Reading(
        delimiter=settings.delimiter, encoding=settings.encoding, sheet=settings.sheet
    )
    findings = NOTHING
    tables: list[pd.DataFrame] = []
    notes: list[str] = []
    sources = [(name, reading) for name in settings.files]
    if settings.indicators:
        apart = Reading(encoding=settings.encoding, sheet=settings.indicators_sheet)
        sources.append((settings.indicators, apart))
    for name, how in sources:
        try:
            table, guessed = read_source(name, load, how)
            tables.append(table)
            notes += guessed
        except InputError as error:
            findings += found(error.problems)
    if not settings.files:
        findings += found(Problem(rule="data names no file", cure='state data = "table.csv"'))
    if findings:
        return None, 0, (), findings
    indicators = tables.pop() if settings.indicators else None
    table, findings = _joined(tables)
    if findings:
        return None, 0, (), findings
    periods = None if settings.periods is None else tuple(str(label) for label in settings.periods)
    if settings.format == "cases":
        observed, facilities, findings = observed_from_cases(
            table,
            indicators=indicators,
            weights=settings.weights,
            periods=periods,
            ignore=settings.ignore,
            columns=settings.columns,
        )
        return observed, facilities, tuple(notes), findings
    table = table.drop(columns=[name for name in settings.ignore if name in visible(table)])
    columns = settings.columns
    if settings.format == "wide" or (
        settings.format == "auto" and _is_wide(table, columns, periods)
    ):
        table, findings = long_from_wide(table, columns=columns, periods=periods)
        if findings:
            return None, 0, (), findings
        # the long table has canonical names by now
        columns = Columns(**{name: getattr(columns, name) for name in ("indicator", *METADATA)})
    observed, facilities, findings = observed_from_long(
        table,
        indicators=indicators,
        weights=settings.weights,
        periods=periods,
        trials=settings.trials,
        items=settings.items,
        decimal=settings.decimal,
        columns=columns,
    )
    return observed, facilities, tuple(notes), findings


def _is_wide(table: pd.DataFrame, columns: Columns, periods: Sequence[str] | None) -> bool:
    """Tell a wide table from a long one, which has a column for a value itself."""
    table, _ = named(table, columns, (*KEYS, *VALUES))
    names = visible(table)
    if "period" in names or {"successes", "mean", "percent"} & set(names):
        return False
    return bool(wide_columns(names, columns, periods) or valued(names, columns))


def _joined(tables: list[pd.DataFrame]) -> tuple[pd.DataFrame, Findings]:
    """Join files with the same columns."""
    first = tables[0]
    names = {name.casefold(): name for name in visible(first)}
    findings = NOTHING
    aligned = [first]
    for table in tables[1:]:
        theirs = {name.casefold(): name for name in visible(table)}
        for name in sorted(set(names) ^ set(theirs)):
            lacking, having = (table, first) if name in names else (first, table)
            shown = names.get(name, theirs.get(name, name))
            findings += found(
                Problem(
                    file=str(lacking["file"].iloc[0]) if len(lacking) else None,
                    rule=f"there is no column {quote(shown)}, which "
                    f"{having['file'].iloc[0] if len(having) else 'another file'} has",
                    cure="give all files the same columns" + suggestion(shown, visible(lacking)),
                )
            )
        aligned.append(
            table.rename(columns={theirs[key]: names[key] for key in theirs if key in names})
        )
    return pd.concat(aligned, ignore_index=True) if len(aligned) > 1 else first, findings


def _any(name: str) -> bytes:
    """Read a file that the caller named."""
    return _bytes(Path(name))


def _within(folder: Path, allow_outside: bool, *, given: str | None) -> Load:
    """Return a reader of the files of a study.toml, which must lie in its folder."""

    def load(name: str) -> bytes:
        if name == given:
            return _any(name)
        path = folder / name
        inside = path.resolve().is_relative_to(folder.resolve())
        if not inside and not allow_outside:
            raise InputError(
                Problem(
                    file=name,
                    rule="the file lies outside the folder of the study.toml",
                    cure="copy it into the folder and name it relative to the study.toml (or say "
                    "allow_outside=True to read_study)",
                )
            )
        return _bytes(path)

    return load


def _bytes(path: Path) -> bytes:
    try:
        if path.is_file():
            refuse_size(path.stat().st_size, path.name)
            return path.read_bytes()
        reason = "is a folder" if path.is_dir() else "does not exist"
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
    raise InputError(Problem(file=path.name, rule=f"the file {reason}", cure="check the path"))
