"""The posterior density of the hyperparameters, many points in one call."""

import numpy as np
from numba import njit

from pdsim.model.data import Floats
from pdsim.model.laplace.elementary import JIT
from pdsim.model.laplace.hyper import Hyper, covariances, natural
from pdsim.model.laplace.problem import Problem
from pdsim.model.laplace.solve import newton
from pdsim.model.laplace.work import Work

LANES = 16
"""Points worked at side by side."""


@njit(**JIT)
def place(
    hyper: Hyper, work: Work, x: Floats, eta: Floats, shock: Floats, log_prior: Floats
) -> None:
    """Put the points x (lane, H) into the lanes, all starting at eta (F, K, 2) and shock."""
    lanes, size = x.shape
    values = np.empty((lanes, size))
    natural(hyper, x, values, log_prior)
    covariances(hyper, values, work.cov)
    for i in range(eta.shape[0]):
        for t in range(2):
            for k in range(eta.shape[1]):
                work.eta[i, k, t, :] = eta[i, k, t]
            for g in range(shock.shape[1]):
                work.shock[i, g, t, :] = shock[i, g, t]


@njit(**JIT)
def log_posterior(
    problem: Problem,
    hyper: Hyper,
    work: Work,
    x: Floats,
    eta: Floats,
    shock: Floats,
    tolerance: float,
    out: Floats,
) -> int:
    """Fill `out` (n,) at the points x (n, H), -inf where it fails; return the Newton steps.

    The last points are repeated to fill the lanes. `work` is left at the last lanes.
    """
    lanes = work.step.size
    n, size = x.shape
    block, log_prior = np.empty((lanes, size)), np.empty(lanes)
    steps = 0
    for start in range(0, n, lanes):
        for j in range(lanes):
            block[j] = x[min(start + j, n - 1)]
        place(hyper, work, block, eta, shock, log_prior)
        steps += newton(problem, work, tolerance)
        for j in range(min(lanes, n - start)):
            value = work.objective[j] + log_prior[j]
            out[start + j] = value if np.isfinite(value) else -np.inf
    return steps
