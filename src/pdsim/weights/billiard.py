"""Uniform draws from a polytope of weights by a billiard walk in coordinates that round it."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.jit import compiled
from pdsim.ranking.draws import effective_size
from pdsim.weights.polytopes import Polytope, inner_point

_CHAINS: Final = 4
_PILOT: Final = 400
_LEAST: Final = 250
_DOUBLINGS: Final = 6
_RANK_TOLERANCE: Final = 1e-9
_CHUNK: Final = 2_000_000
_REACH: Final = 2.0
"""Mean way of the ball, in units of the root of the dimensions of a round polytope."""
_REFLECTIONS: Final = 20
"""Reflections per dimension after which a way is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chart:
    """Coordinates y in which the polytope is round: w = origin + axes @ y, faces @ y <= slack."""

    origin: Floats
    axes: Floats
    faces: Floats
    slack: Floats


def sample_polytope(polytope: Polytope, *, size: int, seed: int) -> tuple[Floats, float]:
    """Return uniform weights (draw, indicator) and their effective sample size.

    The smallest over the weights and their squares. Four chains start at the analytic centre;
    the steps between two draws are doubled until the draws are nearly independent.

    References
    ----------
    Gryazina and Polyak (2014), billiard walk, doi 10.1016/j.ejor.2014.03.041; rounding as in
    Haraldsdottir et al. (2017), doi 10.1093/bioinformatics/btx052.
    """
    chart = _round_chart(polytope)
    dimensions = chart.axes.shape[1]
    if dimensions == 0:
        return np.repeat(chart.origin[None], size, axis=0), float(size)
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(_CHAINS)]
    for _ in range(2):
        pilot = _chains(chart, streams, draws=_PILOT, thin=1)
        chart = _rounder(chart, pilot.reshape(-1, dimensions))
    thin = 1
    length = max(_LEAST, -(-size // _CHAINS))
    for _ in range(_DOUBLINGS):
        drawn = _chains(chart, streams, draws=length, thin=thin)
        weights = chart.origin + drawn @ chart.axes.T
        smallest, typical = _effective(weights)
        # the smallest of many estimates is low even for independent draws
        if typical >= 0.9 * weights[..., 0].size and smallest >= 0.5 * weights[..., 0].size:
            break
        thin *= 2
    flat = weights.transpose(1, 0, 2).reshape(-1, polytope.size)
    chosen = flat[np.arange(size) * len(flat) // size]
    chosen = np.maximum(chosen, 0.0)
    return chosen / chosen.sum(axis=1, keepdims=True), min(smallest / len(flat), 1.0) * size


def _effective(weights: Floats) -> tuple[float, float]:
    """Return the smallest and the median effective size over the weights and their squares."""
    series = np.moveaxis(weights, 2, 0)
    series = series[np.ptp(series, axis=(1, 2)) > 1e-12]
    if len(series) == 0:
        return float(weights[..., 0].size), float(weights[..., 0].size)
    centred = series - series.mean(axis=(1, 2), keepdims=True)
    both = np.concatenate((series, centred**2))
    sizes = effective_size(both)
    return float(sizes.min()), float(np.median(sizes))


def _round_chart(polytope: Polytope) -> _Chart:
    point, tight = inner_point(polytope)
    fixed = np.vstack((polytope.equal, polytope.at_most[tight]))
    _, singular, turned = np.linalg.svd(fixed)
    rank = int(np.sum(singular > _RANK_TOLERANCE * singular[0]))
    axes = turned[rank:].T
    faces, bound = polytope.at_most[~tight] @ axes, polytope.bound[~tight]
    moving = np.linalg.norm(faces, axis=1) > _RANK_TOLERANCE
    at_most = polytope.at_most[~tight][moving]
    faces, bound = faces[moving], bound[moving]
    if axes.shape[1] == 0:
        return _Chart(origin=point, axes=axes, faces=faces, slack=bound)
    origin, hessian = _analytic_centre(point, axes, at_most, bound, faces)
    # Dikin's ellipsoid: the polytope in its coordinates is round up to a factor
    root = np.linalg.inv(np.linalg.cholesky(hessian)).T
    slack = bound - at_most @ origin
    return _Chart(origin=origin, axes=axes @ root, faces=faces @ root, slack=slack)


def _analytic_centre(
    point: Floats, axes: Floats, at_most: Floats, bound: Floats, faces: Floats
) -> tuple[Floats, Floats]:
    """Maximise the sum of log slacks by damped Newton steps; return it and the Hessian there."""
    for _ in range(200):
        inverse = 1.0 / (bound - at_most @ point)
        gradient = faces.T @ inverse
        scaled = faces * inverse[:, None]
        hessian = scaled.T @ scaled
        step = np.linalg.solve(hessian, gradient)
        decrement = max(float(gradient @ step), 0.0) ** 0.5
        # a self-concordant function: this damping never leaves the polytope
        point = point - axes @ step / (1.0 + decrement)
        if decrement < 1e-6:
            break
    return point, hessian


def _rounder(chart: _Chart, drawn: Floats) -> _Chart:
    """Return the chart turned so that draws have covariance 1, with its origin at their mean."""
    center = drawn.mean(axis=0)
    root = np.linalg.cholesky(np.cov(drawn, rowvar=False, ddof=1).reshape(len(center), -1))
    return _Chart(
        origin=chart.origin + chart.axes @ center,
        axes=chart.axes @ root,
        faces=chart.faces @ root,
        slack=chart.slack - chart.faces @ center,
    )


def _chains(chart: _Chart, streams: list[np.random.Generator], *, draws: int, thin: int) -> Floats:
    """Return draws (chain, draw, coordinate) after a start-up of a tenth as many."""
    dimensions = chart.axes.shape[1]
    warm = max(10, draws // 10)
    length = np.linalg.norm(chart.faces, axis=1)
    faces, slack = chart.faces / length[:, None], chart.slack / length
    gram = faces @ faces.T
    result = np.empty((len(streams), warm + draws, dimensions))
    step = max(1, _CHUNK // (thin * dimensions))
    for chain, stream in enumerate(streams):
        position = np.zeros(dimensions)
        for start in range(0, warm + draws, step):
            out = result[chain, start : start + step]
            velocity = stream.standard_normal((len(out), thin, dimensions))
            velocity /= np.linalg.norm(velocity, axis=2, keepdims=True)
            way = _REACH * dimensions**0.5 * stream.standard_exponential((len(out), thin))
            _walk(faces, gram, slack, position, velocity, way, out)
    return result[:, warm:]


@compiled
def _walk(
    faces: Floats,
    gram: Floats,
    slack: Floats,
    position: Floats,
    velocity: Floats,
    way: Floats,
    out: Floats,
) -> None:
    """Let a ball run its way from each point, reflected at the faces (of unit normals)."""
    draws, thin, dimensions = velocity.shape
    rows = slack.shape[0]
    left, speed = np.empty(rows), np.empty(rows)
    point = np.empty(dimensions)
    for d in range(draws):
        for t in range(thin):
            point[:] = position
            heading = velocity[d, t]
            for r in range(rows):
                reach, rate = 0.0, 0.0
                for j in range(dimensions):
                    reach += faces[r, j] * point[j]
                    rate += faces[r, j] * heading[j]
                left[r] = max(slack[r] - reach, 0.0)
                speed[r] = rate
            remaining = way[d, t]
            for _ in range(_REFLECTIONS * dimensions):
                wall, free = -1, remaining
                for r in range(rows):
                    # no division where the wall is too far to matter
                    if speed[r] > 0.0 and left[r] < free * speed[r]:
                        wall, free = r, left[r] / speed[r]
                for j in range(dimensions):
                    point[j] += free * heading[j]
                for r in range(rows):
                    left[r] = max(left[r] - free * speed[r], 0.0)
                remaining -= free
                if wall < 0:
                    # only a way that came to its end counts: the walk is then reversible
                    position[:] = point
                    break
                turn = 2.0 * speed[wall]
                for j in range(dimensions):
                    heading[j] -= turn * faces[wall, j]
                for r in range(rows):
                    speed[r] -= turn * gram[wall, r]
        out[d] = position
