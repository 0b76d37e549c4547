"""What goes into the weight functions, checked once: values per facility and indicator, weights."""

import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Floats
from pdsim.conventions import DEFAULT_M
from pdsim.errors import InputError, Problem
from pdsim.ranking.draws import check_m

_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """Values with all sample dimensions rolled into one.

    Attributes
    ----------
    array : ndarray (sample, facility, indicator)
        Larger is better.
    chains : int
        The samples are `chains` runs of equal length, one after the other.
    ess : float or None
        Effective samples where known; None for chains, whose autocorrelation is measured.
    template : DataArray
        The leading dimensions with their coordinates; no dimensions without samples.
    facility, indicator : DataArray
        The labels, each with the coordinates on it.
    positional : bool
        The indicators had no labels, so weights are taken in the order they come.
    estimand : str
    """

    array: Floats
    chains: int
    ess: float | None
    template: xr.DataArray
    facility: xr.DataArray
    indicator: xr.DataArray
    positional: bool
    estimand: str

    @property
    def sampled(self) -> bool:
        """Whether there is more than one sample."""
        return len(self.array) > 1

    def label(
        self, values: NDArray[np.generic], *dims: str, coords: Sequence[xr.DataArray] = ()
    ) -> xr.DataArray:
        """Return (sample, *dims) values over the leading dimensions they came with."""
        shape = (*self.template.shape, *values.shape[1:])
        result = xr.DataArray(
            values.reshape(shape),
            dims=(*self.template.dims, *dims),
            coords=self.template.coords,
        )
        return result.assign_coords({str(coord.name): coord for coord in coords})


def as_values(values: xr.DataArray) -> Values:
    """Check values and roll their sample dimensions into one.

    Parameters
    ----------
    values : DataArray (..., facility, indicator)
        Any leading dimensions; ``chain`` and ``draw`` are taken as Markov chains unless the
        attribute ``ess`` states the effective sample size, others as independent.

    Raises
    ------
    InputError
        If a dimension is missing, a number is not finite, a name occurs twice, or only one
        facility is there.
    """
    if not isinstance(values, xr.DataArray) or not {"facility", "indicator"} <= set(values.dims):
        found = values.dims if isinstance(values, xr.DataArray) else type(values).__name__
        raise InputError(
            Problem(
                rule=f"values are a DataArray over facility and indicator (received {found})",
                cure="see pdsim.scoring.indicator_values",
            )
        )
    leading = [dim for dim in values.dims if dim not in ("chain", "draw", "facility", "indicator")]
    order = [*leading, *(dim for dim in ("chain", "draw") if dim in values.dims)]
    values = values.transpose(*order, "facility", "indicator")
    problems = [
        Problem(rule=f"a name occurs twice on the dimension {dim}", cure="name each once")
        for dim in ("facility", "indicator")
        if dim in values.coords and len(np.unique(values[dim].values)) < values.sizes[dim]
    ]
    if values.size == 0 or values.sizes["facility"] < 2:
        problems.append(Problem(rule=f"ranking needs two facilities and a number: {values.sizes}"))
    elif not np.isfinite(values.values).all():
        problems.append(_not_finite(values))
    if problems:
        raise InputError(problems)
    array = np.ascontiguousarray(values.values, dtype=np.float64)
    array = array.reshape(-1, *array.shape[-2:])
    ess = float(values.attrs["ess"]) if "ess" in values.attrs else None
    if ess is None and ("draw" not in values.dims or values.sizes["draw"] < 4):
        ess = float(len(array))
    first = dict.fromkeys(order, 0)
    return Values(
        array=array,
        chains=int(np.prod([values.sizes[dim] for dim in order if dim != "draw"], dtype=int))
        if "draw" in values.dims
        else 1,
        ess=ess,
        template=values.isel(facility=0, indicator=0, drop=True),
        facility=_labels(values.isel(first, drop=True), "facility"),
        indicator=_labels(values.isel(first, drop=True), "indicator"),
        positional="indicator" not in values.coords,
        estimand=str(values.attrs.get("estimand", "change")),
    )


def _not_finite(values: xr.DataArray) -> Problem:
    bad = ~np.isfinite(values.values)
    at = np.argwhere(bad.reshape(-1, *values.shape[-2:]).any(axis=0))[0]
    names = [
        str(values[dim].values[where]) if dim in values.coords else str(where + 1)
        for dim, where in zip(("facility", "indicator"), at, strict=True)
    ]
    return Problem(
        rule="a value is missing or not finite",
        cure="use the model's levels, or pdsim.scoring.apply_missing_policy",
        facility=names[0],
        indicator=names[1],
    )


