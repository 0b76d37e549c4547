"""Raw tables: cells as they came, with canonical names for the columns that mean something.

A raw table is a DataFrame with the hidden columns ``file`` and ``row``, which say where a row
comes from. Its cells are text, or typed when the source was typed (Parquet, DataFrames).
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from pdsim.arraytypes import Ints
from pdsim.errors import InputError, Problem, suggestion
from pdsim.study.names import MAX_NAME, broken_name, sight_key, unguarded
from pdsim.study.options import Columns
from pdsim.study.problems import Findings, listed, quote

VALUES: Final = (
    "successes",
    "trials",
    "expected",
    "percent",
    "mean",
    "sd",
    "n",
    "se",
    "correlation",
)
"""Columns of numbers."""

KEYS: Final = ("facility", "indicator", "period")
"""Columns that name a cell."""

METADATA: Final = ("domain", "direction", "weight", "label", "case_group")
"""Columns of an indicator table besides ``indicator``."""

HIDDEN: Final = ("file", "row")

UNNAMED: Final = "unnamed: 0"
"""What a first column is called that has cells but no name."""

_WRITTEN: Final = "names in the source"

MAX_CELL: Final = 32_767
"""Characters of a cell, the limit of Excel."""


def frame_of(
    table: pd.DataFrame | Mapping[str, Sequence[Any]], *, file: str | None = None
) -> pd.DataFrame:
    """Return a raw table of a table in memory, called `file`; rows are counted from 1.

    Raises
    ------
    InputError
        If `table` is not a table, or two columns share a name.
    """
    given: Any = table
    if not isinstance(given, pd.DataFrame | Mapping):
        rule = f"a table must be a DataFrame or a mapping of columns, not {type(table).__name__}"
        raise InputError(Problem(file=file, rule=rule))
    try:
        frame = pd.DataFrame(table)
    except (TypeError, ValueError) as error:
        rule = f"the columns do not make a table ({error})"
        problem = Problem(file=file, rule=rule, cure="give every column one value per row")
        raise InputError(problem) from None
    # an index with a name is a column, such as the facilities of a pivoted table
    frame = frame.reset_index(drop=frame.index.names == [None])
    frame.columns = pd.Index([str(name) for name in frame.columns], dtype=object)
    return numbered(frame, file=file, rows=np.arange(1, len(frame) + 1))


def tabulated(
    cells: pd.DataFrame,
    *,
    file: str,
    first_row: int = 1,
    header: int | tuple[int, int] | None = None,
) -> pd.DataFrame:
    """Return the raw table of a sheet of text.

    Parameters
    ----------
    cells : DataFrame of str
        All rows as they stand, the header among them; blank cells are empty text.
    file : str
    first_row : int
        Line of the file in which the first row stands.
    header : int or tuple of int, optional
        Line of the header, or its first and last one. Default: the first that is not blank.

    Raises
    ------
    InputError
        If there is no header or no row below it, a column has cells but no name, a row is
        longer than the header, or a cell is too long.
    """
    filled = (cells != "").to_numpy(dtype=bool)
    rows = np.flatnonzero(filled.any(axis=1))
    if not rows.size:
        raise InputError(Problem(file=file, rule="the file is empty", cure="check the path"))
    found = Findings()
    _long_cells(cells, file, first_row, found)
    found.refuse()
    cells = cells.apply(_on_one_line)
    top, last = _header_lines(rows, first_row, len(cells), header, file)
    names = _joined_names(cells.iloc[top : last + 1])
    rows = rows[rows > last]
    body, lines = cells.iloc[rows], rows + first_row
    width = max((k + 1 for k, name in enumerate(names) if name), default=0)
    beyond = filled[rows, width:].any(axis=1)
    if beyond.sum() > 0.5 * beyond.size:
        found.add(
            f"the header has {width} cells, most rows below it have more",
            "where titles stand above the header, state its line: header = 3",
            file=file,
            row=top + first_row,
        )
    else:
        found.rows(
            pd.DataFrame({"file": file, "row": lines}),
            beyond,
            rule=f"the row has more cells than the header, which has {width}",
            cure="remove the extra cells, or put names that hold the delimiter in double quotes",
        )
    if names and not names[0]:
        names[0] = _row_names(body.iloc[:, 0])
    for k in range(1, width):
        if not names[k] and filled[rows, k].any():
            found.add(
                f"column {k + 1} has cells but no name",
                "name the column; or, where the header has several lines, state the first and "
                "the last: header = [1, 3]",
                file=file,
                row=top + first_row,
            )
    found.refuse()
    kept = [k for k in range(width) if names[k]]
    body = body.iloc[:, kept].set_axis([names[k] for k in kept], axis=1)
    return numbered(body.reset_index(drop=True), file=file, rows=lines, exact=last > top)


def _on_one_line(text: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return cells without line breaks, and without the mark of a text that is no formula."""
    if text.str.contains("\n", regex=False).any():
        text = text.str.replace(r"\s*\n\s*", " ", regex=True)
    return text.map(unguarded) if text.str.startswith("'").any() else text


