"""Parquet files."""

import io
from typing import Any

import numpy as np
import pandas as pd

from pdsim.errors import InputError, Problem
from pdsim.study.frames import MAX_CELL, numbered
from pdsim.study.problems import quote


def read_parquet(content: bytes, *, file: str, max_bytes: int, max_cells: int) -> pd.DataFrame:
    """Read a Parquet file; rows are counted from 1.

    Parameters
    ----------
    content : bytes
    file : str
        Named in messages.
    max_bytes, max_cells : int
        Limits of the unpacked columns and of the cells.

    Returns
    -------
    DataFrame
        Raw table, typed as the file is.

    Raises
    ------
    InputError
    """
    frame = _frame(content, file, max_bytes, max_cells)
    for name, column in frame.items():
        if isinstance(column.dtype, pd.CategoricalDtype):
            _refuse_long_texts(column, quote(str(name)), file, max_bytes)
    return numbered(frame, file=file, rows=np.arange(1, len(frame) + 1))


def _frame(content: bytes, file: str, max_bytes: int, max_cells: int) -> pd.DataFrame:
    """Return the flat columns of the file, texts as categories."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        opened = pq.ParquetFile(io.BytesIO(content))
        meta, schema = opened.metadata, opened.schema_arrow
        _refuse_size(meta, file, max_bytes, max_cells)
        is_text = (pa.types.is_string, pa.types.is_large_string)
        is_other = (pa.types.is_nested, pa.types.is_binary, pa.types.is_large_binary)
        texts = [f.name for f in schema if any(test(f.type) for test in is_text)]
        flat = [f.name for f in schema if not any(test(f.type) for test in is_other)]
        # as dictionaries: one long text in a million rows is then held once
        table = pq.ParquetFile(io.BytesIO(content), read_dictionary=texts).read(columns=flat)
        # the metadata of pandas would make an index of some columns
        frame: pd.DataFrame = table.replace_schema_metadata(None).to_pandas()
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError):
        problem = Problem(
            file=file,
            rule="the file is not a readable Parquet file",
            cure="save it again, or as CSV",
        )
        raise InputError(problem) from None
    return frame


def _refuse_size(meta: Any, file: str, max_bytes: int, max_cells: int) -> None:
    """Refuse what the metadata of the file say is too much."""
    size = sum(meta.row_group(k).total_byte_size for k in range(meta.num_row_groups))
    cells = meta.num_rows * meta.num_columns
    if size > max_bytes or cells > max_cells:
        problem = Problem(
            file=file,
            rule=f"the file unpacks to {size:,} bytes and {cells:,} cells; at most {max_bytes:,} "
            f"and {max_cells:,} are read",
            cure="save the columns and rows of the study only",
        )
        raise InputError(problem)


def _refuse_long_texts(column: "pd.Series[Any]", name: str, file: str, max_bytes: int) -> None:
    """Refuse a column of texts before it is written out in full."""
    sizes = np.array([len(str(text)) for text in column.cat.categories], dtype=np.int64)
    longest = int(sizes.max(initial=0))
    codes = column.cat.codes.to_numpy()
    total = int(sizes[codes[codes >= 0]].sum())
    if longest > MAX_CELL or total > max_bytes:
        problem = Problem(
            file=file,
            rule=f"column {name} has {total:,} characters, {longest:,} in its longest cell; at "
            f"most {max_bytes:,} and {MAX_CELL:,} are read",
            cure="check that the column is the right one",
        )
        raise InputError(problem)
