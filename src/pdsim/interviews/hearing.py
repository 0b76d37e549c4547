"""How likely a theme is heard, and how likely chance alone divides two groups: exact."""

from typing import Final

import numpy as np
from scipy import stats

from pdsim.arraytypes import Floats

_MOST: Final = 1_000_000


def voices(facilities: int, informants: int, *, prevalence: float, icc: float = 0.0) -> Floats:
    """Return the distribution of the number of informants in a group who voice a theme.

    Parameters
    ----------
    facilities : int
        Facilities of the group.
    informants : int
        Informants of each facility.
    prevalence : float
        Share of informants who would voice the theme.
    icc : float
        Correlation of two informants of one facility (beta-binomial); 0 if independent.

    Returns
    -------
    ndarray (facilities * informants + 1,)
        Probabilities of 0, 1, ... informants.
    """
    count = np.arange(informants + 1)
    if prevalence in (0.0, 1.0):
        one = (count == round(prevalence * informants)).astype(float)
    elif icc == 0.0:
        one = stats.binom.pmf(count, informants, prevalence)
    elif icc == 1.0:
        one = np.zeros(informants + 1)
        one[0], one[-1] = 1.0 - prevalence, prevalence
    else:
        size = 1.0 / icc - 1.0
        one = stats.betabinom.pmf(count, informants, prevalence * size, (1.0 - prevalence) * size)
    total = np.ones(1)
    for _ in range(facilities):
        total = np.convolve(total, one)
    return total


def heard(
    facilities: int, informants: int, *, prevalence: float, times: int, icc: float = 0.0
) -> float:
    """Return P(at least `times` informants of a group voice a theme), see `voices`."""
    return float(voices(facilities, informants, prevalence=prevalence, icc=icc)[times:].sum())


def informants_to_hear(*, prevalence: float, times: int, probability: float) -> int:
    """Return the least number of independent informants that hear a theme often enough.

    Parameters
    ----------
    prevalence : float
        Share of informants who would voice the theme, above 0.
    times : int
        How often it must be heard.
    probability : float
        With what probability.

    Examples
    --------
    >>> informants_to_hear(prevalence=0.10, times=2, probability=0.80)
    29
    """
    low, high = times - 1, max(times, 1)
    while stats.binom.sf(times - 1, high, prevalence) < probability:
        low, high = high, 2 * high
        if high > _MOST:
            return high
    while high - low > 1:
        middle = (low + high) // 2
        if stats.binom.sf(times - 1, middle, prevalence) < probability:
            low = middle
        else:
            high = middle
    return high


def chance_of_split(high: int, low: int, *, themes: int, prevalence: float = 0.5) -> float:
    """Return P(one of so many independent themes divides two groups perfectly, either way).

    Each facility has each theme with probability `prevalence`, whatever group it is in.
    """
    one = prevalence**high * (1.0 - prevalence) ** low
    other = prevalence**low * (1.0 - prevalence) ** high
    return float(-np.expm1(themes * np.log1p(-(one + other))))


def pooled_false_positives(
    high: int,
    low: int,
    *,
    informants: int,
    prevalence: float,
    icc: float,
    level: float = 0.05,
) -> float:
    """Return how often Fisher's test on pooled informants rejects where groups do not differ.

    The test counts informants as if those of one facility had nothing in common; above
    ``icc = 0`` it rejects too often. Two-sided.

    Parameters
    ----------
    high, low : int
        Facilities in each group.
    informants : int
        Informants of each facility.
    prevalence, icc : float
        See `voices`.
    level : float
        Of the test.
    """
    first = voices(high, informants, prevalence=prevalence, icc=icc)
    second = voices(low, informants, prevalence=prevalence, icc=icc)
    n, k = len(first) - 1, len(second) - 1
    total = 0.0
    for voiced in range(n + k + 1):
        x = np.arange(max(0, voiced - k), min(n, voiced) + 1)
        chance = stats.hypergeom.pmf(x, n + k, voiced, n)
        # tables as unlikely as the observed one count too; equal ones differ by rounding
        p = (chance * (chance <= chance[:, np.newaxis] * (1.0 + 1e-7))).sum(axis=1)
        total += float((first[x] * second[voiced - x])[p <= level].sum())
    return total
