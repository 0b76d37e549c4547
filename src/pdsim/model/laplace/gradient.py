r"""The slopes of the Laplace value in the covariances of the levels.

With a = h - W eta - Xz, s the information of the mean shift (`moments`), x = Cov s the shift and
:math:`q = s - W x - X x_z`, a change dG of the covariance of a level changes psi by
:math:`\mathrm{tr}(D\,dG)`,

.. math:: D = \sum \Bigl[\tfrac12 (aa' - R) + \tfrac12 (qa' + aq')\Bigr],

the sum over the effects of the level, with a and q summed over the cells of an effect. R is the
precision that the data add, as the prior sees it: :math:`R = W - W\,\mathrm{Cov}\,W` in the cells
(the shocks' part of W too), and :math:`F^{-1} - F^{-1}\,\mathrm{Cov}(v_i)\,F^{-1}` above. Where
facilities do not share one covariance, each counts for its own.
"""

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.jit import kernel
from pdsim.model.laplace.eliminate import effect_covariance
from pdsim.model.laplace.hyper import CELL
from pdsim.model.laplace.lanes import LANES, Lanes, add, clear, fill, fma, load, store
from pdsim.model.laplace.matrices import cholesky, inverse_lower
from pdsim.model.laplace.moments import Spread, part_of
from pdsim.model.laplace.problem import LaplaceProblem
from pdsim.model.laplace.work import Work


@kernel
def covariance_slopes(problem: LaplaceProblem, work: Work, spread: Spread, out: Floats) -> None:
    """Fill `out` (slot, 3, lane) with D00, D01 and D11 of every slot.

    `spread` is filled, and `new_eta`, `new_shock` of `work` hold the shift.
    """
    clear(out)
    _precision_added(problem, work, spread, out)
    for k in range(work.eta.shape[1]):
        for n in range(3):
            add(out, (CELL + k, n), -0.5 * load(spread.added, (k, n)))
    blocks = problem.blocks
    a, q = np.empty((blocks, 2, LANES)), np.empty((blocks, 2, LANES))
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
        _outer(out, problem.slot[i], a0, a1, q0, q1)


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
    size, number = 2 * problem.blocks, np.zeros(spread.effects.shape[0])
    pivots, mine = np.empty((size, LANES)), np.empty((3, LANES))
    inverse, half = np.empty((size, size, LANES)), np.empty((size, size, LANES))
    for i in range(work.eta.shape[0]):
        number[part_of(problem, i)] += 1.0
    for i in range(work.eta.shape[0]):
        part = part_of(problem, i)
        facilities, number[part] = number[part], 0.0
        if facilities == 0.0:  # its slot is done
            continue
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
                    value = fma(load(inverse, (a, c)), load(spread.effects, (part, c, b)), value)
                store(half, (a, b), value)
        clear(mine)
        for a in range(size):
            for b in range(size):
                if a % 2 > b % 2:
                    continue
                value = facilities * load(inverse, (a, b))
                for c in range(size):
                    value = fma(-load(half, (a, c)), load(inverse, (c, b)), value)
                add(mine, (a % 2 + b % 2,), -0.5 * value)
                if a // 2 == b // 2:
                    add(out, (1, a % 2 + b % 2), -0.5 * value)
        for entry in range(3):
            add(out, (problem.slot[i], entry), load(mine, (entry,)))
