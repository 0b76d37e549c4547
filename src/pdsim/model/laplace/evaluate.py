"""The posterior density of the hyperparameters, many points in one call."""

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.jit import compiled, kernel
from pdsim.model.laplace.corrections import correct
from pdsim.model.laplace.hyper import Hyper, covariances, natural
from pdsim.model.laplace.lanes import LANES, store
from pdsim.model.laplace.latent import Latent, keep_lane
from pdsim.model.laplace.moments import Spread
from pdsim.model.laplace.pinned import pin
from pdsim.model.laplace.problem import Problem
from pdsim.model.laplace.solve import newton
from pdsim.model.laplace.work import Work


@kernel
def _place(
    hyper: Hyper, work: Work, x: Floats, first: int, eta: Floats, shock: Floats, log_prior: Floats
) -> None:
    """Put the points x[first:] (n, H) into the lanes, all starting at eta (F, K, 2) and shock.

    The last point is repeated to fill the lanes. `log_prior` (lane,) gets the prior's density.
    """
    block = np.empty((LANES, x.shape[1]))
    for j in range(LANES):
        for h in range(x.shape[1]):
            block[j, h] = x[min(first + j, x.shape[0] - 1), h]
    values = np.empty(block.shape)
    natural(hyper, block, values, log_prior)
    covariances(hyper, values, work.cov)
    for i in range(eta.shape[0]):
        for t in range(2):
            for k in range(eta.shape[1]):
                store(work.eta, (i, k, t), eta[i, k, t])
            for g in range(shock.shape[1]):
                store(work.shock, (i, g, t), shock[i, g, t])


@compiled
def log_posterior(
    problem: Problem,
    hyper: Hyper,
    work: Work,
    spread: Spread,
    x: Floats,
    eta: Floats,
    shock: Floats,
    tolerance: float,
    out: Floats,
    latent: Latent,
) -> int:
    """Fill `out` (n,) at the points x (n, H), -inf where it fails; return the Newton steps.

    With room in `latent` for the points, the density is corrected and the moments of the latent
    effects are kept there. `work` is left at the last lanes.
    """
    problem, work, spread = pin(problem), pin(work), pin(spread)
    log_prior, correction = np.empty(LANES), np.zeros(LANES)
    steps = 0
    for first in range(0, x.shape[0], LANES):
        _place(hyper, work, x, first, eta, shock, log_prior)
        steps += newton(problem, work, tolerance)
        if latent.eta.shape[0] > 0:
            correct(problem, work, spread, correction)
        for j in range(min(LANES, x.shape[0] - first)):
            value = work.objective[j] + log_prior[j] + correction[j]
            out[first + j] = value if np.isfinite(value) else -np.inf
            if latent.eta.shape[0] > 0:
                keep_lane(work, spread, j, latent, first + j)
    return steps
