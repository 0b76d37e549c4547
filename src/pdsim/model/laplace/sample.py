"""Draws of one study's posterior by the fast engine."""

from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from pdsim.jit import compiled, kernel
from pdsim.model.convergence import LAPLACE_SHARE_LIMIT, PARETO_K_LIMIT, laplace_draws_limit
from pdsim.model.data import Floats, Ints, ModelData
from pdsim.model.laplace.cells import facility_likelihood
from pdsim.model.laplace.corrections import settle
from pdsim.model.laplace.draws import (
    Draw,
    allocate_draw,
    cell_roots,
    draw,
    expected_slopes,
    normals_per_draw,
)
from pdsim.model.laplace.elementary import to_normals
from pdsim.model.laplace.hyper import Hyper, build_hyper, covariances, hyper_names, natural
from pdsim.model.laplace.importance import normalise, pareto_k, systematic
from pdsim.model.laplace.lanes import LANES, store
from pdsim.model.laplace.latent import Latent, restore_lane
from pdsim.model.laplace.moments import Spread, allocate_spread
from pdsim.model.laplace.pinned import pin
from pdsim.model.laplace.posterior import (
    MOST_WEIGHTED,
    POINTS,
    Posterior,
    composite_of,
    infer,
    precision,
)
from pdsim.model.laplace.problem import Problem, build_problem
from pdsim.model.laplace.result import LaplaceResult
from pdsim.model.laplace.work import Work, allocate

_TOGETHER: Final = 50
_NORMALS: Final = 100_000
_SLOTS: Final = 16
"""Normal numbers in memory at once, unless that makes fewer slots than these."""
_MORE_CANDIDATES: Final = 4
_MOST_RAISES: Final = 2
_WANTED: Final = 1.5
"""Effective draws to work for, in those that the gate asks for."""
_LANES_OF_DRAWS: Final = 100
"""No lane makes more than one in this many draws."""


def sample_laplace(
    data: ModelData, *, draws: int, seed: int, points: int = POINTS
) -> LaplaceResult:
    """Draw from the posterior with the fast engine.

    Parameters
    ----------
    data : ModelData
    draws : int
        Equally weighted draws wanted.
    seed : int
        The same seed gives the same draws on the same machine.
    points : int
        Hyperparameter points to begin with. Their effective number, about half, bounds that of
        the hyperparameters' draws.

    Returns
    -------
    LaplaceResult
        Its ``reliable`` is False where NUTS should be asked instead.

    Notes
    -----
    Hyperparameters are drawn by importance sampling on a quasi-random net from a posterior in which
    a corrected Laplace approximation integrates the latent effects out (Rue, Martino, Chopin 2009,
    doi 10.1111/j.1467-9868.2008.00700.x). The latent effects are drawn from a Gaussian
    approximation and weighted (`draws`), which makes the joint posterior exact but for Monte Carlo
    error. Beyond 200 facilities only the choice between candidates is left of that.

    Examples
    --------
    >>> import pdsim
    >>> from pdsim.model.data import model_data
    >>> data = model_data(pdsim.load_example("surgical"))
    >>> result = sample_laplace(data, draws=200, seed=1)
    >>> result.eta.shape
    (200, 12, 1, 1)
    """
    setup = set_up(data)
    rng = np.random.default_rng(seed)
    fit = draw_posterior(setup, data, draws=draws, rng=rng, points=points)
    posterior, drawn = fit.posterior, fit.drawn
    both = data.shape[2] == 2
    values, ignored = np.empty_like(drawn.x), np.empty(draws)
    natural(setup.hyper, drawn.x, values, ignored)
    return LaplaceResult(
        eta=drawn.eta,
        eta_expected=drawn.expected if both else None,
        alpha=drawn.fixed[:, 0::2].copy(),
        beta=drawn.fixed[:, 1::2] - drawn.fixed[:, 0::2] if both else None,
        hyper=dict(zip(hyper_names(data), values.T.copy(), strict=True)),
        ess=fit.ess,
        weight_ess=posterior.ess,
        pareto_k=posterior.pareto_k,
        joint_share=fit.share,
        joint_k=fit.pareto_k,
        exact=posterior.exact,
        iterations=posterior.iterations,
        evaluations=posterior.evaluations,
        escalations=fit.escalations,
        reliable=fit.reliable,
    )


class Setup(NamedTuple):
    """All that fits of one shape share; only the observations of `problem` may be exchanged."""

    problem: Problem
    hyper: Hyper
    work: Work
    spread: Spread


class Draws(NamedTuple):
    """Draws in random order: eta (draw, F, K, T), expected (draw, F, K), mu, x (draw, H)."""

    eta: Floats
    expected: Floats
    fixed: Floats
    x: Floats


class Fit(NamedTuple):
    """Draws of one posterior, and how far they can be trusted.

    Attributes
    ----------
    posterior : Posterior
    drawn : Draws
    ess : float
        Effective number of draws of the composite.
    share, pareto_k : float
        Effective share of the draws under the weights that make them exact, and Pareto k of these.
    escalations : int
        How often the number of points, or of candidates, was raised.
    reliable : bool
        Whether every gate is passed.
    """

    posterior: Posterior
    drawn: Draws
    ess: float
    share: float
    pareto_k: float
    escalations: int
    reliable: bool


def set_up(data: ModelData) -> Setup:
    """Return the arrays that fits of the shape of `data` share."""
    problem = build_problem(data)
    work = allocate(problem)
    return Setup(problem, build_hyper(data), work, allocate_spread(work))


