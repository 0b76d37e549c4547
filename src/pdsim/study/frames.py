"""Raw tables: cells as they came, with canonical names for the columns that mean something.

A raw table is a DataFrame with the hidden columns ``file`` and ``row``, which say where a row
comes from. Its cells are text, or typed when the source was typed (Parquet, DataFrames).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, ClassVar, Final

import numpy as np
import pandas as pd

from pdsim.errors import InputError, Problem
from pdsim.settings import FORBID_EXTRA
from pdsim.study.problems import NOTHING, Findings, found, listed, quote

VALUES: Final = ("successes", "trials", "percent", "mean", "sd", "n", "se")
"""Columns of numbers."""

KEYS: Final = ("facility", "indicator", "period")
"""Columns that name a cell."""

METADATA: Final = ("domain", "direction", "weight", "label", "case_group")
"""Columns of an indicator table besides ``indicator``."""

HIDDEN: Final = ("file", "row")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What the columns are called in the files; the table ``[columns]`` of a study.toml.

    A column that is not named here is found by its own name, whatever its case.
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    facility: str | None = None
    indicator: str | None = None
    period: str | None = None
    tier: str | None = None
    successes: str | None = None
    trials: str | None = None
    percent: str | None = None
    mean: str | None = None
    sd: str | None = None
    n: str | None = None
    se: str | None = None
    domain: str | None = None
    direction: str | None = None
    weight: str | None = None
    label: str | None = None
    case_group: str | None = None


def frame_of(
    table: pd.DataFrame | Mapping[str, Sequence[Any]], *, file: str | None = None
) -> pd.DataFrame:
    """Return a raw table of a table in memory, called `file`; rows are counted from 1.

    Raises
    ------
    InputError
        If `table` is not a table, or two columns share a name.
    """
    if not isinstance(table, pd.DataFrame | Mapping):
        raise InputError(
            Problem(
                file=file,
                rule="a table must be a DataFrame or a mapping of columns, not "
                f"{type(table).__name__}",
            )
        )
    try:
        frame = pd.DataFrame(table)
    except (TypeError, ValueError) as error:
        problem = Problem(
            file=file,
            rule=f"the columns do not make a table ({error})",
            cure="give every column one value per row",
        )
        raise InputError(problem) from None
    # an index with a name is a column, such as the facilities of a pivoted table
    frame = frame.reset_index(drop=frame.index.names == [None])
    frame.columns = pd.Index([str(name) for name in frame.columns], dtype=object)
    return numbered(frame, file=file, rows=np.arange(1, len(frame) + 1))


def numbered(frame: pd.DataFrame, *, file: str | None, rows: Iterable[int]) -> pd.DataFrame:
    """Return the raw table of `frame`, whose rows stand in the given lines of `file`.

    Raises
    ------
    InputError
        If two columns share a name, or there is no row.
    """
    names = [str(name).strip() for name in frame.columns]
    seen: dict[str, str] = {}
    problems = []
    for name in names:
        if name.casefold() in seen:
            problems.append(
                Problem(
                    file=file,
                    rule=f"two columns are called {quote(seen[name.casefold()])} and {quote(name)}",
                    cure="give every column its own name",
                )
            )
        seen.setdefault(name.casefold(), name)
    if not len(frame):
        problems.append(
            Problem(
                file=file, rule="the table has no rows of data", cure="add them below the header"
            )
        )
    hidden = [name for name in names if name in HIDDEN]
    # a user's own columns called file or row mean nothing here and would hide the places
    if problems:
        raise InputError(problems)
    frame = frame.set_axis(names, axis=1).drop(columns=hidden)
    return frame.assign(file=file, row=np.fromiter(rows, dtype=np.int64, count=len(frame)))


def named(
    table: pd.DataFrame, columns: Columns, names: Sequence[str]
) -> tuple[pd.DataFrame, Findings]:
    """Return `table` with the columns that `names` lists under these canonical names.

    A column stated in `columns` is taken by that name; the others by their canonical name,
    whatever its case. A column that a stated one displaces is dropped.
    """
    present = {name: name for name in table.columns if name not in HIDDEN}
    folded = {name.casefold(): name for name in present}
    renames: dict[str, str] = {}
    findings = NOTHING
    for name in names:
        stated = getattr(columns, name)
        if stated is None:
            if name in folded and folded[name] not in renames:
                renames[folded[name]] = name
            continue
        source = present.get(stated) or folded.get(stated.strip().casefold())
        if source is None and name == "indicator" and name in folded:
            # it stands in two tables, and may have the stated name in the other one only
            source = folded[name]
        if source is None:
            findings += found(
                Problem(
                    file=file_of(table),
                    rule=f"there is no column {quote(stated)}, stated as {name!r}; the file has "
                    + listed(list(present)),
                    cure=f"correct [columns] {name}{suggestion(stated, present)}",
                )
            )
            continue
        renames = {old: new for old, new in renames.items() if new != name}
        renames[source] = name
    displaced = [
        name for name in present if name not in renames and name.casefold() in set(renames.values())
    ]
    return table.drop(columns=displaced).rename(columns=renames), findings


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return a "did you mean" of the known names, or nothing."""
    near = get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f" (did you mean {quote(near[0])}?)" if near else ""


def file_of(table: pd.DataFrame) -> str | None:
    """Return the file, or the files, that a raw table came from."""
    if "file" not in table.columns or not len(table):
        return None
    files = [str(name) for name in pd.unique(table["file"].dropna())]
    return ", ".join(files) or None


def visible(table: pd.DataFrame) -> list[str]:
    """Return the names of the columns of the source."""
    return [name for name in table.columns if name not in HIDDEN]


def text_column(column: "pd.Series[Any]") -> "pd.Series[str]":
    """Return the cells as text without blanks around it; missing cells are empty.

    Whole numbers lose a decimal point that only a spreadsheet or a float column gave them.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if isinstance(column.dtype, pd.StringDtype):
        return column.fillna("").str.strip()
    if column.dtype == object:
        # mixed cells, which need not even be hashable
        return column.map(_text, na_action="ignore").fillna("").astype("str")
    if pd.api.types.is_datetime64_any_dtype(column):
        column = column.astype(object)
    codes, values = pd.factorize(column, use_na_sentinel=True)
    texts = np.array([*(_text(value) for value in values), ""], dtype=object)
    return pd.Series(texts[codes], index=column.index, dtype="str")


def _text(value: Any) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    if isinstance(value, pd.Timestamp) and value == value.normalize():
        return value.date().isoformat()
    return str(value).strip()
