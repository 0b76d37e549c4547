"""From weighted hyperparameter points to a posterior that can be drawn from."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from pdsim.model.data import Floats
from pdsim.model.laplace.corrections import correct
from pdsim.model.laplace.elementary import JIT
from pdsim.model.laplace.evaluate import place
from pdsim.model.laplace.explore import FEWEST_ESS, HIGHEST_K, Points
from pdsim.model.laplace.hyper import Hyper
from pdsim.model.laplace.importance import normalise, pareto_k
from pdsim.model.laplace.problem import Problem
from pdsim.model.laplace.solve import newton
from pdsim.model.laplace.work import Work

_TOLERANCE = 1e-3
_KEPT = 0.998
"""Share of the weight that is carried on; the lightest points beyond it are dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """Points with corrected weights and the Gaussian that each gives the latent effects.

    Attributes
    ----------
    x : ndarray (n, H)
    weight : ndarray (n,)
        Sums to 1.
    eta, var : ndarray (n, F, K, 2)
        Corrected means and variances of the logits.
    shared : ndarray (n, F, K, 2), or (n, 0, 0, 2) without shocks
        Covariance of logit and shock.
    shock, shock_var : ndarray (n, F, G, 2)
    ess, pareto_k : float
    """

    x: Floats
    weight: Floats
    eta: Floats
    var: Floats
    shared: Floats
    shock: Floats
    shock_var: Floats
    ess: float
    pareto_k: float

    @property
    def reliable(self) -> bool:
        """Whether the corrected weights pass both gates."""
        return self.ess >= FEWEST_ESS and self.pareto_k <= HIGHEST_K


def build_posterior(problem: Problem, hyper: Hyper, work: Work, points: Points) -> Posterior:
    """Correct the points that carry the weight."""
    order = np.argsort(-points.weight, kind="stable")
    kept = np.searchsorted(np.cumsum(points.weight[order]), _KEPT) + 1
    chosen = order[:kept]
    x = points.x[chosen]
    n = len(x)
    eta, shock = (np.empty((n, *part.shape[:-1])) for part in (work.eta, work.shock))
    var, shock_var = np.empty_like(eta), np.empty_like(shock)
    shared = np.empty((n, *work.cross.shape[:-1]))
    correction = np.empty(n)
    _correct_points(
        problem, hyper, work, x, points.mode.eta, points.mode.shock,
        eta, var, shared, shock, shock_var, correction,
    )  # fmt: skip
    log_weight = points.log_weight[chosen] + correction
    weight = normalise(log_weight)
    # the points left out keep the usual correction, so that they count in the tail
    rest = points.log_weight[order[kept:]] + weight @ correction
    return Posterior(
        x=x,
        weight=weight,
        eta=eta,
        var=var,
        shared=shared,
        shock=shock,
        shock_var=shock_var,
        ess=float(1.0 / np.sum(weight**2)),
        pareto_k=pareto_k(np.concatenate([log_weight, rest])),
    )


@njit(**JIT)
def _correct_points(
    problem: Problem,
    hyper: Hyper,
    work: Work,
    x: Floats,
    start: Floats,
    start_shock: Floats,
    eta: Floats,
    var: Floats,
    shared: Floats,
    shock: Floats,
    shock_var: Floats,
    correction: Floats,
) -> None:
    lanes = work.step.size
    n = x.shape[0]
    block = np.empty((lanes, x.shape[1]))
    log_prior, out = np.empty(lanes), np.empty(lanes)
    v, c, s = np.empty_like(work.eta), np.empty_like(work.cross), np.empty_like(work.shock)
    for first in range(0, n, lanes):
        for j in range(lanes):
            block[j] = x[min(first + j, n - 1)]
        place(hyper, work, block, start, start_shock, log_prior)
        newton(problem, work, _TOLERANCE)
        correct(problem, work, v, c, s, out)
        for j in range(min(lanes, n - first)):
            correction[first + j] = out[j]
            eta[first + j] = work.eta[..., j]
            var[first + j] = v[..., j]
            shared[first + j] = c[..., j]
            shock[first + j] = work.shock[..., j]
            shock_var[first + j] = s[..., j]
