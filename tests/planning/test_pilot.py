"""A pilot fills the whole scenario, and every assumption says where it comes from."""

import json
from dataclasses import replace

import numpy as np
import pytest

import pdsim
from pdsim import Scenario, plan
from pdsim.errors import InputError
from pdsim.planning import PlanSettings, from_pilot, plan_file, scenario_of_pilot
from pdsim.planning.plan_settings import stated_scenario
from pdsim.reports.plan.plan_document import plan_document
from pdsim.simulation import simulate

TRUTH = Scenario(
    facilities=12, indicators=14, domains=2, trials=25, case_correlation=0.07,
    baseline_level=0.3, improvement=25.0, sd_change_facility=0.6,
)  # fmt: skip


@pytest.fixture(scope="module")
def fit():
    _, study = simulate(TRUTH, seed=5)
    return pdsim.fit(study, engine="laplace", seed=1)


def test_a_pilot_fills_the_scenario(fit):
    found = scenario_of_pilot(fit)
    assert (found["facilities"], found["indicators"], found["domains"]) == (12, 14, 2)
    assert (found["m"], found["trials"], found["weighting"]) == (3, 25, "equal")
    assert found["case_correlation"] == pytest.approx(0.07)
    assert len(found["baseline_level"]) == 14
    hyper = fit["posterior"]["sd_change_facility"].median().item()
    assert found["sd_change_facility"] == pytest.approx(hyper, abs=1e-4)
    # 14 baseline levels around 0.3, each of 300 cases: the mean is near
    assert np.mean(found["baseline_level"]) == pytest.approx(0.3, abs=0.08)
    drawn = from_pilot(Scenario(**stated(found)), fit, seed=1)(3)
    Scenario(**(stated(found) | drawn))


def test_new_facilities_change_as_those_of_the_programme():
    _, study = simulate(replace(TRUTH, controls=12, estimand="effect"), seed=5)
    priors = pdsim.Priors(change_spread="by_arm")
    apart = pdsim.fit(study, engine="laplace", priors=priors, seed=1)
    found = scenario_of_pilot(apart)
    spread = apart["posterior"]["sd_change_facility"].sel(arm="programme")
    assert found["sd_change_facility"] == pytest.approx(spread.median().item(), abs=1e-4)
    assert found["priors"]["change_spread"] == "shared"
    assert (found["facilities"], found["controls"]) == (12, 12)
    base = Scenario(**stated(found))
    values = [from_pilot(base, apart, seed=1)(n)["sd_change_facility"] for n in range(100)]
    assert np.isin(np.round(values, 10), np.round(spread.to_numpy(), 10)).all()


def stated(found):
    return {name: value for name, value in found.items() if name != "priors"}


def test_every_assumption_has_a_source(fit):
    settings = PlanSettings(scenario={"facilities": 20, "missing": 0.05})
    got = stated_scenario(settings, fit)
    assert got.scenario.facilities == 20
    assert got.source["facilities"] == got.source["missing"] == "you"
    assert got.source["sd_change_facility"] == got.source["case_correlation"] == "pilot"
    assert got.source["sensitivity"] == "default"
    assert got.instead["facilities"] == 12
    # fewer indicators than the pilot's: the mean of its levels stands for them
    fewer = stated_scenario(PlanSettings(scenario={"indicators": 3}), fit).scenario
    assert isinstance(fewer.baseline_level, float)


def test_a_preset_and_a_pilot_exclude_each_other(fit, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text('preset = "like_founding"\n')
    with pytest.raises(InputError, match="both fill the scenario"):
        plan_file(path, pilot=fit)


def test_the_size_is_that_of_its_values_typed_in(fit, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text('target = "pcs_top >= 0.6"\nprecision = 0.1\nstand_in = 0\nhigh = 3000\n')
    tree = plan_file(path, pilot=fit)
    values = json.loads(tree.attrs["configuration"])["scenario"]
    typed = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
        if name != "priors"
    }
    by_hand = plan(Scenario(**typed), target="pcs_top >= 0.6", stand_in=0, high=3000)
    # the same question with the same random numbers has the same answer
    for name in ("crossing", "n_low", "n_high"):
        assert float(tree["answer"][name]) == float(by_hand["answer"][name])
    assert tree.attrs["headline"] == "assurance"
    assert "assurance" in tree.children
    document = plan_document(tree)
    assumed = document.tables["assumptions"]
    assert assumed.value("sd_change_facility", "source") == "pilot"
    assert assumed.value("sensitivity", "source") == "default"
    assert assumed.value("trials", "source") == ""  # planned
    assert set(assumed.frame["source"]) <= {"pilot", "default", ""}


def test_a_design_effect_becomes_visits():
    _, study = simulate(replace(TRUTH, trials=21), seed=5)
    study = replace(study, options=replace(study.options, design_effect=3.0))
    found = scenario_of_pilot(pdsim.fit(study, engine="laplace", seed=1))
    assert found["cases_per_visit"] == 21
    assert found["visit_correlation"] == pytest.approx(0.1)
    assert Scenario(**stated(found)).analysed_design_effect == pytest.approx(3.0)
