"""How good one replicate's decision is against the truth: one row of numbers per replicate."""

from typing import Final

import numpy as np
from numba import njit

BINS: Final = 10
"""Bins of P(top m) for the reliability curve."""

_SCALARS = (
    "pcs_top",
    "pcs_bottom",
    "pcs_both",
    "overlap_top",
    "overlap_bottom",
    "wrong_end_top",
    "wrong_end_bottom",
    "regret_top",
    "regret_bottom",
    "contrast",
    "contrast_best",
    "contrast_estimated",
    "curse_top",
    "curse_bottom",
    "rank_correlation",
    "error",
    "squared_error",
    "coverage",
    "coverage_top",
    "width",
    "variance",
    "brier_top",
    "forecast_squared",
    "forecast_hit",
    "power",
    "false_flag",
)
MEASURES: Final[tuple[str, ...]] = (
    *_SCALARS,
    *(f"forecast_count_{b}" for b in range(BINS)),
    *(f"forecast_sum_{b}" for b in range(BINS)),
    *(f"forecast_hits_{b}" for b in range(BINS)),
)
"""Names of the measures of one replicate, in the order of the arrays."""

PROBABILITIES: Final = (
    "pcs_top", "pcs_bottom", "pcs_both", "overlap_top", "overlap_bottom", "wrong_end_top",
    "wrong_end_bottom", "coverage", "coverage_top", "power", "false_flag",
)  # fmt: skip
"""Measures between 0 and 1, for which failures can be counted as all wrong or all right."""

_TIE = 1e-10
_BIN_START = len(_SCALARS)


@njit(cache=True)
def _choose(n, k):  # type: ignore[no-untyped-def]
    """Return the binomial coefficient as a float; 0 outside 0 <= k <= n."""
    if k < 0 or k > n:
        return 0.0
    result = 1.0
    for j in range(min(k, n - k)):
        result = result * (n - j) / (j + 1)
    return result


@njit(cache=True)
def _end(order, score, m, share, place):  # type: ignore[no-untyped-def]
    """Mark the m largest of `score`: 2 certain, 1 in the tied group at the cut, 0 out.

    `order` sorts the scores downwards. `share` gets each facility's probability of being chosen
    when lots decide among the tied.
    """
    size = order.size
    largest = max(abs(score[order[0]]), abs(score[order[size - 1]]))
    tolerance = _TIE * largest
    last, next_ = score[order[m - 1]], score[order[m]]
    share[:] = 0.0
    place[:] = 0
    if last - next_ > tolerance:
        for j in range(m):
            share[order[j]] = 1.0
            place[order[j]] = 2
        return
    first = m - 1
    while first > 0 and score[order[first - 1]] - last <= tolerance:
        first -= 1
    stop = m + 1
    while stop < size and last - score[order[stop]] <= tolerance:
        stop += 1
    for j in range(first):
        share[order[j]] = 1.0
        place[order[j]] = 2
    for j in range(first, stop):
        share[order[j]] = (m - first) / (stop - first)
        place[order[j]] = 1


@njit(cache=True)
def _ways(top_a, bottom_a, top_b, bottom_b, m, use_b):  # type: ignore[no-untyped-def]
    """Count the (top set, bottom set) pairs that one or two rankings with ties allow.

    A facility's allowed places form a run of top, middle, bottom, so it is one of six types.
    """
    only_top = only_bottom = top_middle = middle_bottom = free = 0
    for i in range(top_a.size):
        may_top, may_middle, may_bottom = top_a[i] > 0, top_a[i] < 2, bottom_a[i] > 0
        may_middle = may_middle and bottom_a[i] < 2
        if use_b:
            may_top = may_top and top_b[i] > 0
            may_middle = may_middle and top_b[i] < 2 and bottom_b[i] < 2
            may_bottom = may_bottom and bottom_b[i] > 0
        if may_top and may_middle and may_bottom:
            free += 1
        elif may_top and may_middle:
            top_middle += 1
        elif may_middle and may_bottom:
            middle_bottom += 1
        elif may_top:
            only_top += 1
        elif may_bottom:
            only_bottom += 1
        elif not may_middle:
            return 0.0
    total = 0.0
    for j in range(free + 1):
        for l in range(free - j + 1):  # noqa: E741
            total += (
                _choose(free, j)
                * _choose(free - j, l)
                * _choose(top_middle, m - only_top - j)
                * _choose(middle_bottom, m - only_bottom - l)
            )
    return total


