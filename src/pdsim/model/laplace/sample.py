"""Draws of one study's posterior by the fast engine."""

import numpy as np

from pdsim.model.data import Floats, Ints, ModelData
from pdsim.model.laplace.draws import draw, normals_per_draw
from pdsim.model.laplace.evaluate import LANES, place
from pdsim.model.laplace.explore import Points, explore
from pdsim.model.laplace.hyper import Hyper, build_hyper, hyper_names, natural
from pdsim.model.laplace.importance import systematic
from pdsim.model.laplace.moments import to_mean
from pdsim.model.laplace.problem import Problem, build_problem
from pdsim.model.laplace.result import LaplaceResult
from pdsim.model.laplace.solve import newton
from pdsim.model.laplace.work import Work, allocate

_TOLERANCE = 1e-3


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
    counts = systematic(points.weight, draws, rng.random())
    facilities, indicators, periods = data.shape
    eta = np.empty((draws, facilities, indicators, 2))
    expected = np.empty((draws, facilities, indicators))
    fixed = np.empty((draws, 2 * indicators))
    x = np.empty((draws, points.x.shape[1]))
    order = rng.permutation(draws)
    _fill(problem, hyper, work, points, counts, order, rng, eta, expected, fixed, x)
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
        weight_ess=points.ess,
        pareto_k=points.pareto_k,
        iterations=points.mode.iterations,
        evaluations=points.evaluations,
        escalations=points.escalations,
        reliable=points.reliable,
    )


def _fill(
    problem: Problem,
    hyper: Hyper,
    work: Work,
    points: Points,
    counts: Ints,
    order: Ints,
    rng: np.random.Generator,
    eta: Floats,
    expected: Floats,
    fixed: Floats,
    x: Floats,
) -> None:
    """Fill the draws, each at its place in `order`."""
    used = np.flatnonzero(counts)
    var = np.empty_like(work.eta)
    shared, shock = np.empty_like(work.cross), np.empty_like(work.shock)
    log_prior, values = np.empty(LANES), np.empty((LANES, points.x.shape[1]))
    done = 0
    for start in range(0, used.size, LANES):
        block = used[start : start + LANES]
        padded = points.x[np.resize(block, LANES)]
        place(hyper, work, padded, points.mode.eta, points.mode.shock, log_prior)
        newton(problem, work, _TOLERANCE)
        to_mean(problem, work, var, shared, shock)
        natural(hyper, padded, values, log_prior)
        for lane, point in enumerate(block):
            for _ in range(counts[point]):
                row = order[done]
                xi = rng.standard_normal(normals_per_draw(problem))
                draw(
                    problem, hyper, work, values[lane], lane, xi,
                    eta[row], expected[row], fixed[row],
                )  # fmt: skip
                x[row] = points.x[point]
                done += 1
