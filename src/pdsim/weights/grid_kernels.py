"""Compiled sums over the crossed grid: samples x weights x ways to score x left-out indicator.

For an analysis of variance only margins and their squares are needed. A block of weights is
scored under every choice, its squared margins over the choices are added up, and the block is
forgotten.
"""

from typing import Final

import numpy as np

from pdsim.arraytypes import Floats, Ints, Words
from pdsim.jit import compiled
from pdsim.weights.schemes import scheme_scores
from pdsim.weights.score_kernels import BLOCK, block_places
from pdsim.weights.set_kernels import MOST_TIED, block_keys, find_key, key_table, spread_sets

LANES: Final = 16
"""Columns of weights that a processor takes at once; fewer cost as much, one by one more."""


@compiled
def score_block(
    kinds: Ints,
    after: Floats,
    before: Floats,
    sizes: Floats,
    two: bool,
    d: int,
    scheme: int,
    weights: Floats,
    start: int,
    width: int,
    scores: Floats,
    work: Floats,
    ahead: Floats,
    same: Floats,
) -> bool:
    """Fill the places of one sample under one way to score; return whether any tie."""
    # a way to score that subtracts nothing has no samples in `before`
    first = before[scheme, d] if two else after[scheme, d]
    scheme_scores(
        kinds[scheme],
        after[scheme, d],
        first,
        sizes[scheme],
        two,
        weights,
        start,
        width,
        scores,
        work,
    )
    return block_places(scores, width, ahead, same)


@compiled
def add_cells(
    kinds: Ints,
    after: Floats,
    before: Floats,
    sizes: Floats,
    two: bool,
    samples: Ints,
    weights: Floats,
    number: int,
    m: int,
    keys: Words,
    known: Words,
    margins: Ints,
    by_draw: Floats,
    by_weight: Floats,
    squares: Floats,
) -> None:
    """Add one group of samples crossed with one group of weights.

    Parameters
    ----------
    kinds : ndarray (scheme,)
    after, before : ndarray (scheme, sample, facility, indicator)
    sizes : ndarray (scheme, 2, facility, indicator)
    two : bool
        Whether `before` is to be subtracted.
    samples : ndarray
        First and last sample (exclusive) of the group.
    weights : ndarray (left_out, indicator, column)
        A multiple of `LANES` columns.
    number : int
        Columns that count; those after them only fill up.
    m : int
    keys : ndarray (facility,)
    known : ndarray (set,)
        Listed sets; all others are one more.
    margins : ndarray (margin, choice)
        For each subset of the choice factors the level of each choice; the last tells all apart.
    by_draw : ndarray (sample of the group, choice, outcome)
    by_weight : ndarray (choice, outcome, column)
        Outcomes are facilities' memberships, then listed sets, then the other sets.
    squares : ndarray (margin, outcome)
        Sums over samples and weights of squared sums over the choices of a level.
    """
    facilities = after.shape[2]
    outcomes = squares.shape[1]
    choices = margins.shape[1]
    left_outs = weights.shape[0]
    columns = weights.shape[2]
    scores, work = np.empty((facilities, BLOCK)), np.empty((facilities, BLOCK))
    ahead, same = np.empty((facilities, BLOCK)), np.empty((facilities, BLOCK))
    room = min(BLOCK, columns)
    inside = np.empty((choices, facilities, room))
    level_sums, each = np.empty((choices, BLOCK)), np.empty(BLOCK)
    found, which = np.empty(MOST_TIED, np.uint64), np.empty(m, np.int64)
    whole = np.empty(BLOCK, np.uint64)
    table = key_table(known)
    # sets of a block: for every choice and weight the places and shares of the sets it may be
    places = np.empty((choices, room), np.int64)
    spread = np.zeros((outcomes - facilities, room * choices))
    counts = np.zeros((choices, outcomes - facilities))
    for d in range(samples[0], samples[1]):
        for start in range(0, columns, BLOCK):
            wide = min(BLOCK, columns - start)
            width = min(wide, number - start)
            any_tie = False
            for c in range(choices):
                scheme, left = c // left_outs, c % left_outs
                tied = score_block(
                    kinds, after, before, sizes, two, d, scheme,
                    weights[left], start, wide, scores, work, ahead, same,
                )  # fmt: skip
                any_tie = any_tie or tied
                _memberships(ahead, same, wide, tied, m, inside[c])
                inside[c, :, width:wide] = 0.0
                for f in range(facilities):
                    row, sums = inside[c, f, :wide], by_weight[c, f, start : start + wide]
                    total = 0.0
                    for b in range(wide):
                        sums[b] += row[b]
                        total += row[b]
                    by_draw[d - samples[0], c, f] += total
                if tied:
                    for b in range(width):
                        count = spread_sets(ahead, same, b, m, keys, found, which)
                        places[c, b] = -1
                        for q in range(outcomes - facilities):
                            spread[q, c * room + b] = 0.0
                        if count == 0:
                            spread[outcomes - facilities - 1, c * room + b] = 1.0
                        for i in range(count):
                            at = find_key(table, known, found[i])
                            spread[at, c * room + b] += 1.0 / count
                else:
                    block_keys(ahead, width, m, keys, whole)
                    for b in range(width):
                        places[c, b] = find_key(table, known, whole[b])
                _add_sets(
                    places[c], spread[:, c * room : (c + 1) * room], width,
                    by_draw[d - samples[0], c, facilities:], by_weight[c, facilities:], start,
                )  # fmt: skip
            for margin in range(margins.shape[0]):
                _square_memberships(
                    inside, margins[margin], wide, level_sums, each, squares[margin]
                )
            _square_sets(places, spread, margins, width, any_tie, facilities, counts, squares)


