"""Weighted points that represent the posterior of the hyperparameters."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pdsim.model.data import Floats
from pdsim.model.laplace.evaluate import log_posterior
from pdsim.model.laplace.hyper import Hyper
from pdsim.model.laplace.importance import (
    Component,
    matched,
    mixture_log_density,
    normalise,
    sample,
)
from pdsim.model.laplace.latent import Latent, allocate_latent
from pdsim.model.laplace.mode import Mode
from pdsim.model.laplace.moments import Spread
from pdsim.model.laplace.problem import Problem
from pdsim.model.laplace.quadrature import grid, reaches_edge
from pdsim.model.laplace.work import Work

_TOLERANCE: Final = 0.02
"""Of a logit; the step after it is quadratically closer, and draws are weighted besides."""
_CHUNK: Final = 64
"""Points whose latent moments are in memory at once where those of all would not fit."""
_MOST_BYTES: Final = 2**28


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Weighted hyperparameter points.

    Attributes
    ----------
    x : ndarray (n, H)
    value : ndarray (n,)
        Log of the corrected posterior density, up to a constant.
    log_weight : ndarray (n,)
        `value` less the log density of the points.
    latent : Latent or None
        Moments of the latent effects; None where they would take too much memory.
    mode : Mode
    exact : bool
        The points are the nodes of a grid, not a sample.
    """

    x: Floats
    value: Floats
    log_weight: Floats
    latent: Latent | None
    mode: Mode
    exact: bool


def evaluate_points(
    problem: Problem, hyper: Hyper, work: Work, spread: Spread, mode: Mode, x: Floats
) -> tuple[Floats, Latent]:
    """Return the corrected log density at the points and the moments of the latent effects."""
    x = np.ascontiguousarray(x)
    out, latent = np.empty(len(x)), allocate_latent(work, len(x))
    log_posterior(problem, hyper, work, spread, x, mode.eta, mode.shock, _TOLERANCE, out, latent)
    return out, latent


def weigh_grid(
    problem: Problem, hyper: Hyper, work: Work, spread: Spread, mode: Mode
) -> Points | None:
    """Weight the nodes of a grid; None where it cuts off weight that counts."""
    x, log_density = grid(mode)
    value, latent = _evaluate(problem, hyper, work, spread, mode, x, keep=_fits(work, len(x)))
    log_weight = value - log_density
    if reaches_edge(mode, x, normalise(log_weight)):
        return None
    return Points(x=x, value=value, log_weight=log_weight, latent=latent, mode=mode, exact=True)


def weigh(
    problem: Problem,
    hyper: Hyper,
    work: Work,
    spread: Spread,
    mode: Mode,
    rng: np.random.Generator,
    points: int,
    *,
    careful: bool,
) -> Points:
    """Weight `points` points around the mode, in stages.

    A quarter is drawn from the mode's own shape, a twelfth from one twice as wide, and the rest
    from a density matched to the points so far, with `careful` in two steps. All are weighted by
    the mixture of these (balance heuristic, Veach and Guibas 1995, doi 10.1145/218380.218498).
    """
    first = Component(
        center=mode.center,
        basis=mode.basis,
        below=mode.below,
        above=mode.above,
        df=8.0,
        points=points // 4,
    )
    wide = replace(first, below=2.0 * mode.below, above=2.0 * mode.above, points=points // 12)
    shifts = rng.random((4, mode.center.size + 1))
    keep = _fits(work, points)
    components = [first, wide]
    x = np.concatenate([sample(c, j, shifts[j]) for j, c in enumerate(components)])
    value, latent = _evaluate(problem, hyper, work, spread, mode, x, keep=keep)
    later = (points // 4, points - points // 4 - len(x)) if careful else (points - len(x),)
    for number in later:
        weight = normalise(value - mixture_log_density(components, x))
        components.append(matched(x, weight, first, number, 8.0))
        which = len(components) - 1
        more = sample(components[which], which, shifts[which])
        there, found = _evaluate(problem, hyper, work, spread, mode, more, keep=keep)
        x, value = np.concatenate([x, more]), np.concatenate([value, there])
        latent = _joined(latent, found)
    log_weight = value - mixture_log_density(components, x)
    return Points(x=x, value=value, log_weight=log_weight, latent=latent, mode=mode, exact=False)


def _fits(work: Work, points: int) -> bool:
    return 2 * 8 * points * (work.eta.size // work.step.size) <= _MOST_BYTES


def _evaluate(
    problem: Problem,
    hyper: Hyper,
    work: Work,
    spread: Spread,
    mode: Mode,
    x: Floats,
    *,
    keep: bool,
) -> tuple[Floats, Latent | None]:
    """Evaluate the points, a chunk at a time where their moments are not kept."""
    if keep:
        return evaluate_points(problem, hyper, work, spread, mode, x)
    chunks = (x[first : first + _CHUNK] for first in range(0, len(x), _CHUNK))
    values = [evaluate_points(problem, hyper, work, spread, mode, part)[0] for part in chunks]
    return np.concatenate(values), None


def _joined(one: Latent | None, other: Latent | None) -> Latent | None:
    if one is None or other is None:
        return None
    return Latent(*(np.concatenate(parts) for parts in zip(one, other, strict=True)))
