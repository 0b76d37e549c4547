"""The winner's curse: what is left of an estimate once it is known that it was selected."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats
from pdsim.conventions import CI_PROB, Side
from pdsim.errors import InputError, Problem
from pdsim.ranking.correlated import as_covariance
from pdsim.ranking.draws import check_m, check_probability, check_side

type Method = Literal["conditional", "hybrid"]

_PROJECTION = 0.1
"""Share of the error probability that a hybrid interval spends on its outer bound."""

_HALVINGS = 64

_FAR = 1e4
"""Standard errors from the estimate beyond which a bound counts as infinite."""


def winners_curse(
    estimate: xr.DataArray,
    covariance: xr.DataArray | Floats,
    *,
    m: int = 1,
    side: Side = "top",
    prob: float = CI_PROB,
    method: Method = "conditional",
) -> xr.Dataset:
    """Return estimates and intervals of the selected facilities, corrected for the selection.

    Conditional frequentist inference: given that the facility came out among the m largest (or
    smallest) estimates, and what in the others is independent of its own, its estimate is a
    truncated normal variable, from which follow a median-unbiased estimate and an interval
    with exact conditional coverage. This is no posterior: shrinkage is the Bayesian answer.

    Parameters
    ----------
    estimate : DataArray
        Over ``facility``, larger is better, normal around the truth.
    covariance : DataArray or ndarray
        Over ``facility`` and one more dimension with the same labels; over ``facility`` alone,
        the variances of independent estimates.
    m : int
    side : {"top", "bottom"}
    prob : float
        Coverage of the intervals.
    method : {"conditional", "hybrid"}
        Conditional intervals are endless where selection was narrow. Hybrid ones stay within
        simultaneous intervals of all facilities of level 1 - b, b a tenth of the error probability
        a = 1 - `prob`; inside them the error probability is (a - b) / (1 - b), so that the whole
        covers with `prob` or more: on average over what is selected, not given the selection.

    Returns
    -------
    Dataset
        Over ``facility``: ``estimate``, ``conditional_estimate`` and, over ``ci_bound``,
        ``conditional_interval``; NaN for those not selected.

    Raises
    ------
    InputError
        If the covariance is none, an argument is out of range, or estimates tie at the cut.

    References
    ----------
    Andrews, Kitagawa and McCloskey (2024), doi 10.1093/qje/qjad043.

    Examples
    --------
    >>> import xarray as xr
    >>> estimate = xr.DataArray([0.0, 1.0, 2.0, 3.0, 4.0], dims="facility",
    ...                         coords={"facility": list("ABCDE")})
    >>> corrected = winners_curse(estimate, 0 * estimate + 1)
    >>> round(float(corrected.conditional_estimate.sel(facility="E")), 5)
    3.68628
    """
    check_side(side)
    check_probability("prob", prob)
    if method not in ("conditional", "hybrid"):
        raise InputError(Problem(rule=f"method is 'conditional' or 'hybrid' (received {method!r})"))
    matrix = as_covariance(estimate, covariance)
    size = len(matrix)
    check_m(m, size)
    sign = 1.0 if side == "top" else -1.0
    values = sign * np.asarray(estimate.values, dtype=np.float64)
    order = np.argsort(-values, kind="stable")
    if values[order[m - 1]] == values[order[m]]:
        raise InputError(
            Problem(rule=f"estimates tie at place {m}", cure="choose an m at which none tie")
        )
    levels = np.array([0.5, 0.5 * (1.0 - prob), 0.5 * (1.0 + prob)])
    reach = np.inf
    if method == "hybrid":
        outer = _PROJECTION * (1.0 - prob)
        reach = _simultaneous_z(1.0 - outer, size)
        inner = ((1.0 - prob) - outer) / (1.0 - outer)
        levels = np.array([0.5, 0.5 * inner, 1.0 - 0.5 * inner])
    found = np.full((3, size), np.nan)
    for i in order[:m]:
        ends = _selected_where(values, matrix, int(i), m)
        sd = float(np.sqrt(matrix[i, i]))
        found[:, i] = _solve(values[i], sd, ends, levels, reach)
    found = sign * found
    bounds = found[1:] if side == "top" else found[:0:-1]
    return xr.Dataset(
        {
            "estimate": ("facility", np.asarray(estimate.values, dtype=np.float64)),
            "conditional_estimate": ("facility", found[0]),
            "conditional_interval": (("facility", "ci_bound"), bounds.T),
        },
        coords={**estimate.coords, "ci_bound": ["lower", "upper"]},
        attrs={
            "m": m,
            "side": side,
            "ci_prob": prob,
            "ci_kind": f"{method} frequentist",
            "estimand": str(estimate.attrs.get("estimand", "score")),
        },
    )


def _simultaneous_z(prob: float, size: int) -> float:
    """Return the half-width of simultaneous normal intervals (Sidak; holds if correlated)."""
    from scipy import special

    return float(-special.ndtri(-0.5 * np.expm1(np.log(prob) / size)))


def _selected_where(values: Floats, matrix: Floats, i: int, m: int) -> Floats:
    """Return the intervals (interval, 2) of the estimate of i in which i is selected.

    The others move with it by their regression on it; what is independent of it stays.
    """
    slope = matrix[i] / matrix[i, i]
    fixed = values - slope * values[i]
    others = np.arange(len(values)) != i
    drift, fixed = 1.0 - slope[others], fixed[others]
    crossing = np.full(len(fixed), np.nan)
    np.divide(fixed, drift, out=crossing, where=np.abs(drift) > 1e-12)
    edges = np.concatenate(([-np.inf], np.unique(crossing[np.isfinite(crossing)]), [np.inf]))
    inside = np.clip(edges, -1e300, 1e300)
    middle = 0.5 * (inside[:-1] + inside[1:])
    # beyond the outermost crossings any point will do
    middle[0] = inside[1] - 1.0 if np.isfinite(edges[1]) else 0.0
    middle[-1] = inside[-2] + 1.0 if np.isfinite(edges[-2]) else middle[0]
    ahead = (fixed > drift * middle[:, np.newaxis]).sum(axis=1)
    chosen = ahead < m
    return np.stack([edges[:-1][chosen], edges[1:][chosen]], axis=1)


def _solve(value: float, sd: float, ends: Floats, levels: Floats, reach: float) -> Floats:
    """Return the means at which P(estimate > value, given the intervals) reaches each level."""
    scaled = (ends - value) / sd

    def upper_share(mean: Floats) -> Floats:
        # everything in standard errors, the estimate at 0
        at = mean[:, np.newaxis]
        low = np.maximum(scaled[:, 0] - at, -reach)
        high = np.minimum(scaled[:, 1] - at, reach)
        right = np.logaddexp.reduce(_log_mass(np.maximum(low, -at), high), axis=1)
        return np.asarray(np.exp(right - np.logaddexp.reduce(_log_mass(low, high), axis=1)))

    # within the simultaneous interval the estimate itself is possible
    return value + sd * _rising_roots(upper_share, levels, min(reach, _FAR))


def _rising_roots(function: Callable[[Floats], Floats], levels: Floats, bound: float) -> Floats:
    """Return where a rising function reaches the levels; infinite at the far ends."""
    low, high = np.full_like(levels, -bound), np.full_like(levels, bound)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        under = function(middle) < levels
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    middle = 0.5 * (low + high)
    endless = (bound == _FAR) & (np.abs(middle) > 0.999 * _FAR)
    return np.where(endless, np.copysign(np.inf, middle), middle)


def _log_mass(low: Floats, high: Floats) -> Floats:
    """Return the log of the standard normal mass between, accurate in both tails."""
    from scipy import special

    flip = low > 0
    near, far = np.where(flip, -low, high), np.where(flip, -high, low)
    top, bottom = special.log_ndtr(near), special.log_ndtr(far)
    some = low < high
    gap = np.where(some, np.minimum(bottom - top, -1e-300), -1.0)
    return np.where(some, top + np.log(-np.expm1(gap)), -np.inf)
