r"""Marginal moments of the logits given the hyperparameters.

With :math:`\epsilon \sim N(0, I)` and :math:`\mu \sim N(\hat\mu, Q^{-1})`,
:math:`(v_i, z_i) = N_i'(\rho_i - U_i\mu + \epsilon_i)` and
:math:`\eta_{ik} = Tm_{ik} + V(h - Xz) + N(0, V)`, so with :math:`K_i = N_i'U_i`

.. math::

    \mathrm{Cov}(v, z) &= N_i'N_i + K_iQ^{-1}K_i', \\
    \mathrm{Cov}(m_{ik}) &= [Q^{-1}]_{kk} - [K_iQ^{-1}]_{dk} - [K_iQ^{-1}]_{dk}'
        + \mathrm{Cov}(v_{id}), \\
    \mathrm{Cov}(\eta_{ik}) &= V + T\,\mathrm{Cov}(m)\,T' - TC_{mz}XV - VXC_{mz}'T'
        + VX\,\mathrm{Cov}(z)\,XV .

The mode is not the mean. To second order the mean lies at the mode plus the covariance times

.. math:: s_a = \tfrac12 \sum_{bc} \ell_{abc} \mathrm{Cov}_{bc}

with the third derivatives of the likelihood, which for counts without a shock is
:math:`-\tfrac12 \mathrm{Var}(\eta)\,npq\,(1 - 2p)`. Without the shift every composite is off in
the same direction. The rest of the last Newton step, gradient minus a, is added to s.
"""

import numpy as np
from numba import njit

from pdsim.model.data import Floats
from pdsim.model.laplace.cells import shock_loading
from pdsim.model.laplace.elementary import JIT, exp_minus
from pdsim.model.laplace.problem import Problem
from pdsim.model.laplace.work import Work


@njit(**JIT)
def inverse_lower(lower: Floats) -> Floats:
    """Return the inverse of the lower factors (n, n, lane)."""
    n, _, lanes = lower.shape
    out = np.zeros((n, n, lanes))
    for c in range(n):
        for j in range(lanes):
            out[c, c, j] = 1.0 / lower[c, c, j]
        for r in range(c + 1, n):
            for s in range(c, r):
                for j in range(lanes):
                    out[r, c, j] -= lower[r, s, j] * out[s, c, j]
            for j in range(lanes):
                out[r, c, j] *= 1.0 / lower[r, r, j]
    return out


@njit(**JIT)
def inverse(lower: Floats) -> Floats:
    """Return the full inverse (n, n, lane) from lower factors."""
    n, _, lanes = lower.shape
    root = inverse_lower(lower)
    out = np.zeros((n, n, lanes))
    for a in range(n):
        for b in range(a + 1):
            for s in range(a, n):
                for j in range(lanes):
                    out[a, b, j] += root[s, a, j] * root[s, b, j]
            for j in range(lanes):
                out[b, a, j] = out[a, b, j]
    return out


@njit(**JIT)
def _facility(
    problem: Problem, work: Work, inverse_q: Floats, i: int, effects: Floats, cross: Floats
) -> None:
    """Fill Cov(v, z) (B, B, lane) and K Q^-1 (B, 2K, lane) of facility i."""
    size, _, lanes = effects.shape
    fixed = inverse_q.shape[0]
    load, u = work.loading, work.coupling
    coupled = np.zeros((size, fixed, lanes))
    for a in range(size):
        for s in range(size):
            for c in range(fixed):
                for j in range(lanes):
                    coupled[a, c, j] += load[i, s, a, j] * u[i, s, c, j]
    cross[:] = 0.0
    for a in range(size):
        for s in range(fixed):
            for c in range(fixed):
                for j in range(lanes):
                    cross[a, c, j] += coupled[a, s, j] * inverse_q[s, c, j]
    effects[:] = 0.0
    for a in range(size):
        for b in range(size):
            for s in range(size):
                for j in range(lanes):
                    effects[a, b, j] += load[i, s, a, j] * load[i, s, b, j]
            for s in range(fixed):
                for j in range(lanes):
                    effects[a, b, j] += cross[a, s, j] * coupled[b, s, j]


