r"""Solves with the factors of `eliminate`, and the Newton steps made of them.

For the information (h, h_z) and a prior mean the posterior mean of the Gaussian approximation is

.. math:: \rho_i = N_i \sum_k E_k'[b_{ik}; b_{z,ik}],\quad
          Q\mu = \Pi^{-1}m_0 + \sum_i (b_i - U_i'\rho_i),\quad
          (v_i, z_i) = N_i'(\rho_i - U_i\mu),\quad \eta = Tm + V(h - Xz) .

The Laplace value keeps :math:`a = h - W\eta - Xz` of the same solve,

.. math:: \psi = \ell(\eta, z) - \tfrac12 a'(\eta - m_0) - \tfrac12 z'z
          - \tfrac12 \log|I + \Sigma W| ,

which makes the error of an unconverged step one of second order.
"""

import numpy as np
from numba import njit

from pdsim.model.data import Floats
from pdsim.model.laplace.cells import linearise, log_likelihood
from pdsim.model.laplace.elementary import JIT
from pdsim.model.laplace.eliminate import factor
from pdsim.model.laplace.problem import Problem
from pdsim.model.laplace.work import Work

MOST_STEPS = 60
_LONGEST_STEP = 4.0
"""A Newton step moves no logit further than this."""


@njit(**JIT)
def _gather(
    problem: Problem, work: Work, h: Floats, hz: Floats, i: int, right: Floats, fixed: Floats
) -> None:
    """Add b to `fixed` (2K, lane) and [b; b_z] to `right` (B, lane)."""
    indicators, lanes = h.shape[1], h.shape[3]
    for k in range(indicators):
        d, g, c = 2 * problem.domain[k], problem.group[k], 2 * k
        s = 2 * (problem.blocks + g)
        for j in range(lanes):
            v01 = work.inner[i, k, 1, j]
            e0 = work.inner[i, k, 0, j] * h[i, k, 0, j] + v01 * h[i, k, 1, j]
            e1 = v01 * h[i, k, 0, j] + work.inner[i, k, 2, j] * h[i, k, 1, j]
            b0 = h[i, k, 0, j] - work.curvature[i, k, 0, j] * e0
            b1 = h[i, k, 1, j] - work.curvature[i, k, 1, j] * e1
            fixed[c, j] += b0
            fixed[c + 1, j] += b1
            right[d, j] += b0
            right[d + 1, j] += b1
        if g >= 0:
            for j in range(lanes):
                v01 = work.inner[i, k, 1, j]
                e0 = work.inner[i, k, 0, j] * h[i, k, 0, j] + v01 * h[i, k, 1, j]
                e1 = v01 * h[i, k, 0, j] + work.inner[i, k, 2, j] * h[i, k, 1, j]
                right[s, j] += hz[i, k, 0, j] - work.cross[i, k, 0, j] * e0
                right[s + 1, j] += hz[i, k, 1, j] - work.cross[i, k, 1, j] * e1


@njit(**JIT)
def solve_fixed(factor_q: Floats, x: Floats) -> None:
    """Solve Q x = right in place, from the lower Cholesky factor (n, n, lane)."""
    half_solve(factor_q, x)
    half_solve_transposed(factor_q, x)


@njit(**JIT)
def half_solve(lower: Floats, x: Floats) -> None:
    """Solve L x = right in place."""
    n, lanes = x.shape
    for a in range(n):
        for b in range(a):
            for j in range(lanes):
                x[a, j] -= lower[a, b, j] * x[b, j]
        for j in range(lanes):
            x[a, j] /= lower[a, a, j]


@njit(**JIT)
def half_solve_transposed(lower: Floats, x: Floats) -> None:
    """Solve L' x = right in place."""
    n, lanes = x.shape
    for a in range(n - 1, -1, -1):
        for j in range(lanes):
            x[a, j] /= lower[a, a, j]
        for b in range(a):
            for j in range(lanes):
                x[b, j] -= lower[a, b, j] * x[a, j]


@njit(**JIT)
def solve(
    problem: Problem,
    work: Work,
    h: Floats,
    hz: Floats,
    fixed: Floats,
    local: Floats,
    eta: Floats,
    shock: Floats,
) -> None:
    """Fill fixed effects, facility coordinates and eta, shock for the information h, hz.

    `fixed` holds the prior's information on entry (zero for a correction).
    """
    facilities, indicators, _, lanes = h.shape
    size = work.loading.shape[1]
    load, u = work.loading, work.coupling
    right = np.empty((size, lanes))
    for i in range(facilities):
        right[:] = 0.0
        _gather(problem, work, h, hz, i, right, fixed)
        for a in range(size):
            for j in range(lanes):
                local[i, a, j] = 0.0
            for b in range(size):
                for j in range(lanes):
                    local[i, a, j] += load[i, a, b, j] * right[b, j]
            for c in range(2 * indicators):
                for j in range(lanes):
                    fixed[c, j] -= u[i, a, c, j] * local[i, a, j]
    solve_fixed(work.precision, fixed)
    for i in range(facilities):
        for a in range(size):
            for c in range(2 * indicators):
                for j in range(lanes):
                    local[i, a, j] -= u[i, a, c, j] * fixed[c, j]
        right[:] = 0.0
        for a in range(size):
            for b in range(size):
                for j in range(lanes):
                    right[b, j] += load[i, a, b, j] * local[i, a, j]
        scatter(problem, work, h, i, right, fixed, eta, shock)


