"""Exact permutation of facilities between two groups: array functions.

Facilities are permuted, not informants: it is facilities that were chosen, and the informants of
one have much in common.
"""

from itertools import combinations
from math import comb
from typing import Final

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.errors import InputError, Problem

MOST_ASSIGNMENTS: Final = 500_000
"""Ways to choose a group, above which they are not all looked at."""


def least_p(high: int, low: int) -> float:
    """Return the smallest one-sided p that a permutation of facilities can give.

    Examples
    --------
    >>> 1 / least_p(3, 3)
    20.0
    """
    return 1.0 / comb(high + low, high)


def permutation_contrasts(shares: Floats, high: int) -> tuple[Floats, Floats]:
    """Return the contrast of two groups for every way to fill them.

    Parameters
    ----------
    shares : ndarray (theme, facility)
        The first `high` facilities are the observed first group.
    high : int

    Returns
    -------
    observed : ndarray (theme,)
    every : ndarray (assignment, theme)
        The observed assignment is the first.

    Raises
    ------
    InputError
        If there are more than `MOST_ASSIGNMENTS`.
    """
    facilities = shares.shape[1]
    ways = comb(facilities, high)
    if ways > MOST_ASSIGNMENTS:
        raise InputError(
            Problem(
                rule=f"{ways:,} ways to fill the groups are more than the {MOST_ASSIGNMENTS:,} "
                "that are looked at one by one",
                cure="contrast fewer facilities",
            )
        )
    chosen = np.array(list(combinations(range(facilities), high)))
    inside = np.zeros((ways, facilities))
    np.put_along_axis(inside, chosen, 1.0, axis=1)
    weight = inside / high - (1.0 - inside) / (facilities - high)
    every = weight @ shares.T
    return every[0], every


def permutation_p(observed: Floats, every: Floats) -> dict[str, Floats]:
    """Return for each theme the shares of assignments at least as extreme as the observed one.

    Returns
    -------
    dict
        ``p_higher`` and ``p_lower`` (one-sided), ``p_any`` (the largest absolute contrast over
        all themes is at least this one's: looking at many themes is counted in).
    """
    # contrasts that are equal by arithmetic differ by rounding
    slack = 1e-9
    largest = np.abs(every).max(axis=1, keepdims=True)
    return {
        "p_higher": (every >= observed - slack).mean(axis=0),
        "p_lower": (every <= observed + slack).mean(axis=0),
        "p_any": (largest >= np.abs(observed) - slack).mean(axis=0),
    }
