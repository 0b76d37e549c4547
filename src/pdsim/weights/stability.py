"""One weight moved and the others in proportion: intervals of one indicator, sweeps of a domain."""

from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Floats
from pdsim.conventions import DEFAULT_M, Side
from pdsim.errors import InputError, Problem
from pdsim.ranking.draws import check_m, check_side, mean_and_error, never_seen
from pdsim.terms.places import membership, places
from pdsim.weights.samples import Values, as_nominal, as_values

_TIE: Final = 1e-12


def stability_interval(
    values: xr.DataArray,
    nominal: xr.DataArray,
    *,
    m: int = DEFAULT_M,
    side: Side = "top",
) -> xr.Dataset:
    """Return how far each single weight can move before the choice changes.

    The other weights keep their proportions, so every score is a line in the moved weight and
    the interval is exact.

    Parameters
    ----------
    values : DataArray (..., facility, indicator)
        Every sample gets its own answer.
    nominal : DataArray (indicator)
    m : int
    side : {"top", "bottom"}

    Returns
    -------
    Dataset (..., indicator)
        ``lower`` and ``upper``, the weights between which the m chosen stay (0 and 1 where
        nothing changes); ``lower_leaves``, ``lower_enters``, ``upper_leaves``,
        ``upper_enters``, the pair that swaps there ("" where none does); ``nominal`` weight.

    Raises
    ------
    InputError
        If an indicator has all the weight: then the others have no proportions.

    Examples
    --------
    >>> values = xr.DataArray(
    ...     [[1.0, 1.0, 0.0], [0.9, 0.9, 0.2], [0.0, 0.0, 0.1]], dims=("facility", "indicator")
    ... )
    >>> nominal = xr.DataArray([0.45, 0.45, 0.1], dims="indicator")
    >>> interval = stability_interval(values, nominal, m=1)
    >>> interval.upper.values.round(6).tolist(), str(interval.upper_enters[2].values)
    ([1.0, 1.0, 0.333333], '2')
    """
    checked = as_values(values)
    weight = as_nominal(nominal, checked)
    check_m(m, checked.array.shape[1])
    check_side(side)
    if (weight >= 1.0).any():
        raise InputError(
            Problem(
                rule="one indicator has all the weight, so the others have no proportions",
                cure="give another indicator some weight",
            )
        )
    array = checked.array if side == "top" else -checked.array
    samples, _, indicators = array.shape
    bounds = np.empty((2, samples, indicators))
    pairs = np.empty((2, samples, indicators, 2), dtype=np.int64)
    score = array @ weight
    for k in range(indicators):
        at_zero = (score - weight[k] * array[:, :, k]) / (1.0 - weight[k])
        for s in range(samples):
            low, high = _stays(at_zero[s], array[s, :, k], weight[k], m)
            bounds[0, s, k], *pairs[0, s, k] = low
            bounds[1, s, k], *pairs[1, s, k] = high
    labels = np.append(checked.facility.values.astype(str), "")
    parts: dict[str, xr.DataArray] = {}
    for end, name in enumerate(("lower", "upper")):
        own = [checked.indicator]
        parts[name] = checked.label(bounds[end], "indicator", coords=own)
        for which, event in enumerate(("leaves", "enters")):
            named = labels[pairs[end, ..., which]]
            parts[f"{name}_{event}"] = checked.label(named, "indicator", coords=own)
    parts["nominal"] = xr.DataArray(weight, dims="indicator")
    return xr.Dataset(parts, attrs={"m": m, "side": side, "estimand": checked.estimand})


def _stays(
    at_zero: Floats, at_one: Floats, x: float, m: int
) -> tuple[tuple[float, int, int], tuple[float, int, int]]:
    """Return the last x below and the first above at which a member and another cross."""
    now = (1.0 - x) * at_zero + x * at_one
    order = np.argsort(-now, kind="stable")
    inside, outside = order[:m], order[m:]
    gap = now[inside][:, None] - now[outside][None]
    slope = (at_one - at_zero)[inside][:, None] - (at_one - at_zero)[outside][None]
    size = max(float(np.abs(at_one).max()), float(np.abs(at_zero).max()))
    gap = np.where(gap <= _TIE * size, 0.0, gap)
    result = []
    for direction, room in ((-1.0, x), (1.0, 1.0 - x)):
        closing = -direction * slope
        steps = np.full(gap.shape, np.inf)
        np.divide(gap, closing, out=steps, where=closing > 0)
        nearest = int(np.argmin(steps))
        i, j = divmod(nearest, len(outside))
        step = float(steps[i, j])
        if step <= room:
            result.append((x + direction * step, int(inside[i]), int(outside[j])))
        else:
            result.append((x + direction * room, -1, -1))
    return result[0], result[1]


