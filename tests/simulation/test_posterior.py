from dataclasses import replace

import numpy as np
import pytest

import pdsim
from pdsim.errors import InputError
from pdsim.simulation import COLUMNS, Scenario, describe, posterior, run_block, simulate, summarise
from pdsim.simulation.philox import replicate_seed

BASE = Scenario(facilities=6, indicators=3, m=2, trials=20, rule="posterior_mean", draws=400)
COLUMN = {name: i for i, name in enumerate(COLUMNS)}


def same(one, two):
    return one.tobytes() == two.tobytes()


@pytest.fixture(scope="module")
def fitted():
    return run_block([BASE], range(4), seed=1)


def test_one_fit_serves_every_weighting_and_rule(monkeypatch):
    calls = []
    fit_many = posterior.fit_many

    def counted(*args, **settings):
        calls.append(len(args[1]))
        return fit_many(*args, **settings)

    monkeypatch.setattr(posterior, "fit_many", counted)
    weights = {"weighting": "given", "weights": (5.0, 1.0, 1.0)}
    scenarios = [
        BASE,
        replace(BASE, rule="p_top"),
        replace(BASE, rule="expected_rank", m=1),
        replace(BASE, **weights),
        replace(BASE, rule="observed_change"),
    ]
    block = run_block(scenarios, range(3), seed=1)
    assert calls == [3]
    for i, scenario in enumerate(scenarios):
        alone = run_block([scenario], range(3), seed=1)
        assert same(alone.measures[0], block.measures[i])


def test_replicates_do_not_touch_each_other(fitted):
    part = run_block([BASE], range(2, 4), seed=1)
    assert same(part.measures, fitted.measures[:, 2:])
    assert (part.status == fitted.status[:, 2:]).all()


def test_estimates_are_those_of_fit(fitted):
    _, study = simulate(BASE, 2, seed=1)
    draws = pdsim.fit(
        study, engine="laplace", seed=replicate_seed(BASE.fit_key, 2, 1), draws=400, chains=4
    )
    score = pdsim.composite(draws, estimand="change").stack(sample=("chain", "draw"))
    truth, _ = simulate(BASE, 2, seed=1)
    row = fitted.measures[0, 2]
    error = float((score.mean("sample") - truth.value).mean())
    spread = float(score.std("sample").mean())
    # two runs of 400 and 1,600 draws
    assert row[COLUMN["error"]] == pytest.approx(error, abs=5 * spread / np.sqrt(300))
    assert np.sqrt(row[COLUMN["variance"]]) == pytest.approx(spread, rel=0.2)


def test_stated_probabilities_sum_to_m(fitted):
    sums = fitted.measures[0][:, [COLUMN[f"forecast_sum_{b}"] for b in range(10)]].sum(axis=1)
    assert sums == pytest.approx(2.0)
    counts = fitted.measures[0][:, [COLUMN[f"forecast_count_{b}"] for b in range(10)]].sum(axis=1)
    assert (counts == 6).all()


@pytest.mark.parametrize("rule", ["posterior_mean", "expected_rank", "p_top"])
def test_rules_on_given_draws(rule):
    rng = np.random.default_rng(1)
    draws = rng.normal([3.0, 2.0, 1.0, 0.0, -1.0, -2.0], [1, 3, 1, 1, 1, 3], (2, 5000, 6))
    decision = posterior._decide(
        replace(BASE, rule=rule), draws, np.ones(2, dtype=np.uint8), [1, 2]
    )
    order = np.argsort(-draws, axis=2)
    place = np.argsort(order, axis=2)
    in_top, in_bottom = (place < 2).mean(axis=1), (place >= 4).mean(axis=1)
    expected = {
        "posterior_mean": (draws.mean(axis=1), -draws.mean(axis=1)),
        "expected_rank": (-1 - place.mean(axis=1), 1 + place.mean(axis=1)),
        "p_top": (in_top, in_bottom),
    }[rule]
    assert decision.top == pytest.approx(expected[0])
    assert decision.bottom == pytest.approx(expected[1])
    assert decision.p_top == pytest.approx(in_top)
    assert decision.lower == pytest.approx(np.quantile(draws, 0.025, axis=1))
    assert decision.upper == pytest.approx(np.quantile(draws, 0.975, axis=1))
    assert (decision.flagged == (in_top >= 0.95)).all()


def test_a_fit_that_always_fails_gives_no_estimate(monkeypatch):
    def fails(*args, **settings):
        raise np.linalg.LinAlgError("not positive definite")

    monkeypatch.setattr(posterior, "fit_many", fails)
    block = run_block([BASE, replace(BASE, rule="observed_change")], range(5), seed=1)
    assert (block.status[0] == 4).all()
    assert np.isnan(block.measures[0]).all()
    summary = summarise(block.measures, block.status)
    assert describe(summary.isel(scenario=0), "pcs_top") == "no estimate, 0 of 5 usable"
    assert int(summary.n_ok[1]) == 5


@pytest.mark.parametrize("fault", [NameError("x"), TypeError("x"), pdsim.errors.InputError("x")])
def test_a_fault_of_the_program_is_not_a_failed_fit(monkeypatch, fault):
    def fails(*args, **settings):
        raise fault

    monkeypatch.setattr(posterior, "fit_many", fails)
    with pytest.raises(type(fault)):
        run_block([BASE], range(2), seed=1)


