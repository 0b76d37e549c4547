"""Delimited text: encoding, delimiter, and cells as text."""

import io
import re
from typing import Final

import pandas as pd

from pdsim.errors import InputError, Problem

DELIMITERS: Final = (",", ";", "\t", "|")

_BOMS: Final = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_TITLES: Final = 20
"""Lines at the beginning of a file among which the header may stand."""

_SPARE: Final = 3
"""Columns beyond the header that are parsed, so that a row that is too long can be named."""


def delimited_cells(
    content: bytes,
    *,
    file: str,
    delimiter: str | None,
    encoding: str | None,
    notes: list[str],
) -> tuple[pd.DataFrame, int]:
    """Read delimited text.

    Parameters
    ----------
    content : bytes
    file : str
        Named in messages.
    delimiter, encoding : str, optional
        Default: recognised. A text that is not UTF-8 is read as Windows-1252, and said so.
    notes : list of str
        Takes sentences on what was guessed.

    Returns
    -------
    DataFrame of str
        All rows as they stand.
    int
        Line of the file in which the first of them stands.

    Raises
    ------
    InputError
    """
    text = _decoded(content, file, encoding, notes)
    skipped = 0
    directive = re.match(r"sep=(.)\r?\n", text)
    if directive:
        # Excel's own way to state the delimiter, as the first line of a file
        delimiter = delimiter or directive[1]
        text, skipped = text[directive.end() :], 1
    first = _header_like(text)
    if not first:
        raise InputError(Problem(file=file, rule="the file is empty", cure="check the path"))
    delimiter = delimiter or _delimiter(first)
    # as bytes: a StringIO takes four bytes for every character
    stream = io.BytesIO(text.encode())
    try:
        line = io.BytesIO(first.encode())
        width = len(_cells(line, delimiter, names=None, rows=1).columns) + _SPARE
        cells = _cells(stream, delimiter, names=list(range(width)), rows=None)
    except pd.errors.ParserError as error:
        raise InputError(_unparsed(str(error), file, skipped)) from None
    return cells, 1 + skipped


def _cells(
    stream: io.BytesIO, delimiter: str, *, names: list[int] | None, rows: int | None
) -> pd.DataFrame:
    """Read the cells as they stand; without `names` only the first row that is not blank."""
    stream.seek(0)
    return pd.read_csv(
        stream,
        sep=delimiter,
        header=None,
        names=names,
        dtype=str,
        keep_default_na=False,
        skip_blank_lines=names is None,
        index_col=False,
        nrows=rows,
    )


def _decoded(content: bytes, file: str, encoding: str | None, notes: list[str]) -> str:
    if encoding is not None:
        try:
            return content.decode(encoding)
        except LookupError:
            rule, cure = f"the encoding {encoding!r:.60} is unknown", "state one such as 'utf-8'"
        except UnicodeDecodeError as error:
            rule = f"the text is not {encoding} (byte {error.start + 1:,})"
            cure = "correct the key encoding, or save the file as UTF-8"
        raise InputError(Problem(file=file, rule=rule, cure=cure))
    for bom, name in _BOMS:
        if content.startswith(bom):
            try:
                return content.decode(name)
            except UnicodeDecodeError:
                rule = f"the file begins like {name} text but is not"
            raise InputError(Problem(file=file, rule=rule, cure="save it as UTF-8"))
    if b"\x00" in content:
        raise InputError(
            Problem(
                file=file,
                rule="the file is not text",
                cure="give a CSV, Excel (.xlsx) or Parquet file with the ending that it is",
            )
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        place = content[: error.start].count(b"\n") + 1
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        problem = Problem(
            file=file,
            row=place,
            rule="the text is neither UTF-8 nor Windows-1252",
            cure='save it as UTF-8, or state its encoding: encoding = "cp1250"',
        )
        raise InputError(problem) from None
    notes.append(
        f"{file} is not UTF-8 (row {place}) and was read as Windows-1252: check the names."
    )
    return text


def _header_like(text: str) -> str:
    """Return the first line that is not blank, or a wider one where titles stand above it."""
    # a cell in quotes may be broken over several lines
    whole = re.findall(r'(?:"[^"]*"|[^\r\n])+', text[:100_000])
    lines = [line for line in whole if line.strip()][:_TITLES]
    if not lines:
        return text.strip()

    def size(line: str) -> int:
        outside = re.sub(r'"[^"]*"', "", line)
        return max(outside.count(delimiter) for delimiter in DELIMITERS)

    usual = sorted(map(size, lines))[len(lines) // 2]
    if 2 * (size(lines[0]) + 1) >= usual + 1:
        return lines[0]
    return next(line for line in lines if size(line) >= usual)


def _delimiter(header: str) -> str:
    """Return the delimiter that divides the header into most columns."""
    outside = re.sub(r'"[^"]*"', "", header)
    return max(DELIMITERS, key=outside.count)


def _unparsed(message: str, file: str, skipped: int) -> Problem:
    """Say what the parser said, in the words of a spreadsheet."""
    long = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", message)
    if long:
        expected, line, saw = (int(text) for text in long.groups())
        return Problem(
            file=file,
            row=line + skipped,
            rule=f"the row has {saw} cells, the header {expected - _SPARE}",
            cure="remove the extra cells, or put names that hold the delimiter in double quotes",
        )
    quote = re.search(r"EOF inside string starting at row (\d+)", message)
    if quote:
        return Problem(
            file=file,
            row=int(quote[1]) + 1 + skipped,
            rule="a double quote is opened and never closed",
            cure="close or remove it",
        )
    return Problem(file=file, rule=f"the file cannot be read as a table: {message:.200}")
