r"""Exact draws from the Gaussian approximation given the hyperparameters.

Deviations from the mean, with standard normal :math:`\xi`:

.. math:: \delta\mu = L_Q^{-\top}\xi,\quad \delta(v, z)_i = N_i'(\xi - U_i\,\delta\mu),\quad
          \delta\eta = T\,\delta m - VX\,\delta z + \mathrm{chol}(V)\,\xi .

The endline expected from the baseline is
:math:`\eta_0 + \beta_k + \sum_L \rho_L t_L z_L`, with :math:`z_L` the baseline effects of the
levels over their standard deviations; a facility's effect is drawn given its blocks v.
"""

import math
from typing import NamedTuple

import numpy as np

from pdsim.jit import compiled, kernel
from pdsim.model.data import Floats
from pdsim.model.laplace.hyper import CELL, Hyper
from pdsim.model.laplace.lanes import (
    LANES,
    add,
    choose,
    clear,
    fill,
    fma,
    load,
    square_root,
    store,
)
from pdsim.model.laplace.matrices import backward
from pdsim.model.laplace.moments import Spread
from pdsim.model.laplace.problem import Problem
from pdsim.model.laplace.work import Work


class Draw(NamedTuple):
    """One draw from each lane; the last axis is the lane.

    Attributes
    ----------
    eta : ndarray (F, K, 2, lane)
    expected : ndarray (F, K, lane)
        Endline expected from the baseline.
    fixed : ndarray (2K, lane)
        mu.
    """

    eta: Floats
    expected: Floats
    fixed: Floats


def allocate_draw(work: Work) -> Draw:
    """Return arrays beside those of `work`."""
    facilities, indicators = work.eta.shape[:2]
    return Draw(
        eta=np.zeros_like(work.eta),
        expected=np.zeros((facilities, indicators, LANES)),
        fixed=np.zeros_like(work.fixed),
    )


def normals_per_draw(problem: Problem) -> int:
    """Return how many standard normal numbers one draw takes."""
    facilities, indicators, _ = problem.observed.shape
    size = 2 * (problem.blocks + problem.groups)
    return 2 * indicators + facilities * (size + 2 * indicators + 1)


@kernel
def expected_slopes(hyper: Hyper, values: Floats, slopes: Floats) -> None:
    """Fill `slopes` (slot, lane) with rho t / s of the levels present; values (lane, H)."""
    clear(slopes)
    if hyper.periods == 2:
        for level in range(hyper.slot.size):
            for j in range(LANES):
                s, t, rho = values[j, 3 * level], values[j, 3 * level + 1], values[j, 3 * level + 2]
                slopes[hyper.slot[level], j] = rho * t / s


@kernel
def _facility_regression(problem: Problem, work: Work, out: Floats) -> None:
    """Fill `out` (3, lane): slopes of a facility's baseline effect on its blocks, sd left."""
    share = 1.0 / problem.blocks
    for j in range(LANES):
        c00, c01, c11 = work.cov[0, 0, j], work.cov[0, 1, j], work.cov[0, 2, j]
        s00 = c00 + share * work.cov[1, 0, j]
        s01 = c01 + share * work.cov[1, 1, j]
        s11 = c11 + share * work.cov[1, 2, j]
        det = s00 * s11 - s01 * s01
        if work.cov[1, 3, j] > 0.0 and det > 0.0:
            out[0, j] = (c00 * s11 - c01 * s01) / det
            out[1, j] = (c01 * s00 - c00 * s01) / det
            left = c00 - out[0, j] * c00 - out[1, j] * c01
            out[2, j] = math.sqrt(max(left, 0.0))
        else:  # without a domain level the block is the facility's effect
            out[0, j], out[1, j], out[2, j] = 1.0, 0.0, 0.0


