r"""Hyperparameters on the real line, their priors, and the covariances that they give.

With :math:`q = 1.5976 x + 0.0706 x^3`, of which :math:`1 / (1 + e^{-q})` is nearly the normal
distribution function of x (Page 1977, doi 10.2307/2346872), a standard deviation is
:math:`s = f + c \log(1 + e^q)` and a correlation :math:`\rho = \tanh(q / 2)`, so that a posterior
on x has tails like a normal's: on the scale of log s it has a long exponential tail towards 0,
which no sampler likes.

The effects of a level have, for the logit pair (baseline, endline), the covariance

.. math:: g_{00} = s^2,\quad g_{01} = s^2 + \rho s t,\quad g_{11} = s^2 + 2\rho s t + t^2,
          \quad |G| = s^2 t^2 (1 - \rho^2).

Facilities' effects stand in slot 0, domains' in slot 1, and the cells of indicator k in slot 2 + k:
a standard deviation that all indicators share is one number of x in K slots.

Where facilities do not have one covariance for all, theirs stand behind the cells: with a standard
deviation of change by arm that of the controls in slot 2 + K and that of the programme after it.
Student-t effects are normal ones with a covariance of each facility's own, :math:`s_i^2 G` in slot
2 + K + i, where :math:`s_i^2 \sim \mathrm{InvGamma}(\nu/2, \nu/2)` (Lange, Little and Taylor
1989, doi 10.1080/01621459.1989.10478852): :math:`s_i` is one more standard deviation.
"""

import math
from typing import NamedTuple

import numpy as np

from pdsim.arraytypes import Floats, Ints
from pdsim.jit import compiled, kernel
from pdsim.model.data import ModelData
from pdsim.model.laplace.elementary import log, logistic, softplus
from pdsim.model.laplace.lanes import LANES, Lanes, add, clear, fill, fma, load, store
from pdsim.priors import CorrelationPrior, PooledScalePrior

CELL = 2
"""Slot of the first indicator's cells."""
FACTOR = "factor_facility"
"""Name of the facilities' own factors of the standard deviations of Student-t effects."""
BY_ARM = "sd_change_facility"
"""Name of the standard deviation that controls and the programme may have apart, in this order."""
_FAMILIES = ("half_normal", "half_cauchy", "half_t", "exponential", "inverse_gamma_variance")
_POOLED = len(_FAMILIES)
CORRELATION = _POOLED + 1
_FACTOR_UNIT = 0.5
"""Makes a factor nearly normal on x for 3 to 10 degrees of freedom."""
_LINEAR, _CUBIC = 1.5976, 0.070566


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
    place : ndarray (slot, 4)
        Where in x the s, t, rho and factor of a slot stand; -1 where they are not there. 2 + K
        slots and those of `own_slots`.
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
    """Return where in x each hyperparameter stands; several where indicators or arms have own."""
    stems = ("sd_baseline", "sd_change", "corr") if data.shape[2] == 2 else ("sd_baseline",)
    slices, first = {}, 0
    for level in data.levels:
        own = data.shape[1] if level == "indicator" and data.own_spread else 1
        for stem in stems:
            name = f"{stem}_{level}"
            size = 2 if name == BY_ARM and data.change_by_arm else own
            slices[name] = slice(first, first + size)
            first += size
    if data.facility_df is not None:
        slices[FACTOR] = slice(first, first + data.shape[0])
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
        if name == FACTOR:
            family[part] = _FAMILIES.index("inverse_gamma_variance")
            parameter[part], unit[part] = 0.5 * (data.facility_df or 0.0), _FACTOR_UNIT
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


def own_slots(data: ModelData) -> Ints:
    """Return the slot of the effects of each facility as a whole (F,): 0 where all have one."""
    behind = CELL + data.shape[1]
    if data.facility_df is not None:
        return behind + np.arange(data.shape[0])
    if data.change_by_arm:
        return behind + data.arm_codes
    return np.zeros(data.shape[0], np.int64)


def _place(data: ModelData, slices: dict[str, slice]) -> Ints:
    own, cells = own_slots(data), CELL + np.arange(data.shape[1])
    place = np.full((max(*own, *cells) + 1, 4), -1, np.int64)
    for level in data.levels:
        # the innermost level stands in the slots of the cells, unless facilities differ in it
        inner = level == data.levels[-1] and not (level == "facility" and own.any())
        rows: Ints = cells if inner else {"facility": own, "domain": np.ones(1, np.int64)}[level]
        for column, stem in enumerate(("sd_baseline", "sd_change", "corr")):
            name = f"{stem}_{level}"
            if name in slices:
                numbers = np.arange(slices[name].start, slices[name].stop)
                apart = name == BY_ARM and data.change_by_arm
                place[rows, column] = numbers[data.arm_codes] if apart else numbers
    if FACTOR in slices:
        place[own, 3] = np.arange(slices[FACTOR].start, slices[FACTOR].stop)
    return place


