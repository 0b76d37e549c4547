"""Observed proportions as levels, and what to do about cells that were not observed."""

from typing import Final, Literal, get_args

import xarray as xr

from pdsim.errors import InputError, Problem
from pdsim.scoring.normalise import check_levels
from pdsim.study import Study

type MissingPolicy = Literal[
    "refuse", "drop_indicator", "drop_facility", "indicator_mean", "available"
]

MISSING_POLICIES: Final = get_args(MissingPolicy.__value__)


def observed_levels(study: Study) -> xr.DataArray:
    """Return the observed levels, turned so that higher is better; no model.

    Parameters
    ----------
    study : Study

    Returns
    -------
    DataArray (facility, indicator, period)
        Proportions, or turned scale scores; NaN in a missing cell. ``weight`` and ``domain``
        stay coordinates of ``indicator``.

    Examples
    --------
    >>> import pdsim
    >>> study = pdsim.load_example("lake_zone", trials=20, case_correlation=0.1)
    >>> observed_levels(study).sel(period="endline").values.round(6)[0].tolist()
    [0.95]
    """
    data = study.data
    lower = data["direction"] == "lower"
    if study.kind == "counts":
        share = data["successes"] / data["trials"].where(data["trials"] > 0)
        value = share.where(~lower, 1.0 - share)
    else:
        value = data["mean"].where(~lower, -data["mean"])
    value = value.transpose("facility", "indicator", "period").rename("level")
    return value.assign_attrs(kind=study.kind)


def apply_missing_policy(levels: xr.DataArray, policy: MissingPolicy = "refuse") -> xr.DataArray:
    """Return levels in which missing cells are dealt with as named.

    Parameters
    ----------
    levels : DataArray (..., facility, indicator, period)
        NaN marks a missing cell.
    policy : str
        ``refuse`` raises if a cell is missing. ``drop_indicator`` leaves out indicators, and
        ``drop_facility`` facilities, with a missing cell. ``indicator_mean`` puts in the mean
        of the other facilities in the same period. ``available`` makes an indicator missing in
        both periods where it is missing in one, so that before and after compare the same
        indicators; pass ``skip_missing=True`` on to `score`.

    Returns
    -------
    DataArray
        Weights need dividing by their sum again where indicators were dropped.

    Raises
    ------
    InputError
        If a cell is missing under ``refuse``, or nothing is left.

    Examples
    --------
    >>> import numpy as np
    >>> levels = xr.DataArray(
    ...     [[[0.2, 0.6], [0.1, np.nan]], [[0.4, 0.8], [0.3, 0.5]]],
    ...     dims=("facility", "indicator", "period"),
    ... )
    >>> dict(apply_missing_policy(levels, "drop_indicator").sizes)
    {'facility': 2, 'indicator': 1, 'period': 2}
    """
    check_levels(levels)
    if policy not in MISSING_POLICIES:
        rule = f"unknown policy for missing cells {policy!r}"
        raise InputError(Problem(rule=rule, cure=f"use one of: {', '.join(MISSING_POLICIES)}"))
    seen = levels.notnull()
    cells = seen.all([dim for dim in levels.dims if dim not in ("facility", "indicator")])
    match policy:
        case "refuse":
            count = int((~cells).sum())
            if count:
                rule = f"{count} facility-indicator pairs have a missing cell"
                raise InputError(Problem(rule=rule, cure="name a policy for missing cells"))
            return levels
        case "drop_indicator":
            kept = levels.isel(indicator=cells.all("facility").values.nonzero()[0])
        case "drop_facility":
            kept = levels.isel(facility=cells.all("indicator").values.nonzero()[0])
        case "indicator_mean":
            kept = levels.fillna(levels.mean("facility")).transpose(*levels.dims)
            if bool(kept.isnull().any()):
                raise InputError("an indicator was observed in no facility, so it has no mean")
        case "available":
            kept = levels.where(seen.all("period"))
    if kept.size == 0:
        rule = f"policy {policy!r} for missing cells leaves nothing to score"
        raise InputError(Problem(rule=rule, cure="use another policy, or the model's levels"))
    return kept.assign_attrs(levels.attrs)


def observed_sources(study: Study) -> dict[str, xr.DataArray]:
    """Return the observed levels under every policy for missing cells that leaves any.

    Parameters
    ----------
    study : Study

    Returns
    -------
    dict of str to DataArray (facility, indicator, period)
        One entry, ``"observed"``, where no cell is missing.

    Examples
    --------
    >>> import pdsim
    >>> list(observed_sources(pdsim.load_example("lake_zone", trials=20, case_correlation=0.1)))
    ['observed']
    """
    levels = observed_levels(study)
    if bool(levels.notnull().all()):
        return {"observed": levels}
    sources = {}
    for policy in MISSING_POLICIES:
        try:
            sources[f"observed, {policy}"] = apply_missing_policy(levels, policy)
        except InputError:
            # refused, or it leaves nothing to score: then it is no choice
            continue
    return sources
