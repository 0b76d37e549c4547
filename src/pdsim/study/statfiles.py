"""Files of Stata, SPSS and SAS."""

import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from pdsim.errors import InputError, Problem
from pdsim.study.frames import numbered

STATISTICS: Final = (".dta", ".sav", ".sas7bdat", ".xpt")

LABELS: Final = "labels"
"""Attribute of a raw table: what the source says that its columns mean."""


def read_statistics(content: bytes, *, file: str, suffix: str, max_cells: int) -> pd.DataFrame:
    """Read a file of Stata, SPSS or SAS; rows are counted from 1.

    Parameters
    ----------
    content : bytes
    file : str
        Named in messages.
    suffix : {".dta", ".sav", ".sas7bdat", ".xpt"}
    max_cells : int

    Returns
    -------
    DataFrame
        Raw table, typed as the file is; values with labels become their labels, and its attribute
        ``labels`` says what the columns mean.

    Raises
    ------
    InputError
        If pyreadstat is not installed, or the file is broken or too large.
    """
    try:
        import pyreadstat
    except ModuleNotFoundError:
        problem = Problem(
            file=file,
            rule=f"reading {suffix} files needs the package pyreadstat, which is not installed",
            cure="run: pip install 'pdsim[stats]', or save the table as CSV",
        )
        raise InputError(problem) from None
    readers: dict[str, Any] = {
        ".dta": pyreadstat.read_dta,
        ".sav": pyreadstat.read_sav,
        ".sas7bdat": pyreadstat.read_sas7bdat,
        ".xpt": pyreadstat.read_xport,
    }
    # its readers take paths only
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"table{suffix}"
        path.write_bytes(content)
        try:
            _, about = readers[suffix](str(path), metadataonly=True)
            if (about.number_rows or 0) * about.number_columns > max_cells:
                rule = f"the file has more than {max_cells:,} cells"
                cure = "save the columns and rows of the study only"
                raise InputError(Problem(file=file, rule=rule, cure=cure))
            labelled = suffix in (".dta", ".sav")
            labels = {"apply_value_formats": True} if labelled else {}
            frame, about = readers[suffix](str(path), **labels)
        except InputError:
            raise
        # a damaged file makes the parser fail in whatever way the damage leads to
        except Exception as error:
            rule = f"the file is not a readable {suffix} file ({type(error).__name__})"
            cure = "save it again, or as CSV"
            raise InputError(Problem(file=file, rule=rule, cure=cure)) from error
    table = numbered(frame, file=file, rows=np.arange(1, len(frame) + 1))
    table.attrs[LABELS] = {
        name: label for name, label in about.column_names_to_labels.items() if label
    }
    return table
