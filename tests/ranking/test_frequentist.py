"""Confidence sets of ranks and joint rank regions."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from pdsim.errors import InputError
from pdsim.ranking import joint_rank_region, rank_confidence_set
from pdsim.terms.loops import largest_differences


def over(values):
    coords = {"facility": [chr(65 + i) for i in range(len(values))]}
    return xr.DataArray(np.asarray(values, dtype=float), dims="facility", coords=coords)


def test_kernel_takes_the_largest():
    noise = np.random.default_rng(1).normal(size=(4, 1300))
    first, second = np.nonzero(~np.eye(4, dtype=bool))
    scale = np.random.default_rng(2).uniform(0.5, 2, len(first))
    expected = ((noise[first] - noise[second]) * scale[:, np.newaxis]).max(axis=0)
    np.testing.assert_allclose(largest_differences(noise, first, second, scale), expected)


def test_critical_value_is_that_of_the_range():
    """One step, equal variances: the maximum over ordered pairs is the range over root 2."""
    estimate = over([0.0] * 5)
    found = rank_confidence_set(estimate, 0 * estimate + 1, m=2, seed=1)
    expected = stats.studentized_range.ppf(0.95, 5, np.inf) / np.sqrt(2)
    assert found.attrs["critical_value"] == pytest.approx(expected, abs=0.02)
    assert (found.rank_lower == 1).all()
    assert (found.rank_upper == 5).all()
    assert found.in_set.all()


def test_two_facilities_are_a_two_sided_test():
    """The bound of max(z, -z) is the two-sided normal quantile, 1.96."""
    for gap, apart in ((2.0, True), (1.92, False)):
        found = rank_confidence_set(over([gap * np.sqrt(2), 0.0]), over([1.0, 1.0]), m=1, seed=3)
        assert bool(found.in_set[1]) is not apart


def test_step_down_gains_power():
    """Once the outsider is set aside, a smaller bound separates the two that are left."""

    def sets(values):
        return rank_confidence_set(over(values), over([1.0, 1.0, 1.0]), m=1, seed=1)

    single = sets([0.0, 0.0, 0.0]).attrs["critical_value"]
    step = sets([30.0, 0.0, 0.0]).attrs["critical_value"]
    assert step < single - 0.05
    gap = 0.5 * (single + step) * np.sqrt(2)
    assert sets([30.0, gap, 0.0]).rank_lower.values.tolist() == [1, 2, 3]
    assert sets([30.0, gap, 0.0]).rank_upper.values.tolist() == [1, 2, 3]


def test_sides_mirror():
    values = over([3.0, 2.0, 0.5, 0.0, -2.0])
    top = rank_confidence_set(values, 0 * values + 0.3, m=2, seed=1)
    bottom = rank_confidence_set(-values, 0 * values + 0.3, m=2, side="bottom", seed=2)
    np.testing.assert_array_equal(top.in_set, bottom.in_set)
    np.testing.assert_array_equal(top.rank_lower, 6 - bottom.rank_upper)


def test_marginal_is_inside_simultaneous():
    values = over(np.linspace(0, 14.1, 8))
    found = rank_confidence_set(values, 0 * values + 1, seed=1)
    assert (found.rank_lower_marginal >= found.rank_lower).all()
    assert (found.rank_upper_marginal <= found.rank_upper).all()
    assert (found.rank_upper_marginal < found.rank_upper).any()


def test_borderline_is_counted_not_guessed():
    # with C far behind, what is left is the bound of the step after it was set aside
    level = over([0.0, 0.0, -20.0])
    step = rank_confidence_set(level, 0 * level + 1, m=1, seed=1).attrs["critical_value"]
    edge = over([step * np.sqrt(2), 0.0, -20.0])
    found = rank_confidence_set(edge, 0 * edge + 1, m=1, seed=1)
    assert found.borderline.values.tolist() == [False, True, False]
    assert 0.2 < float(found.in_set_share[1]) < 0.8
    clear = rank_confidence_set(over([9.0, 0.0, -20.0]), 0 * edge + 1, m=1, seed=1)
    assert not clear.borderline.any()
    assert set(np.unique(clear.in_set_share)) <= {0.0, 1.0}


def test_same_seed_same_sets():
    values = over([3.0, 2.0, 0.5, 0.0])
    one, two = (rank_confidence_set(values, 0 * values + 1, m=1, seed=0) for _ in range(2))
    xr.testing.assert_identical(one, two)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"draws": 1000}, "multiple of 1000"),
        ({"draws": 20_500}, "multiple of 1000"),
        ({"coverage": 1.0}, "coverage lies"),
        ({"m": 3}, "m is a whole number"),
    ],
)
def test_bad_arguments_are_refused(kwargs, message):
    values = over([1.0, 0.0, 2.0])
    with pytest.raises(InputError, match=message):
        rank_confidence_set(values, 0 * values + 1, **{"m": 1, "seed": 1, **kwargs})


def test_perfect_correlation_is_refused():
    with pytest.raises(InputError, match="perfectly correlated"):
        rank_confidence_set(over([1.0, 0.0, 2.0]), np.ones((3, 3)), m=1, seed=1)


def test_region_counts_overlaps():
    values = over([10.0, 4.0, 3.0, 0.0])
    found = joint_rank_region(values, 0 * values + 0.5)
    half = 0.5 * -stats.norm.ppf((1 - 0.95**0.25) / 2)
    np.testing.assert_allclose(
        found.score_interval, np.stack([values - half, values + half], axis=-1)
    )
    assert found.rank_region.values.tolist() == [[1, 1], [2, 3], [2, 3], [4, 4]]
    sure = joint_rank_region(values, 0 * values)
    assert sure.rank_region.values.tolist() == [[1, 1], [2, 2], [3, 3], [4, 4]]
    stack = xr.concat([values, -values], "scenario")
    both = joint_rank_region(stack, 0 * stack + 0.5).rank_region
    assert both.isel(scenario=1).values.tolist() == [[4, 4], [2, 3], [2, 3], [1, 1]]
    with pytest.raises(InputError, match="not negative"):
        joint_rank_region(values, 0 * values - 1)
