r"""Marginal moments of the logits given the hyperparameters.

With :math:`\epsilon \sim N(0, I)` and :math:`\mu \sim N(\hat\mu, Q^{-1})`,
:math:`(v_i, z_i) = C_ir_i - Z_i\mu + N_i'\epsilon_i` and
:math:`\eta_{ik} = Tm_{ik} + V(h - Xz) + N(0, V)`, so with :math:`H_i = Z_iL_Q^{-\top}` and
:math:`Q = L_QL_Q'`

.. math::

    \mathrm{Cov}(v, z) &= C_i + H_iH_i', \\
    \mathrm{Cov}(m_{ik}) &= [Q^{-1}]_{kk} - [H_iL_Q^{-1}]_{dk} - [H_iL_Q^{-1}]_{dk}'
        + \mathrm{Cov}(v_{id}), \\
    \mathrm{Cov}(\eta_{ik}) &= V + T\,\mathrm{Cov}(m)\,T' - TC_{mz}XV - VXC_{mz}'T'
        + VX\,\mathrm{Cov}(z)\,XV .

The mode is not the mean. To second order the mean lies at the mode plus the covariance times

.. math:: s_a = \tfrac12 \sum_{bc} \ell_{abc} \mathrm{Cov}_{bc}

with the third derivatives of the likelihood, which for counts without a shock is
:math:`-\tfrac12 \mathrm{Var}(\eta)\,npq\,(1 - 2p)`. Without the shift every composite is off in
the same direction. The rest of the last Newton step, gradient minus a, is added to s.
"""

from typing import NamedTuple

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.jit import kernel
from pdsim.model.laplace.design import facility_means, same_design
from pdsim.model.laplace.elementary import logistic
from pdsim.model.laplace.hyper import CELL
from pdsim.model.laplace.lanes import LANES, Lanes, add, clear, fill, fma, load, store
from pdsim.model.laplace.likelihood import third_derivatives
from pdsim.model.laplace.matrices import inverse_lower
from pdsim.model.laplace.problem import LaplaceProblem
from pdsim.model.laplace.work import Work


class Spread(NamedTuple):
    """Second moments of the cells, the last axis the lane.

    Attributes
    ----------
    eta : ndarray (F, K, 2, lane)
        Var(eta).
    shared : ndarray (F, K, 2, lane)
        Cov(eta, z); empty without shocks.
    shock : ndarray (F, G, 2, lane)
        Var(z).
    added : ndarray (K, 3, lane)
        Sum over facilities of W - W Cov W: entries 00, 01 and 11 of each indicator's cells.
    effects : ndarray (parts, B, B, lane)
        Sum of Cov(v, z) over the facilities of each slot of their effects (`part_of`).
    pull, pull_shock : ndarray (F, K, 2, lane)
        Information of the mean shift, with the rest of the last Newton step.
    """

    eta: Floats
    shared: Floats
    shock: Floats
    added: Floats
    effects: Floats
    pull: Floats
    pull_shock: Floats


@kernel
def part_of(problem: LaplaceProblem, i: int) -> int:
    """Return which of the slots that facilities have for their effects that of facility i is."""
    return max(problem.slot[i] - CELL - problem.size.shape[1], 0)


def allocate_spread(work: Work) -> Spread:
    """Return arrays beside those of `work`."""
    parts = max(len(work.cov) - CELL - work.eta.shape[1], 1)
    return Spread(
        eta=np.zeros_like(work.eta),
        shared=np.zeros_like(work.cross),
        shock=np.zeros_like(work.shock),
        added=np.zeros((work.eta.shape[1], 3, LANES)),
        effects=np.zeros((parts, *work.loading.shape[1:])),
        pull=np.zeros_like(work.eta),
        pull_shock=np.zeros_like(work.cross),
    )


@kernel
def _facility(work: Work, root: Floats, first: int, i: int, half: Floats, effects: Floats) -> None:
    """Fill H (B, n, lane) and Cov(v, z) (B, B, lane) of facility i; `root` is L_Q^-1 D_i."""
    size, fixed = half.shape[:2]
    for a in range(0, size, 2):
        for c in range(0, fixed, 2):
            v00, v01, v10, v11 = fill(0.0), fill(0.0), fill(0.0), fill(0.0)
            for s in range(min(c + 2 - first, root.shape[1])):
                x0, x1 = load(work.coupling, (i, a, s)), load(work.coupling, (i, a + 1, s))
                y0, y1 = load(root, (c, s)), load(root, (c + 1, s))
                v00, v01 = fma(x0, y0, v00), fma(x0, y1, v01)
                v10, v11 = fma(x1, y0, v10), fma(x1, y1, v11)
            _store_block(half, a, c, v00, v01, v10, v11)
    for a in range(0, size, 2):
        for b in range(0, a + 2, 2):
            v00, v01 = load(work.covariance, (i, a, b)), load(work.covariance, (i, a, b + 1))
            v10 = load(work.covariance, (i, a + 1, b))
            v11 = load(work.covariance, (i, a + 1, b + 1))
            for c in range(fixed):
                x0, x1 = load(half, (a, c)), load(half, (a + 1, c))
                y0, y1 = load(half, (b, c)), load(half, (b + 1, c))
                v00, v01 = fma(x0, y0, v00), fma(x0, y1, v01)
                v10, v11 = fma(x1, y0, v10), fma(x1, y1, v11)
            _store_block(effects, a, b, v00, v01, v10, v11)
            _store_block(effects, b, a, v00, v10, v01, v11)


