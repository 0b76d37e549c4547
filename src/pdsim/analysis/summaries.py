"""Summaries of draws that every table of an analysis shares."""

import numpy as np
import xarray as xr

from pdsim.conventions import CI_PROB

SAMPLE = ("chain", "draw")
BOUNDS = ((1 - CI_PROB) / 2, (1 + CI_PROB) / 2)


def interval(values: xr.DataArray) -> xr.DataArray:
    """Return the equal-tailed interval over (chain, draw), labelled by its bounds.

    Returns
    -------
    xarray.DataArray (..., ci_bound)
        ``ci_bound`` holds the probabilities 0.025 and 0.975 themselves.
    """
    bounds = values.quantile(BOUNDS, dim=SAMPLE).rename(quantile="ci_bound")
    # 1 - 0.95 is not 0.05 in floating point: the label is the probability as it is written
    bounds = bounds.assign_coords(ci_bound=np.round(BOUNDS, 10))
    return bounds.transpose(..., "ci_bound")


def mean_and_interval(values: xr.DataArray) -> xr.Dataset:
    """Return ``mean`` and ``interval`` over (chain, draw)."""
    return xr.Dataset({"mean": values.mean(SAMPLE), "interval": interval(values)})