@njit(**JIT)
def variances(problem: Problem, work: Work, out: Floats, shared: Floats, shock: Floats) -> None:
    """Fill Var(eta) (F, K, 2, L); with shocks Cov(eta, z) (F, K, 2, L), Var(z) (F, G, 2, L)."""
    facilities, indicators, _, lanes = work.eta.shape
    size, fixed = work.loading.shape[1], 2 * indicators
    inverse_q = inverse(work.precision)
    effects = np.empty((size, size, lanes))
    cross = np.empty((size, fixed, lanes))
    for i in range(facilities):
        _facility(problem, work, inverse_q, i, effects, cross)
        for g in range(problem.groups):
            s = 2 * (problem.blocks + g)
            for j in range(lanes):
                shock[i, g, 0, j] = effects[s, s, j]
                shock[i, g, 1, j] = effects[s + 1, s + 1, j]
        for k in range(indicators):
            d, c = 2 * problem.domain[k], 2 * k
            for j in range(lanes):
                w0, w1 = work.curvature[i, k, 0, j], work.curvature[i, k, 1, j]
                v00, v01 = work.inner[i, k, 0, j], work.inner[i, k, 1, j]
                v11 = work.inner[i, k, 2, j]
                t00, t01, t10, t11 = 1.0 - v00 * w0, -v01 * w1, -v01 * w0, 1.0 - v11 * w1
                m00 = inverse_q[c, c, j] - 2.0 * cross[d, c, j] + effects[d, d, j]
                m01 = (
                    inverse_q[c + 1, c, j]
                    - cross[d, c + 1, j]
                    - cross[d + 1, c, j]
                    + effects[d, d + 1, j]
                )
                m11 = (
                    inverse_q[c + 1, c + 1, j]
                    - 2.0 * cross[d + 1, c + 1, j]
                    + effects[d + 1, d + 1, j]
                )
                out[i, k, 0, j] = v00 + t00 * t00 * m00 + 2.0 * t00 * t01 * m01 + t01 * t01 * m11
                out[i, k, 1, j] = v11 + t10 * t10 * m00 + 2.0 * t10 * t11 * m01 + t11 * t11 * m11
            if problem.group[k] >= 0:
                _shocked_variances(problem, work, i, k, effects, cross, out, shared)


@njit(**JIT)
def _shocked_variances(
    problem: Problem,
    work: Work,
    i: int,
    k: int,
    effects: Floats,
    cross: Floats,
    out: Floats,
    shared: Floats,
) -> None:
    """Add what the shocks do to Var(eta) and fill Cov(eta, z) of one cell."""
    d, c = 2 * problem.domain[k], 2 * k
    s = 2 * (problem.blocks + problem.group[k])
    for j in range(out.shape[3]):
        w0, w1 = work.curvature[i, k, 0, j], work.curvature[i, k, 1, j]
        x0, x1 = work.cross[i, k, 0, j], work.cross[i, k, 1, j]
        v00, v01, v11 = work.inner[i, k, 0, j], work.inner[i, k, 1, j], work.inner[i, k, 2, j]
        t00, t01, t10, t11 = 1.0 - v00 * w0, -v01 * w1, -v01 * w0, 1.0 - v11 * w1
        c00 = effects[d, s, j] - cross[s, c, j]  # Cov(m, z)
        c01 = effects[d, s + 1, j] - cross[s + 1, c, j]
        c10 = effects[d + 1, s, j] - cross[s, c + 1, j]
        c11 = effects[d + 1, s + 1, j] - cross[s + 1, c + 1, j]
        z00, z01, z11 = effects[s, s, j], effects[s + 1, s, j], effects[s + 1, s + 1, j]
        # Cov(T m, z) and Cov(V X z, z)
        a00, a01 = t00 * c00 + t01 * c10, t00 * c01 + t01 * c11
        a10, a11 = t10 * c00 + t11 * c10, t10 * c01 + t11 * c11
        b00, b01 = v00 * x0 * z00 + v01 * x1 * z01, v00 * x0 * z01 + v01 * x1 * z11
        b10, b11 = v01 * x0 * z00 + v11 * x1 * z01, v01 * x0 * z01 + v11 * x1 * z11
        shared[i, k, 0, j] = a00 - b00
        shared[i, k, 1, j] = a11 - b11
        out[i, k, 0, j] += (b00 - 2.0 * a00) * x0 * v00 + (b01 - 2.0 * a01) * x1 * v01
        out[i, k, 1, j] += (b10 - 2.0 * a10) * x0 * v01 + (b11 - 2.0 * a11) * x1 * v11


