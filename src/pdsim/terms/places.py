"""Places: ranks, shares of membership and sets, with ties. Array functions, larger is better."""

from itertools import combinations
from math import comb
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pdsim.arraytypes import Bools, Floats, Ints, Ints32
from pdsim.errors import InputError, Problem

TIE: Final = 1e-10
"""Merits that differ by less than this share of the largest tie: rounding, not order."""

_TIED_SETS = 100_000
"""Most sets among which the draws with ties at the cut are shared out."""

_BLOCK = 8_000_000
"""Scores looked at together for their sets."""

_CACHED = 100_000
"""Scores sorted at a time: few enough to stay in the cache."""

_FEW = 12
"""Facilities up to which holding each against all takes less time than sorting them."""


def places(values: Floats) -> tuple[Ints32, Ints32]:
    """Return how many are ahead of each, and how many share its place (itself included).

    Parameters
    ----------
    values : ndarray (..., facility)
        Larger is better.

    Returns
    -------
    ahead, tied : ndarray (..., facility)
        A facility holds the ranks ``ahead + 1`` to ``ahead + tied``.
    """
    facilities = values.shape[-1]
    flat = values.reshape(-1, facilities)
    ahead = np.empty(flat.shape, dtype=np.int32)
    tied = np.ones(flat.shape, dtype=np.int32)
    step = max(1, _CACHED // facilities)
    positions = np.arange(facilities, dtype=np.int32)
    for start in range(0, len(flat), step):
        rows = slice(start, start + step)
        block = flat[rows]
        if facilities <= _FEW and not np.isnan(block).any():
            _compare(block, ahead[rows], tied[rows])
            continue
        order = np.argsort(-block, axis=-1)
        ordered = np.take_along_axis(block, order, axis=-1)
        fresh = ordered[:, 1:] != ordered[:, :-1]
        if fresh.all():
            first = np.broadcast_to(positions, block.shape)
        else:
            first, last = _runs(fresh, positions)
            np.put_along_axis(tied[rows], order, last - first + 1, axis=-1)
        np.put_along_axis(ahead[rows], order, first, axis=-1)
    return ahead.reshape(values.shape), tied.reshape(values.shape)


def _compare(values: Floats, ahead: Ints32, tied: Ints32) -> None:
    """Fill in `places` by comparing each facility with all."""
    columns = np.ascontiguousarray(values.T)
    larger, equal = np.zeros((2, *columns.shape), dtype=np.uint8)
    for column in columns:
        larger += columns < column
        equal += columns == column
    ahead[:], tied[:] = larger.T, equal.T


def _runs(fresh: NDArray[np.bool_], positions: Ints32) -> tuple[Ints32, Ints32]:
    """Return where the run of equal scores of each sorted place begins and ends."""
    begins, ends = np.ones((2, len(fresh), len(positions)), dtype=bool)
    begins[:, 1:] = fresh
    ends[:, :-1] = fresh
    first = np.maximum.accumulate(np.where(begins, positions, 0), axis=-1)
    behind = np.where(ends, positions, len(positions))[:, ::-1]
    last = np.minimum.accumulate(behind, axis=-1)[:, ::-1]
    return first.astype(np.int32), last.astype(np.int32)


def membership(ahead: Ints32, tied: Ints32, m: int) -> Floats:
    """Return the share of each facility in the m first places (ties split it equally)."""
    return np.asarray(np.clip((m - ahead) / tied, 0.0, 1.0))


def mean_places(ahead: Ints32, tied: Ints32) -> Floats:
    """Return the rank of each facility, tied ones sharing the mean of their ranks."""
    return np.asarray(ahead + 0.5 * (tied + 1))


def cut(merit: Floats, m: int, *, equal: float = TIE) -> tuple[Bools, Bools]:
    """Return who is among the m first for sure, and who ties for the places that are left.

    Parameters
    ----------
    merit : ndarray (batch, facility)
        Larger is nearer to the first place.
    m : int
    equal : float
        Merits that differ by less than this share of the largest tie.
    """
    ordered = -np.sort(-merit, axis=-1)
    last, below = ordered[:, m - 1 : m], ordered[:, m : m + 1]
    slack = equal * np.maximum(np.abs(ordered[:, :1]), np.abs(ordered[:, -1:]))
    tie = last - below <= slack
    tied = tie & (np.abs(merit - last) <= slack)
    return ((merit >= last) & ~tied) | (merit > last + slack), tied


def shares(merit: Floats, m: int) -> Floats:
    """Return the share of each facility in the m first by a merit (batch, facility)."""
    sure, tied = cut(merit, m)
    left = m - sure.sum(axis=-1, keepdims=True)
    return sure + tied * left / np.maximum(tied.sum(axis=-1, keepdims=True), 1)


def share_of_first(ranks: Floats, m: int) -> Floats:
    """Return the probability of the m first places from those of all ranks (..., rank)."""
    return np.asarray(ranks[..., :m].sum(axis=-1))


def mean_rank(ranks: Floats) -> Floats:
    """Return the mean of a distribution of ranks (..., rank), rank 1 the first."""
    return np.asarray(ranks @ np.arange(1.0, ranks.shape[-1] + 1.0))


def seen_sets(values: Floats, m: int) -> tuple[Ints, Ints, Ints, Floats]:
    """Return the distinct sets of the m first of each row, and which row saw which.

    Parameters
    ----------
    values : ndarray (row, facility)
    m : int

    Returns
    -------
    members : ndarray (set, m)
        Facilities by number, in rising order.
    row, code, share : ndarray (seen,)
        Row, set, and the share of the row that counts for the set: a row in which g facilities
        tie for s places counts for each of the C(g, s) sets equally.

    Raises
    ------
    InputError
        If facilities tie in too many sets.
    """
    found: list[tuple[Ints, Ints, Floats]] = []
    step = max(1, _BLOCK // values.shape[1])
    for start in range(0, len(values), step):
        for rows, sets, shares in _sets_of_block(values[start : start + step], m):
            found.append((rows + start, sets, shares))
    members, code = _distinct(np.concatenate([part[1] for part in found]), values.shape[1])
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


def _sets_of_block(signed: Floats, m: int) -> list[tuple[Ints, Ints, Floats]]:
    facilities = signed.shape[1]
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
