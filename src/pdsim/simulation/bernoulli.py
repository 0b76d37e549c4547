"""Counts of successes, 64 cases at a time, so that fewer cases are a prefix of more."""

from typing import Any

import numpy as np
from numba import types

from pdsim.jit import compiled, inlined, native
from pdsim.simulation.arrays import Floats, Ints, Word, Words
from pdsim.simulation.philox import philox, schedule

_BLOCK = 16
_WORDS = 8
_ONE = np.uint64(1)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_LANES = np.uint64(0xFFFF)
_TOP_BIT = np.uint64(63)
_SHIFT_1, _SHIFT_2, _SHIFT_3 = np.uint64(16), np.uint64(32), np.uint64(48)
_MOST_CALLS = 16


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


@compiled
def _spread(t0: Word, t1: Word, t2: Word, t3: Word, bit: int) -> Word:
    """Return one bit (0 = first binary digit) of four fractions, each over its sixteen lanes."""
    shift = _TOP_BIT - np.uint64(bit)
    return (
        ((t0 >> shift) & _ONE) * np.uint64(0x000000000000FFFF)
        | ((t1 >> shift) & _ONE) * np.uint64(0x00000000FFFF0000)
        | ((t2 >> shift) & _ONE) * np.uint64(0x0000FFFF00000000)
        | ((t3 >> shift) & _ONE) * np.uint64(0xFFFF000000000000)
    )


@compiled
def _first(count: int) -> Word:
    """Return a mask of the first `count` of sixteen lanes."""
    return _LANES if count >= _BLOCK else (_ONE << np.uint64(max(count, 0))) - _ONE


@inlined
def _compare(word: Word, of_p: Word, undecided: Word, met: Word) -> tuple[Word, Word]:
    """Settle the lanes in which this digit of the uniform differs from that of p."""
    return undecided & ~(word ^ of_p), met | (undecided & of_p & ~word)


@compiled
def _settle(
    keys: Words,
    block: Word,
    quad: Word,
    replicate: Word,
    t0: Word,
    t1: Word,
    t2: Word,
    t3: Word,
    undecided: Word,
    met: Word,
) -> Word:
    """Draw further digits until every lane is decided."""
    call = _WORDS // 4
    while undecided != 0 and call < _MOST_CALLS:
        w0, w1, w2, w3 = philox(keys, np.uint64(call), block, quad, replicate)
        bit = 4 * call
        undecided, met = _compare(w0, _spread(t0, t1, t2, t3, bit), undecided, met)
        undecided, met = _compare(w1, _spread(t0, t1, t2, t3, bit + 1), undecided, met)
        undecided, met = _compare(w2, _spread(t0, t1, t2, t3, bit + 2), undecided, met)
        undecided, met = _compare(w3, _spread(t0, t1, t2, t3, bit + 3), undecided, met)
        call += 1
    return met


@compiled
def count_successes(
    key: Words, numbers: Ints, probability: Floats, trials: Ints, counts: Floats
) -> None:
    """Fill `counts` with sums of Bernoulli draws; case c of a cell is the same for any trials.

    Four cells of sixteen cases share each 64-bit word. Word j of a block holds binary digit j of
    64 uniforms; a lane is decided at the first digit in which its uniform differs from its
    probability, so eight words settle three blocks in four. The counter is (call, case block,
    group of four cells, replicate).

    Parameters
    ----------
    key : ndarray of uint64 (2,)
    numbers : ndarray of int64 (R,)
        Replicate numbers.
    probability : ndarray (R, cells)
        An even number of cells.
    trials : ndarray of int64 (R or 1, cells)
    counts : ndarray (R, cells)
    """
    keys = schedule(key)
    cells = counts.shape[1]
    for r in range(numbers.size):
        replicate = np.uint64(numbers[r])
        row = r if trials.shape[0] > 1 else 0
        for quad in range((cells + 3) // 4):
            c = 4 * quad
            whole = c + 3 < cells
            n0, n1 = trials[row, c], trials[row, c + 1]
            n2 = trials[row, c + 2] if whole else 0
            n3 = trials[row, c + 3] if whole else 0
            t0, t1 = _threshold(probability[r, c]), _threshold(probability[r, c + 1])
            t2 = _threshold(probability[r, c + 2]) if whole else np.uint64(0)
            t3 = _threshold(probability[r, c + 3]) if whole else np.uint64(0)
            p0, p1 = _spread(t0, t1, t2, t3, 0), _spread(t0, t1, t2, t3, 1)
            p2, p3 = _spread(t0, t1, t2, t3, 2), _spread(t0, t1, t2, t3, 3)
            p4, p5 = _spread(t0, t1, t2, t3, 4), _spread(t0, t1, t2, t3, 5)
            p6, p7 = _spread(t0, t1, t2, t3, 6), _spread(t0, t1, t2, t3, 7)
            s0 = s1 = s2 = s3 = np.uint64(0)
            least = min(min(n0, n1), min(n2, n3))
            most = max(max(n0, n1), max(n2, n3))
            address = np.uint64(quad)
            for b in range((most + _BLOCK - 1) // _BLOCK):
                seen = b * _BLOCK
                undecided, met = _ALL, np.uint64(0)
                if least < seen + _BLOCK:
                    undecided = (
                        _first(n0 - seen)
                        | (_first(n1 - seen) << _SHIFT_1)
                        | (_first(n2 - seen) << _SHIFT_2)
                        | (_first(n3 - seen) << _SHIFT_3)
                    )
                block = np.uint64(b)
                v0, v1, v2, v3 = philox(keys, np.uint64(0), block, address, replicate)
                v4, v5, v6, v7 = philox(keys, np.uint64(1), block, address, replicate)
                undecided, met = _compare(v0, p0, undecided, met)
                undecided, met = _compare(v1, p1, undecided, met)
                undecided, met = _compare(v2, p2, undecided, met)
                undecided, met = _compare(v3, p3, undecided, met)
                undecided, met = _compare(v4, p4, undecided, met)
                undecided, met = _compare(v5, p5, undecided, met)
                undecided, met = _compare(v6, p6, undecided, met)
                undecided, met = _compare(v7, p7, undecided, met)
                if undecided != 0:
                    met = _settle(keys, block, address, replicate, t0, t1, t2, t3, undecided, met)
                s0 += _popcount(met & _LANES)
                s1 += _popcount((met >> _SHIFT_1) & _LANES)
                s2 += _popcount((met >> _SHIFT_2) & _LANES)
                s3 += _popcount(met >> _SHIFT_3)
            counts[r, c] = s0
            counts[r, c + 1] = s1
            if whole:
                counts[r, c + 2] = s2
                counts[r, c + 3] = s3
