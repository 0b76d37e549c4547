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

import math

from numba import njit

from pdsim.model.laplace.elementary import JIT, exp_minus, softplus
from pdsim.model.laplace.problem import Problem
from pdsim.model.laplace.work import Work

_LEAST_CURVATURE = 0.05
"""Least curvature in eta, as a share of the expected one, where a shock bends the cell."""


@njit(**JIT)
def linearise(problem: Problem, work: Work) -> None:
    """Fill curvature and information at (eta, shock)."""
    if problem.gaussian:
        _linearise_scores(problem, work)
    elif problem.groups:
        _linearise_shocked(problem, work)
    else:
        _linearise_counts(problem, work)


@njit(**JIT)
def _linearise_scores(problem: Problem, work: Work) -> None:
    facilities, indicators, _, lanes = work.eta.shape
    for i in range(facilities):
        for k in range(indicators):
            for t in range(2):
                w = problem.size[i, k, t]
                y = problem.observed[i, k, t]
                for j in range(lanes):
                    work.curvature[i, k, t, j] = w
                    work.information[i, k, t, j] = w * y


@njit(**JIT)
def _linearise_counts(problem: Problem, work: Work) -> None:
    facilities, indicators, _, lanes = work.eta.shape
    for i in range(facilities):
        for k in range(indicators):
            for t in range(2):
                n = problem.size[i, k, t]
                y = problem.observed[i, k, t]
                for j in range(lanes):
                    eta = work.eta[i, k, t, j]
                    e = exp_minus(abs(eta))
                    d = 1.0 / (1.0 + e)
                    p = (1.0 if eta >= 0.0 else e) * d
                    w = n * e * d * d
                    work.curvature[i, k, t, j] = w
                    work.information[i, k, t, j] = w * eta + (y - n * p)


@njit(**JIT)
def _linearise_shocked(problem: Problem, work: Work) -> None:
    facilities, indicators, _, lanes = work.eta.shape
    for i in range(facilities):
        for k in range(indicators):
            g = problem.group[k]
            r = problem.correlation if g >= 0 else 0.0
            for t in range(2):
                n = problem.size[i, k, t]
                y = problem.observed[i, k, t]
                for j in range(lanes):
                    eta = work.eta[i, k, t, j]
                    z = work.shock[i, g, t, j] if g >= 0 else 0.0
                    loading, first, second, _ = shock_loading(eta, n, r)
                    theta = eta + loading * z
                    e = exp_minus(abs(theta))
                    d = 1.0 / (1.0 + e)
                    p = (1.0 if theta >= 0.0 else e) * d
                    scale = 1.0 / (1.0 - r)
                    residual = (y - n * p) * scale
                    w = n * scale * e * d * d
                    slope = 1.0 + first * z
                    expected = w * slope * slope
                    curvature = max(expected - residual * second * z, _LEAST_CURVATURE * expected)
                    cross = w * slope * loading - residual * first
                    own = w * loading * loading
                    work.curvature[i, k, t, j] = curvature
                    work.cross[i, k, t, j] = cross
                    work.shock_curvature[i, k, t, j] = own
                    work.information[i, k, t, j] = curvature * eta + cross * z + residual * slope
                    work.shock_information[i, k, t, j] = cross * eta + own * z + residual * loading


@njit(**JIT)
def shock_loading(eta: float, n: float, r: float) -> tuple[float, float, float, float]:
    """Return the loading of a shock and its first three derivatives in eta."""
    e = exp_minus(abs(eta))
    d = 1.0 / (1.0 + e)
    pq = e * d * d
    c = (e - 1.0) * d if eta >= 0.0 else (1.0 - e) * d
    square = (n * pq) * (n * pq)
    u = square / (square + 1.0)
    loading = math.sqrt(r / math.sqrt(square + 1.0))
    first = -0.5 * loading * u * c
    kappa = 0.25 * u * u * c * c - u * (1.0 - u) * c * c + pq * u
    u_first = 2.0 * u * (1.0 - u) * c
    kappa_first = (
        0.5 * u * u_first * c * c
        - u * u * c * pq
        - u_first * (1.0 - 2.0 * u) * c * c
        + 4.0 * u * (1.0 - u) * c * pq
        + pq * c * u
        + pq * u_first
    )
    return loading, first, loading * kappa, first * kappa + loading * kappa_first


@njit(**JIT)
def log_likelihood(problem: Problem, work: Work) -> None:
    """Fill the objective with the log likelihood at (eta, shock), up to a constant of the data."""
    facilities, indicators, _, lanes = work.eta.shape
    for j in range(lanes):
        work.objective[j] = 0.0
    for i in range(facilities):
        for k in range(indicators):
            g = problem.group[k]
            for t in range(2):
                n = problem.size[i, k, t]
                y = problem.observed[i, k, t]
                if problem.gaussian:
                    for j in range(lanes):
                        miss = y - work.eta[i, k, t, j]
                        work.objective[j] -= 0.5 * n * miss * miss
                elif g >= 0:
                    r = problem.correlation
                    for j in range(lanes):
                        eta = work.eta[i, k, t, j]
                        loading, _, _, _ = shock_loading(eta, n, r)
                        theta = eta + loading * work.shock[i, g, t, j]
                        work.objective[j] += (y * theta - n * softplus(theta)) / (1.0 - r)
                else:
                    for j in range(lanes):
                        eta = work.eta[i, k, t, j]
                        work.objective[j] += y * eta - n * softplus(eta)
