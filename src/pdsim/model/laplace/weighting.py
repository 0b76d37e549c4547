"""Weights of draws: how far they can be trusted, and draws of equal weight from them."""

from typing import Final

import numpy as np

from pdsim.arraytypes import Floats, Ints

_NO_TAIL: Final = 5.0
"""Weights that are all below this many times their mean have no tail."""


def normalise(log_weight: Floats) -> Floats:
    """Return weights that sum to 1."""
    weight = np.exp(log_weight - np.max(log_weight))
    return weight / weight.sum()


def pareto_k(log_weight: Floats) -> float:
    """Return the shape of a generalised Pareto fitted to the largest weights.

    Zhang and Stephens (2009), doi 10.1198/tech.2009.08017, with the weak prior of Vehtari et al.
    (2024), arXiv 1507.02646. 0 where no weight is far above their mean: no tail to fit.
    """
    n = log_weight.size
    size = int(min(0.2 * n, 3.0 * np.sqrt(n)))
    if size < 5:
        return float("inf")
    ordered = np.sort(np.exp(log_weight - np.max(log_weight)))
    if np.mean(ordered) > 1.0 / _NO_TAIL:
        return 0.0
    tail = ordered[-size:] - ordered[-size - 1]
    if tail[-1] <= 0.0:
        return float("-inf")
    m = 30 + int(np.sqrt(size))
    quarter = max(tail[int(size / 4 + 0.5) - 1], 1e-300)
    b = 1.0 - np.sqrt(m / (np.arange(1, m + 1) - 0.5))
    b = b / (3.0 * quarter) + 1.0 / tail[-1]
    k = np.mean(np.log1p(-b[:, None] * tail), axis=1)
    profile = size * (np.log(-b / k) - k - 1.0)
    weight = normalise(profile)
    best = float(weight @ b)
    shape = float(np.mean(np.log1p(-best * tail)))
    return (size * shape + 5.0) / (size + 10.0)


def systematic(weight: Floats, draws: int, offset: float) -> Ints:
    """Return how many of `draws` equally weighted draws fall to each point."""
    edges = np.floor(np.cumsum(weight) * draws + offset)
    edges[-1] = draws
    return np.diff(edges, prepend=0.0).astype(np.int64)
