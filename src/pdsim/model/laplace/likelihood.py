r"""Likelihood of the cells: value, gradient, curvature and third derivatives.

Without a shock a cell has the logit :math:`\eta` and the likelihood
:math:`y\eta - n\log(1 + e^\eta)`. With case correlation r a standard normal shock z, shared by the
cells of a facility, period and case group, moves the logit to

.. math:: \theta = \eta + \lambda(\eta) z + m(\eta), \qquad \lambda^2 = \log(1 + b / (pq)), \qquad
          m = -\tfrac12 \lambda^2 (1 - 2p), \qquad p = 1 - q = 1 / (1 + e^{-\eta}),

with a = r / n and :math:`b = a / (1 - a)^4`: over z the mean of :math:`1 / (1 + e^{-\theta})` is p
and its variance a pq, closely. The log keeps the log-normal limit of rare outcomes, the power what
the logistic function flattens. The likelihood is that of a share y / n in n (1 - a) / (1 - r)
trials, so that the total variance is pq / n. What visits do to all indicators of their cases adds
its variance on the logit, a constant, to :math:`\lambda^2`. With :math:`u = b / (pq + b)`,
:math:`c = 1 - 2p`,

.. math:: v = \lambda^2, \qquad v' = -uc, \qquad v'' = u(1-u)c^2 + 2upq, \qquad u' = -u(1-u)c .

Normal means have a constant curvature, the known precision. Where the cases of a cell are easier or
harder than those of reference, the logit of the cell is :math:`\eta` plus a known offset.
"""

from typing import Final

from pdsim.arraytypes import Floats
from pdsim.jit import kernel
from pdsim.model.laplace.elementary import log, logistic, softplus
from pdsim.model.laplace.lanes import Lanes, fill, fma, larger, load, square_root, store
from pdsim.model.laplace.problem import LaplaceProblem
from pdsim.model.laplace.work import Work

_LEAST_CURVATURE: Final = 0.05
"""Least curvature in eta, as a share of the expected one, where a shock bends the cell."""


@kernel
def linearise(problem: LaplaceProblem, work: Work) -> None:
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
                    p, pq = logistic(eta + problem.offset[i, k, t])
                    w = n * pq
                    store(work.curvature, (i, k, t), w)
                    store(work.information, (i, k, t), fma(w, eta, y - n * p))


@kernel
def linearise_shocked(problem: LaplaceProblem, work: Work, i: int, k: int, t: int) -> None:
    """Fill curvature and information of one cell with a shock."""
    n, y, r = problem.size[i, k, t], problem.observed[i, k, t], problem.correlation[i, k, t]
    eta, z = load(work.eta, (i, k, t)), load(work.shock, (i, problem.group[k], t))
    at = eta + problem.offset[i, k, t]
    (loading, first, second, _), shift = shock_terms(at, n, r, problem.visits[i, k, t])
    p, pq = logistic(at + loading * z + shift[0])
    scale = own_scale(n, r)
    residual, w = (y - n * p) * scale, pq * (n * scale)
    slope, bend = first * z + shift[1] + 1.0, second * z + shift[2]
    expected = w * slope * slope
    curvature = larger(expected - residual * bend, _LEAST_CURVATURE * expected)
    cross = w * slope * loading - residual * first
    own = w * loading * loading
    store(work.curvature, (i, k, t), curvature)
    store(work.cross, (i, k, t), cross)
    store(work.shock_curvature, (i, k, t), own)
    store(work.information, (i, k, t), curvature * eta + cross * z + residual * slope)
    store(work.shock_information, (i, k, t), cross * eta + own * z + residual * loading)


