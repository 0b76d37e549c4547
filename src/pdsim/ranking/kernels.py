"""Compiled loops over draws; imported only where there are enough of them to pay for it."""

import numpy as np
from numpy.typing import NDArray

from pdsim.arraytypes import Floats
from pdsim.jit import compiled

_LANE = 128
"""Draws compared together, so that the comparisons run as vector instructions."""


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


@compiled
def integrate_ranks(mass: Floats, above: Floats) -> Floats:
    """Return rank probabilities (row, facility, rank); see `pdsim.ranking.quadrature`.

    Parameters
    ----------
    mass, above : ndarray (row, node, facility)
    """
    rows, nodes, facilities = mass.shape
    result = np.zeros((rows, facilities, facilities))
    ahead = np.empty(facilities + 1)
    for row in range(rows):
        for node in range(nodes):
            ahead[:] = 0.0
            ahead[0] = 1.0
            for j in range(facilities):
                chance = above[row, node, j]
                for k in range(j + 1, 0, -1):
                    ahead[k] = ahead[k] * (1.0 - chance) + ahead[k - 1] * chance
                ahead[0] *= 1.0 - chance
            for i in range(facilities):
                weight = mass[row, node, i]
                if weight == 0.0:
                    continue
                chance = above[row, node, i]
                part = 0.0
                if chance <= 0.5:
                    for k in range(facilities):
                        part = (ahead[k] - chance * part) / (1.0 - chance)
                        result[row, i, k] += weight * part
                else:
                    for k in range(facilities - 1, -1, -1):
                        part = (ahead[k + 1] - (1.0 - chance) * part) / chance
                        result[row, i, k] += weight * part
    return result


@compiled
def integrate_sets(
    mass: Floats, above: Floats, below: Floats, members: NDArray[np.int64]
) -> Floats:
    """Return set probabilities (row, set); see `pdsim.ranking.quadrature`.

    Parameters
    ----------
    mass, above, below : ndarray (row, node, facility)
    members : ndarray (set, m)
        In rising order.
    """
    rows, nodes, facilities = mass.shape
    sets, m = members.shape
    result = np.zeros((rows, sets))
    # gap[i, j]: product of `below` from i to j - 1, all outsiders between two members
    gap = np.ones((facilities + 1, facilities + 1))
    for row in range(rows):
        for node in range(nodes):
            if mass[row, node].sum() == 0.0:
                continue
            for i in range(facilities):
                for j in range(i, facilities):
                    gap[i, j + 1] = gap[i, j] * below[row, node, j]
            for s in range(sets):
                outside = 1.0
                inside = 1.0
                least = 0.0
                start = 0
                for p in range(m):
                    member = members[s, p]
                    outside *= gap[start, member]
                    # product rule: one member at the node, the others above it
                    least = least * above[row, node, member] + inside * mass[row, node, member]
                    inside *= above[row, node, member]
                    start = member + 1
                result[row, s] += least * outside * gap[start, facilities]
    return result
