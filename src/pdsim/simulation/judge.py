"""How good one replicate's decision is against the truth: one row of numbers per replicate."""

import math
from typing import Any, Final

import numpy as np

from pdsim.arraytypes import Bools, Floats, Ints
from pdsim.jit import compiled
from pdsim.simulation.observed_rules import NOT_CONVERGED, Decision
from pdsim.simulation.ties import count_ways, mark_end, same_set, sets_meet
from pdsim.terms.measures import (
    BINNED,
    BINS,
    JUDGED,
    THEME_BOUND,
    THEME_GAP,
    THEME_SD,
    Judged,
    own_measures,
)
from pdsim.terms.places import TIE, shares

_ROW: Final = np.dtype([(name, np.float64) for name in JUDGED])
"""One replicate's numbers by name."""


def judge(
    truth: Floats, decision: Decision, m: int, out: Floats, *, met: Floats | None = None
) -> None:
    """Fill `out` (replicate, measure) from truths and decisions; NaN where undefined.

    Parameters
    ----------
    truth : ndarray (replicate, facility)
        True values of what facilities are ranked on.
    decision : Decision
        Replicates that are not usable are left NaN.
    m : int
    out : ndarray (replicate, measure)
        Its last axis is `COLUMNS`.
    met : ndarray (replicate, facility), optional
        Who truly meets the criteria, where the decision names facilities by them.
    """
    usable = decision.status < NOT_CONVERGED
    stop = len(JUDGED) + len(BINNED)
    out[:] = np.nan
    _judge_rows(
        truth,
        decision.top,
        decision.bottom,
        decision.estimate,
        decision.sd,
        decision.lower,
        decision.upper,
        decision.p_top,
        decision.flagged,
        usable,
        m,
        out[:, : len(JUDGED)].view(_ROW)[:, 0],
        out[:, len(JUDGED) : stop],
    )
    if met is not None and decision.meeting is not None:
        named = decision.meeting[usable] * met[usable]
        out[usable, JUDGED.index("criteria_met")] = named.sum(axis=1) / m
    own = own_measures()
    if own and usable.any():
        judged = Judged(
            truth=truth[usable],
            top=shares(decision.top[usable], m),
            bottom=shares(decision.bottom[usable], m),
            estimate=decision.estimate[usable],
            sd=decision.sd[usable],
            lower=decision.lower[usable],
            upper=decision.upper[usable],
            p_top=decision.p_top[usable],
            flagged=decision.flagged[usable],
            m=m,
        )
        for column, measure in enumerate(own, start=stop):
            assert measure.function is not None
            out[usable, column] = measure.function(judged)


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
def _sort_down(score: Floats, order: Ints, place: Ints) -> None:
    """Fill `order` so that it sorts `score` downwards; ties keep their order.

    By counting who is ahead of whom, into `place`: facilities are few, and which is ahead cannot be
    foreseen, so that a sort spends its time on wrong branches. Numba's own take seconds to compile.
    """
    place[:] = 0
    for i in range(score.size):
        for j in range(i):
            behind = np.int64(score[j] < score[i])
            place[j] += behind
            place[i] += 1 - behind
    for i in range(score.size):
        order[place[i]] = i


@compiled
def _judge_rows(
    truth: Floats,
    top: Floats,
    bottom: Floats,
    estimate: Floats,
    sd: Floats,
    lower: Floats,
    upper: Floats,
    p_top: Floats,
    flagged: Floats,
    usable: Bools,
    m: int,
    out: Any,
    bins: Floats,
) -> None:
    """Fill the rows of `out` (replicate,), one field for each number, and of `bins`."""
    rows, size = truth.shape
    order, low_order = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
    true_order, true_low_order = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
    minus = np.empty(size)
    place = np.empty((4, size), dtype=np.int64)
    share, ranks = np.empty((4, size)), np.empty((2, size))
    for r in range(rows):
        if not usable[r]:
            continue
        true, row = truth[r], out[r]
        _sort_down(top[r], order, place[0])
        _sort_down(bottom[r], low_order, place[1])
        _sort_down(true, true_order, place[2])
        mark_end(order, top[r], m, share[0], place[0])
        mark_end(low_order, bottom[r], m, share[1], place[1])
        mark_end(true_order, true, m, share[2], place[2])
        for i in range(size):
            minus[i] = -true[i]
        true_low_order[:] = true_order[::-1]
        mark_end(true_low_order, minus, m, share[3], place[3])
        _judge_sets(place, m, row)
        _judge_ends(share, true, estimate[r], m, row)
        _judge_estimates(true, estimate[r], sd[r], lower[r], upper[r], share[0], m, row)
        # NaN for all facilities where the rule states none
        if not np.isnan(p_top[r, 0]):
            _judge_forecasts(share[2], p_top[r], row, bins[r])
        if not np.isnan(flagged[r, 0]):
            _judge_flags(share[2], flagged[r], m, row)
        _midranks(order, top[r], ranks[0])
        _midranks(true_order, true, ranks[1])
        row["rank_correlation"] = _correlation(ranks[0], ranks[1])


