r"""Hyperparameters on the real line, their priors, and the covariances that they give.

A standard deviation is :math:`s = f + c\,(-\log\Phi(-x))`, a correlation
:math:`\rho = 2\Phi(x) - 1`. Near 0 the first is about :math:`f + c\,e^{-x^2/2}`, for large x about
:math:`c\,x^2/2`, so that a posterior on x has tails like a normal's: on the scale of log s it has
a long exponential tail towards 0, which no sampler likes.

The effects of a level have, for the logit pair (baseline, endline), the covariance

.. math:: g_{00} = s^2,\quad g_{01} = s^2 + \rho s t,\quad g_{11} = s^2 + 2\rho s t + t^2,
          \quad |G| = s^2 t^2 (1 - \rho^2).

Facilities' effects stand in slot 0, domains' in slot 1, and the cells of indicator k in slot 2 + k:
a standard deviation that all indicators share is one number of x in K slots.
"""

import math
from typing import NamedTuple

import numpy as np

from pdsim.arraytypes import Floats, Ints
from pdsim.jit import compiled, kernel
from pdsim.model.data import ModelData
from pdsim.model.laplace.lanes import clear
from pdsim.priors import CorrelationPrior, PooledScalePrior

CELL = 2
"""Slot of the first indicator's cells."""
_FAMILIES = ("half_normal", "half_cauchy", "half_t", "exponential", "inverse_gamma_variance")
_POOLED = len(_FAMILIES)
CORRELATION = _POOLED + 1
_LOG_2PI = math.log(2.0 * math.pi)
_SLOPE = math.sqrt(2.0 / math.pi)


class Hyper(NamedTuple):
    """Which number of x means what; H hyperparameters.

    Attributes
    ----------
    family : ndarray (H,)
        Index of the prior family of a standard deviation, or of a correlation's LKJ.
    parameter : ndarray (H, 2)
        Scale and shape (or degrees of freedom); LKJ's eta.
    unit : ndarray (H,)
        c; f is c / 50. Unused for correlations.
    place : ndarray (2 + K, 3)
        Where in x the s, t and rho of a slot stand; -1 where they are not there.
    pool : ndarray (pools, 2)
        First and last + 1 of standard deviations that are pooled.
    pool_parameter : ndarray (pools, 4)
        Log of the median, spread, common, degrees of freedom.
    """

    family: Ints
    parameter: Floats
    unit: Floats
    place: Ints
    pool: Ints
    pool_parameter: Floats


def hyper_slices(data: ModelData) -> dict[str, slice]:
    """Return where in x each hyperparameter stands; several numbers where indicators have own."""
    stems = ("sd_baseline", "sd_change", "corr") if data.shape[2] == 2 else ("sd_baseline",)
    slices, first = {}, 0
    for level in data.levels:
        size = data.shape[1] if level == "indicator" and data.own_spread else 1
        for stem in stems:
            slices[f"{stem}_{level}"] = slice(first, first + size)
            first += size
    return slices


def build_hyper(data: ModelData) -> Hyper:
    """Return the layout of the hyperparameters of `data`."""
    slices = hyper_slices(data)
    size = max(part.stop for part in slices.values())
    family, parameter = np.empty(size, np.int64), np.zeros((size, 2))
    unit = np.ones(size)
    pools, pool_parameter = [], []
    for name, part in slices.items():
        if name.startswith("corr_"):
            corr: CorrelationPrior = getattr(data.priors, name)
            family[part], parameter[part, 0] = CORRELATION, corr.eta
            continue
        prior = data.priors.scale(name)
        if isinstance(prior, PooledScalePrior):
            family[part], parameter[part, 0], unit[part] = _POOLED, prior.median, 0.05
            pools.append((part.start, part.stop))
            pool_parameter.append((math.log(prior.median), prior.spread, prior.common, prior.df))
            continue
        family[part] = _FAMILIES.index(prior.family)
        parameter[part] = prior.scale, prior.shape or prior.df or 0.0
        vague = prior.family == "inverse_gamma_variance"
        unit[part] = 0.05 if vague else min(0.05, 0.1 * prior.scale)
    return Hyper(
        family=family,
        parameter=parameter,
        unit=unit,
        place=_place(data, slices),
        pool=np.array(pools, np.int64).reshape(-1, 2),
        pool_parameter=np.array(pool_parameter, np.float64).reshape(-1, 4),
    )


