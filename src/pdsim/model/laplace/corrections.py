r"""What the Laplace approximation leaves out: skewness of the cells and width of the posterior.

Evidence. With :math:`\varepsilon_c` the log likelihood of a cell less its expansion to second order
at the mode, q the Gaussian approximation and s the information of the mean shift,

.. math:: \log Z \approx \psi + \sum_c \log E_q\,e^{\varepsilon_c}
          + \tfrac12\Bigl(s'\,\mathrm{Cov}\,s - \sum_c s_c'\,\mathrm{Cov}_c\,s_c\Bigr).

The first sum holds every term of second order that stays within a cell, the second those third
derivatives that act on each other through the mean. Without it the standard deviations of the
innermost level are too small where cells hold few trials.

Moments. One step of a Gaussian variational approximation: gradient and curvature of a cell are
replaced by their expectations under :math:`N(\mathrm{mode} + \mathrm{shift}, \mathrm{Cov})`. This
makes the variances those of the posterior rather than of its peak, by up to 10 % with a shock.
"""

import math
from typing import Final

import numpy as np
from numba import njit

from pdsim.model.data import Floats
from pdsim.model.laplace.cells import shock_loading
from pdsim.model.laplace.elementary import JIT, exp_minus, softplus
from pdsim.model.laplace.eliminate import factor
from pdsim.model.laplace.moments import third_order, variances
from pdsim.model.laplace.problem import Problem
from pdsim.model.laplace.solve import solve
from pdsim.model.laplace.work import Work


