"""Intervals of ranks, for each facility alone or for all at once."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Floats
from pdsim.conventions import CI_KIND, CI_PROB
from pdsim.errors import InputError, Problem
from pdsim.ranking.draws import ScoreDraws, as_draws, check_probability, mean_and_error, named_twice
from pdsim.ranking.exact import of_ranks
from pdsim.ranking.marginals import Marginals, Score
from pdsim.ranking.probability import counts_of_places, rank_counts
from pdsim.terms.places import mean_places, places

_SLACK = 1e-12
"""Sums of shared ranks fall short of a bound by rounding; not by more than this."""


def rank_interval(score: Score, *, prob: float = CI_PROB, simultaneous: bool = False) -> xr.Dataset:
    """Return an interval of ranks for each facility.

    Parameters
    ----------
    score : DataArray or Marginals
        See `rank_probability`.
    prob : float
        Posterior probability that an interval holds the facility's rank; with `simultaneous`,
        that all intervals together hold all ranks.
    simultaneous : bool
        Marginal intervals are equal-tailed. Simultaneous ones are too, with one tail probability
        for all facilities, the largest that reaches `prob` (Besag et al. 1995).

    Returns
    -------
    Dataset
        ``rank_interval`` and ``rank_interval_mcse`` over (``facility``, ``ci_bound``), and
        ``rank_median`` over ``facility``. Ranks are whole numbers, so intervals hold at least
        `prob`.

    Raises
    ------
    InputError
        If the score lacks a dimension or has NaN, `prob` is not a probability, or simultaneous
        intervals are asked of distributions (they need joint draws).

    References
    ----------
    Besag, Green, Higdon and Mengersen (1995), doi 10.1214/ss/1177010123.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> values = np.random.default_rng(1).normal([9.0, 0.0, 0.0], 1.0, (1000, 3))
    >>> score = xr.DataArray(values, dims=("sample", "facility"),
    ...                      coords={"facility": ["A", "B", "C"]})
    >>> rank_interval(score).rank_interval.values.tolist()
    [[1.0, 1.0], [2.0, 3.0], [2.0, 3.0]]
    """
    check_probability("prob", prob)
    if isinstance(score, Marginals):
        return _of_marginals(score, prob, simultaneous)
    draws = as_draws(score)
    counts, size = _counts(draws)
    below = counts.cumsum(axis=-1) / draws.flat.shape[1]
    if simultaneous:
        bounds, error = _simultaneous(draws, below, prob, size.min(axis=1))
    else:
        bounds, error = _marginal(below, prob, size)
    return _labelled(draws, below, bounds, error, prob, simultaneous, float(size.min()))


def _counts(draws: ScoreDraws) -> tuple[Floats, Floats]:
    """Return counts of ranks, and the effective size of the ranks (batch, facility)."""
    if draws.ess is not None:
        counts = rank_counts(draws.flat)
        return counts, np.full(counts.shape[:2], draws.ess)
    counted, sizes = [], []
    for block in draws.blocks(draws.facilities):
        ahead, tied = places(draws.values[block])
        flat = (len(ahead), -1, draws.facilities)
        counted.append(counts_of_places(ahead.reshape(flat), tied.reshape(flat)))
        sizes.append(mean_and_error(mean_places(ahead, tied), ess=None)[2])
    return np.concatenate(counted), np.concatenate(sizes)


def _labelled(
    draws: ScoreDraws,
    below: Floats,
    bounds: Floats,
    error: Floats,
    prob: float,
    simultaneous: bool,
    ess: float,
) -> xr.Dataset:
    result = draws.label(
        {"rank_interval": bounds, "rank_interval_mcse": error},
        dims=("facility", "ci_bound"),
        coords={"ci_bound": ["lower", "upper"]},
        attrs={
            "ci_prob": prob,
            "ci_kind": "simultaneous" if simultaneous else CI_KIND,
            "ess": ess,
        },
    )
    median = draws.label({"rank_median": quantile(below, np.asarray(0.5))})
    return result.assign(median.data_vars)


def _of_marginals(score: Marginals, prob: float, simultaneous: bool) -> xr.Dataset:
    if simultaneous:
        raise InputError(
            Problem(
                rule="simultaneous intervals need joint draws",
                cure="use the method sample of the distributions",
            )
        )
    mean, _, ess = of_ranks(score, lambda ranks: ranks.reshape(len(ranks), -1))
    facilities = score.first.facilities
    below = mean.reshape(-1, facilities, facilities).cumsum(axis=-1)
    bounds, error = _marginal(below, prob, np.full(below.shape[:2], ess))
    return _labelled(score.first, below, bounds, error, prob, False, ess)


def quantile(below: Floats, level: Floats) -> Floats:
    """Return the smallest rank with P(rank <= r) >= level, from (..., rank) sums."""
    reached = below >= np.maximum(level - _SLACK, _SLACK)[..., np.newaxis]
    return np.asarray(1.0 + reached.argmax(axis=-1))


def _marginal(below: Floats, prob: float, size: Floats) -> tuple[Floats, Floats]:
    tails = (0.5 * (1.0 - prob), 0.5 * (1.0 + prob))
    bounds = np.stack([quantile(below, np.asarray(tail)) for tail in tails], axis=-1)
    spread = []
    for tail in tails:
        error = np.sqrt(tail * (1.0 - tail) / size)
        high, low = (quantile(below, np.minimum(tail + s * error, 1.0)) for s in (1, -1))
        spread.append(0.5 * (high - low))
    return bounds, np.stack(spread, axis=-1)


def _simultaneous(
    draws: ScoreDraws, below: Floats, prob: float, size: Floats
) -> tuple[Floats, Floats]:
    """Return bounds and their errors from each draw's most extreme tail probability."""
    at_least = 1.0 - below + np.diff(below, axis=-1, prepend=0.0)
    extreme = np.empty(draws.flat.shape[:2])
    for block in draws.blocks(draws.facilities):
        ahead, tied = places(draws.flat[block])
        # a facility that shares ranks must have all of them inside
        low = _pick(below[block], ahead)
        high = _pick(at_least[block], ahead + tied - 1)
        extreme[block] = np.minimum(low, high).min(axis=-1)
    extreme.sort(axis=-1)
    error = np.sqrt(prob * (1.0 - prob) / size)

    def bounds_at(inside: Floats) -> Floats:
        keep = np.floor((1.0 - inside) * extreme.shape[-1] + _SLACK).astype(int)
        tail = np.take_along_axis(extreme, keep.clip(0)[:, np.newaxis], axis=-1)[..., np.newaxis]
        within = (below >= tail - _SLACK) & (at_least >= tail - _SLACK)
        lower = 1.0 + within.argmax(axis=-1)
        upper = below.shape[-1] - within[..., ::-1].argmax(axis=-1)
        return np.stack([lower, upper.astype(float)], axis=-1)

    middle = np.full_like(error, prob)
    wide, narrow = bounds_at(np.minimum(prob + error, 1.0)), bounds_at(prob - error)
    return bounds_at(middle), 0.5 * np.abs(wide - narrow)


