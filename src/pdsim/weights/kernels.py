"""Compiled kernels: scores under many weight vectors at once, and places with ties.

A block is (facility, weight), so that the inner loops run over weights and vectorise. A
facility's place is two numbers: how many are ahead of it, and how many share its place (itself
included); ranks, memberships and their fractions at ties follow from these.
"""

from typing import Final

import numpy as np

from pdsim.arraytypes import Floats, Ints32, Words32
from pdsim.jit import compiled

BLOCK: Final = 64
"""Weight vectors taken together."""

PAIRS_UP_TO: Final = 64
"""Facilities up to which comparing all pairs beats sorting."""

CELLS: Final = 2048
_SHIFT: Final = np.uint32(11)
_MASK: Final = np.uint32(CELLS - 1)
_LARGEST_KEY: Final = float(CELLS * CELLS - 1)


@compiled
def linear_scores(values: Floats, weights: Floats, start: int, width: int, out: Floats) -> None:
    """Fill out (facility, width) with values (facility, indicator) @ weights[:, start:]."""
    facilities, indicators = values.shape
    fours = indicators - indicators % 4
    for f in range(facilities):
        row = out[f, :width]
        row[:] = 0.0
        for k in range(0, fours, 4):
            v0, v1, v2, v3 = values[f, k], values[f, k + 1], values[f, k + 2], values[f, k + 3]
            w0 = weights[k, start : start + width]
            w1 = weights[k + 1, start : start + width]
            w2 = weights[k + 2, start : start + width]
            w3 = weights[k + 3, start : start + width]
            for b in range(width):
                row[b] += v0 * w0[b] + v1 * w1[b] + v2 * w2[b] + v3 * w3[b]
        for k in range(fours, indicators):
            v0 = values[f, k]
            w0 = weights[k, start : start + width]
            for b in range(width):
                row[b] += v0 * w0[b]


@compiled
def block_places(scores: Floats, width: int, ahead: Floats, same: Floats) -> bool:
    """Fill ahead and same (facility, width); return whether any two facilities tie."""
    if scores.shape[0] <= PAIRS_UP_TO:
        return _places_by_pairs(scores, width, ahead, same)
    return _places_by_sorting(scores, width, ahead, same)


@compiled
def _places_by_pairs(scores: Floats, width: int, ahead: Floats, same: Floats) -> bool:
    facilities = scores.shape[0]
    ahead[:, :width] = 0.0
    same[:, :width] = 1.0
    for f in range(facilities):
        mine, count = scores[f, :width], ahead[f, :width]
        for g in range(f + 1, facilities):
            other, counts = scores[g, :width], ahead[g, :width]
            for b in range(width):
                count[b] += 1.0 if other[b] > mine[b] else 0.0
                counts[b] += 1.0 if mine[b] > other[b] else 0.0
    pairs = 0.5 * facilities * (facilities - 1)
    tied = False
    for b in range(width):
        total = 0.0
        for f in range(facilities):
            total += ahead[f, b]
        if total != pairs:
            tied = True
            for f in range(facilities):
                for g in range(facilities):
                    if g != f and scores[g, b] == scores[f, b]:
                        same[f, b] += 1.0
    return tied


@compiled
def _places_by_sorting(scores: Floats, width: int, ahead: Floats, same: Floats) -> bool:
    facilities = scores.shape[0]
    values = np.empty(facilities)
    order, spare, keys, fine, coarse = sorting_space(facilities)
    tied = False
    for b in range(width):
        for f in range(facilities):
            values[f] = scores[f, b]
        if not sort_descending(values, order, spare, keys, fine, coarse):
            for place in range(facilities):
                ahead[order[place], b] = place
                same[order[place], b] = 1.0
            continue
        tied = True
        first = 0
        for place in range(1, facilities + 1):
            if place == facilities or values[order[place]] != values[order[first]]:
                for p in range(first, place):
                    ahead[order[p], b] = first
                    same[order[p], b] = place - first
                first = place
    return tied


@compiled
def sorting_space(number: int) -> tuple[Ints32, Ints32, Words32, Ints32, Ints32]:
    """Return the work arrays of `sort_descending` for `number` values."""
    return (
        np.empty(number, np.int32),
        np.empty(number, np.int32),
        np.empty(number, np.uint32),
        np.empty(CELLS, np.int32),
        np.empty(CELLS, np.int32),
    )


@compiled
def sort_descending(
    values: Floats, order: Ints32, spare: Ints32, keys: Words32, fine: Ints32, coarse: Ints32
) -> bool:
    """Fill `order` with the indices of the values, largest first; return whether any tie.

    Two radix passes over 22 bits of a linear map of the values leave in disorder only values
    closer than 2^-22 of the range; insertion puts those right. Four times as fast as a
    comparison sort of 2,000 values.
    """
    number = values.shape[0]
    low, high = values[0], values[0]
    for f in range(number):
        low, high = min(low, values[f]), max(high, values[f])
    scale = _LARGEST_KEY / (high - low) if high > low else 0.0
    fine[:] = 0
    coarse[:] = 0
    for f in range(number):
        # the product may round up to one beyond the largest key
        key = np.uint32(min((high - values[f]) * scale, _LARGEST_KEY))
        keys[f] = key
        fine[key & _MASK] += 1
        coarse[key >> _SHIFT] += 1
    begin, start = 0, 0
    for c in range(CELLS):
        fine[c], begin = begin, begin + fine[c]
        coarse[c], start = start, start + coarse[c]
    for f in range(number):
        cell = keys[f] & _MASK
        spare[fine[cell]] = f
        fine[cell] += 1
    for p in range(number):
        cell = keys[spare[p]] >> _SHIFT
        order[coarse[cell]] = spare[p]
        coarse[cell] += 1
    return _insert(values, order)


@compiled
def _insert(values: Floats, order: Ints32) -> bool:
    tied = False
    smallest = values[order[0]]
    for p in range(1, order.shape[0]):
        f = order[p]
        value = values[f]
        if value < smallest:
            smallest = value
            continue
        q = p
        while q > 0 and values[order[q - 1]] < value:
            order[q] = order[q - 1]
            q -= 1
        order[q] = f
        tied = tied or (q > 0 and values[order[q - 1]] == value)
    return tied
