"""What theory says of interviews in named facilities: exact values, and a fine simulation.

Exact values follow from the binomial, beta-binomial and hypergeometric distributions and from the
order statistics of the normal; those of lambda from an independent simulation (MCSE .0003).
"""

import math

import numpy as np
import pytest
from scipy import integrate, stats

import pdsim
from pdsim.interviews import (
    chance_of_split,
    contrast_variance,
    exchangeable_lambda,
    groups_of,
    informants_to_hear,
    krippendorff_alpha,
    least_p,
    pooled_false_positives,
    separation,
    voices,
)

LAMBDA = {
    0.3: (0.427, 0.211),
    0.5: (0.564, 0.368),
    0.7: (0.690, 0.578),
    0.9: (0.828, 0.858),
    0.95: (0.877, 0.937),
}
ROUNDED = 0.0005


@pytest.mark.parametrize(
    ("prevalence", "times", "probability", "least"),
    [(0.10, 2, 0.80, 29), (0.25, 2, 0.80, 11), (0.25, 2, 0.90, 15), (0.06, 5, 0.99, 190)],
)
def test_informants_needed_to_hear_a_theme(prevalence, times, probability, least):
    found = informants_to_hear(prevalence=prevalence, times=times, probability=probability)
    assert found == least


@pytest.mark.parametrize(("high", "low", "ways"), [(3, 3, 20), (4, 3, 35), (4, 4, 70), (5, 5, 252)])
def test_least_attainable_p(high, low, ways):
    assert least_p(high, low) == 1 / ways


@pytest.mark.parametrize("reliability", LAMBDA)
def test_lambda_of_exchangeable_facilities(reliability):
    found = exchangeable_lambda(
        facilities=10, m_top=3, m_bottom=3, reliability=reliability, replicates=150_000, seed=3
    )
    expected = zip(("class_lambda", "all_on_side"), LAMBDA[reliability], strict=True)
    for name, value in expected:
        mean, error = found[name]
        assert abs(mean - value) < 4 * math.hypot(error, 0.0003) + ROUNDED, name
    mean, error = found["dose_lambda"]
    assert abs(mean - math.sqrt(reliability)) < 4 * error


@pytest.mark.parametrize(("facilities", "m_top", "m_bottom"), [(6, 1, 2), (25, 5, 3)])
def test_dose_lambda_is_the_root_of_the_reliability_for_any_groups(facilities, m_top, m_bottom):
    mean, error = exchangeable_lambda(
        facilities=facilities, m_top=m_top, m_bottom=m_bottom, reliability=0.6,
        replicates=100_000, seed=4,
    )["dose_lambda"]  # fmt: skip
    assert abs(mean - math.sqrt(0.6)) < 4 * error


def normal_top_mean(facilities, m):
    """Return the expected mean of the m largest of independent normals, by quadrature."""

    def density(x):
        # the order statistics above F - m, added up
        below = stats.norm.cdf(x)
        return (
            x * stats.norm.pdf(x) * facilities * stats.binom.cdf(m - 1, facilities - 1, 1 - below)
        )

    return integrate.quad(density, -9, 9)[0] / m


def test_expected_ends_of_ten_normals():
    assert 2 * normal_top_mean(10, 3) == pytest.approx(2.130779, abs=5e-7)
    found = exchangeable_lambda(
        facilities=10, m_top=3, m_bottom=3, reliability=0.9, replicates=100_000, seed=5
    )
    mean, error = found["ends_apart"]
    assert abs(mean - 2.130779) < 4 * error
    # what groups of m tell of a theme that follows the score: contrast^2 / (1/m + 1/m)
    information = [(2 * normal_top_mean(10, m)) ** 2 * m / 2 for m in range(1, 6)]
    assert information == pytest.approx([4.736, 6.452, 6.810, 6.379, 5.460], abs=ROUNDED)


def test_a_theme_that_divides_the_groups_by_chance():
    assert chance_of_split(3, 3, themes=6) == pytest.approx(1 - (31 / 32) ** 6, abs=1e-12)
    assert chance_of_split(3, 3, themes=6) == pytest.approx(0.17345, abs=5e-6)


@pytest.mark.parametrize(
    ("icc", "rate"), [(0.0, 0.0247), (0.05, 0.0732), (0.2, 0.2249), (0.3, 0.3038)]
)
def test_pooling_informants_rejects_too_often(icc, rate):
    found = pooled_false_positives(3, 3, informants=12, prevalence=0.5, icc=icc)
    assert found == pytest.approx(rate, abs=0.00005)


@pytest.mark.parametrize(
    ("metric", "alpha"),
    [("nominal", 0.7434), ("ordinal", 0.8154), ("interval", 0.8491), ("ratio", 0.7974)],
)
def test_krippendorffs_example(metric, alpha):
    # Krippendorff (2011), Computing Krippendorff's alpha-reliability: 4 coders, 12 units
    no = np.nan
    values = np.array(
        [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, no, no, no],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, no, 3],
            [no, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, no],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, no],
        ]
    )
    assert krippendorff_alpha(values, metric=metric) == pytest.approx(alpha, abs=0.00005)


@pytest.mark.parametrize("icc", [0.0, 0.1, 0.4])
def test_variance_of_a_contrast_is_that_of_the_beta_binomial(icc):
    # two groups of 3 and 2 facilities with 7 informants each
    variance = 0.0
    for facilities in (3, 2):
        chance = voices(facilities, 7, prevalence=0.3, icc=icc)
        share = np.arange(len(chance)) / (7 * facilities)
        variance += chance @ share**2 - (chance @ share) ** 2
    found = contrast_variance(3, 2, prevalence=0.3, icc=icc, informants=7)
    assert found == pytest.approx(variance, rel=1e-10)


def test_the_interviews_of_the_founding_study():
    # its published table with 20 cases per facility and period, correlation within a case .1;
    # three higher against three lower performers, by the fast engine of an earlier version
    study = pdsim.load_example("lake_zone", trials=20, case_correlation=0.1)
    score = pdsim.composite(pdsim.fit(study, engine="laplace", seed=1))
    found = separation(groups_of(score, high=["1", "2", "3"], low=["8", "9", "10"]))
    expected = {"class_lambda": 0.841, "dose_lambda": 0.964, "all_on_side": 0.996}
    for name, value in expected.items():
        assert abs(float(found[name]) - value) < 0.01, name
        assert float(found[f"{name}_mcse"]) < 0.005
