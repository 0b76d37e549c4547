"""Ranks of each draw, with ties: array functions."""

import numpy as np
from numpy.typing import NDArray

from pdsim.arraytypes import Floats, Ints32

_KERNEL_FROM = 4_000_000
"""Ranks from which on importing and calling the compiled kernel is worth its while."""

_CACHED = 100_000
"""Scores sorted at a time: few enough to stay in the cache."""

_KERNEL_FACILITIES = 64
"""The kernel compares all pairs; above this, sorting is faster."""


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


def rank_counts(values: Floats) -> Floats:
    """Return in how many draws each facility has each rank.

    Parameters
    ----------
    values : ndarray (batch, draw, facility)

    Returns
    -------
    ndarray (batch, facility, rank)
        A facility that shares g ranks counts 1/g at each.
    """
    batch, draws, facilities = values.shape
    if values.size >= _KERNEL_FROM and facilities <= _KERNEL_FACILITIES:
        from pdsim.ranking.kernels import count_ranks

        return np.asarray(count_ranks(np.ascontiguousarray(values)))
    counts = np.empty((batch, facilities, facilities))
    step = max(1, _KERNEL_FROM // (draws * facilities))
    for start in range(0, batch, step):
        block = slice(start, start + step)
        counts[block] = counts_of_places(*places(values[block]))
    return counts


def counts_of_places(ahead: Ints32, tied: Ints32) -> Floats:
    """Return the counts of ranks (batch, facility, rank) from places (batch, draw, facility)."""
    batch, _, facilities = ahead.shape
    width = facilities + 1
    row = np.arange(batch)[:, None, None] * facilities + np.arange(facilities)
    start = row * width + ahead
    cells = batch * facilities * width
    counts = np.zeros((batch, facilities, width))
    untied = bool((tied == 1).all())
    for shared in [1] if untied else np.unique(tied):
        begins = start.reshape(-1) if untied else start[tied == shared]
        spread = np.bincount(begins, minlength=cells)
        if shared > 1:
            # one up where the shared ranks begin and one down behind them: whole numbers, so exact
            spread = spread - np.bincount(begins + shared, minlength=cells)
            spread = spread.reshape(counts.shape).cumsum(axis=2)
        counts += spread.reshape(counts.shape) / shared
    return np.ascontiguousarray(counts[..., :-1])
