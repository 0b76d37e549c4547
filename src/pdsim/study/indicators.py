"""The indicator table: domain, direction, weight, label and case group of every indicator."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pdsim.errors import Problem
from pdsim.study.frames import METADATA, file_of, suggestion, text_column
from pdsim.study.names import broken_name, coded
from pdsim.study.numbers import numbers
from pdsim.study.problems import NOTHING, Findings, found, listed, quote, rows_where

DIRECTIONS: Final = ("higher", "lower")
DEFAULT_DOMAIN: Final = "all"
DEFAULT_CASE_GROUP: Final = "cases"
WEIGHT_TOLERANCE: Final = 1e-3
"""Weights may be rounded: their sum may be off by this much; they are then divided by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicators:
    """What is known about the indicators, in their final order.

    Attributes
    ----------
    names, direction, domain, label, case_group : tuple of str
    weight : ndarray (indicator,)
        Sums to 1.
    notes : tuple of str
        What was assumed because it was not stated.
    """

    names: tuple[str, ...]
    direction: tuple[str, ...]
    domain: tuple[str, ...]
    label: tuple[str, ...]
    case_group: tuple[str, ...]
    weight: NDArray[np.float64]
    notes: tuple[str, ...] = ()

    def coords(self) -> dict[str, tuple[str, NDArray[np.generic]]]:
        """Return the coordinates on the dimension ``indicator``."""
        texts = ("direction", "domain", "label", "case_group")
        return {
            "weight": ("indicator", self.weight),
            **{name: ("indicator", np.array(getattr(self, name), dtype=str)) for name in texts},
        }


def indicators_of(
    table: pd.DataFrame | None,
    observed: Sequence[str],
    *,
    weights: Mapping[str, float] | None,
) -> tuple[Indicators | None, Findings]:
    """Return the metadata of the observed indicators.

    Parameters
    ----------
    table : DataFrame or None
        Raw indicator table with canonical column names; its order is kept.
    observed : sequence of str
        Indicators of the data, in order of appearance.
    weights : mapping of indicator to float, optional
        Weights stated outside the table.

    Returns
    -------
    Indicators or None
        None when there are findings.
    Findings
    """
    texts: dict[str, tuple[str, ...]] = {}
    if table is None:
        names, stated, findings = tuple(observed), None, NOTHING
    else:
        names, texts, stated, findings = _table(table)
        if names:
            findings += _membership(table, names, observed)
    if weights is not None:
        if stated is not None:
            findings += found(
                Problem(
                    file=None if table is None else file_of(table),
                    rule="weights are stated twice, in the indicator table and beside it",
                    cure="keep one of the two",
                )
            )
        stated, more = _outside(weights, names)
        findings += more
    weight, more = _weights(stated, names, None if table is None else file_of(table))
    findings += more
    if findings:
        return None, findings
    size = len(names)
    notes = []
    if "direction" not in texts:
        notes.append("Directions were not stated: higher is taken as better for every indicator.")
    if stated is None and size > 1:
        notes.append(f"Weights were not stated: the {size} indicators weigh the same.")
    labels = texts.get("label", names)
    return Indicators(
        names=names,
        direction=texts.get("direction", (DIRECTIONS[0],) * size),
        domain=texts.get("domain", (DEFAULT_DOMAIN,) * size),
        label=tuple(label or name for label, name in zip(labels, names, strict=True)),
        case_group=texts.get("case_group", (DEFAULT_CASE_GROUP,) * size),
        weight=weight,
        notes=tuple(notes),
    ), NOTHING


def _table(
    table: pd.DataFrame,
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]], NDArray[np.float64] | None, Findings]:
    """Return names, texts, weights and findings of an indicator table."""
    file = file_of(table)
    if "indicator" not in table:
        present = [name for name in table.columns if name not in ("file", "row")]
        problem = Problem(
            file=file,
            rule=f"the indicator table has no column 'indicator'; it has {listed(present)}",
            cure="name the column, or map it in [columns]",
        )
        return (), {}, None, found(problem)
    names, findings = coded(table, "indicator")
    repeated = pd.Series(names.codes).duplicated().to_numpy() & (names.codes >= 0)
    findings += rows_where(
        table,
        repeated,
        rule="the indicator stands in the indicator table twice",
        cure="keep one of the rows",
    )
    texts: dict[str, tuple[str, ...]] = {}
    stated = None
    for name in (name for name in METADATA if name in table and name != "weight"):
        text = text_column(table[name])
        if name == "direction":
            text = text.str.casefold()
        findings += _text_rules(table, name, text)
        texts[name] = tuple(str(value) for value in text)
    if "weight" in table:
        values, more = numbers(table, ["weight"])
        findings += more
        weight = values["weight"]
        # a column without a single weight states none
        if more or not np.isnan(weight).all():
            if not more:
                findings += rows_where(
                    table,
                    ~(weight >= 0),
                    rule="the weight must be 0 or more (received {weight})",
                    cure="state a weight for every indicator, or for none",
                )
            stated = weight
    return names.names if len(names.names) == len(table) else (), texts, stated, findings