@compiled
def _memberships(ahead: Floats, same: Floats, width: int, tied: bool, m: int, out: Floats) -> None:
    for f in range(ahead.shape[0]):
        before, shared, row = ahead[f, :width], same[f, :width], out[f, :width]
        if tied:
            for b in range(width):
                row[b] = min(max((m - before[b]) / shared[b], 0.0), 1.0)
        else:
            for b in range(width):
                row[b] = 1.0 if before[b] < m else 0.0


@compiled
def _add_sets(
    places: Ints, spread: Floats, width: int, by_draw: Floats, by_weight: Floats, start: int
) -> None:
    for b in range(width):
        if places[b] >= 0:
            by_draw[places[b]] += 1.0
            by_weight[places[b], start + b] += 1.0
        else:
            for q in range(spread.shape[0]):
                by_draw[q] += spread[q, b]
                by_weight[q, start + b] += spread[q, b]


@compiled
def _square_memberships(
    inside: Floats, level: Ints, wide: int, sums: Floats, each: Floats, squares: Floats
) -> None:
    choices, facilities, _ = inside.shape
    levels = level.max() + 1
    for f in range(facilities):
        each[:wide] = 0.0
        if levels == choices:
            for c in range(choices):
                row = inside[c, f, :wide]
                for b in range(wide):
                    each[b] += row[b] * row[b]
        else:
            sums[:levels, :wide] = 0.0
            for c in range(choices):
                row, into = inside[c, f, :wide], sums[level[c], :wide]
                for b in range(wide):
                    into[b] += row[b]
            for x in range(levels):
                into = sums[x, :wide]
                for b in range(wide):
                    each[b] += into[b] * into[b]
        squares[f] += each[:wide].sum()


@compiled
def _square_sets(
    places: Ints,
    spread: Floats,
    margins: Ints,
    width: int,
    any_tie: bool,
    facilities: int,
    counts: Floats,
    squares: Floats,
) -> None:
    choices, room = places.shape
    kinds = spread.shape[0]
    for margin in range(margins.shape[0]):
        level, into = margins[margin], squares[margin]
        if level.max() + 1 == choices and not any_tie:
            for c in range(choices):
                for b in range(width):
                    into[facilities + places[c, b]] += 1.0
            continue
        for b in range(width):
            for c in range(choices):
                if places[c, b] >= 0:
                    counts[level[c], places[c, b]] += 1.0
                else:
                    for q in range(kinds):
                        counts[level[c], q] += spread[q, c * room + b]
            if any_tie:
                for x in range(choices):
                    for q in range(kinds):
                        into[facilities + q] += counts[x, q] ** 2
                        counts[x, q] = 0.0
            else:
                for c in range(choices):
                    q = places[c, b]
                    into[facilities + q] += counts[level[c], q] ** 2
                    counts[level[c], q] = 0.0


@compiled
def membership_at(
    kinds: Ints,
    after: Floats,
    before: Floats,
    sizes: Floats,
    two: bool,
    samples: Ints,
    columns: Ints,
    choices: Ints,
    weights: Floats,
    m: int,
    out: Floats,
) -> None:
    """Fill out (point, facility) with memberships at single points of the grid."""
    facilities = after.shape[2]
    left_outs = weights.shape[0]
    scores, work = np.empty((facilities, 1)), np.empty((facilities, 1))
    ahead, same = np.empty((facilities, 1)), np.empty((facilities, 1))
    for p in range(samples.shape[0]):
        scheme, left = choices[p] // left_outs, choices[p] % left_outs
        score_block(
            kinds, after, before, sizes, two, samples[p], scheme,
            weights[left], columns[p], 1, scores, work, ahead, same,
        )  # fmt: skip
        for f in range(facilities):
            out[p, f] = min(max((m - ahead[f, 0]) / same[f, 0], 0.0), 1.0)
