"""From weighted hyperparameter points to a posterior that can be drawn from."""

from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.model.convergence import LAPLACE_ESS_LIMIT, PARETO_K_LIMIT
from pdsim.model.data import ModelData
from pdsim.model.laplace.elementary import probabilities
from pdsim.model.laplace.explore import Points, evaluate_points, most_kept, stages, weigh_grid
from pdsim.model.laplace.hyper import Hyper
from pdsim.model.laplace.importance import systematic
from pdsim.model.laplace.latent import Latent
from pdsim.model.laplace.mode import find_mode
from pdsim.model.laplace.moments import Spread
from pdsim.model.laplace.problem import Problem
from pdsim.model.laplace.quadrature import MOST_DIMENSIONS
from pdsim.model.laplace.work import Work

POINTS: Final = 384
"""Hyperparameter points, before any escalation."""

MOST_WEIGHTED: Final = 200
"""Facilities up to which whole draws are weighted: the variance of the weight grows with them."""

_MOST_STAGES: Final = 5
_FEW: Final = 256
"""Points whose moments are in memory, whatever that takes."""
_TOGETHER: Final = 50
"""Points or draws worked on at once, which bounds memory."""


class Posterior(NamedTuple):
    """Points with corrected weights and the Gaussian that each gives the latent effects.

    Attributes
    ----------
    x : ndarray (n, H)
    value : ndarray (n,)
        Log posterior density, up to a constant.
    weight : ndarray (n,)
        Sums to 1.
    latent : Latent
    ess, pareto_k : float
    iterations, evaluations, escalations : int
        Of the mode search; points; how often points were added.
    exact : bool
        The points are the nodes of a grid, not a sample.
    """

    x: Floats
    value: Floats
    weight: Floats
    latent: Latent
    ess: float
    pareto_k: float
    iterations: int = 0
    evaluations: int = 0
    escalations: int = 0
    exact: bool = False


def infer(
    problem: Problem,
    hyper: Hyper,
    work: Work,
    spread: Spread,
    rng: np.random.Generator,
    *,
    points: int,
) -> Iterator[Posterior]:
    """Find the mode and yield posteriors from ever more points around it.

    Up to three hyperparameters are integrated on a grid, and that is the only one. Otherwise the
    first that is yielded passes the gates, unless five times the points do not pass them either.
    """
    mode = find_mode(problem, hyper, work, spread)
    exact = None
    if mode.center.size <= MOST_DIMENSIONS:
        exact = weigh_grid(problem, hyper, work, spread, mode)
    every = iter([exact]) if exact else stages(problem, hyper, work, spread, mode, rng, points)
    for escalations, found in enumerate(islice(every, _MOST_STAGES)):
        last = escalations == _MOST_STAGES - 1
        if found.exact or _passes(found.ess, found.pareto_k) or last:
            yield _build(problem, hyper, work, spread, found)._replace(
                iterations=mode.iterations,
                evaluations=mode.evaluations + found.evaluations,
                escalations=escalations,
            )


def _passes(ess: float, k: float) -> bool:
    return ess > LAPLACE_ESS_LIMIT and k < PARETO_K_LIMIT


def _build(problem: Problem, hyper: Hyper, work: Work, spread: Spread, points: Points) -> Posterior:
    """Gather the moments of the points; of as many as memory holds, where they were not kept."""
    x, value, weight, ess = points.x, points.value, points.weight, points.ess
    if points.latent:
        latent = points.moments()
    else:
        most = max(_FEW, most_kept(work))
        weight = systematic(weight, most, 0.5) / most
        held = np.flatnonzero(weight)
        x, value, weight = x[held], value[held], weight[held]
        ess = min(ess, float(1.0 / np.sum(weight**2)))
        _, latent = evaluate_points(problem, hyper, work, spread, points.mode, x)
    return Posterior(
        x=x,
        value=value,
        weight=weight,
        latent=latent,
        ess=ess,
        pareto_k=points.pareto_k,
        exact=points.exact,
    )


class Precision(NamedTuple):
    """Effective numbers of draws of the composite, the least over facilities.

    Attributes
    ----------
    ess : float
        Of the draws.
    by_points : float
        What it would be if every point had draws without end.
    """

    ess: float
    by_points: float


def precision(
    data: ModelData, posterior: Posterior, composite: Floats, effective: float
) -> Precision:
    """Return the effective number of draws of the composite.

    Parameters
    ----------
    data : ModelData
    posterior : Posterior
    composite : ndarray (draw, F)
        Draws of the composite, on the scale of 0 to 1 for counts.
    effective : float
        Effective number of draws given the points: fewer than there are where they were weighted.

    Notes
    -----
    The squared Monte Carlo error of a mean is the variance within points over the effective
    number of draws, plus that of the weighted mean over points of the mean given the point,
    which here is taken from the logistic-normal approximation of MacKay (1992), doi
    10.1162/neco.1992.4.5.720. Draws are spread evenly over the points; what their weights take
    away from that is charged to the points too.
    """
    shrink = 0.0 if data.kind == "scores" else np.pi / 8
    held = np.flatnonzero(posterior.weight)
    weight, means = posterior.weight[held], []
    for n in range(0, held.size, _TOGETHER):
        rows = held[n : n + _TOGETHER]
        eta, var = posterior.latent.eta[rows], posterior.latent.var[rows]
        means.append(_composite(data, eta / np.sqrt(1.0 + shrink * var)))
    mean = np.concatenate(means)
    centered = mean - weight @ mean
    between = weight @ centered**2
    # the nodes of a grid carry no Monte Carlo error
    error = 0.0 * between if posterior.exact else weight**2 @ centered**2
    total = composite.var(axis=0, ddof=1)
    within = np.maximum(total - between, 0.0)
    drawn = within / effective + between * (1.0 / effective - 1.0 / len(composite))
    return Precision(
        ess=float(np.min(total / np.maximum(drawn + error, 1e-300))),
        by_points=float(np.min(total / np.maximum(error, 1e-300))),
    )


def composite_of(data: ModelData, eta: Floats) -> Floats:
    """Return the change, or the level, under the study's own weights; eta (draw, F, K, T)."""
    parts = range(0, len(eta), _TOGETHER)
    return np.concatenate([_composite(data, eta[n : n + _TOGETHER]) for n in parts])


def _composite(data: ModelData, eta: Floats) -> Floats:
    level = eta if data.kind == "scores" else probabilities(eta)
    value = level[..., 1] - level[..., 0] if data.shape[2] == 2 else level[..., 0]
    composite: Floats = value @ (data.weight * data.scale)
    return composite
