"""Draws of one study's posterior by the fast engine."""

import numpy as np

from pdsim.model.data import Floats, Ints, ModelData
from pdsim.model.laplace.corrections import settle
from pdsim.model.laplace.draws import (
    Draw,
    allocate_draw,
    draw,
    expected_slopes,
    normals_per_draw,
)
from pdsim.model.laplace.explore import explore
from pdsim.model.laplace.hyper import Hyper, build_hyper, covariances, hyper_names, natural
from pdsim.model.laplace.importance import systematic
from pdsim.model.laplace.jit import entry
from pdsim.model.laplace.lanes import LANES
from pdsim.model.laplace.latent import Latent, restore_lane
from pdsim.model.laplace.moments import Spread, allocate_spread
from pdsim.model.laplace.posterior import Posterior, build_posterior
from pdsim.model.laplace.problem import Problem, build_problem
from pdsim.model.laplace.result import LaplaceResult
from pdsim.model.laplace.work import Work, allocate


def sample_laplace(data: ModelData, *, draws: int, seed: int) -> LaplaceResult:
    """Draw from the posterior with the fast engine.

    Parameters
    ----------
    data : ModelData
    draws : int
    seed : int

    Returns
    -------
    LaplaceResult
    """
    problem, hyper = build_problem(data), build_hyper(data)
    rng = np.random.default_rng(seed)
    work = allocate(problem)
    spread = allocate_spread(work)
    points = explore(problem, hyper, work, spread, rng)
    posterior = build_posterior(problem, hyper, work, spread, points)
    facilities, indicators, periods = data.shape
    eta = np.empty((draws, facilities, indicators, periods))
    expected = np.empty((draws if periods == 2 else 0, facilities, indicators))
    fixed = np.empty((draws, 2 * indicators))
    x = _draw_posterior(problem, hyper, work, spread, posterior, rng, eta, expected, fixed)
    values, ignored = np.empty_like(x), np.empty(draws)
    natural(hyper, x, values, ignored)
    both = periods == 2
    return LaplaceResult(
        eta=eta,
        eta_expected=expected if both else None,
        alpha=fixed[:, 0::2].copy(),
        beta=fixed[:, 1::2] - fixed[:, 0::2] if both else None,
        hyper=dict(zip(hyper_names(data), values.T.copy(), strict=True)),
        ess=float(draws),
        weight_ess=posterior.ess,
        pareto_k=posterior.pareto_k,
        iterations=points.mode.iterations,
        evaluations=points.evaluations,
        escalations=points.escalations,
        reliable=posterior.reliable,
    )


def _draw_posterior(
    problem: Problem,
    hyper: Hyper,
    work: Work,
    spread: Spread,
    posterior: Posterior,
    rng: np.random.Generator,
    eta: Floats,
    expected: Floats,
    fixed: Floats,
) -> Floats:
    """Fill the draws in random order; return x of each, (draw, H)."""
    counts = systematic(posterior.weight, len(eta), rng.random())
    used = np.flatnonzero(counts)
    used = used[np.argsort(-counts[used], kind="stable")]
    rows = rng.permutation(len(eta))
    x = np.empty((len(eta), posterior.x.shape[1]))
    out = allocate_draw(work)
    needed = normals_per_draw(problem)
    done = 0
    for first in range(0, used.size, LANES):
        block = np.resize(used[first : first + LANES], LANES)
        number = counts[block]
        number[used.size - first :] = 0
        slopes = settle_points(problem, hyper, work, spread, posterior.x, posterior.latent, block)
        for _ in range(number.max()):
            active = np.flatnonzero(number > 0)
            here = rows[done : done + active.size]
            xi = rng.standard_normal((needed, LANES))
            draw(problem, work, slopes, xi, out)
            keep_draws(out, active, here, eta, expected, fixed)
            x[here] = posterior.x[block[active]]
            number[active] -= 1
            done += active.size
    return x


@entry
def settle_points(
    problem: Problem,
    hyper: Hyper,
    work: Work,
    spread: Spread,
    x: Floats,
    latent: Latent,
    block: Ints,
) -> Floats:
    """Settle the lanes at the points `block` (lane,); return the slopes (slot, lane)."""
    here = np.empty((LANES, x.shape[1]))
    for j in range(LANES):
        for h in range(x.shape[1]):
            here[j, h] = x[block[j], h]
    values, ignored = np.empty(here.shape), np.empty(LANES)
    natural(hyper, here, values, ignored)
    covariances(hyper, values, work.cov)
    for j in range(LANES):
        restore_lane(latent, block[j], work, spread, j)
    settle(problem, work, spread)
    slopes = np.empty((3, LANES))
    expected_slopes(hyper, values, slopes)
    return slopes


@entry
def keep_draws(
    out: Draw, lanes: Ints, rows: Ints, eta: Floats, expected: Floats, fixed: Floats
) -> None:
    """Copy lane `lanes[n]` of a draw to row `rows[n]`, for every n."""
    facilities, indicators, periods = eta.shape[1:]
    for n in range(lanes.size):
        j, row = lanes[n], rows[n]
        for i in range(facilities):
            for k in range(indicators):
                for t in range(periods):
                    eta[row, i, k, t] = out.eta[i, k, t, j]
                if periods == 2:
                    expected[row, i, k] = out.expected[i, k, j]
        for c in range(fixed.shape[1]):
            fixed[row, c] = out.fixed[c, j]
