"""Indicators onto one scale, before they are weighted.

Every method puts baseline and endline on the same scale: standardising each period by itself
would subtract the improvement that is to be measured.
"""

from typing import Final

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats
from pdsim.errors import InputError, Problem
from pdsim.terms.kinds import kind_named
from pdsim.terms.scales import SCALES

_POOL: Final = ("facility", "period")


def normalise(
    levels: xr.DataArray,
    method: str = "pp",
    *,
    reference: xr.DataArray | None = None,
    goalposts: xr.DataArray | None = None,
) -> xr.DataArray:
    """Return the levels on the scale of a normalisation; larger stays better.

    Parameters
    ----------
    levels : DataArray (..., facility, indicator, period)
        As from `pdsim.levels`: proportions, or scale scores where the attribute ``kind`` is
        ``"scores"``. NaN marks a missing cell and stays NaN.
    method : str
        See `pdsim.terms.scales`:
        ``pp`` percentage points (scale scores as they are). ``z`` standardises each indicator
        by mean and standard deviation (n - 1) of the reference, before and after together.
        ``min_max`` maps the goalposts to 0 and 1. ``rank`` is the mid-rank share of the
        reference at or below, in (0, 1). ``logit`` is the log odds of a proportion. An
        indicator that never varies in the reference is 0 under ``z`` and ``min_max``.
    reference : DataArray (..., facility, indicator, period), optional
        Levels that set the scale of ``z``, ``min_max`` and ``rank``; without sample dimensions
        the scale is the same in all draws. Default: `levels`, draw by draw.
    goalposts : DataArray (indicator, bound = ["low", "high"]), optional
        For ``min_max``, instead of the smallest and the largest value of the reference.

    Returns
    -------
    DataArray
        With the dims of `levels`, and the attribute ``normalisation``.

    Raises
    ------
    InputError
        If the method is unknown, or ``logit`` meets a level outside (0, 1).

    References
    ----------
    OECD/JRC (2008), Handbook on constructing composite indicators, doi 10.1787/9789264043466-en.

    Examples
    --------
    >>> levels = xr.DataArray(
    ...     [[[0.2, 0.6]], [[0.4, 0.8]]], dims=("facility", "indicator", "period")
    ... )
    >>> normalise(levels, "min_max").values.round(4).tolist()
    [[[0.0, 0.6667]], [[0.3333, 1.0]]]
    """
    check_levels(levels)
    scale, kind = SCALES[method], kind_named(str(levels.attrs.get("kind", "counts")))
    if scale.natural:
        result = kind.factor * levels
        return result.assign_attrs(levels.attrs, normalisation=method)
    if scale.proportion:
        _check_inside(levels)
    pool = values = _flat(levels)
    if goalposts is not None:
        pool = goalposts.transpose("indicator", "bound").values
    elif reference is not None:
        pool = _flat(reference.transpose(*(dim for dim in levels.dims if dim in reference.dims)))
    ordered = levels.transpose(..., "indicator", *_POOL)
    scaled = np.asarray(scale.apply(values, pool)).reshape(ordered.shape)
    result = ordered.copy(data=scaled).transpose(*levels.dims)
    return result.assign_attrs(levels.attrs, normalisation=method)


def _flat(levels: xr.DataArray) -> Floats:
    """Return the levels (..., indicator, facility and period)."""
    values = levels.transpose(..., "indicator", *_POOL).values
    return values.reshape(*values.shape[:-2], -1)


def indicator_values(normalised: xr.DataArray) -> xr.DataArray:
    """Return what each indicator adds to a weighted mean: endline minus baseline.

    Parameters
    ----------
    normalised : DataArray (..., facility, indicator, period)
        From `normalise`. With one period the level itself is returned.

    Returns
    -------
    DataArray (..., facility, indicator)
        The `values` of everything in `pdsim.weights`.

    Examples
    --------
    >>> levels = xr.DataArray([[[0.2, 0.6]]], dims=("facility", "indicator", "period"))
    >>> indicator_values(normalise(levels)).values.round(6).tolist()
    [[40.0]]
    """
    check_levels(normalised)
    last = normalised.isel(period=-1, drop=True)
    if normalised.sizes["period"] == 2:
        last = last - normalised.isel(period=0, drop=True)
    return last.assign_attrs(normalised.attrs)


def implied_weights(values: xr.DataArray, weights: xr.DataArray) -> xr.DataArray:
    """Return the weights that indicators of unequal spread really have.

    The share of w_k SD_k, SD over facilities: under ``pp`` an indicator that hardly differs
    between facilities hardly counts, whatever its nominal weight.

    Parameters
    ----------
    values : DataArray (..., facility, indicator)
        Sample dimensions (``chain``, ``draw``, ``sample``) are averaged over.
    weights : DataArray (indicator)

    Returns
    -------
    DataArray (indicator)
        Sums to 1; NaN if no indicator varies.

    Examples
    --------
    >>> values = xr.DataArray([[1.0, 5.0], [2.0, 8.0]], dims=("facility", "indicator"))
    >>> equal = xr.DataArray([0.5, 0.5], dims="indicator")
    >>> implied_weights(values, equal).values.round(6).tolist()
    [0.25, 0.75]
    """
    product = weights * values.std("facility", ddof=1)
    share = product / product.sum("indicator")
    samples = [dim for dim in share.dims if dim != "indicator"]
    return share.mean(samples).rename("implied_weight")


def check_levels(levels: xr.DataArray) -> None:
    """Raise InputError unless `levels` is over facility, indicator and one or two periods."""
    missing = [dim for dim in ("facility", "indicator", "period") if dim not in levels.dims]
    if missing:
        raise InputError(
            Problem(
                rule=f"levels need facility, indicator and period; {missing} missing",
                cure="pass what pdsim.levels returns",
            )
        )
    if levels.sizes["period"] not in (1, 2):
        raise InputError(f"levels have one or two periods (received {levels.sizes['period']})")


def _check_inside(levels: xr.DataArray) -> None:
    """Raise InputError for the first level that has no log odds."""
    outside = (levels <= 0) | (levels >= 1)
    if bool(outside.any()):
        dims = [dim for dim in levels.dims if dim not in ("facility", "indicator")]
        cell = outside.any(dims).transpose("facility", "indicator")
        first = np.argwhere(cell.values)[0]
        names = [
            str(cell[dim].values[at]) if dim in cell.coords else str(at)
            for dim, at in zip(cell.dims, first, strict=True)
        ]
        raise InputError(
            Problem(
                rule="a level of 0 or 1 or beyond has no logit",
                cure="use posterior levels or another normalisation",
                facility=names[0],
                indicator=names[1],
            )
        )
