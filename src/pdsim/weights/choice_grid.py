"""The crossed grid of choices: what is crossed, the sums over it, and its analysis of variance."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Floats
from pdsim.errors import InputError
from pdsim.ranking.draws import check_side
from pdsim.weights.acceptances import sample_blocks
from pdsim.weights.grid_kernels import add_cells
from pdsim.weights.outcomes import POSTERIOR, WEIGHTS
from pdsim.weights.samples import Values, as_weights, blocks, in_threads, resolve_m
from pdsim.weights.schemes import LINEAR, Scheme, schemes
from pdsim.weights.set_kernels import facility_keys, sample_keys

NONE_LEFT_OUT: Final = ""

_GROUPS: Final = (5, 10)
"""Fewest and most groups of samples, and of weights, of the jackknife."""

_BYTES: Final = 200_000_000
_MOST_SETS: Final = 120
_LOOK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceGrid:
    """Everything that is crossed, as arrays.

    Attributes
    ----------
    labels : Values
        Facilities, indicators and samples.
    m : int
    choices : dict of str to tuple of str
        The levels of every choice factor with more than one, slowest first.
    margins : ndarray (margin, choice)
        Per subset of the choice factors (as in `subsets`) the level of each choice.
    kinds, after, before, sizes, two : see `add_cells`
    weights : ndarray (left_out, indicator, weight)
    keys, known : ndarray
        Numbers of the facilities, and of the listed sets.
    groups : int
        Groups of samples, and of weights, for the jackknife; fewer where memory is short.
    """

    labels: Values
    m: int
    choices: dict[str, tuple[str, ...]]
    margins: NDArray[np.int64]
    kinds: NDArray[np.int64]
    after: Floats
    before: Floats
    sizes: Floats
    two: bool
    weights: Floats
    keys: NDArray[np.uint64]
    known: NDArray[np.uint64]
    groups: int

    @property
    def factors(self) -> tuple[str, ...]:
        """All factors, the sampled ones first."""
        return (POSTERIOR, WEIGHTS, *self.choices)


def build_grid(
    levels: xr.DataArray,
    weights: xr.DataArray,
    *,
    m: int | None,
    side: str,
    normalisations: Sequence[str],
    aggregations: Sequence[str],
    left_out: bool | Sequence[str],
    reference: xr.DataArray | None,
    trials: xr.DataArray | None,
) -> ChoiceGrid:
    """Return the grid of samples, weights, ways to score and left-out indicators.

    Normalisation and aggregation are two factors where all their pairs are defined, else one
    factor ``scoring``.
    """
    check_side(side)
    built, labels = schemes(
        levels, normalisations, aggregations, side=side, reference=reference, trials=trials
    )
    chosen = resolve_m(m, labels)
    drawn = as_weights(weights, labels)
    choices = _factors(built)
    indicators = labels.indicator.values.astype(str)
    stacked = np.ascontiguousarray(drawn.T)[None]
    if left_out:
        if len(indicators) < 3:
            raise InputError("leaving one indicator out needs three of them")
        gone = np.isin(indicators, indicators if left_out is True else list(left_out))
        choices["left_out"] = (NONE_LEFT_OUT, *indicators[gone].tolist())
        stacked = np.concatenate((stacked, _left_out(drawn)[gone]))
    kinds = np.array([scheme.kind for scheme in built])
    after = np.stack([scheme.after for scheme in built])
    two = bool((kinds != LINEAR).any()) and levels.sizes["period"] == 2
    before = np.zeros((len(built), 0, *after.shape[2:]))
    if two:
        before = np.zeros_like(after)
        for at, scheme in enumerate(built):
            if scheme.kind != LINEAR:
                before[at] = scheme.before
    keys = facility_keys(after.shape[2])
    cells = len(built) * len(stacked)
    sample = after.shape[1]
    per_outcome = 8 * cells * (sample + len(drawn))
    fewest, most = _GROUPS
    groups = int(np.clip(_BYTES // (per_outcome * (after.shape[2] + 1)), fewest, most))
    room = int(_BYTES // (per_outcome * groups)) - after.shape[2] - 1
    return ChoiceGrid(
        labels=labels,
        m=chosen,
        choices=choices,
        margins=_margins([len(names) for names in choices.values()]),
        kinds=kinds,
        after=after,
        before=before,
        sizes=np.stack([scheme.sizes for scheme in built]),
        two=two,
        weights=stacked,
        keys=keys,
        known=_likely_sets(built, stacked, chosen, keys, max(1, min(_MOST_SETS, room))),
        groups=groups,
    )


def _factors(built: list[Scheme]) -> dict[str, tuple[str, ...]]:
    normalisations = tuple(dict.fromkeys(scheme.name[0] for scheme in built))
    aggregations = tuple(dict.fromkeys(scheme.name[1] for scheme in built))
    if len(built) < len(normalisations) * len(aggregations):
        return {"scoring": tuple(", ".join(scheme.name) for scheme in built)}
    both = {"normalisation": normalisations, "aggregation": aggregations}
    return {name: levels for name, levels in both.items() if len(levels) > 1}


def _left_out(drawn: Floats) -> Floats:
    """Return (indicator, indicator, weight): each indicator's weight given to the others."""
    indicators = drawn.shape[1]
    result = np.repeat(drawn.T[None], indicators, axis=0)
    for k in range(indicators):
        result[k, k] = 0.0
        rest = result[k].sum(axis=0)
        # where one indicator had all the weight the others share it equally
        result[k] = np.where(rest > 0, result[k], np.arange(indicators)[:, None] != k)
        result[k] /= result[k].sum(axis=0)
    return result


def subsets(count: int) -> list[tuple[int, ...]]:
    """Return all subsets of 0..count-1, from none to all."""
    return [s for size in range(count + 1) for s in itertools.combinations(range(count), size)]


