"""One replicate's decision: estimates, intervals and scores of the facilities under one rule."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import ndtri

from pdsim.conventions import CI_PROB
from pdsim.simulation.cases import Observed
from pdsim.simulation.estimands import analysis_weights
from pdsim.simulation.scenario import Scenario

type Floats = NDArray[np.float64]

OK, WARNED, NOT_CONVERGED, ERROR = 1, 2, 3, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a rule says about the facilities of R replicates.

    Attributes
    ----------
    top, bottom : ndarray (R, F)
        Scores by which each end is chosen, larger = more so.
    estimate, sd, lower, upper : ndarray (R, F)
        NaN where the rule estimates nothing.
    p_top, flagged : ndarray (R, F)
        NaN where the rule states none.
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
    """Apply a rule that needs no posterior."""
    rows, facilities = observed.value.shape[:2]
    nothing = np.full((rows, facilities), np.nan)
    score = np.empty((rows, facilities))
    variance = np.empty((rows, facilities))
    if scenario.kind == "normal":
        score[:] = observed.value[:, :, 0, 0]
        variance[:] = observed.size[:, :, 0, 0] ** 2
    else:
        _change_kernel(
            observed.value,
            observed.size,
            analysis_weights(scenario),
            scenario.analysed_case_correlation,
            score,
            variance,
        )
    failed = np.isnan(score).any(axis=1)
    status = np.where(failed, ERROR, OK).astype(np.uint8)
    sd = np.sqrt(variance)
    half = ndtri(0.5 + CI_PROB / 2) * sd
    return Decision(
        top=score,
        bottom=-score,
        estimate=score,
        sd=sd,
        lower=score - half,
        upper=score + half,
        p_top=nothing,
        flagged=nothing,
        status=status,
    )


@njit(cache=True, nogil=True)
def _change_kernel(value, size, weights, correlation, score, variance):  # type: ignore[no-untyped-def]
    """Weighted observed change in pp over the indicators seen in both periods, and its variance."""
    rows, facilities, indicators, _ = value.shape
    for r in range(rows):
        for i in range(facilities):
            change = total = 0.0
            plain = np.zeros(2)
            rooted = np.zeros(2)
            for k in range(indicators):
                n_0, n_1 = size[r, i, k, 0], size[r, i, k, 1]
                if n_0 == 0.0 or n_1 == 0.0 or weights[k] == 0.0:
                    continue
                p_0, p_1 = value[r, i, k, 0] / n_0, value[r, i, k, 1] / n_1
                total += weights[k]
                change += weights[k] * (p_1 - p_0)
                v_0 = weights[k] * weights[k] * p_0 * (1.0 - p_0) / n_0
                v_1 = weights[k] * weights[k] * p_1 * (1.0 - p_1) / n_1
                plain[0] += v_0
                plain[1] += v_1
                if correlation > 0.0:
                    rooted[0] += np.sqrt(v_0)
                    rooted[1] += np.sqrt(v_1)
            if total == 0.0:
                score[r, i] = np.nan
                variance[r, i] = np.nan
                continue
            score[r, i] = 100.0 * change / total
            spread = (1.0 - correlation) * (plain[0] + plain[1])
            spread += correlation * (rooted[0] * rooted[0] + rooted[1] * rooted[1])
            variance[r, i] = 1e4 * spread / (total * total)