def test_one_failing_fit_does_not_take_the_others_along(monkeypatch, fitted):
    fit_many = posterior.fit_many
    bad = replicate_seed(BASE.fit_key, 1, 1)

    def fails(template, observed, **settings):
        if bad in settings["seeds"].tolist():
            raise ValueError("no")
        return fit_many(template, observed, **settings)

    monkeypatch.setattr(posterior, "fit_many", fails)
    block = run_block([BASE], range(4), seed=1)
    assert block.status[0, 1] == 4
    kept = [0, 2, 3]
    assert same(block.measures[0, kept], fitted.measures[0, kept])


@pytest.mark.parametrize(
    "changes",
    [
        {"missing": 0.2},
        {"trials_cv": 0.6},
        {"case_correlation": 0.3},
        {"indicators": 1},
        {"estimand": "change_logit"},
        {"kind": "normal", "indicators": 1, "estimand": "level"},
    ],
)
def test_every_kind_of_data_is_fitted(changes):
    block = run_block([replace(BASE, **changes)], range(2), seed=1)
    usable = block.status[0] < 3
    assert (block.status[0] != 4).all()
    assert np.isfinite(block.measures[0][usable][:, COLUMN["brier_top"]]).all()


def test_normal_estimates_come_back_in_their_own_units():
    scenario = Scenario(
        kind="normal", facilities=6, m=2, rule="posterior_mean", estimand="level", draws=400,
        means=(500.0, 510.0, 520.0, 530.0, 540.0, 550.0), unit_sd=1.0, trials=1,
    )  # fmt: skip
    block = run_block([scenario], range(3), seed=1)
    usable = block.status[0] < 3
    assert usable.any()
    found = block.measures[0][usable]
    assert np.abs(found[:, COLUMN["error"]]).max() < 3
    assert np.sqrt(found[:, COLUMN["variance"]]) == pytest.approx(1.0, rel=0.25)


@pytest.mark.slow
def test_calibrated_where_the_truth_is_from_the_model():
    scenario = replace(BASE, rule="p_top", indicators=2)
    block = run_block([scenario], range(150), seed=5)
    summary = summarise(block.measures[0], block.status[0])
    assert int(summary.n_ok) > 140
    assert abs(float(summary.coverage) - 0.95) < 4 * float(summary.coverage_mcse) + 0.02
    gap = abs(float(summary.calibration_slope) - 1)
    assert gap < 4 * float(summary.calibration_slope_mcse)


@pytest.mark.slow
def test_nuts_agrees_with_the_fast_engine():
    small = replace(BASE, indicators=1, draws=1000)
    scenarios = [replace(small, engine=engine) for engine in ("laplace", "nuts")]
    block = run_block(scenarios, range(1), seed=1)
    fast, slow = block.measures[:, 0]
    assert (block.status[:, 0] < 3).all()
    spread = np.sqrt(slow[COLUMN["variance"]])
    for name in ("error", "curse_top"):
        assert fast[COLUMN[name]] == pytest.approx(slow[COLUMN[name]], abs=0.3 * spread)
    assert fast[COLUMN["brier_top"]] == pytest.approx(slow[COLUMN["brier_top"]], abs=0.08)


WIDE = Scenario(
    facilities=8, indicators=6, domains=2, m=2, trials=40, case_correlation=0.1,
    rule="posterior_mean", draws=400,
)  # fmt: skip


def test_known_spreads_choose_nearly_as_the_whole_posterior_does():
    known = replace(WIDE, engine="known")
    block = run_block([WIDE, known], range(20), seed=1)
    assert (block.status[1] == 1).all()
    whole, single = block.measures
    # levels are known to 3 pp or so: estimates differ by how they are shrunk
    assert np.corrcoef(whole[:, COLUMN["regret_top"]], single[:, COLUMN["regret_top"]])[0, 1] > 0.7
    assert np.abs(whole[:, COLUMN["error"]] - single[:, COLUMN["error"]]).max() < 1.5
    # nothing is stated of what a single value does not have
    for name in ("variance", "brier_top", "coverage"):
        assert np.isnan(single[:, COLUMN[name]]).all()
    # whatever else is in the block, and whatever the rule
    alone = run_block([replace(known, rule="p_top")], range(7, 9), seed=1)
    assert same(alone.measures[0], single[7:9])


def test_what_known_spreads_cannot_say_is_refused():
    for wrong in (
        {"criteria": ("endline >= 60",)}, {"controls": 4, "estimand": "effect"},
        {"kind": "normal", "indicators": 1, "domains": 1, "case_correlation": 0.0},
    ):  # fmt: skip
        with pytest.raises(InputError, match="engine 'known' does not go with"):
            replace(WIDE, engine="known", **wrong)


def test_known_spreads_shrink_what_does_not_vary():
    # the second of two indicators varies by chance alone, which only the spreads tell
    flat = replace(
        WIDE, indicators=2, domains=1, trials=10, case_correlation=0.0, sd_baseline_facility=0.0,
        sd_change_facility=0.0, sd_baseline_indicator=(0.5, 0.0), sd_change_indicator=(1.0, 0.0),
        corr_indicator=(0.3, 0.0), engine="known",
    )  # fmt: skip
    block = run_block([flat, replace(flat, rule="observed_change")], range(300), seed=1)
    known, seen = block.measures[:, :, COLUMN["overlap_top"]]
    gain = known - seen
    assert gain.mean() > 4 * gain.std(ddof=1) / np.sqrt(gain.size)
