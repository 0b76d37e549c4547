r"""Hyperparameters on the real line, their priors, and the covariances that they give.

A standard deviation is :math:`s = f + c\,(-\log\Phi(-x))`, a correlation
:math:`\rho = 2\Phi(x) - 1`. Near 0 the first is about :math:`f + c\,e^{-x^2/2}`, for large x about
:math:`c\,x^2/2`, so that a posterior on x has tails like a normal's: on the scale of log s it has
a long exponential tail towards 0, which spoils importance sampling.

The effects of a level have, for the logit pair (baseline, endline), the covariance

.. math:: g_{00} = s^2,\quad g_{01} = s^2 + \rho s t,\quad g_{11} = s^2 + 2\rho s t + t^2,
          \quad |G| = s^2 t^2 (1 - \rho^2).
"""

import math
from typing import NamedTuple

import numpy as np

from pdsim.arraytypes import Floats, Ints
from pdsim.jit import compiled, kernel
from pdsim.model.data import ModelData
from pdsim.model.laplace.lanes import clear
from pdsim.priors import ScalePrior

SLOTS = {"facility": 0, "domain": 1, "indicator": 2}
CELL = 2
_FAMILIES = ("half_normal", "half_cauchy", "half_t", "exponential", "inverse_gamma_variance")
CORRELATION = len(_FAMILIES)
_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


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
    slot : ndarray (levels,)
        Slot of each level present: facility block, domain block, cell.
    periods : int
        1 has a standard deviation per level, 2 also that of the change and the correlation.
    """

    family: Ints
    parameter: Floats
    unit: Floats
    slot: Ints
    periods: int


def hyper_names(data: ModelData) -> tuple[str, ...]:
    """Return the names of the hyperparameters, in the order of x."""
    stems = ("sd_baseline", "sd_change", "corr") if data.shape[2] == 2 else ("sd_baseline",)
    return tuple(f"{stem}_{level}" for level in data.levels for stem in stems)


def build_hyper(data: ModelData) -> Hyper:
    """Return the layout of the hyperparameters of `data`."""
    family, parameter, unit = [], [], []
    for name in hyper_names(data):
        prior = getattr(data.priors, name)
        if isinstance(prior, ScalePrior):
            family.append(_FAMILIES.index(prior.family))
            parameter.append((prior.scale, prior.shape or prior.df or 0.0))
            vague = prior.family == "inverse_gamma_variance"
            unit.append(0.05 if vague else min(0.05, 0.1 * prior.scale))
        else:
            family.append(CORRELATION)
            parameter.append((prior.eta, 0.0))
            unit.append(1.0)
    slots = [SLOTS[level] for level in data.levels]
    slots[-1] = CELL  # the innermost level stands in the slot of the cells
    return Hyper(
        family=np.array(family, np.int64),
        parameter=np.array(parameter, np.float64),
        unit=np.array(unit, np.float64),
        slot=np.array(slots, np.int64),
        periods=data.shape[2],
    )


@kernel
def log_normal_tail(x: float) -> float:
    """Return log Phi(-x)."""
    if x < 25.0:
        return math.log(0.5 * math.erfc(x * math.sqrt(0.5)))
    q = 1.0 / (x * x)
    series = 1.0 - q * (1.0 - 3.0 * q * (1.0 - 5.0 * q))
    return -0.5 * x * x - _HALF_LOG_2PI - math.log(x) + math.log(series)


@kernel
def _log_prior(family: int, scale: float, shape: float, s: float) -> float:
    """Return the log density of a standard deviation, up to a constant."""
    if family == 0:
        return -0.5 * (s / scale) ** 2
    if family == 1:
        return -math.log1p((s / scale) ** 2)
    if family == 2:
        return -0.5 * (shape + 1.0) * math.log1p((s / scale) ** 2 / shape)
    if family == 3:
        return -s / scale
    return -(2.0 * shape + 1.0) * math.log(s) - scale / (s * s)


@compiled
def natural(hyper: Hyper, x: Floats, values: Floats, log_prior: Floats) -> None:
    """Turn points x (lane, H) into `values` (lane, H) and their log prior density on x."""
    for lane in range(x.shape[0]):
        total = 0.0
        for j in range(x.shape[1]):
            point = x[lane, j]
            below = log_normal_tail(point)
            density = -0.5 * point * point - _HALF_LOG_2PI
            scale, shape = hyper.parameter[j, 0], hyper.parameter[j, 1]
            if hyper.family[j] == CORRELATION:
                values[lane, j] = math.erf(point * math.sqrt(0.5))
                total += (scale - 1.0) * (below + log_normal_tail(-point)) + density
            else:
                s = hyper.unit[j] * (0.02 - below)
                values[lane, j] = s
                total += _log_prior(hyper.family[j], scale, shape, s) + density - below
        log_prior[lane] = total


@compiled
def covariances(hyper: Hyper, values: Floats, out: Floats) -> None:
    """Fill `out` (slot, [g00, g01, g11, det], lane); absent levels are zero."""
    clear(out)
    stride = 3 if hyper.periods == 2 else 1
    for lane in range(values.shape[0]):
        for level in range(hyper.slot.size):
            slot = hyper.slot[level]
            s = values[lane, stride * level]
            out[slot, 0, lane] = s * s
            if stride == 3:
                t, rho = values[lane, 3 * level + 1], values[lane, 3 * level + 2]
                cross = rho * s * t
                out[slot, 1, lane] = s * s + cross
                out[slot, 2, lane] = s * s + 2.0 * cross + t * t
                out[slot, 3, lane] = (s * t) ** 2 * (1.0 - rho) * (1.0 + rho)


def expected_variance(hyper: Hyper, x: Floats) -> Floats:
    """Return sum_L t_L^2 (1 - rho_L^2) at the points x (n, H): what the baseline leaves open."""
    x = np.ascontiguousarray(x)
    values, ignored = np.empty_like(x), np.empty(len(x))
    natural(hyper, x, values, ignored)
    t, rho = values[:, 1::3], values[:, 2::3]
    return np.sum(t**2 * (1.0 - rho**2), axis=1)
