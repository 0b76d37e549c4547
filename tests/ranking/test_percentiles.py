"""Summaries of ranks in use elsewhere."""

import numpy as np
import pytest
import xarray as xr

from pdsim.errors import InputError
from pdsim.ranking import (
    expected_rank,
    normal_scores,
    pcer,
    r_values,
    rankability,
    sucra,
    top_probability,
    triple_goal,
)


def test_sucra_and_pcer_follow_expected_ranks(score_of):
    score = score_of(np.random.default_rng(1).normal(np.arange(5) * 0.5, 1.0, (500, 5)))
    ranks = expected_rank(score)
    np.testing.assert_allclose(sucra(score).sucra, (5 - ranks.expected_rank) / 4)
    np.testing.assert_allclose(sucra(score).sucra_mcse, ranks.expected_rank_mcse / 4)
    np.testing.assert_allclose(pcer(score).pcer, 20 * (ranks.expected_rank - 0.5))
    assert float(sucra(score).sucra.mean()) == pytest.approx(0.5)
    assert float(pcer(score).pcer.mean()) == pytest.approx(50)


def test_rankability():
    estimate = xr.DataArray([0.0, 2.0, 4.0], dims="facility")
    se = estimate.copy(data=[1.0, 1.0, 1.0])
    assert float(rankability(estimate, se)) == pytest.approx(0.75)
    assert rankability(estimate, se).attrs["between_sd"] == pytest.approx(np.sqrt(3))
    assert float(rankability(estimate, se, between_sd=2.0)) == pytest.approx(0.8)
    unequal = estimate.copy(data=[0.1, 1.0, 7.0])
    assert float(rankability(estimate, unequal, between_sd=1.0)) == pytest.approx(0.5)
    stack = xr.concat([estimate, 0 * estimate], "scenario")
    np.testing.assert_allclose(rankability(stack, 0 * stack + 1), [0.75, 0.0], atol=1e-9)
    with pytest.raises(InputError, match="standard errors positive"):
        rankability(estimate, 0 * se)
    with pytest.raises(InputError, match="at least 0"):
        rankability(estimate, se, between_sd=-1.0)


def test_r_values_are_the_first_list_that_names_the_facility(score_of):
    values = np.random.default_rng(2).normal([0, 0.3, 0.6, 0.9, 0.5], [2, 1, 0.3, 1, 1], (3000, 5))
    score = score_of(values)
    found = r_values(score)
    lists = {}
    for m in range(1, 5):
        p = top_probability(score, m=m).top_probability.values
        lists[m] = set(np.argsort(-p)[:m])
    for i in range(5):
        expected = min((m for m in lists if i in lists[m]), default=5) / 5
        assert float(found[i]) == expected
    equal = r_values(score_of(np.zeros((4, 3))))
    assert equal.values.tolist() == [1.0, 1.0, 1.0]
    mean = xr.DataArray([0.0, 2.0, 1.0], dims="facility")
    assert r_values(normal_scores(mean, 0 * mean + 0.1)).values.tolist() == [1.0, 1 / 3, 2 / 3]


def test_triple_goal_has_the_spread_of_the_truth(score_of):
    """Posterior means of 400 facilities are too narrow, triple-goal estimates are not."""
    generator = np.random.default_rng(3)
    truth = generator.normal(size=400)
    shrunk = 0.5 * (truth + generator.normal(size=400))
    draws = shrunk + np.sqrt(0.5) * generator.normal(size=(1000, 400))
    found = triple_goal(score_of(draws))
    assert shrunk.std() < 0.8
    assert float(found.triple_goal.std()) == pytest.approx(1.0, abs=4 / np.sqrt(800))
    ranks = expected_rank(score_of(draws)).expected_rank
    order = np.argsort(ranks.values)
    assert (np.diff(found.triple_goal.values[order]) <= 0).all()
    assert found.triple_goal_rank.values[order].tolist() == list(range(1, 401))


def test_triple_goal_known_answer(score_of):
    """Pooled draws 1..4, quantiles at 3/4 and 1/4 fall between 3 and 4 and between 1 and 2."""
    found = triple_goal(score_of([[2.0, 1.0], [4.0, 3.0]]))
    assert found.triple_goal.values.tolist() == [3.5, 1.5]
