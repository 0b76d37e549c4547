"""What is true: adherence of every facility, indicator and period, replicate by replicate."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pdsim.simulation.philox import Seed, fill_normal, stream_key
from pdsim.simulation.scenario import Scenario

type Floats = NDArray[np.float64]

_FACILITY, _DOMAIN, _INDICATOR, _ALPHA, _BETA, _HETEROGENEITY, _TREND = range(7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """True values of R replicates.

    Attributes
    ----------
    level : ndarray (R, F, K, T)
        Counts: adherence, 0 to 1, T = 2. Normal data: true values, K = T = 1.
    trend : ndarray (R, F, K)
        Part of the endline logit that is secular trend; zeros for normal data.
    """

    level: Floats
    trend: Floats


def domain_of(scenario: Scenario) -> NDArray[np.int64]:
    """Return the domain 0..D-1 of each indicator: even blocks, in order."""
    return np.arange(scenario.indicators) * scenario.domains // scenario.indicators


def draw_truth(scenario: Scenario, replicates: range, seed: Seed) -> Truth:
    """Draw the truths of some replicates; each depends on its own number alone."""
    key = stream_key(scenario.truth_key, "truth", seed)
    numbers = np.arange(replicates.start, replicates.stop, replicates.step, dtype=np.int64)
    if scenario.kind == "normal":
        return _draw_normal(scenario, numbers, key)
    facilities, indicators = scenario.facilities, scenario.indicators
    offset, trend = _offsets(scenario)
    level = np.empty((numbers.size, facilities, indicators, 2))
    trends = np.empty((numbers.size, facilities, indicators))
    between = (
        scenario.sd_alpha,
        scenario.sd_beta,
        scenario.heterogeneity,
        scenario.sd_secular_trend,
    )
    _truth_kernel(
        key,
        numbers,
        offset,
        trend,
        _effect_sizes(scenario),
        np.array(between),
        domain_of(scenario),
        scenario.ceiling,
        level,
        trends,
    )
    return Truth(level=level, trend=trends)


def _draw_normal(scenario: Scenario, numbers: NDArray[np.int64], key: NDArray[np.uint64]) -> Truth:
    facilities = scenario.facilities
    shift = np.zeros(facilities)
    shift[: len(scenario.outlying)] = scenario.outlying
    theta = np.empty((numbers.size, facilities))
    if scenario.means is None:
        _normal_rows(key, numbers, _FACILITY, theta)
        theta *= scenario.sd_change_facility
    else:
        theta[:] = scenario.means
    theta += shift
    return Truth(level=theta[:, :, None, None], trend=np.zeros((numbers.size, facilities, 1)))


def _offsets(scenario: Scenario) -> tuple[Floats, Floats]:
    """Return the logits of facilities without drawn effects (F, K, 2), and the trend (K,)."""
    facilities, indicators, ceiling = scenario.facilities, scenario.indicators, scenario.ceiling

    def logit(level: Floats) -> Floats:
        return np.log(level / (ceiling - level))

    trend = np.zeros(indicators)
    if scenario.levels is not None:
        offset = np.repeat(logit(np.array(scenario.levels))[:, None, :], indicators, axis=1)
        if scenario.secular_trend:
            # the stated endline holds the trend already
            endline = np.array(scenario.levels)[:, 1].mean()
            trend[:] = logit(endline) - logit(endline - scenario.secular_trend / 100)
    else:
        base = np.broadcast_to(np.asarray(scenario.baseline_level, dtype=float), indicators)
        gain = np.broadcast_to(np.asarray(scenario.improvement, dtype=float), indicators) / 100
        with_trend = base + gain + scenario.secular_trend / 100
        offset = np.empty((facilities, indicators, 2))
        offset[:, :, 0] = logit(base)
        offset[:, :, 1] = logit(with_trend)
        trend = logit(with_trend) - logit(base + gain)
    offset[: len(scenario.outlying), :, 1] += np.array(scenario.outlying)[:, None]
    return offset, trend


def _effect_sizes(scenario: Scenario) -> Floats:
    """Return (level, [sd of baseline, sd of change, correlation]); absent levels are zero."""
    sizes = np.zeros((3, 3))
    for row, level in enumerate(("facility", "domain", "indicator")):
        if level in scenario.effect_levels:
            names = (f"sd_baseline_{level}", f"sd_change_{level}", f"corr_{level}")
            sizes[row] = [getattr(scenario, name) for name in names]
    return sizes


@njit(cache=True, nogil=True)
def _normal_rows(key, numbers, component, out):  # type: ignore[no-untyped-def]
    for r in range(numbers.size):
        fill_normal(key, numbers[r], component, out[r])


@njit(cache=True, nogil=True)
def _pairs(key, number, component, size, z):  # type: ignore[no-untyped-def]
    """Fill z (cells, 2) with (baseline, change) effects of one level; zeros if it has none."""
    if size[0] == 0.0 and size[1] == 0.0:
        z[:] = 0.0
        return
    fill_normal(key, number, component, z.reshape(z.size))
    rest = np.sqrt(1.0 - size[2] * size[2])
    for i in range(z.shape[0]):
        change = size[1] * (size[2] * z[i, 0] + rest * z[i, 1])
        z[i, 0] *= size[0]
        z[i, 1] = change


@njit(cache=True, nogil=True)
def _vector(key, number, component, scale, out):  # type: ignore[no-untyped-def]
    if scale == 0.0:
        out[:] = 0.0
        return
    fill_normal(key, number, component, out)
    for i in range(out.size):
        out[i] *= scale


@njit(cache=True, nogil=True)
def _truth_kernel(  # type: ignore[no-untyped-def]
    key, numbers, offset, trend, sizes, between, domain, ceiling, level, trends
):
    facilities, indicators = offset.shape[0], offset.shape[1]
    domains = domain[-1] + 1
    facility = np.empty((facilities, 2))
    in_domain = np.empty((facilities * domains, 2))
    in_indicator = np.empty((facilities * indicators, 2))
    alpha, beta, factor = np.empty(indicators), np.empty(indicators), np.empty(indicators)
    drift = np.empty(facilities)
    for r in range(numbers.size):
        number = numbers[r]
        _pairs(key, number, _FACILITY, sizes[0], facility)
        _pairs(key, number, _DOMAIN, sizes[1], in_domain)
        _pairs(key, number, _INDICATOR, sizes[2], in_indicator)
        _vector(key, number, _ALPHA, between[0], alpha)
        _vector(key, number, _BETA, between[1], beta)
        _vector(key, number, _HETEROGENEITY, between[2], factor)
        _vector(key, number, _TREND, between[3], drift)
        for k in range(indicators):
            factor[k] = np.exp(factor[k])
        for i in range(facilities):
            for k in range(indicators):
                d = i * domains + domain[k]
                c = i * indicators + k
                before = factor[k] * (facility[i, 0] + in_domain[d, 0] + in_indicator[c, 0])
                change = factor[k] * (facility[i, 1] + in_domain[d, 1] + in_indicator[c, 1])
                eta_0 = offset[i, k, 0] + alpha[k] + before
                eta_1 = offset[i, k, 1] + alpha[k] + beta[k] + before + change + drift[i]
                level[r, i, k, 0] = ceiling / (1.0 + np.exp(-eta_0))
                level[r, i, k, 1] = ceiling / (1.0 + np.exp(-eta_1))
                trends[r, i, k] = trend[k] + drift[i]
