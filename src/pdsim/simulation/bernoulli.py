"""Counts of successes, 64 cases at a time, so that fewer cases are a prefix of more."""

from typing import Any, Final

import numpy as np
from numba import types

from pdsim.arraytypes import Floats, Ints, Words
from pdsim.jit import compiled, inlined, native
from pdsim.simulation.philox import Word, philox, schedule

_BLOCK: Final = 16
_LANES: Final = 4
_DIGITS: Final = 8
"""Binary digits drawn of every uniform; more only where they leave it open."""
_MOST_CALLS: Final = 16
_ROOM: Final = 256
_ONE, _TWO, _THREE = np.uint64(1), np.uint64(2), np.uint64(3)
_FOUR_DIGITS = np.uint64(15)
_NONE = np.uint64(0)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_LANE = np.uint64(0xFFFF)
_TOP_BIT = np.uint64(63)
_WIDTH = np.uint64(16)


@native
def _popcount(_context: Any, word: Any) -> Any:
    """Return the number of set bits of a 64-bit word."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(word), generate


@compiled
def _threshold(p: float) -> Word:
    """Return p as a 64-bit fraction."""
    return _ALL if p >= 1.0 else np.uint64(p * 18446744073709551616.0)


@inlined
def _spread(thresholds: Words, quad: int, digit: int) -> Word:
    """Return one binary digit (0 = first) of a group's four fractions, each over its lanes."""
    shift = _TOP_BIT - np.uint64(digit)
    word = _NONE
    for lane in range(_LANES):
        bit = (thresholds[lane, quad] >> shift) & _ONE
        word |= ((_NONE - bit) & _LANE) << (_WIDTH * np.uint64(lane))
    return word


@compiled
def _active(trials: Ints, seen: int, active: Words) -> None:
    """Mark the lanes of the block after `seen` cases that hold a case; `trials` is (4, groups)."""
    for quad in range(active.size):
        word = _NONE
        for lane in range(_LANES):
            left = min(max(trials[lane, quad] - seen, 0), _BLOCK)
            word |= ((_ONE << np.uint64(left)) - _ONE) << (_WIDTH * np.uint64(lane))
        active[quad] = word


@inlined
def _compare(word: Word, of_p: Word, undecided: Word, met: Word) -> tuple[Word, Word]:
    """Settle the lanes in which this digit of the uniform differs from that of p."""
    return undecided & ~(word ^ of_p), met | (undecided & of_p & ~word)


@compiled
def _draw(keys: Words, block: Word, replicate: Word, active: Words, digits: Words) -> None:
    """Draw the first digits (digit, group) of a block in every group with an active lane."""
    first, second = np.uint64(0), np.uint64(1)
    for quad in range(active.size):
        if active[quad] != 0:
            address = np.uint64(quad)
            # side by side, so that the processor works at both at a time
            v0, v1, v2, v3 = philox(keys, first, block, address, replicate)
            v4, v5, v6, v7 = philox(keys, second, block, address, replicate)
            digits[0, quad], digits[1, quad], digits[2, quad], digits[3, quad] = v0, v1, v2, v3
            digits[4, quad], digits[5, quad], digits[6, quad], digits[7, quad] = v4, v5, v6, v7


@compiled
def _decide(digits: Words, of_p: Words, active: Words, undecided: Words, sums: Words) -> None:
    """Compare digits with those of the probabilities, and add up what is met."""
    for quad in range(active.size):
        left, met = active[quad], _NONE
        for digit in range(_DIGITS):
            left, met = _compare(digits[digit, quad], of_p[digit, quad], left, met)
        undecided[quad] = left
        for lane in range(_LANES):
            sums[lane, quad] += _popcount((met >> (_WIDTH * np.uint64(lane))) & _LANE)


