"""R4: probability of correct selection of the t best of k normal means (Bechhofer 1954,
doi 10.1214/aoms/1177728845), from its integral."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from pdsim.simulation import Scenario, run_block, summarise

REPLICATES = range(60_000)
# k = 10, t = 3
PUBLISHED = {1.0: 0.105411, 2.0: 0.431112, 3.0: 0.798214, 4.0: 0.962361}
LEADS = {0.75: 2.8360, 0.90: 3.4649, 0.95: 3.8541, 0.99: 4.6100}
BEST_OF = {2: 2.3262, 3: 2.7101, 4: 2.9162, 5: 3.0552}


def summary_of(means, m, *, trials=1):
    scenario = Scenario(kind="normal", facilities=len(means), m=m, means=means, trials=trials)
    block = run_block([scenario], REPLICATES, seed=7)
    return summarise(block.measures[0], block.status[0])


def agrees(summary, name, value):
    return abs(float(summary[name]) - value) < 4 * float(summary[f"{name}_mcse"])


def exact(h, k, t):
    def density(y):
        rest = k - t
        return (
            rest * stats.norm.cdf(y) ** (rest - 1) * stats.norm.pdf(y) * stats.norm.sf(y - h) ** t
        )

    return integrate.quad(density, -12, 14, epsabs=1e-12)[0]


@pytest.mark.parametrize("h", PUBLISHED)
def test_probability_of_correct_selection(h):
    assert exact(h, 10, 3) == pytest.approx(PUBLISHED[h], abs=5e-7)
    assert agrees(summary_of((h,) * 3 + (0.0,) * 7, 3), "pcs_top", PUBLISHED[h])


@pytest.mark.parametrize("probability", LEADS)
def test_leads(probability):
    summary = summary_of((LEADS[probability],) * 3 + (0.0,) * 7, 3)
    assert agrees(summary, "pcs_top", probability)


@pytest.mark.parametrize("k", BEST_OF)
def test_the_single_best(k):
    assert agrees(summary_of((BEST_OF[k],) + (0.0,) * (k - 1), 1), "pcs_top", 0.95)


def test_no_lead_is_a_lottery():
    assert float(summary_of((0.0,) * 10, 3).pcs_top) == pytest.approx(1 / math.comb(10, 3))


def test_both_ends():
    h = 3.9629
    summary = summary_of((h,) * 3 + (0.0,) * 4 + (-h,) * 3, 3)
    assert agrees(summary, "pcs_both", 0.95)


def test_the_lead_is_in_standard_errors():
    # delta / sigma = 0.5 and n = 60: h = 0.5 sqrt(60)
    summary = summary_of((0.5,) * 3 + (0.0,) * 7, 3, trials=60)
    assert agrees(summary, "pcs_top", exact(0.5 * np.sqrt(60), 10, 3))
