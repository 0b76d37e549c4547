"""Chains of hyperparameters: Hamiltonian Monte Carlo about a mode, with warm-up."""

from abc import ABC, abstractmethod
from typing import Final

import numpy as np

from pdsim.arraytypes import Floats, Ints
from pdsim.model.laplace.lanes import LANES
from pdsim.model.laplace.latent import Latent
from pdsim.model.laplace.mode import Mode
from pdsim.model.laplace.setup import Setup
from pdsim.model.laplace.trajectories import (
    Evaluated,
    Track,
    allocate_track,
    evaluate,
    settle_state,
    start_state,
    trajectories,
)
from pdsim.model.laplace.work import Work

TOLERANCE: Final = 0.1
"""Of a logit; the step after it is quadratically closer, and draws are weighted besides."""
_FEW: Final = 30
"""Facilities up to which that leaves errors of the density's log below .1 (standard deviation):
searches go on from the last point, and one that ends at once is not closer by a square."""
START: Final = 0.7
"""Spread of the first points about the mode, in the standard deviations there."""
_STEP: Final = 0.35
_WARM: Final = 24
_LEAPS_WARM: Final = (2, 4)
_LEAPS: Final = (3, 6)
_JITTER: Final = 0.2
_MOST_BYTES: Final = 2**28


class Chains(ABC):
    """Chains of hyperparameters side by side, started about a mode and warmed up.

    Attributes
    ----------
    mode : Mode
    count : int
    tolerance : float
        Of a logit, at which Newton's search for the latent mode ends.
    evaluations : int
        Points at which the density was evaluated.
    tracks : list of Track
        What the chains have visited after the warm-up.
    """

    def __init__(
        self, setup: Setup, mode: Mode, rng: np.random.Generator, *, count: int, few: int
    ) -> None:
        self.mode, self.evaluations, self.tracks = mode, 0, list[Track]()
        # errors of all facilities' modes add up in the density
        self.tolerance = TOLERANCE * min(1.0, (few / len(setup.problem.observed)) ** 1.5)
        self.count, self._setup, self._rng = count, setup, rng

    @abstractmethod
    def _run(self, number: int, *, keep: bool) -> Track:
        """Take `number` steps of every chain, and keep the moments of the latent effects or not."""

    def evaluate(self, x: Floats) -> Evaluated:
        """Return the density at points x (n, H)."""
        self.evaluations += len(x)
        return evaluate(self._setup, x, self.mode.eta, self.mode.shock, self.tolerance)

    def extend(self, number: int) -> None:
        """Take `number` more steps of every chain."""
        kept = self.count * (sum(len(track.x) for track in self.tracks) + number)
        self.tracks.append(self._run(number, keep=kept <= most_kept(self._setup.work)))

    @property
    def x(self) -> Floats:
        """Points visited (n, chain, H)."""
        return np.concatenate([track.x for track in self.tracks])

    def latent(self, held: Ints) -> Latent | None:
        """Return the moments at the steps `held` of all chains; None where they were not kept."""
        parts = [track.latent for track in self.tracks]
        if sum(len(part.eta) for part in parts) < self.count * sum(len(t.x) for t in self.tracks):
            return None
        rows = (self.count * held[:, None] + np.arange(self.count)).reshape(-1)
        return Latent(*(np.concatenate(fields)[rows] for fields in zip(*parts, strict=True)))


class GradientChains(Chains):
    """Eight chains that follow the gradient of the density."""

    def __init__(self, setup: Setup, mode: Mode, rng: np.random.Generator) -> None:
        super().__init__(setup, mode, rng, count=LANES, few=_FEW)
        self._root, size = mode.root, mode.center.size
        x = mode.center + START * (rng.standard_normal((LANES, size)) @ mode.root.T)
        self._state = start_state(setup, x, mode.eta, mode.shock, _STEP)
        settle_state(setup, self._state, self.tolerance)
        self.evaluations = LANES
        warm = self._fly(_WARM, adapt=True, keep=False)
        visited = warm.x[_WARM // 2 :].reshape(-1, size)
        spread = np.linalg.solve(mode.root, (visited - visited.mean(axis=0)).T).std(axis=1)
        self._root = mode.root * np.clip(spread, 0.7, 1.5)

    def _run(self, number: int, *, keep: bool) -> Track:
        return self._fly(number, adapt=False, keep=keep)

    def _fly(self, number: int, *, adapt: bool, keep: bool) -> Track:
        rng, size = self._rng, self.mode.center.size
        track = allocate_track(self._setup, number, LANES, size, keep=keep)
        leaps = rng.integers(*(_LEAPS_WARM if adapt else _LEAPS), size=number, endpoint=True)
        self.evaluations += LANES * int(leaps.sum())
        trajectories(
            *self._setup,
            self._state,
            self._root,
            rng.standard_normal((number, size, LANES)),
            rng.random((number, LANES)),
            leaps,
            1.0 + _JITTER * (2.0 * rng.random(number) - 1.0),
            adapt,
            self.tolerance,
            track,
        )
        return track


def most_kept(work: Work) -> int:
    """Return for how many points the moments fit in memory."""
    return _MOST_BYTES // (2 * 8 * (work.eta.size // work.step.size))