@njit(**JIT)
def scatter(
    problem: Problem,
    work: Work,
    h: Floats,
    i: int,
    effects: Floats,
    fixed: Floats,
    eta: Floats,
    shock: Floats,
) -> None:
    """Set eta = T m + V (h - X z) of facility i from its effects (B, lane) and mu."""
    indicators, lanes = h.shape[1], h.shape[3]
    for g in range(problem.groups):
        s = 2 * (problem.blocks + g)
        for j in range(lanes):
            shock[i, g, 0, j] = effects[s, j]
            shock[i, g, 1, j] = effects[s + 1, j]
    for k in range(indicators):
        d, g, c = 2 * problem.domain[k], problem.group[k], 2 * k
        for j in range(lanes):
            m0 = fixed[c, j] + effects[d, j]
            m1 = fixed[c + 1, j] + effects[d + 1, j]
            e0 = h[i, k, 0, j] - work.curvature[i, k, 0, j] * m0
            e1 = h[i, k, 1, j] - work.curvature[i, k, 1, j] * m1
            if g >= 0:
                e0 -= work.cross[i, k, 0, j] * shock[i, g, 0, j]
                e1 -= work.cross[i, k, 1, j] * shock[i, g, 1, j]
            v01 = work.inner[i, k, 1, j]
            eta[i, k, 0, j] = m0 + work.inner[i, k, 0, j] * e0 + v01 * e1
            eta[i, k, 1, j] = m1 + v01 * e0 + work.inner[i, k, 2, j] * e1


@njit(**JIT)
def _advance(work: Work, eta: Floats, shock: Floats) -> None:
    """Move to the solution, lanes with a step that is too long only part of the way."""
    lanes = eta.shape[3]
    step = work.step
    step[:] = 0.0
    old, new = work.eta.reshape(-1, lanes), eta.reshape(-1, lanes)
    for c in range(old.shape[0]):
        for j in range(lanes):
            step[j] = max(step[j], abs(new[c, j] - old[c, j]))
    share = np.empty(lanes)
    for j in range(lanes):
        share[j] = 1.0 if step[j] <= _LONGEST_STEP else _LONGEST_STEP / step[j]
    for c in range(old.shape[0]):
        for j in range(lanes):
            old[c, j] += share[j] * (new[c, j] - old[c, j])
    old, new = work.shock.reshape(-1, lanes), shock.reshape(-1, lanes)
    for c in range(old.shape[0]):
        for j in range(lanes):
            old[c, j] += share[j] * (new[c, j] - old[c, j])


@njit(**JIT)
def newton(problem: Problem, work: Work, tolerance: float) -> int:
    """Iterate until no logit moves more than `tolerance`; return the number of steps.

    Fills `objective` with psi (NaN where it did not converge) and leaves the factors of the last
    linearisation.
    """
    lanes = work.eta.shape[3]
    eta, shock = np.empty_like(work.eta), np.empty_like(work.shock)
    prior = problem.prior_precision @ problem.prior_mean
    steps = 0
    while True:
        steps += 1
        linearise(problem, work)
        factor(problem, work)
        for c in range(prior.size):
            work.fixed[c, :] = prior[c]
        solve(
            problem, work, work.information, work.shock_information,
            work.fixed, work.local, eta, shock,
        )  # fmt: skip
        _advance(work, eta, shock)
        worst = 0.0
        for j in range(lanes):
            worst = max(worst, work.step[j])
        if not worst > tolerance or steps == MOST_STEPS:
            break
    laplace_value(problem, work)
    for j in range(lanes):
        if not work.step[j] <= tolerance:
            work.objective[j] = np.nan
    return steps


@njit(**JIT)
def laplace_value(problem: Problem, work: Work) -> None:
    """Fill `objective` with psi at the solution of the present factors."""
    facilities, indicators, _, lanes = work.eta.shape
    log_likelihood(problem, work)
    value = work.objective
    for i in range(facilities):
        for k in range(indicators):
            g = problem.group[k]
            for t in range(2):
                center = problem.prior_mean[2 * k + t]
                for j in range(lanes):
                    eta = work.eta[i, k, t, j]
                    a = work.information[i, k, t, j] - work.curvature[i, k, t, j] * eta
                    if g >= 0:
                        a -= work.cross[i, k, t, j] * work.shock[i, g, t, j]
                    value[j] -= 0.5 * a * (eta - center)
        for g in range(problem.groups):
            for t in range(2):
                for j in range(lanes):
                    value[j] -= 0.5 * work.shock[i, g, t, j] ** 2
    for j in range(lanes):
        value[j] -= 0.5 * work.logdet[j]
