"""Ranks with ties, and the compiled counting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import rankdata

from pdsim.ranking import kernels, probability
from pdsim.terms import places

TIED = arrays(
    np.float64, st.tuples(st.integers(1, 5), st.integers(2, 9)), elements=st.integers(0, 4)
)


@given(TIED)
def test_mean_places_are_average_ranks(values):
    ahead, tied = places.places(values)
    expected = rankdata(-values, axis=-1, method="average")
    np.testing.assert_array_equal(places.mean_places(ahead, tied), expected)


@given(TIED, st.integers(1, 8))
def test_membership_shares_the_cut(values, m):
    m = min(m, values.shape[-1] - 1)
    share = places.membership(*places.places(values), m)
    np.testing.assert_allclose(share.sum(axis=-1), m)
    cut = -np.sort(-values, axis=-1)[:, [m - 1]]
    assert (share[values > cut] == 1).all()
    assert (share[values < cut] == 0).all()
    for row, line in zip(values, share, strict=True):
        tied = line[row == -np.sort(-row)[m - 1]]
        assert np.ptp(tied) < 1e-12


@pytest.mark.parametrize("levels", [3, 30, 10**9])
@pytest.mark.parametrize("shape", [(1, 1, 2), (3, 130, 5), (2, 127, 12), (1, 300, 40)])
def test_kernel_counts_what_sorting_counts(levels, shape):
    values = np.random.default_rng(levels).integers(0, levels, shape).astype(float)
    expected = probability.counts_of_places(*places.places(values))
    np.testing.assert_allclose(kernels.count_ranks(values), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(expected.sum(axis=2), shape[1])
    np.testing.assert_allclose(expected.sum(axis=1), shape[1])


def test_large_input_takes_the_kernel(monkeypatch):
    values = np.random.default_rng(1).normal(size=(3, 50, 6))
    expected = probability.rank_counts(values)
    monkeypatch.setattr(probability, "_KERNEL_FROM", 1)
    np.testing.assert_array_equal(probability.rank_counts(values), expected)
    monkeypatch.setattr(probability, "_KERNEL_FACILITIES", 2)
    monkeypatch.setattr(places, "_CACHED", 10)
    np.testing.assert_array_equal(probability.rank_counts(values), expected)


@pytest.mark.parametrize("hole", [None, np.nan, np.inf])
def test_few_facilities_held_against_all_stand_where_sorting_puts_them(monkeypatch, hole):
    values = np.random.default_rng(3).integers(0, 9, (40, 7)).astype(float)
    if hole is not None:
        values[::3, 2] = hole
    compared = places.places(values)
    monkeypatch.setattr(places, "_FEW", 0)
    for fast, slow in zip(compared, places.places(values), strict=True):
        np.testing.assert_array_equal(fast, slow)
        assert fast.dtype == slow.dtype


def test_infinite_scores_are_ordered():
    ahead, tied = places.places(np.array([[np.inf, -np.inf, 0.0, -0.0]]))
    assert ahead.tolist() == [[0, 3, 1, 1]]
    assert tied.tolist() == [[1, 1, 2, 2]]
