"""Probabilities about single facilities and pairs: improved at all, and ahead of another."""

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats
from pdsim.errors import InputError, Problem
from pdsim.ranking.draws import ScoreDraws, as_draws, mean_and_error, never_seen
from pdsim.ranking.exact import average, labelled, pairwise
from pdsim.ranking.marginals import Marginals, Score
from pdsim.ranking.probability import proportion_error, series_summary
from pdsim.terms.places import mean_places

_SERIES_LIMIT = 40_000_000
"""Numbers in the indicator series of all pairs; above it, the ESS is that of the ranks."""


def improvement_probability(score: Score, *, delta: float = 0.0) -> xr.Dataset:
    """Return the probability that each score exceeds `delta`.

    Parameters
    ----------
    score : DataArray or Marginals
        See `rank_probability`.
    delta : float
        In the units of the score; 0 asks whether a change is an improvement at all.

    Returns
    -------
    Dataset
        ``improvement_probability`` and ``improvement_probability_mcse`` over ``facility``,
        with the attribute ``delta``.

    Raises
    ------
    InputError
        If the score lacks a dimension or has NaN, `delta` is not finite, or the scores are known
        up to common terms only.

    Examples
    --------
    >>> import xarray as xr
    >>> score = xr.DataArray([[2.0, -1.0], [3.0, 1.0]], dims=("sample", "facility"),
    ...                      coords={"facility": ["A", "B"]})
    >>> improvement_probability(score).improvement_probability.values.tolist()
    [1.0, 0.5]
    """
    if not np.isfinite(delta):
        raise InputError(Problem(rule=f"delta is a finite number (received {delta})"))
    name, attrs = "improvement_probability", {"delta": float(delta)}
    if isinstance(score, Marginals):
        return labelled(score, name, average(score, score.exceedance(delta)), attrs=attrs)
    draws = as_draws(score)
    mean, error, size = mean_and_error((draws.values > delta).astype(float), ess=draws.ess)
    return draws.label(
        {name: mean, f"{name}_mcse": never_seen(error, size)},
        attrs={**attrs, "ess": float(size.min())},
    )


def pairwise_probability(score: Score) -> xr.Dataset:
    """Return the probability that each facility is ahead of each other one.

    Parameters
    ----------
    score : DataArray or Marginals
        See `rank_probability`.

    Returns
    -------
    Dataset
        ``pairwise_probability`` and ``pairwise_probability_mcse`` over (``facility``, ``other``):
        P(facility ahead of other), ties counting half; 1/2 on the diagonal.

    Raises
    ------
    InputError
        If the score lacks a dimension or has NaN.

    Examples
    --------
    >>> import xarray as xr
    >>> score = xr.DataArray([[2.0, 1.0], [3.0, 3.0]], dims=("sample", "facility"),
    ...                      coords={"facility": ["A", "B"]})
    >>> pairwise_probability(score).pairwise_probability.values.tolist()
    [[0.5, 0.75], [0.25, 0.5]]
    """
    name, dims = "pairwise_probability", ("facility", "other")
    if isinstance(score, Marginals):
        others = score.first.template.coords["facility"].values
        return labelled(score, name, pairwise(score), dims=dims, coords={"other": others})
    draws = as_draws(score)
    mean, error, ess = _pairs(draws)
    diagonal = np.arange(draws.facilities)
    error[:, diagonal, diagonal] = 0.0
    return draws.label(
        {name: mean, f"{name}_mcse": error},
        dims=dims,
        coords={"other": draws.template.coords["facility"].values},
        attrs={"ess": ess},
    )


def _pairs(draws: ScoreDraws) -> tuple[Floats, Floats, float]:
    """Return probabilities and errors (batch, facility, other), and the smallest ESS."""
    facilities = draws.facilities
    batch = len(draws.values)
    measured = draws.ess is None and draws.flat.size * facilities <= _SERIES_LIMIT
    mean = np.full((batch, facilities, facilities), 0.5)
    error = np.zeros_like(mean)
    smallest = np.inf
    for i in range(facilities - 1):
        mine, others = draws.values[..., i : i + 1], draws.values[..., i + 1 :]
        if measured:
            ahead = 0.5 * ((mine > others).astype(float) + (mine >= others))
            part, part_error, size = mean_and_error(ahead, ess=None)
            error[:, i, i + 1 :] = never_seen(part_error, size)
            smallest = min(smallest, float(size.min()))
        else:
            wins, draws_even = ((mine > others), (mine == others))
            part = wins.mean(axis=(1, 2)) + 0.5 * draws_even.mean(axis=(1, 2))
        mean[:, i, i + 1 :] = part
        mean[:, i + 1 :, i] = 1.0 - part
        error[:, i + 1 :, i] = error[:, i, i + 1 :]
    if measured:
        return mean, error, smallest
    if draws.ess is not None:
        return mean, proportion_error(mean, draws.ess), draws.ess
    # too many pairs for a series each: the slowest of the ranks stands for all
    ess = float(series_summary(draws, mean_places)[2].min())
    return mean, proportion_error(mean, ess), ess
