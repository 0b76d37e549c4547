"""The indicator table: domain, direction, weight, label and case group of every indicator."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Floats
from pdsim.errors import InputError, suggestion
from pdsim.study.cells import numbers
from pdsim.study.frames import METADATA, coded, file_of, text_column, visible
from pdsim.study.names import broken_name
from pdsim.study.options import StudyOptions
from pdsim.study.plausible import Robustness
from pdsim.study.problems import Findings, listed, quote

DIRECTIONS: Final = ("higher", "lower")
DEFAULT_DOMAIN: Final = "all"
DEFAULT_CASE_GROUP: Final = "cases"
WEIGHT_TOLERANCE: Final = 1e-3
"""Weights may be rounded: a sum that is off by no more is not worth a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicators:
    """What is known about the indicators, in their final order.

    Attributes
    ----------
    names, direction, domain, label, case_group : tuple of str
    weight : ndarray (indicator,)
        Sums to 1.
    """

    names: tuple[str, ...]
    direction: tuple[str, ...]
    domain: tuple[str, ...]
    label: tuple[str, ...]
    case_group: tuple[str, ...]
    weight: Floats

    def coords(self) -> dict[str, tuple[str, NDArray[np.generic]]]:
        """Return the coordinates on the dimension ``indicator``."""
        texts = ("direction", "domain", "label", "case_group")
        return {
            "weight": ("indicator", self.weight),
            **{name: ("indicator", np.array(getattr(self, name), dtype=str)) for name in texts},
        }


def indicators_of(
    table: pd.DataFrame | None, observed: Sequence[str], options: StudyOptions, found: Findings
) -> Indicators | None:
    """Return the metadata of the observed indicators; None where they have problems.

    Parameters
    ----------
    table : DataFrame or None
        Raw indicator table with canonical column names; its order is kept.
    observed : sequence of str
        Indicators of the data, in order of appearance.
    options : StudyOptions
        May state weights outside the table.
    found : Findings
    """
    before = found.count
    texts: dict[str, tuple[str, ...]] = {}
    names, stated, file = tuple(observed), None, None
    if table is not None:
        file = file_of(table)
        names, texts, stated = _table(table, found)
        if names:
            _membership(file, names, observed, found)
    if options.weights is not None:
        if stated is not None:
            found.add(
                "weights are stated twice, in the indicator table and beside it",
                "keep one of the two",
                file=file,
            )
        stated = _outside(options, names, found)
    weight = _weights(stated, names, file, found)
    if found.count > before:
        return None
    size = len(names)
    if "direction" not in texts:
        found.notes.append(
            "Directions were not stated: higher is taken as better for every indicator."
        )
    if stated is None and size > 1:
        found.notes.append(f"Weights were not stated: the {size} indicators weigh the same.")
    labels = texts.get("label", names)
    return Indicators(
        names=names,
        direction=texts.get("direction", (DIRECTIONS[0],) * size),
        domain=texts.get("domain", (DEFAULT_DOMAIN,) * size),
        label=tuple(label or name for label, name in zip(labels, names, strict=True)),
        case_group=texts.get("case_group", (DEFAULT_CASE_GROUP,) * size),
        weight=weight,
    )


def _table(
    table: pd.DataFrame, found: Findings
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]], Floats | None]:
    """Return names, texts and weights of an indicator table."""
    if "indicator" not in table:
        found.add(
            f"the indicator table has no column 'indicator'; it has {listed(visible(table))}",
            "name the column, or map it in [columns]",
            file=file_of(table),
        )
        return (), {}, None
    names = coded(table, "indicator", found)
    found.rows(
        table,
        pd.Series(names.codes).duplicated().to_numpy() & (names.codes >= 0),
        rule="the indicator stands in the indicator table twice",
        cure="keep one of the rows",
    )
    texts: dict[str, tuple[str, ...]] = {}
    for name in (name for name in METADATA if name in table and name != "weight"):
        text = text_column(table[name])
        if name == "direction":
            text = text.str.casefold()
        _text_rules(table, name, text, found)
        texts[name] = tuple(str(value) for value in text)
    whole = len(names.names) == len(table)
    return names.names if whole else (), texts, _weight_column(table, found)


def _weight_column(table: pd.DataFrame, found: Findings) -> Floats | None:
    """Return the column of weights; None where it does not state any."""
    if "weight" not in table:
        return None
    before = found.count
    weight = numbers(table, ["weight"], found).values["weight"]
    if found.count > before:
        return weight
    # a column without a single weight states none
    if np.isnan(weight).all():
        return None
    found.rows(
        table,
        ~(weight >= 0),
        rule="the weight must be 0 or more (received {weight})",
        cure="state a weight for every indicator, or for none",
    )
    return weight


