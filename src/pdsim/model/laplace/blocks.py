"""Draws from many hyperparameter points, eight points a block."""

from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from pdsim.arraytypes import Floats, Ints
from pdsim.jit import compiled, kernel, spliced
from pdsim.model.laplace.corrections import settle
from pdsim.model.laplace.elementary import to_normals
from pdsim.model.laplace.hyper import Hyper, covariances, natural
from pdsim.model.laplace.lanes import LANES, store
from pdsim.model.laplace.latent import Latent, restore_lane
from pdsim.model.laplace.latent_draws import (
    Draw,
    allocate_draw,
    cell_roots,
    draw,
    expected_slopes,
    normals_per_draw,
)
from pdsim.model.laplace.likelihood import facility_likelihood
from pdsim.model.laplace.moments import Spread
from pdsim.model.laplace.pinned import pin
from pdsim.model.laplace.problem import LaplaceProblem
from pdsim.model.laplace.setup import Setup
from pdsim.model.laplace.weighting import systematic
from pdsim.model.laplace.work import Work

_NORMALS: Final = 100_000
_SLOTS: Final = 16
"""Normal numbers in memory at once, unless that makes fewer slots than these."""
_LANES_OF_DRAWS: Final = 100
"""No lane makes more than one in this many draws."""


class Draws(NamedTuple):
    """Draws in random order.

    Attributes
    ----------
    eta : ndarray (draw, F, K, T)
    expected : ndarray (draw, F, K)
    baseline : ndarray (draw, F)
        Effect of each facility as a whole on its baseline, where facilities differ in its
        covariance.
    fixed : ndarray (draw, n)
        theta.
    x : ndarray (draw, H)
    point : ndarray (draw,)
        Number of the hyperparameter point.
    log_weight : ndarray (draw,)
    """

    eta: Floats
    expected: Floats
    baseline: Floats
    fixed: Floats
    x: Floats
    point: Ints
    log_weight: Floats


class Points(NamedTuple):
    """Hyperparameter points with what draws need to know of each.

    Attributes
    ----------
    x : ndarray (n, H)
    value : ndarray (n,)
        Log of the density that the points come from, up to a constant.
    latent : Latent
    number : ndarray (n,)
        What each is called in `Draws.point`.
    """

    x: Floats
    value: Floats
    latent: Latent
    number: Ints


def allocate_draws(setup: Setup, periods: int, draws: int) -> Draws:
    """Return arrays for so many draws."""
    facilities, indicators, _ = setup.problem.observed.shape
    return Draws(
        eta=np.empty((draws, facilities, indicators, periods)),
        expected=np.empty((draws if periods == 2 else 0, facilities, indicators)),
        baseline=np.empty((draws if setup.problem.slot.any() else 0, facilities)),
        fixed=np.empty((draws, setup.problem.prior_mean.size)),
        x=np.empty((draws, setup.hyper.family.size)),
        point=np.empty(draws, np.int64),
        log_weight=np.empty(draws),
    )


