"""Rank probabilities from draws: known answers, identities, errors."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pdsim import ranking
from pdsim.errors import InputError
from pdsim.ranking import (
    expected_rank,
    improvement_probability,
    pairwise_probability,
    rank_probability,
    sucra,
    top_probability,
)
from pdsim.ranking import probability as module

DRAWS = arrays(
    np.float64, st.tuples(st.integers(1, 12), st.integers(2, 7)), elements=st.integers(-3, 3)
)


def test_known_answer_with_ties(score_of):
    score = score_of([[3, 2, 1], [3, 3, 0], [1, 1, 1], [0, 2, 5]])
    table = rank_probability(score).rank_probability.values * 4
    expected = [
        [1 + 1 / 2 + 1 / 3, 1 / 2 + 1 / 3, 1 / 3 + 1],
        [1 / 2 + 1 / 3, 1 + 1 / 2 + 1 / 3 + 1, 1 / 3],
        [1 / 3 + 1, 1 / 3, 1 + 1 + 1 / 3],
    ]
    np.testing.assert_allclose(table, expected)
    np.testing.assert_allclose(
        expected_rank(score).expected_rank,
        np.array([1 + 1.5 + 2 + 3, 2 + 1.5 + 2 + 2, 3 + 3 + 2 + 1]) / 4,
    )
    np.testing.assert_allclose(
        top_probability(score, m=2).top_probability, np.array([2 + 2 / 3, 3 + 2 / 3, 1 + 2 / 3]) / 4
    )
    np.testing.assert_allclose(
        top_probability(score, m=1, side="bottom").top_probability,
        np.array([1 + 1 / 3, 1 / 3, 2 + 1 / 3]) / 4,
    )


@settings(max_examples=40)
@given(DRAWS, st.data())
def test_identities(score_of, values, data):
    """R10, on any draws."""
    score = score_of(values)
    count = values.shape[1]
    m = data.draw(st.integers(1, count - 1))
    table = rank_probability(score).rank_probability
    np.testing.assert_allclose(table.sum("rank"), 1)
    np.testing.assert_allclose(table.sum("facility"), 1)
    top = top_probability(score, m=m).top_probability
    assert float(top.sum()) == pytest.approx(m)
    np.testing.assert_allclose(top, table.sel(rank=slice(1, m)).sum("rank"), atol=1e-12)
    bottom = top_probability(score, m=count - m, side="bottom").top_probability
    np.testing.assert_allclose(top + bottom, 1, atol=1e-12)
    ranks = expected_rank(score).expected_rank
    pairs = pairwise_probability(score).pairwise_probability
    np.testing.assert_allclose(ranks, 1 + pairs.sum("facility").values - 0.5)
    np.testing.assert_allclose(sucra(score).sucra, (count - ranks) / (count - 1), atol=1e-12)
    order = data.draw(st.permutations(range(count)))
    moved = rank_probability(score.isel(facility=order)).rank_probability
    np.testing.assert_allclose(moved, table.isel(facility=order), atol=1e-12)
    scaled = rank_probability(3.0 * score).rank_probability
    np.testing.assert_array_equal(scaled, table)


@pytest.mark.parametrize(
    "function", [rank_probability, expected_rank, top_probability, pairwise_probability]
)
@pytest.mark.parametrize("independent", [True, False])
def test_leading_dimensions_are_single_answers(chains, function, independent):
    values = chains((2, 40, 3, 5, 6), correlation=0.6, seed=1)
    values = values + 0.8 * np.arange(6)
    score = xr.DataArray(values, dims=("chain", "draw", "scenario", "weighting", "facility"))
    score = score.assign_coords(scenario=["x", "y", "z"])
    if independent:
        score = score.isel(chain=0).rename(draw="sample")
    whole = function(score.transpose("facility", ...))
    for scenario in "xz":
        one = function(score.sel(scenario=scenario).isel(weighting=3))
        part = whole.sel(scenario=scenario).isel(weighting=3)
        for name in one.data_vars:
            np.testing.assert_allclose(part[name].values, one[name].values, rtol=1e-9, atol=1e-12)


def test_errors_know_autocorrelation(chains):
    """Between repetitions the answers scatter as their errors say (300 sets of chains)."""
    values = chains((2, 400, 300, 4), correlation=0.9, seed=8) + np.array([0.0, 0.5, 1.0, 1.5])
    score = xr.DataArray(values, dims=("chain", "draw", "repetition", "facility"))
    for found, name in (
        (top_probability(score, m=2), "top_probability"),
        (expected_rank(score), "expected_rank"),
    ):
        scatter = found[name].std("repetition", ddof=1).values
        stated = np.sqrt((found[f"{name}_mcse"] ** 2).mean("repetition")).values
        # a standard deviation of 300 is known to 4 %, and the measured ESS is biased a little
        np.testing.assert_allclose(stated, scatter, rtol=0.2)
        # independent draws would scatter sqrt((1 - r) / (1 + r)) as much
        if name == "top_probability":
            p = found[name].mean("repetition").values
            assert (scatter > 2 * np.sqrt(p * (1 - p) / 800)).all()


def test_batch_means_agree_with_ess(chains, monkeypatch):
    values = chains((4, 2000, 5), correlation=0.7, seed=5) + 0.5 * np.arange(5)
    score = xr.DataArray(values, dims=("chain", "draw", "facility"))
    exact = rank_probability(score)
    monkeypatch.setattr(module, "_SERIES_LIMIT", 1)
    rough = rank_probability(score)
    assert exact.attrs["mcse_method"] == "ess"
    assert rough.attrs["mcse_method"] == "batch_means"
    np.testing.assert_array_equal(rough.rank_probability, exact.rank_probability)
    ratio = rough.rank_probability_mcse / exact.rank_probability_mcse
    # 40 batches give an error to 11 %, the ESS one to about as much
    assert 0.85 < float(ratio.mean()) < 1.15


def test_what_is_never_seen_has_error_one_over_ess(score_of):
    score = score_of([[2.0, 1.0]] * 50)
    for name, found in (
        ("top_probability", top_probability(score, m=1)),
        ("rank_probability", rank_probability(score)),
        ("expected_rank", expected_rank(score)),
        ("improvement_probability", improvement_probability(score)),
    ):
        np.testing.assert_allclose(found[f"{name}_mcse"], 1 / 50)
        assert found.attrs["ess"] == 50


def test_stated_ess_goes_before_the_count(score_of):
    values = np.random.default_rng(1).normal(size=(1, 1000, 3))
    plain = top_probability(score_of(values[0]), m=1)
    stated = top_probability(score_of(values, dims=("chain", "draw", "facility"), ess=250.0), m=1)
    assert stated.attrs["ess"] == 250.0
    np.testing.assert_allclose(stated.top_probability_mcse, 2 * plain.top_probability_mcse)


def test_improvement(score_of):
    score = score_of([[1.0, 0.0, -1.0], [2.0, 0.5, -1.0]], estimand="change", units="pp")
    found = improvement_probability(score)
    assert found.improvement_probability.values.tolist() == [1.0, 0.5, 0.0]
    assert found.attrs["estimand"] == "change"
    assert improvement_probability(score, delta=0.5).improvement_probability.values.tolist() == [
        1.0,
        0.0,
        0.0,
    ]
    with pytest.raises(InputError, match="delta is a finite number"):
        improvement_probability(score, delta=np.nan)


def test_labels_and_attributes(score_of):
    score = score_of(np.random.default_rng(1).normal(size=(20, 4)), estimand="gap_closed")
    score = score.assign_coords(tier=("facility", list("hhll")))
    found = top_probability(score, m=2, side="bottom")
    assert found.attrs["m"] == 2
    assert found.attrs["side"] == "bottom"
    assert found.attrs["estimand"] == "gap_closed"
    assert found.tier.values.tolist() == list("hhll")
    assert rank_probability(score).coords["rank"].values.tolist() == [1, 2, 3, 4]
    plain = xr.DataArray(np.eye(3), dims=("sample", "facility"))
    assert top_probability(plain, m=1).facility.values.tolist() == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.rename(sample="weights"), "draws come as"),
        (lambda s: s.rename(facility="site"), "needs the dimension facility"),
        (lambda s: s.where(s > s.min()), "has NaN"),
        (lambda s: s.isel(facility=[0]), "two facilities"),
        (lambda s: s.isel(sample=[]), "two facilities and a draw"),
        (lambda s: s.assign_coords(facility=["A", "A", "B", "C"]), "named twice"),
        (lambda s: s.assign_attrs(ess=0.0), "ess is a positive number"),
        (lambda s: s.rename(sample="draw").isel(draw=[0, 1, 2]), "at least 4"),
        (lambda s: s.rename(sample="chain"), "draws come as"),
        (lambda s: s.values, "DataArray, not ndarray"),
    ],
)
def test_bad_scores_are_refused(score_of, change, message):
    score = score_of(np.random.default_rng(1).normal(size=(20, 4)))
    for function in (rank_probability, expected_rank, pairwise_probability):
        with pytest.raises(InputError, match=message):
            function(change(score))


@pytest.mark.parametrize("kwargs", [{"m": 0}, {"m": 4}, {"m": 1, "side": "middle"}])
def test_bad_arguments_are_refused(score_of, kwargs):
    with pytest.raises(InputError):
        top_probability(score_of(np.eye(4)), **kwargs)


@settings(max_examples=20)
@given(st.integers(0, 10**6))
def test_pairs_by_formula_and_series_agree(chains, seed):
    values = np.round(chains((2, 30, 4), correlation=0.3, seed=seed), 1)
    score = xr.DataArray(values, dims=("chain", "draw", "facility"))
    found = pairwise_probability(score).pairwise_probability.values
    flat = values.reshape(-1, 4)
    for i in range(4):
        for j in range(4):
            wins = (flat[:, i] > flat[:, j]).mean() + 0.5 * (flat[:, i] == flat[:, j]).mean()
            assert found[i, j] == pytest.approx(wins)


@pytest.mark.parametrize("side", ["top", "bottom"])
def test_chains_with_ties_share_the_cut_at_both_ends(chains, side):
    values = np.round(chains((2, 50, 5), correlation=0.3, seed=9))
    score = xr.DataArray(values, dims=("chain", "draw", "facility"))
    table = rank_probability(score).rank_probability.values
    expected = table[:, :2] if side == "top" else table[:, -2:]
    found = top_probability(score, m=2, side=side).top_probability
    np.testing.assert_allclose(found, expected.sum(axis=1))
    assert float(found.sum()) == pytest.approx(2)


def test_a_failed_gate_travels_with_every_answer(score_of):
    score = score_of(np.random.default_rng(1).normal(size=(40, 4)))
    score = score.assign_attrs(estimand="change", convergence="failed")
    answers = (
        rank_probability(score),
        expected_rank(score),
        top_probability(score, m=2),
        pairwise_probability(score),
        improvement_probability(score),
        sucra(score),
        *(
            function(score)
            for function in (
                ranking.rank_interval,
                ranking.pcer,
                ranking.r_values,
                ranking.triple_goal,
                ranking.grades,
                ranking.set_probability,
                ranking.likely_sets,
                ranking.superset,
                ranking.subset,
                ranking.disagreement,
                ranking.select,
            )
        ),
        ranking.select(score, rule="p_set"),
        ranking.statement_probability(score, ranking.in_top("A", 1)),
    )
    for answer in answers:
        assert answer.attrs["convergence"] == "failed"
        assert answer.attrs["estimand"] == "change"
    assert "convergence" not in rank_probability(score.drop_attrs()).attrs
