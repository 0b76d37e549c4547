"""Draws from the prior and from the fitted model, against exact moments."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

import pdsim
from pdsim.model.predictive import draw_eta, draw_parameters, draw_proportion, posterior_predictive
from pdsim.priors import MeanPrior, Priors, ScalePrior

DRAWS = 4000


@pytest.mark.parametrize(
    ("prior", "law"),
    [
        (ScalePrior(scale=0.7), stats.halfnorm(scale=0.7)),
        (ScalePrior(family="half_cauchy", scale=0.7), stats.halfcauchy(scale=0.7)),
        (ScalePrior(family="exponential", scale=0.7), stats.expon(scale=0.7)),
        (ScalePrior(family="half_t", scale=0.7, df=4.0), None),
        (ScalePrior(family="inverse_gamma_variance", shape=2.0, scale=0.7), None),
    ],
)
def test_scales_and_means_follow_their_priors(make_data, prior, law):
    data = make_data(priors=Priors(sd_change_facility=prior, alpha=MeanPrior(mean=0.3)))
    rng = np.random.default_rng(5)
    drawn = [draw_parameters(data, rng) for _ in range(DRAWS)]
    sd = np.array([one.sd_change["facility"] for one in drawn])
    if prior.family == "half_t":
        probability = 2 * stats.t(4.0).cdf(sd / 0.7) - 1
    elif law is None:
        probability = stats.invgamma(2.0, scale=0.7).cdf(sd**2)
    else:
        probability = law.cdf(sd)
    # a wrong law fails at p < 1e-4; a right one does once in 10,000 seeds, and the seed is fixed
    assert stats.kstest(probability, "uniform").pvalue > 1e-4
    alpha = np.array([one.alpha for one in drawn])
    covariance = np.cov(alpha.T)
    error = 4 * np.sqrt(2 / DRAWS) * 6.25
    np.testing.assert_allclose(covariance, 2.0**2 * np.eye(4) + 1.5**2, atol=error)
    rho = np.array([one.corr["facility"] for one in drawn])
    assert stats.kstest((rho + 1) / 2, stats.beta(2, 2).cdf).pvalue > 1e-4


def test_case_correlation_widens_composites_by_the_kish_factor(make_data):
    """Var(mean over K items) = pq / (K n) (1 + (K - 1) r), for equal p of one facility."""
    from dataclasses import replace

    n, r, p = 60, 0.3, 0.4
    data = make_data(facilities=2000, domains=(0,) * 6, correlation=r)
    data = replace(data, size=np.full(data.shape, float(n)))
    eta = np.full(data.shape, np.log(p / (1 - p)))
    mean = draw_proportion(eta, data, np.random.default_rng(2))[..., 0].mean(axis=1)
    expected = p * (1 - p) / (6 * n) * (1 + 5 * r)
    # the model's shock has this variance to first order in 1 / n; 4 standard errors of a variance
    assert mean.var() == pytest.approx(expected, rel=4 * np.sqrt(2 / 2000) + 1 / n)


@pytest.mark.parametrize("n", [5, 20])
def test_case_correlation_leaves_the_mean_where_it_is(make_data, n):
    """The shock acts on the logit; without its shift the mean of 0.12 would be 0.005 too high."""
    from dataclasses import replace

    facilities, r, p = 20_000, 0.3, 0.12
    data = make_data(facilities=facilities, domains=(0,) * 6, correlation=r)
    data = replace(data, size=np.full(data.shape, float(n)))
    eta = np.full(data.shape, np.log(p / (1 - p)))
    mean = draw_proportion(eta, data, np.random.default_rng(2))[..., 0].mean(axis=1)
    error = mean.std() / np.sqrt(facilities)
    # the shift is right to second order: what is left is of the order of its square
    variance = r / np.sqrt((n * p * (1 - p)) ** 2 + 1)
    assert abs(mean.mean() - p) < 4 * error + (0.5 * variance) ** 2 * p * (1 - p)


def test_effects_have_the_stated_moments(make_data):
    data = make_data(facilities=4000)
    rng = np.random.default_rng(3)
    parameters = draw_parameters(data, rng)
    eta, expected = draw_eta(parameters, data, rng)
    base = eta[..., 0] - parameters.alpha
    total = sum(value**2 for value in parameters.sd_baseline.values())
    assert base.var(axis=0) == pytest.approx(total, rel=5 * np.sqrt(2 / 4000))
    # what the baseline does not foretell has mean zero and is unrelated to it
    surprise = eta[..., 1] - expected
    unexplained = sum(
        parameters.sd_change[n] ** 2 * (1 - parameters.corr[n] ** 2) for n in data.levels
    )
    assert surprise.var(axis=0) == pytest.approx(unexplained, rel=5 * np.sqrt(2 / 4000))
    related = np.corrcoef(surprise[:, 0], base[:, 0])[0, 1]
    assert abs(related) < 4 / np.sqrt(4000)
    assert expit(eta).max() <= 1


def test_a_model_fitted_to_its_own_kind_of_data_finds_nothing_odd():
    check = posterior_predictive(pdsim.fit(pdsim.load_example("surgical"), engine="laplace"))
    assert float(check["p_value"].min()) > 0.005
    assert float(check["p_value"].max()) < 0.995
    assert check.attrs["convergence"] == "passed"


def test_facilities_may_be_of_a_student_t(make_data):
    """Facility effects over their SD, baseline and change alike: t with 5 degrees of freedom."""
    data = make_data(facilities=20_000, domains=(0,), facility_df=5.0)
    rng = np.random.default_rng(3)
    parameters = draw_parameters(data, rng)
    eta, _ = draw_eta(parameters, data, rng)
    base = (eta[:, 0, 0] - parameters.alpha) / parameters.sd_baseline["facility"]
    # a wrong law fails at p < 1e-4; a right one does once in 10,000 seeds, and the seed is fixed
    assert stats.kstest(base, stats.t(5.0).cdf).pvalue > 1e-4
    assert stats.kstest(base, stats.norm.cdf).pvalue < 1e-4


def test_facilities_of_each_arm_may_change_with_a_spread_of_their_own(make_data):
    facilities = 8000
    data = make_data(
        facilities=facilities,
        domains=(0,),
        arm=np.arange(facilities) % 2,
        priors=Priors(change_spread="by_arm"),
    )
    rng = np.random.default_rng(3)
    parameters = draw_parameters(data, rng)
    t, rho = parameters.sd_change["facility"], parameters.corr["facility"]
    assert t.shape == (2,)
    eta, expected = draw_eta(parameters, data, rng)
    for arm in (0, 1):
        mine = data.arm == arm
        change = (eta[mine, 0, 1] - eta[mine, 0, 0]).var()
        left = (eta[mine, 0, 1] - expected[mine, 0]).var()
        assert change == pytest.approx(t[arm] ** 2, rel=5 * np.sqrt(2 / 4000))
        assert left == pytest.approx(t[arm] ** 2 * (1 - rho[0] ** 2), rel=5 * np.sqrt(2 / 4000))
    assert abs(np.log(t[1] / t[0])) > 0.3  # or the two could not be told apart
