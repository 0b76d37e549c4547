from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, stats

from pdsim.simulation import Scenario
from pdsim.simulation.observed_rules import decide_observed
from pdsim.simulation.observing import Observations, observe
from pdsim.simulation.truth import draw_truth

SCENARIO = Scenario(facilities=7, indicators=4, domains=2, trials=15, missing=0.15)


def observed_of(scenario, rows=30):
    replicates = range(rows)
    return observe(scenario, draw_truth(scenario, replicates, 1), replicates, 1)


def proportions(observed):
    """Return proportions, NaN unless the cell was seen in both periods."""
    both = (observed.size > 0).all(axis=3, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.where(both, observed.value / observed.size, np.nan)


def test_observed_change_uses_indicators_seen_in_both_periods():
    scenario = replace(SCENARIO, weighting="given", weights=(1.0, 2.0, 3.0, 4.0))
    observed = observed_of(scenario)
    p = proportions(observed)
    change = p[..., 1] - p[..., 0]
    weights = np.where(np.isnan(change), 0.0, [0.1, 0.2, 0.3, 0.4])
    decision = decide_observed(scenario, observed)
    usable = decision.status == 1
    assert usable.any()
    assert (usable == (weights.sum(axis=2) > 0).all(axis=1)).all()
    total = np.where(weights.sum(axis=2) > 0, weights.sum(axis=2), 1.0)
    expected = 100 * np.nansum(weights * change, axis=2) / total
    assert decision.estimate[usable] == pytest.approx(expected[usable])
    assert (decision.bottom[usable] == -decision.top[usable]).all()


@pytest.mark.parametrize("r", [0.0, 0.3])
def test_stated_variance_is_that_of_price_and_bonett(r):
    scenario = replace(SCENARIO, missing=0.0, assumed_case_correlation=r)
    observed = observed_of(scenario)
    # 8 proportions: 2 / 8 successes and failures each, more where fewer of them are independent
    added = (1 + 3 * r) / 4
    n = observed.size + 2 * added
    p = (observed.value + added) / n
    v = p * (1 - p) / n / 16
    total = (1 - r) * v.sum(axis=(2, 3)) + r * (np.sqrt(v).sum(axis=2) ** 2).sum(axis=2)
    decision = decide_observed(scenario, observed)
    assert decision.sd == pytest.approx(100 * np.sqrt(total))
    half = stats.norm.ppf(0.975) * decision.sd
    centre = 100 * np.diff(p, axis=3)[..., 0].mean(axis=2)
    assert decision.upper == pytest.approx(centre + half)
    assert decision.lower == pytest.approx(centre - half)


def test_the_interval_of_one_indicator_is_that_of_agresti_and_caffo():
    # 0 of 10 and 10 of 10: (11 - 1) / 12, standard error sqrt(2 x 11 / 12^3)
    scenario = Scenario(facilities=2, indicators=1, m=1)
    value = np.array([0.0, 10.0, 5.0, 5.0]).reshape(1, 2, 1, 2)
    size = np.full(value.shape, 10.0)
    decision = decide_observed(
        scenario, Observations(value=value, size=size, trials=size.astype(int))
    )
    assert decision.estimate[0, 0] == 100
    assert decision.sd[0, 0] == pytest.approx(100 * np.sqrt(22 / 12**3))
    half = stats.norm.ppf(0.975) * decision.sd[0, 0]
    assert decision.lower[0, 0] == pytest.approx(100 * 10 / 12 - half)


def decide_level(scenario):
    """Return the adherence at baseline and endline, alike in every cell."""
    return draw_truth(scenario, range(1), 1).level[0, 0, 0]


def test_stated_variance_is_the_true_one():
    alike = Scenario(
        facilities=6, indicators=8, m=2, trials=60, case_correlation=0.3,
        sd_baseline_facility=0.0, sd_change_facility=0.0, sd_baseline_indicator=0.0,
        sd_change_indicator=0.0,
    )  # fmt: skip
    decision = decide_observed(alike, observed_of(alike, 3000))
    error = np.sqrt(2 / decision.estimate.size)
    ratio = decision.estimate.var() / (decision.sd**2).mean()
    # p (1 - p) / n is understated by 1 / n, and 2 a more cases of which a are met make it smaller
    # still: n^2 / (n + 2 a)^2, and larger by that of the shrinking towards a half
    added = (1 + 7 * 0.3) / 8
    p = decide_level(alike)
    stated = ((60 * p + added) * (60 * (1 - p) + added) - 60 * p * (1 - p)) / (60 + 2 * added) ** 3
    expected = (p * (1 - p) / 60).sum() / stated.sum()
    assert ratio == pytest.approx(expected, abs=4.5 * error)


def test_a_facility_without_a_usable_indicator_is_an_error():
    scenario = replace(SCENARIO, missing=0.0)
    observed = observed_of(scenario, 2)
    size = np.broadcast_to(observed.size, observed.value.shape).copy()
    size[1, 3, :, 0] = 0
    broken = Observations(value=observed.value, size=size, trials=observed.trials)
    for rule in ("observed_change", "z_score", "shrunken_mean"):
        assert decide_observed(replace(scenario, rule=rule), broken).status.tolist() == [1, 4]


def test_z_score_standardises_changes_over_facilities():
    scenario = replace(SCENARIO, rule="z_score", missing=0.05)
    observed = observed_of(scenario)
    p = proportions(observed)
    change = p[..., 1] - p[..., 0]
    decision = decide_observed(scenario, observed)
    usable = decision.status == 1
    change = change[usable]
    assert np.isnan(change).any()
    off = change - np.nanmean(change, axis=1, keepdims=True)
    z = off / np.nanstd(change, axis=1, ddof=1, keepdims=True)
    expected = np.nansum(z, axis=2) / np.isfinite(z).sum(axis=2)
    assert decision.top[usable] == pytest.approx(expected)
    assert (decision.bottom[usable] == -decision.top[usable]).all()


def test_an_indicator_that_never_varies_has_no_z_score():
    scenario = replace(SCENARIO, rule="z_score", missing=0.0)
    observed = observed_of(scenario, 1)
    value = observed.value.copy()
    value[:, :, 0] = 0
    flat = Observations(value=value, size=observed.size, trials=observed.trials)
    moved = Observations(value=value + 0, size=observed.size * 1, trials=observed.trials)
    moved.value[:, :, 0] = 15
    assert decide_observed(scenario, flat).top == pytest.approx(
        decide_observed(scenario, moved).top
    )


def test_shrunken_mean_against_the_formulas():
    """The between-facility variance solves the equation of Paule and Mandel."""
    scenario = replace(
        SCENARIO, rule="shrunken_mean", missing=0.0, trials=(5, 10, 20, 40, 80, 9, 7)
    )
    observed = observed_of(scenario, 5)
    raw = decide_observed(replace(scenario, rule="observed_change"), observed)
    found = decide_observed(scenario, observed)

    def squares(between, y, v):
        w = 1 / (v + between)
        return np.sum(w * (y - np.average(y, weights=w)) ** 2)

    for r in range(5):
        y, v = raw.estimate[r], raw.sd[r] ** 2
        between = 0.0
        if squares(0.0, y, v) > 6:
            between = optimize.brentq(lambda t, y=y, v=v: squares(t, y, v) - 6, 0, 1e4, xtol=1e-12)
        w = 1 / (v + between)
        mean = np.average(y, weights=w)
        share = between / (between + v)
        assert found.estimate[r] == pytest.approx(mean + share * (y - mean))
        assert found.sd[r] ** 2 == pytest.approx(share * v + (1 - share) ** 2 / w.sum())
        spread = np.ptp(found.estimate[r])
        assert spread < np.ptp(y)


def test_shrinking_what_was_seen_without_a_failure():
    scenario = Scenario(facilities=6, rule="shrunken_mean", trials=10)
    value = np.zeros((1, 6, 1, 2))
    value[0, :, 0, 1] = [0, 10, 0, 10, 10, 10]
    size = np.full(value.shape, 10.0)
    decision = decide_observed(
        scenario, Observations(value=value, size=size, trials=np.full((1, 6, 1, 2), 10))
    )
    # 0 and 10 of 10 say less than one would think: the sure ones are shrunken like the others
    assert (np.sort(decision.estimate[0, [1, 3, 4, 5]]) == decision.estimate[0, 1]).all()
    assert 0 < decision.estimate[0, 0] < decision.estimate[0, 1] < 100


def test_flag_of_two_facilities_is_the_two_sample_t_test():
    scenario = Scenario(
        kind="normal", facilities=2, m=1, means=(0.9, 0.0), trials=9, known_se=False,
        flag_threshold=0.975,
    )  # fmt: skip
    observed = observed_of(scenario, 400)
    mean, sd = observed.value[:, :, 0, 0], observed.size[:, :, 0, 0] * 3
    test = stats.ttest_ind_from_stats(mean[:, 0], sd[:, 0], 9, mean[:, 1], sd[:, 1], 9)
    flagged = decide_observed(scenario, observed).flagged
    assert 0.2 < flagged[:, 0].mean() < 0.8
    assert (flagged[:, 0] == ((test.pvalue < 0.05) & (test.statistic > 0))).all()
    known = replace(scenario, known_se=True)
    observed = observed_of(known, 400)
    z = np.diff(observed.value[:, ::-1, 0, 0], axis=1)[:, 0] / np.sqrt(2 / 9)
    assert (decide_observed(known, observed).flagged[:, 0] == (z > stats.norm.ppf(0.975))).all()
