"""The table of facilities by themes, for the packages QCA and cna in R."""

import pandas as pd
import xarray as xr

from pdsim.interviews.themetable import ALL_ROUNDS


def qca_table(results: xr.DataTree, *, suppress_below: int | None = None) -> pd.DataFrame:
    """Return facilities by themes with the outcome, as QCA and cna read it.

    Parameters
    ----------
    results : DataTree
        From `contrast_themes`.
    suppress_below : int, optional
        Shares that rest on counts above 0 and below it are left blank.

    Returns
    -------
    DataFrame
        One row for each facility that was interviewed: ``facility``, one column for each theme
        with the share of informants (a fuzzy membership), ``TOP`` and ``BOTTOM`` (P(it truly
        belongs to that end), fuzzy too) and ``NAMED`` (1 higher, 0 lower, blank neither).

    Examples
    --------
    >>> qca_table.__name__
    'qca_table'
    """
    shares = results["shares"].to_dataset().sel(round=ALL_ROUNDS, drop=True)
    share = shares["share"]
    if suppress_below is not None:
        share = share.where(~small_share(shares, suppress_below))
    part = results["roles"].to_dataset()
    frame = share.transpose("facility", "theme").to_pandas()
    frame["TOP"] = part["top_probability"].to_series()
    frame["BOTTOM"] = part["bottom_probability"].to_series()
    frame["NAMED"] = part["role"].to_series().map({"higher": 1, "lower": 0})
    interviewed = shares["interviewed"].to_series() > 0
    return frame[interviewed].rename_axis("facility").reset_index()


def small_share(shares: xr.Dataset, limit: int) -> xr.DataArray:
    """Tell which shares give away a count above 0 and below the limit."""
    voiced, silent = shares["voiced"], shares["informants"] - shares["voiced"]
    small = xr.zeros_like(voiced, dtype=bool)
    for count in (voiced, silent, shares["informants"]):
        small |= (count > 0) & (count < limit)
    return small