def inverse_softplus(height: Floats) -> Floats:
    """Return the x at which log(1 + exp q) is `height`."""
    q = height + np.log(-np.expm1(-height))
    bend = math.sqrt(3.0 * _CUBIC / _LINEAR)
    return 2.0 / bend * np.sinh(np.arcsinh(1.5 * bend * q / _LINEAR) / 3.0)


@kernel
def _log_prior(family: int, scale: float, shape: float, s: Lanes) -> tuple[Lanes, Lanes]:
    """Return the log density of a standard deviation, up to a constant, and its slope."""
    ratio = s * s * (1.0 / (scale * scale))
    if family == 0:
        return -0.5 * ratio, -ratio / s
    if family == 1:
        return -log(1.0 + ratio), -2.0 * ratio / (s * (1.0 + ratio))
    if family == 2:
        value = (-0.5 * (shape + 1.0)) * log(1.0 + ratio / shape)
        return value, (-shape - 1.0) * ratio / (s * (shape + ratio))
    if family == 3:
        return s / -scale, fill(-1.0 / scale)
    if family == 4:
        power, spread = 2.0 * shape + 1.0, scale / (s * s)
        return -power * log(s) - spread, (2.0 * spread - power) / s
    return fill(0.0), fill(0.0)  # pooled ones are counted together


@kernel
def _pooled(hyper: Hyper, s: Floats, slope: Floats) -> Lanes:
    """Return the log density of the pooled standard deviations among s (H, lane).

    Adds its slopes in s to `slope` (H, lane).
    """
    total, logs = fill(0.0), np.empty(s.shape)
    for n in range(hyper.pool.shape[0]):
        first, last = hyper.pool[n, 0], hyper.pool[n, 1]
        center, spread = hyper.pool_parameter[n, 0], hyper.pool_parameter[n, 1]
        common, df = hyper.pool_parameter[n, 2], hyper.pool_parameter[n, 3]
        number = last - first
        shared = common / (1.0 + common * number)
        one, two = fill(0.0), fill(0.0)
        for j in range(first, last):
            value = log(load(s, (j,)))
            total = total - value
            value = value - center
            store(logs, (j,), value)
            one, two = one + value, fma(value, value, two)
        square = (two - shared * one * one) / (spread * spread)
        total = total - (0.5 * (df + number)) * log(1.0 + square / df)
        factor = (df + number) / ((df + square) * (spread * spread))
        for j in range(first, last):
            pull = fma(factor, load(logs, (j,)) - shared * one, 1.0)
            add(slope, (j,), -pull / load(s, (j,)))
    return total


@kernel
def natural(
    hyper: Hyper, x: Floats, values: Floats, slopes: Floats, log_prior: Floats, pull: Floats
) -> None:
    """Turn points x (H, lane) into `values` (H, lane) and their log prior density on x (lane,).

    `slopes` (H, lane) are those of the values in x, `pull` (H, lane) those of the log prior.
    """
    total, inner = fill(0.0), np.zeros(x.shape)
    for j in range(x.shape[0]):
        point = load(x, (j,))
        square = point * point
        q = point * fma(_CUBIC, square, _LINEAR)
        speed = fma(3.0 * _CUBIC, square, _LINEAR)
        p, pq = logistic(q)
        height = softplus(q)
        scale, shape = hyper.parameter[j, 0], hyper.parameter[j, 1]
        total = total + log(speed)
        turn = (6.0 * _CUBIC) * point / speed
        if hyper.family[j] == CORRELATION:
            store(values, (j,), 2.0 * p - 1.0)
            store(slopes, (j,), 2.0 * pq * speed)
            total = total + scale * (q - 2.0 * height)
            store(pull, (j,), fma(scale * (1.0 - 2.0 * p), speed, turn))
        else:
            s = hyper.unit[j] * (0.02 + height)
            value, slope = _log_prior(hyper.family[j], scale, shape, s)
            store(values, (j,), s)
            store(inner, (j,), slope)
            store(slopes, (j,), hyper.unit[j] * p * speed)
            total = total + value + q - height
            store(pull, (j,), fma(1.0 - p, speed, turn))
    total = total + _pooled(hyper, values, inner)
    for j in range(x.shape[0]):
        add(pull, (j,), load(inner, (j,)) * load(slopes, (j,)))
    store(log_prior, (), total)


@kernel
def covariances(hyper: Hyper, values: Floats, out: Floats) -> None:
    """Fill `out` (slot, [g00, g01, g11, det], lane); absent levels are zero."""
    clear(out)
    for slot in range(hyper.place.shape[0]):
        first, second, third, factor = hyper.place[slot]
        if first < 0:
            continue
        s = load(values, (first,))
        store(out, (slot, 0), s * s)
        if second >= 0:
            t, rho = load(values, (second,)), load(values, (third,))
            cross = rho * s * t
            store(out, (slot, 1), s * s + cross)
            store(out, (slot, 2), s * s + 2.0 * cross + t * t)
            store(out, (slot, 3), s * s * t * t * (1.0 - rho) * (1.0 + rho))
        if factor >= 0:
            square = load(values, (factor,)) * load(values, (factor,))
            for entry in range(3):
                store(out, (slot, entry), square * load(out, (slot, entry)))
            store(out, (slot, 3), square * square * load(out, (slot, 3)))