@kernel
def _store_block(
    out: Floats, a: int, b: int, v00: Lanes, v01: Lanes, v10: Lanes, v11: Lanes
) -> None:
    """Set the 2 x 2 block of `out` (n, m, lane) at (a, b)."""
    store(out, (a, b), v00)
    store(out, (a, b + 1), v01)
    store(out, (a + 1, b), v10)
    store(out, (a + 1, b + 1), v11)


@kernel
def _fixed_blocks(root: Floats, first: int, out: Floats) -> None:
    """Fill `out` (K, 3, lane) with the diagonal blocks of D_i Q^-1 D_i' = root' root."""
    for k in range(out.shape[0]):
        q00, q01, q11 = fill(0.0), fill(0.0), fill(0.0)
        for s in range(first + 2 * k, root.shape[0]):
            a, b = load(root, (s, 2 * k)), load(root, (s, 2 * k + 1))
            q00, q01, q11 = fma(a, a, q00), fma(a, b, q01), fma(b, b, q11)
        store(out, (k, 0), q00)
        store(out, (k, 1), q01)
        store(out, (k, 2), q11)


@kernel
def _cross(
    half: Floats, root: Floats, first: int, a: int, c: int
) -> tuple[Lanes, Lanes, Lanes, Lanes]:
    """Return the 2 x 2 block of H L_Q^-1 D_i at (a, c), by rows."""
    v00, v01, v10, v11 = fill(0.0), fill(0.0), fill(0.0), fill(0.0)
    for s in range(first + c, root.shape[0]):
        x0, x1 = load(half, (a, s)), load(half, (a + 1, s))
        y0, y1 = load(root, (s, c)), load(root, (s, c + 1))
        v00, v01 = fma(x0, y0, v00), fma(x0, y1, v01)
        v10, v11 = fma(x1, y0, v10), fma(x1, y1, v11)
    return v00, v01, v10, v11


@kernel
def variances(problem: LaplaceProblem, work: Work, spread: Spread) -> None:
    """Fill the second moments of the cells."""
    facilities, indicators = work.eta.shape[:2]
    size, fixed = work.loading.shape[1], work.fixed.shape[0]
    inverse = inverse_lower(work.precision, work.pivots)
    root, blocks = np.empty((fixed, 2 * indicators, LANES)), np.empty((indicators, 3, LANES))
    half, effects = np.empty((size, fixed, LANES)), np.empty((size, size, LANES))
    clear(spread.added)
    clear(spread.effects)
    for i in range(facilities):
        first = problem.column[i]
        if not same_design(problem, i):
            for c in range(fixed):
                facility_means(problem, i, inverse[c], root[c])
            _fixed_blocks(root, first, blocks)
        _facility(work, root, first, i, half, effects)
        part = part_of(problem, i)
        for a in range(size):
            for b in range(size):
                add(spread.effects, (part, a, b), load(effects, (a, b)))
        for g in range(problem.groups):
            s = 2 * (problem.blocks + g)
            store(spread.shock, (i, g, 0), load(effects, (s, s)))
            store(spread.shock, (i, g, 1), load(effects, (s + 1, s + 1)))
        for k in range(indicators):
            d, c = 2 * problem.domain[k], 2 * k
            w0, w1 = load(work.curvature, (i, k, 0)), load(work.curvature, (i, k, 1))
            v00, v01 = load(work.inner, (i, k, 0)), load(work.inner, (i, k, 1))
            v11 = load(work.inner, (i, k, 2))
            t00, t01, t10, t11 = 1.0 - v00 * w0, -v01 * w1, -v01 * w0, 1.0 - v11 * w1
            c00, c01, c10, c11 = _cross(half, root, first, d, c)
            m00 = load(blocks, (k, 0)) - 2.0 * c00 + load(effects, (d, d))
            m01 = load(blocks, (k, 1)) - c01 - c10 + load(effects, (d, d + 1))
            m11 = load(blocks, (k, 2)) - 2.0 * c11 + load(effects, (d + 1, d + 1))
            r00, r01 = t00 * m00 + t01 * m01, t00 * m01 + t01 * m11
            r10, r11 = t10 * m00 + t11 * m01, t10 * m01 + t11 * m11
            var00, var11 = v00 + r00 * t00 + r01 * t01, v11 + r10 * t10 + r11 * t11
            var01 = v01 + r00 * t10 + r01 * t11
            store(spread.eta, (i, k, 0), var00)
            store(spread.eta, (i, k, 1), var11)
            add(spread.added, (k, 0), w0 - w0 * w0 * var00)
            add(spread.added, (k, 1), -w0 * w1 * var01)
            add(spread.added, (k, 2), w1 - w1 * w1 * var11)
            if problem.group[k] >= 0:
                _shocked_variances(problem, work, i, k, effects, half, root, spread)


