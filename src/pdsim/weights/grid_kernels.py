"""Compiled sums over the crossed grid: samples x weights x ways to score x left-out indicator.

For an analysis of variance only margins and their squares are needed. A block of weights is
scored under every choice, its squared margins over the choices are added up, and the block is
forgotten.
"""

import numpy as np

from pdsim.arraytypes import Floats, Ints, Words
from pdsim.jit import compiled
from pdsim.weights.schemes import scheme_scores
from pdsim.weights.score_kernels import BLOCK, block_places
from pdsim.weights.set_kernels import MOST_TIED, block_keys, find_key, key_table, spread_sets


@compiled
def sample_scores(
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
    at: int,
    work: Floats,
) -> None:
    """Fill in the scores of one sample under one way to score, from `at` on."""
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
        at,
        work,
    )


@compiled
def add_cells(
    kinds: Ints,
    after: Floats,
    before: Floats,
    sizes: Floats,
    two: bool,
    samples: Ints,
    weights: Floats,
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
    weights : ndarray (left_out, indicator, weight)
    m : int
    keys : ndarray (facility,)
    known : ndarray (set,)
        Listed sets; all others are one more.
    margins : ndarray (margin, choice)
        For each subset of the choice factors the level of each choice; the last tells all apart.
    by_draw : ndarray (sample of the group, choice, outcome)
    by_weight : ndarray (choice, outcome, weight)
        Outcomes are facilities' memberships, then listed sets, then the other sets.
    squares : ndarray (margin, outcome)
        Sums over samples and weights of squared sums over the choices of a level.
    """
    facilities = after.shape[2]
    outcomes = squares.shape[1]
    choices = margins.shape[1]
    left_outs = weights.shape[0]
    number = weights.shape[2]
    scores, work = np.empty((facilities, BLOCK)), np.empty((facilities, BLOCK))
    ahead, same = np.empty((facilities, BLOCK)), np.empty((facilities, BLOCK))
    inside = np.empty((choices, facilities, BLOCK))
    level_sums, each = np.empty((choices, BLOCK)), np.empty(BLOCK)
    found, which = np.empty(MOST_TIED, np.uint64), np.empty(m, np.int64)
    whole = np.empty(BLOCK, np.uint64)
    table = key_table(known)
    # sets of a block: for every choice and place in it the sets it may be, and their shares
    places = np.empty((choices, BLOCK), np.int64)
    spread = np.zeros((outcomes - facilities, BLOCK * choices))
    counts = np.zeros((choices, outcomes - facilities))
    for start in range(0, number, BLOCK):
        width = min(BLOCK, number - start)
        # a block holds several samples where weights are few: short loops cost as much as long
        together = BLOCK // width
        for first in range(samples[0], samples[1], together):
            several = min(together, samples[1] - first)
            any_tie = False
            for c in range(choices):
                scheme, left = c // left_outs, c % left_outs
                for i in range(several):
                    sample_scores(
                        kinds, after, before, sizes, two, first + i, scheme,
                        weights[left], start, width, scores, i * width, work,
                    )  # fmt: skip
                tied = block_places(scores, several * width, ahead, same)
                any_tie = any_tie or tied
                _memberships(ahead, same, several * width, tied, m, inside[c])
                if tied:
                    for b in range(several * width):
                        count = spread_sets(ahead, same, b, m, keys, found, which)
                        places[c, b] = -1
                        for q in range(outcomes - facilities):
                            spread[q, c * BLOCK + b] = 0.0
                        if count == 0:
                            spread[outcomes - facilities - 1, c * BLOCK + b] = 1.0
                        for i in range(count):
                            at = find_key(table, known, found[i])
                            spread[at, c * BLOCK + b] += 1.0 / count
                else:
                    block_keys(ahead, several * width, m, keys, whole)
                    for b in range(several * width):
                        places[c, b] = find_key(table, known, whole[b])
                for i in range(several):
                    d, at = first + i - samples[0], i * width
                    _add_memberships(inside[c], at, width, by_draw[d, c], by_weight[c], start)
                    _add_sets(
                        places[c], spread[:, c * BLOCK : (c + 1) * BLOCK], at, width,
                        by_draw[d, c, facilities:], by_weight[c, facilities:], start,
                    )  # fmt: skip
            for margin in range(margins.shape[0]):
                _square_memberships(
                    inside, margins[margin], several * width, level_sums, each, squares[margin]
                )
            _square_sets(
                places, spread, margins, several * width, any_tie, facilities, counts, squares
            )


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
def _add_memberships(
    inside: Floats,
    at: int,
    width: int,
    by_draw: Floats,
    by_weight: Floats,
    start: int,
) -> None:
    for f in range(inside.shape[0]):
        row, sums = inside[f, at : at + width], by_weight[f, start : start + width]
        total = 0.0
        for b in range(width):
            sums[b] += row[b]
            total += row[b]
        by_draw[f] += total


@compiled
def _add_sets(
    places: Ints,
    spread: Floats,
    at: int,
    width: int,
    by_draw: Floats,
    by_weight: Floats,
    start: int,
) -> None:
    for b in range(width):
        place = places[at + b]
        if place >= 0:
            by_draw[place] += 1.0
            by_weight[place, start + b] += 1.0
        else:
            for q in range(spread.shape[0]):
                by_draw[q] += spread[q, at + b]
                by_weight[q, start + b] += spread[q, at + b]


@compiled
def _square_memberships(
    inside: Floats, level: Ints, width: int, sums: Floats, each: Floats, squares: Floats
) -> None:
    choices, facilities, _ = inside.shape
    levels = level.max() + 1
    for f in range(facilities):
        each[:width] = 0.0
        if levels == choices:
            for c in range(choices):
                row = inside[c, f, :width]
                for b in range(width):
                    each[b] += row[b] * row[b]
        else:
            sums[:levels, :width] = 0.0
            for c in range(choices):
                row, into = inside[c, f, :width], sums[level[c], :width]
                for b in range(width):
                    into[b] += row[b]
            for x in range(levels):
                into = sums[x, :width]
                for b in range(width):
                    each[b] += into[b] * into[b]
        squares[f] += each[:width].sum()


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
    choices = places.shape[0]
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
                        counts[level[c], q] += spread[q, c * BLOCK + b]
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
        sample_scores(
            kinds, after, before, sizes, two, samples[p], scheme,
            weights[left], columns[p], 1, scores, 0, work,
        )  # fmt: skip
        block_places(scores, 1, ahead, same)
        for f in range(facilities):
            out[p, f] = min(max((m - ahead[f, 0]) / same[f, 0], 0.0), 1.0)
