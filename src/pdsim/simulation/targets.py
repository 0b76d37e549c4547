"""Weights of a scenario, and the true value of what facilities are ranked on."""

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.jit import compiled
from pdsim.simulation.scenario import Scenario
from pdsim.simulation.truth import Truth, domain_of
from pdsim.terms.estimands import ESTIMANDS
from pdsim.terms.kinds import COUNTS


def analysis_weights(scenario: Scenario) -> Floats:
    """Return the weights (K,) of the analysis; they sum to 1."""
    if scenario.weights is not None:
        weights: Floats = np.array(scenario.weights, dtype=float)
    elif scenario.weighting == "domain":
        domain = domain_of(scenario)
        weights = 1.0 / np.bincount(domain)[domain]
    else:
        weights = np.ones(scenario.indicators)
    return _normalised(weights)


def target_weights(scenario: Scenario) -> Floats:
    """Return the weights (K,) that define the truth; they sum to 1."""
    if scenario.target_weights is None:
        return analysis_weights(scenario)
    weights: Floats = np.array(scenario.target_weights, dtype=float)
    return _normalised(weights)


def _normalised(weights: Floats) -> Floats:
    normalised: Floats = weights / weights.sum()
    return normalised


@compiled
def _weighted_means(level: Floats, weights: Floats, base: Floats, end: Floats) -> None:
    """Sum (R, F, K, 2) over indicators, in the same order for any number of replicates."""
    rows, facilities, indicators, _ = level.shape
    for r in range(rows):
        for i in range(facilities):
            before = after = 0.0
            for k in range(indicators):
                before += weights[k] * level[r, i, k, 0]
                after += weights[k] * level[r, i, k, 1]
            base[r, i], end[r, i] = before, after


def true_values(scenario: Scenario, truth: Truth) -> Floats:
    """Return what the facilities of the programme are truly ranked on, (R, F).

    In pp where it is a difference. What controls would have done is, of `effect`, expected from a
    facility's own baseline; of `effect_change`, what the controls of the study did on average.
    """
    if scenario.kind == "normal":
        return truth.level[:, :, 0, 0]
    return true_composite(scenario, truth, scenario.estimand, target_weights(scenario))


def true_composite(scenario: Scenario, truth: Truth, estimand: str, weights: Floats) -> Floats:
    """Return the true value of an estimand of counts under some weights, (R, F)."""
    level = truth.level
    if scenario.target == "programme":
        odds = level[..., 1] / (scenario.ceiling - level[..., 1]) * np.exp(-truth.trend)
        level = np.stack([level[..., 0], scenario.ceiling * odds / (1 + odds)], axis=-1)
    base, end = np.empty(level.shape[:2]), np.empty(level.shape[:2])
    _weighted_means(level, weights, base, end)
    term, mine = ESTIMANDS[estimand], scenario.facilities
    if term.controls and truth.as_control is not None:
        if term.net:
            expected = truth.as_control.level(scenario.ceiling)
            base = np.einsum("k,rfk->rf", weights, expected)
        else:
            base = base + (end - base)[:, mine:].mean(axis=1, keepdims=True)
    return term.of_true(base[:, :mine], end[:, :mine], factor=COUNTS.factor)
