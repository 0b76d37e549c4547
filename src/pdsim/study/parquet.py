"""Parquet files."""

import io

import numpy as np
import pandas as pd

from pdsim.errors import InputError, Problem
from pdsim.study.frames import numbered
from pdsim.study.problems import quote
from pdsim.study.tabulate import MAX_CELL


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
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        opened = pq.ParquetFile(io.BytesIO(content))
        meta = opened.metadata
        groups = [meta.row_group(k) for k in range(meta.num_row_groups)]
        size = sum(group.total_byte_size for group in groups)
        if size > max_bytes or meta.num_rows * meta.num_columns > max_cells:
            problem = Problem(
                file=file,
                rule=f"the file unpacks to {size:,} bytes and {meta.num_rows * meta.num_columns:,} "
                f"cells; at most {max_bytes:,} and {max_cells:,} are read",
                cure="save the columns and rows of the study only",
            )
            raise InputError(problem)
        schema = opened.schema_arrow
        texts = [
            f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)
        ]
        nested = [
            f.name for f in schema if pa.types.is_nested(f.type) or pa.types.is_binary(f.type)
        ]
        # as dictionaries: one long text in a million rows is then held once
        table = pq.ParquetFile(io.BytesIO(content), read_dictionary=texts).read(
            columns=[name for name in schema.names if name not in nested]
        )
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, InputError):
            raise
        problem = Problem(
            file=file,
            rule="the file is not a readable Parquet file",
            cure="save it again, or as CSV",
        )
        raise InputError(problem) from None
    frame = table.to_pandas(ignore_metadata=True)
    for name in texts:
        longest = frame[name].cat.categories.str.len().max() if len(frame) else 0
        if longest > MAX_CELL:
            problem = Problem(
                file=file,
                rule=f"a cell of column {quote(name)} has {int(longest)} characters, at most "
                f"{MAX_CELL} fit",
                cure="check that the column is the right one",
            )
            raise InputError(problem)
    return numbered(frame, file=file, rows=np.arange(1, len(frame) + 1))
