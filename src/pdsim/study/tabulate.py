"""Rows of cells become a raw table: header, row numbers, blank rows and columns."""

from typing import Final

import numpy as np
import pandas as pd

from pdsim.errors import InputError, Problem
from pdsim.study.frames import numbered
from pdsim.study.problems import NOTHING, found, refuse, rows_where

MAX_CELL: Final = 32_767
"""Characters of a cell, the limit of Excel."""


def tabulated(cells: pd.DataFrame, *, file: str, first_row: int) -> pd.DataFrame:
    """Return the raw table of a sheet of text.

    Parameters
    ----------
    cells : DataFrame of str
        All rows as they stand, the header among them; blank cells are empty text.
    file : str
    first_row : int
        Line of the file in which the first row stands.

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
    _refuse_long_cells(cells, file, first_row)
    top = int(rows[0])
    header = [str(name).strip() for name in cells.iloc[top]]
    body, lines = cells.iloc[rows[1:]], rows[1:] + first_row
    width = max(k + 1 for k, name in enumerate(header) if name)
    findings = NOTHING
    beyond = filled[rows[1:], width:].any(axis=1)
    if beyond.sum() > 0.5 * beyond.size:
        findings += found(
            Problem(
                file=file,
                row=top + first_row,
                rule=f"the header has {width} cells, most rows below it have more",
                cure="put the names of the columns in the first row, with no title above them",
            )
        )
    elif beyond.any():
        places = pd.DataFrame({"file": file, "row": lines})
        findings += rows_where(
            places,
            beyond,
            rule=f"the row has more cells than the header, which has {width}",
            cure="remove the extra cells, or put names that hold the delimiter in double quotes",
        )
    nameless = [k for k in range(width) if not header[k] and filled[rows[1:], k].any()]
    findings += found(
        [
            Problem(
                file=file,
                row=top + first_row,
                rule=f"column {k + 1} has cells but no name",
                cure="name the column, or remove it",
            )
            for k in nameless
        ]
    )
    refuse(findings)
    kept = [k for k in range(width) if header[k]]
    body = body.iloc[:, kept].set_axis([header[k] for k in kept], axis=1)
    return numbered(body.reset_index(drop=True), file=file, rows=lines)


def _refuse_long_cells(cells: pd.DataFrame, file: str, first_row: int) -> None:
    findings = NOTHING
    for k in range(cells.shape[1]):
        size = cells.iloc[:, k].str.len().to_numpy()
        if size.max(initial=0) <= MAX_CELL:
            continue
        places = pd.DataFrame({"file": file, "row": np.arange(len(size)) + first_row})
        findings += rows_where(
            places.assign(size=size),
            size > MAX_CELL,
            rule=f"a cell of column {k + 1} has {{size}} characters, at most {MAX_CELL} fit",
            cure="check for a quote that is never closed",
        )
    refuse(findings)
