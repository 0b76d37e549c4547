"""Chains of hyperparameters: Hamiltonian Monte Carlo about a mode, with warm-up."""

from typing import Final

import numpy as np

from pdsim.arraytypes import Floats, Ints
from pdsim.model.laplace.lanes import LANES
from pdsim.model.laplace.latent import Latent
from pdsim.model.laplace.mode import Mode
from pdsim.model.laplace.setup import Setup
from pdsim.model.laplace.trajectories import (
    Track,
    allocate_track,
    settle_state,
    start_state,
    trajectories,
)
from pdsim.model.laplace.work import Work

TOLERANCE: Final = 0.1
"""Of a logit; the step after it is quadratically closer, and draws are weighted besides."""
_START: Final = 0.7
"""Spread of the first points about the mode, in the standard deviations there."""
_STEP: Final = 0.35
_WARM: Final = 24
_LEAPS_WARM: Final = (2, 4)
_LEAPS: Final = (3, 6)
_JITTER: Final = 0.2
_MOST_BYTES: Final = 2**28


class Chains:
    """Eight chains of hyperparameters, started about a mode and warmed up.

    Attributes
    ----------
    mode : Mode
    tracks : list of Track
        What the chains have visited after the warm-up.
    """

    def __init__(self, setup: Setup, mode: Mode, rng: np.random.Generator) -> None:
        self.mode, self.tracks = mode, list[Track]()
        self._setup, self._rng, self._root = setup, rng, mode.root
        size = mode.center.size
        x = mode.center + _START * (rng.standard_normal((LANES, size)) @ mode.root.T)
        self._state = start_state(setup, x, mode.eta, mode.shock, _STEP)
        settle_state(setup, self._state, TOLERANCE)
        self.evaluations = LANES
        warm = self._run(_WARM, adapt=True)
        visited = warm.x[_WARM // 2 :].reshape(-1, size)
        spread = np.linalg.solve(mode.root, (visited - visited.mean(axis=0)).T).std(axis=1)
        self._root = mode.root * np.clip(spread, 0.7, 1.5)

    def extend(self, number: int) -> None:
        """Take `number` more steps of every chain."""
        self.tracks.append(self._run(number, adapt=False))

    def _run(self, number: int, *, adapt: bool) -> Track:
        rng, size = self._rng, self.mode.center.size
        kept = LANES * (sum(len(track.x) for track in self.tracks) + number)
        keep = not adapt and kept <= most_kept(self._setup.work)
        track = allocate_track(self._setup, number, size, keep=keep)
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
            TOLERANCE,
            track,
        )
        return track

    @property
    def x(self) -> Floats:
        """Points visited (n, lane, H)."""
        return np.concatenate([track.x for track in self.tracks])

    def latent(self, held: Ints) -> Latent | None:
        """Return the moments at the steps `held` of all chains; None where they were not kept."""
        parts = [track.latent for track in self.tracks]
        if sum(len(part.eta) for part in parts) < LANES * sum(len(t.x) for t in self.tracks):
            return None
        rows = (LANES * held[:, None] + np.arange(LANES)).reshape(-1)
        return Latent(*(np.concatenate(fields)[rows] for fields in zip(*parts, strict=True)))


def most_kept(work: Work) -> int:
    """Return for how many points the moments fit in memory."""
    return _MOST_BYTES // (2 * 8 * (work.eta.size // work.step.size))
