"""One word, one number: every estimand is the same through every part of pdsim."""

import numpy as np
import pytest
import xarray as xr
from scipy.special import logit

import pdsim
from pdsim.planning.start import signal_of
from pdsim.scoring import allowed_estimands, score
from pdsim.simulation import Scenario
from pdsim.simulation.targets import true_values
from pdsim.simulation.truth import Truth
from pdsim.terms.estimands import ESTIMANDS, estimands_of

WEIGHTS = np.array([0.5, 0.3, 0.2])
BY_HAND = {
    "change": lambda a, b: 100 * (b - a),
    "endline": lambda a, b: 100 * b,
    "change_logit": lambda a, b: logit(b) - logit(a),
    "gap_closed": lambda a, b: (b - a) / (1 - a),
    "ratio": lambda a, b: b / a,
}
SLOPES = {
    "change": lambda a, b: (-100 + 0 * a, 100 + 0 * b),
    "endline": lambda a, b: (0 * a, 100 + 0 * b),
    "change_logit": lambda a, b: (-1 / (a * (1 - a)), 1 / (b * (1 - b))),
    "gap_closed": lambda a, b: (-(1 - b) / (1 - a) ** 2, 1 / (1 - a)),
    "ratio": lambda a, b: (-b / a**2, 1 / a),
}


@pytest.fixture(scope="module")
def study():
    _, study = pdsim.simulate(Scenario(facilities=6, indicators=3, trials=30), seed=3)
    return study


@pytest.fixture(scope="module")
def fit(study):
    return pdsim.fit(study, engine="laplace", seed=5, draws=100)


def test_these_are_the_estimands_of_counts():
    assert set(BY_HAND) | {"change_net"} == set(estimands_of("counts", 2))
    assert estimands_of("counts", 2, net=False) == allowed_estimands("pp")


@pytest.mark.parametrize("name", BY_HAND)
def test_model_scoring_simulation_and_planning_agree_on_the_same_levels(name):
    level = np.random.default_rng(1).uniform(0.05, 0.95, size=(1, 6, 3, 2))
    before, after = np.moveaxis(np.einsum("k,rfkt->rft", WEIGHTS, level), -1, 0)
    stated = BY_HAND[name](before, after)
    levels = xr.DataArray(
        level,
        dims=("draw", "facility", "indicator", "period"),
        coords={"indicator": ["x", "y", "z"]},
        attrs={"kind": "counts"},
    )
    of_model = pdsim.composite(levels, estimand=name, weights=WEIGHTS.tolist())
    np.testing.assert_allclose(of_model, stated, rtol=1e-12)
    of_scoring = score(levels, xr.DataArray(WEIGHTS, dims="indicator"), estimand=name)
    np.testing.assert_allclose(of_scoring, stated, rtol=1e-10)
    scenario = Scenario(
        facilities=6, indicators=3, estimand=name, weighting="given", weights=tuple(WEIGHTS)
    )
    truth = Truth(level=level, trend=np.zeros((1, 1, 1)))
    np.testing.assert_allclose(true_values(scenario, truth), stated, rtol=1e-12)
    slopes = ESTIMANDS[name].slopes(before, after, factor=100.0)
    np.testing.assert_allclose(slopes, SLOPES[name](before, after), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", estimands_of("counts", 2))
def test_the_fast_engine_agrees_with_the_model_on_the_same_draws(study, fit, name):
    many = pdsim.fit_many([study], seeds=[5], estimand=name, draws=400, keep_draws=True)
    of_model = pdsim.composite(fit, estimand=name).stack(sample=("chain", "draw"))
    dims = ("draw", "facility")
    ours = many["draws"].squeeze().transpose(*dims).to_numpy()
    np.testing.assert_allclose(ours, of_model.transpose("sample", "facility"), rtol=1e-9, atol=1e-9)


def test_signal_and_noise_of_a_plan_follow_the_estimand():
    given = {"levels": ((0.4, 0.6),) * 10, "sd_baseline_facility": 0.0, "sd_change_facility": 0.0}
    for name, slopes in SLOPES.items():
        before, after = slopes(np.array(0.4), np.array(0.6))
        noise = np.sqrt((before**2 + after**2) * 0.24)
        found = signal_of(Scenario(**given, estimand=name), seed=1)
        assert found.single == pytest.approx(float(noise), rel=1e-6)