@njit(cache=True)
def _same_set(a, b, m):  # type: ignore[no-untyped-def]
    """Return the probability that two sets of size m are equal, lots deciding among the tied."""
    certain_a = certain_b = either = open_both = tied_a = tied_b = 0
    for i in range(a.size):
        certain_a += a[i] == 2
        certain_b += b[i] == 2
        tied_a += a[i] == 1
        tied_b += b[i] == 1
        if a[i] == 2 or b[i] == 2:
            if a[i] == 0 or b[i] == 0:
                return 0.0
            either += 1
        elif a[i] == 1 and b[i] == 1:
            open_both += 1
    common = _choose(open_both, m - either)
    return common / (_choose(tied_a, m - certain_a) * _choose(tied_b, m - certain_b))


@njit(cache=True)
def _meet(a, b, m):  # type: ignore[no-untyped-def]
    """Return the probability that two sets of size m share a member, lots deciding ties."""
    certain_a = certain_b = tied_a = tied_b = shared = both_tied = b_of_certain_a = 0
    for i in range(a.size):
        certain_a += a[i] == 2
        certain_b += b[i] == 2
        tied_a += a[i] == 1
        tied_b += b[i] == 1
        if a[i] == 2 and b[i] == 2:
            return 1.0
        if a[i] == 1 and b[i] == 2:
            shared += 1
        if a[i] == 2 and b[i] == 1:
            b_of_certain_a += 1
        if a[i] == 1 and b[i] == 1:
            both_tied += 1
    slots_a, slots_b = m - certain_a, m - certain_b
    apart = 0.0
    for j in range(both_tied + 1):
        chosen = _choose(both_tied, j) * _choose(tied_a - shared - both_tied, slots_a - j)
        apart += chosen * _choose(tied_b - b_of_certain_a - j, slots_b)
    return 1.0 - apart / (_choose(tied_a, slots_a) * _choose(tied_b, slots_b))


@njit(cache=True)
def _midranks(order, score, ranks):  # type: ignore[no-untyped-def]
    size = order.size
    tolerance = _TIE * max(abs(score[order[0]]), abs(score[order[size - 1]]))
    start = 0
    while start < size:
        stop = start + 1
        while stop < size and score[order[start]] - score[order[stop]] <= tolerance:
            stop += 1
        for j in range(start, stop):
            ranks[order[j]] = 0.5 * (start + stop - 1)
        start = stop


@njit(cache=True)
def _correlation(a, b):  # type: ignore[no-untyped-def]
    size = a.size
    middle = 0.5 * (size - 1)
    aa = bb = ab = 0.0
    for i in range(size):
        x, y = a[i] - middle, b[i] - middle
        aa += x * x
        bb += y * y
        ab += x * y
    return ab / np.sqrt(aa * bb) if aa > 0 and bb > 0 else np.nan


@njit(cache=True)
def _sort_down(score, order):  # type: ignore[no-untyped-def]
    """Fill `order` so that it sorts `score` downwards; ties keep their order."""
    if score.size > 64:
        order[:] = np.argsort(-score, kind="mergesort")
        return
    for i in range(score.size):
        j = i
        while j > 0 and score[order[j - 1]] < score[i]:
            order[j] = order[j - 1]
            j -= 1
        order[j] = i


