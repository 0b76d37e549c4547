"""Compiled loops over draws; imported only where there are enough of them to pay for it."""

from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

type Floats = NDArray[np.float64]

_LANE = 128
"""Draws compared together, so that the comparisons run as vector instructions."""


def compiled[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` on its first call, keep the machine code, and run it without the GIL."""
    made: Callable[P, R] = njit(cache=True, nogil=True)(function)
    return made


@compiled
def count_ranks(values: Floats) -> Floats:
    """Count ranks (batch, facility, rank) of draws (batch, draw, facility); ties share them."""
    batch, draws, facilities = values.shape
    counts = np.zeros((batch, facilities, facilities))
    lane = np.zeros((facilities, _LANE))
    ahead = np.zeros((facilities, _LANE), dtype=np.int32)
    tied = np.zeros((facilities, _LANE), dtype=np.int32)
    shared = np.zeros((facilities, facilities, facilities + 1))
    untied = facilities * (facilities - 1) // 2
    for b in range(batch):
        ties = False
        for start in range(0, draws, _LANE):
            size = min(_LANE, draws - start)
            for s in range(size):
                for i in range(facilities):
                    lane[i, s] = values[b, start + s, i]
            _count_ahead(lane, ahead)
            total = 0
            for i in range(facilities):
                for s in range(size):
                    total += ahead[i, s]
            if total == untied * size:
                for i in range(facilities):
                    for s in range(size):
                        counts[b, i, ahead[i, s]] += 1.0
            else:
                # by number ahead and number tied; shared out over the ranks once, at the end
                ties = True
                _count_tied(lane, tied)
                for i in range(facilities):
                    for s in range(size):
                        shared[i, ahead[i, s], tied[i, s]] += 1.0
        if ties:
            _share_out(shared, counts[b])
    return counts


@compiled
def _count_ahead(lane: Floats, ahead: NDArray[np.int32]) -> None:
    """Count, for each facility of each draw in the lane, how many are ahead of it."""
    facilities = lane.shape[0]
    ahead[:] = 0
    for i in range(facilities):
        for j in range(i + 1, facilities):
            for s in range(_LANE):
                ahead[i, s] += np.int32(lane[j, s] > lane[i, s])
                ahead[j, s] += np.int32(lane[i, s] > lane[j, s])


@compiled
def _count_tied(lane: Floats, tied: NDArray[np.int32]) -> None:
    """Count, for each facility of each draw in the lane, how many share its place."""
    facilities = lane.shape[0]
    tied[:] = 1
    for i in range(facilities):
        for j in range(i + 1, facilities):
            for s in range(_LANE):
                equal = np.int32(lane[j, s] == lane[i, s])
                tied[i, s] += equal
                tied[j, s] += equal


@compiled
def _share_out(shared: Floats, counts: Floats) -> None:
    """Add counts by (facility, ahead, tied) to counts by (facility, rank), and clear them."""
    facilities = counts.shape[0]
    for i in range(facilities):
        for ahead in range(facilities):
            for tied in range(1, facilities - ahead + 1):
                share = shared[i, ahead, tied] / tied
                if share > 0.0:
                    shared[i, ahead, tied] = 0.0
                    for r in range(ahead, ahead + tied):
                        counts[i, r] += share
