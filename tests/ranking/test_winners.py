"""Conditional inference on the selected."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from pdsim.errors import InputError
from pdsim.ranking import winners_curse


def over(values):
    coords = {"facility": [chr(65 + i) for i in range(len(values))]}
    return xr.DataArray(np.asarray(values, dtype=float), dims="facility", coords=coords)


def test_mirror_image():
    values = over([0.3, 2.0, 1.1, -0.4])
    variance = values.copy(data=[1.0, 0.5, 2.0, 1.0])
    top = winners_curse(values, variance, m=2)
    bottom = winners_curse(-values, variance, m=2, side="bottom")
    np.testing.assert_allclose(bottom.conditional_estimate, -top.conditional_estimate)
    np.testing.assert_allclose(
        bottom.conditional_interval, -top.conditional_interval.values[:, ::-1]
    )
    assert np.isnan(top.conditional_estimate.values).tolist() == [True, False, False, True]


def test_solves_the_truncated_normal():
    values = over([5.0, 3.0, 4.0])
    found = winners_curse(values, values.copy(data=[4.0, 1.0, 1.0]), m=1)
    for mean, level in (
        (float(found.conditional_estimate[0]), 0.5),
        (float(found.conditional_interval[0, 0]), 0.975),
        (float(found.conditional_interval[0, 1]), 0.025),
    ):
        law = stats.truncnorm((4.0 - mean) / 2, np.inf, loc=mean, scale=2)
        assert law.cdf(5.0) == pytest.approx(level, abs=1e-9)


def test_far_winner_is_left_alone():
    found = winners_curse(over([20.0, 0.0, 1.0]), over([1.0, 1.0, 1.0]))
    z = stats.norm.ppf(0.975)
    np.testing.assert_allclose(found.conditional_interval[0], [20 - z, 20 + z], atol=1e-6)


def test_correlation_moves_the_bound():
    """With correlation 1/2 and unit variances the others follow by half."""
    covariance = np.full((5, 5), 0.5) + 0.5 * np.eye(5)
    found = winners_curse(over(np.arange(5.0)), covariance)
    # estimate E is 4, D given E is 3 + (y - 4) / 2: E is largest where y > 2
    mean = float(found.conditional_interval[4, 0])
    assert stats.truncnorm(2.0 - mean, np.inf, loc=mean).cdf(4.0) == pytest.approx(0.975, abs=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "correlated"), [("conditional", True), ("hybrid", False)])
def test_coverage_given_selection(method, correlated):
    """Over 400 studies the interval of the winner covers."""
    truth = np.array([0.0, 0.2, 0.3, 0.4, 0.5])
    covariance = np.eye(5) + (0.4 * (np.ones((5, 5)) - np.eye(5)) if correlated else 0)
    generator = np.random.default_rng(1)
    draws = generator.multivariate_normal(truth, covariance, 400)
    covered, below = [], []
    for row in draws:
        found = winners_curse(over(row), covariance, method=method)
        best = int(row.argmax())
        low, high = found.conditional_interval.values[best]
        covered.append(low <= truth[best] <= high)
        below.append(float(found.conditional_estimate[best]) < truth[best])
    error = np.sqrt(0.05 * 0.95 / 400)
    assert abs(np.mean(covered) - 0.95) < 3.5 * error + (0.005 if method == "hybrid" else 0)
    if method == "conditional":
        assert abs(np.mean(below) - 0.5) < 3.5 * np.sqrt(0.25 / 400)


def test_narrow_wins_are_endless_only_conditionally():
    values = over([3.99999, 4.0, 0.0])
    wide = winners_curse(values, values.copy(data=[1.0] * 3)).conditional_interval[1]
    short = winners_curse(values, values.copy(data=[1.0] * 3), method="hybrid")
    assert float(wide[0]) < -1000
    assert 0 < float(short.conditional_interval[1, 0]) < float(short.conditional_interval[1, 1]) < 7


def test_refusals():
    with pytest.raises(InputError, match="tie at place 1"):
        winners_curse(over([1.0, 1.0, 0.0]), np.eye(3))
    with pytest.raises(InputError, match="method is"):
        winners_curse(over([1.0, 0.5, 0.0]), np.eye(3), method="other")