def _labels(values: xr.DataArray, dim: str) -> xr.DataArray:
    if dim in values.coords:
        return values[dim]
    names = np.arange(1, values.sizes[dim] + 1).astype(str)
    return xr.DataArray(names, dims=dim, coords={dim: names}, name=dim)


def resolve_m(m: int | None, values: Values) -> int:
    """Return m, or the default where there are facilities enough, after checking it."""
    facilities = values.array.shape[1]
    chosen = min(DEFAULT_M, facilities // 2) if m is None else m
    check_m(chosen, facilities)
    return chosen


def as_weights(weights: xr.DataArray, values: Values) -> Floats:
    """Return weights (weight_draw, indicator) in the indicators' order, after checking them.

    Raises
    ------
    InputError
        If a weight is negative or not finite, a vector does not sum to 1, or the indicators are
        not those of the values.
    """
    if not isinstance(weights, xr.DataArray) or set(weights.dims) != {"weight_draw", "indicator"}:
        raise InputError(
            Problem(
                rule="weights are a DataArray (weight_draw, indicator)",
                cure="draw them from pdsim.weight_space",
            )
        )
    array = _in_order(weights, values).transpose("weight_draw", "indicator").values
    check_simplex(array)
    return np.ascontiguousarray(array, dtype=np.float64)


def as_nominal(nominal: xr.DataArray, values: Values) -> Floats:
    """Return one weight vector in the indicators' order, divided by its sum.

    Raises
    ------
    InputError
        If a weight is negative or not finite, all are zero, or indicators do not match.
    """
    if not isinstance(nominal, xr.DataArray) or nominal.dims != ("indicator",):
        raise InputError("nominal weights are a DataArray over indicator alone")
    return scaled_to_one(_in_order(nominal, values).values)


def scaled_to_one(weights: NDArray[np.generic]) -> Floats:
    """Return weights divided by their sum.

    Raises
    ------
    InputError
        If one is negative or not finite, or all are zero.
    """
    array = np.asarray(weights, dtype=np.float64)
    if not np.isfinite(array).all() or (array < 0).any() or array.sum() <= 0:
        received = array.tolist()
        raise InputError(f"weights are finite, not negative and not all zero (received {received})")
    return np.asarray(array / array.sum())


def check_simplex(array: Floats) -> None:
    """Raise InputError unless every row is not negative and sums to 1."""
    if array.size == 0:
        raise InputError("there is no weight vector")
    if not np.isfinite(array).all():
        raise InputError("a weight is missing or not finite")
    if (array < 0).any() or np.abs(array.sum(axis=1) - 1.0).max() > _TOLERANCE:
        raise InputError("weights are not negative and sum to 1 in every weight_draw")


def _in_order(weights: xr.DataArray, values: Values) -> xr.DataArray:
    names = values.indicator.values
    if "indicator" in weights.coords and not values.positional:
        if set(weights["indicator"].values.tolist()) != set(names.tolist()):
            raise InputError(
                Problem(
                    rule="the weights are not those of the values' indicators",
                    cure=f"give each of {', '.join(map(str, names))} one weight",
                )
            )
        return weights.sel(indicator=names)
    if weights.sizes["indicator"] != len(names):
        rule = f"{len(names)} weights are needed, {weights.sizes['indicator']} are there"
        raise InputError(rule)
    return weights


def blocks(length: int, count: int) -> list[slice]:
    """Cut 0..length into at most `count` slices of nearly equal length."""
    count = max(1, min(count, length))
    edges = [length * part // count for part in range(count + 1)]
    return [slice(low, high) for low, high in itertools.pairwise(edges)]


def in_threads[T, R](function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Return function(item) for each item, in order, on all cores.

    For compiled functions that release the interpreter lock and write to places of their own;
    how many threads there are can then not matter to the result. Each thread takes every so
    manieth item: handing over one by one can take longer than the work.
    """
    threads = min(len(items), os.cpu_count() or 1)
    if threads < 2:
        return [function(item) for item in items]
    results: list[Any] = [None] * len(items)
    with ThreadPoolExecutor(threads) as pool:
        shares = pool.map(lambda t: [function(item) for item in items[t::threads]], range(threads))
        for t, share in enumerate(shares):
            results[t::threads] = share
    return results
