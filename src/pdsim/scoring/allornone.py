"""All-or-none scores, which need to know case by case what was done."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pdsim.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd


def all_or_none(cases: "pd.DataFrame", indicators: Sequence[str]) -> "pd.DataFrame":
    """Count the cases in which every indicator that applied was met.

    The all-or-none score cannot be had from the indicators' own proportions. Its counts are a
    study with one indicator: pass them to `pdsim.Study.from_long`.

    Parameters
    ----------
    cases : DataFrame
        One row per observed case with ``facility``, ``period`` and a column of 0 and 1 (or
        True and False) per indicator, 1 = done right; missing where it did not apply.
    indicators : sequence of str

    Returns
    -------
    DataFrame
        ``facility, indicator, period, successes, trials``; a case to which no indicator applied
        is not counted.

    Raises
    ------
    InputError
        If a column is missing or holds anything but 0, 1 and missing.

    References
    ----------
    Nolan and Berwick (2006), doi 10.1001/jama.295.10.1168.

    Examples
    --------
    >>> import pandas as pd
    >>> cases = pd.DataFrame(
    ...     {"facility": ["A"] * 3, "period": ["endline"] * 3, "x": [1, 1, 0], "y": [1, None, 1]}
    ... )
    >>> all_or_none(cases, ["x", "y"])[["successes", "trials"]].values.tolist()
    [[2, 3]]
    """
    needed = ["facility", "period", *indicators]
    absent = [name for name in needed if name not in cases.columns]
    if absent or not indicators:
        names = ", ".join(absent) or "an indicator"
        rule = f"the table of cases lacks {names}"
        raise InputError(Problem(rule=rule, cure="check the column names"))
    marks = cases[list(indicators)].astype(float)
    wrong = [
        Problem(indicator=name, rule="a case is scored 0, 1 or not at all")
        for name in indicators
        if not marks[name].dropna().isin([0.0, 1.0]).all()
    ]
    if wrong:
        raise InputError(wrong)
    applies = marks.notna().any(axis=1)
    met = np.where(applies, marks.min(axis=1).fillna(0.0), 0.0)
    counts = (
        cases[["facility", "period"]]
        .assign(successes=met.astype(int), trials=applies.astype(int))
        .groupby(["facility", "period"], sort=False, as_index=False)
        .sum()
    )
    return counts.assign(indicator="all_or_none")[
        ["facility", "indicator", "period", "successes", "trials"]
    ]
