"""What facilities that drop out do to a study, by simulation."""

from dataclasses import replace
from typing import Final

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats, Ints
from pdsim.planning.question import Question
from pdsim.planning.runs import CHEAP_RULE, USABLE
from pdsim.planning.sizes import resize
from pdsim.simulation import COLUMNS, MEASURES, Scenario
from pdsim.simulation.judge import judge
from pdsim.simulation.observed_rules import Decision, decide_observed
from pdsim.simulation.observing import Observations, observe
from pdsim.simulation.targets import true_values
from pdsim.simulation.truth import draw_truth
from pdsim.terms.rules import RULES

_STREAM: Final = 5_000
_REPLICATES: Final = 2_000
_CELLS_AT_ONCE: Final = 60_000


def dropout_dataset(question: Question, *, n: float, share: float) -> xr.Dataset | None:
    """Return what the measure becomes where facilities drop out and nobody takes their place.

    Those that drop out are drawn at random and are not observed; the truth is that of all who
    started, so that a best facility that drops out cannot be named.

    Parameters
    ----------
    question : Question
    n : float
        The answer.
    share : float
        Of the facilities that drops out; at least one does.

    Returns
    -------
    Dataset or None
        Scalars ``lost`` (facilities), ``value`` (with all of them), ``value_after``, ``change``
        with ``change_mcse`` from the same studies, ``replicates``; attribute ``rule``: that of the
        scenario, or the observed change where that one needs a posterior. None where the measure
        is no mean over studies or too few facilities are left.
    """
    scenario = resize(question.scenario, question.over, int(n))
    lost = max(1, round(share * scenario.facilities))
    measure = MEASURES[question.target.measure]
    if not measure.is_mean or scenario.facilities - lost < 2 * scenario.m:
        return None
    if scenario.needs_posterior or RULES[scenario.rule].seeded:
        scenario = replace(scenario, rule=CHEAP_RULE)
    step = max(1, _CELLS_AT_ONCE // (2 * scenario.observed_facilities * scenario.indicators))
    seed, column = (question.seed, _STREAM), COLUMNS.index(measure.columns[0])
    rng = np.random.default_rng(seed)
    parts = []
    for start in range(0, _REPLICATES, step):
        part = range(start, min(start + step, _REPLICATES))
        truth = draw_truth(scenario, part, seed)
        observed = observe(scenario, truth, part, seed)
        order = rng.permuted(np.tile(np.arange(scenario.facilities), (len(part), 1)), axis=1)
        left = np.sort(order[:, lost:], axis=1)
        others = np.arange(scenario.facilities, scenario.observed_facilities)
        seen = np.hstack([left, np.tile(others, (len(part), 1))])
        value = true_values(scenario, truth)
        whole = decide_observed(scenario, observed)
        after = _with_lost(decide_observed(scenario, _left(observed, seen)), left, value.shape)
        rows = [_judged(value, decision, scenario)[:, column] for decision in (whole, after)]
        parts.append(np.stack(rows))
    found = np.concatenate(parts, axis=1)
    found = found[:, ~np.isnan(found).any(axis=0)]
    if found.shape[1] < 2:
        return None
    change = found[1] - found[0]
    return xr.Dataset(
        {
            "lost": lost,
            "value": found[0].mean(),
            "value_after": found[1].mean(),
            "change": change.mean(),
            "change_mcse": change.std(ddof=1) / np.sqrt(change.size),
            "replicates": change.size,
        },
        attrs={"rule": scenario.rule},
    )


def _left(observed: Observations, left: Ints) -> Observations:
    """Return the observations of the facilities that are left (R, F')."""
    where = left[:, :, None, None]

    def taken[A: (Floats, Ints)](values: A) -> A:
        every = np.broadcast_to(values, (len(left), *values.shape[1:]))
        return np.ascontiguousarray(np.take_along_axis(every, where, axis=1))

    return Observations(
        value=taken(observed.value), size=taken(observed.size), trials=taken(observed.trials)
    )


def _with_lost(decision: Decision, left: Ints, shape: tuple[int, ...]) -> Decision:
    """Return a decision on all facilities, of which those that are lost are never named."""

    def spread(values: Floats, rest: Floats | float) -> Floats:
        every = np.empty(shape)
        every[:] = rest
        np.put_along_axis(every, left, values, axis=1)
        return every

    def last(values: Floats) -> Floats:
        low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
        return np.asarray(low - (high - low) - 1.0)

    nothing = np.nan
    return Decision(
        top=spread(decision.top, last(decision.top)),
        bottom=spread(decision.bottom, last(decision.bottom)),
        estimate=spread(decision.estimate, nothing),
        sd=spread(decision.sd, nothing),
        lower=spread(decision.lower, nothing),
        upper=spread(decision.upper, nothing),
        p_top=spread(decision.p_top, nothing),
        flagged=spread(decision.flagged, 0.0),
        status=decision.status,
    )


def _judged(value: Floats, decision: Decision, scenario: Scenario) -> Floats:
    found = np.empty((len(value), len(COLUMNS)))
    judge(value, decision, scenario.m, found)
    found[~np.isin(decision.status, USABLE)] = np.nan
    return found
