import numpy as np
import pytest
from scipy import stats

from pdsim.model.laplace.hyper import build_hyper, covariances, hyper_names, natural
from pdsim.priors import CorrelationPrior, Priors, ScalePrior


def _values(data, x):
    hyper = build_hyper(data)
    values, log_prior = np.empty_like(x), np.empty(len(x))
    natural(hyper, x, values, log_prior)
    return hyper, values, log_prior


FAMILIES = [
    (ScalePrior(scale=0.7), lambda s: stats.halfnorm(scale=0.7).logpdf(s)),
    (ScalePrior(family="half_cauchy", scale=0.7), lambda s: stats.halfcauchy(scale=0.7).logpdf(s)),
    (
        ScalePrior(family="half_t", scale=0.7, df=3.0),
        lambda s: stats.t(df=3, scale=0.7).logpdf(s),
    ),
    (ScalePrior(family="exponential", scale=0.7), lambda s: stats.expon(scale=0.7).logpdf(s)),
    (
        ScalePrior(family="inverse_gamma_variance", scale=0.2, shape=0.5),
        lambda s: stats.invgamma(0.5, scale=0.2).logpdf(s**2) + np.log(s),
    ),
]


@pytest.mark.parametrize(("prior", "log_density"), FAMILIES)
def test_prior_of_a_standard_deviation_with_its_jacobian(make_data, prior, log_density):
    priors = Priors(sd_baseline_facility=prior)
    data = make_data(domains=(0,), periods=1, priors=priors)
    x = np.linspace(-2.0, 30.0, 4001)[:, None]  # beyond 25 the tail is a series
    _, values, log_prior = _values(data, x)
    s = values[:, 0]
    assert (np.diff(s) > 0).all()
    slope = np.gradient(s, x[:, 0], edge_order=2)
    off = log_prior - (log_density(s) + np.log(slope))
    assert np.ptp(off) < 2e-4  # the error of the differences


def test_prior_of_a_correlation_is_lkj(make_data):
    priors = Priors(corr_facility=CorrelationPrior(eta=3.0))
    data = make_data(domains=(0,), priors=priors)
    x = np.zeros((2001, 3))
    x[:, 2] = np.linspace(-4, 4, 2001)
    _, values, log_prior = _values(data, x)
    rho = values[:, 2]
    np.testing.assert_allclose(rho, 2 * stats.norm.cdf(x[:, 2]) - 1, atol=1e-15)
    exact = stats.beta(3, 3).logpdf((rho + 1) / 2) + stats.norm.logpdf(x[:, 2])
    assert np.ptp(log_prior - exact) < 1e-9


def test_covariance_of_a_level(make_data):
    data = make_data()
    hyper, values, _ = _values(data, np.random.default_rng(1).normal(2, 1, size=(8, 9)))
    out = np.empty((3, 4, 8))
    covariances(hyper, values, out)
    root = np.array([[1.0, 0.0], [1.0, 1.0]])
    for level in range(3):
        s, t, rho = values[3, 3 * level : 3 * level + 3]
        pair = root @ np.array([[s**2, rho * s * t], [rho * s * t, t**2]]) @ root.T
        np.testing.assert_allclose(out[level, :3, 3], [pair[0, 0], pair[0, 1], pair[1, 1]])
        assert out[level, 3, 3] == pytest.approx(np.linalg.det(pair))


@pytest.mark.parametrize(
    ("domains", "periods", "names"),
    [
        ((0,), 1, ("sd_baseline_facility",)),
        ((0,), 2, ("sd_baseline_facility", "sd_change_facility", "corr_facility")),
        ((0, 0), 1, ("sd_baseline_facility", "sd_baseline_indicator")),
    ],
)
def test_names_of_the_levels_present(make_data, domains, periods, names):
    data = make_data(domains=domains, periods=periods)
    assert hyper_names(data) == names
    hyper = build_hyper(data)
    assert hyper.slot[-1] == 2  # the innermost level stands in the cells
