r"""Elimination of the latent effects: cells, then facilities, then fixed effects.

For a facility i, indicator k and the pair of periods, with offset
:math:`m_{ik} = \mu_k + v_{i,d(k)}` and :math:`\eta_{ik} \mid m \sim N(m, G)`, the likelihood at the
point of linearisation is Gaussian with curvature W (eta), Z (shock), X (cross) and information
h, h_z. All of W, X, Z are diagonal in the periods.

Cells (1): :math:`V = (G^{-1} + W)^{-1}`, :math:`T = I - VW`, and for (m, z) the precision and
information

.. math:: P = W - WVW,\quad Y = T'X,\quad S = Z - XVX,\quad b = T'h,\quad b_z = h_z - XVh .

Facilities (2): the effects :math:`v_i \sim N(0, F)`, :math:`F = J \otimes G_1 + I \otimes G_2 =
L_F L_F'`, and shocks :math:`z_i \sim N(0, I)` are :math:`\Lambda\omega_i`,
:math:`\Lambda = \mathrm{blockdiag}(L_F, I)`, so that absent levels and singular covariances need
no case of their own. With :math:`M_i` the sum of the cells' precisions in their places,

.. math:: I + \Lambda' M_i \Lambda = R_i R_i',\quad N_i = R_i^{-1}\Lambda',\quad
          U_{ik} = N_i E_k' [P_{ik}; Y_{ik}'] .

Fixed effects (3): :math:`Q = \Pi^{-1} + \mathrm{blockdiag}_k(\sum_i P_{ik}) - \sum_i U_i'U_i`.

.. math:: \log|I + \Sigma W| = \sum \log|I + GW| + \sum_i \log|R_iR_i'| + \log|Q| + \log|\Pi| .
"""

import math

import numpy as np
from numba import njit

from pdsim.model.data import Floats
from pdsim.model.laplace.elementary import JIT
from pdsim.model.laplace.problem import Problem
from pdsim.model.laplace.work import Work


@njit(**JIT)
def cholesky(a: Floats, logdet: Floats) -> None:
    """Factor the lower triangles of `a` (n, n, lane) in place, adding log |a| to `logdet`.

    A pivot that is not positive gives a zero column: a singular covariance stays usable.
    """
    n, _, lanes = a.shape
    pivot = np.empty(lanes)
    for c in range(n):
        for j in range(lanes):
            pivot[j] = 0.0
        for r in range(c, n):
            for s in range(c):
                for j in range(lanes):
                    a[r, c, j] -= a[r, s, j] * a[c, s, j]
            if r == c:
                for j in range(lanes):
                    d = a[c, c, j]
                    if d > 0.0:
                        logdet[j] += math.log(d)
                        a[c, c, j] = math.sqrt(d)
                        pivot[j] = 1.0 / a[c, c, j]
                    else:
                        a[c, c, j] = 0.0
            else:
                for j in range(lanes):
                    a[r, c, j] *= pivot[j]