@compiled
def _settle(
    keys: Words, replicate: Word, thresholds: Words, waiting: Words, count: int, sums: Words
) -> None:
    """Draw further digits for the first `count` of `waiting` until every lane is decided.

    A row of `waiting` is (group, block, undecided lanes); it is overwritten. Few lanes are open,
    so they are taken one by one: four digits of the uniform against four of the probability.
    """
    call = _DIGITS // 4
    while count > 0 and call < _MOST_CALLS:
        left = 0
        shift = np.uint64(60 - 4 * call)
        for i in range(count):
            address, block, undecided = waiting[i, 0], waiting[i, 1], waiting[i, 2]
            quad, still = np.int64(address), _NONE
            w0, w1, w2, w3 = philox(keys, np.uint64(call), block, address, replicate)
            while undecided != 0:
                place = _popcount((undecided & (_NONE - undecided)) - _ONE)
                drawn = ((w0 >> place) & _ONE) << _THREE | ((w1 >> place) & _ONE) << _TWO
                drawn |= ((w2 >> place) & _ONE) << _ONE | ((w3 >> place) & _ONE)
                lane = place // _WIDTH
                wanted = (thresholds[lane, quad] >> shift) & _FOUR_DIGITS
                sums[lane, quad] += np.uint64(drawn < wanted)
                still |= np.uint64(drawn == wanted) << place
                undecided &= undecided - _ONE
            waiting[left, 0], waiting[left, 1], waiting[left, 2] = address, block, still
            left += still != 0
        count = left
        call += 1


@compiled
def count_successes(
    key: Words, numbers: Ints, probability: Floats, trials: Ints, counts: Floats
) -> None:
    """Fill `counts` with sums of Bernoulli draws; case c of a cell is the same for any trials.

    Four cells of sixteen cases share each 64-bit word. Word j of a block holds binary digit j of
    64 uniforms; a lane is decided at the first digit in which its uniform differs from its
    probability, so eight words settle three blocks in four. The others wait and are settled
    together: which they are cannot be predicted, and a processor that takes the wrong branch
    throws away the next block, at which it is already. The counter is (call, case block, group of
    four cells, replicate).

    Parameters
    ----------
    key : ndarray of uint64 (2,)
    numbers : ndarray of int64 (R,)
        Replicate numbers.
    probability : ndarray (R, cells)
    trials : ndarray of int64 (R or 1, cells)
    counts : ndarray (R, cells)
    """
    keys = schedule(key)
    cells = counts.shape[1]
    quads = (cells + _LANES - 1) // _LANES
    thresholds = np.zeros((_LANES, quads), dtype=np.uint64)
    size = np.zeros((_LANES, quads), dtype=np.int64)
    sums = np.empty((_LANES, quads), dtype=np.uint64)
    of_p = np.empty((_DIGITS, quads), dtype=np.uint64)
    digits = np.zeros((_DIGITS, quads), dtype=np.uint64)
    active, undecided = np.empty(quads, dtype=np.uint64), np.empty(quads, dtype=np.uint64)
    waiting = np.empty((_ROOM + quads, 3), dtype=np.uint64)
    for r in range(numbers.size):
        replicate = np.uint64(numbers[r])
        row = r if trials.shape[0] > 1 else 0
        for c in range(cells):
            thresholds[c % _LANES, c // _LANES] = _threshold(probability[r, c])
            size[c % _LANES, c // _LANES] = trials[row, c]
        sums[:] = 0
        for digit in range(_DIGITS):
            for quad in range(quads):
                of_p[digit, quad] = _spread(thresholds, quad, digit)
        count = 0
        least = trials[row].min() if cells % _LANES == 0 else 0
        for b in range((trials[row].max() + _BLOCK - 1) // _BLOCK):
            block, seen = np.uint64(b), b * _BLOCK
            if seen + _BLOCK <= least:
                active[:] = _ALL
            else:
                _active(size, seen, active)
            _draw(keys, block, replicate, active, digits)
            _decide(digits, of_p, active, undecided, sums)
            for quad in range(quads):
                waiting[count, 0], waiting[count, 1] = np.uint64(quad), block
                waiting[count, 2] = undecided[quad]
                count += undecided[quad] != 0
            if count >= _ROOM:
                _settle(keys, replicate, thresholds, waiting, count, sums)
                count = 0
        _settle(keys, replicate, thresholds, waiting, count, sums)
        for c in range(cells):
            counts[r, c] = sums[c % _LANES, c // _LANES]