@compiled
def _judge_sets(place: Ints, m: int, row: Any) -> None:
    """Compare the sets that are named with the true ones; of each, top and bottom."""
    pcs_top = same_set(place[0], place[2], m)
    pcs_bottom = same_set(place[1], place[3], m)
    row["pcs_top"] = pcs_top
    row["pcs_bottom"] = pcs_bottom
    row["pcs_both"] = 0.0
    if pcs_top == 1.0 and pcs_bottom == 1.0:
        row["pcs_both"] = 1.0
    elif pcs_top > 0.0 and pcs_bottom > 0.0:
        common = count_ways(place[0], place[1], place[2], place[3], m, True)
        chosen = count_ways(place[0], place[1], place[0], place[1], m, False)
        right = count_ways(place[2], place[3], place[2], place[3], m, False)
        # two ends chosen by different scores can want the same facility: never both right
        row["pcs_both"] = common / (chosen * right) if chosen > 0.0 else 0.0
    row["wrong_end_top"] = sets_meet(place[0], place[3], m)
    row["wrong_end_bottom"] = sets_meet(place[1], place[2], m)


@compiled
def _judge_ends(share: Floats, true: Floats, estimate: Floats, m: int, row: Any) -> None:
    """Add up what the named and the truly best and worst are worth."""
    overlap_top = overlap_bottom = 0.0
    best = worst = chosen_top = chosen_bottom = 0.0
    estimated_top = estimated_bottom = wrong = 0.0
    for i in range(true.size):
        wrong += share[0, i] * share[3, i] + share[1, i] * share[2, i]
        overlap_top += share[0, i] * share[2, i]
        overlap_bottom += share[1, i] * share[3, i]
        best += share[2, i] * true[i]
        worst += share[3, i] * true[i]
        chosen_top += share[0, i] * true[i]
        chosen_bottom += share[1, i] * true[i]
        if share[0, i] > 0:
            estimated_top += share[0, i] * estimate[i]
        if share[1, i] > 0:
            estimated_bottom += share[1, i] * estimate[i]
    row["overlap_top"] = overlap_top / m
    row["overlap_bottom"] = overlap_bottom / m
    left = 0.5 * (overlap_top + overlap_bottom - wrong) / m
    row["interview_lambda"] = left
    # beyond 1.645 standard deviations, by the normal distribution
    beyond = left * THEME_GAP / (THEME_SD / math.sqrt(m)) - THEME_BOUND
    row["theme_power"] = 0.5 * math.erfc(-beyond / math.sqrt(2.0))
    row["regret_top"] = (best - chosen_top) / m
    row["regret_bottom"] = (chosen_bottom - worst) / m
    row["contrast"] = (chosen_top - chosen_bottom) / m
    row["contrast_best"] = (best - worst) / m
    row["contrast_estimated"] = (estimated_top - estimated_bottom) / m
    row["curse_top"] = (estimated_top - chosen_top) / m
    row["curse_bottom"] = (estimated_bottom - chosen_bottom) / m


@compiled
def _judge_estimates(
    true: Floats,
    estimate: Floats,
    sd: Floats,
    lower: Floats,
    upper: Floats,
    chosen: Floats,
    m: int,
    row: Any,
) -> None:
    """Compare estimates and intervals with the true values."""
    size = true.size
    error = squared = covered = covered_top = width = variance = 0.0
    for i in range(size):
        gap = estimate[i] - true[i]
        error += gap
        squared += gap * gap
        inside = 1.0 if lower[i] <= true[i] <= upper[i] else 0.0
        covered += inside
        covered_top += chosen[i] * inside
        width += upper[i] - lower[i]
        variance += sd[i] * sd[i]
    row["error"] = error / size
    row["squared_error"] = squared / size
    if not np.isnan(width):
        row["coverage"] = covered / size
        row["coverage_top"] = covered_top / m
    row["width"] = width / size
    row["variance"] = variance / size


@compiled
def _judge_forecasts(best: Floats, p_top: Floats, row: Any, bins: Floats) -> None:
    """Compare stated P(top m) with who is truly among the best."""
    size = best.size
    brier = squared = hit = 0.0
    for i in range(size):
        stated = p_top[i]
        brier += stated * stated + best[i] * (1.0 - 2.0 * stated)
        squared += stated * stated
        hit += stated * best[i]
    row["brier_top"] = brier / size
    row["forecast_squared"] = squared / size
    row["forecast_hit"] = hit / size
    if not np.isnan(brier):
        bins[:] = 0.0
        for i in range(size):
            b = min(BINS - 1, int(p_top[i] * BINS))
            bins[b] += 1.0
            bins[BINS + b] += p_top[i]
            bins[2 * BINS + b] += best[i]


@compiled
def _judge_flags(best: Floats, flagged: Floats, m: int, row: Any) -> None:
    """Compare who is flagged as clearly among the best with who truly is."""
    right = wrong = 0.0
    for i in range(best.size):
        right += flagged[i] * best[i]
        wrong += flagged[i] * (1.0 - best[i])
    row["power"] = right / m
    row["false_flag"] = wrong / (best.size - m)
