"""Rules that read the observed proportions and need no model."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from pdsim.arraytypes import Floats
from pdsim.conventions import CI_PROB
from pdsim.jit import compiled
from pdsim.simulation.cases import Observed, as_analysed
from pdsim.simulation.scenario import Scenario
from pdsim.simulation.targets import analysis_weights

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
    """

    top: Floats
    bottom: Floats
    estimate: Floats
    sd: Floats
    lower: Floats
    upper: Floats
    p_top: Floats
    flagged: Floats
    status: NDArray[np.uint8]


def decide_observed(scenario: Scenario, observed: Observed) -> Decision:
    """Apply ``observed_change``, ``z_score`` or ``shrunken_mean``.

    Indicators seen in both periods count, with weights divided by their sum; a facility without
    any makes the replicate an error. Intervals are a centre +- 1.96 stated standard deviations;
    the centre is the estimate itself but for the observed change of counts, see `_change_kernel`.
    """
    observed = as_analysed(scenario, observed)
    nothing = np.full(observed.value.shape[:2], np.nan)
    flagged = nothing
    if scenario.rule == "z_score":
        estimate = centre = variance = nothing
        score = np.empty(nothing.shape)
        _z_score_kernel(observed.value, observed.size, analysis_weights(scenario), score)
    else:
        estimate, centre, variance = _observed_change(scenario, observed)
        if scenario.rule == "observed_change":
            flagged = _clearly_above(scenario, observed, centre, variance)
        else:
            estimate, variance = _shrink(estimate, variance)
            centre = estimate
        score = estimate
    failed = np.isnan(score).any(axis=1)
    status = np.where(failed, ERROR, OK).astype(np.uint8)
    sd = np.sqrt(variance)
    half = ndtri(0.5 + CI_PROB / 2) * sd
    return Decision(
        top=score,
        bottom=-score,
        estimate=estimate,
        sd=sd,
        lower=centre - half,
        upper=centre + half,
        p_top=nothing,
        flagged=flagged,
        status=status,
    )


def _observed_change(scenario: Scenario, observed: Observed) -> tuple[Floats, Floats, Floats]:
    """Return the change in pp (normal data: the value), its interval's centre, its variance."""
    if scenario.kind == "normal":
        value = observed.value[:, :, 0, 0]
        return value, value, observed.size[:, :, 0, 0] ** 2
    change = np.empty(observed.value.shape[:2])
    centre, variance = np.empty_like(change), np.empty_like(change)
    _change_kernel(
        observed.value,
        observed.size,
        analysis_weights(scenario),
        scenario.analysed_case_correlation,
        change,
        centre,
        variance,
    )
    return change, centre, variance


