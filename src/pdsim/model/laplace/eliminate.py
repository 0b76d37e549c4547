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

import numpy as np

from pdsim.jit import kernel
from pdsim.model.data import Floats
from pdsim.model.laplace.elementary import log
from pdsim.model.laplace.lanes import LANES, Lanes, add, clear, fill, fma, load, store
from pdsim.model.laplace.matrices import cholesky, subtract_gram
from pdsim.model.laplace.problem import Problem
from pdsim.model.laplace.work import Work


@kernel
def facility_factor(problem: Problem, cov: Floats) -> Floats:
    """Return Lambda, the lower factor of blockdiag(F, I), (B, B, lane)."""
    effects = 2 * problem.blocks
    size = effects + 2 * problem.groups
    prior = np.zeros((effects, effects, LANES))
    for a in range(effects):
        for b in range(a + 1):
            entry = a % 2 + b % 2
            value = load(cov, (0, entry))
            if a // 2 == b // 2:
                value = value + load(cov, (1, entry))
            store(prior, (a, b), value)
    cholesky(prior, np.empty((effects, LANES)))
    out = np.zeros((size, size, LANES))
    for a in range(size):
        for b in range(a + 1):
            if a < effects:
                store(out, (a, b), load(prior, (a, b)))
            elif a == b:
                store(out, (a, a), 1.0)
    return out


@kernel
def _cells(problem: Problem, work: Work, i: int, outer: Floats, share: Floats) -> Lanes:
    """Do (1) for facility i and return its part of the determinant.

    Adds to the lower triangle of M (B, B, lane); `share` (K, 7, lane) gets P and Y.
    """
    g00, g01 = load(work.cov, (2, 0)), load(work.cov, (2, 1))
    g11, det_g = load(work.cov, (2, 2)), load(work.cov, (2, 3))
    logdet, product = fill(0.0), fill(1.0)
    for k in range(work.eta.shape[1]):
        d = 2 * problem.domain[k]
        w0, w1 = load(work.curvature, (i, k, 0)), load(work.curvature, (i, k, 1))
        f0, f1 = fma(g00, w0, 1.0), fma(g11, w1, 1.0)
        det = fma(g00, w0, f1) + det_g * w0 * w1
        inverse = 1.0 / det
        product = product * det
        p00, p11 = w0 * f1 * inverse, w1 * f0 * inverse
        v01 = g01 * inverse
        p01 = -w0 * w1 * v01
        store(work.inner, (i, k, 0), fma(det_g, w1, g00) * inverse)
        store(work.inner, (i, k, 1), v01)
        store(work.inner, (i, k, 2), fma(det_g, w0, g11) * inverse)
        store(share, (k, 0), p00)
        store(share, (k, 1), p01)
        store(share, (k, 2), p11)
        add(outer, (d, d), p00)
        add(outer, (d + 1, d), p01)
        add(outer, (d + 1, d + 1), p11)
        if problem.group[k] >= 0:
            _shocked_cell(problem, work, i, k, outer, share)
        if k % 8 == 7:
            logdet, product = logdet + log(product), fill(1.0)
    return logdet + log(product)


@kernel
def _shocked_cell(
    problem: Problem, work: Work, i: int, k: int, outer: Floats, share: Floats
) -> None:
    """Add the rows and columns of the shocks of one cell to M; `share` gets Y."""
    d = 2 * problem.domain[k]
    s = 2 * (problem.blocks + problem.group[k])
    w0, w1 = load(work.curvature, (i, k, 0)), load(work.curvature, (i, k, 1))
    x0, x1 = load(work.cross, (i, k, 0)), load(work.cross, (i, k, 1))
    v00, v01 = load(work.inner, (i, k, 0)), load(work.inner, (i, k, 1))
    v11 = load(work.inner, (i, k, 2))
    y00, y01 = (1.0 - v00 * w0) * x0, -v01 * w0 * x1
    y10, y11 = -v01 * w1 * x0, (1.0 - v11 * w1) * x1
    store(share, (k, 3), y00)
    store(share, (k, 4), y01)
    store(share, (k, 5), y10)
    store(share, (k, 6), y11)
    add(outer, (s, d), y00)
    add(outer, (s + 1, d), y01)
    add(outer, (s, d + 1), y10)
    add(outer, (s + 1, d + 1), y11)
    add(outer, (s, s), load(work.shock_curvature, (i, k, 0)) - x0 * v00 * x0)
    add(outer, (s + 1, s), -x1 * v01 * x0)
    add(outer, (s + 1, s + 1), load(work.shock_curvature, (i, k, 1)) - x1 * v11 * x1)


