"""Counts of cases whose probabilities differ: correlated indicators, visits, a fading observer.

Within-case correlation is a Gaussian copula: indicator k of a case is met when
``lambda_k z + sqrt(1 - lambda_k^2) e_k < Phi^-1(p_k)`` with one z per case. The loading is such
that two indicators of equal adherence have exactly the stated correlation r as 0/1 variables.
Where the cases of a visit are correlated, a part of z is the visit's: its loading is that of two
cases of one visit, and what is left of lambda_k is the case's own.
"""

from functools import lru_cache
from typing import Final

import numpy as np
from scipy.special import ndtr, owens_t

from pdsim.arraytypes import Floats, Ints, Words
from pdsim.jit import compiled
from pdsim.simulation.normal import expit, normal_quantile, to_normal
from pdsim.simulation.philox import fill_uniform, philox, schedule, uniform

_STEP: Final = 1 / 64
_EDGE: Final = 9.0
_NODES = np.arange(-_EDGE, _EDGE + _STEP / 2, _STEP)
_CDF = ndtr(_NODES)
_DENSITY = np.exp(-0.5 * _NODES**2) / np.sqrt(2 * np.pi)
_LOADING_STEP: Final = 1 / 64
_LOADING_EDGE: Final = 8.0


@lru_cache(maxsize=256)
def loading_table(correlation: float) -> Floats:
    """Return loadings on a grid of abs(Phi^-1(p)) that give the binary correlation at equal p.

    The 0/1 correlation is ``(Phi2(a, a; rho) - p^2) / (p q)`` with the bivariate normal
    ``Phi2(a, a; rho) = Phi(a) - 2 T(a, sqrt((1 - rho) / (1 + rho)))``, T being Owen's function
    (Owen 1956, doi 10.1214/aoms/1177728074). It rises with rho, which is found by bisection.

    Parameters
    ----------
    correlation : float
        0 to 0.9.
    """
    a = np.arange(0, _LOADING_EDGE + _LOADING_STEP / 2, _LOADING_STEP)
    if correlation == 0:
        return np.zeros_like(a)
    # the smaller probability keeps its digits in the tail
    p = ndtr(-a)
    low, high = np.zeros_like(a), np.ones_like(a)
    for _ in range(60):
        rho = (low + high) / 2
        joint = p - 2 * owens_t(a, np.sqrt((1 - rho) / (1 + rho)))
        enough = joint - p**2 >= correlation * p * (1 - p)
        high = np.where(enough, rho, high)
        low = np.where(enough, low, rho)
    table: Floats = np.sqrt((low + high) / 2)
    table.setflags(write=False)
    return table


@compiled
def normal_cdf(x: float) -> float:
    """Return the standard normal distribution function, absolute error below 3e-10.

    Cubic Hermite interpolation; Phi is needed once per case and indicator.
    """
    place = (min(max(x, -_EDGE), _EDGE) + _EDGE) / _STEP
    i = min(int(place), _NODES.size - 2)
    t = place - i
    rise = _CDF[i + 1] - _CDF[i]
    left, right = _STEP * _DENSITY[i] - rise, rise - _STEP * _DENSITY[i + 1]
    return float(_CDF[i] + t * rise + t * (1 - t) * ((1 - t) * left + t * right))


@compiled
def _loading(table: Floats, a: float) -> float:
    place = min(abs(a), _LOADING_EDGE) / _LOADING_STEP
    i = min(int(place), table.size - 2)
    return float(table[i] + (place - i) * (table[i + 1] - table[i]))


@compiled
def count_case_by_case(
    key: Words,
    factor_key: Words,
    visit_key: Words,
    numbers: Ints,
    level: Floats,
    trials: Ints,
    loadings: Floats,
    visit_loadings: Floats,
    per_visit: int,
    effect: Floats,
    halving: float,
    scoring: Floats,
    counts: Floats,
) -> None:
    """Fill `counts` (R, F, K, 2); case c of a cell is the same for any number of trials.

    Parameters
    ----------
    key, factor_key, visit_key : ndarray of uint64 (2,)
    numbers : ndarray of int64 (R,)
    level : ndarray (R, F, K, 2)
        True adherence.
    trials : ndarray of int64 (R or 1, F, K, 2)
    loadings : ndarray
        From `loading_table`; zeros for independent indicators.
    visit_loadings : ndarray
        The same for two cases of one visit.
    per_visit : int
        Cases of one visit.
    effect : ndarray (2,)
        Logits added at the first case of each period; halves after every `halving` cases.
    halving : float
    scoring : ndarray (3,)
        Ceiling, sensitivity, specificity.
    counts : ndarray (R, F, K, 2)
    """
    keys, factor_keys, visit_keys = schedule(key), schedule(factor_key), schedule(visit_key)
    _, facilities, indicators, _ = level.shape
    ceiling, sensitivity, specificity = scoring
    false_met, slope = 1.0 - specificity, sensitivity + specificity - 1.0
    within, visited = loadings[0] > 0.0, visit_loadings[0] > 0.0
    correlated = within or visited
    fading = effect[0] != 0.0 or effect[1] != 0.0
    most = trials.max()
    z, work, tails = np.zeros(most), np.empty((2, most)), np.empty(most, dtype=np.int64)
    fade = 0.5 ** (np.arange(most) / halving)
    day = np.zeros((most + per_visit - 1) // per_visit)
    u = np.empty(4)
    for r in range(numbers.size):
        replicate = np.uint64(numbers[r])
        row = r if trials.shape[0] > 1 else 0
        for i in range(facilities):
            for t in range(2):
                longest = trials[row, i, :, t].max()
                if within:
                    fill_uniform(factor_keys, numbers[r], 2 * i + t, z[:longest])
                    to_normal(z[:longest], work, tails)
                if visited:
                    days = (longest + per_visit - 1) // per_visit
                    fill_uniform(visit_keys, numbers[r], 2 * i + t, day[:days])
                    to_normal(day[:days], work, tails)
                for k in range(indicators):
                    p = level[r, i, k, t]
                    a = normal_quantile(p) if correlated else 0.0
                    of_visit = _loading(visit_loadings, a)
                    loading = max(_loading(loadings, a), of_visit)
                    rest = 1.0 / np.sqrt(1.0 - loading * loading)
                    of_case = np.sqrt(loading * loading - of_visit * of_visit)
                    eta = np.log(p / (ceiling - p)) if fading else 0.0
                    cell = np.uint64((i * indicators + k) * 2 + t)
                    met = 0
                    for c in range(trials[row, i, k, t]):
                        if c % 4 == 0:
                            w0, w1, w2, w3 = philox(
                                keys, np.uint64(0), np.uint64(c // 4), cell, replicate
                            )
                            u[0], u[1] = uniform(w0), uniform(w1)
                            u[2], u[3] = uniform(w2), uniform(w3)
                        chance = p
                        if fading:
                            chance = ceiling * expit(eta + effect[t] * fade[c])
                            if correlated:
                                a = normal_quantile(chance)
                        if correlated:
                            shared = of_case * z[c] + of_visit * day[c // per_visit]
                            chance = normal_cdf((a - shared) * rest)
                        met += u[c % 4] < false_met + slope * chance
                    counts[r, i, k, t] = met