def _pick(table: Floats, rank: NDArray[np.int32]) -> Floats:
    """Return table[batch, facility, rank[batch, draw, facility]]."""
    batch, facilities, _ = table.shape
    rows = np.arange(batch)[:, np.newaxis, np.newaxis]
    return np.asarray(table[rows, np.arange(facilities), rank])


def joint_rank_region(
    estimate: xr.DataArray, se: xr.DataArray, *, prob: float = CI_PROB
) -> xr.Dataset:
    """Return ranks that together hold the whole true ranking with confidence `prob`.

    Simultaneous normal intervals of the scores come first (each at level prob^(1/F): exact for
    independent estimates, conservative for correlated ones). Who lies wholly above a facility
    is ahead of it; who overlaps with it may be ahead.

    Parameters
    ----------
    estimate, se : DataArray
        Estimates and standard errors over ``facility``, larger is better; further dimensions
        are kept.
    prob : float

    Returns
    -------
    Dataset
        ``rank_region`` over (``facility``, ``ci_bound``), and the intervals of the scores in
        ``score_interval``, same dimensions.

    Raises
    ------
    InputError
        If a number is missing, a standard error negative, or `prob` is no probability.

    References
    ----------
    Klein, Wright and Wieczorek (2020), doi 10.1111/rssc.12402.

    Examples
    --------
    >>> import xarray as xr
    >>> estimate = xr.DataArray([9.0, 1.0, 0.0], dims="facility",
    ...                         coords={"facility": ["A", "B", "C"]})
    >>> joint_rank_region(estimate, 0 * estimate + 1).rank_region.values.tolist()
    [[1.0, 1.0], [2.0, 3.0], [2.0, 3.0]]
    """
    from scipy import special

    check_probability("prob", prob)
    estimate, se = xr.broadcast(estimate, se)
    if "facility" not in estimate.dims or not (np.isfinite(estimate) & (se >= 0)).all():
        raise InputError(
            Problem(rule="estimates over facility are finite, standard errors not negative")
        )
    if named_twice(estimate):
        raise InputError(Problem(rule="a facility is named twice", cure="give each its own name"))
    order = [dim for dim in estimate.dims if dim != "facility"]
    estimate = estimate.transpose(*order, "facility")
    width = se.transpose(*order, "facility").values
    size = estimate.sizes["facility"]
    width = width * -special.ndtri(-0.5 * np.expm1(np.log(prob) / size))
    low, high = estimate.values - width, estimate.values + width
    ahead = (low[..., np.newaxis, :] >= high[..., np.newaxis]).sum(axis=-1)
    behind = (high[..., np.newaxis, :] <= low[..., np.newaxis]).sum(axis=-1)
    if (width <= 0).any():
        # an interval of width 0 meets itself and its equals, which are neither ahead nor behind
        same = (low[..., np.newaxis, :] == high[..., np.newaxis]) & (
            high[..., np.newaxis, :] == low[..., np.newaxis]
        )
        ahead, behind = ahead - same.sum(axis=-1), behind - same.sum(axis=-1)
    bounds = np.stack([1.0 + ahead, float(size) - behind], axis=-1)
    dims = (*estimate.dims, "ci_bound")
    return xr.Dataset(
        {
            "rank_region": (dims, bounds),
            "score_interval": (dims, np.stack([low, high], axis=-1)),
        },
        coords={**estimate.coords, "ci_bound": ["lower", "upper"]},
        attrs={
            "ci_prob": prob,
            "ci_kind": "joint frequentist",
            "estimand": str(estimate.attrs.get("estimand", "score")),
        },
    )
