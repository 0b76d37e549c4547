r"""Draws of the latent effects given the hyperparameters, with the weights that make them exact.

Deviations from the mean of the Gaussian approximation q, with standard normal :math:`\xi`:

.. math:: \delta\mu = L_Q^{-\top}\xi,\quad \delta(v, z)_i = N_i'\xi - Z_i\,\delta\mu,\quad
          \delta\eta = T\,\delta m - VX\,\delta z + \mathrm{chol}(V)\,\xi .

With :math:`R_i` the log likelihood of facility i less its expansion in q, the posterior is q times
:math:`e^{R_1 + \dots + R_F}`. Given the fixed effects the facilities are independent, so every
facility is drawn S times, one of the candidates is kept in proportion to :math:`e^{R_i}`, and the
whole draw has the weight :math:`\prod_i S^{-1}\sum_s e^{R_{is}}`: self-normalised importance
sampling with an unbiased weight, right whatever q is. Candidates come in pairs, from :math:`\xi`
and :math:`-\xi`: R is mostly of third order, so that what one of a pair has too much the other
lacks.

The endline expected from the baseline is
:math:`\eta_0 + \beta_k + \sum_L \rho_L t_L z_L`, with :math:`z_L` the baseline effects of the
levels over their standard deviations; a facility's effect is drawn given its blocks v.
"""

import math
from typing import NamedTuple

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.jit import kernel, spliced
from pdsim.model.laplace.corrections import bounded_exp
from pdsim.model.laplace.design import facility_means
from pdsim.model.laplace.elementary import log
from pdsim.model.laplace.hyper import CELL, Hyper
from pdsim.model.laplace.lanes import (
    LANES,
    Lanes,
    add,
    choose,
    clear,
    fill,
    fma,
    load,
    square_root,
    store,
)
from pdsim.model.laplace.likelihood import facility_likelihood
from pdsim.model.laplace.matrices import backward
from pdsim.model.laplace.problem import LaplaceProblem
from pdsim.model.laplace.work import Work


class Draw(NamedTuple):
    """One draw from each lane; the last axis is the lane.

    Attributes
    ----------
    eta : ndarray (F, K, 2, lane)
    shock : ndarray (F, G, 2, lane)
    expected : ndarray (F, K, lane)
        Endline expected from the baseline.
    baseline : ndarray (F, lane)
        Effect of the facility as a whole on its baseline.
    fixed : ndarray (n, lane)
        theta.
    """

    eta: Floats
    shock: Floats
    expected: Floats
    baseline: Floats
    fixed: Floats


def allocate_draw(work: Work) -> Draw:
    """Return arrays beside those of `work`."""
    facilities, indicators = work.eta.shape[:2]
    return Draw(
        eta=np.zeros_like(work.eta),
        shock=np.zeros_like(work.shock),
        expected=np.zeros((facilities, indicators, LANES)),
        baseline=np.zeros((facilities, LANES)),
        fixed=np.zeros_like(work.fixed),
    )