@kernel
def shock_terms(
    eta: Lanes, n: float, r: float, visits: float
) -> tuple[tuple[Lanes, Lanes, Lanes, Lanes], tuple[Lanes, Lanes, Lanes, Lanes]]:
    """Return loading and shift of a shock, each with its first three derivatives in eta."""
    p, pq = logistic(eta)
    c = 1.0 - 2.0 * p
    cc = c * c
    share = r / max(n, 1.0)
    spread = share / (1.0 - share) ** 4
    u = spread / (pq + spread)
    left = u * (1.0 - u)
    v = log(1.0 + spread / pq) + visits
    v1 = -u * c
    v2 = left * cc + 2.0 * u * pq
    v3 = c * (2.0 * pq * (u - 3.0 * left) - left * (1.0 - 2.0 * u) * cc)
    loading = square_root(v)
    half = 0.5 / loading
    first = half * v1
    second = half * (v2 - 2.0 * first * first)
    third = half * (v3 - 6.0 * first * second)
    # by the product rule; c has the derivatives -2 pq, -2 pq c and -2 pq (c^2 - 2 pq)
    shift = (
        -0.5 * v * c,
        v * pq - 0.5 * v1 * c,
        pq * (2.0 * v1 + v * c) - 0.5 * v2 * c,
        pq * (3.0 * (v2 + v1 * c) + v * (cc - 2.0 * pq)) - 0.5 * v3 * c,
    )
    return (loading, first, second, third), shift


@kernel
def own_scale(n: float, r: float) -> float:
    """Return the trials that a shocked cell counts for each of its own."""
    return (1.0 - r / max(n, 1.0)) / (1.0 - r)


@kernel
def log_likelihood(problem: LaplaceProblem, work: Work) -> Lanes:
    """Return the log likelihood at (eta, shock), up to a constant of the data."""
    total = fill(0.0)
    for i in range(work.eta.shape[0]):
        total = total + facility_likelihood(problem, i, work.eta[i], work.shock[i])
    return total


@kernel
def facility_likelihood(problem: LaplaceProblem, i: int, logit: Floats, shock: Floats) -> Lanes:
    """Return the log likelihood of facility i at `logit` (K, 2, lane), `shock` (G, 2, lane)."""
    total = fill(0.0)
    for k in range(logit.shape[0]):
        for t in range(2):
            n, y = problem.size[i, k, t], problem.observed[i, k, t]
            eta = load(logit, (k, t)) + problem.offset[i, k, t]
            if problem.gaussian:
                miss = y - eta
                total = total - (0.5 * n) * miss * miss
            elif problem.group[k] >= 0:
                r = problem.correlation[i, k, t]
                loading, shift = shock_terms(eta, n, r, problem.visits[i, k, t])
                theta = eta + loading[0] * load(shock, (problem.group[k], t)) + shift[0]
                total = total + (y * theta - n * softplus(theta)) * own_scale(n, r)
            elif n > 0.0:
                total = total + fma(y, eta, -n * softplus(eta))
    return total


@kernel
def third_derivatives(
    cell: tuple[float, float, float, float],
    eta: Lanes,
    z: Lanes,
    var: Lanes,
    cov: Lanes,
    own: Lanes,
) -> tuple[Lanes, Lanes]:
    """Return gradient plus half the third derivatives times the covariances, in eta and in z.

    `cell` holds trials, successes, correlation and the variance that visits add.
    """
    n, y, r, visits = cell
    (loading, first, second, third), shift = shock_terms(eta, n, r, visits)
    p, pq = logistic(eta + loading * z + shift[0])
    scale = own_scale(n, r)
    g, w = (y - n * p) * scale, pq * (n * scale)
    w3 = w * (1.0 - 2.0 * p)
    s, bend = first * z + shift[1] + 1.0, second * z + shift[2]
    eee = g * (third * z + shift[3]) - w3 * s * s * s - 3.0 * w * bend * s
    eez = g * second - w3 * s * s * loading - w * (bend * loading + 2.0 * s * first)
    ezz = -w3 * s * loading * loading - 2.0 * w * first * loading
    zzz = -w3 * loading * loading * loading
    return (
        g * s + 0.5 * (eee * var + 2.0 * eez * cov + ezz * own),
        g * loading + 0.5 * (eez * var + 2.0 * ezz * cov + zzz * own),
    )