def _clearly_above(
    scenario: Scenario, observed: Observed, estimate: Floats, variance: Floats
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


def _row_sum(values: Floats) -> Floats:
    """Return the sums over facilities (R, 1), added in the same order for any number of rows."""
    total = np.zeros((values.shape[0], 1))
    for i in range(values.shape[1]):
        total += values[:, i : i + 1]
    return total


def _shrink(estimate: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Return empirical Bayes means and variances of exchangeable normal effects.

    Between-facility variance by moments (DerSimonian and Laird 1986,
    doi 10.1016/0197-2456(86)90046-2); the variance includes that of the estimated mean (Morris
    1983, doi 10.1080/01621459.1983.10477920, first-order term).
    """
    facilities = estimate.shape[1]
    weight = 1 / variance
    total = _row_sum(weight)
    mean = _row_sum(weight * estimate) / total
    excess = _row_sum(weight * (estimate - mean) ** 2) - (facilities - 1)
    between = np.maximum(0.0, excess / (total - _row_sum(weight**2) / total))
    weight = 1 / (variance + between)
    total = _row_sum(weight)
    mean = _row_sum(weight * estimate) / total
    share = between / (variance + between)
    return mean + share * (estimate - mean), share * variance + (1 - share) ** 2 / total


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


@compiled
def _change_kernel(
    value: Floats,
    size: Floats,
    weights: Floats,
    correlation: float,
    change: Floats,
    centre: Floats,
    variance: Floats,
) -> None:
    """Weighted change in pp over indicators seen in both periods, and its interval.

    The interval is that of Price and Bonett (2004, doi 10.1016/S0167-9473(03)00007-0) for a linear
    function of proportions: 2 / m successes and failures are added to each of the m proportions,
    which for one indicator is the interval of Agresti and Caffo (2000,
    doi 10.1080/00031305.2000.10474560). Proportions of 0 and 1 so have a variance. Indicators of
    the same cases count as the number of independent ones with the same variance of their mean. At
    one or two cases and many indicators it is still too narrow (it holds 76 to 95 % at one case).

    The variance of a mean of K indicators of the same cases is (1 - r) times that of independent
    ones plus r times that of perfectly dependent ones.
    """
    rows, facilities, indicators, _ = value.shape
    for r in range(rows):
        row = r if size.shape[0] > 1 else 0
        for i in range(facilities):
            seen = 0.0
            for k in range(indicators):
                if size[row, i, k, 0] > 0.0 and size[row, i, k, 1] > 0.0 and weights[k] != 0.0:
                    seen += 1.0
            if seen == 0.0:
                change[r, i], centre[r, i], variance[r, i] = np.nan, np.nan, np.nan
                continue
            added = (1.0 + (seen - 1.0) * correlation) / seen
            moved = middle = total = plain = rooted_0 = rooted_1 = 0.0
            for k in range(indicators):
                n_0, n_1, w = size[row, i, k, 0], size[row, i, k, 1], weights[k]
                if n_0 == 0.0 or n_1 == 0.0 or w == 0.0:
                    continue
                total += w
                moved += w * (value[r, i, k, 1] / n_1 - value[r, i, k, 0] / n_0)
                m_0, m_1 = n_0 + 2.0 * added, n_1 + 2.0 * added
                p_0, p_1 = (value[r, i, k, 0] + added) / m_0, (value[r, i, k, 1] + added) / m_1
                middle += w * (p_1 - p_0)
                v_0 = w * w * p_0 * (1.0 - p_0) / m_0
                v_1 = w * w * p_1 * (1.0 - p_1) / m_1
                plain += v_0 + v_1
                if correlation > 0.0:
                    rooted_0 += np.sqrt(v_0)
                    rooted_1 += np.sqrt(v_1)
            change[r, i] = 100.0 * moved / total
            centre[r, i] = 100.0 * middle / total
            joint = rooted_0 * rooted_0 + rooted_1 * rooted_1
            spread = (1.0 - correlation) * plain + correlation * joint
            variance[r, i] = 1e4 * spread / (total * total)


@compiled
def _z_score_kernel(value: Floats, size: Floats, weights: Floats, score: Floats) -> None:
    """Weighted change of each indicator over its standard deviation (n - 1) across all cells.

    The reference is every facility and period, before and after together; an indicator that does
    not vary counts 0.
    """
    rows, facilities, indicators, _ = value.shape
    total = np.empty(facilities)
    seen, proportion = np.empty(facilities), np.empty((facilities, 2))
    for r in range(rows):
        row = r if size.shape[0] > 1 else 0
        for i in range(facilities):
            score[r, i] = total[i] = 0.0
        for k in range(indicators):
            count, mean = 0.0, 0.0
            for i in range(facilities):
                n_0, n_1 = size[row, i, k, 0], size[row, i, k, 1]
                both = n_0 > 0.0 and n_1 > 0.0
                seen[i] = 1.0 if both else 0.0
                proportion[i, 0] = value[r, i, k, 0] / n_0 if both else 0.0
                proportion[i, 1] = value[r, i, k, 1] / n_1 if both else 0.0
                count += 2.0 * seen[i]
                mean += proportion[i, 0] + proportion[i, 1]
            mean /= max(count, 1.0)
            squares = 0.0
            for i in range(facilities):
                below, above = proportion[i, 0] - mean, proportion[i, 1] - mean
                squares += seen[i] * (below * below + above * above)
            unit = np.sqrt(squares / (count - 1.0)) if squares > 1e-18 else np.inf
            for i in range(facilities):
                moved = proportion[i, 1] - proportion[i, 0]
                score[r, i] += weights[k] * moved / unit
                total[i] += seen[i] * weights[k]
        for i in range(facilities):
            score[r, i] = score[r, i] / total[i] if total[i] > 0.0 else np.nan
