"""Importance sampling of the hyperparameters: mixtures of split Student-t densities."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from scipy.special import chdtri, gammaln, ndtri

from pdsim.arraytypes import Floats, Ints

_BITS: Final = 20
_LATTICE: Final = np.array(
    [1, 182667, 469891, 498753, 110745, 446247, 250185, 118627, 245333, 283199, 408519, 391023]
)
"""Cools, Kuo and Nuyens (2006), doi 10.1137/06065074X: good at every power of 2 up to 2^20."""

_DF: Final = 16.0
_INFLATION: Final = 1.4
"""Of the variances of a matched density; one that is too narrow costs more than one too wide."""

_NARROWER: Final = _INFLATION * (_DF - 2.0) / _DF
"""Squared scale of a matched density over the variance of the points."""

_NO_TAIL: Final = 5.0
"""Weights that are all below this many times their mean have no tail."""


@dataclass(frozen=True, kw_only=True)
class Component:
    """A Student-t density with another scale on either side of each of its directions."""

    center: Floats
    basis: Floats
    below: Floats
    above: Floats
    df: float
    points: int

    @cached_property
    def inverse(self) -> Floats:
        """Inverse of the basis."""
        return np.linalg.inv(self.basis)


@lru_cache(maxsize=64)
def net(points: int, dims: int) -> Floats:
    """Return the first points (points, dims) of a lattice sequence, up to 2^20."""
    bits = np.arange(_BITS)
    radical_inverse = (np.arange(points)[:, None] >> bits & 1) @ 0.5 ** (bits + 1)
    return radical_inverse[:, None] * _LATTICE[:dims] % 1.0


def sample(component: Component, shift: Floats) -> Floats:
    """Return the points (n, H) of a component; `shift` (H + 1,) rotates the net."""
    size = component.center.size
    u = (net(component.points, size + 1) + shift) % 1.0
    u = np.clip(u, 1e-6, 1.0 - 1e-6)
    left = component.below / (component.below + component.above)
    # two-piece normal: the sides meet with equal density
    negative = u[:, :size] < left
    inner = np.where(negative, u[:, :size] / left, (1.0 - u[:, :size]) / (1.0 - left))
    z = -ndtri(0.5 * inner)
    y = np.where(negative, -component.below, component.above) * z
    radius = np.sqrt(component.df / chdtri(component.df, u[:, size]))
    return component.center + (radius[:, None] * y) @ component.basis.T


def log_density(component: Component, x: Floats) -> Floats:
    """Return the log density at x (n, H)."""
    size, df = component.center.size, component.df
    y = component.inverse @ (x - component.center).T
    z = y / np.where(y < 0.0, component.below[:, None], component.above[:, None])
    constant = gammaln(0.5 * (df + size)) - gammaln(0.5 * df) - 0.5 * size * np.log(df * np.pi)
    volume = np.sum(np.log(0.5 * (component.below + component.above)))
    volume -= np.linalg.slogdet(component.inverse)[1]
    return constant - volume - 0.5 * (df + size) * np.log1p(np.sum(z * z, axis=0) / df)


def mixture_log_density(components: list[Component], x: Floats) -> Floats:
    """Return the log density of the mixture in the proportions of the points taken."""
    counts = np.array([c.points for c in components], float)
    parts = np.stack([log_density(c, x) for c in components])
    return np.logaddexp.reduce(parts + np.log(counts / counts.sum())[:, None], axis=0)


def normalise(log_weight: Floats) -> Floats:
    """Return weights that sum to 1."""
    weight = np.exp(log_weight - np.max(log_weight))
    return weight / weight.sum()


def matched(x: Floats, weight: Floats, mode: Component, points: int) -> Component:
    """Return a component about the mode with the weighted covariance and skewness of the points."""
    centered = x - weight @ x
    covariance = (weight[:, None] * centered).T @ centered
    # a prior of a few points keeps the covariance away from singular
    share = min(1.0, 2.0 * mode.center.size * float(np.sum(weight**2)))
    local = mode.basis * np.sqrt(0.5 * (mode.below**2 + mode.above**2))
    covariance = (1.0 - share) * covariance + share * local @ local.T
    basis = np.linalg.cholesky(covariance * _NARROWER)
    z = np.linalg.solve(basis, (x - mode.center).T)
    sides = [_side(np.where(part, z, 0.0), part @ weight, weight) for part in (z < 0, z >= 0)]
    return Component(
        center=mode.center, basis=basis, below=sides[0], above=sides[1], df=_DF, points=points
    )


def _side(z: Floats, mass: Floats, weight: Floats) -> Floats:
    """Return the scale of each direction (H,) on one side, from the deviations there."""
    square = z**2 @ weight * _NARROWER
    return np.clip(np.sqrt((square + 0.1) / (mass + 0.1)), 0.6, 2.5)


def pareto_k(log_weight: Floats) -> float:
    """Return the shape of a generalised Pareto fitted to the largest weights.

    Zhang and Stephens (2009), doi 10.1198/tech.2009.08017, with the weak prior of Vehtari et al.
    (2024), arXiv 1507.02646. 0 where no weight is far above their mean: no tail to fit.
    """
    n = log_weight.size
    size = int(min(0.2 * n, 3.0 * np.sqrt(n)))
    if size < 5:
        return float("inf")
    ordered = np.sort(np.exp(log_weight - np.max(log_weight)))
    if np.mean(ordered) > 1.0 / _NO_TAIL:
        return 0.0
    tail = ordered[-size:] - ordered[-size - 1]
    if tail[-1] <= 0.0:
        return float("-inf")
    m = 30 + int(np.sqrt(size))
    quarter = max(tail[int(size / 4 + 0.5) - 1], 1e-300)
    b = 1.0 - np.sqrt(m / (np.arange(1, m + 1) - 0.5))
    b = b / (3.0 * quarter) + 1.0 / tail[-1]
    k = np.mean(np.log1p(-b[:, None] * tail), axis=1)
    profile = size * (np.log(-b / k) - k - 1.0)
    weight = normalise(profile)
    best = float(weight @ b)
    shape = float(np.mean(np.log1p(-best * tail)))
    return (size * shape + 5.0) / (size + 10.0)


def systematic(weight: Floats, draws: int, offset: float) -> Ints:
    """Return how many of `draws` equally weighted draws fall to each point."""
    edges = np.floor(np.cumsum(weight) * draws + offset)
    edges[-1] = draws
    return np.diff(edges, prepend=0.0).astype(np.int64)
