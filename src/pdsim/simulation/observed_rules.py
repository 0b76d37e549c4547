"""Rules that read the observed proportions and need no model."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from pdsim.arraytypes import Bools, Bytes, Floats
from pdsim.conventions import CI_PROB
from pdsim.jit import compiled
from pdsim.simulation.observing import Observations, as_analysed
from pdsim.simulation.scenario import Scenario
from pdsim.simulation.targets import analysis_weights
from pdsim.terms.estimands import ESTIMANDS
from pdsim.terms.evidence import Evidence, evidence_of_cells
from pdsim.terms.rules import RULES, Rule

OK, WARNED, NOT_CONVERGED, ERROR = 1, 2, 3, 4
"""What can become of a replicate inside a block; the rest of the codes belong to executors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a rule says about the facilities of R replicates.

    Attributes
    ----------
    top, bottom : ndarray (R, F)
        Scores by which each end is chosen, larger = more so.
    estimate, sd, lower, upper : ndarray (R, F)
        Estimate of what facilities are ranked on, its stated standard deviation and its 95 %
        interval; NaN where the rule estimates nothing.
    p_top : ndarray (R, F)
        Stated P(top m); NaN where the rule states none.
    flagged : ndarray (R, F)
        1 where a facility is flagged as clearly among the best, else 0; NaN where the rule does
        not flag.
    status : ndarray of uint8 (R,)
    meeting : ndarray (R, F) or None
        The share of each facility among those named by the criteria of the scenario; None without a
        posterior or without criteria.
    """

    top: Floats
    bottom: Floats
    estimate: Floats
    sd: Floats
    lower: Floats
    upper: Floats
    p_top: Floats
    flagged: Floats
    status: Bytes
    meeting: Floats | None = None


def decide_observed(
    scenario: Scenario, observed: Observations, *, seeds: tuple[int, ...] = ()
) -> Decision:
    """Apply a rule that needs no model.

    Indicators seen in both periods count, with weights divided by their sum; a facility without
    any makes the replicate an error. Intervals are a centre +- 1.96 stated standard deviations;
    the centre is the estimate itself but for the observed change of counts, see
    `pdsim.terms.loops.observed_changes`. For an effect beyond controls their mean observed change
    is taken off.

    Parameters
    ----------
    scenario : Scenario
    observed : Observed
    seeds : tuple of int
        One for each replicate, for rules that draw.
    """
    rule = RULES[scenario.rule]
    observed = as_analysed(scenario, observed)
    mine = observed.value.shape[1] - scenario.controls
    controls, observed = observed.part(slice(mine, None)), observed.part(slice(mine))
    found = _evidence(scenario, observed, seeds)
    usable = ~np.isnan(found.estimate).any(axis=1)
    top, bottom, estimate, centre, variance = decide_usable(rule, found, scenario.m, usable)
    nothing = np.full(top.shape, np.nan)
    flagged = _clearly_above(scenario, observed, centre, variance) if rule.tests else nothing
    if ESTIMANDS[scenario.estimand].controls:
        other = _evidence(scenario, controls, seeds)
        drift = other.estimate.mean(axis=1, keepdims=True)
        estimate, centre = estimate - drift, centre - drift
        error = other.variance.mean(axis=1, keepdims=True)
        variance = variance + error / scenario.controls
    sd = np.sqrt(variance)
    half = ndtri(0.5 + CI_PROB / 2) * sd
    return Decision(
        top=top,
        bottom=bottom,
        estimate=estimate,
        sd=sd,
        lower=centre - half,
        upper=centre + half,
        p_top=nothing,
        flagged=flagged,
        status=np.where(usable, OK, ERROR).astype(np.uint8),
    )


def _evidence(scenario: Scenario, observed: Observations, seeds: tuple[int, ...]) -> Evidence:
    """Return what is observed of some facilities."""
    return evidence_of_cells(
        observed.value,
        observed.size,
        analysis_weights(scenario),
        counts=scenario.kind == "counts",
        correlation=scenario.analysed_case_correlation,
        interval=RULES[scenario.rule].needs != "change",
        seeds=seeds,
    )


def decide_usable(
    rule: Rule, found: Evidence, m: int, usable: Bools
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return top, bottom, estimate, centre and variance, NaN for the replicates of no use."""
    if usable.all():
        top, bottom, stated = rule.decide(found, m)
        return top, bottom, *stated
    shape = found.mean.shape if rule.needs_posterior else found.estimate.shape
    whole = np.full((5, *shape), np.nan)
    if usable.any():
        top, bottom, stated = rule.decide(found.take(usable), m)
        whole[:, usable] = np.stack((top, bottom, *stated))
    top, bottom, estimate, centre, variance = whole
    return top, bottom, estimate, centre, variance


def _clearly_above(
    scenario: Scenario, observed: Observations, estimate: Floats, variance: Floats
) -> Floats:
    """Return 1 where a facility is above the mean of the others at the flag threshold, else 0.

    A t-test with pooled degrees of freedom where the standard error is estimated from the sample,
    which for two facilities of equal size is the two-sample t-test.
    """
    limit = np.full(len(estimate), ndtri(scenario.flag_threshold))
    if scenario.kind == "normal" and not scenario.known_se:
        freedom = (observed.trials[:, :, 0, 0] - 1).sum(axis=1)
        limit[:] = stdtrit(freedom.astype(float), scenario.flag_threshold)
    above = np.empty_like(estimate)
    _above_kernel(estimate, variance, limit, above)
    return above


@compiled
def _above_kernel(estimate: Floats, variance: Floats, limit: Floats, above: Floats) -> None:
    """Mark the facilities (R, F) that exceed the mean of the others by `limit` (R,) SEs."""
    rows, facilities = estimate.shape
    others = facilities - 1.0
    for r in range(rows):
        total = variances = 0.0
        for i in range(facilities):
            total += estimate[r, i]
            variances += variance[r, i]
        for i in range(facilities):
            gap = estimate[r, i] - (total - estimate[r, i]) / others
            spread = variance[r, i] + (variances - variance[r, i]) / (others * others)
            above[r, i] = 1.0 if gap > limit[r] * np.sqrt(spread) else 0.0
