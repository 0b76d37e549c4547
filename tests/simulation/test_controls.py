"""Simulated controls and covariates: the truth, what is observed, and who judges whom."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit

from pdsim.errors import InputError
from pdsim.simulation import COLUMNS, Scenario, run_block, simulate, summarise
from pdsim.simulation.targets import true_values
from pdsim.simulation.truth import covariates_of, draw_truth
from pdsim.sweeps import sweep

ARMED = Scenario(
    facilities=10, controls=10, indicators=4, domains=2, trials=40, baseline_level=0.4,
    secular_trend=10.0, improvement=20.0, imbalance=5.0, estimand="effect", rule="p_top",
    corr_facility=-0.4, corr_indicator=0.3,
)  # fmt: skip
STILL = dict.fromkeys(
    (f"sd_{kind}_{level}" for kind in ("baseline", "change")
     for level in ("facility", "domain", "indicator")), 0.0,
)  # fmt: skip


def test_controls_change_by_the_trend_alone():
    still = replace(ARMED, **STILL, trials=200)
    truth, study = simulate(still, seed=1)
    level = truth["level"].mean("indicator").groupby("arm").mean()
    assert level.sel(arm="programme").to_numpy() == pytest.approx([0.4, 0.7])
    drift = logit(0.5) - logit(0.4)
    assert level.sel(arm="control").to_numpy() == pytest.approx(
        [0.35, float(expit(logit(0.35) + drift))]
    )
    assert truth["value"].to_numpy()[:10] == pytest.approx(20.0)  # the trend takes .4 to .5
    assert np.isnan(truth["value"].to_numpy()[10:]).all()
    assert int(study.control.sum()) == 10
    assert study.m == 3
    share = (study.data["successes"] / study.data["trials"]).mean("indicator").groupby("arm").mean()
    error = 0.5 / np.sqrt(200 * 10 * 4)
    assert float(np.abs(share - level).max()) < 4.5 * error


def test_no_effect_is_no_effect_on_average():
    """A facility's endline less its expectation given its baseline has mean 0, and no slope."""
    null = replace(ARMED, improvement=0.0, imbalance=3.0, heterogeneity=0.3, sd_beta=0.3)
    truth = draw_truth(null, range(4000), 1)
    effect = true_values(null, truth)
    assert abs(effect.mean()) < 4.5 * effect.mean(axis=1).std() / np.sqrt(4000)
    start = truth.level[:, :10, :, 0].mean(axis=2)
    start = start - start.mean()
    product = (start * effect).mean(axis=1)
    assert abs(product.mean()) < 4.5 * product.std() / np.sqrt(4000)
    # while the change itself does depend on the baseline, by regression to the mean and the ceiling
    change = true_values(replace(null, estimand="change"), truth)
    product = (start * (change - change.mean())).mean(axis=1)
    assert product.mean() < -9 * product.std() / np.sqrt(4000)


def test_effect_change_is_the_difference_in_differences():
    truth = draw_truth(ARMED, range(5), 1)
    by_hand = 100 * np.diff(truth.level.mean(axis=2), axis=2)[..., 0]
    by_hand = by_hand[:, :10] - by_hand[:, 10:].mean(axis=1, keepdims=True)
    found = true_values(replace(ARMED, estimand="effect_change"), truth)
    np.testing.assert_allclose(found, by_hand)


