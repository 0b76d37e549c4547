r"""Likelihood of the cells: value, gradient, curvature and third derivatives.

Without a shock a cell has the logit :math:`\eta` and the likelihood
:math:`y\eta - n\log(1 + e^\eta)`. With case correlation r a standard normal shock z, shared by the
cells of a facility, period and case group, moves the logit to

.. math:: \theta = \eta + \lambda(\eta) z, \qquad \lambda^2 = r / \sqrt{(npq)^2 + 1},
          \qquad p = 1 - q = 1 / (1 + e^{-\eta}),

and the likelihood is that of y / (1 - r) successes in n / (1 - r) trials. With
:math:`S = npq`, :math:`u = S^2/(S^2 + 1)`, :math:`c = 1 - 2p`,

.. math:: \lambda' = -\tfrac12 \lambda u c, \qquad
          \lambda'' = \lambda\kappa,\quad \kappa = \tfrac14 u^2c^2 - u(1-u)c^2 + pqu .

Normal means have a constant curvature, the known precision.
"""

from typing import Final

from pdsim.model.laplace.elementary import logistic, softplus
from pdsim.model.laplace.jit import kernel
from pdsim.model.laplace.lanes import Lanes, fill, fma, larger, load, square_root, store
from pdsim.model.laplace.problem import Problem
from pdsim.model.laplace.work import Work

_LEAST_CURVATURE: Final = 0.05
"""Least curvature in eta, as a share of the expected one, where a shock bends the cell."""


@kernel
def linearise(problem: Problem, work: Work) -> None:
    """Fill curvature and information at (eta, shock)."""
    for i in range(work.eta.shape[0]):
        for k in range(work.eta.shape[1]):
            for t in range(2):
                n, y = problem.size[i, k, t], problem.observed[i, k, t]
                if problem.gaussian:
                    store(work.curvature, (i, k, t), n)
                    store(work.information, (i, k, t), n * y)
                elif problem.group[k] >= 0:
                    linearise_shocked(problem, work, i, k, t)
                else:
                    eta = load(work.eta, (i, k, t))
                    p, pq = logistic(eta)
                    w = n * pq
                    store(work.curvature, (i, k, t), w)
                    store(work.information, (i, k, t), fma(w, eta, y - n * p))


@kernel
def linearise_shocked(problem: Problem, work: Work, i: int, k: int, t: int) -> None:
    """Fill curvature and information of one cell with a shock."""
    n, y, r = problem.size[i, k, t], problem.observed[i, k, t], problem.correlation
    eta, z = load(work.eta, (i, k, t)), load(work.shock, (i, problem.group[k], t))
    loading, first, second, _ = shock_loading(eta, n, r)
    p, pq = logistic(eta + loading * z)
    residual, w = (y - n * p) / (1.0 - r), pq * (n / (1.0 - r))
    slope = first * z + 1.0
    expected = w * slope * slope
    curvature = larger(expected - residual * second * z, _LEAST_CURVATURE * expected)
    cross = w * slope * loading - residual * first
    own = w * loading * loading
    store(work.curvature, (i, k, t), curvature)
    store(work.cross, (i, k, t), cross)
    store(work.shock_curvature, (i, k, t), own)
    store(work.information, (i, k, t), curvature * eta + cross * z + residual * slope)
    store(work.shock_information, (i, k, t), cross * eta + own * z + residual * loading)


@kernel
def shock_loading(eta: Lanes, n: float, r: float) -> tuple[Lanes, Lanes, Lanes, Lanes]:
    """Return the loading of a shock and its first three derivatives in eta."""
    p, pq = logistic(eta)
    c = 1.0 - 2.0 * p
    cc = c * c
    square = (n * pq) * (n * pq) + 1.0
    u = 1.0 - 1.0 / square
    loading = square_root(r / square_root(square))
    first = -0.5 * loading * u * c
    left = u * (1.0 - u)
    kappa = 0.25 * u * u * cc - left * cc + pq * u
    u_first = 2.0 * left * c
    kappa_first = (
        0.5 * u * u_first * cc
        - u * u * c * pq
        - u_first * (1.0 - 2.0 * u) * cc
        + 4.0 * left * c * pq
        + pq * c * u
        + pq * u_first
    )
    return loading, first, loading * kappa, first * kappa + loading * kappa_first


@kernel
def log_likelihood(problem: Problem, work: Work) -> Lanes:
    """Return the log likelihood at (eta, shock), up to a constant of the data."""
    total = fill(0.0)
    for i in range(work.eta.shape[0]):
        for k in range(work.eta.shape[1]):
            for t in range(2):
                n, y = problem.size[i, k, t], problem.observed[i, k, t]
                eta = load(work.eta, (i, k, t))
                if problem.gaussian:
                    miss = y - eta
                    total = total - (0.5 * n) * miss * miss
                elif problem.group[k] >= 0:
                    r = problem.correlation
                    loading, _, _, _ = shock_loading(eta, n, r)
                    theta = fma(loading, load(work.shock, (i, problem.group[k], t)), eta)
                    total = total + (y * theta - n * softplus(theta)) / (1.0 - r)
                elif n > 0.0:
                    total = total + fma(y, eta, -n * softplus(eta))
    return total


@kernel
def third_derivatives(
    n: float, y: float, r: float, eta: Lanes, z: Lanes, var: Lanes, cov: Lanes, own: Lanes
) -> tuple[Lanes, Lanes]:
    """Return gradient plus half the third derivatives times the covariances, in eta and in z."""
    loading, first, second, third = shock_loading(eta, n, r)
    p, pq = logistic(eta + loading * z)
    g, w = (y - n * p) / (1.0 - r), pq * (n / (1.0 - r))
    w3 = w * (1.0 - 2.0 * p)
    s, bend = first * z + 1.0, second * z
    eee = g * third * z - w3 * s * s * s - 3.0 * w * bend * s
    eez = g * second - w3 * s * s * loading - w * (bend * loading + 2.0 * s * first)
    ezz = -w3 * s * loading * loading - 2.0 * w * first * loading
    zzz = -w3 * loading * loading * loading
    return (
        g * s + 0.5 * (eee * var + 2.0 * eez * cov + ezz * own),
        g * loading + 0.5 * (eez * var + 2.0 * ezz * cov + zzz * own),
    )