def draw_posterior(
    setup: Setup,
    data: ModelData,
    *,
    draws: int,
    rng: np.random.Generator,
    points: int = POINTS,
) -> Fit:
    """Fit the observations of `setup` and draw from the posterior, with more effort where needed.

    Points are added where they are what limits the effective number of draws; otherwise more
    candidates are drawn for every facility.
    """
    facilities = len(setup.problem.observed)
    weighted = facilities <= MOST_WEIGHTED and not setup.problem.gaussian
    limit = laplace_draws_limit(draws) if facilities <= MOST_WEIGHTED else 0.0
    candidates, raised = 1 if setup.problem.gaussian else 2, 0
    posteriors = infer(*setup, rng, points=points)
    posterior = next(posteriors)
    while True:
        drawn, log_weight = fill_draws(setup, posterior, rng, draws, candidates)
        share, k = 1.0, 0.0
        if weighted:
            weight = normalise(log_weight)
            share, k = float(1.0 / np.sum(weight**2) / draws), pareto_k(log_weight)
        ess, by_points = precision(data, posterior, _composite(data, drawn), share * draws)
        good = share > LAPLACE_SHARE_LIMIT and k < PARETO_K_LIMIT
        passed = good and ess > limit
        if passed and ess > _WANTED * limit:
            break
        limited = good and by_points < share * draws
        more = next(posteriors, None) if limited else None
        if more is not None:
            posterior = more
        elif weighted and raised < (1 if passed else _MOST_RAISES):
            candidates, raised = candidates * _MORE_CANDIDATES, raised + 1
        else:
            break
    if weighted:
        _resample(drawn, systematic(weight, draws, rng.random()))
    return Fit(
        posterior=posterior,
        drawn=drawn,
        ess=ess,
        share=share,
        pareto_k=k,
        escalations=posterior.escalations + raised,
        reliable=posterior.reliable and passed,
    )


def _resample(drawn: Draws, counts: Ints) -> None:
    """Repeat draws as often as `counts` (draw,) says, over those that it drops.

    Draws are in random order, and so stay exchangeable.
    """
    dropped = np.flatnonzero(counts == 0)
    copies = np.repeat(np.arange(counts.size), np.maximum(counts - 1, 0))
    for part in drawn:
        if len(part) > 0:
            part[dropped] = part[copies]


def _composite(data: ModelData, drawn: Draws) -> Floats:
    parts = range(0, len(drawn.eta), _TOGETHER)
    return np.concatenate([composite_of(data, drawn.eta[n : n + _TOGETHER]) for n in parts])


def fill_draws(
    setup: Setup,
    posterior: Posterior,
    rng: np.random.Generator,
    draws: int,
    candidates: int,
) -> tuple[Draws, Floats]:
    """Return draws in random order and their log weights (draw,)."""
    facilities, indicators, _ = setup.problem.observed.shape
    periods = setup.hyper.periods
    drawn = Draws(
        eta=np.empty((draws, facilities, indicators, periods)),
        expected=np.empty((draws if periods == 2 else 0, facilities, indicators)),
        fixed=np.empty((draws, 2 * indicators)),
        x=np.empty((draws, posterior.x.shape[1])),
    )
    log_weight = np.empty(draws)
    needed = normals_per_draw(setup.problem, candidates)
    together = max(_SLOTS, _NORMALS // (needed * LANES))
    counts = systematic(posterior.weight, draws, rng.random())
    most = max(1, min(draws // _LANES_OF_DRAWS, together))
    used, numbers = spread_evenly(counts, most)
    rows = rng.permutation(draws)
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
            *setup, posterior, used[lanes], numbers[lanes], xi[:slots], u[:slots], out, rows[done:],
            drawn, log_weight,
        )  # fmt: skip
    return drawn, log_weight


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
    problem: Problem,
    hyper: Hyper,
    work: Work,
    spread: Spread,
    posterior: Posterior,
    used: Ints,
    numbers: Ints,
    xi: Floats,
    u: Floats,
    out: Draw,
    rows: Ints,
    drawn: Draws,
    log_weight: Floats,
) -> None:
    """Draw `numbers` times from the points `used`, eight a block with the most first, into `rows`.

    `xi` (slot, needed, lane) and `u` (slot, candidates, F, lane) are uniforms, `xi` overwritten;
    a block takes as many slots as its first point has draws. The density of the points is
    corrected by the log weights.
    """
    problem, work, spread, out = pin(problem), pin(work), pin(spread), pin(out)
    slopes, start = np.empty((3, LANES)), np.empty((work.eta.shape[0], LANES))
    roots, mass, misfit = np.empty(work.inner.shape), np.empty(LANES), np.empty(LANES)
    slot = done = 0
    for first in range(0, used.size, LANES):
        block = used[first : first + LANES]
        _settle_points(
            problem, hyper, work, spread, posterior.x, posterior.latent, block,
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
                        drawn.x[row, h] = posterior.x[block[j], h]
                    log_weight[row] = mass[j] + misfit[j] - posterior.value[block[j]]
                    done += 1


@kernel
def _settle_points(
    problem: Problem,
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
    here = np.empty((LANES, x.shape[1]))
    for j in range(LANES):
        for h in range(x.shape[1]):
            here[j, h] = x[block[j], h]
    values, log_prior = np.empty(here.shape), np.empty(LANES)
    natural(hyper, here, values, log_prior)
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
    for c in range(drawn.fixed.shape[1]):
        drawn.fixed[row, c] = out.fixed[c, j]
