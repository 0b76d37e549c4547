"""What the rules read that use the data alone: observed change, z-scores, shrunken estimates."""

from collections.abc import Iterable

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats
from pdsim.errors import InputError, Problem

type Observed = xr.Dataset | xr.DataArray

_HALVINGS = 200


def between_variance(estimate: Floats, se: Floats) -> Floats:
    """Return the variance of the truths behind estimates (..., facility), by Paule and Mandel.

    The variance at which the weighted sum of squares around the weighted mean equals its degrees
    of freedom; 0 if the estimates vary no more than their errors make them.
    """

    def excess(variance: Floats) -> Floats:
        weight = 1.0 / (se**2 + variance[..., np.newaxis])
        mean = (weight * estimate).sum(axis=-1) / weight.sum(axis=-1)
        squares = (weight * (estimate - mean[..., np.newaxis]) ** 2).sum(axis=-1)
        return np.asarray(squares - (estimate.shape[-1] - 1))

    low = np.zeros(estimate.shape[:-1])
    high = np.ptp(estimate, axis=-1) ** 2 + 1e-300
    none = excess(low) <= 0
    # the excess falls in the variance and is negative at the squared range
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        positive = excess(middle) > 0
        low, high = np.where(positive, middle, low), np.where(positive, high, middle)
    return np.where(none, 0.0, 0.5 * (low + high))


def shrunken(estimate: Floats, se: Floats) -> Floats:
    """Return empirical Bayes means of normal truths around one mean, (..., facility)."""
    between = between_variance(estimate, se)[..., np.newaxis]
    weight = 1.0 / (se**2 + between)
    mean = (weight * estimate).sum(axis=-1, keepdims=True) / weight.sum(axis=-1, keepdims=True)
    return np.asarray(mean + between * weight * (estimate - mean))


def criterion(name: str, observed: Observed | None) -> xr.DataArray:
    """Return the criterion of an observed rule over (..., ``facility``), larger is better.

    Parameters
    ----------
    name : {"observed_change", "shrunken_mean", "z_score"}
    observed : Dataset or DataArray
        A DataArray over ``facility`` is the observed change, one over ``facility`` and
        ``indicator`` the change of each indicator. A Dataset has ``estimate``, and as far as a
        rule needs them ``se``, ``covariance`` (without it the estimates are independent) and
        ``indicator_change``.
    """
    if name == "z_score":
        return z_score(variable(observed, "indicator_change", name))
    estimate = variable(observed, "estimate", name)
    if name == "observed_change":
        return estimate
    se = variable(observed, "se", name)
    estimate, se = xr.broadcast(estimate, se)
    if not (se > 0).all():
        raise InputError(Problem(rule="a standard error is not positive"))
    order = [dim for dim in estimate.dims if dim != "facility"]
    estimate, se = (part.transpose(*order, "facility") for part in (estimate, se))
    return estimate.copy(data=shrunken(estimate.values, se.values))


def variable(observed: Observed | None, name: str, rule: str) -> xr.DataArray:
    """Return what a rule reads, or raise InputError if it is not there or has gaps."""
    found = _find(observed, name)
    if found is None:
        raise InputError(
            Problem(
                rule=f"the rule {rule!r} reads {name!r} of `observed`, which is missing",
                cure=f"give it {name!r}, or leave the rule out",
            )
        )
    if "facility" not in found.dims or not np.isfinite(found).all():
        raise InputError(
            Problem(
                rule=f"{name!r} of `observed` lies over facility and has no gaps",
                cure="leave out the facilities or indicators with missing cells",
            )
        )
    return found


def has(observed: Observed | None, names: Iterable[str]) -> bool:
    """Say whether all of these can be read."""
    return all(_find(observed, name) is not None for name in names)


def _find(observed: Observed | None, name: str) -> xr.DataArray | None:
    if isinstance(observed, xr.Dataset):
        if name in observed:
            return observed[name]
        if name == "estimate" and "indicator_change" in observed:
            return _weighted_mean(observed["indicator_change"])
        if name == "covariance" and "se" in observed:
            return observed["se"] ** 2
        return None
    if observed is None:
        return None
    if "indicator" in observed.dims:
        parts = {"indicator_change": observed, "estimate": _weighted_mean(observed)}
        return parts.get(name)
    return observed if name == "estimate" else None


def z_score(change: xr.DataArray) -> xr.DataArray:
    """Return the weighted mean over indicators of changes standardised over facilities.

    An indicator that changed alike everywhere says nothing about the order and counts 0.
    """
    deviation = change - change.mean("facility")
    sd = change.std("facility", ddof=1)
    return _weighted_mean((deviation / sd.where(sd > 0)).fillna(0.0))


def _weighted_mean(change: xr.DataArray) -> xr.DataArray:
    weight = change.coords.get("weight", xr.ones_like(change["indicator"], dtype=float))
    mean: xr.DataArray = (change * weight).sum("indicator", skipna=False) / weight.sum()
    return mean
