"""Which whole set of m facilities is the top, or the bottom."""

from collections.abc import Hashable, Mapping

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats, Ints
from pdsim.conventions import DEFAULT_M, Side
from pdsim.errors import InputError
from pdsim.ranking.draws import (
    ScoreDraws,
    as_draws,
    check_m,
    check_side,
    mean_and_error,
    never_seen,
)
from pdsim.ranking.exact import mcse_method, of_sets
from pdsim.ranking.marginals import Marginals, Score
from pdsim.terms.places import seen_sets

_SERIES = 8_000_000
"""Numbers in the indicator series of sets held at once."""

_NOTHING = 1e-9


def set_probability(
    score: Score, *, m: int = DEFAULT_M, side: Side = "top", limit: int | None = None
) -> xr.Dataset:
    """Return the probability of each set of being exactly the m best, or the m worst.

    Parameters
    ----------
    score : DataArray or Marginals
        See `rank_probability`.
    m : int
        Facilities named, fewer than there are.
    side : {"top", "bottom"}
    limit : int, optional
        Keep that many of the likeliest sets (on average over leading dimensions).

    Returns
    -------
    Dataset
        ``set_probability`` and ``set_probability_mcse`` over ``set``, likeliest first, with
        ``member`` over (``set``, ``facility``) and ``rest``, the probability of the sets that
        are left out. Sets never seen are not listed. A draw in which g facilities tie for s
        places counts for each of the C(g, s) sets equally.

    Raises
    ------
    InputError
        If the score lacks a dimension or has NaN, m, side or limit is out of range, or draws
        tie in more than 100,000 sets.

    Examples
    --------
    >>> import xarray as xr
    >>> score = xr.DataArray([[2.0, 1.0, 0.0], [3.0, 2.0, 2.0]],
    ...                      dims=("sample", "facility"), coords={"facility": ["A", "B", "C"]})
    >>> sets = set_probability(score, m=2)
    >>> sets.set_probability.values.tolist(), sets.member.values.tolist()
    ([0.75, 0.25], [[True, True, False], [True, False, True]])
    """
    check_side(side)
    if limit is not None and limit < 1:
        raise InputError(f"limit is at least 1 (received {limit})")
    if isinstance(score, Marginals):
        check_m(m, score.first.facilities)
        members, (probability, error, ess) = of_sets(score, m, side)
        order = np.argsort(-probability.mean(axis=0), kind="stable")[:limit]
        if np.isfinite(ess):
            error = never_seen(error, np.asarray(ess))
        attrs = {"m": m, "side": side, "ess": ess, "mcse_method": mcse_method(score)}
        return _labelled(score.first, members[order], probability[:, order], error[:, order], attrs)
    draws = as_draws(score)
    check_m(m, draws.facilities)
    members, row, code, share = sets_of_draws(draws, m, side)
    batch, length = draws.flat.shape[:2]
    total = np.bincount(code, share, len(members))
    # stable, so that equally likely sets keep the order of their facilities
    order = np.argsort(-total, kind="stable")[:limit]
    place = np.full(len(members), -1)
    place[order] = np.arange(len(order))
    kept = place[code] >= 0
    row, code, share = row[kept], place[code[kept]], share[kept]
    cells = np.bincount((row // length) * len(order) + code, share, batch * len(order))
    probability = cells.reshape(batch, len(order)) / length
    error, ess = _errors(draws, probability, row, code, share)
    attrs = {"m": m, "side": side, "ess": ess}
    return _labelled(draws, members[order], probability, error, attrs)


def _labelled(
    draws: ScoreDraws,
    members: Ints,
    probability: Floats,
    error: Floats,
    attrs: Mapping[str, Hashable],
) -> xr.Dataset:
    count = len(members)
    member = np.zeros((count, draws.facilities), dtype=bool)
    member[np.arange(count)[:, np.newaxis], members] = True
    rest = 1.0 - probability.sum(axis=1)
    # what rounding or quadrature leaves over is no set
    rest[rest < _NOTHING] = 0.0
    result = draws.label(
        {"set_probability": probability, "set_probability_mcse": error},
        dims=("set",),
        coords={"set": np.arange(1, count + 1)},
        attrs=attrs,
    )
    return result.assign(draws.label({"rest": rest}, dims=()).data_vars).assign(
        member=xr.DataArray(
            member, dims=("set", "facility"), coords={"facility": draws.template.coords["facility"]}
        )
    )


def sets_of_draws(draws: ScoreDraws, m: int, side: Side) -> tuple[Ints, Ints, Ints, Floats]:
    """Return the distinct sets in the draws, and which draw (batch * draw) saw which.

    See `pdsim.terms.places.seen_sets`.
    """
    flat = draws.flat.reshape(-1, draws.facilities)
    return seen_sets(flat if side == "top" else -flat, m)


def _errors(
    draws: ScoreDraws, probability: Floats, row: Ints, code: Ints, share: Floats
) -> tuple[Floats, float]:
    """Return the errors (batch, set) and the smallest effective sample size."""
    if draws.ess is not None:
        error = np.sqrt(np.clip(probability * (1.0 - probability), 0.0, None) / draws.ess)
        return never_seen(error, np.asarray(draws.ess)), draws.ess
    batch, length = draws.flat.shape[:2]
    error, smallest = np.empty_like(probability), np.inf
    step = max(1, _SERIES // (batch * length))
    for start in range(0, probability.shape[1], step):
        stop = min(start + step, probability.shape[1])
        here = (code >= start) & (code < stop)
        series = np.zeros((batch * length, stop - start))
        series[row[here], code[here] - start] = share[here]
        _, part, size = mean_and_error(draws.like(series), ess=None)
        error[:, start:stop] = never_seen(part, size)
        smallest = min(smallest, float(size.min()))
    return error, smallest
