"""The mode of the hyperparameters and the shape of the posterior around it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import minimize

from pdsim.arraytypes import Floats
from pdsim.model.laplace.hyper import CORRELATION, Hyper, inverse_softplus
from pdsim.model.laplace.lanes import LANES
from pdsim.model.laplace.problem import LaplaceProblem
from pdsim.model.laplace.setup import Setup
from pdsim.model.laplace.trajectories import Evaluated, evaluate

_TOLERANCE: Final = 1e-3
_DECREASE: Final = 0.02
"""Of the log density by a step, below which the search ends: not a share of its height, which is
millions where many facilities count many cases."""
_STEP: Final = 0.05
_LEAST_CURVATURE: Final = 0.25
"""Of the log density on x, where the prior alone has about 1."""
_HUGE: Final = 1e10


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """A mode with the scale of the posterior around it.

    Attributes
    ----------
    center : ndarray (H,)
    root : ndarray (H, H)
        Lower Cholesky factor of the inverse Hessian.
    tilt : ndarray (H,)
        Slope of what corrects the Laplace marginal.
    eta, shock : ndarray (F, K, 2), (F, G, 2)
        Latent logits and shocks at the mode.
    evaluations : int
    """

    center: Floats
    root: Floats
    tilt: Floats
    eta: Floats
    shock: Floats
    evaluations: int


def start_point(hyper: Hyper) -> Floats:
    """Return x at standard deviations near their prior median and correlations 0."""
    correlation = hyper.family == CORRELATION
    known = hyper.family < CORRELATION - 2  # an inverse gamma has no scale to go by
    s = np.where(known, 0.4 * np.minimum(hyper.parameter[:, 0], 2.0), 0.4)
    return np.where(correlation, 0.0, inverse_softplus(s / hyper.unit))


def start_logits(problem: LaplaceProblem) -> Floats:
    """Return empirical logits (F, K, 2), drawn towards the indicator's own."""
    y, n = problem.observed, problem.size
    if problem.gaussian:
        total = np.sum(n, axis=0)
        mean = np.sum(n * y, axis=0) / np.maximum(total, 1e-300)
        return np.where(n > 0, y, np.broadcast_to(mean, y.shape))
    pooled = (np.sum(y, axis=0) + 0.5) / (np.sum(n, axis=0) + 1.0)
    p = (y + 4.0 * pooled) / (n + 4.0)
    return np.log(p / (1.0 - p)) - problem.offset


def find_mode(setup: Setup) -> Mode:
    """Find the mode by L-BFGS, then measure the curvature there by differences of gradients."""
    problem, hyper, work, _ = setup
    eta, shock = start_logits(problem), np.zeros(work.shock.shape[:-1])
    evaluations = 0

    def at(points: Floats) -> Evaluated:
        nonlocal evaluations
        evaluations += len(points)
        return evaluate(setup, points, eta, shock, _TOLERANCE)

    def objective(x: Floats) -> tuple[float, Floats]:
        nonlocal eta, shock
        found = at(x[None])
        if not (np.isfinite(found.plain[0]) and np.isfinite(found.slope).all()):
            return _HUGE, np.zeros_like(x)
        eta, shock = found.eta, found.shock
        return -float(found.plain[0]), -found.slope[0]

    correlation = hyper.family == CORRELATION
    bounds = np.where(correlation[:, None], (-3.0, 3.0), (-6.0, 16.0))
    start = start_point(hyper)
    height = abs(float(at(start[None]).plain[0]))
    found = minimize(
        objective,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={
            "maxiter": 200,
            "maxcor": 30,
            "ftol": min(1e-7, _DECREASE / max(height, 1.0)),
            "gtol": 0.05,
        },
    )
    x = found.x
    objective(x)
    steps = _STEP * np.eye(x.size)
    around = np.concatenate([x + steps, x - steps])
    slope, correction = np.empty_like(around), np.empty(len(around))
    for n in range(0, len(around), LANES):  # the latent effects of all would fill the memory
        part = slice(n, n + LANES)
        there = at(around[part])
        slope[part], correction[part] = there.slope, there.correction
    hessian = (slope[x.size :] - slope[: x.size]) / (2.0 * _STEP)
    tilt = (correction[: x.size] - correction[x.size :]) / (2.0 * _STEP)
    hessian = 0.5 * (hessian + hessian.T)
    curvature, axes = np.linalg.eigh(np.where(np.isfinite(hessian), hessian, 0.0))
    covariance = (axes / np.maximum(curvature, _LEAST_CURVATURE)) @ axes.T
    return Mode(
        center=x,
        root=np.linalg.cholesky(covariance),
        tilt=np.where(np.isfinite(tilt), tilt, 0.0),
        eta=eta,
        shock=shock,
        evaluations=evaluations,
    )
