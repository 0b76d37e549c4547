from dataclasses import replace

import pytest

from pdsim.errors import InputError
from pdsim.priors import Priors
from pdsim.settings import from_mapping, to_mapping
from pdsim.simulation import PRESETS, Scenario, preset

BASE = Scenario(facilities=10, indicators=14, domains=2)
KEYS = ("truth_key", "data_key", "fit_key", "decision_key")


def changed(one, two):
    """Return the keys that differ."""
    return [name for name in KEYS if getattr(one, name) != getattr(two, name)]


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({"sd_change_facility": 0.8}, 0),
        ({"facilities": 11}, 0),
        ({"heterogeneity": 0.5}, 0),
        ({"outlying": (1.0,)}, 0),
        ({"trials": 41}, 1),
        ({"missing": 0.1}, 1),
        ({"case_correlation": 0.1}, 1),
        ({"observer_effect": 0.1}, 1),
        ({"assumed_case_correlation": 0.1}, 2),
        ({"rule": "z_score"}, 3),
        ({"m": 2}, 3),
        ({"weighting": "domain"}, 3),
        ({"estimand": "endline"}, 3),
    ],
)
def test_a_change_reaches_its_key_and_those_after_it(changes, first):
    assert changed(BASE, replace(BASE, **changes)) == list(KEYS[first:])


def test_engine_and_priors_matter_to_posterior_rules_only():
    other = {"engine": "nuts", "priors": Priors().scaled(2.0), "draws": 500}
    assert changed(BASE, replace(BASE, **other)) == []
    fitted = replace(BASE, rule="p_top")
    for name, value in other.items():
        assert changed(fitted, replace(fitted, **{name: value})) == ["fit_key", "decision_key"]
    assert changed(fitted, replace(fitted, rule="expected_rank")) == ["decision_key"]
    arms = replace(fitted, controls=4)
    apart = replace(arms, priors=Priors(change_spread="by_arm"))
    assert changed(arms, apart) == ["fit_key", "decision_key"]


@pytest.mark.parametrize(
    "changes",
    [
        {"improvement": 12},
        {"corr_facility": -0.0},
        {"assumed_case_correlation": 0.0},
    ],
)
def test_equal_meaning_has_equal_keys(changes):
    assert changed(BASE, replace(BASE, **changes)) == []


def test_levels_of_effects_that_are_not_there_do_not_matter():
    one = Scenario(indicators=1)
    assert changed(one, replace(one, sd_change_domain=1.0, sd_baseline_indicator=1.0)) == []
    normal = Scenario(kind="normal")
    assert changed(normal, replace(normal, improvement=3.0, sd_baseline_facility=1.0)) == []
    assert changed(normal, replace(normal, unit_sd=2.0)) == list(KEYS[1:])


def test_keys_are_digests():
    for name in KEYS:
        assert len(getattr(BASE, name)) == 64
        int(getattr(BASE, name), 16)
    assert len({getattr(BASE, name) for name in KEYS}) == 4


@pytest.mark.parametrize("scenario", [BASE, *(p.scenario for p in PRESETS.values())])
def test_round_trip(scenario):
    again = from_mapping(Scenario, to_mapping(scenario))
    assert again == scenario
    assert hash(again) == hash(scenario)
    assert changed(again, scenario) == []


