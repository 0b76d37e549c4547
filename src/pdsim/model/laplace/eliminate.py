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
          C_i = N_i'N_i,\quad Z_{ik} = C_i E_k' [P_{ik}; Y_{ik}'] .

Fixed effects (3), for one arm and no covariates (else with the designs D_i of `design` around
the parts of facility i): :math:`Q = \Pi^{-1} + \mathrm{blockdiag}_k(\sum_i P_{ik})
- \sum_i L_i'Z_i`, :math:`L_{ik} = E_k' [P_{ik}; Y_{ik}']`, which has the rows of one block alone.

.. math:: \log|I + \Sigma W| = \sum \log|I + GW| + \sum_i \log|R_iR_i'| + \log|Q| + \log|\Pi| .
"""

from typing import Final

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.jit import kernel
from pdsim.model.laplace.design import reduce_shared, run_end
from pdsim.model.laplace.elementary import log
from pdsim.model.laplace.hyper import CELL
from pdsim.model.laplace.lanes import LANES, Lanes, add, clear, fill, fma, load, store
from pdsim.model.laplace.matrices import cholesky
from pdsim.model.laplace.problem import LaplaceProblem
from pdsim.model.laplace.work import Work

_TOGETHER: Final = 12
"""Facilities taken at a time, so that their parts stay in a near cache."""


@kernel
def effect_covariance(problem: LaplaceProblem, cov: Floats, i: int) -> Floats:
    """Return the lower triangle of F of facility i, (2 D, 2 D, lane)."""
    effects = 2 * problem.blocks
    prior = np.zeros((effects, effects, LANES))
    slot = problem.slot[i]
    for a in range(effects):
        for b in range(a + 1):
            entry = a % 2 + b % 2
            value = load(cov, (slot, entry))
            if a // 2 == b // 2:
                value = value + load(cov, (1, entry))
            store(prior, (a, b), value)
    return prior


@kernel
def _effect_root(problem: LaplaceProblem, cov: Floats, i: int, out: Floats) -> None:
    """Fill `out` (B, B, lane) with Lambda of facility i, the lower factor of blockdiag(F, I)."""
    effects = 2 * problem.blocks
    prior = effect_covariance(problem, cov, i)
    cholesky(prior, np.empty((effects, LANES)))
    clear(out)
    for a in range(out.shape[0]):
        for b in range(a + 1):
            if a < effects:
                store(out, (a, b), load(prior, (a, b)))
            elif a == b:
                store(out, (a, a), 1.0)


@kernel
def _cells(problem: LaplaceProblem, work: Work, i: int, outer: Floats) -> Lanes:
    """Do (1) for facility i and return its part of the determinant.

    Adds to the lower triangle of M (B, B, lane).
    """
    logdet, product = fill(0.0), fill(1.0)
    for k in range(work.eta.shape[1]):
        d, slot = 2 * problem.domain[k], CELL + k
        g00, g01 = load(work.cov, (slot, 0)), load(work.cov, (slot, 1))
        g11, det_g = load(work.cov, (slot, 2)), load(work.cov, (slot, 3))
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
        store(work.share, (i, k, 0), p00)
        store(work.share, (i, k, 1), p01)
        store(work.share, (i, k, 2), p11)
        add(outer, (d, d), p00)
        add(outer, (d + 1, d), p01)
        add(outer, (d + 1, d + 1), p11)
        if problem.group[k] >= 0:
            _shocked_cell(problem, work, i, k, outer)
        if k % 8 == 7:
            logdet, product = logdet + log(product), fill(1.0)
    return logdet + log(product)


@kernel
def _shocked_cell(problem: LaplaceProblem, work: Work, i: int, k: int, outer: Floats) -> None:
    """Add the rows and columns of the shocks of one cell to M."""
    d = 2 * problem.domain[k]
    s = 2 * (problem.blocks + problem.group[k])
    w0, w1 = load(work.curvature, (i, k, 0)), load(work.curvature, (i, k, 1))
    x0, x1 = load(work.cross, (i, k, 0)), load(work.cross, (i, k, 1))
    v00, v01 = load(work.inner, (i, k, 0)), load(work.inner, (i, k, 1))
    v11 = load(work.inner, (i, k, 2))
    y00, y01 = (1.0 - v00 * w0) * x0, -v01 * w0 * x1
    y10, y11 = -v01 * w1 * x0, (1.0 - v11 * w1) * x1
    store(work.share, (i, k, 3), y00)
    store(work.share, (i, k, 4), y01)
    store(work.share, (i, k, 5), y10)
    store(work.share, (i, k, 6), y11)
    add(outer, (s, d), y00)
    add(outer, (s + 1, d), y01)
    add(outer, (s, d + 1), y10)
    add(outer, (s + 1, d + 1), y11)
    add(outer, (s, s), load(work.shock_curvature, (i, k, 0)) - x0 * v00 * x0)
    add(outer, (s + 1, s), -x1 * v01 * x0)
    add(outer, (s + 1, s + 1), load(work.shock_curvature, (i, k, 1)) - x1 * v11 * x1)


@kernel
def _whiten(work: Work, i: int, outer: Floats, root: Floats, spare: Floats) -> Lanes:
    """Do (2) from M and Lambda: fill N_i, C_i and return log |R R'|. `spare` (3, B, B, lane)."""
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
    for a in range(size):
        for b in range(a + 1):
            value = fill(0.0)
            for c in range(size):
                value = fma(load(work.loading, (i, c, a)), load(work.loading, (i, c, b)), value)
            store(work.covariance, (i, a, b), value)
            store(work.covariance, (i, b, a), value)
    return logdet


@kernel
def _couple(problem: LaplaceProblem, work: Work, i: int) -> None:
    """Fill Z_i and add P to the diagonal blocks of Q."""
    size, first = work.loading.shape[1], problem.column[i]
    for k in range(work.eta.shape[1]):
        d, g, c = 2 * problem.domain[k], problem.group[k], 2 * k
        s = 2 * (problem.blocks + g)
        p00, p01 = load(work.share, (i, k, 0)), load(work.share, (i, k, 1))
        p11 = load(work.share, (i, k, 2))
        for a in range(size):
            c0, c1 = load(work.covariance, (i, a, d)), load(work.covariance, (i, a, d + 1))
            z0, z1 = fma(c0, p00, c1 * p01), fma(c0, p01, c1 * p11)
            if g >= 0:
                c0, c1 = load(work.covariance, (i, a, s)), load(work.covariance, (i, a, s + 1))
                z0 = fma(c0, load(work.share, (i, k, 3)), z0)
                z0 = fma(c1, load(work.share, (i, k, 4)), z0)
                z1 = fma(c0, load(work.share, (i, k, 5)), z1)
                z1 = fma(c1, load(work.share, (i, k, 6)), z1)
            store(work.coupling, (i, a, c), z0)
            store(work.coupling, (i, a, c + 1), z1)
        c += first
        add(work.precision, (c, c), p00)
        add(work.precision, (c + 1, c), p01)
        add(work.precision, (c + 1, c + 1), p11)


@kernel
def _reduce(problem: LaplaceProblem, work: Work, first: int, last: int) -> None:
    """Subtract L_i' Z_i of the facilities first to last - 1, all of one arm, from Q (lower)."""
    own = problem.column[first]
    for k in range(work.eta.shape[1]):
        d, g, c = 2 * problem.domain[k], problem.group[k], 2 * k
        s = 2 * (problem.blocks + g)
        for b in range(0, c + 2, 2):
            row, column = own + c, own + b
            q00, q01 = load(work.precision, (row, column)), load(work.precision, (row, column + 1))
            q10 = load(work.precision, (row + 1, column))
            q11 = load(work.precision, (row + 1, column + 1))
            for i in range(first, last):
                p00, p01 = load(work.share, (i, k, 0)), load(work.share, (i, k, 1))
                p11 = load(work.share, (i, k, 2))
                z0, z1 = load(work.coupling, (i, d, b)), load(work.coupling, (i, d, b + 1))
                q00, q01 = fma(-p00, z0, q00), fma(-p00, z1, q01)
                q10, q11 = fma(-p01, z0, q10), fma(-p01, z1, q11)
                z0, z1 = load(work.coupling, (i, d + 1, b)), load(work.coupling, (i, d + 1, b + 1))
                q00, q01 = fma(-p01, z0, q00), fma(-p01, z1, q01)
                q10, q11 = fma(-p11, z0, q10), fma(-p11, z1, q11)
                if g >= 0:
                    y00, y01 = load(work.share, (i, k, 3)), load(work.share, (i, k, 4))
                    y10, y11 = load(work.share, (i, k, 5)), load(work.share, (i, k, 6))
                    z0, z1 = load(work.coupling, (i, s, b)), load(work.coupling, (i, s, b + 1))
                    q00, q01 = fma(-y00, z0, q00), fma(-y00, z1, q01)
                    q10, q11 = fma(-y10, z0, q10), fma(-y10, z1, q11)
                    z0 = load(work.coupling, (i, s + 1, b))
                    z1 = load(work.coupling, (i, s + 1, b + 1))
                    q00, q01 = fma(-y01, z0, q00), fma(-y01, z1, q01)
                    q10, q11 = fma(-y11, z0, q10), fma(-y11, z1, q11)
            store(work.precision, (row, column), q00)
            store(work.precision, (row, column + 1), q01)
            store(work.precision, (row + 1, column), q10)
            store(work.precision, (row + 1, column + 1), q11)


@kernel
def factor(problem: LaplaceProblem, work: Work) -> None:
    """Eliminate everything at the present curvature: N, C, Z, Q and log |I + Sigma W|."""
    facilities, indicators = work.eta.shape[:2]
    size = work.loading.shape[1]
    for a in range(work.fixed.shape[0]):
        for b in range(work.fixed.shape[0]):
            store(work.precision, (a, b), problem.prior_precision[a, b])
    root = np.empty((size, size, LANES))
    outer, spare = np.empty((size, size, LANES)), np.empty((3, size, size, LANES))
    sums, rows = np.empty((size, 2, LANES)), np.empty((2, 2 * indicators, LANES))
    logdet = fill(problem.prior_logdet)
    first = 0
    while first < facilities:
        last = run_end(problem, first, min(first + _TOGETHER, facilities))
        for i in range(first, last):
            if i == 0 or problem.slot[i] != problem.slot[i - 1]:
                _effect_root(problem, work.cov, i, root)
            clear(outer)
            logdet = logdet + _cells(problem, work, i, outer)
            logdet = logdet + _whiten(work, i, outer, root, spare)
            _couple(problem, work, i)
            if problem.covariates.shape[1] > 0:
                reduce_shared(problem, work, i, sums, rows)
        _reduce(problem, work, first, last)
        first = last
    logdet = logdet + cholesky(work.precision, work.pivots)
    store(work.logdet, (), logdet)
