"""Selection rules of one's own, beside the built-in ones."""

import numpy as np
import pytest
import xarray as xr

from pdsim.errors import InputError
from pdsim.ranking import RULES, disagreement, normal_scores, register_rule, select
from pdsim.simulation import Scenario, run_block


def lower_bound(found, m):
    return np.quantile(found.draws, 0.1, axis=1)


@pytest.fixture
def own_rule():
    yield register_rule("lower_90", lower_bound, label="lower 90 % bound")
    RULES.unregister("lower_90")


def draws_of(generator, draws=4000):
    values = generator.normal([2.0, 1.8, 1.0, 0.0], [3.0, 0.3, 0.3, 0.3], (draws, 4))
    return xr.DataArray(values, dims=("sample", "facility"), coords={"facility": list("ABCD")})


def test_it_is_chosen_by_and_compared(own_rule):
    score = draws_of(np.random.default_rng(1))
    found = select(score, m=2, rule="lower_90")
    np.testing.assert_allclose(found.criterion, np.quantile(score, 0.1, axis=0))
    assert found.selected.values.tolist() == [False, True, True, False]
    assert "lower_90" in disagreement(score, m=2).rule
    bottom = select(score, m=2, side="bottom", rule=own_rule)
    np.testing.assert_allclose(bottom.criterion, np.quantile(score, 0.9, axis=0))
    assert bottom.selected.values.tolist() == [False, False, True, True]
    by_function = select(score, m=2, rule=lambda draws, m: np.quantile(draws, 0.1, axis=-2))
    np.testing.assert_array_equal(by_function.selected, found.selected)


def test_its_monte_carlo_error_is_that_of_repeated_draws(own_rule):
    generator = np.random.default_rng(2)
    found = [select(draws_of(generator, 500), m=2, rule="lower_90") for _ in range(200)]
    stated = np.mean([one.criterion_mcse.values for one in found], axis=0)
    spread = np.std([one.criterion.values for one in found], axis=0, ddof=1)
    # 200 runs know a standard deviation to 5 %; the jackknife of a quantile is biased upwards a bit
    np.testing.assert_allclose(stated / spread, 1.0, atol=0.3)


def test_distributions_have_no_draws(own_rule):
    score = normal_scores(
        xr.DataArray([1.0, 0.0], dims="facility"), xr.DataArray([1.0, 1.0], dims="facility")
    )
    with pytest.raises(InputError, match="reads draws"):
        select(score, m=1, rule="lower_90")
    assert "lower_90" not in disagreement(score, m=1).rule


def test_it_is_swept(own_rule):
    scenario = Scenario(facilities=6, m=2, trials=10, draws=200, rule="lower_90")
    block = run_block([scenario], range(3), seed=1)
    assert (block.status < 4).all()
    assert np.isfinite(block.measures[0, :, 0]).all()
    assert (
        scenario.decision_key
        != Scenario(facilities=6, m=2, trials=10, draws=200, rule="posterior_mean").decision_key
    )


def test_unknown_rules_are_refused_with_a_suggestion():
    with pytest.raises(InputError, match="perhaps 'z_score' was meant"):
        select(None, m=1, rule="z_scores")
    with pytest.raises(InputError, match="rule is 'lower_90'"):
        Scenario(rule="lower_90")


@pytest.mark.parametrize("name", list(RULES))
def test_built_in_means_over_draws_are_their_merits(name):
    rule = RULES[name]
    if rule.series is None:
        return
    score = draws_of(np.random.default_rng(3), 300)
    for side in ("top", "bottom"):
        found = select(score, m=2, side=side, rule=rule)
        signed = score.values if side == "top" else -score.values
        merit = rule.series(signed, 2).mean(axis=0)
        np.testing.assert_allclose(found.criterion, rule.criterion(merit, side), atol=1e-12)