def _rule(size: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return nodes and weights of the Gauss-Hermite rule for a standard normal."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(size)
    return tuple(nodes.tolist()), tuple((weights / weights.sum()).tolist())


_NODES, _WEIGHTS = _rule(4)
_SHOCK_NODES, _SHOCK_WEIGHTS = _rule(3)
_LARGEST: Final = 30.0
"""Bound of the exponents, against overflow at points far from the mode."""


@njit(**JIT)
def _bounded_exp(x: float) -> float:
    """Return exp(x), x cut to +-30."""
    e = exp_minus(min(abs(x), _LARGEST))
    return e if x < 0.0 else 1.0 / e


@njit(**JIT)
def cell_evidence(
    problem: Problem, work: Work, var: Floats, shared: Floats, shock: Floats, out: Floats
) -> None:
    """Add the sum over cells of log E exp(eps) to `out` (lane,), at the mode."""
    facilities, indicators, _, lanes = work.eta.shape
    total = np.empty(lanes)
    for i in range(facilities):
        total[:] = 1.0
        for k in range(indicators):
            g = problem.group[k]
            for t in range(2):
                n, y = problem.size[i, k, t], problem.observed[i, k, t]
                if n > 0.0 and g < 0:
                    _plain_cell(n, y, work.eta[i, k, t], var[i, k, t], total)
                elif n > 0.0:
                    for j in range(lanes):
                        total[j] *= _shocked_cell(
                            n, y, problem.correlation, work.eta[i, k, t, j],
                            work.shock[i, g, t, j], work.curvature[i, k, t, j],
                            work.cross[i, k, t, j], work.shock_curvature[i, k, t, j],
                            var[i, k, t, j], shared[i, k, t, j], shock[i, g, t, j],
                        )  # fmt: skip
        for j in range(lanes):
            out[j] += math.log(total[j])


@njit(**JIT)
def _plain_cell(n: float, y: float, eta: Floats, var: Floats, total: Floats) -> None:
    """Multiply `total` by E exp(eps) of one cell without a shock."""
    for j in range(total.size):
        e = exp_minus(abs(eta[j]))
        d = 1.0 / (1.0 + e)
        p = (1.0 if eta[j] >= 0.0 else e) * d
        w = n * e * d * d
        start = softplus(eta[j])
        sd = math.sqrt(var[j])
        value = 0.0
        for a in range(len(_NODES)):
            move = sd * _NODES[a]
            eps = -n * (softplus(eta[j] + move) - start - p * move) + 0.5 * w * move * move
            value += _WEIGHTS[a] * _bounded_exp(eps)
        total[j] *= value


@njit(**JIT)
def _shocked_cell(
    n: float,
    y: float,
    r: float,
    eta: float,
    z: float,
    w: float,
    x: float,
    zz: float,
    var: float,
    cov: float,
    own: float,
) -> float:
    """Return E exp(eps) of one cell with a shock."""
    loading, first, _, _ = shock_loading(eta, n, r)
    theta = eta + loading * z
    e = exp_minus(abs(theta))
    d = 1.0 / (1.0 + e)
    p = (1.0 if theta >= 0.0 else e) * d
    scale = 1.0 / (1.0 - r)
    residual = (y - n * p) * scale
    slope = residual * (1.0 + first * z)
    start = y * theta - n * softplus(theta)
    sd = math.sqrt(var)
    tilt = cov / sd
    rest = math.sqrt(max(own - tilt * tilt, 0.0))
    value = 0.0
    for a in range(len(_NODES)):
        move = sd * _NODES[a]
        nearby, _, _, _ = shock_loading(eta + move, n, r)
        for b in range(len(_SHOCK_NODES)):
            turn = tilt * _NODES[a] + rest * _SHOCK_NODES[b]
            theta = eta + move + nearby * (z + turn)
            eps = (
                (y * theta - n * softplus(theta) - start) * scale
                - slope * move
                - residual * loading * turn
                + 0.5 * (w * move * move + 2.0 * x * move * turn + zz * turn * turn)
            )
            value += _WEIGHTS[a] * _SHOCK_WEIGHTS[b] * _bounded_exp(eps)
    return value


@njit(**JIT)
def expected_linearise(
    problem: Problem, work: Work, var: Floats, shared: Floats, shock: Floats
) -> None:
    """Fill curvature and information with their expectations at (eta, shock)."""
    facilities, indicators, _, lanes = work.eta.shape
    for i in range(facilities):
        for k in range(indicators):
            g = problem.group[k]
            for t in range(2):
                n, y = problem.size[i, k, t], problem.observed[i, k, t]
                if g < 0:
                    for j in range(lanes):
                        eta, sd = work.eta[i, k, t, j], math.sqrt(var[i, k, t, j])
                        p, w = 0.0, 0.0
                        for a in range(len(_NODES)):
                            at = eta + sd * _NODES[a]
                            e = exp_minus(abs(at))
                            d = 1.0 / (1.0 + e)
                            p += _WEIGHTS[a] * (1.0 if at >= 0.0 else e) * d
                            w += _WEIGHTS[a] * e * d * d
                        work.curvature[i, k, t, j] = n * w
                        work.information[i, k, t, j] = n * w * eta + (y - n * p)
                else:
                    for j in range(lanes):
                        eta, z = work.eta[i, k, t, j], work.shock[i, g, t, j]
                        w, x, zz, ge, gz = _expected_shocked(
                            n, y, problem.correlation, eta, z,
                            var[i, k, t, j], shared[i, k, t, j], shock[i, g, t, j],
                        )  # fmt: skip
                        work.curvature[i, k, t, j] = w
                        work.cross[i, k, t, j] = x
                        work.shock_curvature[i, k, t, j] = zz
                        work.information[i, k, t, j] = w * eta + x * z + ge
                        work.shock_information[i, k, t, j] = x * eta + zz * z + gz


@njit(**JIT)
def _expected_shocked(
    n: float, y: float, r: float, eta: float, z: float, var: float, cov: float, own: float
) -> tuple[float, float, float, float, float]:
    """Return the expected curvatures (eta, cross, z) and gradients (eta, z) of one cell."""
    sd = math.sqrt(var)
    tilt = cov / sd
    rest = math.sqrt(max(own - tilt * tilt, 0.0))
    scale = 1.0 / (1.0 - r)
    w, x, zz, ge, gz = 0.0, 0.0, 0.0, 0.0, 0.0
    for a in range(len(_NODES)):
        at = eta + sd * _NODES[a]
        loading, first, second, _ = shock_loading(at, n, r)
        for b in range(len(_SHOCK_NODES)):
            mass = _WEIGHTS[a] * _SHOCK_WEIGHTS[b]
            turned = z + tilt * _NODES[a] + rest * _SHOCK_NODES[b]
            theta = at + loading * turned
            e = exp_minus(abs(theta))
            d = 1.0 / (1.0 + e)
            p = (1.0 if theta >= 0.0 else e) * d
            residual = mass * (y - n * p) * scale
            own_curvature = mass * n * scale * e * d * d
            slope = 1.0 + first * turned
            w += own_curvature * slope * slope - residual * second * turned
            x += own_curvature * slope * loading - residual * first
            zz += own_curvature * loading * loading
            ge += residual * slope
            gz += residual * loading
    return max(w, 0.0), x, zz, ge, gz


@njit(**JIT)
def correct(
    problem: Problem, work: Work, var: Floats, shared: Floats, shock: Floats, out: Floats
) -> None:
    """Fill the variances, move (eta, shock) from the mode to the mean, and correct psi.

    `out` (lane,) is the correction of psi. Afterwards `settle` makes the factors those of the mean.
    """
    out[:] = 0.0
    variances(problem, work, var, shared, shock)
    if problem.gaussian:
        return
    lanes = out.size
    h, hz = np.empty_like(work.eta), np.empty_like(work.cross)
    third_order(problem, work, var, shared, shock, h, hz)
    fixed, local = np.zeros_like(work.fixed), np.empty_like(work.local)
    eta, z = np.empty_like(work.eta), np.empty_like(work.shock)
    solve(problem, work, h, hz, fixed, local, eta, z)
    cell_evidence(problem, work, var, shared, shock, out)
    for i in range(h.shape[0]):
        for k in range(h.shape[1]):
            g = problem.group[k]
            for t in range(2):
                for j in range(lanes):
                    s = h[i, k, t, j]
                    out[j] += 0.5 * s * (eta[i, k, t, j] - s * var[i, k, t, j])
                if g >= 0:
                    for j in range(lanes):
                        s, s_z = h[i, k, t, j], hz[i, k, t, j]
                        out[j] += (
                            0.5
                            * s_z
                            * (
                                z[i, g, t, j]
                                - 2.0 * s * shared[i, k, t, j]
                                - s_z * shock[i, g, t, j]
                            )
                        )
    work.eta[:] += eta
    work.shock[:] += z


@njit(**JIT)
def settle(problem: Problem, work: Work, var: Floats, shared: Floats, shock: Floats) -> None:
    """Take the variational step from the corrected mean: factors, fixed, local, eta and shock."""
    if not problem.gaussian:
        expected_linearise(problem, work, var, shared, shock)
    factor(problem, work)
    prior = problem.prior_precision @ problem.prior_mean
    for c in range(prior.size):
        work.fixed[c, :] = prior[c]
    solve(
        problem, work, work.information, work.shock_information,
        work.fixed, work.local, work.eta, work.shock,
    )  # fmt: skip
