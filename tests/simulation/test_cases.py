from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit, logit

from pdsim.simulation import Scenario
from pdsim.simulation.bernoulli import count_successes
from pdsim.simulation.observing import observe
from pdsim.simulation.philox import philox, schedule
from pdsim.simulation.truth import draw_truth

SMALL = Scenario(facilities=6, indicators=3, m=2)
ALIKE = replace(
    SMALL, sd_baseline_facility=0.0, sd_change_facility=0.0, sd_baseline_indicator=0.0,
    sd_change_indicator=0.0, baseline_level=0.3, improvement=20.0,
)  # fmt: skip
PATHS = {
    "independent": {},
    "correlated": {"case_correlation": 0.3},
    "fading": {"observer_effect": 0.8, "observer_halving": 7.0},
    "all": {
        "case_correlation": 0.2, "observer_effect": 0.8, "observer_halving": 7.0,
        "sensitivity": 0.9, "specificity": 0.8, "ceiling": 0.95,
    },
}  # fmt: skip


def seen(scenario, replicates=range(50), seed=1):
    return observe(scenario, draw_truth(scenario, replicates, seed), replicates, seed)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("few", "many"), [(1, 2), (3, 17), (16, 20), (20, 64), (40, 150)])
def test_fewer_trials_are_a_prefix_of_more(path, few, many):
    scenario = replace(SMALL, **PATHS[path])
    small = seen(replace(scenario, trials=few)).value
    large = seen(replace(scenario, trials=many)).value
    assert (small <= large).all()
    assert (large - small <= many - few).all()
    assert (small < large).any()


@pytest.mark.parametrize("path", ["independent", "correlated"])
def test_cases_come_one_at_a_time(path):
    # the cases between n and n + 1 are one Bernoulli draw of every cell
    scenario = replace(SMALL, **PATHS[path])
    values = [seen(replace(scenario, trials=n)).value for n in range(1, 40)]
    steps = np.diff(np.stack(values), axis=0)
    assert set(np.unique(steps)) == {0.0, 1.0}
    per_case = steps.reshape(len(steps), -1)
    r = np.corrcoef(per_case)[np.triu_indices(len(per_case), 1)]
    # between cells the probabilities differ, which correlates the cases of a cell
    assert np.ptp(r) < 9 * 1 / np.sqrt(per_case.shape[1])


def test_trials_of_other_cells_do_not_matter():
    table = np.full((6, 3), 25)
    uneven = table.copy()
    uneven[2, 1], uneven[0, 0], uneven[5, 2] = 3, 90, 1
    one = seen(replace(SMALL, trials=tuple(map(tuple, table.tolist())))).value
    two = seen(replace(SMALL, trials=tuple(map(tuple, uneven.tolist())))).value
    same = uneven == table
    assert (one[:, same] == two[:, same]).all()
    assert (one == seen(replace(SMALL, trials=25)).value).all()


@pytest.mark.parametrize("n", [1, 5, 16, 23, 64, 150])
@pytest.mark.parametrize("p", [0.0001, 0.03, 0.3, 0.5, 0.871, 0.99999])
def test_counts_are_binomial(n, p):
    rows, cells = 2500, 10
    counts = np.empty((rows, cells))
    key = np.array([11, n], dtype=np.uint64)
    trials = np.full((1, cells), n)
    count_successes(key, np.arange(rows), np.full((rows, cells), p), trials, counts)
    expected = stats.binom.pmf(np.arange(n + 1), n, p) * counts.size
    observed = np.bincount(counts.astype(int).ravel(), minlength=n + 1)
    # pool the tails so that every class expects at least five
    order = np.argsort(-expected)
    large = order[: max(1, int((expected >= 5).sum()))]
    rest = np.setdiff1d(order, large)
    found = np.append(observed[large], observed[rest].sum())
    wanted = np.append(expected[large], expected[rest].sum())
    if wanted[-1] < 5:
        found = np.append(found[:-2], found[-2:].sum())
        wanted = np.append(wanted[:-2], wanted[-2:].sum())
    if found.size == 1:
        assert found[0] == counts.size
    else:
        assert stats.chisquare(found, wanted * found.sum() / wanted.sum()).pvalue > 1e-5
    # cells of one replicate are independent, those of a shared word included
    if 0.01 < p < 0.99:
        r = np.corrcoef(counts.T)[np.triu_indices(cells, 1)]
        assert np.abs(r).max() < 4.8 / np.sqrt(rows)


