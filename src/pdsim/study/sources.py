"""Files of tables: kind, size, compression."""

import gzip
import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

import pandas as pd

from pdsim.errors import InputError, Problem
from pdsim.study.delimited import delimited_cells
from pdsim.study.frames import tabulated
from pdsim.study.parquet import read_parquet
from pdsim.study.problems import listed, quote
from pdsim.study.statfiles import STATISTICS, read_statistics
from pdsim.study.workbook import workbook_sheets

MAX_BYTES: Final = 256 * 2**20
"""Bytes of an unpacked file."""

MAX_CELLS: Final = 50_000_000
"""Cells of a table in a packed format."""

_TEXT: Final = (".csv", ".tsv", ".txt", ".tab")
_MAGIC: Final = (
    (b"PK\x03\x04", ".xlsx"),
    (b"PAR1", ".parquet"),
    (b"\x1f\x8b", ".gz"),
    (b"\xd0\xcf\x11\xe0", ".xls"),
    (b"%PDF", ".pdf"),
)

type Load = Callable[[str], bytes]
"""Returns the bytes of a file, given the name by which the study calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How to read tables; None leaves it to be recognised."""

    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    header: int | tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One table of a file as it stands.

    Attributes
    ----------
    name : str
        Of a sheet of a workbook; else "".
    cells : DataFrame of str or None
        All rows as they stand; None where the source is typed.
    first_row : int
        Line of the file in which the first row stands.
    typed : DataFrame or None
        Raw table of a typed source.
    """

    name: str = ""
    cells: pd.DataFrame | None = None
    first_row: int = 1
    typed: pd.DataFrame | None = None

    def table(self, *, file: str, header: int | tuple[int, int] | None) -> pd.DataFrame:
        """Return the raw table."""
        if self.typed is not None:
            return self.typed
        assert self.cells is not None
        return tabulated(self.cells, file=file, first_row=self.first_row, header=header)


def read_source(name: str, load: Load, reading: Reading, notes: list[str]) -> pd.DataFrame:
    """Read one file of the study.

    Parameters
    ----------
    name : str
        Name or path of the file; its ending says its kind.
    load : callable
        Returns the bytes of `name`.
    reading : Reading
    notes : list of str
        Takes sentences on what was guessed.

    Returns
    -------
    DataFrame
        Raw table.

    Raises
    ------
    InputError
        If the file is missing, too large, of another kind than its ending says, or broken.
    """
    file = PurePath(name).name
    sheets = read_sheets(name, load, reading, notes)
    chosen = sheets[0]
    if len(sheets) > 1:
        chosen = next((sheet for sheet in sheets if holds_table(sheet)), chosen)
        others = [sheet.name for sheet in sheets if sheet is not chosen]
        notes.append(f"{file}: the sheet {quote(chosen.name)} was read, not {listed(others)}.")
    if chosen.cells is not None and not chosen.cells.size:
        raise InputError(Problem(file=file, rule="the sheet is empty", cure="check the key sheet"))
    return chosen.table(file=file, header=reading.header)


def holds_table(sheet: Sheet) -> bool:
    """Tell whether a sheet holds more than notes: two columns and two rows at least."""
    if sheet.cells is None:
        return True
    filled = (sheet.cells != "").to_numpy(dtype=bool)
    return int((filled.sum(axis=1) >= 2).sum()) >= 2


def read_sheets(name: str, load: Load, reading: Reading, notes: list[str]) -> list[Sheet]:
    """Return what a file holds, sheet by sheet; one where it is no workbook."""
    path = PurePath(name)
    file, suffix = path.name, path.suffix.lower()
    packed = suffix == ".gz"
    if packed:
        suffix = PurePath(path.stem).suffix.lower()
    _refuse_kind(file, suffix, packed)
    content = load(name)
    if packed:
        content = _unpacked(content, file)
    if not content:
        raise InputError(Problem(file=file, rule="the file is empty", cure="check the path"))
    _refuse_mismatch(content, file, suffix)
    if suffix == ".xlsx":
        pages = workbook_sheets(
            content, file=file, sheet=reading.sheet, max_bytes=MAX_BYTES, max_cells=MAX_CELLS
        )
        return [Sheet(name=page, cells=cells) for page, cells in pages.items()]
    if suffix == ".parquet":
        table = read_parquet(content, file=file, max_bytes=MAX_BYTES, max_cells=MAX_CELLS)
        return [Sheet(typed=table)]
    if suffix in STATISTICS:
        table = read_statistics(content, file=file, suffix=suffix, max_cells=MAX_CELLS)
        return [Sheet(typed=table)]
    cells, first_row = delimited_cells(
        content, file=file, delimiter=reading.delimiter, encoding=reading.encoding, notes=notes
    )
    return [Sheet(cells=cells, first_row=first_row)]


def _refuse_kind(file: str, suffix: str, packed: bool) -> None:
    if suffix in _TEXT or (suffix in (".xlsx", ".parquet", *STATISTICS) and not packed):
        return
    kind = f"{suffix or '(none)'}{'.gz' if packed else ''}"
    old = suffix in (".xls", ".xlsm", ".xlsb", ".ods", ".numbers")
    raise InputError(
        Problem(
            file=file,
            rule=f"files with the ending {kind} are not read",
            cure="save the sheet as .xlsx or .csv"
            if old
            else "give a .csv, .tsv, .txt (also .gz), .xlsx, .parquet, .dta, .sav, "
            ".sas7bdat or .xpt file",
        )
    )


def _unpacked(content: bytes, file: str) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as archive:
            unpacked = archive.read(MAX_BYTES + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        problem = Problem(
            file=file, rule="the file is not a whole gzip file", cure="copy it again, or unpack it"
        )
        raise InputError(problem) from None
    refuse_size(len(unpacked), file, unpacked=True)
    return unpacked


def refuse_size(size: int, file: str, *, unpacked: bool = False) -> None:
    """Refuse a file that is too large to be a table of a study."""
    if size > MAX_BYTES:
        amount = f"unpacks to more than {MAX_BYTES:,}" if unpacked else f"has {size:,}"
        raise InputError(
            Problem(
                file=file,
                rule=f"the file {amount} bytes; at most {MAX_BYTES:,} are read",
                cure="keep the columns and rows of the study only, or give counts instead of cases",
            )
        )


def _refuse_mismatch(content: bytes, file: str, suffix: str) -> None:
    """Refuse a file whose ending says another kind than its first bytes."""
    kind = next((kind for magic, kind in _MAGIC if content.startswith(magic)), None)
    if kind is not None and kind != suffix:
        raise InputError(
            Problem(
                file=file,
                rule=f"the file is a {kind} file by its content, but is called {suffix}",
                cure=f"let its name end in {suffix + kind if kind == '.gz' else kind}"
                if kind in (".xlsx", ".parquet", ".gz")
                else "save the table as .csv or .xlsx",
            )
        )
