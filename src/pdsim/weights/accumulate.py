"""Compiled loops that add up ranks and memberships over samples crossed with weights.

The cube sample x weight x facility is never stored: of every block of it only the margins that
probabilities and their errors need are kept.
"""

import numpy as np

from pdsim.arraytypes import Floats, Ints32
from pdsim.jit import compiled
from pdsim.weights.kernels import (
    BLOCK,
    PAIRS_UP_TO,
    block_places,
    linear_scores,
    sort_descending,
    sorting_space,
)


@compiled
def accumulate(
    values: Floats,
    weights: Floats,
    m: int,
    ranks: Floats,
    top_draw: Floats,
    top_weight: Floats,
    bottom_draw: Floats,
    bottom_weight: Floats,
) -> None:
    """Add up ranks and memberships of all samples crossed with all weights.

    Parameters
    ----------
    values : ndarray (sample, facility, indicator)
    weights : ndarray (indicator, weight)
    m : int
    ranks : ndarray (facility, rank), or (0, 0)
        Counts of ranks are added, unless it is empty.
    top_draw, bottom_draw : ndarray (sample, facility)
    top_weight, bottom_weight : ndarray (facility, weight)
        Memberships are added, those of tied facilities in fractions.
    """
    if values.shape[1] <= PAIRS_UP_TO:
        _by_pairs(values, weights, m, ranks, top_draw, top_weight, bottom_draw, bottom_weight)
    else:
        _by_sorting(values, weights, m, ranks, top_draw, top_weight, bottom_draw, bottom_weight)


@compiled
def _by_pairs(
    values: Floats,
    weights: Floats,
    m: int,
    ranks: Floats,
    top_draw: Floats,
    top_weight: Floats,
    bottom_draw: Floats,
    bottom_weight: Floats,
) -> None:
    samples, facilities, _ = values.shape
    number = weights.shape[1]
    scores = np.empty((facilities, BLOCK))
    ahead = np.empty((facilities, BLOCK))
    same = np.empty((facilities, BLOCK))
    for d in range(samples):
        for start in range(0, number, BLOCK):
            width = min(BLOCK, number - start)
            linear_scores(values[d], weights, start, width, scores)
            tied = block_places(scores, width, ahead, same)
            for f in range(facilities):
                before, shared = ahead[f, :width], same[f, :width]
                high = top_weight[f, start : start + width]
                low = bottom_weight[f, start : start + width]
                if ranks.shape[0] > 0:
                    _count_ranks(before, shared, ranks[f])
                top, bottom = 0.0, 0.0
                if tied:
                    for b in range(width):
                        inside = min(max((m - before[b]) / shared[b], 0.0), 1.0)
                        behind = facilities - before[b] - shared[b]
                        outside = min(max((m - behind) / shared[b], 0.0), 1.0)
                        high[b] += inside
                        low[b] += outside
                        top += inside
                        bottom += outside
                else:
                    for b in range(width):
                        inside = 1.0 if before[b] < m else 0.0
                        outside = 1.0 if before[b] >= facilities - m else 0.0
                        high[b] += inside
                        low[b] += outside
                        top += inside
                        bottom += outside
                top_draw[d, f] += top
                bottom_draw[d, f] += bottom


@compiled
def _count_ranks(ahead: Floats, same: Floats, counts: Floats) -> None:
    for b in range(ahead.shape[0]):
        first, shared = int(ahead[b]), int(same[b])
        for rank in range(first, first + shared):
            counts[rank] += 1.0 / shared


@compiled
def _by_sorting(
    values: Floats,
    weights: Floats,
    m: int,
    ranks: Floats,
    top_draw: Floats,
    top_weight: Floats,
    bottom_draw: Floats,
    bottom_weight: Floats,
) -> None:
    samples, facilities, indicators = values.shape
    number = weights.shape[1]
    scores = np.empty(facilities)
    order, spare, keys, fine, coarse = sorting_space(facilities)
    places = np.empty((BLOCK, facilities), np.uint16)
    turned = np.empty((indicators, facilities))
    for d in range(samples):
        for k in range(indicators):
            for f in range(facilities):
                turned[k, f] = values[d, f, k]
        for start in range(0, number, BLOCK):
            width = min(BLOCK, number - start)
            clean = 0
            for w in range(start, start + width):
                _one_score(turned, weights, w, scores)
                if sort_descending(scores, order, spare, keys, fine, coarse):
                    _add_tied(scores, order, m, ranks, top_draw[d], top_weight[:, w], True)
                    _add_tied(scores, order, m, ranks, bottom_draw[d], bottom_weight[:, w], False)
                    continue
                for p in range(m):
                    top_draw[d, order[p]] += 1.0
                    top_weight[order[p], w] += 1.0
                    bottom_draw[d, order[facilities - 1 - p]] += 1.0
                    bottom_weight[order[facilities - 1 - p], w] += 1.0
                row = places[clean]
                for p in range(facilities):
                    row[order[p]] = p
                clean += 1
            if ranks.shape[0] > 0:
                # facility by facility: a row of the counts then stays in the fastest memory
                for f in range(facilities):
                    counts = ranks[f]
                    for b in range(clean):
                        counts[places[b, f]] += 1.0


@compiled
def _one_score(turned: Floats, weights: Floats, w: int, out: Floats) -> None:
    indicators = turned.shape[0]
    fours = indicators - indicators % 4
    out[:] = 0.0
    for k in range(0, fours, 4):
        w0, w1, w2, w3 = weights[k, w], weights[k + 1, w], weights[k + 2, w], weights[k + 3, w]
        v0, v1, v2, v3 = turned[k], turned[k + 1], turned[k + 2], turned[k + 3]
        for f in range(out.shape[0]):
            out[f] += w0 * v0[f] + w1 * v1[f] + w2 * v2[f] + w3 * v3[f]
    for k in range(fours, indicators):
        w0, v0 = weights[k, w], turned[k]
        for f in range(out.shape[0]):
            out[f] += w0 * v0[f]


@compiled
def _add_tied(
    scores: Floats,
    order: Ints32,
    m: int,
    ranks: Floats,
    by_draw: Floats,
    by_weight: Floats,
    top: bool,
) -> None:
    """Add fractions of ranks (once, with the top) and of memberships where facilities tie."""
    number = scores.shape[0]
    first = 0
    for place in range(1, number + 1):
        if place < number and scores[order[place]] == scores[order[first]]:
            continue
        shared = place - first
        before = first if top else number - place
        inside = min(max((m - before) / shared, 0.0), 1.0)
        for p in range(first, place):
            f = order[p]
            by_draw[f] += inside
            by_weight[f] += inside
            if top and ranks.shape[0] > 0:
                for rank in range(first, place):
                    ranks[f, rank] += 1.0 / shared
        first = place
