"""Sets that surely hold, or surely lie in, the true top or bottom m."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import xarray as xr

from pdsim.arraytypes import Bools, Floats
from pdsim.conventions import CERTAIN, DEFAULT_M, Side
from pdsim.errors import InputError, Problem
from pdsim.ranking.draws import check_probability
from pdsim.ranking.ess import mean_and_error, never_seen
from pdsim.ranking.marginals import Score
from pdsim.ranking.probability import top_probability
from pdsim.ranking.selection import FLIP_ERRORS
from pdsim.ranking.set_search import (
    MOST_CANDIDATES,
    SLACK,
    SeenSets,
    best,
    nested,
    places_of,
    see,
)
from pdsim.ranking.sets import set_probability


def likely_sets(
    score: Score, *, m: int = DEFAULT_M, side: Side = "top", prob: float = CERTAIN
) -> xr.Dataset:
    """Return the fewest sets that together hold the true m with probability `prob`.

    Parameters
    ----------
    score : DataArray or Marginals
        See `rank_probability`; without further dimensions.
    m : int
    side : {"top", "bottom"}
    prob : float

    Returns
    -------
    Dataset
        As `set_probability`, with ``cumulative_probability`` over ``set``.

    Raises
    ------
    InputError
        If the score has further dimensions or is no score, or an argument is out of range.

    Examples
    --------
    >>> import xarray as xr
    >>> score = xr.DataArray([[2.0, 1.0, 0.0]] * 9 + [[2.0, 0.0, 1.0]],
    ...                      dims=("sample", "facility"), coords={"facility": ["A", "B", "C"]})
    >>> likely_sets(score, m=2, prob=0.9).sizes["set"]
    1
    """
    check_probability("prob", prob)
    sets = set_probability(score, m=m, side=side)
    if sets["set_probability"].ndim > 1:
        raise InputError(
            Problem(
                rule=f"the fewest sets differ along {sets['set_probability'].dims[:-1]}",
                cure="select one element of the further dimensions",
            )
        )
    cumulative = sets["set_probability"].cumsum("set")
    enough = int((cumulative < prob - SLACK).sum()) + 1
    result = sets.assign(cumulative_probability=cumulative).isel(set=slice(0, enough))
    return result.assign(
        rest=(1.0 - result["cumulative_probability"][-1]).clip(0.0, 1.0)
    ).assign_attrs(prob=prob)


def superset(
    score: Score, *, m: int = DEFAULT_M, side: Side = "top", prob: float = CERTAIN
) -> xr.Dataset:
    """Return the smallest set of facilities that holds all of the true m with `prob`.

    Parameters
    ----------
    score : DataArray or Marginals
        See `rank_probability`.
    m : int
    side : {"top", "bottom"}
    prob : float

    Returns
    -------
    Dataset
        ``superset`` over ``facility``, True for members; ``superset_probability`` and
        ``superset_probability_mcse`` that it holds the true m; ``could_flip``, whether three
        Monte Carlo errors may change its size. Among sets of equal size, the likeliest.
        Attribute ``optimal``: 1, or 0 where more than 18 facilities may be members and only
        sets in the order of P(top m) are tried.

    Raises
    ------
    InputError
        If the score lacks a dimension or has NaN, or an argument is out of range.

    Examples
    --------
    >>> import xarray as xr
    >>> score = xr.DataArray([[2.0, 1.0, 0.0]] * 9 + [[0.0, 2.0, 1.0]],
    ...                      dims=("sample", "facility"), coords={"facility": ["A", "B", "C"]})
    >>> superset(score, m=1).superset.values.tolist()
    [True, True, False]
    """
    check_probability("prob", prob)
    seen = see(score, m, side)
    candidates = np.unique(seen.members)
    optimal = len(candidates) <= MOST_CANDIDATES
    if optimal:
        inside, smaller = best(seen, candidates, prob, holding=True)
    else:
        inside, smaller = nested(seen, _likely(score, m, side), prob, holding=True)
    held = (seen.common(inside) == m).astype(float)
    attrs = {"m": m, "side": side, "prob": prob, "optimal": int(optimal)}
    return _result(seen, inside, held, smaller, "superset", attrs)


def subset(
    score: Score,
    *,
    m: int = DEFAULT_M,
    side: Side = "top",
    prob: float = CERTAIN,
    control: Literal["family", "discovery"] = "family",
) -> xr.Dataset:
    """Return the largest set of facilities that surely belong to the true m.

    Parameters
    ----------
    score : DataArray or Marginals
        See `rank_probability`.
    m : int
    side : {"top", "bottom"}
    prob : float
    control : {"family", "discovery"}
        Of the set, all are among the true m with probability `prob`; or a share `prob` of them
        is expected to be (false discoveries at most 1 - `prob`).

    Returns
    -------
    Dataset
        ``subset`` over ``facility``; ``subset_probability`` and ``subset_probability_mcse``,
        that all are (family) or the expected share that is (discovery; 1 if empty);
        ``could_flip``; attribute ``optimal`` as in `superset`.

    Raises
    ------
    InputError
        If the score lacks a dimension or has NaN, or an argument is out of range.

    References
    ----------
    Newton, Noueiry, Sarkar and Ahlquist (2004), doi 10.1093/biostatistics/5.2.155 (discovery).

    Examples
    --------
    >>> import xarray as xr
    >>> score = xr.DataArray([[2.0, 1.0, 0.0]] * 9 + [[2.0, 0.0, 1.0]],
    ...                      dims=("sample", "facility"), coords={"facility": ["A", "B", "C"]})
    >>> subset(score, m=2).subset.values.tolist()
    [True, False, False]
    """
    check_probability("prob", prob)
    if control not in ("family", "discovery"):
        raise InputError(Problem(rule=f"control is 'family' or 'discovery' (received {control!r})"))
    likely = _likely(score, m, side)
    seen = see(score, m, side)
    optimal = True
    if control == "discovery":
        inside, larger = _discoveries(likely, prob)
    else:
        candidates = np.flatnonzero((likely >= prob - SLACK).any(axis=0))
        optimal = len(candidates) <= MOST_CANDIDATES
        if optimal:
            inside, larger = best(seen, candidates, prob, holding=False)
        else:
            inside, larger = nested(seen, likely, prob, holding=False)
    size = inside.sum(axis=1)[seen.batch]
    common = seen.common(inside)
    held = common / np.maximum(size, 1) if control == "discovery" else (common == size) * 1.0
    attrs = {
        "m": m,
        "side": side,
        "prob": prob,
        "control": control,
        "optimal": int(optimal),
    }
    return _result(seen, inside, held, larger, "subset", attrs)


def _likely(score: Score, m: int, side: Side) -> Floats:
    """Return P(top m) as (batch, facility)."""
    likely = top_probability(score, m=m, side=side)["top_probability"].values
    return np.asarray(likely.reshape(-1, likely.shape[-1]))


def _discoveries(likely: Floats, prob: float) -> tuple[Bools, Floats]:
    order = -np.sort(-likely, axis=1)
    share = order.cumsum(axis=1) / np.arange(1, likely.shape[1] + 1)
    count = (share >= prob - SLACK).sum(axis=1)
    after = share[np.arange(len(count)), np.minimum(count, likely.shape[1] - 1)]
    return places_of(likely) < count[:, np.newaxis], after


def _result(
    seen: SeenSets,
    inside: Bools,
    held: Floats,
    other: Floats,
    name: str,
    attrs: Mapping[str, str | float],
) -> xr.Dataset:
    """Return the set with the error of its probability; `other` is that of the next size."""
    draws, prob = seen.draws, float(attrs["prob"])
    batch = len(draws.values)
    if seen.row is None or seen.share is None:
        mean = np.bincount(seen.batch, held * seen.weight, batch)
        error = np.sqrt(np.clip(mean * (1.0 - mean), 0.0, None) / seen.ess)
        size = np.full(batch, seen.ess)
    else:
        length = draws.flat.shape[1]
        series = np.bincount(seen.row, held * seen.share, batch * length)
        parts = mean_and_error(draws.like(series[:, np.newaxis]), ess=draws.ess)
        mean, error, size = (part[:, 0] for part in parts)
    if np.isfinite(seen.ess):
        error = never_seen(error, size)
    empty = ~inside.any(axis=1)
    mean = np.where(empty, 1.0, mean)
    gap = np.minimum(np.where(empty, np.inf, np.abs(mean - prob)), np.abs(other - prob))
    result = draws.label({name: inside}, attrs={**attrs, "ess": float(size.min())})
    single = {
        f"{name}_probability": mean,
        f"{name}_probability_mcse": np.where(empty, 0.0, error),
        "could_flip": gap < FLIP_ERRORS * error,
    }
    return result.assign(draws.label(single, dims=()).data_vars)
