"""The disagreement report: data and words."""

from itertools import combinations

import numpy as np
import pytest
import xarray as xr

from pdsim.errors import InputError
from pdsim.ranking import beta_scores, disagreement, select
from pdsim.reports.study.rule_words import disagreement_words
from pdsim.terms.places import mean_places, places


def observed_of(values):
    estimate = xr.DataArray(values, dims="facility", coords={"facility": list("ABCDE")})
    return xr.Dataset({"estimate": estimate, "se": 0 * estimate + 0.5})


@pytest.mark.parametrize("side", ["top", "bottom"])
def test_data_are_the_selections_and_their_losses(score_of, side):
    values = np.round(np.random.default_rng(1).normal(np.arange(5) * 0.4, 1.0, (600, 5)), 1)
    score = score_of(values)
    observed = observed_of([5.0, 4.0, 1.0, 2.0, 3.0])
    found = disagreement(score, m=2, side=side, observed=observed, seed=1)
    assert found.rule.values.tolist() == [
        "p_top",
        "expected_rank",
        "posterior_mean",
        "p_set",
        "observed_change",
        "shrunken_mean",
        "confidence_set",
    ]
    for rule in ("p_top", "observed_change"):
        one = select(score, m=2, side=side, rule=rule, observed=observed)
        np.testing.assert_array_equal(found.selected.sel(rule=rule), one.selected)
        np.testing.assert_allclose(found.criterion.sel(rule=rule), one.criterion)
    np.testing.assert_array_equal(found.votes, found.selected.sum("rule"))
    signed = values if side == "top" else -values
    ranks = mean_places(*places(signed))
    chosen = found.selected.sel(rule="observed_change").values
    loss = found.expected_loss.sel(rule="observed_change")
    regret = -np.sort(-signed)[:, :2].mean(axis=1) - signed[:, chosen].mean(axis=1)
    assert float(loss.sel(loss="regret")) == pytest.approx(regret.mean())
    assert float(loss.sel(loss="rank_regret")) == pytest.approx(ranks[:, chosen].mean() - 1.5)
    p = found.criterion.sel(rule="p_top").values
    assert float(loss.sel(loss="misses")) == pytest.approx(1 - p[chosen].mean())
    inside = signed[:, chosen].min(axis=1)
    outside = signed[:, ~chosen].max(axis=1)
    share = (inside > outside).astype(float)
    for row in np.flatnonzero(inside == outside):
        best = [
            s
            for s in combinations(range(5), 2)
            if min(signed[row, list(s)]) >= max(np.delete(signed[row], list(s)))
        ]
        share[row] = 1 / len(best)
    assert float(loss.sel(loss="not_exact")) == pytest.approx(1 - share.mean())
    assert np.isnan(found.expected_loss.sel(rule="confidence_set")).all() or (
        int(found.selected.sel(rule="confidence_set").sum()) == 2
    )


def test_each_rule_keeps_its_own_loss_smallest(score_of):
    values = np.random.default_rng(2).normal([0, 0.1, 0.2, 0.3, 0.1], [3, 1, 0.3, 1, 2], (4000, 5))
    found = disagreement(score_of(values), m=2)
    for rule, loss in zip(found.rule.values, found.loss_kept_small.values, strict=True):
        losses = found.expected_loss.sel(loss=str(loss))
        assert float(losses.sel(rule=rule)) <= float(losses.min()) + 1e-9


def test_exact_losses_agree_with_counted(surgical):
    trials, deaths = surgical
    score = beta_scores(1 + trials - deaths, 1 + deaths)
    exact = disagreement(score).expected_loss
    counted = disagreement(score.sample(draws=40_000, seed=1))
    for loss in ("rank_regret", "misses", "not_exact"):
        gap = np.abs(exact.sel(loss=loss) - counted.expected_loss.sel(loss=loss))
        assert (gap < 4 * counted.expected_loss_mcse.sel(loss=loss)).all()


def test_words_for_the_independent_surgical_model(surgical):
    """Every number in the words is one of the table."""
    trials, deaths = surgical
    found = disagreement(beta_scores(1 + trials - deaths, 1 + deaths), side="bottom")
    words = disagreement_words(found)
    assert words[0] == "All 4 rules select B, H and K as the worst 3."
    text = " ".join(words)
    ranks = found.expected_rank
    assert f"{float(ranks.sel(facility='H')):.2f}" == "11.46"
    assert "another seed" not in text


def test_words_say_who_is_picked_by_whom_and_why(score_of):
    generator = np.random.default_rng(3)
    values = np.column_stack(
        [
            generator.normal(2.0, 3.0, 4000),
            generator.normal(2.3, 0.3, 4000),
            generator.normal(2.2, 0.3, 4000),
            generator.normal(0.0, 0.5, 4000),
        ]
    )
    score = score_of(values)
    found = disagreement(score, m=1, rules=["p_top", "expected_rank", "posterior_mean"])
    words = disagreement_words(found)
    assert words[0] == "Expected rank and posterior mean select B as the best."
    assert words[1] == "P(in the set of m) selects A as the best."
    sentence = next(w for w in words if w.startswith("B has"))
    assert "the better expected rank" in sentence
    assert "A the higher P(best)" in sentence
    assert "the rank of A is the less certain" in sentence
    for name in "AB":
        assert f"{float(found.rank_sd.sel(facility=name)):.2f}" in sentence
        assert f"{float(found.first_probability.sel(facility=name)):.2f}" in sentence
        assert f"{float(found.expected_rank.sel(facility=name)):.2f}" in sentence


def test_words_for_ties_and_flips(score_of):
    score = score_of(np.array([[3.0, 2.0, 2.0, 0.0]] * 50))
    words = disagreement_words(disagreement(score, m=2, rules=["p_top", "expected_rank"]))
    assert "By P(in the set of m), B and C tie at the cut." in words
    lots = disagreement(score, m=2, rules=["p_top"], ties="lots", seed=1)
    assert any("settled by lot" in word for word in disagreement_words(lots))
    near = np.random.default_rng(4).normal([2.0, 1.0, 0.99, 0.0], 1.0, (200, 4))
    text = " ".join(disagreement_words(disagreement(score_of(near), m=2, rules=["p_top"])))
    assert "another seed could change the place of B and C at the cut" in text


def test_refusals(score_of):
    score = score_of(np.random.default_rng(5).normal(size=(40, 5)))
    with pytest.raises(InputError, match="not along"):
        disagreement(score.expand_dims(scenario=2))
    other = observed_of(np.arange(5.0)).assign_coords(facility=list("VWXYZ"))
    with pytest.raises(InputError, match="other facilities"):
        disagreement(score, observed=other)


def test_nobody_is_sure_where_all_tie(score_of):
    words = disagreement_words(disagreement(score_of(np.zeros((20, 4))), m=1))
    assert words[0] == "All 4 rules select nobody for sure as the best."
    assert sum("A, B, C and D tie at the cut" in sentence for sentence in words) == 4
