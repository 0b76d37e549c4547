"""Which whole set of m facilities is the top, or the bottom."""

from collections.abc import Hashable, Mapping
from itertools import combinations
from math import comb

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats, Ints
from pdsim.conventions import DEFAULT_M, Side
from pdsim.errors import InputError, Problem
from pdsim.ranking.draws import Draws, as_draws, check_m, check_side, mean_and_error, never_seen
from pdsim.ranking.exact import mcse_method, of_sets
from pdsim.ranking.marginals import Marginals, Score

_TIED_SETS = 100_000
"""Most sets among which the draws with ties at the cut are shared out."""

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
    members, row, code, share = seen_sets(draws, m, side)
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
    draws: Draws,
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


def seen_sets(draws: Draws, m: int, side: Side) -> tuple[Ints, Ints, Ints, Floats]:
    """Return the distinct sets in the draws, and which draw saw which.

    Returns
    -------
    members : ndarray (set, m)
        Facilities by number, in rising order.
    row, code, share : ndarray (seen,)
        Draw (batch * draw), set, and the share of the draw that counts for the set.
    """
    found: list[tuple[Ints, Ints, Floats]] = []
    flat = draws.flat.reshape(-1, draws.facilities)
    step = max(1, _SERIES // draws.facilities)
    for start in range(0, len(flat), step):
        for rows, sets, shares in _sets_of_block(flat[start : start + step], m, side):
            found.append((rows + start, sets, shares))
    sets = np.concatenate([part[1] for part in found])
    members, code = _distinct(sets, draws.facilities)
    row = np.concatenate([part[0] for part in found])
    return members, row, code, np.concatenate([part[2] for part in found])


def _distinct(sets: Ints, facilities: int) -> tuple[Ints, Ints]:
    """Return the distinct rows in rising order, and for each row its number among them."""
    if facilities ** sets.shape[1] >= 2**63:
        members, code = np.unique(sets, axis=0, return_inverse=True)
        return members, code.reshape(-1)
    # one whole number for each set sorts many times faster than a row
    powers = facilities ** np.arange(sets.shape[1] - 1, -1, -1, dtype=np.int64)
    _, first, code = np.unique(sets @ powers, return_index=True, return_inverse=True)
    return sets[first], code


def _sets_of_block(values: Floats, m: int, side: Side) -> list[tuple[Ints, Ints, Floats]]:
    facilities = values.shape[1]
    signed = values if side == "top" else -values
    chosen = np.argpartition(-signed, m - 1, axis=1)[:, :m]
    cut = np.take_along_axis(signed, chosen, axis=1).min(axis=1)
    clean = (signed >= cut[:, np.newaxis]).sum(axis=1) == m
    rows = np.flatnonzero(clean)
    result = [(rows, np.sort(chosen[rows], axis=1), np.ones(len(rows)))]
    rows = np.flatnonzero(~clean)
    if rows.size == 0:
        return result
    # draws that tie in the same way are shared out once: 1 = surely in, 2 = tied for the rest
    pattern = np.where(signed[rows] > cut[rows, np.newaxis], 1, 0)
    pattern[signed[rows] == cut[rows, np.newaxis]] = 2
    kinds, kind = np.unique(pattern, axis=0, return_inverse=True)
    kind = kind.reshape(-1)
    for number, row in enumerate(kinds):
        sure, tied = np.flatnonzero(row == 1), np.flatnonzero(row == 2)
        ways = comb(len(tied), m - len(sure))
        if ways > _TIED_SETS:
            raise InputError(
                Problem(
                    rule=f"{len(tied)} of {facilities} facilities tie for {m - len(sure)} places, "
                    f"in {ways} sets",
                    cure="use top_probability, which shares places among them",
                )
            )
        draws = rows[kind == number]
        for extra in combinations(tied.tolist(), m - len(sure)):
            members = np.sort(np.concatenate((sure, np.asarray(extra, dtype=np.int64))))
            result.append(
                (draws, np.tile(members, (len(draws), 1)), np.full(len(draws), 1.0 / ways))
            )
    return result


def _errors(
    draws: Draws, probability: Floats, row: Ints, code: Ints, share: Floats
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
