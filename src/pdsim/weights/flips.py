"""How far the weights must move before another set of facilities is chosen."""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Floats
from pdsim.conventions import DEFAULT_M, Side
from pdsim.errors import InputError, Problem
from pdsim.ranking.draws import check_m, check_side, mean_and_error, never_seen
from pdsim.weights.flip_kernels import NORMS, nearest_flips
from pdsim.weights.polytopes import Polytope, as_polytope, nearest
from pdsim.weights.samples import Values, as_nominal, as_values, blocks, in_threads

type Norm = Literal["l1", "l2", "linf"]

_TIE: Final = 1e-12
_SLACK: Final = 1e-9


def flip_distance(
    values: xr.DataArray,
    nominal: xr.DataArray,
    *,
    m: int = DEFAULT_M,
    side: Side = "top",
    norm: Norm = "l1",
    selected: Sequence[str] | None = None,
    known: xr.Dataset | None = None,
) -> xr.Dataset:
    """Return the smallest change of weights at which the m facilities chosen change.

    The set changes exactly where a member and a non-member swap, so this is the least of m(F-m)
    distances to a half-space, each exact: greedy transfer for L1, piecewise linear root finding
    for L2 and L-infinity, linear or least distance programmes under general constraints.

    Parameters
    ----------
    values : DataArray (..., facility, indicator)
        Every sample gets its own answer.
    nominal : DataArray (indicator)
        Divided by their sum.
    m : int
    side : {"top", "bottom"}
    norm : {"l1", "l2", "linf"}
        Of the difference of weights. Half of L1 is the weight that changes hands.
    selected : sequence of str, optional
        A set named beforehand: where it is not the choice at the nominal weights its distance
        is 0. Default: the m chosen at the nominal weights in each sample.
    known : Dataset, optional
        From `pdsim.weights.constraints`; only weights that meet them count.

    Returns
    -------
    Dataset (...)
        ``distance``, infinite where no weights change the set; ``leaves`` and ``enters``, the
        pair that swaps ("" where none does); ``flip_weights`` (..., indicator), at which the
        pair is level (NaN where none is). Attributes ``m``, ``side``, ``norm``, ``estimand``,
        ``ess``.

    Raises
    ------
    InputError
        If the inputs are not as described, or the nominal weights break the constraints.

    Examples
    --------
    >>> values = xr.DataArray(
    ...     [[0.9, 0.6], [1.0, 0.2], [0.1, 1.15]], dims=("facility", "indicator")
    ... )
    >>> flip = flip_distance(values, xr.DataArray([0.45, 0.55], dims="indicator"), m=1)
    >>> flip.flip_weights.values.round(6).tolist(), str(flip.enters.values)
    ([0.407407, 0.592593], '3')
    """
    checked = as_values(values)
    weight = as_nominal(nominal, checked)
    check_m(m, checked.array.shape[1])
    check_side(side)
    if norm not in NORMS:
        raise InputError(Problem(rule=f"unknown norm {norm!r}", cure=f"use {', '.join(NORMS)}"))
    members = _members(selected, checked, m)
    array = checked.array if side == "top" else -checked.array
    names = checked.indicator.values.astype(str)
    space = as_polytope(known, names)
    if (space.at_most @ weight > space.bound + _SLACK).any() or (
        np.abs(space.equal @ weight - space.value) > _SLACK
    ).any():
        raise InputError(
            Problem(
                rule="the nominal weights do not meet the constraints",
                cure="change one or the other",
            )
        )
    limits = _limits(space)
    if limits is None:
        found = _by_programmes(array, weight, space, m, norm, members)
    else:
        found = _by_kernel(array, weight, limits, m, norm, members)
    distance, pair, place = found
    labels = np.append(checked.facility.values.astype(str), "")
    return xr.Dataset(
        {
            "distance": checked.label(distance),
            "leaves": checked.label(labels[pair[:, 0]]),
            "enters": checked.label(labels[pair[:, 1]]),
            "flip_weights": checked.label(place, "indicator", coords=[checked.indicator]),
        },
        attrs={
            "m": m,
            "side": side,
            "norm": norm,
            "estimand": checked.estimand,
            **({} if checked.ess is None else {"ess": checked.ess}),
        },
    )


def _members(selected: Sequence[str] | None, values: Values, m: int) -> NDArray[np.bool_]:
    if selected is None:
        return np.zeros(0, dtype=bool)
    names = values.facility.values.astype(str).tolist()
    unknown = [name for name in selected if name not in names]
    if unknown or len(set(selected)) != m:
        problems = [Problem(facility=name, rule="is selected but unknown") for name in unknown]
        raise InputError(problems or f"select m = {m} facilities (received {len(set(selected))})")
    return np.isin(names, list(selected))


