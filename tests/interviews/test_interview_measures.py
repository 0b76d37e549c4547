"""What sweeps and plans say of interviews: lambda and the power of a theme."""

import math

import pytest
from scipy import stats

from pdsim.interviews import contrast_variance
from pdsim.simulation import Scenario, run_block, summarise
from pdsim.terms.measures import THEME_BOUND, THEME_GAP, THEME_SD

# class lambda, 3 v 3 of 10 exchangeable normal facilities (MCSE .0003, rounded)
LAMBDA = {0.3: 0.427, 0.5: 0.564, 0.7: 0.690, 0.9: 0.828}


def summary_of(reliability, replicates=40_000):
    scenario = Scenario(
        kind="normal",
        facilities=10,
        m=3,
        sd_change_facility=math.sqrt(reliability),
        unit_sd=math.sqrt(1 - reliability),
        trials=1,
    )
    block = run_block([scenario], range(replicates), seed=2025)
    return summarise(block.measures[0], block.status[0])


@pytest.mark.parametrize("reliability", LAMBDA)
def test_lambda_of_a_sweep(reliability):
    summary = summary_of(reliability)
    error = math.hypot(float(summary.interview_lambda_mcse), 0.0003)
    gap = abs(float(summary.interview_lambda) - LAMBDA[reliability])
    assert gap < 4 * error + 0.0005
    # the share of the contrast that is kept is the dose lambda
    dose = abs(float(summary.contrast_retained) - math.sqrt(reliability))
    assert dose < 4 * float(summary.contrast_retained_mcse)


def test_power_of_a_theme():
    variance = contrast_variance(3, 3, prevalence=0.5, icc=0.1, informants=12)
    assert THEME_SD / math.sqrt(3) == pytest.approx(math.sqrt(variance), rel=1e-12)
    assert pytest.approx(stats.norm.isf(0.05), rel=1e-12) == THEME_BOUND
    most = stats.norm.cdf(THEME_GAP / math.sqrt(variance) - THEME_BOUND)
    low, high = (float(summary_of(r, 4000).theme_power) for r in (0.3, 0.95))
    assert low < high < most
