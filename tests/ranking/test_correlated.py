"""Correlated normal scores, exact by factors or counted."""

import numpy as np
import pytest
import xarray as xr

from pdsim.errors import InputError
from pdsim.ranking import (
    correlated_scores,
    improvement_probability,
    normal_scores,
    rank_probability,
    top_probability,
)
from pdsim.ranking.correlated import as_covariance, factors
from pdsim.ranking.marginals import Marginals

MEAN = xr.DataArray([0.0, 0.3, 0.5, 1.0, 1.2], dims="facility", coords={"facility": list("ABCDE")})


def check_against_draws(covariance):
    score = correlated_scores(MEAN, covariance)
    assert isinstance(score, Marginals)
    values = np.random.default_rng(1).multivariate_normal(MEAN.values, covariance, 200_000)
    counted = rank_probability(xr.DataArray(values, dims=("sample", "facility")))
    gap = np.abs(rank_probability(score).rank_probability.values - counted.rank_probability.values)
    assert (gap <= 4.5 * counted.rank_probability_mcse.values).all()
    return score


def test_equal_correlation_is_independence_for_ranks():
    covariance = np.full((5, 5), 0.6) + 0.4 * np.eye(5)
    score = check_against_draws(covariance)
    assert score.first.values.shape[2] == 1
    independent = normal_scores(MEAN, 0 * MEAN + np.sqrt(0.4))
    np.testing.assert_allclose(
        rank_probability(score).rank_probability,
        rank_probability(independent).rank_probability,
        atol=1e-9,
    )
    with pytest.raises(InputError, match="common terms"):
        improvement_probability(score)


def test_terms_that_cancel_in_differences():
    shift = np.array([0.1, 0.2, -0.1, 0.3, 0.0])
    covariance = np.diag([1.0, 0.5, 0.8, 1.0, 0.7]) + shift[:, None] + shift
    assert check_against_draws(covariance).first.values.shape[2] == 1


@pytest.mark.parametrize("number", [1, 2])
def test_common_factors(number):
    loadings = np.random.default_rng(number).normal(size=(5, number)) * 0.7
    covariance = loadings @ loadings.T + np.diag([0.8, 0.5, 0.9, 0.6, 0.7])
    score = check_against_draws(covariance)
    assert score.first.values.shape[2] > 1
    found, variances = factors(covariance)
    centred = loadings - loadings.mean(axis=0)
    np.testing.assert_allclose(found @ found.T, centred @ centred.T, atol=1e-6)
    np.testing.assert_allclose(variances, [0.8, 0.5, 0.9, 0.6, 0.7], atol=1e-6)


def test_independent_stays_whole():
    variance = MEAN.copy(data=[1.0, 2.0, 0.5, 1.0, 1.0])
    score = correlated_scores(MEAN, variance)
    assert not score.differences_only
    expected = improvement_probability(normal_scores(MEAN, variance**0.5))
    xr.testing.assert_allclose(improvement_probability(score), expected)


def test_other_covariances_are_counted():
    root = np.random.default_rng(3).normal(size=(5, 5))
    covariance = root @ root.T + 0.01 * np.eye(5)
    assert factors(covariance) is None
    with pytest.raises(InputError, match="give a seed"):
        correlated_scores(MEAN, covariance)
    draws = correlated_scores(MEAN, covariance, seed=1, draws=20_000)
    assert draws.dims == ("sample", "facility")
    np.testing.assert_allclose(np.cov(draws.values.T), covariance, atol=0.05 * covariance.max())
    assert float(top_probability(draws, m=2).top_probability.sum()) == pytest.approx(2)


def test_two_facilities_need_their_difference_only():
    mean = MEAN.isel(facility=[0, 3])
    covariance = np.array([[1.0, 0.9], [0.9, 4.0]])
    from scipy.stats import norm

    p = top_probability(correlated_scores(mean, covariance), m=1).top_probability
    assert float(p[1]) == pytest.approx(norm.cdf(1 / np.sqrt(5 - 1.8)), abs=1e-9)


def test_labels_of_the_covariance_count():
    covariance = xr.DataArray(
        np.diag([1.0, 2, 3, 4, 5]),
        dims=("facility", "other"),
        coords={"facility": list("ABCDE"), "other": list("ABCDE")},
    )
    mixed = covariance.isel(facility=[2, 0, 1, 4, 3], other=[4, 3, 2, 1, 0])
    np.testing.assert_array_equal(as_covariance(MEAN, mixed), np.diag([1.0, 2, 3, 4, 5]))


@pytest.mark.parametrize(
    ("covariance", "message"),
    [
        (np.eye(4), "shape"),
        (-np.eye(5), "not positive"),
        (np.full((5, 5), np.nan), "not a number"),
        (np.eye(5) + np.triu(np.ones((5, 5)), 1), "not symmetric"),
        (np.ones((5, 5)) * -0.9 + 1.9 * np.eye(5), "negative eigenvalue"),
        (xr.DataArray(np.eye(5), dims=("a", "b")), "one more"),
        (MEAN.assign_coords(facility=list("ABCDX")), "lacks facility"),
    ],
)
def test_bad_covariances_are_refused(covariance, message):
    with pytest.raises(InputError, match=message):
        as_covariance(MEAN, covariance)
