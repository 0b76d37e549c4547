r"""Solves with the factors of `eliminate`, and the Newton steps made of them.

For the information (h, h_z) and a prior mean the posterior mean of the Gaussian approximation is

.. math:: r_i = \sum_k E_k'[b_{ik}; b_{z,ik}],\quad
          Q\mu = \Pi^{-1}m_0 + \sum_i (b_i - Z_i'r_i),\quad
          (v_i, z_i) = C_ir_i - Z_i\mu,\quad \eta = Tm + V(h - Xz) .

The Laplace value keeps :math:`a = h - W\eta - Xz` of the same solve,

.. math:: \psi = \ell(\eta, z) - \tfrac12 a'(\eta - m_0) - \tfrac12 z'z
          - \tfrac12 \log|I + \Sigma W| ,

which makes the error of an unconverged step one of second order.
"""

from typing import Final

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.jit import kernel, spliced
from pdsim.model.laplace.design import facility_means, gather_shared
from pdsim.model.laplace.eliminate import factor
from pdsim.model.laplace.lanes import (
    LANES,
    Lanes,
    add,
    choose,
    clear,
    fill,
    fma,
    larger,
    load,
    magnitude,
    store,
)
from pdsim.model.laplace.likelihood import linearise, log_likelihood
from pdsim.model.laplace.matrices import backward, forward
from pdsim.model.laplace.problem import LaplaceProblem
from pdsim.model.laplace.work import Work

MOST_STEPS: Final = 60
_LONGEST_STEP: Final = 4.0
"""A Newton step moves no logit further than this."""


@kernel
def _gather(
    problem: LaplaceProblem, work: Work, h: Floats, hz: Floats, i: int, right: Floats, fixed: Floats
) -> None:
    """Add b to `fixed` (n, lane) and [b; b_z] to `right` (B, lane)."""
    first = problem.column[i]
    for k in range(h.shape[1]):
        d, g, c = 2 * problem.domain[k], problem.group[k], 2 * k
        v01 = load(work.inner, (i, k, 1))
        h0, h1 = load(h, (i, k, 0)), load(h, (i, k, 1))
        e0 = fma(load(work.inner, (i, k, 0)), h0, v01 * h1)
        e1 = fma(load(work.inner, (i, k, 2)), h1, v01 * h0)
        b0 = fma(-load(work.curvature, (i, k, 0)), e0, h0)
        b1 = fma(-load(work.curvature, (i, k, 1)), e1, h1)
        add(fixed, (first + c,), b0)
        add(fixed, (first + c + 1,), b1)
        add(right, (d,), b0)
        add(right, (d + 1,), b1)
        if g >= 0:
            s = 2 * (problem.blocks + g)
            add(right, (s,), load(hz, (i, k, 0)) - load(work.cross, (i, k, 0)) * e0)
            add(right, (s + 1,), load(hz, (i, k, 1)) - load(work.cross, (i, k, 1)) * e1)


@kernel
def solve(
    problem: LaplaceProblem,
    work: Work,
    h: Floats,
    hz: Floats,
    fixed: Floats,
    effects: Floats,
    eta: Floats,
    shock: Floats,
) -> None:
    """Fill fixed effects, facilities' effects and eta, shock for the information h, hz.

    `fixed` holds the prior's information on entry (zero for a correction).
    """
    facilities, indicators = h.shape[:2]
    size = work.loading.shape[1]
    right, means = np.empty((size, LANES)), np.empty((2 * indicators, LANES))
    for i in range(facilities):
        clear(right)
        _gather(problem, work, h, hz, i, right, fixed)
        first = problem.column[i]
        for a in range(0, size, 2):
            r0, r1 = load(right, (a,)), load(right, (a + 1,))
            store(effects, (i, a), r0)
            store(effects, (i, a + 1), r1)
            for c in range(2 * indicators):
                entry = fma(-load(work.coupling, (i, a, c)), r0, load(fixed, (first + c,)))
                entry = fma(-load(work.coupling, (i, a + 1, c)), r1, entry)
                store(fixed, (first + c,), entry)
        if problem.covariates.shape[1] > 0:
            gather_shared(problem, work, i, right, fixed)
    forward(work.precision, work.pivots, fixed)
    backward(work.precision, work.pivots, fixed)
    for i in range(facilities):
        facility_means(problem, i, fixed, means)
        for a in range(0, size, 2):
            v0, v1 = fill(0.0), fill(0.0)
            for b in range(size):
                r = load(effects, (i, b))
                v0 = fma(load(work.covariance, (i, a, b)), r, v0)
                v1 = fma(load(work.covariance, (i, a + 1, b)), r, v1)
            for c in range(2 * indicators):
                mu = load(means, (c,))
                v0 = fma(-load(work.coupling, (i, a, c)), mu, v0)
                v1 = fma(-load(work.coupling, (i, a + 1, c)), mu, v1)
            store(right, (a,), v0)
            store(right, (a + 1,), v1)
        for a in range(size):
            store(effects, (i, a), load(right, (a,)))
        _scatter(problem, work, h, i, right, means, eta, shock)


