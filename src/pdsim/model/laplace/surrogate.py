r"""Chains of hyperparameters led by a surrogate of the density, where a gradient is dear.

With many facilities a gradient takes long, and the posterior is narrow and bent: a standard
deviation that the data hardly tell from 0 has a plain on one side and a wall on the other, which
no constant step suits. A Gaussian process therefore learns the slope of the log density from all
points where it was evaluated while the chains warmed up. Trajectories follow what it has learnt,
for next to nothing, and the density decides once at their end (Rasmussen 2003, Gaussian processes
to speed up hybrid Monte Carlo for expensive Bayesian integrals, Bayesian Statistics 7, 651-659).
Any force that depends on the place alone keeps the chain exact (Neal 2011, arXiv 1206.1901,
section 5): a bad surrogate costs acceptance, not truth.

In coordinates u, standard deviations from the mean of the points, the slope is

.. math:: -u + f(u),\quad \mathrm{Cov}(f(u), f(v)) = 1 + u'v
          + 10 \sum_g e^{-|u_g - v_g|^2 / (2 \cdot 4^2)}

with a g for all of the facilities' and domains' standard deviations and correlations, and one for
those of each indicator: how these act on each other is what bends the posterior.
"""

from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pdsim.arraytypes import Floats, Ints
from pdsim.model.laplace.hmc import START, Chains
from pdsim.model.laplace.hyper import CELL, Hyper
from pdsim.model.laplace.lanes import LANES
from pdsim.model.laplace.latent import Latent
from pdsim.model.laplace.mode import Mode
from pdsim.model.laplace.setup import Setup, twin
from pdsim.model.laplace.trajectories import (
    FARTHEST,
    Evaluated,
    Track,
    allocate_track,
    evaluate,
)

FEW: Final = 200
"""Facilities up to which a gradient is cheaper than learning from it."""
_CHAINS: Final = 2 * LANES
"""As many as two threads evaluate at a time."""
_FIRST: Final = 6
"""Points a chain about the mode that teach the first surrogate."""
_WARM: Final = (8, 8, 12, 12, 16)
"""Steps after each of which the surrogate learns anew."""
_DEPTH: Final = 15.0
"""A point further below the best than this and the number of coordinates teaches nothing of use."""
_STEP: Final = 0.25
_LENGTH: Final = (1.5, 3.0)
"""Of a trajectory, in standard deviations: about a quarter to half of a period."""
_HEIGHT: Final = 10.0
_WIDTH: Final = 4.0
_NOISE: Final = 0.1
_SKEWS: Final = np.linspace(-1.5, 1.5, 61)


class Warp:
    r"""Coordinates y in which no marginal distribution of points x (n, H) is skewed.

    Jones and Pewsey (2009, doi 10.1093/biomet/asp053): with m and d mean and standard deviation,
    :math:`y = \sinh(\sinh^{-1}((x - m) / d) + \epsilon)`.
    """

    def __init__(self, x: Floats) -> None:
        self._mean, self._sd = x.mean(axis=0), x.std(axis=0)
        turned = np.arcsinh((x - self._mean) / self._sd)
        warped = np.sinh(turned + _SKEWS[:, None, None])
        centered = warped - warped.mean(axis=1, keepdims=True)
        skewness = np.mean(centered**3, axis=1) / np.mean(centered**2, axis=1) ** 1.5
        self._skew = _SKEWS[np.argmin(np.abs(skewness), axis=0)]

    def inward(self, x: Floats) -> Floats:
        """Return y (n, H) of x (n, H)."""
        y: Floats = np.sinh(np.arcsinh((x - self._mean) / self._sd) + self._skew)
        return y

    def outward(self, y: Floats) -> tuple[Floats, Floats, Floats]:
        """Return x, dx / dy, and the slope of its log in y, each (n, H)."""
        turned, root = np.arcsinh(y) - self._skew, np.sqrt(1.0 + y * y)
        x = self._mean + self._sd * np.sinh(turned)
        return x, self._sd * np.cosh(turned) / root, (np.tanh(turned) - y / root) / root


class Surrogate:
    """The slope of a log density as learnt from points where it is known.

    Parameters
    ----------
    x, slope : ndarray (n, H)
    center, root : ndarray (H,), (H, H)
        A mode, and the root of the covariance about it.
    groups : list of ndarray
        Coordinates that act on each other.
    """

    def __init__(
        self, x: Floats, slope: Floats, center: Floats, root: Floats, groups: list[Ints]
    ) -> None:
        self._warp, self._groups, size = Warp(x), groups, len(center)
        y = self._warp.inward(x)
        _, speed, lean = self._warp.outward(y)
        plain = root / self._warp.outward(self._warp.inward(center[None]))[1].T
        self._mean = y.mean(axis=0)
        z = np.linalg.solve(plain, (y - self._mean).T)
        # as if so many points more had the covariance at the mode
        spread = (z @ z.T + size * np.eye(size)) / (len(x) + size)
        self._root = plain @ np.linalg.cholesky(spread)
        self._to_width = (self._root / (_WIDTH * y.std(axis=0)[:, None])).T
        self._seen = self.inward(x)
        known = self._alike(self._seen) + _NOISE * np.eye(len(x))
        force = (slope * speed + lean) @ self._root
        self._weight = np.linalg.solve(known, force + self._seen)

    def inward(self, x: Floats) -> Floats:
        """Return u (n, H) of x (n, H)."""
        u: Floats = np.linalg.solve(self._root, (self._warp.inward(x) - self._mean).T).T
        return u

    def outward(self, u: Floats) -> tuple[Floats, Floats]:
        """Return x (n, H) of u (n, H), and the log of the determinant (n,) of dx / du."""
        x, speed, _ = self._warp.outward(self._mean + u @ self._root.T)
        return x, np.sum(np.log(speed), axis=1)

    def __call__(self, u: Floats) -> Floats:
        """Return the slope in u (n, H) at u."""
        slope: Floats = self._alike(u) @ self._weight - u
        return slope

    def _alike(self, u: Floats) -> Floats:
        """Return the covariance (n, m) of f at u and at the points learnt from."""
        here, there = u @ self._to_width, self._seen @ self._to_width
        alike = 1.0 + u @ self._seen.T
        for group in self._groups:
            a, b = here[:, group], there[:, group]
            near = a @ b.T - 0.5 * np.sum(a * a, axis=1)[:, None] - 0.5 * np.sum(b * b, axis=1)
            alike += _HEIGHT * np.exp(near)
        return alike


