"""What weights can do at all: best and worst ranks, sure and possible members, who leaves when."""

import heapq
import itertools
from collections.abc import Sequence
from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from pdsim.arraytypes import Floats
from pdsim.conventions import DEFAULT_M, Side
from pdsim.errors import InputError, Problem
from pdsim.ranking.draws import check_m, check_side
from pdsim.weights.flips import Norm
from pdsim.weights.polytopes import Polytope, as_polytope, nearest
from pdsim.weights.samples import Values, as_nominal, as_values

_TIE: Final = 1e-6
"""Scores this close, relative to the pair's largest difference, count as equal."""


def membership_bounds(
    values: xr.DataArray,
    *,
    m: int = DEFAULT_M,
    known: xr.Dataset | None = None,
    facility: Sequence[str] | None = None,
) -> xr.Dataset:
    """Return the best and the worst rank each facility has under any weights.

    By mixed-integer programmes (HiGHS), so an answer of "never" is a proof, which no number of
    sampled weights without a hit can be.

    Parameters
    ----------
    values : DataArray (facility, indicator)
        One sample, such as the posterior mean.
    m : int
    known : Dataset, optional
        From `pdsim.weights.constraints`. Default: all weights.
    facility : sequence of str, optional
        Facilities to answer for. Default: all.

    Returns
    -------
    Dataset (facility)
        ``best_rank`` and ``worst_rank``, a tie counted in the facility's favour in the former
        and against it in the latter; ``possible_top``, ``necessary_top``, ``possible_bottom``,
        ``necessary_bottom`` (bool); ``best_weights`` and ``worst_weights`` (facility,
        indicator) that show it. Attribute ``m``.

    Raises
    ------
    InputError
        If values have samples, or no weights meet the constraints.

    Examples
    --------
    >>> values = xr.DataArray([[1.0, 0.0], [0.0, 1.0], [0.3, 0.3]], dims=("facility", "indicator"))
    >>> bounds = membership_bounds(values, m=1)
    >>> bounds.best_rank.values.tolist(), bounds.possible_top.values.tolist()
    ([1, 1, 2], [True, True, False])
    """
    checked, array = _one_sample(values)
    facilities = len(array)
    check_m(m, facilities)
    space = as_polytope(known, checked.indicator.values.astype(str))
    chosen = _positions(facility, checked)
    best, worst = np.empty(len(chosen), dtype=int), np.empty(len(chosen), dtype=int)
    places = np.empty((2, len(chosen), array.shape[1]))
    for at, f in enumerate(chosen):
        lead = np.delete(array, f, axis=0) - array[f]
        ahead, places[0, at] = _fewest_ahead(lead, space)
        behind, places[1, at] = _fewest_ahead(-lead, space)
        best[at], worst[at] = 1 + ahead, facilities - behind
    flags = {
        "possible_top": best <= m,
        "necessary_top": worst <= m,
        "possible_bottom": worst > facilities - m,
        "necessary_bottom": best > facilities - m,
    }
    return xr.Dataset(
        {
            "best_rank": ("facility", best),
            "worst_rank": ("facility", worst),
            **{name: ("facility", flag) for name, flag in flags.items()},
            "best_weights": (("facility", "indicator"), places[0]),
            "worst_weights": (("facility", "indicator"), places[1]),
        },
        coords={"facility": checked.facility[chosen], "indicator": checked.indicator},
        attrs={"m": m, "estimand": checked.estimand},
    )


def facility_flip_distance(
    values: xr.DataArray,
    nominal: xr.DataArray,
    *,
    m: int = DEFAULT_M,
    side: Side = "top",
    norm: Norm = "l1",
    known: xr.Dataset | None = None,
    facility: Sequence[str] | None = None,
) -> xr.Dataset:
    """Return for each facility the smallest change of weights that ends its membership or not.

    Members leave when m others are level or ahead, others enter when no more than m - 1 are
    ahead; which ones is searched best first (branch and bound), so the answer is exact.

    Parameters
    ----------
    values : DataArray (facility, indicator)
        One sample, such as the posterior mean.
    nominal : DataArray (indicator)
    m, side, norm, known : see `flip_distance`
    facility : sequence of str, optional
        Facilities to answer for. Default: all.

    Returns
    -------
    Dataset (facility)
        ``selected`` at nominal (bool); ``distance``, infinite where no weights change it;
        ``flip_weights`` (facility, indicator). Attributes ``m``, ``side``, ``norm``.

    Raises
    ------
    InputError
        If the inputs are not as described.

    Examples
    --------
    >>> values = xr.DataArray([[3.0, 0.0], [2.0, 1.0], [0.0, 1.5]], dims=("facility", "indicator"))
    >>> flip = facility_flip_distance(values, xr.DataArray([0.9, 0.1], dims="indicator"), m=1)
    >>> flip.selected.values.tolist(), flip.distance.values.round(6).tolist()
    ([True, False, False], [0.8, 0.8, 1.4])
    """
    checked, array = _one_sample(values)
    check_m(m, len(array))
    check_side(side)
    array = array if side == "top" else -array
    weight = as_nominal(nominal, checked)
    space = as_polytope(known, checked.indicator.values.astype(str))
    score = array @ weight
    inside = np.isin(np.arange(len(array)), np.argsort(-score, kind="stable")[:m])
    chosen = _positions(facility, checked)
    distance = np.empty(len(chosen))
    place = np.empty((len(chosen), array.shape[1]))
    for at, f in enumerate(chosen):
        lead = np.delete(array, f, axis=0) - array[f]
        rows, needed = (-lead, m) if inside[f] else (lead, len(array) - m)
        distance[at], place[at] = _nearest_with(rows, needed, weight, space, norm)
    return xr.Dataset(
        {
            "selected": ("facility", inside[chosen]),
            "distance": ("facility", distance),
            "flip_weights": (("facility", "indicator"), place),
        },
        coords={"facility": checked.facility[chosen], "indicator": checked.indicator},
        attrs={"m": m, "side": side, "norm": norm, "estimand": checked.estimand},
    )


