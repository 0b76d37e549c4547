"""Facilities with identical data: tied by the data, whatever the draws happen to say."""

import math

import numpy as np
import xarray as xr

from pdsim.study import Study

_MOST_TURNS = 1000
_SAMPLES = 8000
_FEWEST = 50


def identical_facilities(study: Study) -> tuple[tuple[str, ...], ...]:
    """Return the groups of two or more facilities whose data are the same in every cell.

    Their covariates are the same too, and controls are left out. Their posteriors are the same
    then, so that only Monte Carlo error could tell them apart.

    Examples
    --------
    >>> import pdsim
    >>> identical_facilities(pdsim.load_example("surgical"))
    ()
    """
    rows = [
        study.data[name].transpose("facility", ...).to_numpy().reshape(len(study.data.facility), -1)
        for name in sorted(map(str, study.data.data_vars))
    ]
    if study.covariates is not None:
        rows.append(study.covariates.to_numpy())
    # a missing cell equals a missing cell
    table = np.nan_to_num(np.concatenate(rows, axis=1).astype(float), nan=-1.0)
    names = study.data["facility"].to_numpy().astype(str)
    if study.control is not None:
        table, names = table[~study.control], names[~study.control]
    _, group = np.unique(table, axis=0, return_inverse=True)
    members = [names[group.ravel() == one] for one in range(int(group.max()) + 1)]
    found = sorted((tuple(some.tolist()) for some in members if some.size > 1), key=len)
    return tuple(found[::-1])


def exchanged(values: xr.DataArray, groups: tuple[tuple[str, ...], ...]) -> xr.DataArray:
    """Return draws in which the facilities of a group share every value equally.

    The draws are repeated with the facilities of each group turned by one place at a time, so
    that each stands in every place equally often: memberships, ranks and means of identical
    facilities are then equal under every seed.

    Parameters
    ----------
    values : DataArray (chain, draw, facility, ...)
    groups : tuple of tuple of str
        From `identical_facilities`.

    Returns
    -------
    DataArray
        `values` themselves where there are no groups; else with more draws, but the same ``ess``.
    """
    if not groups:
        return values
    names = values["facility"].to_numpy().astype(str).tolist()
    turns = 1
    used: list[list[int]] = []
    for group in groups:
        longer = math.lcm(turns, len(group))
        if longer <= _MOST_TURNS or not used:
            turns, used = longer, [*used, [names.index(name) for name in group]]
    total = values.sizes["chain"] * values.sizes["draw"]
    step = max(1, min(total // max(_FEWEST, _SAMPLES // turns), values.sizes["draw"]))
    kept = values.isel(draw=slice(None, None, step))
    parts = []
    for turn in range(turns):
        order = np.arange(len(names))
        for places in used:
            order[places] = np.roll(places, turn % len(places))
        parts.append(kept.isel(facility=order).assign_coords(facility=values["facility"]))
    whole = xr.concat(parts, dim="draw", coords="minimal", compat="override", join="override")
    whole = whole.assign_coords(draw=np.arange(whole.sizes["draw"]))
    attrs = dict(values.attrs)
    if "ess" in attrs:
        attrs["ess"] = min(float(attrs["ess"]), float(kept.sizes["draw"] * kept.sizes["chain"]))
    return whole.assign_attrs(attrs)
