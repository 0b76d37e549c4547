"""Sorted forest plot of the improvement."""

from collections.abc import Collection

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
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
    width_for,
)
from pdsim.reports.study.view import labels


def forest(
    improvement: xr.Dataset,
    ranking: xr.Dataset,
    *,
    roles: xr.Dataset | None = None,
    apart: Collection[str] = (),
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
    roles : xr.Dataset, optional
        From `pdsim.interviews.roles`: boundary cases are marked.
    apart : collection of str
        Facilities that stand below all others, such as controls.
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
        ``side`` (top, bottom, boundary or empty).
    """
    names = labels(improvement["facility"])
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
    data["observed"] = improvement["observed"].to_numpy() if "observed" in improvement else np.nan
    chosen = ranking.sel(facility=names)
    data["side"] = [
        side_of(bool(top), bool(bottom))
        for top, bottom in zip(
            chosen["selected_top"].to_numpy(), chosen["selected_bottom"].to_numpy(), strict=True
        )
    ]
    if roles is not None:
        near = roles["role"].sel(facility=names).to_numpy() == "boundary"
        data.loc[near, "side"] = "boundary"
    below = data["facility"].isin(list(apart))
    data = data.sort_values("mean", ascending=False, kind="stable")
    data = ends(pd.concat([data[~below.loc[data.index]], data[below.loc[data.index]]]), rows)
    with styled():
        figure, axes = new_figure(row_height(len(data)), width=width_for(data["facility"]))
        if data["low"].min() <= 0 <= data["high"].max():
            axes.axvline(0, color=NEUTRAL, linewidth=0.8, zorder=0)
        _lines(axes, data)
        name_rows(axes, data["facility"].tolist())
        axes.set_xlabel(label)
        stamp_failed(figure, failed)
    return figure, data.reset_index(drop=True)


def _lines(axes: Axes, data: pd.DataFrame) -> None:
    values = data.select_dtypes("number").to_numpy(dtype=np.float64)
    column = {name: values[:, n] for n, name in enumerate(data.select_dtypes("number").columns)}
    for line, side in enumerate(data["side"].tolist()):
        shade = colour(side)
        axes.plot([column["low"][line], column["high"][line]], [line, line], color=shade, lw=1.4)
        if "inner_low" in column:
            inner = [column["inner_low"][line], column["inner_high"][line]]
            axes.plot(inner, [line, line], color=shade, lw=3.6, solid_capstyle="butt")
        axes.plot(column["mean"][line], line, MARKERS[side], color=shade, markersize=6.5)
    # on top of the marks, so that a diamond inside a triangle is seen
    axes.plot(
        column["observed"], np.arange(len(data)), "D", markersize=4, markerfacecolor="white",
        markeredgecolor="#000000", markeredgewidth=0.8,
    )  # fmt: skip


def rank_table(ranking: xr.Dataset, rows: int) -> pd.DataFrame:
    """Return the probability of every rank, a row for each facility, by expected rank."""
    table = ranking["rank_probability"].transpose("facility", "rank")
    data = pd.DataFrame(
        table.to_numpy(),
        index=pd.Index(labels(table["facility"]), name="facility"),
        columns=pd.Index(table["rank"].to_numpy(), name="rank"),
    )
    return ends(data.iloc[np.argsort(ranking["expected_rank"].to_numpy(), kind="stable")], rows)


def ends(data: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Return the first and the last rows of a longer table."""
    if len(data) <= rows:
        return data
    return pd.concat([data.iloc[: rows // 2], data.iloc[-(rows - rows // 2) :]])