@njit(**JIT)
def facility_factor(problem: Problem, cov: Floats) -> Floats:
    """Return the lower factor of blockdiag(F, I), (B, B, lane)."""
    lanes = cov.shape[2]
    effects = 2 * problem.blocks
    size = effects + 2 * problem.groups
    out = np.zeros((size, size, lanes))
    for a in range(effects):
        for b in range(a + 1):
            e = a % 2 + b % 2
            for j in range(lanes):
                out[a, b, j] = cov[0, e, j] + (cov[1, e, j] if a // 2 == b // 2 else 0.0)
    ignored = np.zeros(lanes)
    cholesky(out[:effects, :effects], ignored)
    for a in range(effects, size):
        out[a, a, :] = 1.0
    return out


@njit(**JIT)
def _cells(problem: Problem, work: Work, i: int, outer: Floats, share: Floats) -> None:
    """Do (1) for facility i; add to M (B, B, lane); `share` (K, 7, lane) gets P and Y."""
    indicators, lanes = work.eta.shape[1], work.eta.shape[3]
    cov, cell = work.cov, np.ones(lanes)
    for k in range(indicators):
        d, g = 2 * problem.domain[k], problem.group[k]
        for j in range(lanes):
            g00, g01, g11, det_g = cov[2, 0, j], cov[2, 1, j], cov[2, 2, j], cov[2, 3, j]
            w0, w1 = work.curvature[i, k, 0, j], work.curvature[i, k, 1, j]
            det = 1.0 + g00 * w0 + g11 * w1 + det_g * w0 * w1
            inverse = 1.0 / det
            cell[j] *= det
            work.inner[i, k, 0, j] = (g00 + det_g * w1) * inverse
            work.inner[i, k, 1, j] = g01 * inverse
            work.inner[i, k, 2, j] = (g11 + det_g * w0) * inverse
            p00 = w0 * (1.0 + g11 * w1) * inverse
            p01 = -w0 * w1 * g01 * inverse
            p11 = w1 * (1.0 + g00 * w0) * inverse
            share[k, 0, j] = p00
            share[k, 1, j] = p01
            share[k, 2, j] = p11
            outer[d, d, j] += p00
            outer[d + 1, d, j] += p01
            outer[d + 1, d + 1, j] += p11
        if g >= 0:
            _shocked_cell(problem, work, i, k, outer, share)
        if k % 8 == 7 or k == indicators - 1:
            for j in range(lanes):
                work.logdet[j] += math.log(cell[j])
                cell[j] = 1.0


@njit(**JIT)
def _shocked_cell(
    problem: Problem, work: Work, i: int, k: int, outer: Floats, share: Floats
) -> None:
    """Add the rows and columns of the shocks of one cell to M; `share` gets Y."""
    d = 2 * problem.domain[k]
    s = 2 * (problem.blocks + problem.group[k])
    for j in range(work.eta.shape[3]):
        w0, w1 = work.curvature[i, k, 0, j], work.curvature[i, k, 1, j]
        x0, x1 = work.cross[i, k, 0, j], work.cross[i, k, 1, j]
        v00, v01, v11 = work.inner[i, k, 0, j], work.inner[i, k, 1, j], work.inner[i, k, 2, j]
        y00, y01 = (1.0 - v00 * w0) * x0, -v01 * w0 * x1
        y10, y11 = -v01 * w1 * x0, (1.0 - v11 * w1) * x1
        share[k, 3, j], share[k, 4, j] = y00, y01
        share[k, 5, j], share[k, 6, j] = y10, y11
        outer[s, d, j] += y00
        outer[s + 1, d, j] += y01
        outer[s, d + 1, j] += y10
        outer[s + 1, d + 1, j] += y11
        outer[s, s, j] += work.shock_curvature[i, k, 0, j] - x0 * v00 * x0
        outer[s + 1, s, j] -= x1 * v01 * x0
        outer[s + 1, s + 1, j] += work.shock_curvature[i, k, 1, j] - x1 * v11 * x1


@njit(**JIT)
def _whitened(outer: Floats, root: Floats, loading: Floats, logdet: Floats) -> None:
    """Do (2): `loading` gets N = R^-1 Lambda' from M (lower) and Lambda (lower)."""
    size, _, lanes = outer.shape
    product = np.zeros((size, size, lanes))  # M Lambda
    for a in range(size):
        for b in range(size):
            for c in range(b, size):
                for j in range(lanes):
                    m = outer[a, c, j] if a >= c else outer[c, a, j]
                    product[a, b, j] += m * root[c, b, j]
    inner = np.zeros((size, size, lanes))
    for a in range(size):
        for b in range(a + 1):
            for c in range(a, size):
                for j in range(lanes):
                    inner[a, b, j] += root[c, a, j] * product[c, b, j]
        for j in range(lanes):
            inner[a, a, j] += 1.0
    cholesky(inner, logdet)
    for c in range(size):
        for a in range(size):
            for j in range(lanes):
                loading[a, c, j] = root[c, a, j]
            for b in range(a):
                for j in range(lanes):
                    loading[a, c, j] -= inner[a, b, j] * loading[b, c, j]
            for j in range(lanes):
                loading[a, c, j] /= inner[a, a, j]


@njit(**JIT)
def _couple(problem: Problem, work: Work, i: int, share: Floats) -> None:
    """Fill U_i and subtract U_i' U_i from Q, adding P to its diagonal blocks."""
    indicators, lanes = work.eta.shape[1], work.eta.shape[3]
    size = work.loading.shape[1]
    q, u, load = work.precision, work.coupling, work.loading
    for k in range(indicators):
        d, g, c = 2 * problem.domain[k], problem.group[k], 2 * k
        s = 2 * (problem.blocks + g)
        for a in range(size):
            for j in range(lanes):
                n0, n1 = load[i, a, d, j], load[i, a, d + 1, j]
                u[i, a, c, j] = n0 * share[k, 0, j] + n1 * share[k, 1, j]
                u[i, a, c + 1, j] = n0 * share[k, 1, j] + n1 * share[k, 2, j]
            if g >= 0:
                for j in range(lanes):
                    n0, n1 = load[i, a, s, j], load[i, a, s + 1, j]
                    u[i, a, c, j] += n0 * share[k, 3, j] + n1 * share[k, 4, j]
                    u[i, a, c + 1, j] += n0 * share[k, 5, j] + n1 * share[k, 6, j]
        for j in range(lanes):
            q[c, c, j] += share[k, 0, j]
            q[c + 1, c, j] += share[k, 1, j]
            q[c + 1, c + 1, j] += share[k, 2, j]
    for a in range(2 * indicators):
        for b in range(a + 1):
            for s in range(size):
                for j in range(lanes):
                    q[a, b, j] -= u[i, s, a, j] * u[i, s, b, j]


@njit(**JIT)
def factor(problem: Problem, work: Work) -> None:
    """Eliminate everything at the present curvature: N, U, Q and log |I + Sigma W|."""
    facilities, indicators, _, lanes = work.eta.shape
    size = work.loading.shape[1]
    work.logdet[:] = problem.prior_logdet
    for a in range(2 * indicators):
        for b in range(2 * indicators):
            work.precision[a, b, :] = problem.prior_precision[a, b]
    root = facility_factor(problem, work.cov)
    outer = np.empty((size, size, lanes))
    share = np.empty((indicators, 7, lanes))
    for i in range(facilities):
        outer[:] = 0.0
        _cells(problem, work, i, outer, share)
        _whitened(outer, root, work.loading[i], work.logdet)
        _couple(problem, work, i, share)
    cholesky(work.precision, work.logdet)