def test_covariates_move_baseline_and_change():
    still = replace(ARMED, **STILL, covariate_level=(0.5, 0.0), covariate_change=(0.0, -0.3))
    x = covariates_of(still)
    np.testing.assert_allclose(x.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(x.std(axis=0, ddof=1), 1.0)
    eta = logit(draw_truth(still, range(1), 1).level[0])
    plain = logit(draw_truth(replace(ARMED, **STILL), range(1), 1).level[0])
    moved = np.stack([0.5 * x[:, 0], 0.5 * x[:, 0] - 0.3 * x[:, 1]], axis=-1)
    np.testing.assert_allclose(eta - plain, np.broadcast_to(moved[:, None], eta.shape), atol=1e-9)
    # a control with the facility's baseline has its covariates too: the effect stays as it was
    _, study = simulate(still)
    assert study.data["covariate"].size == 2
    effect = true_values(still, draw_truth(still, range(1), 1))
    level = expit(plain[:10, 0, 1] - 0.3 * x[:10, 1] + 0.5 * x[:10, 0])
    without = expit(logit(0.4) + 0.5 * x[:10, 0] + logit(0.5) - logit(0.4) - 0.3 * x[:10, 1])
    np.testing.assert_allclose(effect[0], 100 * (level - without), atol=1e-9)


def test_without_controls_and_covariates_keys_stay():
    plain = Scenario(facilities=10, indicators=4)
    assert replace(plain, controls=0).truth_key == plain.truth_key
    assert replace(plain, controls=4).truth_key != plain.truth_key
    assert replace(ARMED, imbalance=4.0).truth_key != ARMED.truth_key
    assert (
        replace(ARMED, covariate_level=(0.1,), covariate_change=(0.0,)).truth_key != ARMED.truth_key
    )


def test_the_observed_rule_takes_the_controls_off():
    null = replace(ARMED, rule="observed_change", estimand="effect_change", trials=50)
    block = run_block([null], range(600), seed=1)
    found = summarise(block.measures[0], block.status[0])
    assert abs(float(found["bias"])) < 4.5 * float(found["bias_mcse"])
    # 10 x 600 errors, those of one study sharing the controls
    assert float(found["coverage"]) == pytest.approx(0.95, abs=4.5 * float(found["coverage_mcse"]))


def test_the_posterior_of_effects_covers():
    block = run_block(
        [replace(ARMED, estimand=name) for name in ("effect", "effect_change", "change")],
        range(40), seed=3,
    )  # fmt: skip
    found = summarise(block.measures, block.status)
    assert (found["n_ok"] + found["n_warned"] >= 38).all()
    error = np.maximum(found["coverage_mcse"], 0.01)
    assert (np.abs(found["coverage"] - 0.95) < 4.5 * error).all()
    assert (np.abs(found["bias"]) < 4.5 * found["bias_mcse"]).all()
    # the same draws rank by change and by change less that of the controls
    p_top = block.measures[..., COLUMNS.index("overlap_top")]
    np.testing.assert_array_equal(p_top[1], p_top[2])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"imbalance": 45.0}, "indicator 1 of the controls"),
        ({"target": "programme"}, "leaves the secular trend out"),
        ({"trials": (40,) * 10}, "do not go with trials of every facility"),
        ({"covariate_level": (0.1,)}, "one finite number for each covariate"),
        ({"covariate_level": (0.1,) * 5, "covariate_change": (0.0,) * 5}, "too many for 20"),
        ({"controls": 0}, "imbalance speaks of controls"),
        ({"controls": 0, "imbalance": 0.0}, "estimand 'effect' is none"),
        ({"controls": -1}, "controls must be a whole number from 0"),
    ],
)
def test_what_cannot_be(settings, message):
    with pytest.raises(InputError, match=message):
        replace(ARMED, **settings)


def test_a_sweep_over_the_number_of_controls(tmp_path):
    settings = {
        "replicates": 300, "seed": 1,
        "scenario": {
            "facilities": 8, "indicators": 2, "trials": 20, "rule": "observed_change",
            "estimand": "effect_change", "secular_trend": 10.0,
        },
        "factors": {"controls": [2, 16]},
    }  # fmt: skip
    found = sweep(settings, store=tmp_path / "store", executor="serial")
    alone = run_block(
        [Scenario(**settings["scenario"], controls=n) for n in (2, 16)], range(300), seed=1
    )
    expected = summarise(alone.measures, alone.status)
    np.testing.assert_array_equal(found["rmse"], expected["rmse"])
    # what controls add to the error: two of them more than sixteen
    assert float(found["rmse"].sel(controls=2)) > float(found["rmse"].sel(controls=16))
