import numpy as np
import pytest
from numba import njit
from scipy import stats
from scipy.special import expit

from pdsim.model.laplace.elementary import (
    exp_minus,
    gauss_hermite,
    log,
    log1p_unit,
    logistic,
    sine_cosine,
    softplus,
    to_normals,
)
from pdsim.model.laplace.lanes import choose, larger, load, magnitude, smaller, store


@njit
def _apply(x, out):
    for n in range(len(x)):
        v = load(x, (n,))
        p, pq = logistic(v)
        store(out, (0, n), exp_minus(magnitude(v)))
        store(out, (1, n), softplus(v))
        store(out, (2, n), p)
        store(out, (3, n), pq)
        store(out, (4, n), log(magnitude(v)))
        store(out, (5, n), log1p_unit(p))
        store(out, (6, n), larger(v, 0.5 * v))
        store(out, (7, n), smaller(v, 0.5 * v))
        store(out, (8, n), choose(v, 1.0, -v))


@njit
def _circle(x, out):
    for n in range(len(x)):
        s, c = sine_cosine(load(x, (n,)))
        store(out, (0, n), s)
        store(out, (1, n), c)


@njit
def _normals(values):
    to_normals(values)


@pytest.fixture(scope="module")
def numbers():
    rng = np.random.default_rng(1)
    x = (rng.normal(size=(2000, 8)) * np.exp(2 * rng.normal(size=(2000, 8)))).clip(-650, 650)
    x[0] = [0.0, 1e-12, -1e-12, 700.0, -700.0, 1.0, -1.0, 30.0]
    out = np.empty((9, *x.shape))
    _apply(x, out)
    return x, out


@pytest.mark.parametrize(
    ("row", "exact", "relative"),
    [
        (0, lambda x: np.exp(-np.abs(x)), 2e-14),
        (1, lambda x: np.logaddexp(0.0, x), 1e-11),
        (2, expit, 2e-14),
        (3, lambda x: expit(x) * expit(-x), 2e-14),
        (5, lambda x: np.log1p(expit(x)), 1e-11),
        (6, lambda x: np.maximum(x, 0.5 * x), 0.0),
        (7, lambda x: np.minimum(x, 0.5 * x), 0.0),
        (8, lambda x: np.where(x > 0, 1.0, -x), 0.0),
    ],
)
def test_close_to_the_library(numbers, row, exact, relative):
    x, out = numbers
    np.testing.assert_allclose(out[row], exact(x), rtol=relative, atol=1e-300)


def test_logarithm(numbers):
    x, out = numbers
    positive = x != 0
    np.testing.assert_allclose(out[4][positive], np.log(np.abs(x[positive])), rtol=0, atol=1e-13)
    assert np.isnan(out[4][~positive]).all()


def test_sine_and_cosine_of_a_turn():
    x = np.linspace(0.0, 1.0, 8000).reshape(-1, 8)
    out = np.empty((2, *x.shape))
    _circle(x, out)
    exact = np.stack([np.sin(2 * np.pi * x), np.cos(2 * np.pi * x)])
    np.testing.assert_allclose(out, exact, rtol=0, atol=1e-12)


def test_normals_are_those_of_box_and_muller():
    u = np.random.default_rng(7).random((4000, 8))
    u[:2] = [[0.0], [0.25]]
    z = u.copy()
    _normals(z)
    radius, angle = np.sqrt(-2 * np.log1p(-u[0::2])), 2 * np.pi * u[1::2]
    np.testing.assert_allclose(z[0::2], radius * np.cos(angle), rtol=0, atol=1e-12)
    np.testing.assert_allclose(z[1::2], radius * np.sin(angle), rtol=0, atol=1e-12)
    assert stats.kstest(z[2:].ravel(), "norm").pvalue > 1e-3


def test_lanes_do_not_mix(numbers):
    x, out = numbers
    turned, again = np.roll(x, 3, axis=1), np.empty_like(out)
    _apply(turned, again)
    np.testing.assert_array_equal(np.roll(out, 3, axis=2), again)


def test_rule_has_the_moments_of_a_normal():
    nodes, weights = (np.array(v) for v in gauss_hermite(4))
    assert [weights @ nodes**n for n in range(8)] == pytest.approx([1, 0, 1, 0, 3, 0, 15, 0])
