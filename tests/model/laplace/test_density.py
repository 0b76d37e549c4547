"""Value, mean, variance and correction at given hyperparameters, against dense matrices."""

import numpy as np
import pytest
from numba import njit
from scipy.optimize import brentq
from scipy.special import expit, logsumexp

from pdsim.model.laplace.corrections import _bounded, _plain_cell
from pdsim.model.laplace.hyper import CORRELATION, at_points, build_hyper
from pdsim.model.laplace.lanes import LANES, load, store
from pdsim.model.laplace.mode import start_logits
from pdsim.model.laplace.setup import set_up
from pdsim.model.laplace.trajectories import evaluate
from pdsim.priors import MeanPrior, Priors, ScalePrior, SlopePrior

MIXED = Priors(alpha=MeanPrior(mean=-1.0, mean_sd=0.7, sd=1.2), beta=MeanPrior(mean=0.5, sd=0.6))
BY_ARM = Priors(change_spread="by_arm")
FAR = Priors(
    imbalance=MeanPrior(mean=0.3, sd=0.7),
    arm_effect=MeanPrior(mean=0.8, mean_sd=0.4, sd=0.3),
    covariate_change=SlopePrior(sd=0.3),
)
CASES = {
    "two domains": {},
    "missing cells": {"missing": 0.3},
    "one domain": {"domains": (0, 0, 0)},
    "each its own domain": {"domains": (0, 1, 2)},
    "three domains": {"domains": (0, 1, 1, 2, 2)},
    "one indicator": {"domains": (0,)},
    "one period": {"periods": 1, "missing": 0.2},
    "one indicator, one period": {"domains": (0,), "periods": 1},
    "scores": {"kind": "scores", "missing": 0.2},
    "case correlation": {"correlation": 0.3},
    "case correlation, one period": {"correlation": 0.2, "periods": 1},
    "visits": {"visit_sd": 0.5, "missing": 0.2},
    "visits and case correlation": {"correlation": 0.2, "visit_sd": 0.4},
    "priors not at zero": {"priors": MIXED},
    "shared spread": {"priors": Priors(indicator_spread="shared"), "missing": 0.1},
    "arms": {"arm": (0, 1, 1, 0), "missing": 0.2},
    "arms and covariates": {"arm": (1, 1, 0, 1), "covariates": 2, "priors": FAR},
    "arms, covariate and case correlation": {
        "arm": (0, 0, 1, 1),
        "covariates": 1,
        "correlation": 0.3,
        "domains": (0, 0, 1),
    },
    "case mix": {"offset": 0.7, "missing": 0.2},
    "case mix and case correlation": {"offset": 0.7, "correlation": 0.3, "domains": (0, 0, 0)},
    "covariate, one period": {"covariates": 1, "periods": 1, "domains": (0,)},
    "t effects": {"facility_df": 4.0, "missing": 0.2},
    "t effects, three domains, cases": {
        "facility_df": 3.0,
        "domains": (0, 1, 1, 2, 2),
        "correlation": 0.3,
    },
    "t effects, one domain, scores": {"facility_df": 4.0, "domains": (0, 0), "kind": "scores"},
    "t effects, one indicator": {"facility_df": 4.0, "domains": (0,)},
    "t effects, one indicator, one period": {
        "facility_df": 4.0,
        "domains": (0,),
        "periods": 1,
    },
    "t effects, one period": {"facility_df": 4.0, "periods": 1},
    "t effects, arms and covariate": {"facility_df": 4.0, "arm": (0, 0, 1, 1), "covariates": 1},
    "SD of change by arm": {"arm": (0, 1, 1, 0), "priors": BY_ARM, "missing": 0.2},
    "SD of change by arm, one indicator": {
        "arm": (1, 0, 0, 1),
        "priors": BY_ARM,
        "domains": (0,),
    },
    "SD of change by arm, two levels, cases": {
        "arm": (1, 1, 0, 0),
        "priors": Priors(change_spread="by_arm", indicator_spread="shared"),
        "domains": (0, 0, 0),
        "correlation": 0.3,
    },
    "SD of change by arm, t effects, covariate": {
        "arm": (0, 1, 0, 1),
        "priors": BY_ARM,
        "facility_df": 4.0,
        "covariates": 1,
    },
    "SD of change by arm, one period": {"arm": (0, 0, 1, 1), "priors": BY_ARM, "periods": 1},
    "spreads not pooled": {"priors": Priors(sd_change_indicator=ScalePrior(scale=0.5))},
}