def uniform_of(keys, replicate, cell, case):
    """Return the 64 binary digits of one case's uniform as a whole number."""
    group, lane = divmod(cell, 4)
    block, place = divmod(case, 16)
    digits = 0
    for call in range(16):
        for word in philox(keys, *(np.uint64(c) for c in (call, block, group, replicate))):
            digits = 2 * digits + ((int(word) >> (16 * lane + place)) & 1)
    return digits


@pytest.mark.parametrize("even", [True, False])
def test_counts_are_those_of_plain_comparison(even):
    # every case met where its uniform lies below p, one case after the other
    key, cells, replicates = np.array([5, 6], dtype=np.uint64), 6, np.array([3, 900])
    p = np.random.default_rng(1).random((2, cells))
    p[0, 0], p[1, 5] = 0.0, 1.0
    trials = np.array([[40] * cells]) if even else np.array([[40, 1, 16, 17, 0, 33]])
    counts = np.empty((2, cells))
    count_successes(key, replicates, p, trials, counts)
    keys = schedule(key)
    for r, replicate in enumerate(replicates):
        for cell in range(cells):
            limit = int(p[r, cell] * 2**64)
            drawn = [uniform_of(keys, replicate, cell, c) for c in range(trials[0, cell])]
            assert counts[r, cell] == sum(u < limit for u in drawn)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_certain_outcomes(p):
    counts = np.empty((20, 6))
    count_successes(
        np.array([1, 2], dtype=np.uint64), np.arange(20), np.full((20, 6), p),
        np.full((1, 6), 70), counts,
    )  # fmt: skip
    assert (counts == 70 * p).all()


def test_a_large_cell_with_a_small_rate():
    counts = np.empty((30, 2))
    count_successes(
        np.array([1, 2], dtype=np.uint64), np.arange(30), np.full((30, 2), 1e-4),
        np.full((1, 2), 100_000), counts,
    )  # fmt: skip
    assert counts.mean() == pytest.approx(10, abs=4.5 * np.sqrt(10 / 60))


@given(st.integers(1, 200), st.integers(0, 10**6), st.integers(1, 6))
def test_any_batch_gives_the_same(start, seed, size):
    numbers = range(start, start + size)
    scenario = replace(SMALL, trials_cv=0.5, missing=0.2)
    whole = seen(scenario, range(start, start + 6), seed)
    part = seen(scenario, numbers, seed)
    assert (part.value == whole.value[:size]).all()
    assert (part.size == whole.size[:size]).all()


@pytest.mark.parametrize("r", [0.1, 0.3])
def test_indicators_of_a_case_are_correlated_as_stated(r):
    n, rows = 12, 4000
    scenario = replace(ALIKE, case_correlation=r, trials=n)
    share = seen(scenario, range(rows)).value / n
    p, k = 0.3, 3
    variance = p * (1 - p) / (k * n) * (1 + (k - 1) * r)
    found = share[..., 0].mean(axis=2)
    error = np.sqrt(2 / found.size)
    assert found.var() / variance == pytest.approx(1, abs=4.5 * error)
    assert found.mean() == pytest.approx(p, abs=4.5 * np.sqrt(variance / found.size))
    # each cell alone stays binomial, and facilities and periods share nothing
    assert share[..., 0].var() / (p * (1 - p) / n) == pytest.approx(1, abs=4.5 * error * 1.5)
    for one, two in ((found[:, 0], found[:, 1]), (found[:, 0], share[:, 0, :, 1].mean(axis=1))):
        assert abs(np.corrcoef(one, two)[0, 1]) < 4.5 / np.sqrt(rows)


def test_ways_of_counting_agree():
    # no correlation and no fading through the other kernel: the same distribution
    fading = replace(ALIKE, observer_effect=1e-9, observer_halving=1e9, trials=30)
    one, two = seen(fading, range(2000)).value, seen(replace(ALIKE, trials=30), range(2000)).value
    assert stats.ks_2samp(one[..., 0].ravel(), two[..., 0].ravel()).pvalue > 1e-4
    assert stats.ks_2samp(one[..., 1].ravel(), two[..., 1].ravel()).pvalue > 1e-4


