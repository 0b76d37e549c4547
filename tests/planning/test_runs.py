"""Rows of replicates: shared draws, workers, the control variate; the next cases of a fit."""

from dataclasses import replace

import numpy as np
import pytest

import pdsim
from pdsim import Scenario, plan
from pdsim.errors import InputError
from pdsim.planning import Search, check_allocation, next_cases, solve
from pdsim.planning.next_case import cases_of
from pdsim.planning.runs import (
    CHEAP_RULE,
    control_of,
    measure_rows,
    reduce_rows,
    reduce_with_control,
    workers_map,
)  # fmt: skip

_FIRST_OF_CONTROL = 1_000_000_000
UNEQUAL = Scenario(facilities=6, indicators=2, m=2, trials=10, trials_cv=0.8, rule="shrunken_mean")


def of(scenario):
    return lambda size, numbers: [(replace(scenario, trials=size), numbers)]


def test_a_row_is_the_mean_of_the_replicates_that_share_a_draw():
    single = measure_rows(of(UNEQUAL), "overlap_top", seed=1)(10, range(40))

    def fourfold(size, rows):
        return of(UNEQUAL)(size, range(4 * rows.start, 4 * rows.stop))

    rows = measure_rows(fourfold, "overlap_top", seed=1, cluster=4)(10, range(10))
    assert rows == pytest.approx(single.reshape(10, 4).mean(axis=1))


def test_workers_change_nothing():
    serial = measure_rows(of(UNEQUAL), "regret_top", seed=1)(10, range(50))
    with workers_map(2) as apply:
        spread = measure_rows(of(UNEQUAL), "regret_top", seed=1, apply=apply, workers=2)
        assert spread(10, range(50)).tolist() == serial.tolist()


def test_the_control_variate_is_unbiased_and_sharper():
    run = measure_rows(of(UNEQUAL), "overlap_top", seed=1, control=True)
    cheap = measure_rows(of(replace(UNEQUAL, rule=CHEAP_RULE)), "overlap_top", seed=1)
    rows = run(10, range(2000))
    adjusted = reduce_with_control("overlap_top", cheap)(10, rows)
    plain = reduce_rows("overlap_top")(10, rows[:, 0])
    # the same rule on other replicates
    truth = reduce_rows("overlap_top")(
        10, measure_rows(of(UNEQUAL), "overlap_top", seed=2)(10, range(40_000))
    )
    assert adjusted.error < 0.9 * plain.error
    assert abs(adjusted.value - truth.value) < 4 * np.hypot(adjusted.error, truth.error)


def test_the_control_uses_a_replicate_number_once():
    seen = []

    def cheap(size, numbers):
        seen.extend(numbers)
        return np.random.default_rng([1, size, numbers.start]).random(len(numbers))

    reduce = reduce_with_control("overlap_top", cheap)
    rng = np.random.default_rng(2)
    for size, count in ((10, 20), (40, 20), (10, 50)):
        reduce(size, rng.random((count, 2)))
    assert len(set(seen)) == len(seen)


def test_intervals_with_a_control_variate_hold_the_root_as_often_as_they_say():
    # a replicate is one uniform number at every size, as replicates share their truth; the rules
    # differ in a tenth of the hits. 120 searches at 95 %: 105 or fewer have probability 0.001
    def hit(uniform, size):
        return uniform < 1 - np.exp(-size / 50)

    hits = 0
    for seed in range(120):
        uniform, other = np.random.default_rng(seed).random((2, 1_000_000))

        def run(size, numbers, uniform=uniform, other=other):
            dear = hit(uniform[numbers], size)
            changed = np.random.default_rng(numbers.start).random(len(numbers)) < 0.02
            return (
                np.stack([dear, np.where(changed, hit(other[numbers], size), dear)], axis=1) * 1.0
            )

        def cheap(size, numbers, uniform=uniform):
            return hit(uniform[::-1][np.array(numbers) - _FIRST_OF_CONTROL], size) * 1.0

        search = Search(value=0.8, high=2000, start=60, batch=100, precision=0.04)
        found = solve(run, search, reduce=reduce_with_control("pcs_top", cheap)).crossing
        hits += found.low <= 50 * np.log(5) <= found.high
    assert hits >= 106


def test_a_rule_that_states_no_such_measure_is_an_error():
    with pytest.raises(InputError, match="no replicate gives brier_top"):
        plan(Scenario(), target="brier_top <= 0.1")


@pytest.fixture(scope="module")
def fit():
    study = pdsim.load_example("lake_zone", trials=20, case_correlation=0.1)
    return pdsim.fit(study, engine="laplace", seed=1)


def test_simulated_cases_have_the_stated_covariance():
    scenario = Scenario(facilities=4, indicators=3, m=1, trials=20, case_correlation=0.3)
    _, study = pdsim.simulate(scenario, replicate=0, seed=1)
    case = cases_of(pdsim.fit(study, engine="laplace", seed=1))
    level = np.full((4, 3), 0.3)
    met = case.observe(level, 40_000, np.random.default_rng(1))
    expected = 0.21 * (0.3 + 0.7 * np.eye(3))
    assert case.noise(level)[0] == pytest.approx(expected)
    for i in range(4):
        # a covariance of 0/1 scores: standard error below 0.21 sqrt(2 / 40,000)
        assert np.cov(met[i].T) == pytest.approx(expected, abs=5 * 0.21 * np.sqrt(2 / 40_000))


def test_a_case_of_a_composite_is_worth_its_items(fit):
    case = cases_of(fit)
    assert case.group.size == 14
    assert case.trials == pytest.approx(14 / (1 + 13 * 0.1))
    level = np.full((10, 1), 0.4)
    met = case.observe(level, 20_000, np.random.default_rng(1)) / case.trials
    variance = case.noise(level)[0, 0, 0]
    assert variance == pytest.approx(0.24 / case.trials)
    # the variance of a variance is near 2 V^2 / n
    assert met.var(axis=1) == pytest.approx(variance, rel=6 * np.sqrt(2 / 20_000))


def test_the_allocation_of_a_fit(fit):
    found = next_cases(fit, cases=100)
    assert found.recommended.sum() == found.equal.sum() == 100
    assert float(found.pcs_recommended) >= float(found.pcs_equal) >= float(found.pcs_now) - 1e-3
    checked = check_allocation(fit, found, replicates=20)
    assert checked.attrs["replicates"] == 20
    assert float(checked.gain) == pytest.approx(
        float(checked.pcs_recommended) - float(checked.pcs_equal)
    )


@pytest.mark.parametrize(
    "wrong", [{"cases": 0}, {"cases": 9, "side": "up"}, {"cases": 9, "m": 10},
              {"cases": 9, "period": "never"}],
)  # fmt: skip
def test_impossible_allocations_are_refused(fit, wrong):
    with pytest.raises(InputError):
        next_cases(fit, **wrong)


def test_the_control_of_a_posterior_is_the_same_analysis_with_known_spreads():
    scenario = Scenario(facilities=8, indicators=4, m=2, trials=20, rule="p_top")
    assert control_of(scenario) == replace(scenario, engine="known")
    net = replace(scenario, controls=4, estimand="effect")
    assert control_of(net) == replace(net, rule=CHEAP_RULE)
    rows = measure_rows(of(scenario), "overlap_top", seed=1, control=True)(20, range(40))
    # about 0.8, with a standard error of (1 - 0.8^2) / sqrt(40) = 0.06; at 0.5 little is gained
    assert np.corrcoef(rows.T)[0, 1] > 0.5
