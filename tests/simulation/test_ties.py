"""Ties against an enumeration of every outcome of the lots."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdsim.simulation import COLUMNS
from pdsim.simulation.judge import judge
from pdsim.simulation.observed_rules import Decision

SCORES = st.lists(st.integers(0, 3), min_size=6, max_size=7)


def outcomes(scores, m):
    """Every (top, bottom) pair of sets that lots can give, all equally likely."""
    pairs = []
    size = range(len(scores))
    for top in combinations(size, m):
        if min(scores[i] for i in top) < max(scores[i] for i in size if i not in top):
            continue
        for bottom in combinations([i for i in size if i not in top], m):
            rest = [i for i in size if i not in bottom]
            if max(scores[i] for i in bottom) <= min(scores[i] for i in rest):
                pairs.append((set(top), set(bottom)))
    return pairs


def decision_of(top, bottom, *, status, **changes):
    nan = np.full(top.shape, np.nan)
    arrays = dict.fromkeys(("estimate", "sd", "lower", "upper", "p_top", "flagged"), nan)
    arrays |= {k: np.array([v], dtype=float) for k, v in changes.items()}
    return Decision(top=top, bottom=bottom, **arrays, status=np.array([status], dtype=np.uint8))


def judged(truth, score, m, **changes):
    truth, score = np.array([truth], dtype=float), np.array([score], dtype=float)
    out = np.empty((1, len(COLUMNS)))
    judge(truth, decision_of(score, -score, status=1, **changes), m, out)
    return dict(zip(COLUMNS, out[0], strict=True))


@given(SCORES, SCORES, st.integers(1, 3))
def test_every_outcome_of_the_lots(truth, score, m):
    size = min(len(truth), len(score))
    truth, score = truth[:size], score[:size]
    found = judged(truth, score, m)
    chosen, right = outcomes(score, m), outcomes(truth, m)
    expected = dict.fromkeys(
        ("pcs_top", "pcs_bottom", "pcs_both", "overlap_top", "overlap_bottom",
         "wrong_end_top", "wrong_end_bottom", "contrast", "contrast_best"), 0.0,
    )  # fmt: skip
    for top, bottom in chosen:
        for best, worst in right:
            mean = {
                name: np.mean([truth[i] for i in group])
                for name, group in (("t", top), ("b", bottom), ("B", best), ("W", worst))
            }
            for name, value in {
                "pcs_top": top == best,
                "pcs_bottom": bottom == worst,
                "pcs_both": top == best and bottom == worst,
                "overlap_top": len(top & best) / m,
                "overlap_bottom": len(bottom & worst) / m,
                "wrong_end_top": bool(top & worst),
                "wrong_end_bottom": bool(bottom & best),
                "contrast": mean["t"] - mean["b"],
                "contrast_best": mean["B"] - mean["W"],
            }.items():  # fmt: skip
                expected[name] += value / (len(chosen) * len(right))
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-12), name
    assert found["regret_top"] + found["regret_bottom"] == pytest.approx(
        found["contrast_best"] - found["contrast"], abs=1e-12
    )


@given(SCORES, st.permutations(range(6)))
def test_labels_do_not_matter(score, order):
    truth = [5.0, 4.0, 3.0, 2.0, 1.0, 0.5]
    one = judged(truth, score[:6], 2)
    two = judged([truth[i] for i in order], [score[i] for i in order], 2)
    assert list(one.values()) == pytest.approx(list(two.values()), nan_ok=True)


def test_scores_that_differ_by_rounding_are_tied():
    truth = [3.0, 2.0, 1.0, 0.0]
    assert judged(truth, [10.0, 10.0 - 1e-12, 5.0, 0.0], 1)["pcs_top"] == 0.5
    assert judged(truth, [10.0, 10.0 - 1e-6, 5.0, 0.0], 1)["pcs_top"] == 1.0


def test_estimates_forecasts_and_flags():
    truth = [4.0, 3.0, 2.0, 1.0]
    found = judged(
        truth,
        [9.0, 1.0, 5.0, 0.0],
        1,
        estimate=[9.0, 1.0, 5.0, 0.0],
        sd=[1.0, 2.0, 1.0, 2.0],
        lower=[5.0, 0.0, 1.0, -1.0],
        upper=[13.0, 4.0, 9.0, 0.5],
        p_top=[0.9, 0.0, 0.1, 0.0],
        flagged=[1.0, 0.0, 1.0, 0.0],
    )
    expected = {
        "curse_top": 5.0,
        "curse_bottom": -1.0,
        "contrast_estimated": 9.0,
        "error": (5 - 2 + 3 - 1) / 4,
        "squared_error": (25 + 4 + 9 + 1) / 4,
        "coverage": 2 / 4,
        "coverage_top": 0.0,
        "width": (8 + 4 + 8 + 1.5) / 4,
        "variance": (1 + 4 + 1 + 4) / 4,
        "brier_top": (0.01 + 0.01) / 4,
        "power": 1.0,
        "false_flag": 1 / 3,
        "rank_correlation": 0.8,
        "forecast_count_0": 2.0,
        "forecast_count_1": 1.0,
        "forecast_count_9": 1.0,
        "forecast_sum_9": 0.9,
        "forecast_hits_9": 1.0,
        "forecast_hits_1": 0.0,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_a_rule_that_wants_one_facility_at_both_ends_is_never_right_at_both():
    truth = np.array([[3.0, 2.0, 1.0, 0.0]])
    both = np.array([[9.0, 1.0, 1.0, 0.0]])
    out = np.empty((1, len(COLUMNS)))
    judge(truth, decision_of(both, both, status=1), 1, out)
    assert out[0, COLUMNS.index("pcs_top")] == 1
    assert out[0, COLUMNS.index("pcs_both")] == 0


def test_unusable_replicates_stay_undefined():
    truth = np.array([[3.0, 2.0, 1.0, 0.0]])
    nan = np.full(truth.shape, np.nan)
    out = np.zeros((1, len(COLUMNS)))
    judge(truth, decision_of(nan, nan, status=4), 1, out)
    assert np.isnan(out).all()


def test_many_facilities():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=300)
    found = judged(truth, truth + rng.normal(size=300) / 100, 5)
    assert found["overlap_top"] >= 0.8
    assert found["rank_correlation"] > 0.99