@compiled
def draw(
    problem: Problem,
    work: Work,
    spread: Spread,
    slopes: Floats,
    bends: Floats,
    xi: Floats,
    out: Draw,
) -> None:
    """Make one draw from every lane from the normals `xi` (needed, lane); `work` is settled."""
    facilities, indicators = work.eta.shape[:2]
    fixed, size = 2 * indicators, work.loading.shape[1]
    regression = np.empty((3, LANES))
    _facility_regression(problem, work, regression)
    for a in range(fixed):
        store(out.fixed, (a,), load(xi, (a,)))
    backward(work.precision, work.pivots, out.fixed)
    at = fixed
    moved, whole = np.empty((size, LANES)), np.empty((size, LANES))
    change = np.empty((problem.blocks, LANES))
    for i in range(facilities):
        clear(moved)
        clear(whole)
        for a in range(size):
            omega = load(xi, (at + a,))
            for c in range(fixed):
                omega = fma(-load(work.coupling, (i, a, c)), load(out.fixed, (c,)), omega)
            total = omega + load(work.local, (i, a))
            for b in range(size):
                n = load(work.loading, (i, a, b))
                add(moved, (b,), n * omega)
                add(whole, (b,), n * total)
        at += size
        _expected_change(problem, regression, slopes, whole, load(xi, (at,)), change)
        at += 1
        _cells(problem, work, spread, i, slopes, bends, xi, at, moved, whole, change, out)
        at += fixed
    for a in range(fixed):
        add(out.fixed, (a,), load(work.fixed, (a,)))


@kernel
def _expected_change(
    problem: Problem, regression: Floats, slopes: Floats, v: Floats, xi: object, change: Floats
) -> None:
    """Fill `change` (D, lane) with what the baseline effects of a facility's blocks foretell."""
    blocks = problem.blocks
    mean0, mean1 = fill(0.0), fill(0.0)
    for d in range(blocks):
        mean0 = mean0 + load(v, (2 * d,)) / float(blocks)
        mean1 = mean1 + load(v, (2 * d + 1,)) / float(blocks)
    own = fma(load(regression, (0,)), mean0, load(regression, (1,)) * mean1)
    own = fma(load(regression, (2,)), xi, own)
    for d in range(blocks):
        rest = load(v, (2 * d,)) - own
        store(change, (d,), fma(load(slopes, (0,)), own, load(slopes, (1,)) * rest))


@kernel
def _cells(
    problem: Problem,
    work: Work,
    spread: Spread,
    i: int,
    slopes: Floats,
    bends: Floats,
    xi: Floats,
    at: int,
    moved: Floats,
    whole: Floats,
    change: Floats,
    out: Draw,
) -> None:
    """Draw the cells of facility i; out.fixed holds deviations from the mean still."""
    for k in range(work.eta.shape[1]):
        d, g, c = 2 * problem.domain[k], problem.group[k], 2 * k
        fixed0, fixed1 = load(out.fixed, (c,)), load(out.fixed, (c + 1,))
        m0, m1 = fixed0 + load(moved, (d,)), fixed1 + load(moved, (d + 1,))
        e0 = -load(work.curvature, (i, k, 0)) * m0
        e1 = -load(work.curvature, (i, k, 1)) * m1
        if g >= 0:
            s = 2 * (problem.blocks + g)
            e0 = fma(-load(work.cross, (i, k, 0)), load(moved, (s,)), e0)
            e1 = fma(-load(work.cross, (i, k, 1)), load(moved, (s + 1,)), e1)
        v00, v01 = load(work.inner, (i, k, 0)), load(work.inner, (i, k, 1))
        v11 = load(work.inner, (i, k, 2))
        root = square_root(v00)
        tilt = choose(v00, v01 / root, 0.0)
        rest = v11 - tilt * tilt
        rest = square_root(choose(rest, rest, 0.0))
        x0, x1 = load(xi, (at + c,)), load(xi, (at + c + 1,))
        move0 = m0 + v00 * e0 + v01 * e1 + root * x0
        move1 = m1 + v01 * e0 + v11 * e1 + tilt * x0 + rest * x1
        skew0 = load(bends, (i, k, 0)) * (move0 * move0 - load(spread.eta, (i, k, 0)))
        skew1 = load(bends, (i, k, 1)) * (move1 * move1 - load(spread.eta, (i, k, 1)))
        eta0 = load(work.eta, (i, k, 0)) + move0 + skew0
        eta1 = load(work.eta, (i, k, 1)) + move1 + skew1
        store(out.eta, (i, k, 0), eta0)
        store(out.eta, (i, k, 1), eta1)
        mu0 = load(work.fixed, (c,)) + fixed0
        beta = load(work.fixed, (c + 1,)) + fixed1 - mu0
        own = eta0 - mu0 - load(whole, (d,))
        foretold = fma(load(slopes, (CELL,)), own, load(change, (d // 2,)))
        store(out.expected, (i, k), eta0 + beta + foretold)