def _limits(space: Polytope) -> tuple[Floats, Floats] | None:
    """Return floors and ceilings if the constraints are nothing else."""
    if len(space.equal) > 1 or (np.count_nonzero(space.at_most, axis=1) > 1).any():
        return None
    low, high = np.zeros(space.size), np.ones(space.size)
    for row, bound in zip(space.at_most, space.bound, strict=True):
        k = int(np.argmax(np.abs(row)))
        if row[k] > 0:
            high[k] = min(high[k], bound / row[k])
        elif row[k] < 0:
            low[k] = max(low[k], bound / row[k])
    return low, high


def _by_kernel(
    array: Floats,
    weight: Floats,
    limits: tuple[Floats, Floats],
    m: int,
    norm: Norm,
    members: NDArray[np.bool_],
) -> tuple[Floats, NDArray[np.int64], Floats]:
    samples, _, indicators = array.shape
    distance = np.empty(samples)
    pair = np.empty((samples, 2), dtype=np.int64)
    move = np.empty((samples, indicators))
    low = np.minimum(limits[0] - weight, 0.0)
    high = np.maximum(limits[1] - weight, 0.0)

    def run(block: slice) -> None:
        nearest_flips(
            array[block],
            weight,
            low,
            high,
            m,
            NORMS.index(norm),
            members,
            distance[block],
            pair[block],
            move[block],
        )

    in_threads(run, blocks(samples, 8 if samples >= 64 else 1))
    place = np.where(np.isfinite(distance)[:, None], weight + move, np.nan)
    return distance, pair, place


def _by_programmes(
    array: Floats,
    weight: Floats,
    space: Polytope,
    m: int,
    norm: Norm,
    members: NDArray[np.bool_],
) -> tuple[Floats, NDArray[np.int64], Floats]:
    samples, facilities, indicators = array.shape
    distance = np.full(samples, np.inf)
    pair = np.full((samples, 2), -1)
    place = np.full((samples, indicators), np.nan)
    for s, values in enumerate(array):
        score = values @ weight
        inside = (
            members
            if members.size
            else np.isin(np.arange(facilities), np.argsort(-score, kind="stable")[:m])
        )
        pairs = [(i, j) for i in np.flatnonzero(inside) for j in np.flatnonzero(~inside)]
        gaps = np.array([score[i] - score[j] for i, j in pairs])
        widths = np.array([max(float(np.ptp(values[i] - values[j])), 1e-300) for i, j in pairs])
        # a move of L1 size t changes d . w by at most t * width / 2; other norms are no larger
        factor = {"l1": 0.5, "l2": 0.5 * indicators**0.5, "linf": 0.5 * indicators}[norm]
        reach = np.maximum(gaps, 0.0) / (factor * widths)
        for at in np.argsort(reach, kind="stable"):
            i, j = pairs[at]
            if reach[at] >= distance[s]:
                break
            d = values[i] - values[j]
            if gaps[at] <= _TIE * np.abs(d).max():
                found = 0.0, weight
            else:
                found = nearest(weight, d[None], space, norm)
            if found[0] < distance[s]:
                distance[s], place[s], pair[s] = *found, (i, j)
    return distance, pair, place


def flip_survival(flips: xr.Dataset, within: Sequence[float] | NDArray[np.float64]) -> xr.Dataset:
    """Return the probability that the choice survives every re-weighting within a distance.

    Parameters
    ----------
    flips : Dataset
        From `flip_distance` over samples.
    within : sequence of float
        Distances, in the norm of `flips`.

    Returns
    -------
    Dataset (within)
        ``survival``, the share of samples whose flip is farther away, and ``survival_mcse``.

    Examples
    --------
    >>> flips = xr.Dataset({"distance": ("sample", [0.1, 0.3, 0.5, float("inf")])})
    >>> flip_survival(flips, [0.0, 0.4]).survival.values.tolist()
    [1.0, 0.5]
    """
    distance = flips["distance"]
    deltas = np.asarray(within, dtype=np.float64)
    chains = distance.sizes.get("chain", 1) if "draw" in distance.dims else 1
    if "draw" in distance.dims:
        distance = distance.transpose(..., "chain", "draw", missing_dims="ignore")
    flat = distance.values.ravel()
    ess = flips.attrs.get("ess")
    if ess is None and ("draw" not in distance.dims or distance.sizes["draw"] < 4):
        ess = float(len(flat))
    beyond = (flat[:, None] > deltas).astype(np.float64)
    mean, error, size = mean_and_error(beyond.reshape(1, chains, -1, len(deltas)), ess=ess)
    mcse = never_seen(error[0], size[0]) if len(flat) > 1 else error[0]
    return xr.Dataset(
        {"survival": ("within", mean[0]), "survival_mcse": ("within", mcse)},
        coords={"within": deltas},
        attrs={**flips.attrs, "ess": float(size.min())},
    )
