"""The rules that a scenario's fields must keep; all broken ones are reported at once."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pdsim.errors import Problem
from pdsim.priors import Priors
from pdsim.terms.estimands import estimands_of
from pdsim.terms.process import PROCESSES
from pdsim.terms.rules import RULES

if TYPE_CHECKING:
    from pdsim.simulation.scenario import Scenario

_CHOICES = {
    "kind": ("counts", "normal"),
    "trials_unit": ("facility", "cell"),
    "engine": ("laplace", "nuts"),
    "target": ("change", "programme"),
    "weighting": ("equal", "domain", "given"),
}  # fmt: skip
_COUNTS = {"facilities": 2, "indicators": 1, "domains": 1, "m": 1, "draws": 100}
_LEVELS = ("facility", "domain", "indicator")
# name: (lowest, highest, whether the ends are allowed)
_RANGES = {
    **{
        f"sd_{kind}_{level}": (0.0, 10.0, True)
        for kind in ("baseline", "change")
        for level in _LEVELS
    },
    **{f"corr_{level}": (-1.0, 1.0, True) for level in _LEVELS},
    "visit_correlation": (0.0, 0.9, True),
    "assumed_design_effect": (1.0, 1e6, True),
    "sd_alpha": (0.0, 10.0, True),
    "sd_beta": (0.0, 10.0, True),
    "sd_secular_trend": (0.0, 10.0, True),
    "heterogeneity": (0.0, 5.0, True),
    "secular_trend": (-100.0, 100.0, True),
    "ceiling": (0.0, 1.0, True),
    "trials_cv": (0.0, 10.0, True),
    "case_correlation": (0.0, 0.9, True),
    "assumed_case_correlation": (0.0, 0.9, True),
    "missing": (0.0, 0.95, True),
    "missing_slope": (-20.0, 20.0, True),
    "sensitivity": (0.0, 1.0, True),
    "specificity": (0.0, 1.0, True),
    "observer_effect": (-20.0, 20.0, True),
    "observer_halving": (0.0, math.inf, False),
    "observer_endline": (0.0, 1.0, True),
    "unit_sd": (0.0, math.inf, False),
    "flag_threshold": (0.0, 1.0, False),
}
_OPTIONAL = ("observer_halving", "assumed_case_correlation", "assumed_design_effect")
_OWN = ("sd_baseline_indicator", "sd_change_indicator", "corr_indicator")
"""May have one value for each indicator."""
_MAX_CELLS = 10_000_000


def scenario_problems(scenario: "Scenario") -> list[Problem]:
    """Return every broken rule of a scenario."""
    problems = [*_choices(scenario), *_numbers(scenario), *_shapes(scenario)]
    # later rules compute with the values, so they wait until each value is sound
    return problems or [*_truth(scenario), *_observation(scenario), *_decision(scenario)]


def _choices(scenario: "Scenario") -> Iterator[Problem]:
    for name, allowed in (_CHOICES | {"rule": tuple(RULES)}).items():
        value = getattr(scenario, name)
        if value not in allowed:
            yield Problem(rule=f"{name} is {value!r}", cure=f"use one of {', '.join(allowed)}")
    if scenario.process not in PROCESSES:
        rule = f"there is no process {scenario.process!r}"
        yield Problem(rule=rule, cure=f"use one of {', '.join(PROCESSES)}, or register it")
    # fields of a scenario made in Python can have any type
    known: Any = scenario.known_se
    if not isinstance(known, bool):
        yield Problem(rule=f"known_se is {known!r}", cure="use true or false")
    priors: Any = scenario.priors
    if not isinstance(priors, Priors):
        yield Problem(rule="priors are no Priors", cure="use pdsim.Priors(...)")


def _numbers(scenario: "Scenario") -> Iterator[Problem]:
    for name, least in _COUNTS.items():
        value = getattr(scenario, name)
        if not _is_int(value) or value < least:
            yield Problem(rule=f"{name} must be a whole number from {least}, got {value!r}")
    for name, (low, high, closed) in _RANGES.items():
        value = getattr(scenario, name)
        if value is None and name in _OPTIONAL:
            continue
        values = value if name in _OWN and isinstance(value, tuple) else (value,)
        if not all(
            _is_number(one) and (low <= one <= high if closed else low < one < high)
            for one in values
        ):
            ends = f"from {low:g} to {high:g}" if closed else f"above {low:g} and below {high:g}"
            yield Problem(rule=f"{name} must be a number {ends}, got {value!r}")


def _shapes(scenario: "Scenario") -> Iterator[Problem]:
    if any(not _is_int(getattr(scenario, name)) for name in ("facilities", "indicators")):
        return
    facilities, indicators = scenario.facilities, scenario.indicators
    per_indicator = {
        "baseline_level": scenario.baseline_level,
        "improvement": scenario.improvement,
        "weights": scenario.weights,
        "target_weights": scenario.target_weights,
        **{name: getattr(scenario, name) for name in _OWN},
    }
    for name, value in per_indicator.items():
        if value is None and name in ("weights", "target_weights"):
            continue
        if not name.endswith("weights") and _is_number(value):
            continue
        if not _is_row(value, indicators):
            yield Problem(
                rule=f"{name} must be {indicators} finite numbers, one for each indicator, "
                f"got {value!r:.80}"
            )
    if scenario.means is not None and not _is_row(scenario.means, facilities):
        yield Problem(rule=f"means must be {facilities} finite numbers, one for each facility")
    if not _is_row(scenario.outlying, None) or len(scenario.outlying) > facilities:
        yield Problem(rule=f"outlying must be at most {facilities} finite numbers")
    levels = scenario.levels
    if levels is not None and not (
        isinstance(levels, tuple)
        and len(levels) == facilities
        and all(_is_row(row, 2) and all(0 < x < 1 for x in row) for row in levels)
    ):
        yield Problem(
            rule=f"levels must be {facilities} pairs (baseline, endline) between 0 and 1",
            cure="divide percentages by 100",
        )
    if not _trials_fit(scenario.trials, facilities, indicators):
        yield Problem(
            rule="trials must be whole numbers from 1: one for all, one for each of the "
            f"{facilities} facilities, or a table of {facilities} x {indicators}, "
            f"got {scenario.trials!r:.80}"
        )
    if facilities * indicators > _MAX_CELLS:
        yield Problem(rule=f"{facilities} x {indicators} cells are more than {_MAX_CELLS}")


def _truth(scenario: "Scenario") -> Iterator[Problem]:
    if scenario.domains > scenario.indicators:
        yield Problem(
            rule=f"{scenario.domains} domains need at least as many indicators, "
            f"got {scenario.indicators}"
        )
    if scenario.kind == "normal":
        if scenario.indicators != 1:
            yield Problem(
                rule=f"normal data have one value per facility, got indicators = "
                f"{scenario.indicators}",
                cure="set indicators = 1",
            )
        return
    if scenario.means is not None:
        yield Problem(rule="means belong to normal data", cure='set kind = "normal" or use levels')
    if scenario.ceiling == 0:
        yield Problem(rule="ceiling must be above 0")
    if scenario.levels is not None:
        if scenario.sd_baseline_facility or scenario.sd_change_facility:
            yield Problem(
                rule="levels already say how facilities differ",
                cure="set sd_baseline_facility = 0 and sd_change_facility = 0",
            )
        if max(max(row) for row in scenario.levels) >= scenario.ceiling:
            yield Problem(rule=f"levels must stay below the ceiling {scenario.ceiling:g}")
        return
    for k in range(scenario.indicators):
        base = _at(scenario.baseline_level, k)
        gain = _at(scenario.improvement, k) / 100
        for words, value in (
            ("baseline_level", base),
            ("baseline_level + improvement", base + gain),
            (
                "baseline_level + improvement + secular_trend",
                base + gain + scenario.secular_trend / 100,
            ),
        ):
            if not 0 < value < scenario.ceiling:
                yield Problem(
                    rule=f"{words} is {value:g} for indicator {k + 1}; it must lie above 0 and "
                    f"below the ceiling {scenario.ceiling:g}"
                )
                return


def _visits(scenario: "Scenario") -> Iterator[Problem]:
    per_visit: Any = scenario.cases_per_visit
    if per_visit is not None and (not _is_int(per_visit) or per_visit < 1):
        yield Problem(rule=f"cases_per_visit must be a whole number from 1, got {per_visit!r}")
    if scenario.indicators > 1 and scenario.visit_correlation > scenario.case_correlation:
        yield Problem(
            rule=f"visit_correlation is {scenario.visit_correlation:g}, above the "
            f"case_correlation of {scenario.case_correlation:g}: two indicators of one case share "
            "its visit too",
            cure="raise case_correlation to at least as much",
        )


def _observation(scenario: "Scenario") -> Iterator[Problem]:
    if scenario.process_values and scenario.process == "cases":
        yield Problem(rule="process_values belong to a process of your own", cure="name it")
    if scenario.process != "cases":
        done_by_cases = {
            "case_correlation": 0.0, "visit_correlation": 0.0, "observer_effect": 0.0,
            "sensitivity": 1.0, "specificity": 1.0,
        }  # fmt: skip
        lost = [name for name, none in done_by_cases.items() if getattr(scenario, name) != none]
        if lost or scenario.kind != "counts":
            rule = f"the process {scenario.process!r} draws counts and knows of no "
            rule += " and no ".join(lost or ["normal data"])
            yield Problem(rule=rule, cure="leave it out, or use the process 'cases'")
    yield from _visits(scenario)
    if scenario.sensitivity + scenario.specificity <= 1:
        yield Problem(
            rule="sensitivity + specificity must be above 1, got "
            f"{scenario.sensitivity:g} + {scenario.specificity:g}",
            cure="below that, scoring is worse than tossing a coin",
        )
    if scenario.kind == "normal":
        wanted = [name for name in ("missing", "case_correlation") if getattr(scenario, name)]
        if wanted:
            yield Problem(rule=f"normal data have no {' and no '.join(wanted)}")
        if not scenario.known_se and _least_trials(scenario) < 2:
            yield Problem(rule="a standard error is estimated from at least 2 trials")


def _decision(scenario: "Scenario") -> Iterator[Problem]:
    if 2 * scenario.m > scenario.facilities:
        yield Problem(
            rule=f"m = {scenario.m} at each end needs at least {2 * scenario.m} facilities, "
            f"got {scenario.facilities}"
        )
    if (scenario.weighting == "given") != (scenario.weights is not None):
        yield Problem(
            rule='weighting = "given" and weights belong together',
            cure="state both or neither",
        )
    for name in ("weights", "target_weights"):
        value = getattr(scenario, name)
        if value is not None and (min(value) < 0 or sum(value) <= 0):
            yield Problem(rule=f"{name} must not be negative, and not all be 0")
    allowed = estimands_of("counts", 2, net=False)
    if scenario.kind == "normal":
        allowed = ("change", "level")  # both are the value itself
    if scenario.estimand not in allowed:
        rule = f"estimand {scenario.estimand!r} is none that {scenario.kind} data can have"
        yield Problem(rule=rule, cure=f"use one of: {', '.join(allowed)}")
    if scenario.kind == "normal" and RULES[scenario.rule].needs == "change":
        yield Problem(rule=f"rule {scenario.rule!r} needs counts", cure="use observed_change")


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_row(value: Any, size: int | None) -> bool:
    return (
        isinstance(value, tuple)
        and (size is None or len(value) == size)
        and all(_is_number(item) for item in value)
    )


def _trials_fit(value: Any, facilities: int, indicators: int) -> bool:
    if _is_int(value):
        return bool(value >= 1)
    if not isinstance(value, tuple) or len(value) != facilities:
        return False
    if all(_is_int(item) for item in value):
        return bool(min(value) >= 1)
    return all(
        isinstance(row, tuple)
        and len(row) == indicators
        and all(_is_int(item) and item >= 1 for item in row)
        for row in value
    )


def _least_trials(scenario: "Scenario") -> int:
    trials = scenario.trials
    if isinstance(trials, int):
        return trials
    return min(row if isinstance(row, int) else min(row) for row in trials)


def _at(value: float | tuple[float, ...], k: int) -> float:
    return value[k] if isinstance(value, tuple) else value
