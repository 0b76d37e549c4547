r"""Trajectories of Hamiltonian Monte Carlo, eight side by side as the lanes.

The target is the corrected Laplace marginal. The force along a trajectory is the gradient of the
uncorrected one: any force that depends on the place alone keeps the chain exact as long as the
target decides on acceptance (Neal 2011, arXiv 1206.1901, section 5), and the correction is then
needed once a trajectory.

One function is compiled for everything, since compiling is what a first use waits for: a trajectory
of no leaps evaluates the density where it stands.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import numpy as np

from pdsim.arraytypes import Floats, Ints
from pdsim.jit import compiled, kernel, spliced
from pdsim.model.laplace.corrections import evidence_correction, move_to_mean
from pdsim.model.laplace.evaluate import density
from pdsim.model.laplace.hyper import Hyper
from pdsim.model.laplace.lanes import LANES, Lanes, fill, fma, load, store
from pdsim.model.laplace.latent import Latent, allocate_latent, copy_point, keep_lane
from pdsim.model.laplace.moments import Spread
from pdsim.model.laplace.pinned import pin
from pdsim.model.laplace.problem import LaplaceProblem
from pdsim.model.laplace.setup import Setup
from pdsim.model.laplace.work import Work

_ACCEPTANCE: Final = 0.8
FARTHEST: Final = 25.0
"""A point with a coordinate beyond is refused: correlations there are 1 to 1e-490, standard
deviations above a thousand times their unit."""


class State(NamedTuple):
    """Where the chains are.

    Attributes
    ----------
    x, slope : ndarray (H, lane)
        The slope is that of the log density without its correction.
    value, correction : ndarray (lane,)
        The log density, corrected, and the correction in it.
    eta, shock : (F, K, 2, lane), (F, G, 2, lane)
        The latent mode.
    latent : Latent
        Moments of the latent effects, a point for each lane.
    step : ndarray (1,)
    """

    x: Floats
    slope: Floats
    value: Floats
    correction: Floats
    eta: Floats
    shock: Floats
    latent: Latent
    step: Floats


class Track(NamedTuple):
    """Points that the chains have visited; `latent` is empty where memory would not hold it.

    Attributes
    ----------
    x : ndarray (n, chain, H)
    value : ndarray (n, chain)
        Corrected log density, up to a constant.
    latent : Latent
        Points in the order n, chain.
    acceptance : ndarray (n,)
        Mean over the chains.
    """

    x: Floats
    value: Floats
    latent: Latent
    acceptance: Floats


@kernel
def _turn(root: Floats, x: Floats, step: float, out: Floats) -> None:
    """Add step times root x to `out`; x and out (H, lane), root lower."""
    for a in range(root.shape[0]):
        total = fill(0.0)
        for b in range(a + 1):
            total = fma(root[a, b], load(x, (b,)), total)
        store(out, (a,), fma(step, total, load(out, (a,))))


@kernel
def _turn_back(root: Floats, x: Floats, step: float, out: Floats) -> None:
    """Add step times root' x to `out`."""
    for a in range(root.shape[0]):
        total = fill(0.0)
        for b in range(a, root.shape[0]):
            total = fma(root[b, a], load(x, (b,)), total)
        store(out, (a,), fma(step, total, load(out, (a,))))


@kernel
def _energy(momentum: Floats) -> Lanes:
    total = fill(0.0)
    for a in range(momentum.shape[0]):
        total = fma(load(momentum, (a,)), load(momentum, (a,)), total)
    return 0.5 * total


@kernel
def _copy(source: Floats, j: int, target: Floats) -> None:
    """Copy lane j of arrays (a, b, 2, lane)."""
    for a in range(source.shape[0]):
        for b in range(source.shape[1]):
            for t in range(2):
                target[a, b, t, j] = source[a, b, t, j]


