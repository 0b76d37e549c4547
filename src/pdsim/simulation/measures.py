"""How good one replicate's decision is against the truth: one row of numbers per replicate."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pdsim.arraytypes import Floats, Ints
from pdsim.jit import compiled
from pdsim.simulation.ties import TIE, count_ways, mark_end, same_set, sets_meet

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

(
    _PCS_TOP,
    _PCS_BOTTOM,
    _PCS_BOTH,
    _OVERLAP_TOP,
    _OVERLAP_BOTTOM,
    _WRONG_END_TOP,
    _WRONG_END_BOTTOM,
    _REGRET_TOP,
    _REGRET_BOTTOM,
    _CONTRAST,
    _CONTRAST_BEST,
    _CONTRAST_ESTIMATED,
    _CURSE_TOP,
    _CURSE_BOTTOM,
    _RANK_CORRELATION,
    _ERROR,
    _SQUARED_ERROR,
    _COVERAGE,
    _COVERAGE_TOP,
    _WIDTH,
    _VARIANCE,
    _BRIER_TOP,
    _FORECAST_SQUARED,
    _FORECAST_HIT,
    _POWER,
    _FALSE_FLAG,
) = range(len(_SCALARS))
_BIN_START = len(_SCALARS)


@compiled
def _midranks(order: Ints, score: Floats, ranks: Floats) -> None:
    size = order.size
    tolerance = TIE * max(abs(score[order[0]]), abs(score[order[size - 1]]))
    start = 0
    while start < size:
        stop = start + 1
        while stop < size and score[order[start]] - score[order[stop]] <= tolerance:
            stop += 1
        for j in range(start, stop):
            ranks[order[j]] = 0.5 * (start + stop - 1)
        start = stop


@compiled
def _correlation(a: Floats, b: Floats) -> float:
    size = a.size
    middle = 0.5 * (size - 1)
    aa = bb = ab = 0.0
    for i in range(size):
        x, y = a[i] - middle, b[i] - middle
        aa += x * x
        bb += y * y
        ab += x * y
    return ab / np.sqrt(aa * bb) if aa > 0 and bb > 0 else np.nan


@compiled
def _sort_down(score: Floats, order: Ints) -> None:
    """Fill `order` so that it sorts `score` downwards; ties keep their order.

    By insertion: facilities are few, and numba's own sorts take seconds to compile.
    """
    for i in range(score.size):
        j = i
        while j > 0 and score[order[j - 1]] < score[i]:
            order[j] = order[j - 1]
            j -= 1
        order[j] = i


@compiled
def measure(
    truth: Floats,
    top: Floats,
    bottom: Floats,
    estimate: Floats,
    sd: Floats,
    lower: Floats,
    upper: Floats,
    p_top: Floats,
    flagged: Floats,
    usable: NDArray[np.bool_],
    m: int,
    out: Floats,
) -> None:
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
    order, low_order = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
    true_order, true_low_order = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
    minus = np.empty(size)
    place = np.empty((4, size), dtype=np.int64)
    share = np.empty((4, size))
    ranks = np.empty((2, size))
    for r in range(rows):
        for j in range(out.shape[1]):
            out[r, j] = np.nan
        if not usable[r]:
            continue
        true = truth[r]
        _sort_down(top[r], order)
        _sort_down(bottom[r], low_order)
        _sort_down(true, true_order)
        mark_end(order, top[r], m, share[0], place[0])
        mark_end(low_order, bottom[r], m, share[1], place[1])
        mark_end(true_order, true, m, share[2], place[2])
        for i in range(size):
            minus[i] = -true[i]
            true_low_order[size - 1 - i] = true_order[i]
        mark_end(true_low_order, minus, m, share[3], place[3])

        pcs_top = same_set(place[0], place[2], m)
        pcs_bottom = same_set(place[1], place[3], m)
        out[r, _PCS_TOP] = pcs_top
        out[r, _PCS_BOTTOM] = pcs_bottom
        out[r, _PCS_BOTH] = 0.0
        if pcs_top == 1.0 and pcs_bottom == 1.0:
            out[r, _PCS_BOTH] = 1.0
        elif pcs_top > 0.0 and pcs_bottom > 0.0:
            common = count_ways(place[0], place[1], place[2], place[3], m, True)
            chosen = count_ways(place[0], place[1], place[0], place[1], m, False)
            right = count_ways(place[2], place[3], place[2], place[3], m, False)
            # two ends chosen by different scores can want the same facility: never both right
            out[r, _PCS_BOTH] = common / (chosen * right) if chosen > 0.0 else 0.0
        out[r, _WRONG_END_TOP] = sets_meet(place[0], place[3], m)
        out[r, _WRONG_END_BOTTOM] = sets_meet(place[1], place[2], m)

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
        out[r, _OVERLAP_TOP] = overlap_top / m
        out[r, _OVERLAP_BOTTOM] = overlap_bottom / m
        out[r, _REGRET_TOP] = (best - chosen_top) / m
        out[r, _REGRET_BOTTOM] = (chosen_bottom - worst) / m
        out[r, _CONTRAST] = (chosen_top - chosen_bottom) / m
        out[r, _CONTRAST_BEST] = (best - worst) / m
        out[r, _CONTRAST_ESTIMATED] = (estimated_top - estimated_bottom) / m
        out[r, _CURSE_TOP] = (estimated_top - chosen_top) / m
        out[r, _CURSE_BOTTOM] = (estimated_bottom - chosen_bottom) / m
        _midranks(order, top[r], ranks[0])
        _midranks(true_order, true, ranks[1])
        out[r, _RANK_CORRELATION] = _correlation(ranks[0], ranks[1])
        out[r, _ERROR] = error / size
        out[r, _SQUARED_ERROR] = squared / size
        if not np.isnan(width):
            out[r, _COVERAGE] = covered / size
            out[r, _COVERAGE_TOP] = covered_top / m
        out[r, _WIDTH] = width / size
        out[r, _VARIANCE] = variance / size
        out[r, _BRIER_TOP] = brier / size
        out[r, _FORECAST_SQUARED] = forecast_squared / size
        out[r, _FORECAST_HIT] = forecast_hit / size
        out[r, _POWER] = flags_right / m
        out[r, _FALSE_FLAG] = flags_wrong / (size - m)
        if not np.isnan(brier):
            for j in range(_BIN_START, out.shape[1]):
                out[r, j] = 0.0
            for i in range(size):
                b = min(BINS - 1, int(p_top[r, i] * BINS))
                out[r, _BIN_START + b] += 1.0
                out[r, _BIN_START + BINS + b] += p_top[r, i]
                out[r, _BIN_START + 2 * BINS + b] += share[2, i]
