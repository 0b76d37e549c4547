"""Small-cell suppression: which observed values may be printed."""

import numpy as np
import xarray as xr

from pdsim.reports.study.view import Results


def observed_shown(results: Results) -> xr.DataArray:
    """Tell for which facilities an observed value discloses no small count.

    A percentage with its number of cases gives the count away, so a facility's observed values
    are held back when any of its counts of successes, or of cases without success, lies above 0
    and under the threshold.

    Returns
    -------
    xr.DataArray (facility)
        Of bool.
    """
    names = results.facilities
    limit = results.suppress_below
    everything = xr.DataArray(
        np.ones(len(names), dtype=bool), dims="facility", coords={"facility": names}
    )
    if limit is None or not results.has("study") or "successes" not in results.group("study"):
        return everything
    data = results.group("study")
    small = small_counts(data["successes"], limit)
    small |= small_counts(data["trials"] - data["successes"], limit)
    small |= small_counts(data["trials"], limit)
    others = [dim for dim in small.dims if dim != "facility"]
    return everything & ~small.any(others).reindex_like(everything, fill_value=False)


def small_counts(counts: xr.DataArray, limit: int) -> xr.DataArray:
    """Tell which counts lie above 0 and under the threshold."""
    return (counts > 0) & (counts < limit)
