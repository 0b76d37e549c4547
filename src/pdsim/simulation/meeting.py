"""Who meets all criteria of a scenario: in truth, and by the draws of a posterior.

As in `pdsim.criteria`, the facilities named are those most likely to meet all of them.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.conventions import PERIODS
from pdsim.simulation.labelling import numbered, simulated_scores
from pdsim.simulation.scenario import Scenario
from pdsim.simulation.targets import analysis_weights, target_weights, true_composite
from pdsim.simulation.truth import Truth, domain_of
from pdsim.terms.criteria import Criterion, parse_criterion
from pdsim.terms.places import shares

type Composite = tuple[str, tuple[float, ...]]
"""An estimand, and the weight of each indicator in it."""


@lru_cache(maxsize=256)
def criteria_of(scenario: Scenario) -> tuple[Criterion, ...]:
    """Return the criteria of a scenario."""
    known = simulated_scores(scenario.indicators, scenario.domains)
    return tuple(parse_criterion(text, known) for text in dict.fromkeys(scenario.criteria))


def composites_of(scenario: Scenario) -> list[Composite]:
    """Return the composites that the criteria read, under the weights of the analysis."""
    found: list[Composite] = []

    def note(estimand: str, weights: Floats) -> Floats:
        found.append((estimand, tuple(weights.tolist())))
        return np.zeros(1)

    for one in criteria_of(scenario):
        _score(scenario, one.score, analysis_weights(scenario), note)
    return found


def truly_met(scenario: Scenario, truth: Truth) -> Floats:
    """Return the share of lots by which each facility truly meets all criteria, (R, F)."""

    def value(estimand: str, weights: Floats) -> Floats:
        return true_composite(scenario, truth, estimand, weights)

    return _all_met(scenario, target_weights(scenario), value)


def named_by_criteria(scenario: Scenario, drawn: dict[Composite, Floats]) -> Floats:
    """Return the share of each facility among the m most likely to meet all criteria, (R, F).

    Parameters
    ----------
    scenario : Scenario
    drawn : dict
        Joint draws (R, draw, F) of the composites of `composites_of`.
    """

    def value(estimand: str, weights: Floats) -> Floats:
        return drawn[estimand, tuple(weights.tolist())]

    probability = _all_met(scenario, analysis_weights(scenario), value).mean(axis=1)
    return shares(probability, scenario.m)


def _all_met(scenario: Scenario, weights: Floats, value: Callable[[str, Floats], Floats]) -> Floats:
    met = [one.met(_score(scenario, one.score, weights, value)) for one in criteria_of(scenario)]
    return np.asarray(np.prod(met, axis=0))


def _score(
    scenario: Scenario, name: str, weights: Floats, value: Callable[[str, Floats], Floats]
) -> Floats:
    """Return a score by its name, from the values of composites, see `pdsim.model.named_score`."""
    estimand, _, part = name.removesuffix("]").partition("[")
    if part in PERIODS:
        endline = value("endline", weights)
        return endline if part == PERIODS[1] else endline - value("change", weights)
    if part:
        indicators = numbered("indicator", scenario.indicators)
        own = np.array([part == label for label in indicators])
        own = own if own.any() else np.array(_domain_names(scenario))[domain_of(scenario)] == part
        held = weights * own
        weights = held / held.sum() if held.any() else own / own.sum()
    return value(estimand, weights)


def _domain_names(scenario: Scenario) -> list[str]:
    return numbered("domain", scenario.domains)