def _text_rules(table: pd.DataFrame, name: str, text: "pd.Series[str]") -> Findings:
    findings = NOTHING
    if name == "direction":
        findings += rows_where(
            table,
            ~text.isin(DIRECTIONS).to_numpy(),
            rule="the direction must be 'higher' or 'lower' (received {direction})",
            cure="write 'higher' where more is better and 'lower' where less is better",
        )
    if name == "domain":
        findings += rows_where(
            table,
            (text == "").to_numpy(),
            rule="the domain is blank",
            cure="state a domain for every indicator, or remove the column",
        )
    broken = np.array([broken_name(str(value)) is not None for value in text], dtype=bool)
    findings += rows_where(
        table,
        broken,
        rule=f"the {name.replace('_', ' ')} is too long or holds control characters "
        f"(received {{{name}}})",
        cure="give a plain name of at most 200 characters",
    )
    return findings


def _membership(table: pd.DataFrame, names: Sequence[str], observed: Sequence[str]) -> Findings:
    """Report indicators without a description, and descriptions without data."""
    file = file_of(table)
    unknown = [name for name in observed if name not in set(names)]
    idle = [name for name in names if name not in set(observed)]
    return found(
        [
            Problem(
                indicator=name,
                rule="the indicator is in the data but not in the indicator table",
                cure=f"add it to {file or 'the indicator table'}, or correct its name"
                + suggestion(name, names),
            )
            for name in unknown
        ]
        + [
            Problem(
                file=file,
                indicator=name,
                rule="the indicator has no row in the data",
                cure="remove it from the indicator table, or correct its name"
                + suggestion(name, observed),
            )
            for name in idle
        ]
    )


def _outside(
    weights: Mapping[str, float], names: Sequence[str]
) -> tuple[NDArray[np.float64], Findings]:
    problems = [
        Problem(
            indicator=name,
            rule="a weight is stated for an indicator that the study does not have",
            cure="remove it, or correct its name" + suggestion(name, names),
        )
        for name in weights
        if name not in set(names)
    ]
    problems += [
        Problem(
            indicator=name,
            rule="no weight is stated for this indicator",
            cure="state a weight for every indicator (0 is allowed), or for none",
        )
        for name in names
        if name not in weights
    ]
    problems += [
        Problem(
            indicator=name,
            rule=f"the weight must be a number of 0 or more (received {quote(weight)})",
            cure="correct the weight",
        )
        for name, weight in weights.items()
        if not (
            isinstance(weight, int | float | np.number) and math.isfinite(weight) and weight >= 0
        )
    ]
    if problems:
        return np.full(len(names), np.nan), found(problems)
    return np.array([weights[name] for name in names], dtype=np.float64), NOTHING


def _weights(
    stated: object, names: Sequence[str], file: str | None
) -> tuple[NDArray[np.float64], Findings]:
    """Return weights that sum to 1."""
    if stated is None:
        return np.full(len(names), 1.0 / max(len(names), 1)), NOTHING
    weight = np.asarray(stated, dtype=np.float64)
    if not (np.isfinite(weight).all() and (weight >= 0).all()):
        return weight, NOTHING
    total = float(weight.sum())
    if abs(total - 1.0) > WEIGHT_TOLERANCE:
        return weight, found(
            Problem(
                file=file,
                rule=f"the weights must sum to 1 (they sum to {total:.6g})",
                cure=f"divide each by {total:.6g}, or leave all weights out for equal ones"
                if total > 0
                else "leave all weights out for equal ones",
            )
        )
    return weight / total, NOTHING
