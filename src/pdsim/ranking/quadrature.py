"""Exact ranks of independent scores: quadrature over the score, recursion over the others.

P(rank of i is r) is the integral over x of the density of i at x times the probability that
exactly r - 1 of the others lie above x. The latter is a Poisson-binomial probability: the
coefficients of the product over j of (1 - a_j + a_j z), a_j = P(score j > x). The product of all
is built once, and the factor of each i is divided out again.
"""

import numpy as np
from numpy.typing import NDArray

from pdsim.arraytypes import Floats

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(10)
"""Gauss-Legendre rule of a panel, which spans two standard deviations: errors below 1e-8."""

_KERNEL_FROM = 4_000_000
"""Steps of the recursion from which on the compiled kernel is worth its import."""

_BLOCK = 2_000_000
"""Numbers of the recursion held at once."""


def panel_rule(low: Floats, high: Floats, scale: Floats) -> tuple[Floats, Floats]:
    """Return nodes and weights that resolve every score where it has mass.

    Parameters
    ----------
    low, high : ndarray (row, facility)
        Where each score begins and ends, but for a mass below rounding.
    scale : ndarray (row, facility)
        Standard deviations.

    Returns
    -------
    nodes, weights : ndarray (row, node)
        A composite rule; each panel is at most twice as wide as the smallest standard deviation of
        the scores that have mass there. Rows that need fewer panels end with panels of width 0.
    """
    edge, end = low.min(axis=1), high.max(axis=1)
    edges = [edge]
    while (edge < end).any():
        here = (low <= edge[:, np.newaxis]) & (edge[:, np.newaxis] < high)
        width = np.where(here, scale, np.inf).min(axis=1)
        # a panel never runs into a score with a finer scale; between scores it jumps
        ahead = np.where(low > edge[:, np.newaxis], low, np.inf).min(axis=1)
        edge = np.minimum(np.minimum(edge + 2.0 * width, ahead), end)
        edges.append(edge)
    corners = np.stack(edges, axis=1)
    half = 0.5 * np.diff(corners, axis=1)[..., np.newaxis]
    middle = corners[:, :-1, np.newaxis] + half
    rows = len(corners)
    return (middle + half * _NODES).reshape(rows, -1), (half * _WEIGHTS).reshape(rows, -1)


def set_integrals(mass: Floats, above: Floats, below: Floats, members: NDArray[np.int64]) -> Floats:
    """Return the probability of each set of being exactly the top one.

    Parameters
    ----------
    mass, above, below : ndarray (row, facility, node)
        As in `rank_matrix`; `below` is 1 - `above`. For the bottom set, swap the two.
    members : ndarray (set, m)
        Facilities by number, in rising order.

    Returns
    -------
    ndarray (row, set)
        P(the smallest inside > the largest outside), by which member is the smallest.
    """
    rows, facilities, nodes = mass.shape
    if rows * nodes * len(members) >= _KERNEL_FROM:
        from pdsim.ranking.kernels import integrate_sets

        return integrate_sets(_by_node(mass), _by_node(above), _by_node(below), members)
    result = np.empty((rows, len(members)))
    step = max(1, _BLOCK // (rows * nodes))
    for start in range(0, len(members), step):
        block = members[start : start + step]
        outside = np.ones((len(block), facilities), dtype=bool)
        outside[np.arange(len(block))[:, np.newaxis], block] = False
        lower = np.ones((rows, len(block), nodes))
        for j in range(facilities):
            lower *= np.where(outside[:, j, np.newaxis], below[:, j, np.newaxis], 1.0)
        total = np.zeros_like(lower)
        for least in range(block.shape[1]):
            term = mass[:, block[:, least]]
            for other in range(block.shape[1]):
                if other != least:
                    term = term * above[:, block[:, other]]
            total += term
        result[:, start : start + step] = np.einsum("rsn,rsn->rs", total, lower)
    return result


def _by_node(values: Floats) -> Floats:
    """Return (row, facility, node) as contiguous (row, node, facility)."""
    return np.ascontiguousarray(values.transpose(0, 2, 1))


def rank_matrix(mass: Floats, above: Floats) -> Floats:
    """Return the probability of each rank of independent scores.

    Parameters
    ----------
    mass : ndarray (row, facility, node)
        Density times weight: sums to 1 over the nodes.
    above : ndarray (row, facility, node)
        P(score > node).

    Returns
    -------
    ndarray (row, facility, rank)
    """
    rows, facilities, nodes = mass.shape
    if mass.size * facilities >= _KERNEL_FROM:
        from pdsim.ranking.kernels import integrate_ranks

        return np.asarray(np.clip(integrate_ranks(_by_node(mass), _by_node(above)), 0.0, None))
    result = np.zeros((rows, facilities, facilities))
    by_row = max(1, _BLOCK // (facilities * nodes))
    by_node = max(1, _BLOCK // (facilities * min(rows, by_row)))
    for row in range(0, rows, by_row):
        for node in range(0, nodes, by_node):
            part = (slice(row, row + by_row), slice(None), slice(node, node + by_node))
            result[row : row + by_row] += _ranks_of_block(mass[part], above[part])
    return result


def _ranks_of_block(mass: Floats, above: Floats) -> Floats:
    rows, facilities, nodes = mass.shape
    ahead = np.zeros((rows, facilities + 1, nodes))
    ahead[:, 0] = 1.0
    for j in range(facilities):
        chance = above[:, j, np.newaxis]
        ahead[:, 1 : j + 2] = ahead[:, 1 : j + 2] * (1.0 - chance) + ahead[:, : j + 1] * chance
        ahead[:, 0] *= 1.0 - above[:, j]
    # dividing a factor out is stable from the end that has the larger coefficient of the two
    rising = above <= 0.5
    larger = np.where(rising, 1.0 - above, above)
    ratio = (1.0 - larger) / larger
    scaled = mass / larger
    from_low, from_high = np.where(rising, scaled, 0.0), np.where(rising, 0.0, scaled)
    up, down = np.zeros_like(mass), np.zeros_like(mass)
    low, high = np.empty((2, rows, facilities, facilities))
    for step in range(facilities):
        up = ahead[:, np.newaxis, step] - ratio * up
        down = ahead[:, np.newaxis, facilities - step] - ratio * down
        low[:, :, step] = np.einsum("rfn,rfn->rf", from_low, up)
        high[:, :, facilities - 1 - step] = np.einsum("rfn,rfn->rf", from_high, down)
    return np.clip(low + high, 0.0, None)
