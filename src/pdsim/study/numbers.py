"""Cells to numbers: decimal commas, blanks, and everything that is not a number."""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pdsim.errors import Problem
from pdsim.study.frames import file_of, text_column
from pdsim.study.problems import NOTHING, Findings, found, rows_where

type Decimal = Literal[".", ","]

BLANK: Final = ("", "NA")
"""Cells that hold nothing."""

_NUMBER: Final = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_COMMA: Final = r"[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?"
_GROUPED: Final = r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+"


def numbers(
    table: pd.DataFrame, columns: Sequence[str], *, decimal: Decimal | None = None
) -> tuple[dict[str, NDArray[np.float64]], Findings]:
    """Read columns of numbers.

    Parameters
    ----------
    table : DataFrame
        Raw table.
    columns : sequence of str
    decimal : {".", ","}, optional
        Default: a comma where the numbers of the table hold commas and no points, and cannot
        be meant as thousands.

    Returns
    -------
    dict of ndarray (rows,)
        NaN in blank cells and in cells that are not finite numbers.
    Findings
        Cells that are not finite numbers; commas that could mean two things.
    """
    texts = {name: _cells(table[name]) for name in columns if not _is_typed(table[name])}
    if "percent" in texts:
        texts["percent"] = texts["percent"].str.removesuffix("%").str.strip()
    findings = NOTHING
    if decimal is None:
        decimal, findings = _decimal(table, texts)
        if findings:
            # no cell is read both ways
            texts = {
                name: text.mask(text.str.contains(",", regex=False), "")
                for name, text in texts.items()
            }
    values = {}
    for name in columns:
        if name in texts:
            values[name], more = _parse(table, name, texts[name], decimal)
        else:
            values[name], more = _typed(table, name)
        findings += more
    return values, findings


def _is_typed(column: "pd.Series[float]") -> bool:
    dtype = column.dtype
    return pd.api.types.is_float_dtype(dtype) or pd.api.types.is_integer_dtype(dtype)


def _cells(column: "pd.Series[float]") -> "pd.Series[str]":
    text = text_column(column)
    return text.mask(text.isin(BLANK), "")


def _typed(table: pd.DataFrame, name: str) -> tuple[NDArray[np.float64], Findings]:
    values = table[name].to_numpy(dtype=np.float64, na_value=np.nan)
    infinite = np.isinf(values)
    findings = rows_where(
        table,
        infinite,
        rule=f"{name} must be a finite number (received {{{name}}})",
        cure="correct it, or leave the row out for a missing cell",
    )
    return np.where(infinite, np.nan, values), findings


def _decimal(table: pd.DataFrame, texts: "dict[str, pd.Series[str]]") -> tuple[Decimal, Findings]:
    """Decide whether commas are decimal commas."""
    with_comma = [text[text.str.contains(",", regex=False)] for text in texts.values()]
    if not any(len(text) for text in with_comma):
        return ".", NOTHING
    if any(text.str.contains(".", regex=False).any() for text in texts.values()):
        return ".", NOTHING
    commas = pd.concat(with_comma)
    if commas.str.fullmatch(_GROUPED).all():
        problem = Problem(
            file=file_of(table),
            rule=f"the comma in {commas.iloc[0]!r} may be a decimal comma or divide thousands",
            cure='write numbers without thousands separators, or state decimal = ","',
        )
        return ",", found(problem)
    return ",", NOTHING


def _parse(
    table: pd.DataFrame, name: str, text: "pd.Series[str]", decimal: Decimal
) -> tuple[NDArray[np.float64], Findings]:
    blank = (text == "").to_numpy(dtype=bool)
    if decimal == ",":
        comma = text.str.fullmatch(_COMMA)
        text = text.mask(comma, text.str.replace(",", ".", regex=False))
    good = text.str.fullmatch(_NUMBER).to_numpy(dtype=bool)
    values = text.where(good, "nan").to_numpy(dtype=object).astype(np.float64)
    overflown = good & ~np.isfinite(values)
    cure = "write a plain number such as 12 or 12.5, or leave the row out for a missing cell"
    if (text[~good].str.contains(",", regex=False)).any():
        cure = "write plain numbers without thousands separators, with one decimal sign throughout"
    findings = rows_where(
        table,
        ~(good | blank) | overflown,
        rule=f"{name} must be a finite number (received {{{name}}})",
        cure=cure,
    )
    return np.where(overflown, np.nan, values), findings