@kernel
def _whiten(work: Work, i: int, outer: Floats, root: Floats, spare: Floats) -> Lanes:
    """Do (2) from M and Lambda: fill N_i and return log |R R'|. `spare` (3, B, B, lane)."""
    size = outer.shape[0]
    product, inner = spare[0], spare[1]
    for a in range(size):
        for b in range(size):
            value = fill(0.0)
            for c in range(b, size):
                m = load(outer, (a, c)) if a >= c else load(outer, (c, a))
                value = fma(m, load(root, (c, b)), value)
            store(product, (a, b), value)
    for a in range(size):
        for b in range(a + 1):
            value = fill(1.0) if a == b else fill(0.0)
            for c in range(a, size):
                value = fma(load(root, (c, a)), load(product, (c, b)), value)
            store(inner, (a, b), value)
    inverses = spare[2, 0]
    logdet = cholesky(inner, inverses)
    for c in range(size):
        for a in range(size):
            value = load(root, (c, a))
            for b in range(a):
                value = fma(-load(inner, (a, b)), load(work.loading, (i, b, c)), value)
            store(work.loading, (i, a, c), value * load(inverses, (a,)))
    return logdet


@kernel
def _couple(problem: Problem, work: Work, i: int, share: Floats) -> None:
    """Fill U_i and add P to the diagonal blocks of Q."""
    size = work.loading.shape[1]
    for k in range(work.eta.shape[1]):
        d, g, c = 2 * problem.domain[k], problem.group[k], 2 * k
        s = 2 * (problem.blocks + g)
        p00, p01, p11 = load(share, (k, 0)), load(share, (k, 1)), load(share, (k, 2))
        for a in range(size):
            n0, n1 = load(work.loading, (i, a, d)), load(work.loading, (i, a, d + 1))
            u0, u1 = n0 * p00 + n1 * p01, n0 * p01 + n1 * p11
            if g >= 0:
                n0, n1 = load(work.loading, (i, a, s)), load(work.loading, (i, a, s + 1))
                u0 = fma(n0, load(share, (k, 3)), fma(n1, load(share, (k, 4)), u0))
                u1 = fma(n0, load(share, (k, 5)), fma(n1, load(share, (k, 6)), u1))
            store(work.coupling, (i, a, c), u0)
            store(work.coupling, (i, a, c + 1), u1)
        add(work.precision, (c, c), p00)
        add(work.precision, (c + 1, c), p01)
        add(work.precision, (c + 1, c + 1), p11)


@kernel
def factor(problem: Problem, work: Work) -> None:
    """Eliminate everything at the present curvature: N, U, Q and log |I + Sigma W|."""
    facilities, indicators = work.eta.shape[:2]
    size = work.loading.shape[1]
    for a in range(2 * indicators):
        for b in range(2 * indicators):
            store(work.precision, (a, b), problem.prior_precision[a, b])
    root = facility_factor(problem, work.cov)
    outer, spare = np.empty((size, size, LANES)), np.empty((3, size, size, LANES))
    share = np.empty((indicators, 7, LANES))
    logdet = fill(problem.prior_logdet)
    for i in range(facilities):
        clear(outer)
        logdet = logdet + _cells(problem, work, i, outer, share)
        logdet = logdet + _whiten(work, i, outer, root, spare)
        _couple(problem, work, i, share)
    rows = work.coupling.reshape(facilities * size, 2 * indicators, LANES)
    subtract_gram(rows, work.precision)
    logdet = logdet + cholesky(work.precision, work.pivots)
    store(work.logdet, (), logdet)