@njit(**JIT)
def third_order(
    problem: Problem, work: Work, var: Floats, shared: Floats, shock: Floats, h: Floats, hz: Floats
) -> None:
    """Fill the information s of the mean shift, with the rest of the last Newton step."""
    facilities, indicators, _, lanes = work.eta.shape
    for i in range(facilities):
        for k in range(indicators):
            g = problem.group[k]
            for t in range(2):
                n, y = problem.size[i, k, t], problem.observed[i, k, t]
                if problem.gaussian:
                    for j in range(lanes):
                        h[i, k, t, j] = 0.0
                elif g >= 0:
                    for j in range(lanes):
                        h[i, k, t, j], hz[i, k, t, j] = _shocked_third(
                            n, y, problem.correlation, work.eta[i, k, t, j],
                            work.shock[i, g, t, j], var[i, k, t, j],
                            shared[i, k, t, j], shock[i, g, t, j],
                        )  # fmt: skip
                        h[i, k, t, j] -= (
                            work.information[i, k, t, j]
                            - work.curvature[i, k, t, j] * work.eta[i, k, t, j]
                            - work.cross[i, k, t, j] * work.shock[i, g, t, j]
                        )
                        hz[i, k, t, j] -= (
                            work.shock_information[i, k, t, j]
                            - work.cross[i, k, t, j] * work.eta[i, k, t, j]
                            - work.shock_curvature[i, k, t, j] * work.shock[i, g, t, j]
                        )
                else:
                    for j in range(lanes):
                        eta = work.eta[i, k, t, j]
                        e = exp_minus(abs(eta))
                        d = 1.0 / (1.0 + e)
                        p = (1.0 if eta >= 0.0 else e) * d
                        bend = -0.5 * var[i, k, t, j] * n * e * d * d * (1.0 - 2.0 * p)
                        a = work.information[i, k, t, j] - work.curvature[i, k, t, j] * eta
                        h[i, k, t, j] = (y - n * p) - a + bend


@njit(**JIT)
def _shocked_third(
    n: float, y: float, r: float, eta: float, z: float, var: float, cov: float, own: float
) -> tuple[float, float]:
    """Return gradient plus half the third derivatives times the covariances, in eta and in z."""
    loading, first, second, third = shock_loading(eta, n, r)
    theta = eta + loading * z
    e = exp_minus(abs(theta))
    d = 1.0 / (1.0 + e)
    p = (1.0 if theta >= 0.0 else e) * d
    scale = 1.0 / (1.0 - r)
    g = (y - n * p) * scale
    w = n * scale * e * d * d
    w3 = w * (1.0 - 2.0 * p)
    s, bend = 1.0 + first * z, second * z
    eee = -w3 * s * s * s - 3.0 * w * bend * s + g * third * z
    eez = -w3 * s * s * loading - w * (bend * loading + 2.0 * s * first) + g * second
    ezz = -w3 * s * loading * loading - 2.0 * w * first * loading
    zzz = -w3 * loading * loading * loading
    return (
        g * s + 0.5 * (eee * var + 2.0 * eez * cov + ezz * own),
        g * loading + 0.5 * (eez * var + 2.0 * ezz * cov + zzz * own),
    )