def _place(data: ModelData, slices: dict[str, slice]) -> Ints:
    place = np.full((CELL + data.shape[1], 3), -1, np.int64)
    for level in data.levels:
        slot = {"facility": 0, "domain": 1}.get(level, CELL)
        # the innermost level stands in the slots of the cells
        rows = slice(CELL, None) if level == data.levels[-1] else slice(slot, slot + 1)
        for column, stem in enumerate(("sd_baseline", "sd_change", "corr")):
            part = slices.get(f"{stem}_{level}")
            if part is not None:
                place[rows, column] = np.arange(part.start, part.stop)
    return place


@kernel
def _below(x: float) -> tuple[float, float]:
    """Return log Phi(-x) and the hazard phi(x) / Phi(-x)."""
    if x < 25.0:
        tail = 0.5 * math.erfc(x * math.sqrt(0.5))
        return math.log(tail), math.exp(-0.5 * (x * x + _LOG_2PI)) / tail
    q = 1.0 / (x * x)
    series = 1.0 - q * (1.0 - 3.0 * q * (1.0 - 5.0 * q))
    return -0.5 * (x * x + _LOG_2PI) - math.log(x) + math.log(series), x / series


@kernel
def _log_prior(family: int, scale: float, shape: float, s: float) -> tuple[float, float]:
    """Return the log density of a standard deviation, up to a constant, and its slope."""
    ratio = (s / scale) ** 2
    if family == 0:
        return -0.5 * ratio, -ratio / s
    if family == 1:
        return -math.log1p(ratio), -2.0 * ratio / (s * (1.0 + ratio))
    if family == 2:
        value = -0.5 * (shape + 1.0) * math.log1p(ratio / shape)
        return value, -(shape + 1.0) * ratio / (s * (shape + ratio))
    if family == 3:
        return -s / scale, -1.0 / scale
    if family == 4:
        value = -(2.0 * shape + 1.0) * math.log(s) - scale / (s * s)
        return value, (-(2.0 * shape + 1.0) + 2.0 * scale / (s * s)) / s
    return 0.0, 0.0  # pooled ones are counted together


@kernel
def _pooled(hyper: Hyper, s: Floats, slope: Floats) -> float:
    """Return the log density of the pooled standard deviations among s (H,).

    Adds its slopes in s to `slope` (H,).
    """
    total = 0.0
    for n in range(hyper.pool.shape[0]):
        first, last = hyper.pool[n, 0], hyper.pool[n, 1]
        center, spread = hyper.pool_parameter[n, 0], hyper.pool_parameter[n, 1]
        common, df = hyper.pool_parameter[n, 2], hyper.pool_parameter[n, 3]
        number = last - first
        shared = common / (1.0 + common * number)
        one = two = logs = 0.0
        for j in range(first, last):
            value = math.log(s[j]) - center
            one, two, logs = one + value, two + value * value, logs + math.log(s[j])
        square = (two - shared * one * one) / (spread * spread)
        total -= 0.5 * (df + number) * math.log1p(square / df) + logs
        factor = (df + number) / ((df + square) * spread * spread)
        for j in range(first, last):
            value = math.log(s[j]) - center
            slope[j] -= (factor * (value - shared * one) + 1.0) / s[j]
    return total