def _row_names(cells: "pd.Series[Any]") -> str:
    """Return a name for a first column without one, as R and pandas write their row names."""
    counted = [str(k) for k in range(len(cells) + 1)]
    given = [str(cell) for cell in cells]
    return "" if given in (counted[1:], counted[:-1]) else UNNAMED


def _header_lines(
    rows: Ints, first_row: int, height: int, header: int | tuple[int, int] | None, file: str
) -> tuple[int, int]:
    """Return the positions of the first and the last row of the header."""
    if header is None:
        return int(rows[0]), int(rows[0])
    first, last = (header, header) if isinstance(header, int) else header
    top, end = first - first_row, last - first_row
    if not 0 <= top <= end < height or end - top > 9:
        rule = f"there is no header in lines {first} to {last}"
        raise InputError(Problem(file=file, rule=rule, cure="correct the key header"))
    return top, end


def _joined_names(lines: pd.DataFrame) -> list[str]:
    """Return one name per column of a header of one or several lines.

    A merged cell stands in its first column only: it goes on to the right as long as its line is
    blank there, if there is anything below it.
    """
    grid = [[str(cell).strip() for cell in row] for row in lines.to_numpy()]
    for line, row in enumerate(grid[:-1]):
        below = grid[line + 1 :]
        for k in range(1, len(row)):
            if not row[k] and row[k - 1] and any(deeper[k - 1] for deeper in below):
                row[k] = row[k - 1] if any(deeper[k] for deeper in below) else ""
    return [
        " ".join(dict.fromkeys(cell for cell in column if cell))
        for column in zip(*grid, strict=True)
    ]


def _long_cells(cells: pd.DataFrame, file: str, first_row: int, found: Findings) -> None:
    for k in range(cells.shape[1]):
        size = cells.iloc[:, k].str.len().to_numpy()
        if size.max(initial=0) <= MAX_CELL:
            continue
        places = pd.DataFrame({"file": file, "row": np.arange(len(size)) + first_row})
        found.rows(
            places.assign(size=size),
            size > MAX_CELL,
            rule=f"a cell of column {k + 1} has {{size}} characters, at most {MAX_CELL} fit",
            cure="check for a quote that is never closed",
        )


def numbered(
    frame: pd.DataFrame, *, file: str | None, rows: Iterable[int], exact: bool = False
) -> pd.DataFrame:
    """Return the raw table of `frame`, whose rows stand in the given lines of `file`.

    With `exact`, names that differ by case only are two names.

    Raises
    ------
    InputError
        If two columns share a name, or there is no row.
    """
    found = Findings()
    names = [str(name).strip() for name in frame.columns]
    seen: dict[str, str] = {}
    for name in names:
        # successes and trials are often called n and N, alone or behind an indicator
        last = re.search(r"(?<![^\W_])[nN](?=\)?$)", name)
        key = name if exact else name.casefold() + (last[0] if last else "")
        if key in seen:
            found.add(
                f"two columns are called {quote(seen[key])} and {quote(name)}",
                "give every column its own name",
                file=file,
            )
        seen.setdefault(key, name)
    if not len(frame):
        found.add("the table has no rows of data", "add them below the header", file=file)
    found.refuse()
    # a user's own columns called file or row mean nothing here and would hide the places
    hidden = [name for name in names if name in HIDDEN]
    frame = frame.set_axis(names, axis=1).drop(columns=hidden)
    return frame.assign(file=file, row=np.fromiter(rows, dtype=np.int64, count=len(frame)))


