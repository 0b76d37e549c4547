"""The search on curves whose root is known."""

import numpy as np
import pytest

from pdsim.errors import InputError
from pdsim.planning import Search, refine, solve
from pdsim.planning.curve import crossing, fit_curve, from_link


def bernoulli(curve, seed):
    def run(size, replicates):
        rng = np.random.default_rng([seed, size, replicates.start])
        return (rng.random(len(replicates)) < curve(size)).astype(float)

    return run


def rising(size):
    return 1 - np.exp(-size / 50)  # 0.8 at 50 log 5


ROOT = 50 * np.log(5)


def test_intervals_hold_the_root_as_often_as_they_say():
    # 80 searches at 95 %: 69 or fewer have probability 0.002
    hits = 0
    for seed in range(80):
        found = solve(bernoulli(rising, seed), Search(value=0.8, high=2000, start=60)).crossing
        hits += found.low <= ROOT <= found.high
    assert hits >= 70


def test_intervals_of_a_loss_that_is_mostly_zero_hold_the_root_too():
    # 200 searches at 95 %: 179 or fewer have probability 0.001
    def loss(seed):
        def run(size, replicates):
            rng = np.random.default_rng([seed, size, replicates.start])
            return 5.0 * (rng.random(len(replicates)) < 0.2 * (16 / size) ** 0.8)

        return run

    hits = 0
    for seed in range(200):
        search = Search(value=1.0, at_least=False, link="log", low=3, high=2000, batch=200)
        found = solve(loss(seed), search).crossing
        hits += found.low <= 16 <= found.high
    assert hits >= 180


def test_it_stops_at_the_stated_precision():
    root = solve(bernoulli(rising, 1), Search(value=0.8, high=2000, precision=0.05))
    assert root.status == "found"
    assert np.sqrt(root.crossing.high / root.crossing.low) <= 1.05
    assert root.n == int(np.ceil(root.crossing.n))
    assert 0.4 < root.reached(root.crossing.n) < 0.6
    assert root.reached(2 * ROOT) > 0.999
    assert root.reached(ROOT / 2) < 0.001


def test_replicate_numbers_are_used_once():
    seen = []

    def run(size, replicates):
        seen.extend(replicates)
        return bernoulli(rising, 3)(size, replicates)

    root = solve(run, Search(value=0.8, high=2000))
    assert sorted(seen) == list(range(root.spent))


def test_a_ceiling_below_the_target_is_not_reachable():
    root = solve(bernoulli(lambda n: 0.6 * (1 - np.exp(-n / 20)), 1), Search(value=0.8, high=2000))
    assert root.status == "not_reachable"
    assert root.n is None
    assert root.size[-1] == 2000
    assert abs(root.value[-1] - 0.6) < 4 * root.error[-1]


def test_a_target_met_everywhere_needs_the_smallest_size():
    root = solve(bernoulli(lambda n: 0.95 + 0 * n, 1), Search(value=0.8, low=5, high=2000))
    assert root.status == "always_reached"
    assert root.n == 5


def test_a_falling_measure_gives_the_largest_size():
    search = Search(value=0.8, high=2000, rising=None, precision=0.1)
    root = solve(bernoulli(lambda n: np.exp(-n / 200), 2), search)  # 0.8 at 44.6
    assert not root.rising
    assert root.crossing.low <= 200 * np.log(1.25) <= root.crossing.high
    assert root.n == int(np.floor(root.crossing.n))


def test_a_bound_from_above_on_the_log_scale():
    def run(size, replicates):
        rng = np.random.default_rng([5, size, replicates.start])
        return rng.gamma(4.0, 10 / np.sqrt(size) / 4.0, len(replicates))  # mean 10 / sqrt(n)

    root = solve(run, Search(value=1.0, at_least=False, link="log", high=5000))
    assert root.crossing.low <= 100 <= root.crossing.high


def test_it_gives_up_when_the_replicates_are_used_up():
    root = solve(bernoulli(rising, 1), Search(value=0.8, precision=0.01, batch=100, most=2000))
    assert root.status == "replicates_used_up"
    assert root.spent <= 2000


def test_unusable_replicates_are_left_out():
    def run(size, replicates):
        rows = bernoulli(rising, 7)(size, replicates)
        rows[::4] = np.nan
        return rows

    root = solve(run, Search(value=0.8, high=2000))
    assert root.crossing.low <= ROOT <= root.crossing.high
    assert root.replicates.sum() < root.spent


def test_steps_end_with_the_answer():
    search = Search(value=0.8, high=2000, precision=0.03)
    states = list(refine(bernoulli(rising, 1), search))
    assert [state.status for state in states[:-1]] == ["searching"] * (len(states) - 1)
    assert states[-1].status == "found"


@pytest.mark.parametrize("wrong", [{"low": 9, "high": 9}, {"precision": 0.0}, {"batch": 5}])
def test_impossible_searches_are_refused(wrong):
    with pytest.raises(InputError):
        Search(value=0.8, **wrong)


def test_the_curve_passes_through_exact_points():
    size = np.array([10, 20, 40, 80, 160])
    value = rising(size)
    error = np.sqrt(value * (1 - value) / 1e6)
    curve = fit_curve(size, value, error, np.full(5, 1e6), link="probit", low=2)
    assert from_link(curve.at(size)[0], "probit") == pytest.approx(value, abs=2e-3)
    found = crossing(curve, 0.8, low=2, high=1000, at_least=True, rising=True, prob=0.95)
    assert found.low <= ROOT <= found.high


def test_points_at_zero_and_one_do_not_break_the_curve():
    size = np.array([30, 48, 77, 197, 807, 10_000])
    value = np.array([0.1, 0.17, 0.25, 0.51, 0.98, 1.0])
    error = np.sqrt(value * (1 - value) / 400)
    curve = fit_curve(size, value, error, np.full(6, 400), link="probit", low=2)
    found = crossing(curve, 0.8, low=2, high=10_000, at_least=True, rising=True, prob=0.95)
    assert 197 < found.low < found.n < found.high < 807