@spliced
def _fly(
    problem: LaplaceProblem,
    hyper: Hyper,
    work: Work,
    spread: Spread,
    state: State,
    root: Floats,
    momentum: Floats,
    step: float,
    leaps: int,
    tolerance: float,
    x: Floats,
    value: Floats,
    slope: Floats,
    alive: Floats,
) -> None:
    """Follow a trajectory from `state`, `momentum` (H, lane) moving along.

    `x`, `value` and `slope` are those of its end, `alive` (lane,) is 0 where it was lost.
    """
    size = x.shape[0]
    for j in range(LANES):
        alive[j] = 1.0
        for h in range(size):
            x[h, j], slope[h, j] = state.x[h, j], state.slope[h, j]
        _copy(state.eta, j, work.eta)
        _copy(state.shock, j, work.shock)
    for _ in range(max(leaps, 1)):
        if leaps > 0:
            _turn_back(root, slope, 0.5 * step, momentum)
            _turn(root, momentum, step, x)
        for j in range(LANES):
            for h in range(size):
                if not abs(x[h, j]) <= FARTHEST:
                    alive[j] = 0.0
            if alive[j] == 0.0:
                for h in range(size):
                    x[h, j] = state.x[h, j]
        density(problem, hyper, work, spread, x, tolerance, value, slope)
        for j in range(LANES):
            if not np.isfinite(value[j]):
                alive[j] = 0.0
            if alive[j] == 0.0 and leaps > 0:
                _copy(state.eta, j, work.eta)
                _copy(state.shock, j, work.shock)
                for h in range(size):
                    momentum[h, j], slope[h, j] = 0.0, 0.0
        if leaps > 0:
            _turn_back(root, slope, 0.5 * step, momentum)


@compiled
def trajectories(
    problem: LaplaceProblem,
    hyper: Hyper,
    work: Work,
    spread: Spread,
    state: State,
    root: Floats,
    momenta: Floats,
    uniforms: Floats,
    leaps: Ints,
    factors: Floats,
    adapt: bool,
    tolerance: float,
    track: Track,
) -> None:
    """Follow trajectories with the `momenta` (n, H, lane), turned around, and fill `track`.

    `uniforms` (n, lane) decide on acceptance; the step is `state.step` times `factors` (n,), and
    with `adapt` moves towards the acceptance wanted. Newton's method stops at `tolerance`.
    """
    problem, work, spread = pin(problem), pin(work), pin(spread)
    size = state.x.shape[0]
    x, slope = np.empty((size, LANES)), np.empty((size, LANES))
    value, correction, alive = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    before, after = np.empty(LANES), np.empty(LANES)
    for n in range(momenta.shape[0]):
        step = state.step[0] * factors[n]
        store(before, (), _energy(momenta[n]))
        _fly(
            problem, hyper, work, spread, state, root, momenta[n], step, leaps[n], tolerance,
            x, value, slope, alive,
        )  # fmt: skip
        store(after, (), _energy(momenta[n]))
        evidence_correction(problem, work, spread, correction)
        accepted = 0.0
        for j in range(LANES):
            gain = value[j] + correction[j] - after[j] - state.value[j] + before[j]
            chance = min(1.0, np.exp(min(gain, 0.0))) if alive[j] > 0.0 else 0.0
            chance = chance if np.isfinite(chance) else 0.0
            accepted += chance / LANES
            alive[j] = 1.0 if uniforms[n, j] < chance or leaps[n] == 0 else 0.0
            if alive[j] > 0.0:
                state.value[j] = value[j] + correction[j]
                state.correction[j] = correction[j]
                for h in range(size):
                    state.x[h, j], state.slope[h, j] = x[h, j], slope[h, j]
                _copy(work.eta, j, state.eta)
                _copy(work.shock, j, state.shock)
        move_to_mean(work)
        for j in range(LANES):
            if alive[j] > 0.0:
                keep_lane(work, spread, j, state.latent, j)
            if track.latent.eta.shape[0] > 0:
                copy_point(state.latent, j, track.latent, n * LANES + j)
            track.value[n, j] = state.value[j]
            for h in range(size):
                track.x[n, j, h] = state.x[h, j]
        track.acceptance[n] = accepted
        if adapt:
            state.step[0] *= np.exp(0.6 / np.sqrt(n + 1.0) * (accepted - _ACCEPTANCE))


