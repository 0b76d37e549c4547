import numpy as np
import pytest
from scipy import stats

from pdsim.model.laplace.importance import (
    Component,
    log_density,
    matched,
    mixture_log_density,
    net,
    normalise,
    pareto_k,
    sample,
    systematic,
)


def _component(points, *, df=8.0, size=3, center=0.0):
    rng = np.random.default_rng(4)
    basis = np.linalg.qr(rng.normal(size=(size, size)))[0] * np.linspace(0.5, 1.5, size)
    return Component(
        center=np.full(size, center),
        basis=basis,
        below=np.linspace(0.6, 1.0, size),
        above=np.linspace(1.8, 0.9, size),
        df=df,
        points=points,
    )


def test_symmetric_density_is_student_t():
    one = _component(4)
    even = Component(
        center=one.center, basis=one.basis, below=np.ones(3), above=np.ones(3), df=5.0, points=4
    )
    x = np.random.default_rng(1).normal(size=(6, 3))
    exact = stats.multivariate_t(one.center, one.basis @ one.basis.T, df=5.0).logpdf(x)
    np.testing.assert_allclose(log_density(even, x), exact)


def test_points_follow_their_density():
    """The mean of f / q over the points of q is the integral of f, here 1."""
    component = _component(2**15, center=1.0)
    x = sample(component, np.random.default_rng(2).random(4))
    narrow = 0.3 * component.basis @ component.basis.T
    target = stats.multivariate_normal(np.full(3, 1.2), narrow)
    weight = np.exp(target.logpdf(x) - log_density(component, x))
    assert weight.mean() == pytest.approx(1.0, abs=5 * weight.std() / 2**7.5)
    moments = normalise(np.log(weight)) @ x
    np.testing.assert_allclose(moments, 1.2, atol=0.01)


def test_mixture_is_unbiased_when_components_differ():
    """Components must not share the points of one net: that biased results before."""
    parts = [_component(2**15), _component(2**14, center=0.5, df=4.0)]
    shifts = np.random.default_rng(3).random((2, 4))
    x = np.concatenate([sample(c, shifts[n]) for n, c in enumerate(parts)])
    narrow = 0.3 * parts[0].basis @ parts[0].basis.T
    target = stats.multivariate_normal(np.array([0.4, -0.2, 0.1]), narrow)
    weight = np.exp(target.logpdf(x) - mixture_log_density(parts, x))
    assert weight.mean() == pytest.approx(1.0, abs=4.5 * weight.std() / np.sqrt(len(x)))
    weight = weight / weight.sum()
    off = weight @ x - [0.4, -0.2, 0.1]
    error = np.sqrt(weight**2 @ (x - weight @ x) ** 2)
    assert (np.abs(off) < 4.5 * error).all()


def test_matched_component_has_the_shape_of_the_points():
    rng = np.random.default_rng(5)
    mode = _component(10)
    z = rng.normal(size=(4000, 3)) * [1.0, 2.0, 0.5]
    z[:, 0] *= np.where(z[:, 0] < 0.0, 2.0, 1.0)  # a long tail below in the first coordinate
    x = mode.center + z
    found = matched(x, np.full(4000, 1 / 4000), mode, 10)
    np.testing.assert_array_equal(found.center, mode.center)
    widened = np.cov(x.T) * 1.4 * 14 / 16
    np.testing.assert_allclose(found.basis @ found.basis.T, widened, rtol=0.02, atol=0.02)
    # scales of the sides: as far out as the points are there, seen from the mode
    seen = np.array([2.0, 1.0]) / np.sqrt(np.cov(x.T)[0, 0])
    expected = np.sqrt((0.5 * seen**2 + 0.1) / 0.6)  # drawn towards 1 by a tenth of the weight
    np.testing.assert_allclose([found.below[0], found.above[0]], expected, rtol=0.05)
    np.testing.assert_allclose([found.below[1:], found.above[1:]], 1.0, rtol=0.05)


@pytest.mark.parametrize("shape", [0.2, 0.5, 0.9])
def test_pareto_k_of_pareto_weights(shape):
    found = [
        pareto_k(np.log(stats.genpareto(shape).rvs(4000, random_state=seed) + 1e-9))
        for seed in range(40)
    ]
    # a tail of 190 weights leaves a standard deviation near 0.1; the prior draws towards 0.5
    assert np.mean(found) == pytest.approx(shape, abs=0.08)


def test_pareto_k_without_a_tail():
    assert pareto_k(np.log(np.linspace(0.8, 1.2, 400))) == 0.0
    assert pareto_k(np.zeros(10)) == float("inf")  # too few to tell


@pytest.mark.parametrize("offset", [0.0, 0.37, 0.999])
def test_systematic_counts(offset):
    weight = normalise(np.random.default_rng(6).normal(size=57))
    counts = systematic(weight, 1000, offset)
    assert counts.sum() == 1000
    assert (np.abs(counts - 1000 * weight) <= 1.0 + 1e-9).all()


def test_lattice_integrates_better_than_chance():
    """The error of a smooth integral over shifts is far below that of random points."""
    shifts = np.random.default_rng(8).random((50, 10))
    value = [np.prod(1.0 + (net(256, 10) + s) % 1.0 - 0.5, axis=1).mean() for s in shifts]
    chance = np.sqrt(((1.0 + 1.0 / 12.0) ** 10 - 1.0) / 256)  # sd of the mean of random points
    assert np.mean(value) == pytest.approx(1.0, abs=5 * np.std(value) / np.sqrt(50))
    assert np.std(value) < 0.6 * chance
