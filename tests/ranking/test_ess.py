"""The effective sample size is ArviZ's, for many series at once."""

import numpy as np
import pytest
from arviz_stats.base import array_stats

from pdsim.ranking import draws as ess


@pytest.mark.parametrize(("count", "draws"), [(1, 101), (4, 250), (3, 4), (2, 7), (4, 1001)])
@pytest.mark.parametrize("correlation", [-0.6, 0.0, 0.5, 0.97])
def test_equals_arviz(chains, count, draws, correlation):
    series = chains((count, draws, 3), correlation=correlation, seed=draws)
    mean, error, size = ess.mean_and_error(series[np.newaxis], ess=None)
    for item in range(3):
        one = series[:, :, item]
        expected = array_stats.ess(one, chain_axis=0, draw_axis=1, method="mean")
        assert size[0, item] == pytest.approx(float(expected), rel=1e-9)
        sem = array_stats.mcse(one, chain_axis=0, draw_axis=1, method="mean")
        assert error[0, item] == pytest.approx(float(sem), rel=1e-9)
        assert mean[0, item] == pytest.approx(one.mean(), abs=1e-12)


def test_indicators_equal_arviz(chains):
    series = (chains((4, 500, 5), correlation=0.8, seed=2) > 1.0).astype(float)
    _, _, size = ess.mean_and_error(series[np.newaxis], ess=None)
    expected = [
        float(array_stats.ess(series[:, :, i], chain_axis=0, draw_axis=1, method="mean"))
        for i in range(5)
    ]
    np.testing.assert_allclose(size[0], expected, rtol=1e-9)


def test_blocks_do_not_matter(chains, monkeypatch):
    series = chains((2, 60, 4, 7), correlation=0.5, seed=3).transpose(2, 0, 1, 3)
    whole = ess.mean_and_error(series, ess=None)
    monkeypatch.setattr(ess, "_BLOCK", 200)
    for one, other in zip(whole, ess.mean_and_error(series, ess=None), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_constant_series_takes_the_smallest_size(chains):
    series = chains((2, 100, 3), correlation=0.9, seed=4)
    series[:, :, 1] = 0.25
    _, error, size = ess.mean_and_error(series[np.newaxis], ess=None)
    assert error[0, 1] == 0.0
    assert size[0, 1] == size[0, [0, 2]].min()
    _, _, alone = ess.mean_and_error(np.ones((1, 2, 100, 1)), ess=None)
    assert alone[0, 0] == 200


def test_stated_size_is_used():
    series = np.array([0.0, 1.0, 1.0, 0.0]).reshape(1, 1, 4, 1)
    mean, error, size = ess.mean_and_error(series, ess=25.0)
    assert (mean[0, 0], error[0, 0], size[0, 0]) == (0.5, 0.1, 25.0)


def test_never_seen_is_bounded_by_three_over_ess():
    error = ess.never_seen(np.array([0.0, 0.2]), np.array([100.0, 100.0]))
    assert error.tolist() == [0.01, 0.2]