class SurrogateChains(Chains):
    """Sixteen chains that follow a surrogate of the gradient."""

    def __init__(self, setup: Setup, mode: Mode, rng: np.random.Generator) -> None:
        super().__init__(setup, mode, rng, count=_CHAINS, few=FEW)
        self._other = twin(setup)
        start = mode.center + mode.root @ (mode.root.T @ mode.tilt)
        size, indicators = mode.center.size, setup.problem.observed.shape[1]
        self._groups = _groups(setup.hyper, indicators)
        x = start + START * rng.standard_normal((_FIRST * _CHAINS, size)) @ mode.root.T
        found = self.evaluate(x)
        slope, value = self._density(found)
        self._seen = [(x, slope, value)]
        last = slice(-_CHAINS, None)
        self._x, self._value = x[last], value[last]
        self._latent = Latent(*(part[last].copy() for part in found.latent))
        for steps in _WARM:
            self._surrogate = self._learn()
            self._walk(steps, keep=False, learn=True)
        self._surrogate = self._learn()

    def evaluate(self, x: Floats) -> Evaluated:
        """Return the density at points x (n, H), evaluated in two threads."""
        self.evaluations += len(x)
        mode = self.mode
        return evaluate(self._setup, x, mode.eta, mode.shock, self.tolerance, self._other)

    def _run(self, number: int, *, keep: bool) -> Track:
        return self._walk(number, keep=keep, learn=False)

    def _learn(self) -> Surrogate:
        """Return what all points seen tell."""
        x, slope, value = (np.concatenate(part) for part in zip(*self._seen, strict=True))
        near = value > value.max() - _DEPTH - 0.5 * x.shape[1]
        return Surrogate(x[near], slope[near], self.mode.center, self.mode.root, self._groups)

    def _density(self, found: Evaluated) -> tuple[Floats, Floats]:
        """Return the slopes, with that of the correction at the mode, and the log density."""
        slope = found.slope + self.mode.tilt
        known = np.isfinite(found.plain) & np.isfinite(slope).all(axis=1)
        return slope, np.where(known, found.plain + found.correction, -np.inf)

    def _walk(self, number: int, *, keep: bool, learn: bool) -> Track:
        track = allocate_track(self._setup, number, _CHAINS, self._x.shape[1], keep=keep)
        # matrices are too small for more threads; what flies off is refused
        with threadpool_limits(1, "blas"), np.errstate(over="ignore", invalid="ignore"):
            for n in range(number):
                track.acceptance[n] = self._step(learn=learn)
                track.x[n], track.value[n] = self._x, self._value
                if keep:
                    rows = slice(n * _CHAINS, (n + 1) * _CHAINS)
                    for kept, held in zip(track.latent, self._latent, strict=True):
                        kept[rows] = held
        return track

    def _step(self, *, learn: bool) -> float:
        """Move every chain, or leave it where it is; return the mean chance of moving."""
        x, gain = self._propose()
        lost = ~(np.abs(x) <= FARTHEST).all(axis=1)
        x[lost] = self._x[lost]
        found = self.evaluate(x)
        slope, value = self._density(found)
        if learn:
            self._seen.append((x, slope, value))
        gain += value - self._value
        chance = np.where(lost | np.isnan(gain), 0.0, np.exp(np.minimum(gain, 0.0)))
        taken = self._rng.random(_CHAINS) < chance
        self._x = np.where(taken[:, None], x, self._x)
        self._value = np.where(taken, value, self._value)
        for held, new in zip(self._latent, found.latent, strict=True):
            held[taken] = new[taken]
        return float(chance.mean())

    def _propose(self) -> tuple[Floats, Floats]:
        """Return where trajectories end, and what they gain (chain,) but for the density on x."""
        momentum = self._rng.standard_normal(self._x.shape)
        leaps = round(self._rng.uniform(*_LENGTH) / _STEP)
        energy = np.sum(momentum**2, axis=1)
        u = self._surrogate.inward(self._x)
        _, before = self._surrogate.outward(u)
        force = self._surrogate(u)
        for _ in range(leaps):
            momentum += 0.5 * _STEP * force
            u = u + _STEP * momentum
            force = self._surrogate(u)
            momentum += 0.5 * _STEP * force
        x, after = self._surrogate.outward(u)
        return x, 0.5 * (energy - np.sum(momentum**2, axis=1)) + after - before


def _groups(hyper: Hyper, indicators: int) -> list[Ints]:
    """Return the coordinates of what is outside the cells, and those of each indicator's cells."""
    cells = np.arange(CELL, CELL + indicators)
    rows = [np.delete(hyper.place, cells, axis=0), *hyper.place[cells]]
    groups = {tuple(np.unique(row[row >= 0])) for row in rows}
    return [np.array(group) for group in sorted(groups) if group]
