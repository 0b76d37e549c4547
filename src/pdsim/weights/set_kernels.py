"""Compiled identities of the sets of m facilities, tied ones in equal shares.

A set is known by the sum of a 64-bit number per facility, so that sets of any size and number
of facilities are compared by one integer.
"""

from typing import Final

import numpy as np

from pdsim.arraytypes import Floats, Ints, Words
from pdsim.jit import compiled
from pdsim.weights.score_kernels import BLOCK, block_places, linear_scores

MOST_TIED: Final = 256
"""Sets that one tie may be spread over; beyond, the tie counts as some other set."""


def facility_keys(number: int) -> Words:
    """Return a fixed 64-bit number per facility (the seed is part of the format of a set)."""
    return np.random.default_rng(20_260_101).integers(
        1, np.iinfo(np.uint64).max, size=number, dtype=np.uint64
    )


@compiled
def spread_sets(
    ahead: Floats, same: Floats, b: int, m: int, keys: Words, found: Words, which: Ints
) -> int:
    """Fill `found` with the keys of the sets that column b may be; return how many.

    One without a tie at the cut; else all ways to fill the last places from those tied there.
    0 means more than `MOST_TIED`. `which` is work space of m numbers.
    """
    base = np.uint64(0)
    tied, open_places = 0, m
    facilities = ahead.shape[0]
    for f in range(facilities):
        if ahead[f, b] + same[f, b] <= m:
            base += keys[f]
            open_places -= 1
        elif ahead[f, b] < m:
            tied += 1
    if open_places == 0:
        found[0] = base
        return 1
    ways = 1.0
    for i in range(open_places):
        ways = ways * (tied - i) / (i + 1)
    if ways > MOST_TIED + 0.5:
        return 0
    group = np.empty(tied, np.uint64)
    at = 0
    for f in range(facilities):
        if ahead[f, b] < m < ahead[f, b] + same[f, b]:
            group[at] = keys[f]
            at += 1
    for i in range(open_places):
        which[i] = i
    count = 0
    while True:
        total = base
        for i in range(open_places):
            total += group[which[i]]
        found[count] = total
        count += 1
        i = open_places - 1
        while i >= 0 and which[i] == tied - open_places + i:
            i -= 1
        if i < 0:
            return count
        which[i] += 1
        for j in range(i + 1, open_places):
            which[j] = which[j - 1] + 1


@compiled
def key_table(known: Words) -> Ints:
    """Return a hash table of the places of the known keys, for `find_key`."""
    size = 16
    while size < 4 * known.shape[0]:
        size *= 2
    table = np.full(size, -1)
    for at in range(known.shape[0]):
        cell = np.int64(known[at] & np.uint64(size - 1))
        while table[cell] >= 0:
            cell = (cell + 1) & (size - 1)
        table[cell] = at
    return table


@compiled
def find_key(table: Ints, known: Words, key: np.uint64) -> int:
    """Return the place of `key` among the known keys, or their number if it is absent."""
    last = table.shape[0] - 1
    cell = np.int64(key & np.uint64(last))
    while table[cell] >= 0:
        if known[table[cell]] == key:
            return int(table[cell])
        cell = (cell + 1) & last
    return int(known.shape[0])


@compiled
def block_keys(ahead: Floats, width: int, m: int, keys: Words, out: Words) -> None:
    """Fill out (width,) with the keys of sets among which nobody ties."""
    zero = np.uint64(0)
    out[:width] = zero
    for f in range(ahead.shape[0]):
        key, before = keys[f], ahead[f, :width]
        for b in range(width):
            out[b] += key if before[b] < m else zero


@compiled
def sample_keys(values: Floats, weights: Floats, m: int, keys: Words, out: Words) -> None:
    """Fill out (sample, weight) with the key of the set, one of them where sets tie."""
    samples, facilities, _ = values.shape
    number = weights.shape[1]
    scores = np.empty((facilities, BLOCK))
    ahead, same = np.empty((facilities, BLOCK)), np.empty((facilities, BLOCK))
    found, which = np.empty(MOST_TIED, np.uint64), np.empty(m, np.int64)
    for s in range(samples):
        for start in range(0, number, BLOCK):
            width = min(BLOCK, number - start)
            linear_scores(values[s], weights, start, width, scores, 0)
            if not block_places(scores, width, ahead, same):
                block_keys(ahead, width, m, keys, out[s, start : start + width])
                continue
            for b in range(width):
                count = spread_sets(ahead, same, b, m, keys, found, which)
                # taking turns, so that every one of several tied sets is seen
                out[s, start + b] = found[(s + b) % count] if count > 0 else np.uint64(0)


@compiled
def count_sets(
    values: Floats,
    weights: Floats,
    m: int,
    keys: Words,
    known: Words,
    by_draw: Floats,
    by_weight: Floats,
) -> None:
    """Add the shares of the known sets to by_draw (sample, set) and by_weight (set, weight)."""
    samples, facilities, _ = values.shape
    number = weights.shape[1]
    scores = np.empty((facilities, BLOCK))
    ahead, same = np.empty((facilities, BLOCK)), np.empty((facilities, BLOCK))
    found, which = np.empty(MOST_TIED, np.uint64), np.empty(m, np.int64)
    whole = np.empty(BLOCK, np.uint64)
    table = key_table(known)
    for s in range(samples):
        for start in range(0, number, BLOCK):
            width = min(BLOCK, number - start)
            linear_scores(values[s], weights, start, width, scores, 0)
            if not block_places(scores, width, ahead, same):
                block_keys(ahead, width, m, keys, whole)
                for b in range(width):
                    at = find_key(table, known, whole[b])
                    if at < known.shape[0]:
                        by_draw[s, at] += 1.0
                        by_weight[at, start + b] += 1.0
                continue
            for b in range(width):
                count = spread_sets(ahead, same, b, m, keys, found, which)
                for c in range(count):
                    at = find_key(table, known, found[c])
                    if at < known.shape[0]:
                        by_draw[s, at] += 1.0 / count
                        by_weight[at, start + b] += 1.0 / count
