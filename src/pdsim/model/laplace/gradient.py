r"""The slopes of the Laplace value in the covariances of the levels.

With a = h - W eta - Xz, s the information of the mean shift (`moments`), x = Cov s the shift and
:math:`q = s - W x - X x_z`, a change dG of the covariance of a level changes psi by
:math:`\mathrm{tr}(D\,dG)`,

.. math:: D = \sum \Bigl[\tfrac12 (aa' - R) + \tfrac12 (qa' + aq')\Bigr],

the sum over the effects of the level, with a and q summed over the cells of an effect. R is the
precision that the data add, as the prior sees it: :math:`R = W - W\,\mathrm{Cov}\,W` in the cells
(the shocks' part of W too), and :math:`F^{-1} - F^{-1}\,\mathrm{Cov}(v_i)\,F^{-1}` above. Where
facility i has the covariance :math:`s_i^2 G`, its part :math:`D_i` counts for G with the factor
:math:`s_i^2`, and the slope in :math:`s_i^2` is :math:`\mathrm{tr}(D_iG)`.
"""

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.jit import kernel
from pdsim.model.laplace.eliminate import effect_covariance, own_factor
from pdsim.model.laplace.hyper import CELL, factor_slot
from pdsim.model.laplace.lanes import LANES, Lanes, add, clear, fill, fma, load, store
from pdsim.model.laplace.matrices import cholesky, inverse_lower
from pdsim.model.laplace.moments import Spread
from pdsim.model.laplace.problem import LaplaceProblem
from pdsim.model.laplace.work import Work


@kernel
def covariance_slopes(problem: LaplaceProblem, work: Work, spread: Spread, out: Floats) -> None:
    """Fill `out` (slot, 3, lane) with D00, D01 and D11 of every slot; of factors, their slopes.

    `spread` is filled, and `new_eta`, `new_shock` of `work` hold the shift.
    """
    clear(out)
    _precision_added(problem, work, spread, out)
    for k in range(work.eta.shape[1]):
        for n in range(3):
            add(out, (CELL + k, n), -0.5 * load(spread.added, (k, n)))
    blocks = problem.blocks
    a, q = np.empty((blocks, 2, LANES)), np.empty((blocks, 2, LANES))
    mine = np.empty((1, 3, LANES))
    for i in range(work.eta.shape[0]):
        clear(a)
        clear(q)
        for k in range(work.eta.shape[1]):
            d = problem.domain[k]
            a0, q0 = _residuals(problem, work, spread, i, k, 0)
            a1, q1 = _residuals(problem, work, spread, i, k, 1)
            _outer(out, CELL + k, a0, a1, q0, q1)
            add(a, (d, 0), a0)
            add(a, (d, 1), a1)
            add(q, (d, 0), q0)
            add(q, (d, 1), q1)
        a0, a1, q0, q1 = fill(0.0), fill(0.0), fill(0.0), fill(0.0)
        for d in range(blocks):
            b0, b1, r0, r1 = load(a, (d, 0)), load(a, (d, 1)), load(q, (d, 0)), load(q, (d, 1))
            _outer(out, 1, b0, b1, r0, r1)
            a0, a1, q0, q1 = a0 + b0, a1 + b1, q0 + r0, q1 + r1
        clear(mine)
        _outer(mine, 0, a0, a1, q0, q1)
        _count(problem, work, i, mine, out)


@kernel
def _count(problem: LaplaceProblem, work: Work, i: int, mine: Floats, out: Floats) -> None:
    """Add D_i of the own effects of facility i, `mine` (1, 3, lane), to their slots of `out`."""
    factor, slot = own_factor(problem, work.cov, i), factor_slot(work.cov, work.eta.shape[1], i)
    d00, d01, d11 = load(mine, (0, 0)), load(mine, (0, 1)), load(mine, (0, 2))
    add(out, (0, 0), factor * d00)
    add(out, (0, 1), factor * d01)
    add(out, (0, 2), factor * d11)
    if slot >= 0:
        trace = d00 * load(work.cov, (0, 0)) + d11 * load(work.cov, (0, 2))
        add(out, (slot, 0), fma(2.0 * d01, load(work.cov, (0, 1)), trace))


@kernel
def _residuals(
    problem: LaplaceProblem, work: Work, spread: Spread, i: int, k: int, t: int
) -> tuple[Lanes, Lanes]:
    """Return a and q of a cell."""
    w, g = load(work.curvature, (i, k, t)), problem.group[k]
    a = fma(-w, load(work.eta, (i, k, t)), load(work.information, (i, k, t)))
    q = fma(-w, load(work.new_eta, (i, k, t)), load(spread.pull, (i, k, t)))
    if g >= 0:
        x = load(work.cross, (i, k, t))
        a = fma(-x, load(work.shock, (i, g, t)), a)
        q = fma(-x, load(work.new_shock, (i, g, t)), q)
    return a, q


@kernel
def _outer(out: Floats, slot: int, a0: Lanes, a1: Lanes, q0: Lanes, q1: Lanes) -> None:
    """Add a a' / 2 + (q a' + a q') / 2 to D of the slot."""
    add(out, (slot, 0), a0 * (0.5 * a0 + q0))
    add(out, (slot, 1), 0.5 * (a0 * a1 + q0 * a1 + q1 * a0))
    add(out, (slot, 2), a1 * (0.5 * a1 + q1))


@kernel
def _precision_added(problem: LaplaceProblem, work: Work, spread: Spread, out: Floats) -> None:
    """Subtract half of the sum of R over the facilities from D of the slots of their effects."""
    size, parts = 2 * problem.blocks, spread.effects.shape[0]
    pivots, mine = np.empty((size, LANES)), np.empty((1, 3, LANES))
    inverse, half = np.empty((size, size, LANES)), np.empty((size, size, LANES))
    facilities = float(work.eta.shape[0] // parts)
    for i in range(parts):
        prior = effect_covariance(problem, work.cov, i)
        cholesky(prior, pivots)
        root = inverse_lower(prior, pivots)
        for a in range(size):
            for b in range(size):
                value = fill(0.0)
                for c in range(max(a, b), size):
                    value = fma(load(root, (c, a)), load(root, (c, b)), value)
                store(inverse, (a, b), value)
        for a in range(size):
            for b in range(size):
                value = fill(0.0)
                for c in range(size):
                    value = fma(load(inverse, (a, c)), load(spread.effects, (i, c, b)), value)
                store(half, (a, b), value)
        clear(mine)
        for a in range(size):
            for b in range(size):
                if a % 2 > b % 2:
                    continue
                value = facilities * load(inverse, (a, b))
                for c in range(size):
                    value = fma(-load(half, (a, c)), load(inverse, (c, b)), value)
                add(mine, (0, a % 2 + b % 2), -0.5 * value)
                if a // 2 == b // 2:
                    add(out, (1, a % 2 + b % 2), -0.5 * value)
        _count(problem, work, i, mine, out)