def named(
    table: pd.DataFrame, columns: Columns, names: Sequence[str], found: Findings
) -> pd.DataFrame:
    """Return `table` with the columns that `names` lists under these canonical names.

    A column stated in `columns` is taken by that name; the others by their canonical name,
    whatever its case. A column that a stated one displaces is dropped.
    """
    present = {name: name for name in table.columns if name not in HIDDEN}
    folded = {name.casefold(): name for name in present}
    renames: dict[str, str] = {}
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
            found.add(
                f"there is no column {quote(stated)}, stated as {name!r}; the file has "
                + listed(list(present)),
                f"correct [columns] {name}{suggestion(stated, present)}",
                file=file_of(table),
            )
            continue
        renames = {old: new for old, new in renames.items() if new != name}
        renames[source] = name
    displaced = [
        name for name in present if name not in renames and name.casefold() in set(renames.values())
    ]
    result = table.drop(columns=displaced).rename(columns=renames)
    written = table.attrs.get(_WRITTEN, {})
    own = {new: written.get(old, old) for old, new in renames.items()}
    result.attrs = table.attrs | {_WRITTEN: written | own}
    return result


def file_of(table: pd.DataFrame) -> str | None:
    """Return the file, or the files, that a raw table came from."""
    if "file" not in table.columns or not len(table):
        return None
    files = [str(name) for name in pd.unique(table["file"].dropna())]
    return ", ".join(files) or None


def visible(table: pd.DataFrame) -> list[str]:
    """Return the names of the columns of the source."""
    return [name for name in table.columns if name not in HIDDEN]


def as_written(table: pd.DataFrame) -> list[str]:
    """Return the names of the columns as they stand in the source, where `named` changed them."""
    written = table.attrs.get(_WRITTEN, {})
    return [written.get(name, name) for name in visible(table)]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """A column of names as numbers.

    Attributes
    ----------
    names : tuple of str
        In order of first appearance.
    codes : ndarray of int (rows,)
        Position in `names`; -1 where the cell is blank.
    """

    names: tuple[str, ...]
    codes: Ints


def coded(table: pd.DataFrame, column: str, found: Findings) -> Coded:
    """Code a column of names and check them.

    Blank cells are problems, and so are names that are too long or hold control characters,
    and pairs of names that differ only in case, spaces or leading zeros.
    """
    codes, uniques = pd.factorize(text_column(table[column]))
    cleaned = [unicodedata.normalize("NFC", str(name)) for name in uniques]
    names = tuple(dict.fromkeys(name for name in cleaned if name))
    position = {name: code for code, name in enumerate(names)} | {"": -1}
    recoded = np.array([*(position[name] for name in cleaned), -1], dtype=np.int64)[codes]
    noun = column.replace("_", " ")
    found.rows(
        table,
        recoded < 0,
        rule=f"the {noun} is blank",
        cure=f"give the {noun} in every row",
    )
    first = np.full(len(names), -1, dtype=np.int64)
    rows = np.flatnonzero(recoded >= 0)[::-1]
    first[recoded[rows]] = rows
    alike: dict[str, int] = {}
    for code, name in enumerate(names):
        rule = broken_name(name)
        twin = alike.setdefault(sight_key(name), code)
        cure = f"give a plain name of at most {MAX_NAME} characters, or write another: [rename]"
        if rule is not None:
            rule = f"the {noun} {quote(name)} {rule}"
        elif twin != code:
            rule = (
                f"the {noun} names {quote(names[twin])} and {quote(name)} differ only in case, "
                "spaces, invisible characters or leading zeros"
            )
            shown = [json.dumps(one, ensure_ascii=False) for one in (name, names[twin])]
            same = " = ".join(shown)
            cure = f"write one in one way, {same} in [rename.{column}], or make them differ visibly"
        else:
            continue
        place = table.iloc[int(first[code])]
        found.add(rule, cure, file=place["file"] or None, row=int(place["row"]))
    return Coded(names=names, codes=recoded)