def _margins(sizes: list[int]) -> NDArray[np.int64]:
    cells = int(np.prod(sizes, dtype=int))
    places = np.indices(sizes).reshape(len(sizes), cells)
    rows = []
    for chosen in subsets(len(sizes)):
        level = np.zeros(cells, dtype=np.int64)
        for factor in chosen:
            level = level * sizes[factor] + places[factor]
        rows.append(level)
    return np.array(rows)


def _likely_sets(
    built: list[Scheme], weights: Floats, m: int, keys: NDArray[np.uint64], most: int
) -> NDArray[np.uint64]:
    """Return the commonest sets in a thinned grid; all sets of a small study are among them."""
    found = []
    thin = weights[0][:, :: max(1, weights.shape[2] // _LOOK)]
    columns = np.ascontiguousarray(thin)
    for scheme in built:
        # a linear score finds the same sets often enough to list them
        values = scheme.after
        if scheme.kind != LINEAR and len(scheme.before):
            values = np.exp(scheme.after) - np.exp(scheme.before)
        values = np.ascontiguousarray(values[:: max(1, len(values) // _LOOK)])
        out = np.empty((len(values), columns.shape[1]), dtype=np.uint64)
        sample_keys(values, columns, m, keys, out)
        found.append(out.ravel())
    names, counts = np.unique(np.concatenate(found), return_counts=True)
    names, counts = names[names != 0], counts[names != 0]
    return np.asarray(names[np.argsort(-counts, kind="stable")[:most]])


@dataclass(frozen=True, slots=True, kw_only=True)
class GridSums:
    """Sums over the grid, by group of samples and group of weights for the jackknife.

    Attributes
    ----------
    by_draw : ndarray (weight group, sample, choice, outcome)
    by_weight : ndarray (sample group, choice, outcome, weight)
    squares : ndarray (sample group, weight group, margin, outcome)
    draw_groups, weight_groups : list of slice
    """

    by_draw: Floats
    by_weight: Floats
    squares: Floats
    draw_groups: list[slice]
    weight_groups: list[slice]


def sum_grid(grid: ChoiceGrid) -> GridSums:
    """Run over the grid on all cores; each task owns its part of the results."""
    samples, facilities = grid.after.shape[1:3]
    number = grid.weights.shape[2]
    choices = grid.margins.shape[1]
    outcomes = facilities + len(grid.known) + 1
    draw_groups = sample_blocks(grid.labels, min(grid.groups, samples))
    weight_groups = blocks(number, grid.groups)
    by_draw = np.zeros((len(weight_groups), samples, choices, outcomes))
    by_weight = np.zeros((len(draw_groups), choices, outcomes, number))
    squares = np.zeros((len(draw_groups), len(weight_groups), len(grid.margins), outcomes))
    columns = [np.ascontiguousarray(grid.weights[:, :, group]) for group in weight_groups]

    def run(task: tuple[int, int]) -> None:
        i, j = task
        own, group = draw_groups[i], weight_groups[j]
        sums = np.zeros((choices, outcomes, group.stop - group.start))
        add_cells(
            grid.kinds,
            grid.after,
            grid.before,
            grid.sizes,
            grid.two,
            np.array([own.start, own.stop]),
            columns[j],
            grid.m,
            grid.keys,
            grid.known,
            grid.margins,
            by_draw[j, own],
            sums,
            squares[i, j],
        )
        by_weight[i, :, :, group] = sums

    in_threads(run, list(itertools.product(range(len(draw_groups)), range(len(weight_groups)))))
    return GridSums(
        by_draw=by_draw,
        by_weight=by_weight,
        squares=squares,
        draw_groups=draw_groups,
        weight_groups=weight_groups,
    )


def level_squares(means: Floats, axis: int, grid: ChoiceGrid) -> Floats:
    """Return (margin, ...): the mean over a subset's levels of the squared mean at each.

    Parameters
    ----------
    means : ndarray
        Means of the outcomes for every choice, which lies on `axis`.
    """
    sizes = [len(names) for names in grid.choices.values()]
    shape = means.shape[:axis] + tuple(sizes) + means.shape[axis + 1 :]
    means = means.reshape(shape)
    every = range(axis, axis + len(sizes))
    result = []
    for chosen in subsets(len(sizes)):
        averaged = tuple(at for at in every if at - axis not in chosen)
        part = means.mean(axis=averaged, keepdims=True) ** 2
        result.append(part.mean(axis=tuple(every)))
    return np.array(result)


def squared_means(
    by_draw: Floats, by_weight: Floats, overall: Floats, squares: Floats, grid: ChoiceGrid
) -> dict[tuple[int, ...], Floats]:
    """Return for every subset of the factors E[(mean of the outcome given its levels)^2].

    Parameters
    ----------
    by_draw, by_weight, overall : ndarray (margin, outcome)
        Mean `level_squares` given the sample, given the weights, and given neither.
    squares : ndarray (margin, outcome)
        Means over samples and weights of squared sums over the choices of a level.

    Returns
    -------
    dict of subset to ndarray (outcome,)
        Factors are numbered as in `ChoiceGrid.factors`: 0 the posterior, 1 the weights.
    """
    choices = grid.margins.shape[1]
    result: dict[tuple[int, ...], Floats] = {}
    for at, chosen in enumerate(subsets(len(grid.choices))):
        factors = tuple(factor + 2 for factor in chosen)
        count = int(grid.margins[at].max()) + 1
        result[factors] = overall[at]
        result[0, *factors] = by_draw[at]
        result[1, *factors] = by_weight[at]
        result[0, 1, *factors] = squares[at] * (count / choices**2)
    return result
