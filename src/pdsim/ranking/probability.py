"""Probabilities of ranks and of membership in the top or bottom m, from draws of a score."""

from collections.abc import Callable

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats, Ints32
from pdsim.conventions import DEFAULT_M, Side
from pdsim.ranking.draws import (
    ScoreDraws,
    as_draws,
    check_m,
    check_side,
    mean_and_error,
    never_seen,
)
from pdsim.ranking.exact import labelled, of_ranks
from pdsim.ranking.marginals import Marginals, Score
from pdsim.terms.places import (
    mean_places,
    mean_rank,
    membership,
    places,
    share_of_first,
)

_KERNEL_FROM = 4_000_000
"""Ranks from which on importing and calling the compiled kernel is worth its while."""

_KERNEL_FACILITIES = 64
"""The kernel compares all pairs; above this, sorting is faster."""

_SERIES_LIMIT = 20_000_000
"""Numbers in all indicator series of a rank matrix; above it, batch means replace the ESS."""

_BATCH_MEANS = 40
"""Batches of draws, over all chains, of the batch-means error."""


def rank_probability(score: Score) -> xr.Dataset:
    """Return the probability that each facility has each rank.

    Parameters
    ----------
    score : DataArray or Marginals
        Draws over (``chain``, ``draw``, ``facility``) or (``sample``, ``facility``), larger is
        better; further dimensions are kept. Or distributions, whose answers are exact (error 0)
        or, over hyperparameter draws, means of exact ones.

    Returns
    -------
    Dataset
        ``rank_probability`` and ``rank_probability_mcse`` over (``facility``, ``rank``), rank 1
        the best. Facilities that tie in a draw share its ranks equally. An event never seen has
        probability 0 and error 1 / ESS, so that three errors are the bound 3 / ESS.

    Raises
    ------
    InputError
        If the score lacks a dimension or has NaN.

    Examples
    --------
    >>> import xarray as xr
    >>> score = xr.DataArray([[2.0, 1.0], [3.0, 0.0], [1.0, 2.0], [1.0, 1.0]],
    ...                      dims=("sample", "facility"), coords={"facility": ["A", "B"]})
    >>> rank_probability(score).rank_probability.values.tolist()
    [[0.625, 0.375], [0.375, 0.625]]
    """
    if isinstance(score, Marginals):
        return labelled(
            score,
            "rank_probability",
            of_ranks(score, lambda ranks: ranks.reshape(len(ranks), -1)),
            dims=("facility", "rank"),
            coords={"rank": np.arange(1, score.first.facilities + 1)},
        )
    draws = as_draws(score)
    counts = rank_counts(draws.flat)
    probability = counts / draws.flat.shape[1]
    attrs: dict[str, float | str]
    if draws.ess is not None:
        error = proportion_error(probability, draws.ess)
        attrs = {"ess": draws.ess, "mcse_method": "independent"}
    elif draws.flat.size * draws.facilities <= _SERIES_LIMIT:
        error, ess = _error_by_ess(draws)
        attrs = {"ess": ess, "mcse_method": "ess"}
    else:
        error, ess = _error_by_batches(draws)
        attrs = {"ess": ess, "mcse_method": "batch_means"}
    return draws.label(
        {"rank_probability": probability, "rank_probability_mcse": error},
        dims=("facility", "rank"),
        coords={"rank": np.arange(1, draws.facilities + 1)},
        attrs=attrs,
    )


def proportion_error(probability: Floats, ess: float) -> Floats:
    """Return the standard error of a share of independent draws (for shared ranks, at most)."""
    error = np.sqrt(np.clip(probability * (1.0 - probability), 0.0, None) / ess)
    return never_seen(error, np.asarray(ess))


def _error_by_ess(draws: ScoreDraws) -> tuple[Floats, float]:
    batch, facilities = draws.values.shape[0], draws.facilities
    error = np.empty((batch, facilities, facilities))
    smallest = np.inf
    ranks = np.arange(facilities)
    for block in draws.blocks(facilities**2):
        ahead, tied = (part[..., np.newaxis] for part in places(draws.values[block]))
        shares = ((ahead <= ranks) & (ranks < ahead + tied)) / tied
        series = shares.reshape(*shares.shape[:3], -1)
        _, part, size = mean_and_error(series, ess=None)
        error[block] = never_seen(part, size).reshape(-1, facilities, facilities)
        smallest = min(smallest, float(size.min()))
    return error, smallest


