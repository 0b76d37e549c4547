"""Draws of one study's posterior by the fast engine."""

import numpy as np
from numba import njit

from pdsim.model.data import Floats, Ints, ModelData
from pdsim.model.laplace.corrections import settle
from pdsim.model.laplace.draws import draw, normals_per_draw
from pdsim.model.laplace.elementary import JIT
from pdsim.model.laplace.evaluate import LANES
from pdsim.model.laplace.explore import explore
from pdsim.model.laplace.hyper import Hyper, build_hyper, covariances, hyper_names, natural
from pdsim.model.laplace.importance import systematic
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
    work = allocate(problem, LANES)
    points = explore(problem, hyper, work, rng)
    posterior = build_posterior(problem, hyper, work, points)
    counts = systematic(posterior.weight, draws, rng.random()).astype(np.int64)
    facilities, indicators, periods = data.shape
    eta = np.empty((draws, facilities, indicators, 2))
    expected = np.empty((draws, facilities, indicators))
    fixed = np.empty((draws, 2 * indicators))
    x = np.empty((draws, posterior.x.shape[1]))
    _fill(problem, hyper, work, posterior, counts, rng, eta, expected, fixed, x)
    values, ignored = np.empty_like(x), np.empty(draws)
    natural(hyper, x, values, ignored)
    both = periods == 2
    return LaplaceResult(
        eta=eta if both else np.ascontiguousarray(eta[..., :1]),
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


def _fill(
    problem: Problem,
    hyper: Hyper,
    work: Work,
    posterior: Posterior,
    counts: Ints,
    rng: np.random.Generator,
    eta: Floats,
    expected: Floats,
    fixed: Floats,
    x: Floats,
) -> None:
    """Fill the draws, in random order."""
    used = np.flatnonzero(counts)
    used = used[np.argsort(-counts[used], kind="stable")]
    rows = rng.permutation(len(eta))
    needed = normals_per_draw(problem)
    done = 0
    for start in range(0, used.size, LANES):
        block = used[start : start + LANES]
        number = counts[block]
        lanes = np.repeat(np.arange(block.size), number)
        here = rows[done : done + lanes.size]
        xi = rng.standard_normal((lanes.size, needed))
        padded = np.resize(block, LANES)
        values = settle_points(problem, hyper, work, posterior.x[padded], *(
            np.ascontiguousarray(np.moveaxis(part[padded], 0, -1))
            for part in (
                posterior.eta, posterior.var, posterior.shared, posterior.shock,
                posterior.shock_var,
            )
        ))  # fmt: skip
        draw_many(problem, hyper, work, values, lanes, here, xi, eta, expected, fixed)
        x[here] = posterior.x[block[lanes]]
        done += lanes.size


@njit(**JIT)
def settle_points(
    problem: Problem,
    hyper: Hyper,
    work: Work,
    x: Floats,
    eta: Floats,
    var: Floats,
    shared: Floats,
    shock: Floats,
    shock_var: Floats,
) -> Floats:
    """Bring the lanes to the mean of the points x (lane, H); return the hyperparameters."""
    values, ignored = np.empty_like(x), np.empty(x.shape[0])
    natural(hyper, x, values, ignored)
    covariances(hyper, values, work.cov)
    work.eta[:] = eta
    work.shock[:] = shock
    settle(problem, work, var, shared, shock_var)
    return values


@njit(**JIT)
def draw_many(
    problem: Problem,
    hyper: Hyper,
    work: Work,
    values: Floats,
    lanes: Ints,
    rows: Ints,
    xi: Floats,
    eta: Floats,
    expected: Floats,
    fixed: Floats,
) -> None:
    """Make one draw from lane `lanes[n]` into row `rows[n]`, for every n."""
    for n in range(lanes.size):
        lane, row = lanes[n], rows[n]
        draw(
            problem, hyper, work, values[lane], lane, xi[n],
            eta[row], expected[row], fixed[row],
        )  # fmt: skip
