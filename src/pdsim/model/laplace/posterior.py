"""From weighted hyperparameter points to a posterior that can be drawn from."""

from typing import NamedTuple

import numpy as np

from pdsim.model.data import Floats
from pdsim.model.laplace.evaluate import log_posterior
from pdsim.model.laplace.explore import FEWEST_ESS, HIGHEST_K, Points
from pdsim.model.laplace.hyper import Hyper
from pdsim.model.laplace.importance import normalise, pareto_k
from pdsim.model.laplace.latent import Latent, allocate_latent
from pdsim.model.laplace.moments import Spread
from pdsim.model.laplace.problem import Problem
from pdsim.model.laplace.work import Work

_TOLERANCE = 1e-3
_KEPT = 0.998
"""Share of the weight that is carried on; the lightest points beyond it are dropped."""


class Posterior(NamedTuple):
    """Points with corrected weights and the Gaussian that each gives the latent effects.

    Attributes
    ----------
    x : ndarray (n, H)
    weight : ndarray (n,)
        Sums to 1.
    latent : Latent
    ess, pareto_k : float
    """

    x: Floats
    weight: Floats
    latent: Latent
    ess: float
    pareto_k: float

    @property
    def reliable(self) -> bool:
        """Whether the corrected weights pass both gates."""
        return self.ess >= FEWEST_ESS and self.pareto_k <= HIGHEST_K


def build_posterior(
    problem: Problem, hyper: Hyper, work: Work, spread: Spread, points: Points
) -> Posterior:
    """Correct the points that carry the weight."""
    order = np.argsort(-points.weight, kind="stable")
    kept = np.searchsorted(np.cumsum(points.weight[order]), _KEPT) + 1
    chosen = order[:kept]
    x = points.x[chosen]
    latent = allocate_latent(work, len(x))
    value = np.empty(len(x))
    log_posterior(
        problem, hyper, work, spread, x, points.mode.eta, points.mode.shock, _TOLERANCE,
        value, latent,
    )  # fmt: skip
    log_weight = value - points.log_proposal[chosen]
    correction = log_weight - points.log_weight[chosen]
    weight = normalise(log_weight)
    # the points left out keep the usual correction, so that they count in the tail
    rest = points.log_weight[order[kept:]] + weight @ correction
    return Posterior(
        x=x,
        weight=weight,
        latent=latent,
        ess=float(1.0 / np.sum(weight**2)),
        pareto_k=pareto_k(np.concatenate([log_weight, rest])),
    )