def test_misclassified_observations():
    rows = 3000
    expected = 0.9 * 0.3 + 0.2 * 0.7
    for correlation in (0.0, 0.2):
        scenario = replace(ALIKE, sensitivity=0.9, specificity=0.8, case_correlation=correlation)
        share = seen(scenario, range(rows)).value[..., 0] / 40
        clustered = expected * (1 - expected) / (40 * share.size) * (1 + 2 * correlation)
        assert share.mean() == pytest.approx(expected, abs=4.5 * np.sqrt(clustered))


def test_an_observer_who_is_got_used_to():
    rows, n = 3000, 40
    fade = 0.5 ** (np.arange(n) / 10.0)
    for correlation in (0.0, 0.2):
        scenario = replace(
            ALIKE, observer_effect=1.0, observer_halving=10.0, observer_endline=0.4,
            case_correlation=correlation, trials=n,
        )  # fmt: skip
        share = seen(scenario, range(rows)).value / n
        for t, (level, effect) in enumerate(((0.3, 1.0), (0.5, 0.4))):
            expected = expit(logit(level) + effect * fade).mean()
            error = np.sqrt(0.25 * (1 + 2 * correlation) / (n * share[..., t].size))
            assert share[..., t].mean() == pytest.approx(expected, abs=4.5 * error)
    lasting = replace(ALIKE, observer_effect=1.0, observer_endline=0.4, trials=n)
    share = seen(lasting, range(rows)).value / n
    error = np.sqrt(0.25 / (n * share[..., 0].size))
    assert share[..., 0].mean() == pytest.approx(expit(logit(0.3) + 1.0), abs=4.5 * error)
    assert share[..., 1].mean() == pytest.approx(expit(logit(0.5) + 0.4), abs=4.5 * error)


def test_missing_cells():
    rows = 3000
    share = (seen(replace(ALIKE, missing=0.15), range(rows)).size == 0).mean()
    error = np.sqrt(0.15 * 0.85 / (rows * 36))
    assert share == pytest.approx(0.15, abs=4.5 * error)
    scenario = replace(SMALL, missing=0.2, missing_slope=1.5)
    truth = draw_truth(scenario, range(rows), 1)
    observed = observe(scenario, truth, range(rows), 1)
    lost = observed.size == 0
    assert (observed.value[lost] == 0).all()
    expected = expit(logit(0.2) - 1.5 * logit(truth.level))
    for low in (True, False):
        chosen = (truth.level < 0.5) == low
        error = np.sqrt(expected[chosen].mean() / chosen.sum())
        assert lost[chosen].mean() == pytest.approx(expected[chosen].mean(), abs=4.5 * error)


@pytest.mark.parametrize("unit", ["facility", "cell"])
def test_drawn_trials(unit):
    scenario = replace(SMALL, trials=1000, trials_cv=0.4, trials_unit=unit)
    size = seen(scenario, range(300)).size
    units = size[:, :, 0] if unit == "facility" else size
    error = 0.4 / np.sqrt(units.size)
    assert units.mean() / 1000 == pytest.approx(1, abs=4.5 * error)
    assert units.std() / units.mean() == pytest.approx(0.4, abs=8 * error)
    assert (np.ptp(size, axis=2) == 0).all() == (unit == "facility")
    more = seen(replace(scenario, trials=2000), range(300))
    assert (more.size >= size).all()
    assert (more.value >= seen(scenario, range(300)).value).all()


def test_common_random_numbers_across_how_it_is_observed():
    plain = seen(SMALL)
    lost = seen(replace(SMALL, missing=0.3))
    there = lost.size > 0
    assert 0 < there.mean() < 1
    assert (lost.value[there] == plain.value[there]).all()


def test_normal_data():
    rows = 20_000
    scenario = Scenario(kind="normal", means=(3.0,) * 10, unit_sd=2.0, trials=16)
    observed = seen(scenario, range(rows))
    assert (observed.size == 0.5).all()
    error = observed.value[:, :, 0, 0] - 3
    assert error.std() == pytest.approx(0.5, abs=4.5 * 0.5 / np.sqrt(2 * error.size))
    estimated = seen(replace(scenario, known_se=False), range(rows))
    assert (estimated.value == observed.value).all()
    ratio = 15 * (estimated.size / 0.5) ** 2
    assert stats.kstest(ratio[:, 0].ravel(), "chi2", (15,)).pvalue > 1e-4
    assert abs(np.corrcoef(ratio[:, 0, 0, 0], error[:, 0])[0, 1]) < 4.5 / np.sqrt(rows)
