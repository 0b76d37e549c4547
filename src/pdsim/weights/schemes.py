"""Ways to score: each normalisation with each aggregation, ready for the compiled loops."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats
from pdsim.errors import InputError, Problem
from pdsim.jit import compiled
from pdsim.scoring import indicator_values, is_defined, normalise
from pdsim.terms.scales import AGGREGATIONS
from pdsim.weights.samples import Values, as_values
from pdsim.weights.score_kernels import linear_scores

LINEAR, GEOMETRIC, RATIO = 0, 1, 2

_LOG_ZERO: Final = -1e300
"""Stands for log 0: any weight on it makes the composite 0, and no weight leaves it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """One way to score: score = after - before under weights.

    Linear: after . w. Geometric: exp(after . w) - exp(before . w). Ratio: (after . w) / (size
    after . w) - (before . w) / (size before . w).

    Attributes
    ----------
    name : tuple of str
        Normalisation and aggregation.
    kind : int
    after, before : ndarray (sample, facility, indicator)
        `before` has no samples where there is nothing to subtract.
    sizes : ndarray (2, facility, indicator)
        Trials after and before, for ratios.
    """

    name: tuple[str, str]
    kind: int
    after: Floats
    before: Floats
    sizes: Floats


def schemes(
    levels: xr.DataArray,
    normalisations: Sequence[str],
    aggregations: Sequence[str],
    *,
    side: str,
    reference: xr.DataArray | None,
    trials: xr.DataArray | None,
) -> tuple[list[Scheme], Values]:
    """Return all defined pairs of a normalisation and an aggregation, and the labels.

    For the bottom everything is negated, so that the top of what is returned is wanted.

    Raises
    ------
    InputError
        If no pair is defined, or opportunity scores lack trials.
    """
    pairs = [(n, a) for n in normalisations for a in aggregations if is_defined(n, a)]
    if not pairs:
        rule = "no normalisation goes with any aggregation"
        raise InputError(Problem(rule=rule, cure="see pdsim.scoring.is_defined"))
    built = []
    labels = None
    for normalisation in dict.fromkeys(n for n, _ in pairs):
        scaled = normalise(levels, normalisation, reference=reference)
        labels = as_values(indicator_values(scaled))
        for aggregation in (a for n, a in pairs if n == normalisation):
            name = normalisation, aggregation
            built.append(_scheme(scaled, labels, name, side=side, trials=trials))
    assert labels is not None
    return built, labels


def _scheme(
    scaled: xr.DataArray,
    labels: Values,
    name: tuple[str, str],
    *,
    side: str,
    trials: xr.DataArray | None,
) -> Scheme:
    way = AGGREGATIONS[name[1]]
    empty = np.zeros((0, *labels.array.shape[1:]))
    sizes = np.zeros((2, *labels.array.shape[1:]))
    if not (way.geometric or way.by_cases):
        values = labels.array if side == "top" else -labels.array
        return Scheme(name=name, kind=LINEAR, after=values, before=empty, sizes=sizes)
    after = as_values(scaled.isel(period=-1, drop=True)).array
    two = scaled.sizes["period"] == 2
    before = as_values(scaled.isel(period=0, drop=True)).array if two else empty
    kind = GEOMETRIC if way.geometric else RATIO
    if way.geometric:
        with np.errstate(divide="ignore"):
            after = np.maximum(np.log(after), _LOG_ZERO)
            before = np.maximum(np.log(before), _LOG_ZERO)
    if way.by_cases:
        if trials is None:
            raise InputError(Problem(rule="opportunity scores need trials", cure="pass trials"))
        counts = trials.transpose("period", "facility", "indicator").values.astype(float)
        sizes[0], sizes[1] = counts[-1], counts[0]
        after, before = after * sizes[0], before * sizes[1]
    if side == "bottom":
        # the bottom of after - before is the top of before - after
        if not two:
            raise InputError("with one period only arithmetic composites have a bottom here")
        after, before, sizes = before, after, np.ascontiguousarray(sizes[::-1])
    return Scheme(name=name, kind=kind, after=after, before=before, sizes=sizes)


@compiled
def scheme_scores(
    kind: int,
    after: Floats,
    before: Floats,
    sizes: Floats,
    two: bool,
    weights: Floats,
    start: int,
    width: int,
    out: Floats,
    at: int,
    work: Floats,
) -> None:
    """Fill out (facility, width), from `at` on, with one sample's scores; `work` is space."""
    linear_scores(after, weights, start, width, out, at)
    if kind == LINEAR:
        return
    facilities = after.shape[0]
    if kind == GEOMETRIC:
        for f in range(facilities):
            for b in range(width):
                out[f, at + b] = math.exp(out[f, at + b])
    else:
        linear_scores(sizes[0], weights, start, width, work, 0)
        for f in range(facilities):
            for b in range(width):
                out[f, at + b] = out[f, at + b] / work[f, b] if work[f, b] > 0.0 else 0.0
    if not two:
        return
    linear_scores(before, weights, start, width, work, 0)
    if kind == GEOMETRIC:
        for f in range(facilities):
            for b in range(width):
                out[f, at + b] -= math.exp(work[f, b])
        return
    for f in range(facilities):
        for b in range(width):
            total = 0.0
            for k in range(weights.shape[0]):
                total += sizes[1, f, k] * weights[k, start + b]
            out[f, at + b] -= work[f, b] / total if total > 0.0 else 0.0