def test_a_table_of_trials_from_toml():
    mapping = {"facilities": 2, "indicators": 2, "m": 1, "trials": [[3, 4], [5, 6]]}
    assert from_mapping(Scenario, mapping).trials == ((3, 4), (5, 6))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"facilities": 5}, "m = 3 at each end needs at least 6 facilities, got 5"),
        ({"facilities": 1.5}, "facilities must be a whole number from 2, got 1.5"),
        ({"facilities": True}, "facilities must be a whole number"),
        ({"indicators": 0}, "indicators must be a whole number from 1"),
        ({"domains": 15}, "15 domains need at least as many indicators, got 14"),
        ({"trials": 0}, "trials must be whole numbers from 1"),
        ({"trials": 4.5}, "trials must be whole numbers from 1"),
        ({"trials": (1, 2)}, "one for each of the 10 facilities"),
        ({"trials": [40] * 10}, "trials must be whole numbers"),
        ({"rule": "best"}, "rule is 'best'; use one of p_top, expected_rank"),
        ({"engine": "stan"}, "engine is 'stan'; use one of laplace, nuts"),
        ({"case_correlation": 0.95}, "case_correlation must be a number from 0 to 0.9"),
        ({"corr_facility": -1.5}, "corr_facility must be a number from -1 to 1"),
        ({"sd_change_facility": float("nan")}, "sd_change_facility must be a number"),
        ({"observer_halving": 0.0}, "observer_halving must be a number above 0"),
        ({"flag_threshold": 1.0}, "flag_threshold must be a number above 0 and below 1"),
        ({"improvement": 60.0}, "baseline_level + improvement is 1.1 for indicator 1"),
        ({"secular_trend": 40.0}, "baseline_level + improvement + secular_trend is 1.02"),
        ({"ceiling": 0.4}, "below the ceiling 0.4"),
        ({"baseline_level": (0.5, 0.5)}, "baseline_level must be 14 finite numbers"),
        ({"weights": (1.0,) * 14}, 'weighting = "given" and weights belong together'),
        ({"weighting": "given"}, 'weighting = "given" and weights belong together'),
        ({"weighting": "given", "weights": (0.0,) * 14}, "not all be 0"),
        ({"target_weights": (-1.0,) + (1.0,) * 13}, "target_weights must not be negative"),
        ({"means": (0.0,) * 10}, "means belong to normal data"),
        ({"levels": ((0.1, 0.2),) * 10}, "levels already say how facilities differ"),
        ({"levels": ((10.0, 20.0),) * 10}, "divide percentages by 100"),
        ({"outlying": (1.0,) * 11}, "outlying must be at most 10 finite numbers"),
        ({"sensitivity": 0.4, "specificity": 0.5}, "sensitivity + specificity must be above 1"),
        ({"estimand": "level"}, "estimand 'level' is none that counts data can have"),
        ({"kind": "normal"}, "normal data have one value per facility"),
        ({"priors": None}, "priors are no Priors"),
        ({"known_se": 1}, "known_se is 1"),
    ],
)
def test_broken_rules_are_named(changes, message):
    with pytest.raises(InputError) as caught:
        replace(BASE, **changes)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"missing": 0.1}, "normal data have no missing"),
        ({"case_correlation": 0.1}, "normal data have no case_correlation"),
        ({"known_se": False, "trials": 1}, "at least 2 trials"),
        ({"known_se": False, "trials": (1,) + (2,) * 9}, "at least 2 trials"),
        ({"estimand": "ratio"}, "estimand 'ratio' is none that normal data can have"),
        ({"rule": "z_score"}, "rule 'z_score' needs counts"),
        ({"means": (1.0,)}, "means must be 10 finite numbers"),
    ],
)
def test_broken_rules_of_normal_data(changes, message):
    with pytest.raises(InputError) as caught:
        Scenario(kind="normal", **changes)
    assert message in str(caught.value)


def test_all_broken_rules_at_once():
    with pytest.raises(InputError) as caught:
        Scenario(rule="best", engine="stan", trials=0, missing=2.0)
    assert len(caught.value.problems) == 4


def test_unknown_key_and_preset():
    with pytest.raises(InputError, match="unknown key 'trial'"):
        from_mapping(Scenario, {"trial": 4})
    with pytest.raises(InputError, match="there is no preset 'lake'; use one of lake_zone"):
        preset("lake")


def test_presets_say_their_source():
    for entry in PRESETS.values():
        assert "doi 10." in entry.source