@kernel
def _shocked_variances(
    problem: LaplaceProblem,
    work: Work,
    i: int,
    k: int,
    effects: Floats,
    half: Floats,
    root: Floats,
    spread: Spread,
) -> None:
    """Add what the shocks do to Var(eta) and fill Cov(eta, z) of one cell."""
    d, c = 2 * problem.domain[k], 2 * k
    s = 2 * (problem.blocks + problem.group[k])
    w0, w1 = load(work.curvature, (i, k, 0)), load(work.curvature, (i, k, 1))
    x0, x1 = load(work.cross, (i, k, 0)), load(work.cross, (i, k, 1))
    v00, v01 = load(work.inner, (i, k, 0)), load(work.inner, (i, k, 1))
    v11 = load(work.inner, (i, k, 2))
    t00, t01, t10, t11 = 1.0 - v00 * w0, -v01 * w1, -v01 * w0, 1.0 - v11 * w1
    h00, h01, h10, h11 = _cross(half, root, problem.column[i], s, c)
    # Cov(m, z)
    c00, c01 = load(effects, (d, s)) - h00, load(effects, (d, s + 1)) - h10
    c10, c11 = load(effects, (d + 1, s)) - h01, load(effects, (d + 1, s + 1)) - h11
    z00, z01 = load(effects, (s, s)), load(effects, (s + 1, s))
    z11 = load(effects, (s + 1, s + 1))
    # Cov(T m, z) and Cov(V X z, z)
    a00, a01 = t00 * c00 + t01 * c10, t00 * c01 + t01 * c11
    a10, a11 = t10 * c00 + t11 * c10, t10 * c01 + t11 * c11
    b00, b01 = v00 * x0 * z00 + v01 * x1 * z01, v00 * x0 * z01 + v01 * x1 * z11
    b10, b11 = v01 * x0 * z00 + v11 * x1 * z01, v01 * x0 * z01 + v11 * x1 * z11
    store(spread.shared, (i, k, 0), a00 - b00)
    store(spread.shared, (i, k, 1), a11 - b11)
    more00 = (b00 - 2.0 * a00) * x0 * v00 + (b01 - 2.0 * a01) * x1 * v01
    more11 = (b10 - 2.0 * a10) * x0 * v01 + (b11 - 2.0 * a11) * x1 * v11
    more01 = (b00 - a00) * x0 * v01 + (b01 - a01) * x1 * v11 - a10 * x0 * v00 - a11 * x1 * v01
    add(spread.eta, (i, k, 0), more00)
    add(spread.eta, (i, k, 1), more11)
    s00, s01, s10, s11 = a00 - b00, a01 - b01, a10 - b10, a11 - b11
    add(spread.added, (k, 0), -w0 * w0 * more00 - x0 * (2.0 * w0 * s00 + x0 * z00))
    add(spread.added, (k, 1), -w0 * w1 * more01 - w0 * s01 * x1 - x0 * (s10 * w1 + x1 * z01))
    add(spread.added, (k, 2), -w1 * w1 * more11 - x1 * (2.0 * w1 * s11 + x1 * z11))


@kernel
def shift_information(problem: LaplaceProblem, work: Work, spread: Spread) -> None:
    """Fill the information s of the mean shift, with the rest of the last Newton step."""
    h, hz = spread.pull, spread.pull_shock
    for i in range(work.eta.shape[0]):
        for k in range(work.eta.shape[1]):
            g = problem.group[k]
            for t in range(2):
                n, y = problem.size[i, k, t], problem.observed[i, k, t]
                eta, var = load(work.eta, (i, k, t)), load(spread.eta, (i, k, t))
                w, info = load(work.curvature, (i, k, t)), load(work.information, (i, k, t))
                at = eta + problem.offset[i, k, t]
                if g < 0:
                    p, pq = logistic(at)
                    bend = (-0.5 * n) * var * pq * (1.0 - 2.0 * p)
                    store(h, (i, k, t), fma(w, eta, y - n * p) - info + bend)
                else:
                    z, x = load(work.shock, (i, g, t)), load(work.cross, (i, k, t))
                    own = load(work.shock_curvature, (i, k, t))
                    pull, pull_z = third_derivatives(
                        (n, y, problem.correlation[i, k, t], problem.visits[i, k, t]), at, z,
                        var, load(spread.shared, (i, k, t)), load(spread.shock, (i, g, t)),
                    )  # fmt: skip
                    shock_info = load(work.shock_information, (i, k, t))
                    store(h, (i, k, t), pull - (info - w * eta - x * z))
                    store(hz, (i, k, t), pull_z - (shock_info - x * eta - own * z))