def _text_rules(table: pd.DataFrame, name: str, text: "pd.Series[str]", found: Findings) -> None:
    if name == "direction":
        found.rows(
            table,
            ~text.isin(DIRECTIONS).to_numpy(),
            rule="the direction must be 'higher' or 'lower' (received {direction})",
            cure="write 'higher' where more is better and 'lower' where less is better",
        )
    if name == "domain":
        found.rows(
            table,
            (text == "").to_numpy(),
            rule="the domain is blank",
            cure="state a domain for every indicator, or remove the column",
        )
    found.rows(
        table,
        np.array([broken_name(str(value)) is not None for value in text], dtype=bool),
        rule=f"the {name.replace('_', ' ')} is too long or holds control characters "
        f"(received {{{name}}})",
        cure="give a plain name of at most 200 characters",
    )


def _membership(
    file: str | None, names: Sequence[str], observed: Sequence[str], found: Findings
) -> None:
    """Report indicators without a description, and descriptions without data."""
    described, seen = set(names), set(observed)
    for name in (name for name in observed if name not in described):
        found.add(
            "the indicator is in the data but not in the indicator table",
            f"add it to {file or 'the indicator table'}, or correct its name"
            + suggestion(name, names),
            indicator=name,
        )
    for name in (name for name in names if name not in seen):
        found.add(
            "the indicator has no row in the data",
            "remove it from the indicator table, or correct its name" + suggestion(name, observed),
            file=file,
            indicator=name,
        )


def _outside(options: StudyOptions, names: Sequence[str], found: Findings) -> Floats:
    """Return the weights that are stated beside the indicator table."""
    weights, before = options.weights or {}, found.count
    known = set(names)
    for name in (name for name in weights if name not in known):
        found.add(
            "a weight is stated for an indicator that the study does not have",
            "remove it, or correct its name" + suggestion(name, names),
            indicator=name,
        )
    for name in (name for name in names if name not in weights):
        found.add(
            "no weight is stated for this indicator",
            "state a weight for every indicator (0 is allowed), or for none",
            indicator=name,
        )
    for name, weight in weights.items():
        if not (
            isinstance(weight, int | float | np.number) and math.isfinite(weight) and weight >= 0
        ):
            found.add(
                f"the weight must be a number of 0 or more (received {quote(weight)})",
                "correct the weight",
                indicator=name,
            )
    if found.count > before:
        return np.full(len(names), np.nan)
    return np.array([weights[name] for name in names], dtype=np.float64)


def _weights(
    stated: Floats | None, names: Sequence[str], file: str | None, found: Findings
) -> Floats:
    """Return weights that sum to 1."""
    if stated is None:
        return np.full(len(names), 1.0 / max(len(names), 1))
    if not (np.isfinite(stated).all() and (stated >= 0).all()):
        return stated
    total = float(stated.sum())
    if total <= 0:
        found.add(
            "the weights sum to 0", "state other weights, or leave all of them out", file=file
        )
        return stated
    if abs(total - 1.0) > WEIGHT_TOLERANCE:
        found.notes.append(
            f"The weights sum to {total:.6g}: they are taken as points and divided by their sum."
        )
    return stated / total


def plausible_findings(data: xr.Dataset, stated: Robustness, found: Findings) -> None:
    """Find scales and indicators of ``[robustness]`` that the study does not have."""
    if stated.scales:
        # only here: the scales need SciPy, which takes long to import
        from pdsim.terms.scales import SCALES

        for name in stated.scales:
            try:
                scale = SCALES[name]
            except InputError as error:
                found.take(error.problems)
                continue
            if scale.proportion and "successes" not in data:
                found.add(f"[robustness] scales: {name} needs counts", "remove it")
    if "indicator" not in data.coords:
        return
    names = [str(name) for name in data["indicator"].to_numpy().tolist()]
    groups: Mapping[str, tuple[str, ...]] = {
        "left_out": stated.left_out or (),
        **{f"weights.{key}": tuple(weights) for key, weights in stated.weights.items()},
    }
    for key, said in groups.items():
        for name in (name for name in said if name not in names):
            found.add(
                f"[robustness] {key} names an indicator that the study does not have",
                "remove it, or correct its name" + suggestion(name, names),
                indicator=name,
            )
        own = [name for name in said if name in names]
        if key != "left_out" and own and not sum(stated.weights[key[8:]][name] for name in own):
            found.add(f"[robustness] {key} gives no weight", "state a weight above 0")
