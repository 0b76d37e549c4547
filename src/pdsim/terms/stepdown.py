"""Confidence bounds of ranks by step-down tests of all ordered pairs: array functions."""

from typing import Final

import numpy as np

from pdsim.arraytypes import Bools, Floats, Ints
from pdsim.conventions import CI_PROB
from pdsim.errors import InputError, Problem

RUN: Final = 1000
"""Draws of the runs whose disagreement shows what another seed would change."""

LEAST_DRAWS: Final = 20 * RUN
_MOST_RUNS: Final = 200
_WORK: Final = 300_000_000
"""Differences drawn by default, but never fewer than the least draws."""


def default_draws(size: int) -> int:
    """Return the draws that bounds of so many facilities rest on by default."""
    runs = _WORK // (size * (size - 1) * RUN)
    return int(np.clip(runs, LEAST_DRAWS // RUN, _MOST_RUNS)) * RUN


def draw_normal(covariance: Floats, draws: int, generator: np.random.Generator) -> Floats:
    """Return centred normal draws (draw, facility); the covariance may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.clip(values, 0.0, None))
    return np.asarray(generator.standard_normal((draws, len(covariance))) @ root.T)


def studentised(estimate: Floats, covariance: Floats) -> tuple[Floats, Floats]:
    """Return the differences of all pairs in standard errors, and those, (facility, facility).

    Raises
    ------
    InputError
        If two estimates differ by a constant.
    """
    variances = np.diag(covariance)
    squares = variances + variances[:, np.newaxis] - 2.0 * covariance
    spread = np.sqrt(np.maximum(squares, 0.0))
    np.fill_diagonal(spread, 1.0)
    if (spread <= 0).any():
        raise InputError(Problem(rule="two estimates are perfectly correlated with equal variance"))
    return (estimate[:, np.newaxis] - estimate) / spread, spread


def step_down(
    statistic: Floats, spread: Floats, noise: Floats, family: Bools, coverage: float
) -> tuple[Bools, float]:
    """Return which of the pairs (a, b) of the family have a surely ahead, and the last bound.

    Whatever was rejected no longer counts to the maximum, which lowers the bound for the rest.

    Parameters
    ----------
    statistic, spread : ndarray (facility, facility)
        Studentised differences, a minus b, and what they were divided by.
    noise : ndarray (facility, draw)
    family : ndarray of bool (facility, facility)
    coverage : float

    References
    ----------
    Mogstad, Romano, Shaikh and Wilhelm (2023), doi 10.1093/restud/rdad006.
    """
    from pdsim.terms.loops import largest_differences

    left = family.copy()
    rejected = np.zeros_like(family)
    critical = np.inf
    while left.any():
        first, second = np.nonzero(left)
        largest = largest_differences(noise, first, second, 1.0 / spread[left])
        critical = float(np.quantile(largest, coverage))
        fresh = left & (statistic > critical)
        if not fresh.any():
            break
        rejected |= fresh
        left &= ~fresh
    return rejected, critical


def bounds(ahead: Bools) -> tuple[Ints, Ints]:
    """Return the bounds of the ranks from who is surely ahead of whom."""
    return 1 + ahead.sum(axis=0), len(ahead) - ahead.sum(axis=1)


def rank_bounds(
    estimate: Floats, covariance: Floats, *, seed: int, turned: bool = False
) -> tuple[Ints, Ints]:
    """Return simultaneous bounds of all ranks, lower and upper, (facility,).

    Parameters
    ----------
    estimate : ndarray (facility,)
    covariance : ndarray (facility, facility)
    seed : int
    turned : bool
        Draw the same noise with changed signs: turned estimates then get mirrored bounds.
    """
    size = len(estimate)
    statistic, spread = studentised(estimate, covariance)
    noise = draw_normal(covariance, default_draws(size), np.random.default_rng(seed)).T
    noise = np.ascontiguousarray(-noise if turned else noise)
    every = ~np.eye(size, dtype=bool)
    return bounds(step_down(statistic, spread, noise, every, CI_PROB)[0])