@compiled
def natural(
    hyper: Hyper, x: Floats, values: Floats, slopes: Floats, log_prior: Floats, pull: Floats
) -> None:
    """Turn points x (H, lane) into `values` (H, lane) and their log prior density on x (lane,).

    `slopes` (H, lane) are those of the values in x, `pull` (H, lane) those of the log prior.
    """
    sd, inner = np.empty(x.shape[0]), np.empty(x.shape[0])
    for lane in range(x.shape[1]):
        total = 0.0
        for j in range(x.shape[0]):
            point = x[j, lane]
            below, hazard = _below(point)
            density = -0.5 * (point * point + _LOG_2PI)
            scale, shape = hyper.parameter[j, 0], hyper.parameter[j, 1]
            inner[j] = 0.0
            if hyper.family[j] == CORRELATION:
                above, other = _below(-point)
                values[j, lane] = math.erf(point * math.sqrt(0.5))
                slopes[j, lane] = _SLOPE * math.exp(-0.5 * point * point)
                total += (scale - 1.0) * (below + above) + density
                pull[j, lane] = (scale - 1.0) * (other - hazard) - point
            else:
                s = hyper.unit[j] * (0.02 - below)
                values[j, lane] = sd[j] = s
                slopes[j, lane] = hyper.unit[j] * hazard
                value, inner[j] = _log_prior(hyper.family[j], scale, shape, s)
                total += value + density - below
                pull[j, lane] = hazard - point
        total += _pooled(hyper, sd, inner)
        for j in range(x.shape[0]):
            pull[j, lane] += inner[j] * slopes[j, lane]
        log_prior[lane] = total


@kernel
def covariances(hyper: Hyper, values: Floats, out: Floats) -> None:
    """Fill `out` (slot, [g00, g01, g11, det], lane); absent levels are zero."""
    clear(out)
    for slot in range(hyper.place.shape[0]):
        first, second, third = hyper.place[slot]
        if first < 0:
            continue
        for lane in range(values.shape[1]):
            s = values[first, lane]
            out[slot, 0, lane] = s * s
            if second >= 0:
                t, rho = values[second, lane], values[third, lane]
                cross = rho * s * t
                out[slot, 1, lane] = s * s + cross
                out[slot, 2, lane] = s * s + 2.0 * cross + t * t
                out[slot, 3, lane] = (s * t) ** 2 * (1.0 - rho) * (1.0 + rho)


@kernel
def pull_back(hyper: Hyper, values: Floats, slopes: Floats, slot_pull: Floats, out: Floats) -> None:
    """Add to `out` (H, lane) the slopes in x, from those in g00, g01 and g11.

    `slot_pull` (slot, 3, lane) holds the latter, the second for one of the two equal entries.
    """
    for slot in range(hyper.place.shape[0]):
        first, second, third = hyper.place[slot]
        if first < 0:
            continue
        for lane in range(values.shape[1]):
            s = values[first, lane]
            d00 = slot_pull[slot, 0, lane]
            if second < 0:
                out[first, lane] += 2.0 * s * d00 * slopes[first, lane]
                continue
            d01, d11 = 2.0 * slot_pull[slot, 1, lane], slot_pull[slot, 2, lane]
            t, rho = values[second, lane], values[third, lane]
            by_cross = d01 + 2.0 * d11
            by_s = 2.0 * s * (d00 + d01 + d11) + rho * t * by_cross
            out[first, lane] += by_s * slopes[first, lane]
            out[second, lane] += (rho * s * by_cross + 2.0 * t * d11) * slopes[second, lane]
            out[third, lane] += s * t * by_cross * slopes[third, lane]


def natural_values(hyper: Hyper, x: Floats) -> Floats:
    """Return standard deviations and correlations at the points x (n, H)."""
    x = np.ascontiguousarray(x.T)
    values, ignored = np.empty_like(x), np.empty(x.shape[1])
    natural(hyper, x, values, np.empty_like(x), ignored, np.empty_like(x))
    return np.ascontiguousarray(values.T)


def expected_variance(hyper: Hyper, x: Floats) -> Floats:
    """Return sum_L t_L^2 (1 - rho_L^2) at the points x (n, H), by indicator (n, K).

    It is what the baseline leaves open.
    """
    values = natural_values(hyper, x)
    _, t, rho = hyper.place.T
    left = np.where(t >= 0, values[:, t] ** 2 * (1.0 - values[:, rho] ** 2), 0.0)
    variance: Floats = left[:, CELL:] + left[:, :CELL].sum(axis=1, keepdims=True)
    return variance
