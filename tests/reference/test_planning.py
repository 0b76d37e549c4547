"""Published and exact numbers of planning: R4 (Bechhofer) and R8 (two-sample t-test)."""

import numpy as np
import pytest
from scipy import stats

from pdsim import Scenario, plan
from pdsim.planning import Search, pcs_lead, pcs_means, required_lead, solve


def test_probability_of_correct_selection():
    found = [pcs_lead(lead, facilities=10, m=3) for lead in (0.0, 1.0, 2.0, 3.0, 4.0)]
    assert found == pytest.approx([1 / 120, 0.105411, 0.431112, 0.798214, 0.962361], abs=5e-7)


@pytest.mark.parametrize(
    ("probability", "lead"), [(0.75, 2.8360), (0.90, 3.4649), (0.95, 3.8541), (0.99, 4.6100)]
)
def test_lead_for_three_of_ten(probability, lead):
    assert required_lead(probability, facilities=10, m=3) == pytest.approx(lead, abs=5e-5)
    assert required_lead(probability, facilities=10, m=7) == pytest.approx(lead, abs=5e-5)


@pytest.mark.parametrize(
    ("facilities", "lead"), [(2, 2.3262), (3, 2.7101), (4, 2.9162), (5, 3.0552)]
)
def test_lead_for_the_best(facilities, lead):
    assert required_lead(0.95, facilities=facilities, m=1) == pytest.approx(lead, abs=5e-5)


def test_lead_for_both_ends():
    assert required_lead(0.95, facilities=10, m=3, both=True) == pytest.approx(3.9629, abs=5e-5)


def test_given_means_agree_with_the_lead():
    means = [1.5] * 3 + [0.0] * 7
    assert pcs_means(means, np.full(10, 0.5), m=3) == pytest.approx(
        pcs_lead(3.0, facilities=10, m=3), abs=1e-9
    )


@pytest.mark.parametrize(
    ("means", "m", "target", "lead", "trials"),
    [
        ((0.5,) * 3 + (0.0,) * 7, 3, "pcs_top >= 0.95", 3.8541, 60),
        ((0.5,) * 3 + (0.0,) * 4 + (-0.5,) * 3, 3, "pcs_both >= 0.95", 3.9629, 63),
        ((0.5,) + (0.0,) * 4, 1, "pcs_top >= 0.95", 3.0552, 38),
    ],
)
def test_the_solver_recovers_bechhofer(means, m, target, lead, trials):
    exact = (lead / 0.5) ** 2
    assert int(np.ceil(exact)) == trials
    scenario = Scenario(kind="normal", facilities=len(means), means=means, m=m)
    answer = plan(scenario, target=target, precision=0.03, seed=1)["answer"]
    assert answer.n_low <= exact <= answer.n_high
    assert answer.n_high / answer.n_low < 1.03**2 * 1.001


def power_of(effect, seed):
    """Return a two-sided two-sample t-test at 5 %, from its sufficient statistics."""

    def run(size, replicates):
        rng = np.random.default_rng([seed, size, replicates.start])
        freedom = 2 * size - 2
        apart = rng.normal(effect, np.sqrt(2 / size), len(replicates))
        variance = rng.chisquare(freedom, len(replicates)) / freedom
        t = apart / np.sqrt(2 * variance / size)
        return (np.abs(t) > stats.t.ppf(0.975, freedom)).astype(float)

    return run


@pytest.mark.parametrize(("effect", "exact"), [(0.2, 393.4057), (0.5, 63.7656)])
@pytest.mark.parametrize("seed", range(5))
def test_the_solver_holds_the_exact_power(effect, exact, seed):
    root = solve(power_of(effect, seed), Search(value=0.8, precision=0.1, prob=0.999))
    assert root.status == "found"
    assert root.crossing.low <= exact <= root.crossing.high
    assert root.crossing.high / root.crossing.low <= 1.1**2