@kernel
def _scatter(
    problem: LaplaceProblem,
    work: Work,
    h: Floats,
    i: int,
    effects: Floats,
    means: Floats,
    eta: Floats,
    shock: Floats,
) -> None:
    """Set eta = T m + V (h - X z) of facility i from its effects (B, lane) and means (2K, lane)."""
    for g in range(problem.groups):
        s = 2 * (problem.blocks + g)
        store(shock, (i, g, 0), load(effects, (s,)))
        store(shock, (i, g, 1), load(effects, (s + 1,)))
    for k in range(h.shape[1]):
        d, g, c = 2 * problem.domain[k], problem.group[k], 2 * k
        m0 = load(means, (c,)) + load(effects, (d,))
        m1 = load(means, (c + 1,)) + load(effects, (d + 1,))
        e0 = fma(-load(work.curvature, (i, k, 0)), m0, load(h, (i, k, 0)))
        e1 = fma(-load(work.curvature, (i, k, 1)), m1, load(h, (i, k, 1)))
        if g >= 0:
            e0 = fma(-load(work.cross, (i, k, 0)), load(shock, (i, g, 0)), e0)
            e1 = fma(-load(work.cross, (i, k, 1)), load(shock, (i, g, 1)), e1)
        v01 = load(work.inner, (i, k, 1))
        store(eta, (i, k, 0), fma(load(work.inner, (i, k, 0)), e0, fma(v01, e1, m0)))
        store(eta, (i, k, 1), fma(load(work.inner, (i, k, 2)), e1, fma(v01, e0, m1)))


@kernel
def _advance(work: Work) -> None:
    """Move to the solution, lanes with a step that is too long only part of the way."""
    longest = fill(0.0)
    for i in range(work.eta.shape[0]):
        for k in range(work.eta.shape[1]):
            for t in range(2):
                here = load(work.new_eta, (i, k, t)) - load(work.eta, (i, k, t))
                longest = larger(magnitude(here), longest)
    store(work.step, (), longest)
    share = choose(longest - _LONGEST_STEP, _LONGEST_STEP / longest, 1.0)
    move(work.eta, work.new_eta, share)
    move(work.shock, work.new_shock, share)


@kernel
def move(start: Floats, end: Floats, share: Lanes) -> None:
    """Move `start` (a, b, 2, lane) a share of the way to `end`."""
    for a in range(start.shape[0]):
        for b in range(start.shape[1]):
            for t in range(2):
                here = load(start, (a, b, t))
                store(start, (a, b, t), fma(share, load(end, (a, b, t)) - here, here))


@spliced
def solve_all(problem: LaplaceProblem, work: Work) -> None:
    """Fill fixed, effects, new_eta and new_shock from the present curvature and information."""
    for a in range(work.fixed.shape[0]):
        store(work.fixed, (a,), problem.prior_information[a])
    solve(
        problem, work, work.information, work.shock_information,
        work.fixed, work.effects, work.new_eta, work.new_shock,
    )  # fmt: skip


@spliced
def newton(problem: LaplaceProblem, work: Work, tolerance: float) -> int:
    """Iterate until no logit moves more than `tolerance`; return the number of steps.

    Fills `objective` with psi (NaN where it did not converge) and leaves the factors of the last
    linearisation.
    """
    steps = 0
    while True:
        steps += 1
        linearise(problem, work)
        factor(problem, work)
        solve_all(problem, work)
        _advance(work)
        worst = 0.0
        for j in range(LANES):
            worst = max(worst, work.step[j])
        if not worst > tolerance or steps == MOST_STEPS:
            break
    laplace_value(problem, work)
    for j in range(LANES):
        if not work.step[j] <= tolerance:
            work.objective[j] = np.nan
    return steps


@spliced
def laplace_value(problem: LaplaceProblem, work: Work) -> None:
    """Fill `objective` with psi at the solution of the present factors."""
    quadratic = load(work.logdet, ())
    for i in range(work.eta.shape[0]):
        first = problem.column[i]
        for k in range(work.eta.shape[1]):
            g = problem.group[k]
            for t in range(2):
                eta = load(work.eta, (i, k, t))
                a = fma(-load(work.curvature, (i, k, t)), eta, load(work.information, (i, k, t)))
                if g >= 0:
                    a = fma(-load(work.cross, (i, k, t)), load(work.shock, (i, g, t)), a)
                quadratic = fma(a, eta - problem.prior_mean[first + 2 * k + t], quadratic)
        for g in range(problem.groups):
            for t in range(2):
                z = load(work.shock, (i, g, t))
                quadratic = fma(z, z, quadratic)
    store(work.objective, (), fma(-0.5, quadratic, log_likelihood(problem, work)))
