"""What ranking refuses, in one line each."""

import numpy as np
import pytest
import xarray as xr

from pdsim.errors import InputError
from pdsim.ranking import (
    beta_scores,
    disagreement,
    expected_rank,
    grades,
    joint_rank_region,
    normal_scores,
    rank_confidence_set,
    rank_probability,
    select,
    top_probability,
    triple_goal,
    winners_curse,
)


@pytest.mark.parametrize(
    ("values", "attrs", "message"),
    [
        (np.array([["a", "b"]]), {}, "real numbers"),
        (np.array([[1j, 0.0]]), {}, "real numbers"),
        (np.eye(2), {"ess": "many"}, "positive number"),
        (np.eye(2), {"ess": 0}, "positive number"),
    ],
)
def test_refuses_what_is_no_score(values, attrs, message):
    with pytest.raises(InputError, match=message):
        rank_probability(xr.DataArray(values, dims=("sample", "facility"), attrs=attrs))


def test_infinite_scores_have_ranks_but_no_means():
    score = xr.DataArray([[np.inf, 0.0, -np.inf], [1.0, 2.0, 0.0]], dims=("sample", "facility"))
    assert expected_rank(score).expected_rank.values.tolist() == [1.5, 1.5, 3.0]
    for refused in (
        lambda: select(score, m=1, rule="posterior_mean"),
        lambda: disagreement(score, m=1),
        lambda: triple_goal(score),
        lambda: grades(score, zone=0.5),
    ):
        with pytest.raises(InputError, match="finite scores"):
            refused()


@pytest.mark.parametrize("m", [0, 3, 1.5, 2.0])
def test_m_is_a_whole_number_below_the_facilities(m):
    score = xr.DataArray(np.eye(3), dims=("sample", "facility"))
    with pytest.raises(InputError, match="whole number from 1 to 2"):
        top_probability(score, m=m)


@pytest.mark.parametrize("name", ["first", "second"])
def test_infinite_parameters(name):
    two = xr.DataArray([1.0, 2.0], dims="facility")
    pair = {"first": two, "second": two, name: two.copy(data=[1.0, np.inf])}
    for make in (normal_scores, beta_scores):
        with pytest.raises(InputError, match="infinite"):
            make(pair["first"], pair["second"])


def test_estimates_named_twice():
    twice = xr.DataArray([1.0, 2.0, 3.0], dims="facility", coords={"facility": list("AAB")})
    for refused in (
        lambda: rank_confidence_set(twice, 0 * twice + 1, m=1, seed=1),
        lambda: winners_curse(twice, np.eye(3)),
        lambda: joint_rank_region(twice, 0 * twice + 1),
    ):
        with pytest.raises(InputError, match="named twice"):
            refused()
