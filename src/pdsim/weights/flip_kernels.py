"""Compiled exact distances from the nominal weights to the nearest swap of two facilities.

A pair swaps where d . w = 0, d the difference of its values. With u = w - nominal and the gap
g = d . nominal >= 0, the smallest move has sum u = 0, low <= u <= high and d . u = -g. All
three norms have exact finite solutions when the only limits are on single weights.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pdsim.arraytypes import Floats, Ints
from pdsim.jit import compiled

NORMS: Final = ("l1", "l2", "linf")
_STEPS: Final = 200
_ROUNDING: Final = 1e-13


@compiled
def nearest_flips(
    values: Floats,
    nominal: Floats,
    low: Floats,
    high: Floats,
    m: int,
    norm: int,
    selected: NDArray[np.bool_],
    distance: Floats,
    pair: Ints,
    move: Floats,
) -> None:
    """Fill, for each sample, the smallest move that swaps a member with a non-member.

    Parameters
    ----------
    values : ndarray (sample, facility, indicator)
    nominal, low, high : ndarray (indicator)
        Limits are on the move: lower - nominal and upper - nominal.
    norm : int
        Index into `NORMS`.
    selected : ndarray (facility,) or (0,)
        The set to leave; empty means the m largest at nominal in each sample.
    distance : ndarray (sample,)
        Infinite where no weights within the limits change the set.
    pair : ndarray (sample, 2)
        Who leaves and who enters, or -1.
    move : ndarray (sample, indicator)
    """
    samples, facilities, indicators = values.shape
    scores = np.empty(facilities)
    inside = np.zeros(facilities, np.bool_)
    d, u = np.empty(indicators), np.empty(indicators)
    for s in range(samples):
        for f in range(facilities):
            scores[f] = 0.0
            for k in range(indicators):
                scores[f] += values[s, f, k] * nominal[k]
        for f in range(facilities):
            inside[f] = selected[f] if selected.shape[0] > 0 else False
        if selected.shape[0] == 0:
            for _ in range(m):
                first = -1
                for f in range(facilities):
                    if not inside[f] and (first < 0 or scores[f] > scores[first]):
                        first = f
                inside[first] = True
        best = np.inf
        distance[s] = best
        pair[s, 0], pair[s, 1] = -1, -1
        for k in range(indicators):
            move[s, k] = 0.0
        for i in range(facilities):
            if not inside[i]:
                continue
            for j in range(facilities):
                if inside[j]:
                    continue
                for k in range(indicators):
                    d[k] = values[s, i, k] - values[s, j, k]
                found = _one_move(d, scores[i] - scores[j], low, high, norm, best, u)
                if found < best:
                    best = found
                    distance[s] = found
                    pair[s, 0], pair[s, 1] = i, j
                    for k in range(indicators):
                        move[s, k] = u[k]


@compiled
def _one_move(
    d: Floats, gap: float, low: Floats, high: Floats, norm: int, best: float, u: Floats
) -> float:
    """Return the size of the smallest move u with d . u = -gap, or more than `best`."""
    smallest, largest, size = d[0], d[0], 0.0
    for k in range(d.shape[0]):
        smallest, largest = min(smallest, d[k]), max(largest, d[k])
        size = max(size, abs(d[k]))
    if gap <= _ROUNDING * size:
        for k in range(d.shape[0]):
            u[k] = 0.0
        return 0.0
    width = largest - smallest
    # in every norm a move of size t changes d . w by at most factor * t * width
    factor = 0.5 if norm == 0 else 0.5 * math.sqrt(d.shape[0])
    factor = 0.5 * d.shape[0] if norm == 2 else factor
    if gap >= best * factor * width:
        return np.inf
    order = np.empty(d.shape[0], np.int64)
    _rising(d, order)
    gain = _transfer(d, order, low, high, np.inf, u)
    if gain < gap * (1.0 - _ROUNDING):
        return np.inf
    if norm == 0:
        _transfer(d, order, low, high, gap, u)
        total = 0.0
        for k in range(d.shape[0]):
            total += abs(u[k])
        return total
    if norm == 1:
        if gain > gap * (1.0 + _ROUNDING):
            _shortest(d, gap, low, high, u)
        total = 0.0
        for k in range(d.shape[0]):
            total += u[k] * u[k]
        return math.sqrt(total)
    return _even(d, order, gap, low, high, u)


@compiled
def _rising(d: Floats, order: Ints) -> None:
    """Fill `order` with the places of d from small to large; equal ones in their order."""
    # by insertion: few numbers, and a general sort takes long to compile
    for k in range(d.shape[0]):
        p = k
        while p > 0 and d[order[p - 1]] > d[k]:
            order[p] = order[p - 1]
            p -= 1
        order[p] = k


@compiled
def _transfer(d: Floats, order: Ints, low: Floats, high: Floats, needed: float, u: Floats) -> float:
    """Move weight from the largest d to the smallest until d . u = -needed; return -d . u.

    The gain per weight moved only falls, so this greedy transfer is the shortest in L1.
    """
    for k in range(d.shape[0]):
        u[k] = 0.0
    taker, giver, gained = 0, d.shape[0] - 1, 0.0
    while taker < giver and gained < needed:
        i, j = order[taker], order[giver]
        rate = d[j] - d[i]
        if rate <= 0.0:
            break
        room, stock = high[i] - u[i], u[j] - low[j]
        amount = min(room, stock)
        if amount * rate >= needed - gained:
            amount = (needed - gained) / rate
            gained = needed
        else:
            gained += amount * rate
        u[i] += amount
        u[j] -= amount
        if gained < needed:
            if room <= stock:
                taker += 1
            if stock <= room:
                giver -= 1
    return gained


@compiled
def _shortest(d: Floats, gap: float, low: Floats, high: Floats, u: Floats) -> None:
    """Find the shortest u in L2: u = clip(-a d - b), a raised until d . u = -gap.

    Newton steps on the pieces of a monotone piecewise linear function, kept in a bracket.
    """
    below, above = 0.0, np.inf
    a = 0.0
    for _ in range(_STEPS):
        _balanced(d, a, low, high, u)
        reached, slope, number, mean = 0.0, 0.0, 0, 0.0
        for k in range(d.shape[0]):
            reached -= d[k] * u[k]
            if low[k] < u[k] < high[k] or (a == 0.0 and low[k] < high[k]):
                number += 1
                mean += d[k]
        for k in range(d.shape[0]):
            if low[k] < u[k] < high[k] or (a == 0.0 and low[k] < high[k]):
                slope += (d[k] - mean / number) ** 2
        missing = gap - reached
        if abs(missing) <= _ROUNDING * gap or above - below <= _ROUNDING * below:
            break
        if missing > 0.0:
            below = a
        else:
            above = a
        a = a + missing / slope if slope > 0.0 else np.inf
        if not below < a < above:
            a = 0.5 * (below + above) if above < np.inf else 2.0 * below + 1e-300


@compiled
def _balanced(d: Floats, a: float, low: Floats, high: Floats, u: Floats) -> None:
    """Set u = clip(-a d - b) with b such that u sums to 0, exactly by its breakpoints."""
    number = d.shape[0]
    breaks = np.empty(2 * number)
    for k in range(2 * number):
        limit = low[k] if k < number else high[k - number]
        value = -a * d[k % number] - limit
        p = k
        while p > 0 and breaks[p - 1] > value:
            breaks[p] = breaks[p - 1]
            p -= 1
        breaks[p] = value
    first, last = 0, 2 * number - 1
    # the sum falls as b rises: it is >= 0 at breaks[first] and <= 0 at breaks[last]
    while last - first > 1:
        middle = (first + last) // 2
        total = 0.0
        for k in range(number):
            total += min(max(-a * d[k] - breaks[middle], low[k]), high[k])
        if total >= 0.0:
            first = middle
        else:
            last = middle
    start, total, slope = breaks[first], 0.0, 0.0
    middle_b = 0.5 * (breaks[first] + breaks[last])
    for k in range(number):
        total += min(max(-a * d[k] - start, low[k]), high[k])
        if low[k] < -a * d[k] - middle_b < high[k]:
            slope += 1.0
    b = start + total / slope if slope > 0.0 else start
    for k in range(number):
        u[k] = min(max(-a * d[k] - b, low[k]), high[k])


@compiled
def _even(d: Floats, order: Ints, gap: float, low: Floats, high: Floats, u: Floats) -> float:
    """Find the smallest t with min d . u = -gap over |u| <= t, the limits, and sum u = 0.

    That minimum is convex and piecewise linear in t, so Newton steps from below reach its root
    in finitely many steps.
    """
    median = d[order[d.shape[0] // 2]]
    spread = 0.0
    for k in range(d.shape[0]):
        spread += abs(d[k] - median)
    t = gap / spread
    for _ in range(_STEPS):
        reached, slope = _lowest(d, order, t, low, high, u)
        missing = gap + reached
        if missing <= _ROUNDING * gap or slope >= 0.0:
            break
        t -= missing / slope
    return t


@compiled
def _lowest(
    d: Floats, order: Ints, t: float, low: Floats, high: Floats, u: Floats
) -> tuple[float, float]:
    """Minimise d . u over the box of size t with sum u = 0; return the value and its slope."""
    total = 0.0
    for k in range(d.shape[0]):
        u[k] = max(low[k], -t)
        total += u[k]
    middle = d[order[0]]
    for p in range(d.shape[0]):
        k = order[p]
        middle = d[k]
        rise = min(high[k], t) - u[k]
        if total + rise >= 0.0:
            u[k] -= total
            break
        u[k] += rise
        total += rise
    value, slope = 0.0, 0.0
    for k in range(d.shape[0]):
        value += d[k] * u[k]
        if d[k] > middle and low[k] < -t:
            slope -= d[k] - middle
        elif d[k] < middle and high[k] > t:
            slope += d[k] - middle
    return value, slope
