"""What the choice hangs on: the posterior, the weights, the scale, the indicators, or a mixture."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats
from pdsim.conventions import Side
from pdsim.terms.kinds import COUNTS
from pdsim.terms.scales import scales_for
from pdsim.weights.choice_grid import (
    ChoiceGrid,
    GridSums,
    build_grid,
    level_squares,
    squared_means,
    subsets,
    sum_grid,
)
from pdsim.weights.outcomes import MEMBERS, SET

JOIN: Final = " × "

_NOTHING: Final = 1e-12
_UNLISTED: Final = 0.01
"""Probability of sets not told apart up to which the set has a decomposition."""


def decompose(
    levels: xr.DataArray,
    weights: xr.DataArray,
    *,
    m: int | None = None,
    side: Side = "top",
    normalisations: Sequence[str] | None = None,
    aggregations: Sequence[str] = ("arithmetic",),
    left_out: bool | Sequence[str] = False,
    reference: xr.DataArray | None = None,
    trials: xr.DataArray | None = None,
) -> xr.Dataset:
    """Divide the variance of the choice over posterior, weights and choices, with interactions.

    Every posterior draw is crossed with every weight vector, every normalisation and
    aggregation, and every left-out indicator. On that complete grid the analysis of variance is
    exact: components are not negative and sum to the variance, and a factor that does nothing
    has none. As estimates for all draws and weights there are, the component of the posterior
    holds 1 / weight draws of its interactions with the weights too, and the other way round.

    Parameters
    ----------
    levels : DataArray (..., facility, indicator, period)
        As from `pdsim.levels`; leading dimensions are samples. Thin them first if memory is
        short: 500 draws and 500 weights are plenty.
    weights : DataArray (weight_draw, indicator)
    m : int, optional
        Default as in `acceptability`.
    side : {"top", "bottom"}
    normalisations, aggregations : sequences of str
        By default every normalisation that needs no log odds.
        See `pdsim.scoring`. Where not all their pairs are defined, the defined ones make one
        factor ``scoring``.
    left_out : bool or sequence of str
        Cross with leaving out each indicator in turn, or each of these (and none).
    reference, trials : see `pdsim.scoring.score`

    Returns
    -------
    Dataset
        ``probability`` (facility), membership over the whole grid. ``variance`` (outcome) and
        ``variance_mcse`` of: each facility's membership; ``"members"``, their sum, which is how
        many of the m two independent readings (draw, weights, choices) do not share on average;
        ``"set"``, the probability that two readings choose different sets, NaN where more than
        1 % of the probability (attribute ``unlisted_sets``) is on sets too rare to be told
        apart. ``share`` (outcome, component), NaN where the variance is 0; a component is a
        factor or factors joined by " × ". ``first`` and ``total`` (outcome, factor): the share
        of a factor alone, and with all interactions it is part of. Each has its ``_mcse``
        (delete-a-group jackknife over draws and weights; the choices are what they are).
        Attributes ``m``, ``side``, ``estimand``, ``draws``, ``weight_draws``, ``choices``.

    Raises
    ------
    InputError
        If the inputs are not as described.

    References
    ----------
    Hoeffding decomposition and Sobol indices: Efron and Stein (1981),
    doi 10.1214/aos/1176345462; Saisana, Saltelli and Tarantola (2005),
    doi 10.1111/j.1467-985X.2005.00350.x.

    Examples
    --------
    >>> from pdsim.weights import weight_space
    >>> rng = np.random.default_rng(0)
    >>> levels = xr.DataArray(
    ...     rng.uniform(size=(50, 5, 3, 2)), dims=("sample", "facility", "indicator", "period")
    ... )
    >>> weights = weight_space.flat(["a", "b", "c"], size=40, seed=0)
    >>> parts = decompose(levels, weights, m=2, normalisations=["pp", "z"])
    >>> parts.share.sum("component").round(9).values.tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    grid = build_grid(
        levels,
        weights,
        m=m,
        side=side,
        normalisations=normalisations or scales_for(COUNTS, at_ends=True),
        aggregations=aggregations,
        left_out=left_out,
        reference=reference,
        trials=trials,
    )
    sums = sum_grid(grid)
    factors = grid.factors
    components = subsets(len(factors))[1:]
    means = _means(sums, grid)
    squared = squared_means(
        means.draw_squares.mean(axis=1),
        means.weight_squares.mean(axis=2),
        level_squares(means.by_draw.mean(axis=0), 0, grid),
        means.squares,
        grid,
    )
    whole = _table(squared, grid, components)
    errors = np.zeros(whole.shape) + _jackknife(sums, grid, components, means)
    facilities = grid.labels.facility.values.astype(str)
    outcome = np.concatenate((facilities, [MEMBERS, SET]))
    number = len(factors)
    single, total = len(components), len(components) + number
    samples, drawn = grid.after.shape[1], grid.weights.shape[2]
    mean = means.by_draw.mean(axis=(0, 1))
    unlisted = max(0.0, float(mean[-1]))
    if unlisted > _UNLISTED:
        whole[-1], errors[-1] = np.nan, np.nan
    return xr.Dataset(
        {
            "probability": ("facility", mean[: len(facilities)]),
            "variance": ("outcome", whole[:, -1]),
            "variance_mcse": ("outcome", errors[:, -1]),
            "share": (("outcome", "component"), whole[:, :single]),
            "share_mcse": (("outcome", "component"), errors[:, :single]),
            "first": (("outcome", "factor"), whole[:, single:total]),
            "first_mcse": (("outcome", "factor"), errors[:, single:total]),
            "total": (("outcome", "factor"), whole[:, total : total + number]),
            "total_mcse": (("outcome", "factor"), errors[:, total : total + number]),
        },
        coords={
            "facility": grid.labels.facility,
            "outcome": outcome,
            "component": [JOIN.join(factors[at] for at in part) for part in components],
            "factor": list(factors),
        },
        attrs={
            "m": grid.m,
            "side": side,
            "estimand": grid.labels.estimand,
            "draws": samples,
            "weight_draws": drawn,
            "choices": grid.margins.shape[1],
            "unlisted_sets": unlisted,
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Means:
    """Means over the grid: of the outcomes, and of their squared level means.

    Attributes
    ----------
    by_draw : ndarray (sample, choice, outcome)
        Means over the weights.
    by_weight : ndarray (choice, outcome, weight)
        Means over the samples.
    draw_squares : ndarray (margin, sample, outcome)
    weight_squares : ndarray (margin, outcome, weight)
    squares : ndarray (margin, outcome)
    """

    by_draw: Floats
    by_weight: Floats
    draw_squares: Floats
    weight_squares: Floats
    squares: Floats


def _means(sums: GridSums, grid: ChoiceGrid) -> _Means:
    samples, drawn = grid.after.shape[1], grid.weights.shape[2]
    by_draw = sums.by_draw.sum(axis=0) / drawn
    by_weight = sums.by_weight.sum(axis=0) / samples
    return _Means(
        by_draw=by_draw,
        by_weight=by_weight,
        draw_squares=level_squares(by_draw, 1, grid),
        weight_squares=level_squares(by_weight, 0, grid),
        squares=sums.squares.sum(axis=(0, 1)) / (samples * drawn),
    )


def _table(
    squared: dict[tuple[int, ...], Floats], grid: ChoiceGrid, components: list[tuple[int, ...]]
) -> Floats:
    """Return (outcome, column): components, first-order and total shares, the variance."""
    facilities = grid.after.shape[2]
    parts = []
    for component in components:
        part = np.zeros_like(squared[()])
        for size in range(len(component) + 1):
            sign = (-1.0) ** (len(component) - size)
            for inner in itertools.combinations(component, size):
                part += sign * squared[inner]
        single, sets = part[:facilities], part[facilities:]
        # the variance of a set is that of the indicators of all sets
        parts.append(np.append(single, (single.sum(), sets.sum())))
    variance = np.array(parts).T
    # what is not there is rounding of the inclusion and exclusion
    variance = np.where(variance > _NOTHING, variance, 0.0)
    total = variance.sum(axis=1, keepdims=True)
    share = variance / np.where(total > _NOTHING, total, np.nan)
    holds = np.array([[f in part for part in components] for f in range(len(grid.factors))])
    alone = np.array([[part == (f,) for part in components] for f in range(len(grid.factors))])
    return np.hstack((share, share @ alone.T, share @ holds.T, total))


def _jackknife(
    sums: GridSums, grid: ChoiceGrid, components: list[tuple[int, ...]], means: _Means
) -> Floats:
    """Return errors: each group of draws, then each of weights, left out in turn."""
    variance = np.zeros(())
    for replicates in (_without_draws(sums, grid, means), _without_weights(sums, grid, means)):
        tables = np.array([_table(squared, grid, components) for squared in replicates])
        if len(tables) > 1:
            spread = ((tables - tables.mean(axis=0)) ** 2).sum(axis=0)
            variance = variance + (len(tables) - 1) / len(tables) * spread
    return np.sqrt(variance)


def _without_draws(
    sums: GridSums, grid: ChoiceGrid, means: _Means
) -> Iterator[dict[tuple[int, ...], Floats]]:
    samples, drawn = grid.after.shape[1], grid.weights.shape[2]
    squares = sums.squares.sum(axis=1)
    for at, group in enumerate(sums.draw_groups):
        left = samples - (group.stop - group.start)
        if left == 0:
            continue
        # what is given the draw stays as it is; what is given the weights loses the group
        by_weight = (means.by_weight * samples - sums.by_weight[at]) / left
        yield squared_means(
            np.delete(means.draw_squares, np.r_[group], axis=1).mean(axis=1),
            level_squares(by_weight, 0, grid).mean(axis=-1),
            level_squares(by_weight.mean(axis=-1), 0, grid),
            (squares.sum(axis=0) - squares[at]) / (left * drawn),
            grid,
        )


def _without_weights(
    sums: GridSums, grid: ChoiceGrid, means: _Means
) -> Iterator[dict[tuple[int, ...], Floats]]:
    samples, drawn = grid.after.shape[1], grid.weights.shape[2]
    squares = sums.squares.sum(axis=0)
    for at, group in enumerate(sums.weight_groups):
        left = drawn - (group.stop - group.start)
        if left == 0:
            continue
        by_draw = (means.by_draw * drawn - sums.by_draw[at]) / left
        yield squared_means(
            level_squares(by_draw, 1, grid).mean(axis=1),
            np.delete(means.weight_squares, np.r_[group], axis=2).mean(axis=2),
            level_squares(by_draw.mean(axis=0), 0, grid),
            (squares.sum(axis=0) - squares[at]) / (samples * left),
            grid,
        )
