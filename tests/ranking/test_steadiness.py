"""Steadiness over rounds, run charts, and what noise alone predicts."""

import itertools

import numpy as np
import pytest
import xarray as xr

from pdsim.errors import InputError
from pdsim.ranking import over_rounds, repeat_membership, run_charts, steadiness, top_probability
from pdsim.ranking.run_chart import longest_and_crossings, run_limits, signal_by_chance

# Anhoej (2015), doi 10.1371/journal.pone.0121349
LIMITS = {10: (6, 2), 12: (7, 3), 20: (7, 6), 24: (8, 8)}
# exact, by independent enumeration of all series of fair signs
FALSE_SIGNALS = {12: 0.042969, 24: 0.066240}
# two independent observations of one truth, by simulation (MCSE .0005)
REPEATS = {0.0: 0.300, 0.5: 0.509, 0.7: 0.617, 0.9: 0.769}


@pytest.mark.parametrize("useful", LIMITS)
def test_limits(useful):
    found = run_limits(useful)
    assert (found.longest, found.crossings) == LIMITS[useful]


@pytest.mark.parametrize("useful", FALSE_SIGNALS)
def test_false_signals(useful):
    assert signal_by_chance(useful) == pytest.approx(FALSE_SIGNALS[useful], abs=5e-7)


def test_false_signals_against_all_series():
    limits, signals = run_limits(10), 0
    for signs in itertools.product((-1.0, 1.0), repeat=9):
        # by symmetry the first is above; the median lies between the two signs
        side = np.array([1.0, *signs])
        turns = np.flatnonzero(side[1:] != side[:-1]) + 1
        longest = np.diff([0, *turns, 10]).max()
        signals += longest > limits.longest or len(turns) < limits.crossings
    assert signal_by_chance(10) == pytest.approx(signals / 2**9, abs=1e-12)


def test_runs_and_crossings_by_hand():
    # median 3; the value on it is left out: + + - + - -
    assert longest_and_crossings(np.array([5.0, 4.0, 1.0, 3.0, 6.0, 2.0, 0.0])) == (6, 2, 3)
    assert longest_and_crossings(np.ones(5)) == (0, 0, 0)


def test_run_charts_of_facilities():
    levels = np.stack([np.arange(20.0), np.tile([0.0, 1.0], 10)], axis=1)
    few = np.full((20, 1), np.nan)
    few[:5, 0] = np.arange(5)
    table = run_charts(xr.DataArray(np.hstack([levels, few]), dims=("round", "facility")))
    assert table.signal.values.tolist() == [True, False, False]
    assert table.longest_limit.values.tolist() == [7, 7, -1]


@pytest.mark.parametrize("reliability", REPEATS)
def test_repeat_membership(reliability):
    share, error = repeat_membership(
        facilities=10, m=3, reliability=(reliability, reliability), replicates=100_000, seed=2
    )
    assert abs(share - REPEATS[reliability]) < 4 * np.hypot(error, 0.0005) + 0.0005


@pytest.fixture
def scores():
    rng = np.random.default_rng(3)
    mean = np.array([[3, 2, 1, 0, 0], [2, 3, 0, 1, 0], [3, 0, 2, 0, 1]])[:, None]
    values = rng.normal(mean, 1.0, (3, 2000, 5))
    return xr.DataArray(
        values, dims=("round", "sample", "facility"), coords={"round": ["a", "b", "c"]}
    )


def test_steadiness_of_independent_rounds(scores):
    table = steadiness(scores, m=2)
    single = [top_probability(scores.sel(round=r), m=2).top_probability for r in "abc"]
    np.testing.assert_allclose(table.end_probability, np.stack(single))
    # the expected number of times adds up
    np.testing.assert_allclose(
        table.times_probability.sum("times"), table.end_probability.sum("round")
    )
    assert (table.times_probability.diff("times") <= 0).all()
    # at least once, from independent rounds
    product = 1 - np.prod([1 - p.values for p in single], axis=0)
    once = table.times_probability.sel(times=1)
    error = table.times_probability_mcse.sel(times=1)
    assert (np.abs(once - product) < 5 * error).all()
    overlap = float((single[0] * single[1]).sum()) / 2
    assert abs(float(table.overlap[0]) - overlap) < 5 * float(table.overlap_mcse[0])
    assert table.step.values.tolist() == ["a to b", "b to c"]


def test_both_sides(scores):
    np.testing.assert_allclose(
        steadiness(-scores, m=2, side="bottom").end_probability,
        steadiness(scores, m=2).end_probability,
    )


def test_over_rounds_keeps_the_draws(scores):
    found = over_rounds(scores)
    assert found["summary"].values.tolist() == ["mean_level", "last", "worst_round", "fade"]
    assert (found.sel(summary="fade") >= 0).all()
    assert (found.sel(summary="worst_round") <= found.sel(summary="last")).all()
    assert top_probability(found.sel(summary="last", drop=True), m=2).sizes == {"facility": 5}


def test_one_round_is_refused(scores):
    with pytest.raises(InputError, match="two or more"):
        steadiness(scores.isel(round=[0]))
