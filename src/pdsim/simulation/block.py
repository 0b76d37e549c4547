"""Many replicates of many scenarios, sharing truths, data and fits where they are the same."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pdsim.simulation.judge import judge
from pdsim.simulation.meeting import truly_met
from pdsim.simulation.observed_rules import Decision, decide_observed
from pdsim.simulation.observing import Observations, observe
from pdsim.simulation.philox import Seed, replicate_seed
from pdsim.simulation.scenario import Scenario
from pdsim.simulation.targets import true_values
from pdsim.simulation.truth import draw_truth
from pdsim.terms.measures import COLUMNS
from pdsim.terms.rules import RULES

_CELLS_AT_ONCE = 120_000
"""Cells of truth and data that stay in the cache; with fewer, calls take more than the work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Measures of some replicates of some scenarios.

    Attributes
    ----------
    measures : ndarray (scenario, replicate, measure)
        In the order of ``COLUMNS``; NaN where undefined.
    status : ndarray of uint8 (scenario, replicate)
        0 not run, 1 ok, 2 warned, 3 not converged, 4 error, 5 timeout, 6 worker died.
    """

    measures: NDArray[np.float64]
    status: NDArray[np.uint8]


def run_block(scenarios: Sequence[Scenario], replicates: range, *, seed: Seed) -> Block:
    """Simulate, decide and judge `replicates` of every scenario.

    The result for one scenario and replicate does not depend on what else is in the block.

    Parameters
    ----------
    scenarios : sequence of Scenario
        Those with equal truth, data or fit keys share truths, data or fits.
    replicates : range
        Numbers of the replicates, from 0 on.
    seed : int or sequence of int
        Root seed.

    Returns
    -------
    Block

    Examples
    --------
    >>> block = run_block([Scenario(), Scenario(trials=10)], range(100), seed=1)
    >>> block.measures[:, :, COLUMNS.index("overlap_top")].mean(axis=1).round(2)
    array([0.69, 0.52])
    """
    measures = np.empty((len(scenarios), len(replicates), len(COLUMNS)))
    status = np.zeros((len(scenarios), len(replicates)), dtype=np.uint8)
    for same_truth in _groups(range(len(scenarios)), [s.truth_key for s in scenarios]):
        first = scenarios[same_truth[0]]
        same_data = _groups(same_truth, [scenarios[i].data_key for i in same_truth])
        step = max(1, _CELLS_AT_ONCE // (2 * first.observed_facilities * first.indicators))
        for start in range(0, len(replicates), step):
            part = replicates[start : start + step]
            rows = slice(start, start + len(part))
            truth = draw_truth(first, part, seed)
            for members in same_data:
                observed = observe(scenarios[members[0]], truth, part, seed)
                for i, decision in _decide(scenarios, members, observed, part, seed):
                    status[i, rows] = decision.status
                    value = true_values(scenarios[i], truth)
                    met = None
                    if decision.meeting is not None:
                        met = truly_met(scenarios[i], truth)
                    judge(value, decision, scenarios[i].m, measures[i, rows], met=met)
    return Block(measures=measures, status=status)


def _decide(
    scenarios: Sequence[Scenario],
    members: Sequence[int],
    observed: Observations,
    replicates: range,
    seed: Seed,
) -> Iterator[tuple[int, Decision]]:
    """Yield the decision of every member; members with the same fit share it."""
    fitted = [i for i in members if scenarios[i].needs_posterior]
    for i in members:
        if not scenarios[i].needs_posterior:
            seeds: tuple[int, ...] = ()
            if RULES[scenarios[i].rule].seeded:
                key = scenarios[i].fit_key
                seeds = tuple(replicate_seed(key, r, seed) for r in replicates)
            yield i, decide_observed(scenarios[i], observed, seeds=seeds)
    if fitted:
        # the model and its engine take a second to import, which many sweeps can save
        from pdsim.simulation.posterior import decide_posterior

        for group in _groups(fitted, [scenarios[i].fit_key for i in fitted]):
            decisions = decide_posterior([scenarios[i] for i in group], observed, replicates, seed)
            yield from zip(group, decisions, strict=True)


def _groups(members: Iterable[int], keys: Iterable[str]) -> list[list[int]]:
    """Return the members of equal keys together, in order of first appearance."""
    groups: dict[str, list[int]] = {}
    for member, key in zip(members, keys, strict=True):
        groups.setdefault(key, []).append(member)
    return list(groups.values())


_CELL = 5e-8
_CASE = 3e-10
_COPULA_CASE = 8e-9
_FIT = {"laplace": 5e-4, "nuts": 0.07, "known": 3e-6}
_BOUNDS = 0.1


def estimate_cost(scenario: Scenario) -> float:
    """Return the seconds that one replicate takes on one core, within a factor of three or so.

    Parameters
    ----------
    scenario : Scenario

    Examples
    --------
    >>> estimate_cost(Scenario(rule="p_top")) > estimate_cost(Scenario(rule="observed_change"))
    True
    """
    cells = 2 * scenario.observed_facilities * scenario.indicators
    cases = cells * float(np.mean([np.mean(row) for row in np.atleast_1d(scenario.trials)]))
    slow = (scenario.case_correlation, scenario.visit_correlation, scenario.observer_effect) != (
        0, 0, 0,
    )  # fmt: skip
    seconds = cells * _CELL + cases * (_COPULA_CASE if slow else _CASE)
    if scenario.needs_posterior:
        seconds += cells * _FIT[scenario.engine]
    return seconds + _BOUNDS if RULES[scenario.rule].seeded else seconds