@kernel
def pull_back(hyper: Hyper, values: Floats, slopes: Floats, slot_pull: Floats, out: Floats) -> None:
    """Add to `out` (H, lane) the slopes in x, from those in g00, g01 and g11.

    `slot_pull` (slot, 3, lane) holds the latter, the second for one of the two equal entries.
    """
    for slot in range(hyper.place.shape[0]):
        first, second, third, factor = hyper.place[slot]
        if first < 0:
            continue
        s, d00 = load(values, (first,)), load(slot_pull, (slot, 0))
        t, rho, d01, d11 = fill(0.0), fill(0.0), fill(0.0), fill(0.0)
        if second >= 0:
            d01, d11 = 2.0 * load(slot_pull, (slot, 1)), load(slot_pull, (slot, 2))
            t, rho = load(values, (second,)), load(values, (third,))
        if factor >= 0:
            own, cross = load(values, (factor,)), s * (s + rho * t)
            trace = d00 * s * s + d01 * cross + d11 * (2.0 * cross - s * s + t * t)
            add(out, (factor,), 2.0 * own * trace * load(slopes, (factor,)))
            d00, d01, d11 = own * own * d00, own * own * d01, own * own * d11
        if second < 0:
            add(out, (first,), 2.0 * s * d00 * load(slopes, (first,)))
            continue
        by_cross = d01 + 2.0 * d11
        by_s = 2.0 * s * (d00 + d01 + d11) + rho * t * by_cross
        by_t = rho * s * by_cross + 2.0 * t * d11
        add(out, (first,), by_s * load(slopes, (first,)))
        add(out, (second,), by_t * load(slopes, (second,)))
        add(out, (third,), s * t * by_cross * load(slopes, (third,)))


@compiled
def _blocks(
    hyper: Hyper, x: Floats, values: Floats, slopes: Floats, log_prior: Floats, pull: Floats
) -> None:
    """Do `natural` for blocks of eight points, the first axis of every array."""
    for n in range(x.shape[0]):
        natural(hyper, x[n], values[n], slopes[n], log_prior[n], pull[n])


def at_points(hyper: Hyper, x: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return values, their slopes, log prior and its slopes at the points x (n, H)."""
    number, size = x.shape
    blocks = -(-number // LANES)
    turned = np.zeros((blocks * LANES, size))
    turned[:number] = x
    turned = np.ascontiguousarray(turned.reshape(blocks, LANES, size).swapaxes(1, 2))
    values, slopes, pull = (np.empty_like(turned) for _ in range(3))
    log_prior = np.empty((blocks, LANES))
    _blocks(hyper, turned, values, slopes, log_prior, pull)

    def rows(part: Floats) -> Floats:
        return part.swapaxes(1, 2).reshape(-1, size)[:number].copy()

    return rows(values), rows(slopes), log_prior.reshape(-1)[:number], rows(pull)


def natural_values(hyper: Hyper, x: Floats) -> Floats:
    """Return standard deviations and correlations at the points x (n, H)."""
    return at_points(hyper, x)[0]


def expected_variance(data: ModelData, x: Floats, *, as_control: bool = False) -> Floats:
    """Return sum_L t_L^2 (1 - rho_L^2) at the points x (n, H), by facility and indicator.

    It is what the baseline leaves open, with `as_control` to a control; (n, F, K), F = 1 where it
    is the same in all facilities, K = 1 where it is in all indicators.
    """
    slices, values = hyper_slices(data), natural_values(build_hyper(data), x)
    total = np.zeros((len(x), 1, 1))
    for level in data.levels:
        t, rho = values[:, slices[f"sd_change_{level}"]], values[:, slices[f"corr_{level}"]]
        left = t**2 * (1.0 - rho**2)
        if level == "facility":
            if data.change_by_arm:
                left = left[:, np.zeros_like(data.arm_codes) if as_control else data.arm_codes]
            if FACTOR in slices:
                left = values[:, slices[FACTOR]] ** 2 * left
            left = left[:, :, np.newaxis]
        else:
            left = left[:, np.newaxis, :]
        total = total + left
    return total


def control_slope(data: ModelData, x: Floats) -> Floats:
    """Return by how much more a control's change follows a facility's baseline effect (n, F).

    That is rho (t_control - t_own) / s at the points x (n, H), with an SD of change by arm.
    """
    slices, values = hyper_slices(data), natural_values(build_hyper(data), x)
    s, t, rho = (
        values[:, slices[f"{stem}_facility"]] for stem in ("sd_baseline", "sd_change", "corr")
    )
    return np.asarray(rho * (t[:, :1] - t[:, data.arm_codes]) / s)
