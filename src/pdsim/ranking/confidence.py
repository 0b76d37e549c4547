"""Frequentist confidence sets of ranks and of the best or worst m."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Bools, Floats
from pdsim.conventions import CI_PROB, DEFAULT_M, Side
from pdsim.errors import InputError, Problem
from pdsim.ranking.correlated import as_covariance
from pdsim.ranking.draws import check_m, check_probability, check_side
from pdsim.terms.stepdown import (
    LEAST_DRAWS,
    RUN,
    bounds,
    default_draws,
    draw_normal,
    step_down,
    studentised,
)

_BORDER = 0.01
"""A facility is borderline if this share of runs, or more, puts it on the other side."""


def rank_confidence_set(
    estimate: xr.DataArray,
    covariance: xr.DataArray | Floats,
    *,
    m: int = DEFAULT_M,
    side: Side = "top",
    coverage: float = CI_PROB,
    draws: int | None = None,
    seed: int,
) -> xr.Dataset:
    """Return the facilities that may be among the m best (or worst), and intervals of ranks.

    All ordered pairs are tested, whether one is ahead of the other, by studentised differences
    and step-down critical values of their maximum, drawn from the normal distribution. Whoever is
    surely ahead of, or behind, a facility bounds its rank. In repeated studies the set holds
    all of the true m best, and the simultaneous intervals all true ranks, with probability
    `coverage` or more.

    Parameters
    ----------
    estimate : DataArray
        Over ``facility``, larger is better.
    covariance : DataArray or ndarray
        Over ``facility`` and one more dimension with the same labels; over ``facility`` alone,
        the variances of independent estimates.
    m : int
    side : {"top", "bottom"}
    coverage : float
    draws : int, optional
        A multiple of 1,000 (at least 20,000); by default up to 200,000.
    seed : int

    Returns
    -------
    Dataset
        Over ``facility``: ``in_set``; ``rank_lower`` and ``rank_upper``, simultaneous;
        ``rank_lower_marginal`` and ``rank_upper_marginal``, each with `coverage` alone;
        ``in_set_share``, the share of runs of 1,000 draws that put it into the set; and
        ``borderline``, where this share is between 1 % and 99 %, or the runs outvote ``in_set``.

    Raises
    ------
    InputError
        If the covariance is none, or an argument is out of range.

    References
    ----------
    Mogstad, Romano, Shaikh and Wilhelm (2023), doi 10.1093/restud/rdad006.

    Examples
    --------
    >>> import xarray as xr
    >>> estimate = xr.DataArray([9.0, 5.0, 4.0, 0.0], dims="facility",
    ...                         coords={"facility": ["A", "B", "C", "D"]})
    >>> sets = rank_confidence_set(estimate, 0 * estimate + 1, m=2, seed=1)
    >>> sets.in_set.values.tolist(), sets.rank_lower.values.tolist()
    ([True, True, True, False], [1, 2, 2, 4])
    """
    check_side(side)
    check_probability("coverage", coverage)
    matrix = as_covariance(estimate, covariance)
    size = len(matrix)
    check_m(m, size)
    draws = default_draws(size) if draws is None else draws
    if draws < LEAST_DRAWS or draws % RUN:
        raise InputError(
            Problem(rule=f"draws is a multiple of {RUN} from {LEAST_DRAWS} on (received {draws})")
        )
    statistic, spread = studentised(np.asarray(estimate.values, dtype=np.float64), matrix)
    noise = np.ascontiguousarray(draw_normal(matrix, draws, np.random.default_rng(seed)).T)

    every = ~np.eye(size, dtype=bool)
    ahead, critical = step_down(statistic, spread, noise, every, coverage)
    lower, upper = bounds(ahead)
    marginal = np.empty((2, size), dtype=np.int64)
    for i in range(size):
        own = np.zeros_like(every)
        own[i], own[:, i] = every[i], every[:, i]
        found, _ = step_down(statistic, spread, noise, own, coverage)
        marginal[:, i] = [bound[i] for bound in bounds(found)]
    runs = [
        _members(*bounds(step_down(statistic, spread, part, every, coverage)[0]), m, side)
        for part in np.split(noise, draws // RUN, axis=1)
    ]
    share = np.mean(runs, axis=0)
    inside = _members(lower, upper, m, side)
    borderline = ((share >= _BORDER) & (share <= 1.0 - _BORDER)) | ((share > 0.5) != inside)
    over = ("facility",)
    return xr.Dataset(
        {
            "in_set": (over, inside),
            "in_set_share": (over, share),
            "borderline": (over, borderline),
            "rank_lower": (over, lower),
            "rank_upper": (over, upper),
            "rank_lower_marginal": (over, marginal[0]),
            "rank_upper_marginal": (over, marginal[1]),
        },
        coords=estimate.coords,
        attrs={
            "m": m,
            "side": side,
            "coverage": coverage,
            "draws": draws,
            "seed": seed,
            "critical_value": critical,
            "estimand": str(estimate.attrs.get("estimand", "score")),
        },
    )


def _members(lower: NDArray[np.int64], upper: NDArray[np.int64], m: int, side: Side) -> Bools:
    return np.asarray(lower <= m if side == "top" else upper > len(upper) - m)