def _error_by_batches(draws: ScoreDraws) -> tuple[Floats, float]:
    """Return errors from the spread of the counts in consecutive stretches of the chains."""
    batch, chains, length, facilities = draws.values.shape
    stretches = min(max(2, _BATCH_MEANS // chains), length)
    size = length // stretches
    total = np.zeros((batch, facilities, facilities))
    squares = np.zeros_like(total)
    for chain in range(chains):
        for start in range(0, size * stretches, size):
            share = rank_counts(draws.values[:, chain, start : start + size]) / size
            total += share
            squares += share**2
    n = chains * stretches
    variance = np.maximum(squares / n - (total / n) ** 2, 0.0) / (n - 1)
    _, _, sizes = series_summary(draws, mean_places)
    smallest = sizes.min(axis=1)[:, np.newaxis, np.newaxis]
    # a cell seen in few stretches may show no spread by luck: keep the floor of an unseen one
    return np.maximum(np.sqrt(variance), 1.0 / smallest), float(smallest.min())


def series_summary(
    draws: ScoreDraws, function: Callable[[Ints32, Ints32], Floats]
) -> tuple[Floats, Floats, Floats]:
    """Return mean, error and effective size (batch, facility) of a function of the places.

    The series are made a block of the batch at a time, so that memory stays small.
    """
    parts = [
        mean_and_error(function(*places(draws.values[block])), ess=draws.ess)
        for block in draws.blocks(draws.facilities)
    ]
    mean, error, size = (np.concatenate(part) for part in zip(*parts, strict=True))
    return mean, error, size


def expected_rank(score: Score) -> xr.Dataset:
    """Return the expected rank of each facility, rank 1 the best.

    Parameters
    ----------
    score : DataArray or Marginals
        See `rank_probability`.

    Returns
    -------
    Dataset
        ``expected_rank`` and ``expected_rank_mcse`` over ``facility``.

    Raises
    ------
    InputError
        If the score lacks a dimension or has NaN.

    Examples
    --------
    >>> import xarray as xr
    >>> score = xr.DataArray([[2.0, 1.0], [3.0, 0.0], [1.0, 2.0], [1.0, 1.0]],
    ...                      dims=("sample", "facility"), coords={"facility": ["A", "B"]})
    >>> expected_rank(score).expected_rank.values.tolist()
    [1.375, 1.625]
    """
    if isinstance(score, Marginals):
        return labelled(score, "expected_rank", of_ranks(score, mean_rank))
    draws = as_draws(score)
    if draws.ess is not None:
        ranks = np.arange(1.0, draws.facilities + 1)
        probability = rank_counts(draws.flat) / draws.flat.shape[1]
        mean = mean_rank(probability)
        variance = (probability * (ranks - mean[..., np.newaxis]) ** 2).sum(axis=-1)
        error, size = np.sqrt(variance / draws.ess), np.asarray(draws.ess)
    else:
        mean, error, size = series_summary(draws, mean_places)
    return draws.label(
        {"expected_rank": mean, "expected_rank_mcse": never_seen(error, size)},
        attrs={"ess": float(size.min())},
    )


def top_probability(score: Score, *, m: int = DEFAULT_M, side: Side = "top") -> xr.Dataset:
    """Return the probability that each facility is among the m best, or the m worst.

    Parameters
    ----------
    score : DataArray or Marginals
        See `rank_probability`.
    m : int
        Facilities named, fewer than there are.
    side : {"top", "bottom"}

    Returns
    -------
    Dataset
        ``top_probability`` and ``top_probability_mcse`` over ``facility``; they sum to m, since
        facilities that tie at the m-th place share it.

    Raises
    ------
    InputError
        If the score lacks a dimension or has NaN, or m or side is out of range.

    Examples
    --------
    >>> import xarray as xr
    >>> score = xr.DataArray([[2.0, 1.0, 0.0], [3.0, 3.0, 0.0]],
    ...                      dims=("sample", "facility"), coords={"facility": ["A", "B", "C"]})
    >>> top_probability(score, m=1).top_probability.values.tolist()
    [0.75, 0.25, 0.0]
    """
    check_side(side)
    if isinstance(score, Marginals):
        check_m(m, score.first.facilities)
        answer = of_ranks(score, lambda ranks: share_of_first(from_side(ranks, side), m))
        return labelled(score, "top_probability", answer, attrs={"m": m, "side": side})
    draws = as_draws(score)
    check_m(m, draws.facilities)
    if draws.ess is not None:
        counts = from_side(rank_counts(draws.flat), side)
        mean = share_of_first(counts, m) / draws.flat.shape[1]
        error, size = proportion_error(mean, draws.ess), np.asarray(draws.ess)
    else:

        def share(ahead: Ints32, tied: Ints32) -> Floats:
            if side == "bottom":
                ahead = draws.facilities - ahead - tied
            return membership(ahead, tied, m)

        mean, error, size = series_summary(draws, share)
        error = never_seen(error, size)
    return draws.label(
        {"top_probability": mean, "top_probability_mcse": error},
        attrs={"m": m, "side": side, "ess": float(size.min())},
    )


def from_side(ranks: Floats, side: Side) -> Floats:
    """Return (..., rank) counted from that side."""
    return ranks if side == "top" else ranks[..., ::-1]


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