def start_state(setup: Setup, x: Floats, eta: Floats, shock: Floats, step: float) -> State:
    """Return a state at x (lane, H) with nothing evaluated; eta (F, K, 2) and shock for all."""
    work = setup.work
    return State(
        x=np.ascontiguousarray(x.T),
        slope=np.zeros((x.shape[1], LANES)),
        value=np.zeros(LANES),
        correction=np.zeros(LANES),
        eta=np.repeat(eta[..., None], LANES, axis=-1),
        shock=np.repeat(shock[..., None], LANES, axis=-1),
        latent=allocate_latent(work, LANES),
        step=np.array([step]),
    )


def allocate_track(setup: Setup, number: int, chains: int, size: int, *, keep: bool) -> Track:
    """Return room for `number` steps of so many chains; with the latent moments if `keep`."""
    return Track(
        x=np.empty((number, chains, size)),
        value=np.empty((number, chains)),
        latent=allocate_latent(setup.work, number * chains if keep else 0),
        acceptance=np.empty(number),
    )


def settle_state(setup: Setup, state: State, tolerance: float) -> None:
    """Evaluate the density where the chains stand."""
    size = len(state.x)
    trajectories(
        *setup,
        state,
        np.eye(size),
        np.zeros((1, size, LANES)),
        np.zeros((1, LANES)),
        np.zeros(1, np.int64),
        np.zeros(1),
        False,
        tolerance,
        allocate_track(setup, 1, LANES, size, keep=False),
    )


class Evaluated(NamedTuple):
    """The density at n points.

    Attributes
    ----------
    plain, correction : ndarray (n,)
        Log of the Laplace marginal, -inf where it fails, and what corrects it.
    slope : ndarray (n, H)
        Of `plain`.
    latent : Latent
    eta, shock : ndarray (F, K, 2), (F, G, 2)
        The mode at the first point.
    """

    plain: Floats
    correction: Floats
    slope: Floats
    latent: Latent
    eta: Floats
    shock: Floats


def evaluate(
    setup: Setup, x: Floats, eta: Floats, shock: Floats, tolerance: float, *others: Setup
) -> Evaluated:
    """Return the density at points x (n, H); every search starts at eta (F, K, 2) and shock.

    Each twin of `setup` among `others` works in a thread of its own.
    """
    number, setups = len(x), (setup, *others)
    found = Evaluated(
        plain=np.empty(number),
        correction=np.empty(number),
        slope=np.empty(x.shape),
        latent=allocate_latent(setup.work, number),
        eta=np.empty_like(eta),
        shock=np.empty_like(shock),
    )

    def fill(thread: int) -> None:
        for first in range(thread * LANES, number, len(setups) * LANES):
            rows = np.minimum(np.arange(first, first + LANES), number - 1)
            state = start_state(setups[thread], x[rows], eta, shock, 0.0)
            settle_state(setups[thread], state, tolerance)
            plain, here = state.value - state.correction, slice(first, rows[-1] + 1)
            used = slice(rows[-1] + 1 - first)
            found.plain[here] = np.where(np.isfinite(plain), plain, -np.inf)[used]
            found.correction[here] = state.correction[used]
            found.slope[here] = state.slope.T[used]
            for kept, moments in zip(found.latent, state.latent, strict=True):
                kept[here] = moments[used]
            if first == 0:
                found.eta[:], found.shock[:] = state.eta[..., 0], state.shock[..., 0]

    if others:
        with ThreadPoolExecutor(len(setups)) as pool:
            list(pool.map(fill, range(len(setups))))
    else:
        fill(0)
    return found
