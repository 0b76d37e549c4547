"""The mode of the hyperparameters and the shape of the posterior around it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from pdsim.arraytypes import Floats
from pdsim.model.laplace.evaluate import log_posterior
from pdsim.model.laplace.hyper import CORRELATION, Hyper
from pdsim.model.laplace.latent import allocate_latent
from pdsim.model.laplace.moments import Spread
from pdsim.model.laplace.problem import Problem
from pdsim.model.laplace.work import Work

_STEP = 0.02
_LONGEST = 2.0
_MOST_ITERATIONS = 30
_ENOUGH = 0.005
"""Gain in log density that a further step promises, below which the search ends."""
_SHARES = np.array([0.5, 0.25, 0.1, 0.03, 0.01, 2.0])
_TOLERANCE = 1e-3
_FAR = 2.0
_FIRST = 0.1
_REFINEMENTS = 3
_SHORT = 0.1
"""Squared distance from the mode, in standard deviations, that is worth another look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """A mode with the scale of the posterior around it.

    Attributes
    ----------
    center : ndarray (H,)
    basis : ndarray (H, H)
        Columns are the principal directions.
    below, above : ndarray (H,)
        Standard deviations towards the two sides of each direction.
    eta, shock : ndarray (F, K, 2), (F, G, 2)
        Latent logits and shocks at the mode.
    evaluations, iterations : int
    """

    center: Floats
    basis: Floats
    below: Floats
    above: Floats
    eta: Floats
    shock: Floats
    evaluations: int
    iterations: int


def start_point(hyper: Hyper) -> Floats:
    """Return x at standard deviations of 0.4 of the prior scale and correlations 0."""
    known = hyper.family < CORRELATION - 1
    s = 0.4 * np.where(known, np.minimum(hyper.parameter[:, 0], 2.0), 1.0)
    x = -ndtri(np.exp(-s / hyper.unit))
    return np.where(hyper.family == CORRELATION, 0.0, x)


def start_logits(problem: Problem) -> Floats:
    """Return empirical logits (F, K, 2), drawn towards the indicator's own."""
    y, n = problem.observed, problem.size
    if problem.gaussian:
        total = np.sum(n, axis=0)
        mean = np.sum(n * y, axis=0) / np.maximum(total, 1e-300)
        return np.where(n > 0, y, np.broadcast_to(mean, y.shape))
    pooled = (np.sum(y, axis=0) + 0.5) / (np.sum(n, axis=0) + 1.0)
    p = (y + 4.0 * pooled) / (n + 4.0)
    return np.log(p / (1.0 - p))


def find_mode(problem: Problem, hyper: Hyper, work: Work, spread: Spread) -> Mode:
    """Find the mode by BFGS with differences taken side by side, then measure its surroundings."""
    eta = start_logits(problem)
    shock = np.zeros(work.shock.shape[:-1])
    size = hyper.family.size
    evaluations = 0
    nothing = allocate_latent(work, 0)

    def at(points: Floats) -> Floats:
        nonlocal evaluations
        points = np.ascontiguousarray(points)
        out = np.empty(len(points))
        log_posterior(problem, hyper, work, spread, points, eta, shock, _TOLERANCE, out, nothing)
        evaluations += len(points)
        return -out

    def around(x: Floats, extra: Floats) -> tuple[float, Floats, Floats]:
        # many facilities make a narrow posterior, in which a fixed step would be a long one
        step = np.clip(_STEP * np.sqrt(np.diag(inverse)), _STEP / 50, _STEP)
        values = at(np.concatenate([x[None], x + np.diag(step), extra]))
        return values[0], (values[1 : size + 1] - values[0]) / step, values[size + 1 :]

    x = start_point(hyper)
    at(x[None])
    eta, shock = work.eta[..., 0].copy(), work.shock[..., 0].copy()
    f, gradient, inverse = _first_look(x, at)
    iterations = 0
    while iterations < _MOST_ITERATIONS:
        iterations += 1
        direction = -inverse @ gradient
        direction *= min(1.0, _LONGEST / np.max(np.abs(direction)))
        promised = -gradient @ direction
        if promised < 2 * _ENOUGH:
            break
        new = x + direction
        value, slope, others = around(new, x + _SHARES[:, None] * direction)
        if not value < f - 1e-4 * promised:
            best = int(np.argmin(others))
            if not others[best] < f:
                break
            new = x + _SHARES[best] * direction
            value, slope, _ = around(new, np.empty((0, size)))
        eta, shock = work.eta[..., 0].copy(), work.shock[..., 0].copy()
        inverse = _bfgs(inverse, new - x, slope - gradient)
        x, f, gradient = new, value, slope
    at(x[None])
    eta, shock = work.eta[..., 0].copy(), work.shock[..., 0].copy()
    x, basis, below, above = _surroundings(x, f, inverse, at)
    return Mode(
        center=x,
        basis=basis,
        below=below,
        above=above,
        eta=eta,
        shock=shock,
        evaluations=evaluations,
        iterations=iterations,
    )