def _one_sample(values: xr.DataArray) -> tuple[Values, Floats]:
    checked = as_values(values)
    if checked.sampled or checked.template.ndim:
        raise InputError(
            Problem(
                rule=f"programmes take values of one sample (received {values.dims})",
                cure="average the samples, or take one",
            )
        )
    return checked, checked.array[0]


def _positions(facility: Sequence[str] | None, values: Values) -> NDArray[np.int64]:
    names = values.facility.values.astype(str).tolist()
    if facility is None:
        return np.arange(len(names))
    unknown = [name for name in facility if name not in names]
    if unknown:
        raise InputError([Problem(facility=name, rule="is unknown") for name in unknown])
    return np.array([names.index(name) for name in facility])


def _fewest_ahead(lead: Floats, space: Polytope) -> tuple[int, Floats]:
    """Return the fewest rows with lead @ w > 0 over the space, and the weights."""
    largest = lead.max(axis=1)
    # never ahead under any weights: no variable needed
    lead = lead[largest > 0] / largest[largest > 0, None]
    others, number = lead.shape
    rows = np.zeros((len(space.at_most), others))
    equal = np.zeros((len(space.equal), others))
    # lead @ w <= z: being ahead costs one, and lead @ w is at most 1
    limits = [
        LinearConstraint(np.hstack((lead, -np.eye(others))), -np.inf, 0.0),
        LinearConstraint(np.hstack((space.at_most, rows)), -np.inf, space.bound),
        LinearConstraint(np.hstack((space.equal, equal)), space.value, space.value),
    ]
    answer = milp(
        np.concatenate((np.zeros(number), np.ones(others))),
        constraints=limits if others else limits[1:],
        integrality=np.concatenate((np.zeros(number), np.ones(others))),
        bounds=Bounds(0.0, 1.0),
        options={"mip_rel_gap": 0.0},
    )
    if answer.x is None:
        raise ArithmeticError(f"the programme for the best rank failed: {answer.message}")
    weights = np.maximum(answer.x[:number], 0.0)
    weights = weights / weights.sum()
    return int((lead @ weights > _TIE).sum()), weights


def _nearest_with(
    rows: Floats, needed: int, nominal: Floats, space: Polytope, norm: Norm
) -> tuple[float, Floats]:
    """Return the nearest weights with rows @ w <= 0 for at least `needed` of the rows.

    Best first over sets of rows that are forced: the distance with some forced is a lower bound
    for all larger sets, so the first node that meets enough rows is the answer.
    """
    scale = np.maximum(np.abs(rows).max(axis=1), 1e-300)
    counter = itertools.count()
    start = nearest(nominal, np.zeros((0, len(nominal))), space, norm)
    none: tuple[int, ...] = ()
    heap = [(start[0], next(counter), start[1], none, none)]
    while heap:
        distance, _, place, forced, barred = heapq.heappop(heap)
        met = rows @ place <= _TIE * scale
        met[list(forced)] = True
        if met.sum() >= needed:
            return distance, place
        unmet = [row for row in np.flatnonzero(~met) if row not in barred]
        allowed = int(met.sum()) - int(met[list(barred)].sum())
        # one of any so many unmet rows must be in a large enough set
        branches = len(unmet) - (needed - allowed) + 1
        before = list(barred)
        for row in unmet[: max(branches, 0)]:
            chosen = (*forced, int(row))
            found = nearest(nominal, rows[list(chosen)], space, norm)
            if np.isfinite(found[0]):
                heapq.heappush(heap, (found[0], next(counter), found[1], chosen, tuple(before)))
            before.append(int(row))
    return np.inf, np.full(len(nominal), np.nan)