@njit(cache=True, nogil=True)
def measure(truth, top, bottom, estimate, sd, lower, upper, p_top, flagged, usable, m, out):  # type: ignore[no-untyped-def]
    """Fill `out` (R, measure) from truth and decision of R replicates; NaN where undefined.

    Parameters
    ----------
    truth, top, bottom : ndarray (R, F)
        True values, and what the top and the bottom m are chosen by (larger = more so).
    estimate, sd, lower, upper : ndarray (R, F)
        Estimate of the true value, its stated standard deviation, its interval; NaN if none.
    p_top : ndarray (R, F)
        Stated P(top m); NaN if none.
    flagged : ndarray (R, F)
        1 where flagged as clearly among the best, 0 where not, NaN if the rule does not flag.
    usable : ndarray of bool (R,)
        Rows that are not are left NaN.
    m : int
    out : ndarray (R, measure)
    """
    rows, size = truth.shape
    order, true_order = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
    low_order = np.empty(size, dtype=np.int64)
    minus = np.empty(size)
    place = np.empty((4, size), dtype=np.int64)
    share = np.empty((4, size))
    ranks = np.empty((2, size))
    for r in range(rows):
        out[r] = np.nan
        if not usable[r]:
            continue
        true = truth[r]
        _sort_down(top[r], order)
        _sort_down(bottom[r], low_order)
        _sort_down(true, true_order)
        _end(order, top[r], m, share[0], place[0])
        _end(low_order, bottom[r], m, share[1], place[1])
        _end(true_order, true, m, share[2], place[2])
        for i in range(size):
            minus[i] = -true[i]
        _end(true_order[::-1], minus, m, share[3], place[3])

        pcs_top = _same_set(place[0], place[2], m)
        pcs_bottom = _same_set(place[1], place[3], m)
        out[r, 0] = pcs_top
        out[r, 1] = pcs_bottom
        out[r, 2] = 0.0
        if pcs_top == 1.0 and pcs_bottom == 1.0:
            out[r, 2] = 1.0
        elif pcs_top > 0.0 and pcs_bottom > 0.0:
            common = _ways(place[0], place[1], place[2], place[3], m, True)
            chosen = _ways(place[0], place[1], place[0], place[1], m, False)
            right = _ways(place[2], place[3], place[2], place[3], m, False)
            out[r, 2] = common / (chosen * right) if chosen > 0 else np.nan
        out[r, 5] = _meet(place[0], place[3], m)
        out[r, 6] = _meet(place[1], place[2], m)

        overlap_top = overlap_bottom = 0.0
        best = worst = chosen_top = chosen_bottom = 0.0
        estimated_top = estimated_bottom = covered_top = 0.0
        error = squared = covered = width = variance = 0.0
        brier = forecast_squared = forecast_hit = flags_right = flags_wrong = 0.0
        for i in range(size):
            overlap_top += share[0, i] * share[2, i]
            overlap_bottom += share[1, i] * share[3, i]
            best += share[2, i] * true[i]
            worst += share[3, i] * true[i]
            chosen_top += share[0, i] * true[i]
            chosen_bottom += share[1, i] * true[i]
            if share[0, i] > 0:
                estimated_top += share[0, i] * estimate[r, i]
            if share[1, i] > 0:
                estimated_bottom += share[1, i] * estimate[r, i]
            gap = estimate[r, i] - true[i]
            error += gap
            squared += gap * gap
            inside = 1.0 if lower[r, i] <= true[i] <= upper[r, i] else 0.0
            covered += inside
            covered_top += share[0, i] * inside
            width += upper[r, i] - lower[r, i]
            variance += sd[r, i] * sd[r, i]
            stated = p_top[r, i]
            brier += stated * stated + share[2, i] * (1.0 - 2.0 * stated)
            forecast_squared += stated * stated
            forecast_hit += stated * share[2, i]
            flags_right += flagged[r, i] * share[2, i]
            flags_wrong += flagged[r, i] * (1.0 - share[2, i])
        out[r, 3] = overlap_top / m
        out[r, 4] = overlap_bottom / m
        out[r, 7] = (best - chosen_top) / m
        out[r, 8] = (chosen_bottom - worst) / m
        out[r, 9] = (chosen_top - chosen_bottom) / m
        out[r, 10] = (best - worst) / m
        out[r, 11] = (estimated_top - estimated_bottom) / m
        out[r, 12] = (estimated_top - chosen_top) / m
        out[r, 13] = (estimated_bottom - chosen_bottom) / m
        _midranks(order, top[r], ranks[0])
        _midranks(true_order, true, ranks[1])
        out[r, 14] = _correlation(ranks[0], ranks[1])
        out[r, 15] = error / size
        out[r, 16] = squared / size
        if not np.isnan(width):
            out[r, 17] = covered / size
            out[r, 18] = covered_top / m
        out[r, 19] = width / size
        out[r, 20] = variance / size
        out[r, 21] = brier / size
        out[r, 22] = forecast_squared / size
        out[r, 23] = forecast_hit / size
        out[r, 24] = flags_right / m
        out[r, 25] = flags_wrong / (size - m)
        if not np.isnan(brier):
            out[r, _BIN_START:] = 0.0
            for i in range(size):
                b = min(BINS - 1, int(p_top[r, i] * BINS))
                out[r, _BIN_START + b] += 1.0
                out[r, _BIN_START + BINS + b] += p_top[r, i]
                out[r, _BIN_START + 2 * BINS + b] += share[2, i]