def normals_per_draw(problem: LaplaceProblem, candidates: int) -> int:
    """Return how many standard normal numbers one draw takes; they come in pairs."""
    facilities, indicators, _ = problem.observed.shape
    size = 2 * (problem.blocks + problem.groups)
    fixed = problem.prior_mean.size
    pairs = -(-candidates // 2)
    needed = fixed + pairs * facilities * (size + 2 * indicators + 1)
    return needed + needed % 2


@kernel
def expected_slopes(hyper: Hyper, values: Floats, slopes: Floats) -> None:
    """Fill `slopes` (slot, lane) with rho t / s of the levels present; values (H, lane)."""
    clear(slopes)
    for slot in range(hyper.place.shape[0]):
        first, second, third = hyper.place[slot, :3]
        if second >= 0:
            for j in range(LANES):
                slopes[slot, j] = values[third, j] * values[second, j] / values[first, j]


@kernel
def _facility_regression(problem: LaplaceProblem, work: Work, i: int, out: Floats) -> None:
    """Fill `out` (3, lane): slopes of facility i's baseline effect on its blocks, sd left."""
    share, slot = 1.0 / problem.blocks, problem.slot[i]
    for j in range(LANES):
        c00, c01, c11 = work.cov[slot, 0, j], work.cov[slot, 1, j], work.cov[slot, 2, j]
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


@kernel
def cell_roots(work: Work, out: Floats) -> None:
    """Fill `out` (F, K, 3, lane) with chol(V), lower, of the cells."""
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            v00, v01 = load(work.inner, (i, k, 0)), load(work.inner, (i, k, 1))
            root = square_root(v00)
            tilt = choose(v00, v01 / root, 0.0)
            rest = load(work.inner, (i, k, 2)) - tilt * tilt
            store(out, (i, k, 0), root)
            store(out, (i, k, 1), tilt)
            store(out, (i, k, 2), square_root(choose(rest, rest, 0.0)))


@spliced
def draw(
    problem: LaplaceProblem,
    work: Work,
    slopes: Floats,
    start: Floats,
    roots: Floats,
    xi: Floats,
    u: Floats,
    out: Draw,
    log_weight: Floats,
) -> None:
    """Make one draw from every lane; `work` is settled.

    `slopes` and `roots` are those of `expected_slopes` and `cell_roots`, `start` (F, lane) is the
    log likelihood at the mean, `xi` (needed, lane) are normals, whose signs it may change, `u`
    (candidates, F, lane) uniforms that choose between candidates. `log_weight` (lane,) gets the sum
    over facilities of the log mean of exp(R).
    """
    facilities, indicators = work.eta.shape[:2]
    fixed, size = out.fixed.shape[0], work.loading.shape[1]
    candidates, each = u.shape[0], size + 1 + 2 * indicators
    regression = np.empty((3, LANES))
    for a in range(fixed):
        store(out.fixed, (a,), load(xi, (a,)))
    backward(work.precision, work.pivots, out.fixed)
    at = fixed
    eta, shock = np.empty(out.eta.shape[1:]), np.empty(out.shock.shape[1:])
    expected, drift = np.empty(out.expected.shape[1:]), np.empty((size, LANES))
    moved, means = np.empty((2 * indicators, LANES)), np.empty((2 * indicators, LANES))
    total = fill(0.0)
    for i in range(facilities):
        if i == 0 or problem.slot[i] != problem.slot[i - 1]:
            _facility_regression(problem, work, i, regression)
        facility_means(problem, i, out.fixed, moved)
        facility_means(problem, i, work.fixed, means)
        _drift(work, i, moved, drift)
        mass = fill(0.0)
        for s in range(candidates):
            if s % 2 == 1:
                _turn(xi, at, at + each)
            own = _facility(
                problem, work, i, slopes, regression, roots, xi, at, drift, moved, means,
                eta, shock, expected,
            )  # fmt: skip
            if s % 2 == 1 or s == candidates - 1:
                at += each
            misfit = _misfit(problem, work, i, load(start, (i,)), eta, shock)
            weight = bounded_exp(misfit)
            mass = mass + weight
            chosen = weight - load(u, (s, i)) * mass
            _keep(chosen, eta, out.eta[i])
            _keep(chosen, shock, out.shock[i])
            for k in range(indicators):
                kept = choose(chosen, load(expected, (k,)), load(out.expected, (i, k)))
                store(out.expected, (i, k), kept)
            store(out.baseline, (i,), choose(chosen, own, load(out.baseline, (i,))))
        total = total + log(mass / float(candidates))
    store(log_weight, (), total)
    for a in range(fixed):
        add(out.fixed, (a,), load(work.fixed, (a,)))


@kernel
def _turn(xi: Floats, first: int, last: int) -> None:
    """Change the signs of xi[first:last]."""
    for a in range(first, last):
        store(xi, (a,), -load(xi, (a,)))


@kernel
def _keep(chosen: object, source: Floats, target: Floats) -> None:
    """Copy (a, 2, lane) in the lanes where `chosen` is positive."""
    for a in range(source.shape[0]):
        for t in range(2):
            value = choose(chosen, load(source, (a, t)), load(target, (a, t)))
            store(target, (a, t), value)


@kernel
def _drift(work: Work, i: int, fixed: Floats, out: Floats) -> None:
    """Fill `out` (B, lane) with -Z D theta of facility i; `fixed` (2K, lane) is D theta."""
    for a in range(0, out.shape[0], 2):
        v0, v1 = fill(0.0), fill(0.0)
        for c in range(fixed.shape[0]):
            mu = load(fixed, (c,))
            v0 = fma(-load(work.coupling, (i, a, c)), mu, v0)
            v1 = fma(-load(work.coupling, (i, a + 1, c)), mu, v1)
        store(out, (a,), v0)
        store(out, (a + 1,), v1)


@kernel
def _facility(
    problem: LaplaceProblem,
    work: Work,
    i: int,
    slopes: Floats,
    regression: Floats,
    roots: Floats,
    xi: Floats,
    at: int,
    drift: Floats,
    fixed: Floats,
    means: Floats,
    eta: Floats,
    shock: Floats,
    expected: Floats,
) -> Lanes:
    """Draw facility i given its fixed effects' deviations from `means`, from normals xi[at:].

    Returns its effect as a whole on its baseline.
    """
    size = work.loading.shape[1]
    moved, whole = np.empty((size, LANES)), np.empty((size, LANES))
    change = np.empty((problem.blocks, LANES))
    for a in range(0, size, 2):
        v0, v1 = load(drift, (a,)), load(drift, (a + 1,))
        for b in range(size):
            x = load(xi, (at + b,))
            v0 = fma(load(work.loading, (i, b, a)), x, v0)
            v1 = fma(load(work.loading, (i, b, a + 1)), x, v1)
        store(moved, (a,), v0)
        store(moved, (a + 1,), v1)
        store(whole, (a,), v0 + load(work.effects, (i, a)))
        store(whole, (a + 1,), v1 + load(work.effects, (i, a + 1)))
    for g in range(problem.groups):
        for t in range(2):
            z = load(moved, (2 * (problem.blocks + g) + t,))
            store(shock, (g, t), z + load(work.shock, (i, g, t)))
    at += size
    x = load(xi, (at,))
    own = _expected_change(problem, problem.slot[i], regression, slopes, whole, x, change)
    _cells(
        problem, work, i, slopes, roots, xi, at + 1, moved, whole, change, fixed, means,
        eta, expected,
    )  # fmt: skip
    return own


@kernel
def _misfit(
    problem: LaplaceProblem, work: Work, i: int, start: Lanes, eta: Floats, shock: Floats
) -> Lanes:
    """Return R of facility i: the log likelihood less its expansion, 0 at the mean."""
    if problem.gaussian:
        return fill(0.0)
    value = facility_likelihood(problem, i, eta, shock) - start
    for k in range(eta.shape[0]):
        g = problem.group[k]
        for t in range(2):
            move = load(eta, (k, t)) - load(work.eta, (i, k, t))
            w = load(work.curvature, (i, k, t))
            slope = load(work.information, (i, k, t))
            value = value - move * fma(-0.5 * w, move, slope)
            if g >= 0:
                turn = load(shock, (g, t)) - load(work.shock, (i, g, t))
                x, own = load(work.cross, (i, k, t)), load(work.shock_curvature, (i, k, t))
                pull = load(work.shock_information, (i, k, t))
                value = value - turn * (pull - x * move - 0.5 * own * turn)
    return value


@kernel
def _expected_change(
    problem: LaplaceProblem,
    slot: int,
    regression: Floats,
    slopes: Floats,
    v: Floats,
    xi: object,
    change: Floats,
) -> Lanes:
    """Fill `change` (D, lane) with what the baseline effects of a facility's blocks foretell.

    Returns the baseline effect of the facility as a whole, whose covariance stands in `slot`.
    """
    blocks = problem.blocks
    mean0, mean1 = fill(0.0), fill(0.0)
    for d in range(blocks):
        mean0 = mean0 + load(v, (2 * d,)) / float(blocks)
        mean1 = mean1 + load(v, (2 * d + 1,)) / float(blocks)
    own = fma(load(regression, (0,)), mean0, load(regression, (1,)) * mean1)
    own = fma(load(regression, (2,)), xi, own)
    for d in range(blocks):
        rest = load(v, (2 * d,)) - own
        store(change, (d,), fma(load(slopes, (slot,)), own, load(slopes, (1,)) * rest))
    return own


@kernel
def _cells(
    problem: LaplaceProblem,
    work: Work,
    i: int,
    slopes: Floats,
    roots: Floats,
    xi: Floats,
    at: int,
    moved: Floats,
    whole: Floats,
    change: Floats,
    fixed: Floats,
    means: Floats,
    eta: Floats,
    expected: Floats,
) -> None:
    """Draw the cells of facility i; `fixed` (2K, lane) deviates from `means`."""
    for k in range(eta.shape[0]):
        d, g, c = 2 * problem.domain[k], problem.group[k], 2 * k
        fixed0, fixed1 = load(fixed, (c,)), load(fixed, (c + 1,))
        m0, m1 = fixed0 + load(moved, (d,)), fixed1 + load(moved, (d + 1,))
        e0 = -load(work.curvature, (i, k, 0)) * m0
        e1 = -load(work.curvature, (i, k, 1)) * m1
        if g >= 0:
            s = 2 * (problem.blocks + g)
            e0 = fma(-load(work.cross, (i, k, 0)), load(moved, (s,)), e0)
            e1 = fma(-load(work.cross, (i, k, 1)), load(moved, (s + 1,)), e1)
        v00, v01 = load(work.inner, (i, k, 0)), load(work.inner, (i, k, 1))
        v11 = load(work.inner, (i, k, 2))
        root, tilt = load(roots, (i, k, 0)), load(roots, (i, k, 1))
        rest = load(roots, (i, k, 2))
        x0, x1 = load(xi, (at + c,)), load(xi, (at + c + 1,))
        eta0 = load(work.eta, (i, k, 0)) + m0 + v00 * e0 + v01 * e1 + root * x0
        eta1 = load(work.eta, (i, k, 1)) + m1 + v01 * e0 + v11 * e1 + tilt * x0 + rest * x1
        store(eta, (k, 0), eta0)
        store(eta, (k, 1), eta1)
        mu0 = load(means, (c,)) + fixed0
        beta = load(means, (c + 1,)) + fixed1 - mu0
        own = eta0 - mu0 - load(whole, (d,))
        foretold = fma(load(slopes, (CELL + k,)), own, load(change, (d // 2,)))
        store(expected, (k,), eta0 + beta + foretold)
