"""Sorted forest plot of the improvement."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from pdsim.reports.plots.style import (
    MARKERS,
    NEUTRAL,
    colour,
    name_rows,
    new_figure,
    row_height,
    side_of,
    stamp_failed,
    styled,
)


def forest(
    improvement: xr.Dataset,
    ranking: xr.Dataset,
    *,
    label: str = "Improvement (pp)",
    rows: int = 60,
    failed: str = "",
) -> tuple[Figure, pd.DataFrame]:
    """Draw every facility's improvement with its interval, the largest first.

    Parameters
    ----------
    improvement : xr.Dataset
        Over ``facility``: ``mean``, ``interval`` (facility, ci_bound), and optionally
        ``interval_inner`` (facility, inner_bound) for a second, thicker interval and
        ``observed``.
    ranking : xr.Dataset
        Over ``facility``: ``selected_top`` and ``selected_bottom``.
    label : str
        Of the axis, with the unit.
    rows : int
        At most so many facilities: both ends of a longer list are drawn.
    failed : str
        What failed of the convergence gates; stamped on the figure.

    Returns
    -------
    matplotlib.figure.Figure
    pandas.DataFrame
        One row per line, top down: ``facility``, ``mean``, ``low``, ``high``, ``observed``,
        ``side``.
    """
    names = improvement["facility"].to_numpy().astype(str)
    bounds = improvement["interval"].transpose("facility", "ci_bound").to_numpy()
    data = pd.DataFrame(
        {
            "facility": names,
            "mean": improvement["mean"].to_numpy(),
            "low": bounds[:, 0],
            "high": bounds[:, 1],
        }
    )
    if "interval_inner" in improvement:
        inner = improvement["interval_inner"].transpose("facility", "inner_bound").to_numpy()
        data["inner_low"], data["inner_high"] = inner.T
    data["observed"] = (
        improvement["observed"].to_numpy() if "observed" in improvement else np.nan
    )
    chosen = ranking.sel(facility=names)
    data["side"] = [
        side_of(bool(top), bool(bottom))
        for top, bottom in zip(
            chosen["selected_top"].to_numpy(), chosen["selected_bottom"].to_numpy(), strict=True
        )
    ]
    data = ends(data.sort_values("mean", ascending=False, kind="stable"), rows)
    with styled():
        figure, axes = new_figure(row_height(len(data)))
        if data["low"].min() <= 0 <= data["high"].max():
            axes.axvline(0, color=NEUTRAL, linewidth=0.8, zorder=0)
        for line, row in enumerate(data.itertuples()):
            shade = colour(row.side)
            axes.plot([row.low, row.high], [line, line], color=shade, linewidth=1.4)
            if "inner_low" in data:
                inner_x = [row.inner_low, row.inner_high]
                axes.plot(inner_x, [line, line], color=shade, linewidth=3.6, solid_capstyle="butt")
            axes.plot(row.mean, line, MARKERS[row.side], color=shade, markersize=6.5)
            if np.isfinite(row.observed):
                axes.plot(
                    row.observed, line, "D", markersize=4, markerfacecolor="white",
                    markeredgecolor="#000000", markeredgewidth=0.8,
                )  # fmt: skip
        name_rows(axes, data["facility"].tolist())
        axes.set_xlabel(label)
        stamp_failed(figure, failed)
    return figure, data.reset_index(drop=True)


def ends(data: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Return the first and the last rows of a longer table."""
    if len(data) <= rows:
        return data
    return pd.concat([data.iloc[: rows // 2], data.iloc[-(rows - rows // 2) :]])
