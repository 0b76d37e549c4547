r"""Exact draws from the Gaussian approximation given the hyperparameters.

Deviations from the mean, with standard normal :math:`\xi`:

.. math:: \delta\mu = L_Q^{-\top}\xi,\quad \delta(v, z)_i = N_i'(\xi - U_i\,\delta\mu),\quad
          \delta\eta = T\,\delta m - VX\,\delta z + \mathrm{chol}(V)\,\xi .

The endline expected from the baseline is
:math:`\eta_0 + \beta_k + \sum_L \rho_L t_L z_L`, with :math:`z_L` the baseline effects of the
levels over their standard deviations; a facility's effect is drawn given its blocks v.
"""

import math

import numpy as np
from numba import njit

from pdsim.model.data import Floats
from pdsim.model.laplace.elementary import JIT
from pdsim.model.laplace.hyper import CELL, Hyper
from pdsim.model.laplace.problem import Problem
from pdsim.model.laplace.work import Work


def normals_per_draw(problem: Problem) -> int:
    """Return how many standard normal numbers one draw takes."""
    facilities, indicators, _ = problem.observed.shape
    size = 2 * (problem.blocks + problem.groups)
    return 2 * indicators + facilities * (size + 2 * indicators + 1)


@njit(**JIT)
def _expected_slopes(hyper: Hyper, values: Floats, slopes: Floats) -> None:
    """Fill `slopes` (slot,) with rho t / s of the levels present."""
    slopes[:] = 0.0
    if hyper.periods == 2:
        for level in range(hyper.slot.size):
            s, t, rho = values[3 * level], values[3 * level + 1], values[3 * level + 2]
            slopes[hyper.slot[level]] = rho * t / s


@njit(**JIT)
def _expected_change(
    problem: Problem, work: Work, lane: int, v: Floats, slopes: Floats, xi: float, out: Floats
) -> None:
    """Fill `out` (D,) with the change expected from the baseline effects of a facility's blocks."""
    blocks = problem.blocks
    c00, c01, c11 = work.cov[0, 0, lane], work.cov[0, 1, lane], work.cov[0, 2, lane]
    e00, e01 = work.cov[1, 0, lane], work.cov[1, 1, lane]
    e11, det_e = work.cov[1, 2, lane], work.cov[1, 3, lane]
    if det_e <= 0.0:  # no domain level: the block is the facility's effect
        for d in range(blocks):
            out[d] = slopes[0] * v[2 * d]
        return
    mean0, mean1 = 0.0, 0.0
    for d in range(blocks):
        mean0 += v[2 * d] / blocks
        mean1 += v[2 * d + 1] / blocks
    # regression of the facility's effect on the mean of its blocks
    s00, s01, s11 = c00 + e00 / blocks, c01 + e01 / blocks, c11 + e11 / blocks
    det = s00 * s11 - s01 * s01
    k0, k1 = (c00 * s11 - c01 * s01) / det, (c01 * s00 - c00 * s01) / det
    left = max(c00 - k0 * c00 - k1 * c01, 0.0)
    own = k0 * mean0 + k1 * mean1 + math.sqrt(left) * xi
    for d in range(blocks):
        out[d] = slopes[0] * own + slopes[1] * (v[2 * d] - own)


@njit(**JIT)
def draw(
    problem: Problem,
    hyper: Hyper,
    work: Work,
    values: Floats,
    lane: int,
    xi: Floats,
    eta: Floats,
    expected: Floats,
    fixed: Floats,
) -> None:
    """Fill one draw of eta (F, K, 2), expected (F, K) and mu (2K,) from the normals `xi`.

    `work` stands at the mean; `values` (H,) are the hyperparameters of the lane.
    """
    facilities, indicators, _ = eta.shape
    width, size = 2 * indicators, work.loading.shape[1]
    slopes, change = np.empty(3), np.empty(problem.blocks)
    _expected_slopes(hyper, values, slopes)
    for a in range(width - 1, -1, -1):
        fixed[a] = xi[a]
        for b in range(a + 1, width):
            fixed[a] -= work.precision[b, a, lane] * fixed[b]
        fixed[a] /= work.precision[a, a, lane]
    at = width
    moved, whole = np.empty(size), np.empty(size)
    for i in range(facilities):
        moved[:] = 0.0
        whole[:] = 0.0
        for a in range(size):
            omega = xi[at + a]
            for c in range(width):
                omega -= work.coupling[i, a, c, lane] * fixed[c]
            for b in range(size):
                moved[b] += work.loading[i, a, b, lane] * omega
                whole[b] += work.loading[i, a, b, lane] * (omega + work.local[i, a, lane])
        at += size
        _expected_change(problem, work, lane, whole, slopes, xi[at], change)
        at += 1
        for k in range(indicators):
            d, g, c = 2 * problem.domain[k], problem.group[k], 2 * k
            m0, m1 = fixed[c] + moved[d], fixed[c + 1] + moved[d + 1]
            e0 = -work.curvature[i, k, 0, lane] * m0
            e1 = -work.curvature[i, k, 1, lane] * m1
            if g >= 0:
                s = 2 * (problem.blocks + g)
                e0 -= work.cross[i, k, 0, lane] * moved[s]
                e1 -= work.cross[i, k, 1, lane] * moved[s + 1]
            v00, v01, v11 = (
                work.inner[i, k, 0, lane], work.inner[i, k, 1, lane], work.inner[i, k, 2, lane],
            )  # fmt: skip
            root = math.sqrt(v00)
            tilt = v01 / root if root > 0.0 else 0.0
            rest = math.sqrt(max(v11 - tilt * tilt, 0.0))
            eta[i, k, 0] = work.eta[i, k, 0, lane] + m0 + v00 * e0 + v01 * e1 + root * xi[at]
            eta[i, k, 1] = (
                work.eta[i, k, 1, lane] + m1 + v01 * e0 + v11 * e1
                + tilt * xi[at] + rest * xi[at + 1]
            )  # fmt: skip
            at += 2
            mu0 = work.fixed[c, lane] + fixed[c]
            beta = work.fixed[c + 1, lane] + fixed[c + 1] - mu0
            own = eta[i, k, 0] - mu0 - whole[d]
            expected[i, k] = eta[i, k, 0] + beta + change[d // 2] + slopes[CELL] * own
    for c in range(width):
        fixed[c] += work.fixed[c, lane]
