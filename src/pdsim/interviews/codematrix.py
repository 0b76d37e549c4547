"""Tables of codes by documents, as NVivo, MAXQDA, Dedoose and ATLAS.ti export them."""

import io
import re
import zipfile
from pathlib import Path
from typing import Final

import pandas as pd

from pdsim.errors import InputError, Problem
from pdsim.interviews.codings import MAX_PROJECT, CodedProject, file_bytes

_TOTALS: Final = {"total", "totals", "sum", "sums", "n", "n (documents)", "grand total"}
_YES: Final = {"x": 1.0, "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0, "": 0.0, "-": 0.0}
_DECORATION: Final = re.compile(
    r"^\s*(?:[○●◉•]\s*)|^\s*[A-Z]{1,2}\s:\s|^\s*\d+\s:\s|\s*\b(?:Gr|GS|Groups)\s*=\s*[\d,. ]+"
)
"""ATLAS.ti writes a dot before codes and Gr=, GS= behind names; NVivo "A : " or "1 : " before."""


def read_code_matrix(
    path: str | Path,
    *,
    documents_in: str = "rows",
    sheet: str | None = None,
    names: str | None = None,
    skip: int = 0,
) -> CodedProject:
    """Read how often each document was coded with each code.

    Parameters
    ----------
    path : str or Path
        CSV (comma, semicolon or tab) or XLSX.
    documents_in : {"rows", "columns"}
        NVivo and ATLAS.ti write codes in rows and documents in columns.
    sheet : str, optional
        Of a workbook; default: the first.
    names : str, optional
        Header of the column that names the documents (or codes); default: the first column.
        Columns before it are left out.
    skip : int
        Lines above the header.

    Returns
    -------
    CodedProject
        Rows and columns of totals are left out. Cells may be counts, 0 and 1, x and blank.

    Raises
    ------
    InputError
        With one problem for every cell that is no number.

    Examples
    --------
    >>> read_code_matrix("none.csv")
    Traceback (most recent call last):
        ...
    pdsim.errors.InputError: none.csv: cannot be read (No such file or directory); check the path.
    """
    path = Path(path)
    if documents_in not in ("rows", "columns"):
        rule = f"documents_in is 'rows' or 'columns', not {documents_in!r:.40}"
        raise InputError(Problem(file=path.name, rule=rule))
    cells = _cells(path, sheet)
    header = [_plain(name) for name in cells.iloc[skip].tolist()] if len(cells) > skip else []
    body = cells.iloc[skip + 1 :]
    if names is not None and names not in header:
        rule = f"there is no column {names!r:.60}"
        raise InputError(Problem(file=path.name, row=skip + 1, rule=rule, cure="mend `names`"))
    first = 0 if names is None else header.index(names)
    columns = [
        k for k in range(first + 1, len(header)) if header[k] and header[k].lower() not in _TOTALS
    ]
    rows = [
        (line, label)
        for line, label in enumerate(map(_plain, body[first].tolist() if len(header) else []))
        if label and label.lower() not in _TOTALS
    ]
    if not rows or not columns:
        rule = "has no table of codes by documents"
        raise InputError(Problem(file=path.name, rule=rule, cure="check `skip` and the sheet"))
    _refuse_twins(path.name, [label for _, label in rows], [header[k] for k in columns])
    problems, found = [], []
    for line, label in rows:
        for k in columns:
            times = _times(str(body.iat[line, k]))
            if times is None:
                rule = (
                    f"column {header[k]!r:.60} holds {body.iat[line, k]!r:.40}, which is no count"
                )
                row = skip + 2 + line
                problems.append(Problem(file=path.name, row=row, rule=rule, cure="mend the cell"))
            elif times > 0:
                pair = (label, header[k]) if documents_in == "rows" else (header[k], label)
                found.append((*pair, "", times))
    if problems:
        raise InputError(problems[:20])
    labels, others = [label for _, label in rows], [header[k] for k in columns]
    documents, codes = (labels, others) if documents_in == "rows" else (others, labels)
    return CodedProject(
        file=path.name,
        documents=tuple(documents),
        codes=pd.DataFrame({"code": codes, "path": [()] * len(codes)}),
        codings=pd.DataFrame(found, columns=["document", "code", "coder", "times"]),
        attributes=pd.DataFrame({"document": [], "attribute": [], "value": []}, dtype="object"),
    )


def _refuse_twins(file: str, rows: list[str], columns: list[str]) -> None:
    for words, names in (("rows", rows), ("columns", columns)):
        twins = sorted({name for name in names if names.count(name) > 1})
        if twins:
            rule = f"two {words} are called {twins[0]!r:.60}"
            raise InputError(Problem(file=file, rule=rule, cure="give each its own name"))


def _plain(label: str) -> str:
    """Return a label without what programs write around it."""
    return " ".join(_DECORATION.sub("", label).split())


def _times(cell: str) -> float | None:
    text = cell.strip().lower()
    if text in _YES:
        return _YES[text]
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < 1e9 and value.is_integer() else None


def _cells(path: Path, sheet: str | None) -> pd.DataFrame:
    """Return all cells as text, blank ones empty."""
    content = file_bytes(path)
    if not content.startswith(b"PK"):
        text = _decoded(content, path.name)
        delimiter = max(",;\t", key=text.partition("\n")[0].count)
        try:
            return pd.read_csv(
                io.StringIO(text), sep=delimiter, header=None, dtype=str, keep_default_na=False
            ).fillna("")
        except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            rule = f"is no table ({str(error).strip()})"
            raise InputError(Problem(file=path.name, rule=rule, cure="check the file")) from None
    try:
        from openpyxl import load_workbook
    except ModuleNotFoundError:
        rule = "reading Excel files needs the package openpyxl, which is not installed"
        cure = "run: pip install 'pdsim[excel]', or save the sheet as CSV"
        raise InputError(Problem(file=path.name, rule=rule, cure=cure)) from None
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MAX_PROJECT:
            rule = f"unpacks to {size:,} bytes; at most {MAX_PROJECT:,} are read"
            raise InputError(Problem(file=path.name, rule=rule, cure="save the table alone"))
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        names = [page.title for page in book.worksheets]
        if not names or (sheet is not None and sheet not in names):
            rule = f"has no sheet {sheet!r:.60}"
            cure = f"choose one of: {', '.join(names)}"
            raise InputError(Problem(file=path.name, rule=rule, cure=cure))
        rows = [
            ["" if cell is None else str(cell) for cell in row]
            for row in book[sheet or names[0]].iter_rows(values_only=True)
        ]
    except InputError:
        raise
    # a damaged workbook makes the layers of its reader fail in whatever way the damage leads to
    except Exception as error:
        rule = f"is not a readable Excel workbook ({type(error).__name__})"
        raise InputError(Problem(file=path.name, rule=rule, cure="save it again")) from error
    return pd.DataFrame(rows, dtype="str").fillna("")


def _decoded(content: bytes, file: str) -> str:
    for encoding in (
        "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig",
        "cp1252",
    ):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError(Problem(file=file, rule="is no text", cure="save it as CSV in UTF-8"))