def fill_draws(
    setup: Setup,
    points: Points,
    rng: np.random.Generator,
    candidates: int,
    rows: Ints,
    drawn: Draws,
) -> None:
    """Draw from the points in equal shares, into the `rows` of `drawn`."""
    facilities = setup.problem.observed.shape[0]
    needed = normals_per_draw(setup.problem, candidates)
    together = max(_SLOTS, _NORMALS // (needed * LANES))
    weight = np.full(len(points.x), 1.0 / len(points.x))
    counts = systematic(weight, rows.size, rng.random())
    most = max(1, min(rows.size // _LANES_OF_DRAWS, together))
    used, numbers = spread_evenly(counts, most)
    out = allocate_draw(setup.work)
    xi = np.empty((together, needed, LANES))
    u = np.empty((together, candidates, facilities, LANES))
    for part in _parts(numbers[::LANES], together):
        lanes = slice(part.start * LANES, part.stop * LANES)
        slots = int(numbers[::LANES][part].sum())
        rng.random(out=xi[:slots])
        rng.random(out=u[:slots])
        done = numbers[: lanes.start].sum()
        draw_blocks(
            *setup, points, used[lanes], numbers[lanes], xi[:slots], u[:slots], out, rows[done:],
            drawn,
        )  # fmt: skip


def _parts(slots: Ints, most: int) -> list[slice]:
    """Cut blocks that take so many slots into parts of up to `most` slots."""
    ends, first, total = [0], 0, 0
    for n, number in enumerate(slots.tolist()):
        if total + number > most and n > first:
            ends.append(n)
            first, total = n, 0
        total += number
    return [slice(*pair) for pair in pairwise([*ends, len(slots)])]


def spread_evenly(counts: Ints, most: int) -> tuple[Ints, Ints]:
    """Return points for whole blocks of lanes and how often to draw from each, most first.

    Lanes of a block take as long as the busiest, so a point with more than `most` gets several.
    """
    lanes = -(-counts // most)
    used = np.repeat(np.arange(counts.size), lanes)
    numbers = np.full(used.size, most)
    numbers[np.cumsum(lanes)[lanes > 0] - 1] = (counts - most * (lanes - 1))[lanes > 0]
    order = np.argsort(-numbers, kind="stable")
    spare = -used.size % LANES
    return np.pad(used[order], (0, spare), mode="edge"), np.pad(numbers[order], (0, spare))


@compiled
def draw_blocks(
    problem: LaplaceProblem,
    hyper: Hyper,
    work: Work,
    spread: Spread,
    points: Points,
    used: Ints,
    numbers: Ints,
    xi: Floats,
    u: Floats,
    out: Draw,
    rows: Ints,
    drawn: Draws,
) -> None:
    """Draw `numbers` times from the points `used`, eight a block with the most first, into `rows`.

    `xi` (slot, needed, lane) and `u` (slot, candidates, F, lane) are uniforms, `xi` overwritten;
    a block takes as many slots as its first point has draws. The density of the points is
    corrected by the log weights.
    """
    problem, work, spread, out = pin(problem), pin(work), pin(spread), pin(out)
    slopes, start = np.empty((work.cov.shape[0], LANES)), np.empty((work.eta.shape[0], LANES))
    roots, mass, misfit = np.empty(work.inner.shape), np.empty(LANES), np.empty(LANES)
    slot = done = 0
    for first in range(0, used.size, LANES):
        block = used[first : first + LANES]
        _settle_points(
            problem, hyper, work, spread, points.x, points.latent, block,
            slopes, start, roots, mass,
        )  # fmt: skip
        for n in range(numbers[first]):
            to_normals(xi[slot])
            draw(problem, work, slopes, start, roots, xi[slot], u[slot], out, misfit)
            slot += 1
            for j in range(LANES):
                if numbers[first + j] > n:
                    row = rows[done]
                    keep_draw(out, j, row, drawn)
                    for h in range(drawn.x.shape[1]):
                        drawn.x[row, h] = points.x[block[j], h]
                    drawn.point[row] = points.number[block[j]]
                    drawn.log_weight[row] = mass[j] + misfit[j] - points.value[block[j]]
                    done += 1


@spliced
def _settle_points(
    problem: LaplaceProblem,
    hyper: Hyper,
    work: Work,
    spread: Spread,
    x: Floats,
    latent: Latent,
    block: Ints,
    slopes: Floats,
    start: Floats,
    roots: Floats,
    mass: Floats,
) -> None:
    """Settle the lanes at the points `block` (lane,), and fill what draws from them share.

    That is the slopes of `expected_slopes`, the log likelihood of the facilities at the mean
    (F, lane), `cell_roots`, and the log of the normal density's mass times the prior (lane,).
    """
    here = np.empty((x.shape[1], LANES))
    for j in range(LANES):
        for h in range(x.shape[1]):
            here[h, j] = x[block[j], h]
    values, unused, log_prior = np.empty(here.shape), np.empty(here.shape), np.empty(LANES)
    natural(hyper, here, values, unused, log_prior, unused)
    covariances(hyper, values, work.cov)
    for j in range(LANES):
        restore_lane(latent, block[j], work, spread, j)
    settle(problem, work, spread)
    for j in range(LANES):
        mass[j] = work.objective[j] + log_prior[j]
    expected_slopes(hyper, values, slopes)
    cell_roots(work, roots)
    for i in range(work.eta.shape[0]):
        store(start, (i,), facility_likelihood(problem, i, work.eta[i], work.shock[i]))


@kernel
def keep_draw(out: Draw, j: int, row: int, drawn: Draws) -> None:
    """Copy lane j of a draw to a row."""
    facilities, indicators, periods = drawn.eta.shape[1:]
    for i in range(facilities):
        for k in range(indicators):
            for t in range(periods):
                drawn.eta[row, i, k, t] = out.eta[i, k, t, j]
            if periods == 2:
                drawn.expected[row, i, k] = out.expected[i, k, j]
        if drawn.baseline.shape[0] > 0:
            drawn.baseline[row, i] = out.baseline[i, j]
    for c in range(drawn.fixed.shape[1]):
        drawn.fixed[row, c] = out.fixed[c, j]
