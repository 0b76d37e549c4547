"""Weights of a scenario, and the true value of what facilities are ranked on."""

import numpy as np

from pdsim.jit import compiled
from pdsim.simulation.arrays import Floats
from pdsim.simulation.scenario import Scenario
from pdsim.simulation.truth import Truth, domain_of


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
def _weighted_mean(level: Floats, weights: Floats, out: Floats) -> None:
    """Sum over indicators (R, F, K) -> (R, F), in the same order for any number of replicates."""
    rows, facilities, indicators = level.shape
    for r in range(rows):
        for i in range(facilities):
            total = 0.0
            for k in range(indicators):
                total += weights[k] * level[r, i, k]
            out[r, i] = total


def true_values(scenario: Scenario, truth: Truth) -> Floats:
    """Return what facilities are truly ranked on, (R, F); pp where it is a difference."""
    if scenario.kind == "normal":
        return truth.level[:, :, 0, 0]
    before, after = truth.level[..., 0], truth.level[..., 1]
    if scenario.target == "programme":
        odds = after / (scenario.ceiling - after) * np.exp(-truth.trend)
        after = scenario.ceiling * odds / (1 + odds)
    base, end = np.empty(before.shape[:2]), np.empty(before.shape[:2])
    _weighted_mean(before, target_weights(scenario), base)
    _weighted_mean(after, target_weights(scenario), end)
    if scenario.estimand == "change":
        return 100 * (end - base)
    if scenario.estimand == "endline":
        return 100 * end
    if scenario.estimand == "gap_closed":
        return (end - base) / (1 - base)
    if scenario.estimand == "ratio":
        return end / base
    return np.log(end / (1 - end)) - np.log(base / (1 - base))