def density(data, x, *, correct):
    """Return value, with `correct` a corrected one, slopes and latent moments at the points."""
    setup = set_up(data)
    shock = np.zeros(setup.work.shock.shape[:-1])
    found = evaluate(setup, x, start_logits(setup.problem), shock, 1e-9)
    values, prior, pull = parts_of_prior(setup.hyper, x)
    value = found.plain - prior + (found.correction if correct else 0.0)
    return values, value, found.slope - pull, found.latent


def parts_of_prior(hyper, x):
    """Return the hyperparameters, their log prior density on x, and its slopes."""
    values, _, prior, pull = at_points(hyper, x)
    return values, prior, pull


def points(data, n):
    hyper = build_hyper(data)
    rng = np.random.default_rng(2)
    center = np.where(hyper.family == CORRELATION, 0.0, 3.0)
    return center + 0.4 * rng.normal(size=(n, center.size))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_against_dense_matrices(make_data, dense_laplace, dense_gradient, by_name, case):
    data = make_data(**CASES[case])
    x = points(data, 11)
    values, plain, slope, _ = density(data, x, correct=False)
    _, corrected, _, latent = density(data, x, correct=True)
    periods = data.shape[2]
    for n in (0, 10):  # one in a full block of lanes, one in the rest
        exact = dense_laplace(data, by_name(data, values[n]))
        assert plain[n] == pytest.approx(exact["value"], abs=1e-6)
        np.testing.assert_allclose(latent.eta[n, ..., :periods], exact["mean"], atol=2e-5)
        np.testing.assert_allclose(latent.var[n, ..., :periods], exact["variance"], rtol=1e-5)
        # the engine takes two terms of a series (4 x 3 nodes with a shock), the oracle 25 nodes
        assert corrected[n] - plain[n] == pytest.approx(exact["correction"], abs=0.03)
    natural_slope = _natural_slopes(build_hyper(data), x[:1])
    twin = dense_gradient(data, values[0]) * natural_slope[0]
    np.testing.assert_allclose(slope[0], twin, atol=2e-5)


def _natural_slopes(hyper, x):
    return at_points(hyper, x)[1]


@pytest.mark.parametrize(
    "case",
    [
        *("two domains", "case correlation", "scores", "shared spread", "t effects"),
        *("SD of change by arm", "SD of change by arm, t effects, covariate"),
    ],
)
def test_gradient_is_that_of_differences(make_data, case):
    """With the prior's: every number of x, to what differences of 1e-4 can say."""
    data = make_data(**CASES[case])
    setup = set_up(data)
    shock, start = np.zeros(setup.work.shock.shape[:-1]), start_logits(setup.problem)
    x = points(data, 1)
    steps = 1e-4 * np.eye(x.size)
    found = evaluate(setup, np.concatenate([x, x + steps, x - steps]), start, shock, 1e-10)
    by_differences = (found.plain[1 : x.size + 1] - found.plain[x.size + 1 :]) / 2e-4
    np.testing.assert_allclose(found.slope[0], by_differences, atol=1e-6)


def test_two_groups_of_cases_and_indicators_without(
    make_data, dense_laplace, dense_gradient, by_name
):
    data = make_data(domains=(0, 0, 0, 1, 1), correlation=0.3)
    data.case_group[:] = [0, 0, 1, 1, -1]
    x = points(data, 2)
    values, plain, slope, _ = density(data, x, correct=False)
    exact = dense_laplace(data, by_name(data, values[1]))
    twin = dense_gradient(data, values[1]) * _natural_slopes(build_hyper(data), x)[1]
    np.testing.assert_allclose(slope[1], twin, atol=2e-5)
    assert plain[1] == pytest.approx(exact["value"], abs=1e-6)


@njit
def _cell(n, eta, var, out):
    store(out, (), _bounded(_plain_cell(n, load(eta, ()), load(var, ()))))


