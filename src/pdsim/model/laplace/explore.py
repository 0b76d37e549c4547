"""Weighted points that represent the posterior of the hyperparameters."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, repeat
from typing import Final

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.model.laplace.evaluate import log_posterior
from pdsim.model.laplace.hyper import Hyper
from pdsim.model.laplace.importance import (
    Component,
    matched,
    mixture_log_density,
    normalise,
    pareto_k,
    sample,
)
from pdsim.model.laplace.latent import Latent, allocate_latent
from pdsim.model.laplace.mode import Mode
from pdsim.model.laplace.moments import Spread
from pdsim.model.laplace.problem import Problem
from pdsim.model.laplace.quadrature import grid, reaches_edge
from pdsim.model.laplace.work import Work

_TOLERANCE: Final = 0.1
"""Of a logit; the step after it is quadratically closer, and draws are weighted besides."""
_DF: Final = 8.0
_PILOT: Final = (64, 32)
"""Points of the pilot, from the mode's own shape and from one twice as wide."""

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
    latent : list of Latent
        Moments of the latent effects, in parts; none where they would take too much memory.
    mode : Mode
    exact : bool
        The points are the nodes of a grid, not a sample.
    evaluations : int
        Points evaluated, the pilot's among them.
    """

    x: Floats
    value: Floats
    log_weight: Floats
    latent: list[Latent]
    mode: Mode
    exact: bool
    evaluations: int

    @property
    def weight(self) -> Floats:
        """Weights that sum to 1."""
        return normalise(self.log_weight)

    @property
    def ess(self) -> float:
        """Effective number of points."""
        return float(1.0 / np.sum(self.weight**2))

    @property
    def pareto_k(self) -> float:
        """Shape of the tail of the weights; 0 on a grid."""
        return 0.0 if self.exact else pareto_k(self.log_weight)

    def moments(self) -> Latent:
        """Return the moments of all points in one piece."""
        if len(self.latent) == 1:
            return self.latent[0]
        return Latent(*(np.concatenate(fields) for fields in zip(*self.latent, strict=True)))


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
    value, latent = _evaluate(problem, hyper, work, spread, mode, x, keep=len(x) <= most_kept(work))
    log_weight = value - log_density
    if reaches_edge(mode, x, normalise(log_weight)):
        return None
    return Points(
        x=x,
        value=value,
        log_weight=log_weight,
        latent=latent,
        mode=mode,
        exact=True,
        evaluations=len(x),
    )


def stages(
    problem: Problem,
    hyper: Hyper,
    work: Work,
    spread: Spread,
    mode: Mode,
    rng: np.random.Generator,
    points: int,
) -> Iterator[Points]:
    """Yield weighted points around the mode, each time `points` more.

    A pilot of the uncorrected density gives a first density matched to its points, then stages
    of points follow, each from a density matched to all before it. They are weighted by the
    mixture of their densities (balance heuristic, Veach and Guibas 1995, doi
    10.1145/218380.218498; adaptive multiple importance sampling, Cornuet and others 2012, doi
    10.1111/j.1467-9469.2011.00756.x). The pilot only informs, and stages are few and long: the
    weights of points that a density was matched to lean towards its middle.
    """
    dims = mode.center.size + 1
    own = Component(
        center=mode.center,
        basis=mode.basis,
        below=mode.below,
        above=mode.above,
        df=_DF,
        points=_PILOT[0],
    )
    wide = replace(own, below=2.0 * mode.below, above=2.0 * mode.above, points=_PILOT[1])
    x = np.concatenate([sample(c, rng.random(dims)) for c in (own, wide)])
    value = _uncorrected(problem, hyper, work, spread, mode, x)
    found = x, normalise(value - mixture_log_density([own, wide], x))
    components = [replace(wide, points=points // 10)]
    x, value = sample(components[0], rng.random(dims)), np.empty(0)
    latent: list[Latent] = []
    third = points // 3
    for number in chain((third, third, points - 2 * third), repeat(points)):
        components.append(matched(*found, own, number - len(x) + len(value)))
        x = np.concatenate([x, sample(components[-1], rng.random(dims))])
        keep = len(x) <= most_kept(work)
        more = x[len(value) :]
        there, moments = _evaluate(problem, hyper, work, spread, mode, more, keep=keep)
        value = np.concatenate([value, there])
        latent = [*latent, *moments] if keep else []
        log_weight = value - mixture_log_density(components, x)
        found = x, normalise(log_weight)
        if len(x) >= points:
            yield Points(
                x=x,
                value=value,
                log_weight=log_weight,
                latent=latent,
                mode=mode,
                exact=False,
                evaluations=len(x) + sum(_PILOT),
            )


def _uncorrected(
    problem: Problem, hyper: Hyper, work: Work, spread: Spread, mode: Mode, x: Floats
) -> Floats:
    """Return the log density at the points without corrections."""
    out, nothing = np.empty(len(x)), allocate_latent(work, 0)
    log_posterior(problem, hyper, work, spread, x, mode.eta, mode.shock, _TOLERANCE, out, nothing)
    return out


def most_kept(work: Work) -> int:
    """Return for how many points the moments fit in memory."""
    return _MOST_BYTES // (2 * 8 * (work.eta.size // work.step.size))


def _evaluate(
    problem: Problem,
    hyper: Hyper,
    work: Work,
    spread: Spread,
    mode: Mode,
    x: Floats,
    *,
    keep: bool,
) -> tuple[Floats, list[Latent]]:
    """Evaluate the points, a chunk at a time where their moments are not kept."""
    if keep:
        value, latent = evaluate_points(problem, hyper, work, spread, mode, x)
        return value, [latent]
    chunks = (x[first : first + _CHUNK] for first in range(0, len(x), _CHUNK))
    values = [evaluate_points(problem, hyper, work, spread, mode, part)[0] for part in chunks]
    return np.concatenate(values), []
