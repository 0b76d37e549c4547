"""Sets that surely hold, or surely lie in, the true top or bottom m."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Bools, Floats, Ints
from pdsim.conventions import CERTAIN, DEFAULT_M, Side
from pdsim.errors import InputError, Problem
from pdsim.ranking.draws import (
    ScoreDraws,
    as_draws,
    check_m,
    check_probability,
    check_side,
    mean_and_error,
    never_seen,
)
from pdsim.ranking.exact import of_sets
from pdsim.ranking.marginals import Marginals, Score
from pdsim.ranking.probability import top_probability
from pdsim.ranking.selection import FLIP_ERRORS
from pdsim.ranking.sets import set_probability, sets_of_draws

MOST_CANDIDATES = 18
"""Facilities of which all subsets are tried: 2^18 numbers for each leading element."""

SLACK = 1e-12
"""Sums of shares fall short of a bound by rounding; not by more than this."""

_CELLS = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenSets:
    """Sets of m and their probabilities, as the draws or the distributions give them.

    Attributes
    ----------
    draws : Draws
    members : ndarray (set, m)
    batch, code, weight : ndarray (seen,)
        Where a set was seen, its number, and its probability there.
    row, share : ndarray (seen,) or None
        The draw (batch * draw), and its share that counts; None for distributions.
    ess : float
    """

    draws: ScoreDraws
    members: Ints
    batch: Ints
    code: Ints
    weight: Floats
    row: Ints | None
    share: Floats | None
    ess: float

    def common(self, inside: Bools) -> Ints:
        """Return how many members each seen set has in common with `inside` (batch, facility)."""
        here = inside[self.batch[:, np.newaxis], self.members[self.code]]
        return np.asarray(here.sum(axis=1), dtype=np.int64)


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


def see(score: Score, m: int, side: Side) -> SeenSets:
    """Return the sets of a score."""
    check_side(side)
    if isinstance(score, Marginals):
        check_m(m, score.first.facilities)
        members, (probability, _, ess) = of_sets(score, m, side)
        batch, code = np.nonzero(probability > 0)
        weight = probability[batch, code]
        return SeenSets(
            draws=score.first,
            members=members,
            batch=batch,
            code=code,
            weight=weight / np.bincount(batch, weight)[batch],
            row=None,
            share=None,
            ess=ess,
        )
    draws = as_draws(score)
    check_m(m, draws.facilities)
    members, row, code, share = sets_of_draws(draws, m, side)
    length = draws.flat.shape[1]
    return SeenSets(
        draws=draws,
        members=members,
        batch=row // length,
        code=code,
        weight=share / length,
        row=row,
        share=share,
        ess=float(length) if draws.ess is None else draws.ess,
    )


def best(seen: SeenSets, candidates: Ints, prob: float, *, holding: bool) -> tuple[Bools, Floats]:
    """Try all sets of candidates.

    Parameters
    ----------
    seen : SeenSets
    candidates : ndarray (candidate,)
        At most `MOST_CANDIDATES` facilities.
    prob : float
    holding : bool
        Whether the set sought is to hold the true m (then the smallest), or lie in them (then
        the largest).

    Returns
    -------
    inside : ndarray (batch, facility)
        Of the sets of the best size the likeliest.
    other : ndarray (batch,)
        Probability of the likeliest set that is one facility better; -inf if there is none.
    """
    count = len(candidates)
    size = 2**count
    sizes = np.bitwise_count(np.arange(size))
    inside = np.zeros((len(seen.draws.values), seen.draws.facilities), dtype=bool)
    other = np.empty(len(inside))
    wanted = np.arange(count + 1) if holding else np.arange(count, -1, -1)
    for start, table in _tables(seen, candidates, size):
        for bit in range(count):
            # sums over all subsets (or supersets), one candidate at a time
            half = table.reshape(len(table), -1, 2, 2**bit)
            half[:, :, int(holding)] += half[:, :, int(not holding)]
        likeliest = np.stack([np.where(sizes == k, table, -1.0).max(axis=1) for k in wanted])
        enough = likeliest >= prob - SLACK
        # all candidates hold the m, and the empty set lies in them, whatever rounding says
        enough[-1] = True
        first = enough.argmax(axis=0)
        chosen = np.where(sizes == wanted[first][:, np.newaxis], table, -1.0).argmax(axis=1)
        block = slice(start, start + len(table))
        inside[block, candidates] = (chosen[:, np.newaxis] >> np.arange(count)) & 1
        before = likeliest[np.maximum(first - 1, 0), np.arange(len(table))]
        other[block] = np.where(first > 0, before, -np.inf)
    return inside, other


def _tables(seen: SeenSets, candidates: Ints, size: int) -> Iterator[tuple[int, Floats]]:
    """Yield probabilities by the candidates in the set, as bits: (batch, 2^candidates)."""
    place = np.full(seen.draws.facilities, -1)
    place[candidates] = np.arange(len(candidates))
    where = place[seen.members]
    bits = np.where(where >= 0, 1 << np.maximum(where, 0), 0).sum(axis=1)
    total = len(seen.draws.values)
    step = max(1, _CELLS // size)
    order = np.argsort(seen.batch, kind="stable")
    ends = np.searchsorted(seen.batch[order], np.arange(0, total + step, step))
    for number, start in enumerate(range(0, total, step)):
        part = order[ends[number] : ends[number + 1]]
        count = min(step, total - start)
        cell = (seen.batch[part] - start) * size + bits[seen.code[part]]
        yield start, np.bincount(cell, seen.weight[part], count * size).reshape(count, size)


def nested(seen: SeenSets, likely: Floats, prob: float, *, holding: bool) -> tuple[Bools, Floats]:
    """Try only the k likeliest facilities, for all k; see `best`."""
    batch, facilities = likely.shape
    places = places_of(likely)
    place = np.sort(places[seen.batch[:, np.newaxis], seen.members[seen.code]], axis=1)
    if holding:
        number = place[:, -1]
    else:
        # the set has the likeliest facilities, from the first on, without a gap
        run = (place == np.arange(place.shape[1])).cumprod(axis=1).sum(axis=1)
        number = facilities - run
    cells = np.bincount(
        seen.batch * (facilities + 1) + number, seen.weight, batch * (facilities + 1)
    )
    reached = cells.reshape(batch, facilities + 1).cumsum(axis=1)
    enough = reached >= prob - SLACK
    enough[:, -1] = True
    first = enough.argmax(axis=1)
    before = reached[np.arange(batch), np.maximum(first - 1, 0)]
    count = first + 1 if holding else facilities - first
    return places < count[:, np.newaxis], np.where(first > 0, before, -np.inf)


def places_of(likely: Floats) -> NDArray[np.intp]:
    """Return the place of each facility, 0 the likeliest, from (batch, facility)."""
    return np.argsort(np.argsort(-likely, axis=1, kind="stable"), axis=1)
