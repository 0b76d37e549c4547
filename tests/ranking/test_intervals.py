"""Marginal and simultaneous rank intervals."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from pdsim.errors import InputError
from pdsim.ranking import normal_scores, rank_interval
from pdsim.terms.places import places


def test_marginal_is_the_quantile_of_the_ranks(score_of):
    values = np.random.default_rng(1).normal(np.arange(6) * 0.7, 1.0, (1000, 6))
    found = rank_interval(score_of(values), prob=0.9)
    ranks = places(values)[0] + 1
    for level, bound in ((0.05, "lower"), (0.95, "upper")):
        expected = np.quantile(ranks, level, axis=0, method="inverted_cdf")
        np.testing.assert_array_equal(found.rank_interval.sel(ci_bound=bound), expected)
    median = np.quantile(ranks, 0.5, axis=0, method="inverted_cdf")
    np.testing.assert_array_equal(found.rank_median, median)
    assert found.attrs["ci_prob"] == 0.9
    assert found.attrs["ci_kind"] == "eti"


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(2, 8), st.sampled_from([0.5, 0.8, 0.95]))
def test_intervals_hold_what_they_promise(score_of, seed, count, prob):
    generator = np.random.default_rng(seed)
    values = generator.normal(generator.normal(size=count), 1.0, (200, count))
    if seed % 2:
        values = np.round(values)
    ahead, tied = places(values)
    score = score_of(values)
    marginal = rank_interval(score, prob=prob).rank_interval
    both = rank_interval(score, prob=prob, simultaneous=True).rank_interval
    low, high = both.sel(ci_bound="lower").values, both.sel(ci_bound="upper").values
    held = ((low <= ahead + 1) & (ahead + tied <= high)).all(axis=1).mean()
    assert held >= prob - 1e-9
    ranks = ahead + 0.5 * (tied + 1)
    below = (ranks < marginal.sel(ci_bound="lower").values).mean(axis=0)
    above = (ranks > marginal.sel(ci_bound="upper").values).mean(axis=0)
    if (tied == 1).all():
        assert (np.maximum(below, above) <= 0.5 * (1 - prob) + 1e-9).all()


def test_simultaneous_is_no_wider_than_needed(score_of):
    """The next larger tail probability would hold too few draws."""
    values = np.random.default_rng(3).normal(np.arange(5) * 0.5, 1.0, (4000, 5))
    found = rank_interval(score_of(values), simultaneous=True).rank_interval.values
    ranks = places(values)[0] + 1
    held = ((found[:, 0] <= ranks) & (ranks <= found[:, 1])).all(axis=1)
    assert held.mean() >= 0.95
    # dropping the rarest end of any one interval must fall short, or else it is superfluous
    shares = []
    for i in range(5):
        for end in (0, 1):
            if 1 < found[i, end] < 5:
                shares.append((held & (ranks[:, i] != found[i, end])).mean())
    assert shares
    assert min(shares) < 0.95


def test_leading_dimensions(score_of):
    values = np.random.default_rng(4).normal(np.arange(5) * 0.6, 1.0, (3, 300, 5))
    score = score_of(values, dims=("scenario", "sample", "facility"))
    for simultaneous in (False, True):
        whole = rank_interval(score, simultaneous=simultaneous)
        one = rank_interval(score.isel(scenario=1), simultaneous=simultaneous)
        for name in one.data_vars:
            np.testing.assert_array_equal(whole[name].isel(scenario=1), one[name])


def test_error_grows_with_autocorrelation(chains):
    values = chains((2, 500, 8), correlation=0.95, seed=2) + 0.3 * np.arange(8)
    score = xr.DataArray(values, dims=("chain", "draw", "facility"))
    rough = rank_interval(score).rank_interval_mcse
    fine = rank_interval(score.assign_attrs(ess=1000.0)).rank_interval_mcse
    assert float(rough.sum()) > float(fine.sum())


def test_of_distributions():
    mean = xr.DataArray([2.0, 1.0, 0.0], dims="facility", coords={"facility": list("ABC")})
    score = normal_scores(mean, 0 * mean + 0.3)
    found = rank_interval(score)
    assert found.rank_interval.values.tolist() == [[1, 1], [2, 2], [3, 3]]
    assert (found.rank_interval_mcse == 0).all()
    with pytest.raises(InputError, match="joint draws"):
        rank_interval(score, simultaneous=True)


def test_prob_is_checked(score_of):
    with pytest.raises(InputError, match="prob lies between"):
        rank_interval(score_of(np.eye(3)), prob=1.0)
