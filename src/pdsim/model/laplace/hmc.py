"""Chains of hyperparameters: Hamiltonian Monte Carlo about a mode, with warm-up."""

from typing import Final

import numpy as np

from pdsim.arraytypes import Floats, Ints
from pdsim.model.laplace.bend import find_bend, jacobian, no_bend, straightened
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
_FEW: Final = 200
"""Facilities up to which one warm-up does, the force leaves the correction out, and no ridge is
straightened. With more of them the posterior is narrower, and errors of the force count for more.
"""
_START: Final = 0.7
"""Spread of the first points about the mode, in the standard deviations there."""
_STEP: Final = 0.35
_WARM: Final = 24
_WARM_AGAIN: Final = 40
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
        self._setup, self._rng = setup, rng
        size, facilities = mode.center.size, len(setup.problem.observed)
        self.tolerance = TOLERANCE * min(1.0, (_FEW / facilities) ** 1.5)
        many = facilities > _FEW
        self._bend, tilt, start, self._plain = no_bend(size), np.zeros(size), mode.center, mode.root
        if many:
            self._bend, tilt = find_bend(setup.hyper, mode.center, mode.root), mode.tilt
            turn = jacobian(setup.hyper, self._bend, mode.center)
            self._plain = np.linalg.cholesky(turn @ mode.root @ mode.root.T @ turn.T)
            start = mode.center + turn @ mode.root @ (mode.root.T @ tilt)
        self._root = self._plain
        y = start + _START * (rng.standard_normal((LANES, size)) @ self._plain.T)
        self._state = start_state(setup, y, mode.eta, mode.shock, _STEP, tilt=tilt, bend=self._bend)
        settle_state(setup, self._state, self.tolerance)
        self.evaluations = LANES
        seen = self._warm_up(_WARM)
        self._root = mode.root * np.clip(seen.std(axis=1), 0.7, 1.5)
        if many:
            self._root = self._plain @ np.linalg.cholesky(_drawn_to_identity(seen))
            seen = self._warm_up(_WARM_AGAIN)
            self._root = self._plain @ np.linalg.cholesky(_drawn_to_identity(seen))

    def _warm_up(self, number: int) -> Floats:
        """Take steps that find the length of a leap; return where their second half was (H, n).

        It is measured from its mean, in the standard deviations at the mode.
        """
        x = self._run(number, adapt=True).x[number // 2 :].reshape(-1, len(self._root))
        y = straightened(self._setup.hyper, self._bend, x)
        return np.linalg.solve(self._plain, (y - y.mean(axis=0)).T)

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
            self.tolerance,
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


def _drawn_to_identity(seen: Floats) -> Floats:
    """Return the covariance of points (H, n) about 0 as if H more of covariance 1 were there."""
    size, number = seen.shape
    found: Floats = (seen @ seen.T + size * np.eye(size)) / (number + size)
    return found


def most_kept(work: Work) -> int:
    """Return for how many points the moments fit in memory."""
    return _MOST_BYTES // (2 * 8 * (work.eta.size // work.step.size))