def _first_look(x: Floats, at: Callable[[Floats], Floats]) -> tuple[float, Floats, Floats]:
    """Return value, gradient and a diagonal inverse Hessian; levels differ widely in curvature."""
    steps = _FIRST * np.eye(x.size)
    values = at(np.concatenate([x[None], x + steps, x - steps]))
    above, below = values[1 : x.size + 1], values[x.size + 1 :]
    curvature = (above - 2.0 * values[0] + below) / _FIRST**2
    inverse = np.diag(1.0 / np.maximum(curvature, 1.0))
    return values[0], (above - below) / (2.0 * _FIRST), inverse


def _bfgs(inverse: Floats, move: Floats, change: Floats) -> Floats:
    """Update an inverse Hessian; left alone where the curvature is not positive."""
    curvature = move @ change
    if curvature <= 1e-8:
        return inverse
    left = np.eye(move.size) - np.outer(move, change) / curvature
    return left @ inverse @ left.T + np.outer(move, move) / curvature


def _surroundings(
    x: Floats, f: float, inverse: Floats, at: Callable[[Floats], Floats]
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the mode, principal directions and the scale on both sides of each.

    The Hessian is measured along the axes of the search, and again after a Newton step where the
    search has stopped short of the mode.
    """
    size = x.size
    spread, axes = np.linalg.eigh(inverse)
    axes = axes * np.clip(np.sqrt(np.maximum(spread, 0.0)), 0.005, 1.5)
    rows, columns = np.triu_indices(size, 1)
    unit = np.eye(size)
    steps = np.concatenate([unit, -unit, unit[rows] + unit[columns]])
    for _ in range(_REFINEMENTS + 1):
        values = at(x + steps @ axes.T) - f
        plus, minus, both = values[:size], values[size : 2 * size], values[2 * size :]
        hessian = np.diag(plus + minus)
        hessian[rows, columns] = hessian[columns, rows] = both - plus[rows] - plus[columns]
        curvature, turn = np.linalg.eigh(hessian)
        axes = axes @ turn / np.sqrt(np.clip(curvature, 0.2, None))
        slope = 0.5 * (plus - minus) @ turn / np.sqrt(np.clip(curvature, 0.2, None))
        new = x - axes @ slope
        value = at(new[None])[0] if slope @ slope > _SHORT else np.inf
        if not value < f:
            break
        x, f = new, value
    both = np.concatenate([axes.T, -axes.T])
    drop = (at(x + np.concatenate([both, _FAR * both])) - f).reshape(2, 2, size)
    # a standard deviation that may be 0 has a plateau, which only the far point sees
    reach = np.array([1.0, _FAR])[:, None, None]
    scale = np.max(np.clip(reach / np.sqrt(np.maximum(2.0 * drop, 0.05)), 0.5, 2.5), axis=0)
    return x, axes, scale[1], scale[0]
