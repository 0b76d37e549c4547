"""Random weights with the right geometry: one function per thing that may be known about them.

All return (weight_draw, indicator); every vector is not negative and sums to 1. Numbers drawn
from U(0, 1) and divided by their sum are not uniform on the simplex (they crowd at its centre),
so that is not offered: `flat` is uniform.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats
from pdsim.errors import InputError, Problem
from pdsim.weights.billiard import sample_polytope
from pdsim.weights.polytopes import as_polytope, constraints
from pdsim.weights.samples import check_simplex, scaled_to_one

__all__ = ["bounded", "box", "dirichlet", "flat", "ordered", "polytope", "tree"]

_TOLERANCE = 1e-9


def flat(indicators: Sequence[str], *, size: int, seed: int) -> xr.DataArray:
    """Draw weights uniformly from the simplex: nothing is known about them.

    Parameters
    ----------
    indicators : sequence of str
    size : int
        Number of weight vectors.
    seed : int
        0 is a seed like any other.

    Returns
    -------
    DataArray (weight_draw, indicator)

    Raises
    ------
    InputError
        If an indicator is named twice, or size or seed is not usable.

    Examples
    --------
    >>> flat(["a", "b", "c"], size=1000, seed=0).sum("indicator").round(12).values.min().item()
    1.0
    """
    names = _names(indicators)
    return _label(_simplex(len(names), _generator(size, seed), size), names, "flat")


def dirichlet(
    nominal: xr.DataArray,
    *,
    relative_sd: float | None = None,
    concentration: float | None = None,
    size: int,
    seed: int,
) -> xr.DataArray:
    """Draw weights from a Dirichlet distribution with the nominal weights as means.

    Parameters
    ----------
    nominal : DataArray (indicator)
        Divided by their sum. An indicator of weight 0 keeps weight 0.
    relative_sd : float, optional
        How far weights may be off, relative to themselves: the root mean square of sd(w_k)/w_k,
        weighted by w_k, which is sqrt((K - 1)/(concentration + 1)) whatever the nominal
        weights.
    concentration : float, optional
        Sum of the Dirichlet parameters. Give this or `relative_sd`.
    size, seed : see `flat`

    Returns
    -------
    DataArray (weight_draw, indicator)

    Raises
    ------
    InputError
        If not exactly one spread is given, or it is out of range.

    Examples
    --------
    >>> nominal = xr.DataArray([0.5, 0.3, 0.2], dims="indicator")
    >>> weights = dirichlet(nominal, relative_sd=0.3, size=4000, seed=1)
    >>> bool(abs(weights.mean("weight_draw")[0] - 0.5) < 0.01)
    True
    """
    names, center = _nominal(nominal)
    concentration = _concentration(int((center > 0).sum()), relative_sd, concentration)
    drawn = _dirichlet(center * concentration, _generator(size, seed), size)
    return _label(drawn, names, "dirichlet")


def ordered(indicators: Sequence[str], *, size: int, seed: int) -> xr.DataArray:
    """Draw weights uniformly among those with w1 >= w2 >= ... in the order given.

    Parameters
    ----------
    indicators : sequence of str
        From the most to the least important.
    size, seed : see `flat`

    Returns
    -------
    DataArray (weight_draw, indicator)

    Examples
    --------
    >>> weights = ordered(["a", "b", "c"], size=500, seed=0)
    >>> bool((weights.diff("indicator") <= 0).all())
    True
    """
    names = _names(indicators)
    drawn = _simplex(len(names), _generator(size, seed), size)
    # all orders of a flat vector are alike, so sorting it is uniform on one of them
    return _label(np.sort(drawn, axis=1)[:, ::-1], names, "ordered")


def bounded(lower: xr.DataArray, *, size: int, seed: int) -> xr.DataArray:
    """Draw weights uniformly among those not below stated floors.

    Parameters
    ----------
    lower : DataArray (indicator)
        Not negative; sums to 1 at most.
    size, seed : see `flat`

    Returns
    -------
    DataArray (weight_draw, indicator)

    Raises
    ------
    InputError
        If the floors are negative or sum to more than 1.

    Examples
    --------
    >>> lower = xr.DataArray([0.2, 0.1, 0.0], dims="indicator")
    >>> weights = bounded(lower, size=500, seed=0)
    >>> bool((weights >= lower).all())
    True
    """
    names = _names(lower)
    floor = lower.values.astype(float)
    if not np.isfinite(floor).all() or (floor < 0).any() or floor.sum() > 1 + _TOLERANCE:
        rule = (
            f"floors of weights are not negative and sum to 1 at most (received {floor.tolist()})"
        )
        raise InputError(Problem(rule=rule, cure="lower the floors"))
    room = max(1.0 - floor.sum(), 0.0)
    drawn = floor + room * _simplex(len(names), _generator(size, seed), size)
    return _label(drawn, names, "bounded")


def tree(
    domain: xr.DataArray | Mapping[str, str],
    *,
    nominal: xr.DataArray | None = None,
    domain_relative_sd: float | None = None,
    within_relative_sd: float | None = None,
    size: int,
    seed: int,
) -> xr.DataArray:
    """Draw weights of domains, and within each domain the shares of its indicators.

    Under `flat` a domain with many indicators always gets much of the weight; here the domains
    stand on an equal footing.

    Parameters
    ----------
    domain : DataArray (indicator) or mapping of indicator to domain
    nominal : DataArray (indicator), optional
        Means at both levels where a relative sd is given.
    domain_relative_sd, within_relative_sd : float, optional
        Spread around nominal at either level, as in `dirichlet`; not given means flat there.
    size, seed : see `flat`

    Returns
    -------
    DataArray (weight_draw, indicator)

    Raises
    ------
    InputError
        If a spread comes without nominal weights, or indicators do not match.

    Examples
    --------
    >>> weights = tree({"a": "x", "b": "y", "c": "y", "d": "y"}, size=4000, seed=0)
    >>> bool(abs(weights.sel(indicator="a").mean() - 0.5) < 0.02)
    True
    """
    if not isinstance(domain, xr.DataArray):
        labels = list(domain.values())
        domain = xr.DataArray(labels, dims="indicator", coords={"indicator": list(domain)})
    names = _names(domain)
    center = None
    if nominal is not None:
        given, center = _nominal(nominal)
        if set(given) != set(names):
            raise InputError("nominal weights are not those of the indicators of the tree")
        center = center[[given.index(name) for name in names]]
    elif domain_relative_sd is not None or within_relative_sd is not None:
        raise InputError("a spread around nominal weights needs the nominal weights")
    members = domain.values.astype(str)
    rng = _generator(size, seed)
    kinds = list(dict.fromkeys(members.tolist()))
    where = [members == kind for kind in kinds]
    held = None if center is None else np.array([center[own].sum() for own in where])
    of_domain = _level(held, len(kinds), domain_relative_sd, rng, size)
    drawn = np.empty((size, len(names)))
    for number, own in enumerate(where):
        shares = None if center is None else center[own]
        within = _level(shares, int(own.sum()), within_relative_sd, rng, size)
        drawn[:, own] = of_domain[:, number, None] * within
    return _label(drawn, names, "tree")


def box(lower: xr.DataArray, upper: xr.DataArray, *, size: int, seed: int) -> xr.DataArray:
    """Draw weights uniformly among those between stated floors and ceilings.

    Parameters
    ----------
    lower, upper : DataArray (indicator)
    size, seed : see `flat`

    Returns
    -------
    DataArray (weight_draw, indicator)
        With the attribute ``ess``, as `polytope`.

    Raises
    ------
    InputError
        If no weights lie between them.

    Examples
    --------
    >>> low = xr.DataArray([0.1, 0.1, 0.1], dims="indicator")
    >>> weights = box(low, 5 * low, size=500, seed=0)
    >>> bool(((weights >= low - 1e-9) & (weights <= 5 * low + 1e-9)).all())
    True
    """
    names = _names(lower)
    if "indicator" in upper.coords and set(_names(upper)) != set(names):
        raise InputError("floors and ceilings are not of the same indicators")
    ceiling = upper.sel(indicator=lower["indicator"]) if "indicator" in upper.coords else upper
    known = constraints(
        names,
        lower=dict(zip(names, lower.values.tolist(), strict=True)),
        upper=dict(zip(names, ceiling.values.tolist(), strict=True)),
    )
    return polytope(known, size=size, seed=seed).assign_attrs(space="box")


def polytope(known: xr.Dataset, *, size: int, seed: int) -> xr.DataArray:
    """Draw weights uniformly among those that meet linear constraints.

    A billiard walk in coordinates that make the polytope round. A space without room in
    some direction (two weights always equal, say) is sampled within what is left, down to a
    single point.

    Parameters
    ----------
    known : Dataset
        From `pdsim.weights.constraints`.
    size, seed : see `flat`

    Returns
    -------
    DataArray (weight_draw, indicator)
        The attribute ``ess`` is the effective number of draws (smallest over the weights and
        their squares); `acceptability` heeds it.

    Raises
    ------
    InputError
        If no weights meet the constraints.

    References
    ----------
    Gryazina and Polyak (2014), doi 10.1016/j.ejor.2014.03.041.

    Examples
    --------
    >>> from pdsim.weights import constraints
    >>> known = constraints(["a", "b", "c"], equal=[({"a": 1, "b": -1}, 0), ({"b": 1, "c": -1}, 0)])
    >>> polytope(known, size=2, seed=0).round(6).values.tolist()
    [[0.333333, 0.333333, 0.333333], [0.333333, 0.333333, 0.333333]]
    """
    names = _names(known["indicator"])
    _generator(size, seed)
    space = as_polytope(known, np.array(names))
    drawn, ess = sample_polytope(space, size=size, seed=seed)
    over = float((drawn @ space.at_most.T - space.bound).max(initial=0.0))
    off = float(np.abs(drawn @ space.equal.T - space.value).max())
    if max(over, off) > _TOLERANCE * max(1.0, float(np.abs(space.at_most).max())):
        raise ArithmeticError(f"a sampled weight vector misses a constraint by {max(over, off):g}")
    return _label(drawn, names, "polytope").assign_attrs(ess=ess)


def _simplex(number: int, rng: np.random.Generator, size: int) -> Floats:
    drawn = rng.standard_exponential((size, number))
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))


def _dirichlet(parameters: Floats, rng: np.random.Generator, size: int) -> Floats:
    """Draw Dirichlet vectors; parameters of 0 give 0."""
    drawn = np.zeros((size, len(parameters)))
    drawn[:, parameters > 0] = rng.dirichlet(parameters[parameters > 0], size)
    return drawn


def _level(
    center: Floats | None, number: int, sd: float | None, rng: np.random.Generator, size: int
) -> Floats:
    if number == 1:
        return np.ones((size, 1))
    if sd is None or center is None:
        return _simplex(number, rng, size)
    if center.sum() == 0:
        # a domain without weight: how that is shared does not matter
        return np.full((size, number), 1.0 / number)
    center = center / center.sum()
    return _dirichlet(center * _concentration(int((center > 0).sum()), sd, None), rng, size)


def _concentration(number: int, relative_sd: float | None, concentration: float | None) -> float:
    if (relative_sd is None) == (concentration is None):
        raise InputError("give either relative_sd or concentration")
    if relative_sd is not None:
        largest = np.sqrt(number - 1.0)
        if not 0 < relative_sd < max(largest, 1e-300):
            if number == 1 and relative_sd > 0:
                return 1.0
            raise InputError(
                f"relative_sd lies between 0 and {largest:.3g} for {number} indicators"
                f" (received {relative_sd})"
            )
        concentration = (number - 1.0) / relative_sd**2 - 1.0
    if concentration is None or not (concentration > 0 and np.isfinite(concentration)):
        raise InputError(f"concentration is positive and finite (received {concentration})")
    return float(concentration)


def _names(indicators: Sequence[str] | xr.DataArray) -> list[str]:
    if isinstance(indicators, xr.DataArray):
        if indicators.dims != ("indicator",):
            raise InputError(f"a DataArray over indicator is needed (received {indicators.dims})")
        numbers = np.arange(1, indicators.size + 1)
        labels = indicators.coords.get("indicator")
        names = [str(name) for name in (numbers if labels is None else labels.values)]
    else:
        names = [str(name) for name in indicators]
    if not names or len(set(names)) < len(names):
        raise InputError("indicators are named once each, and there is at least one")
    return names


def _nominal(nominal: xr.DataArray) -> tuple[list[str], Floats]:
    return _names(nominal), scaled_to_one(nominal.values)


def _generator(size: int, seed: int) -> np.random.Generator:
    if not (isinstance(size, int | np.integer) and size >= 1):
        raise InputError(
            f"size is a whole number of weight vectors, at least 1 (received {size!r})"
        )
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise InputError(f"seed is a whole number, not negative (received {seed!r})")
    return np.random.default_rng(seed)


def _label(drawn: Floats, names: list[str], space: str) -> xr.DataArray:
    check_simplex(drawn)
    return xr.DataArray(
        drawn,
        dims=("weight_draw", "indicator"),
        coords={"indicator": names},
        name="weight",
        attrs={"space": space},
    )
