import numpy as np
import pytest
from scipy import special, stats

from pdsim.simulation.casewise import loading_table, normal_cdf
from pdsim.simulation.normal import expit, normal_quantile, to_normal

PROBABILITIES = np.concatenate(
    [np.linspace(1e-6, 1 - 1e-6, 4001), 10.0 ** -np.arange(1, 300, 9.0), [0.075, 0.925]]
)


def test_quantile():
    ours = np.array([normal_quantile(p) for p in PROBABILITIES])
    assert ours == pytest.approx(special.ndtri(PROBABILITIES), rel=1e-13, abs=1e-15)


def test_to_normal_is_the_quantile_of_each():
    values = PROBABILITIES.copy()
    to_normal(values, np.empty((2, values.size)), np.empty(values.size, dtype=np.int64))
    assert (values == [normal_quantile(p) for p in PROBABILITIES]).all()


def test_distribution_function():
    x = np.linspace(-12, 12, 9001)
    ours = np.array([normal_cdf(v) for v in x])
    assert np.abs(ours - special.ndtr(x)).max() < 3e-10


def test_expit():
    x = np.linspace(-40, 40, 2001)
    assert np.array([expit(v) for v in x]) == pytest.approx(special.expit(x), rel=1e-14)


@pytest.mark.parametrize("r", [0.05, 0.3, 0.9])
@pytest.mark.parametrize("node", [0, 64, 160])
def test_loading_gives_the_binary_correlation(r, node):
    a = -node / 64
    p = special.ndtr(a)
    rho = loading_table(r)[node] ** 2
    joint = stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]]).cdf([a, a])
    assert (joint - p**2) / (p * (1 - p)) == pytest.approx(r, abs=2e-5)


def test_no_correlation_has_no_loading():
    assert not loading_table(0.0).any()