def domain_sweep(
    values: xr.DataArray,
    nominal: xr.DataArray,
    domain: str,
    *,
    m: int = DEFAULT_M,
    side: Side = "top",
    points: int = 101,
) -> xr.Dataset:
    """Return the choice at every weight of one domain from 0 to 1.

    Weights within the domain, and within the rest, keep their proportions. Every score is a
    line in the domain's weight, so with the samples' mean values all sets that any weight gives
    are found, with no sampling; with two domains that is all there is.

    Parameters
    ----------
    values : DataArray (..., facility, indicator)
        ``domain`` is a coordinate of ``indicator``.
    nominal : DataArray (indicator)
    domain : str
        The domain whose weight moves.
    m : int
    side : {"top", "bottom"}
    points : int
        Weights at which the membership probability is counted over the samples.

    Returns
    -------
    Dataset
        Of the mean values, exact: ``lower`` and ``upper`` (segment), ``member`` (segment,
        facility), 1 in the set, 0 outside, a fraction where lines coincide. Over samples:
        ``probability`` (domain_weight, facility) and ``probability_mcse``. ``nominal_weight``
        of the domain. Attributes ``m``, ``side``, ``domain``, ``estimand``, ``ess``.

    Raises
    ------
    InputError
        If the domain is unknown, or it or the rest has no weight.

    Examples
    --------
    >>> values = xr.DataArray(
    ...     [[0.9, 0.6], [1.0, 0.2], [0.1, 1.15]],
    ...     dims=("facility", "indicator"),
    ...     coords={"indicator": ["a", "b"], "domain": ("indicator", ["x", "y"])},
    ... )
    >>> sweep = domain_sweep(values, xr.DataArray([0.45, 0.55], dims="indicator"), "y", m=1)
    >>> sweep.upper.values.round(6).tolist()
    [0.2, 0.592593, 1.0]
    """
    checked = as_values(values)
    weight = as_nominal(nominal, checked)
    check_m(m, checked.array.shape[1])
    check_side(side)
    own = _in_domain(checked, domain)
    held = float(weight[own].sum())
    if not 0.0 < held < 1.0:
        raise InputError(f"domain {domain!r} and the rest both need weight (it has {held:g})")
    array = checked.array if side == "top" else -checked.array
    one = array[:, :, own] @ (weight[own] / held)
    zero = array[:, :, ~own] @ (weight[~own] / (1.0 - held))
    edges, member = _segments(zero.mean(axis=0), one.mean(axis=0), m)
    grid = np.linspace(0.0, 1.0, points)
    share, error = np.empty((points, one.shape[1])), np.zeros((points, one.shape[1]))
    least = np.inf
    for at, x in enumerate(grid):
        inside = membership(*places((1.0 - x) * zero + x * one), m)
        share[at] = inside.mean(axis=0)
        if checked.sampled:
            series = inside.reshape(1, checked.chains, -1, inside.shape[1])
            _, drawn, size = mean_and_error(series, ess=checked.ess)
            error[at] = never_seen(drawn[0], size[0])
            least = min(least, float(size.min()))
    return xr.Dataset(
        {
            "lower": ("segment", edges[:-1]),
            "upper": ("segment", edges[1:]),
            "member": (("segment", "facility"), member),
            "probability": (("domain_weight", "facility"), share),
            "probability_mcse": (("domain_weight", "facility"), error),
            "nominal_weight": ((), held),
        },
        coords={"facility": checked.facility, "domain_weight": grid},
        attrs={
            "m": m,
            "side": side,
            "domain": domain,
            "estimand": checked.estimand,
            "ess": least if checked.sampled else 1.0,
        },
    )


def _in_domain(values: Values, domain: str) -> NDArray[np.bool_]:
    if "domain" not in values.indicator.coords:
        raise InputError(
            Problem(
                rule="the values do not say which domain an indicator is of",
                cure="give them the coordinate 'domain' on indicator",
            )
        )
    names = values.indicator["domain"].values.astype(str)
    if domain not in names:
        known = ", ".join(dict.fromkeys(names.tolist()))
        raise InputError(Problem(rule=f"unknown domain {domain!r}", cure=f"use one of: {known}"))
    return np.asarray(names == domain)


def _segments(zero: Floats, one: Floats, m: int) -> tuple[Floats, Floats]:
    """Walk over x from 0 to 1 from one change of the set to the next."""
    slope = one - zero
    size = max(float(np.abs(zero).max()), float(np.abs(one).max()), 1e-300)
    edges = [0.0]
    members: list[Floats] = []
    x = 0.0
    while True:
        now = zero + x * slope
        inside = _just_after(now, slope, m, size)
        following, ends = 1.0, True
        for i in np.flatnonzero(inside > 0):
            rivals = np.flatnonzero((inside < 1) & (slope > slope[i] + _TIE * size))
            gaps = np.maximum(now[i] - now[rivals], 0.0)
            crossing = x + gaps / (slope[rivals] - slope[i])
            # those level at x are already in order: their slopes decided
            crossing = crossing[gaps > _TIE * size]
            if crossing.size and crossing.min() < following:
                following, ends = float(crossing.min()), False
        if not members or not np.array_equal(members[-1], inside):
            if members:
                edges.append(x)
            members.append(inside)
        if ends or following >= 1.0:
            return np.append(edges, 1.0), np.array(members)
        x = following


def _just_after(now: Floats, slope: Floats, m: int, size: float) -> Floats:
    """Return membership just above the point where the lines have these values."""
    cut = np.partition(now, -m)[-m]
    ahead = now > cut + _TIE * size
    level = ~ahead & (now >= cut - _TIE * size)
    # among those level here the steeper lines are ahead just after
    places_left = m - int(ahead.sum())
    edge = np.partition(slope[level], -places_left)[-places_left]
    steeper = level & (slope > edge + _TIE * size)
    same = level & ~steeper & (slope >= edge - _TIE * size)
    share = (places_left - steeper.sum()) / same.sum()
    return np.where(ahead | steeper, 1.0, np.where(same, share, 0.0))