@pytest.mark.parametrize(
    ("n", "eta", "var"),
    [(40.0, -3.3, 0.45), (40.0, -2.2, 0.25), (150.0, -3.5, 0.2), (40.0, 0.3, 0.1)],
)
def test_evidence_of_a_cell_is_that_of_quadrature(n, eta, var):
    """What is left is of third order: below a tenth of the largest term of second order."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    p, move = expit(eta), nodes * np.sqrt(var)
    pq = p * (1 - p)
    expansion = np.logaddexp(0, eta) + p * move + 0.5 * pq * move**2
    error = n * (expansion - np.logaddexp(0, eta + move))
    exact = logsumexp(error, b=weights / weights.sum())
    out = np.empty(LANES)
    _cell(n, np.full(LANES, eta), np.full(LANES, var), out)
    third, fourth = n * pq * (1 - 2 * p), n * pq * (1 - 6 * pq)
    terms = [fourth * var**2 / 8, 5 * third**2 * var**3 / 24]
    largest = max(np.abs(terms))
    assert abs(out[0] - exact) < 0.1 * largest
    np.testing.assert_array_equal(out, out[0])


@pytest.mark.parametrize("sd", [3.0, 10.0, 30.0])
def test_a_cell_without_successes_does_not_reward_any_spread(sd):
    """Its exact gain stays small however wide its prior, where the series grows without end."""
    n = 40.0
    eta = brentq(lambda x: x / sd**2 + n * expit(x), -12 * sd, 0.0)
    pq = n * expit(eta) * expit(-eta)
    var = 1 / (1 / sd**2 + pq)
    grid = np.linspace(eta - 12 * sd, eta + 12 * sd, 200_001)
    log_density = -0.5 * (grid / sd) ** 2 - n * np.logaddexp(0, grid)
    peak = -0.5 * (eta / sd) ** 2 - n * np.logaddexp(0, eta) + 0.5 * np.log(2 * np.pi * var)
    exact = logsumexp(log_density) + np.log(grid[1] - grid[0]) - peak
    out = np.empty(LANES)
    _cell(n, np.full(LANES, eta), np.full(LANES, var), out)
    assert abs(out[0] - exact) < 0.12


def test_corrected_evidence_is_that_of_brute_force(make_data):
    """One indicator and period: the true marginal likelihood is a product of integrals."""
    data = make_data(domains=(0,), periods=1, facilities=5)
    data.size[:] = 4.0
    data.observed[:, 0, 0] = [0.0, 1.0, 1.0, 3.0, 4.0]
    x = np.array([[1.0], [3.0], [5.0]])
    values, plain, _, _ = density(data, x, correct=False)
    _, corrected, _, _ = density(data, x, correct=True)
    prior = data.priors.alpha
    grid = np.linspace(-12, 12, 2401)
    mu_sd = np.hypot(prior.sd, prior.mean_sd)
    likelihood = data.observed[:, 0, :] * grid - data.size[:, 0, :] * np.logaddexp(0, grid)
    exact = []
    for s in values[:, 0]:
        kernel = -0.5 * ((grid[:, None] - grid) / s) ** 2 - np.log(s)
        given_mu = logsumexp(likelihood[:, None, :] + kernel, axis=2).sum(axis=0)
        exact.append(logsumexp(given_mu - 0.5 * (grid / mu_sd) ** 2))
    off_plain = np.ptp(plain - exact)
    off = np.ptp(corrected - exact)
    assert off < 0.25 * off_plain
    assert off < 0.05


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_all_or_none_met(make_data, rate):
    data = make_data()
    data.observed[:] = rate * data.size
    _, value, slope, latent = density(data, points(data, 8), correct=True)
    assert np.isfinite(slope).all()
    assert np.isfinite(value).all()
    assert np.isfinite(latent.eta).all()
    assert (latent.var > 0).all()


def test_rates_of_one_in_ten_thousand(make_data, dense_laplace, by_name):
    data = make_data()
    data.size[:] = 100_000.0
    data.observed[:] = np.random.default_rng(3).poisson(10.0, size=data.shape)
    x = points(data, 1)
    values, plain, _, _ = density(data, x, correct=False)
    exact = dense_laplace(data, by_name(data, values[0]))
    assert plain[0] == pytest.approx(exact["value"], abs=1e-3)
