"""Figures of a plan: the curve, the frontier and the tornado."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from pdsim.reports.plots.style import (
    BOTTOM,
    INK,
    LIGHT,
    NEUTRAL,
    SERIES,
    TOP,
    name_rows,
    new_figure,
    row_height,
    styled,
)

_HEIGHT = 3.6


def plan_curve(
    answer: xr.Dataset, *, level: float, label: str, size: str
) -> tuple[Figure, pd.DataFrame]:
    """Draw a measure against the size of the study, with band, simulated points and target.

    Parameters
    ----------
    answer : xr.Dataset
        Group ``answer`` or ``assurance`` of a plan.
    level : float
        The target's bound.
    label, size : str
        Of the axes.

    Returns
    -------
    matplotlib.figure.Figure
    pandas.DataFrame
        The curve as drawn: ``size``, ``curve``, ``curve_low``, ``curve_high``.
    """
    names = ["curve", "curve_low", "curve_high"]
    data = answer[names].to_dataframe()[names].reset_index()
    x = answer["size"].to_numpy()
    with styled():
        figure, axes = new_figure(_HEIGHT)
        low, high = answer["curve_low"].to_numpy(), answer["curve_high"].to_numpy()
        axes.fill_between(x, low, high, color=LIGHT, linewidth=0)
        axes.plot(x, answer["curve"].to_numpy(), color=TOP)
        axes.axhline(level, color=NEUTRAL, linestyle="--", linewidth=1)
        inside = (answer["point_size"] >= x[0]) & (answer["point_size"] <= x[-1])
        points = answer.isel(point=inside.to_numpy())
        axes.errorbar(
            points["point_size"].to_numpy(),
            points["point_value"].to_numpy(),
            yerr=2 * points["point_value_mcse"].to_numpy(),
            fmt="o", color=INK, markersize=3, linewidth=0.8,
        )  # fmt: skip
        bounds = [float(answer["n_low"]), float(answer["n_high"])]
        if np.isfinite(bounds).all() and bounds[0] > 0:
            axes.axvspan(*bounds, color=BOTTOM, alpha=0.2, linewidth=0)
        axes.set_xscale("log")
        axes.set_xlabel(size)
        axes.set_ylabel(label)
    return figure, data


def plan_frontier(frontier: xr.Dataset, *, label: str) -> tuple[Figure, pd.DataFrame]:
    """Draw what each design reaches for each budget.

    Parameters
    ----------
    frontier : xr.Dataset
        Group ``frontier`` of a plan.
    label : str
        Of the measure.

    Returns
    -------
    matplotlib.figure.Figure
    pandas.DataFrame
        ``budget``, ``design``, ``trials``, ``value``, ``value_low``, ``value_high``.
    """
    names = ["trials", "value", "value_low", "value_high"]
    data = frontier[names].to_dataframe()[names].reset_index()
    with styled():
        figure, axes = new_figure(_HEIGHT)
        for i in range(frontier.sizes["design"]):
            one = frontier.isel(design=i)
            axes.plot(
                frontier["budget"].to_numpy(),
                one["value"].to_numpy(),
                color=SERIES[i % len(SERIES)],
                marker="o",
                markersize=3,
                label=f"{int(one['facilities'])} facilities, {int(one['indicators'])} indicators",
            )
        axes.set_xlabel("Budget")
        axes.set_ylabel(label)
        axes.legend()
    return figure, data


def plan_tornado(sensitivity: xr.Dataset, *, size: str) -> tuple[Figure, pd.DataFrame]:
    """Draw how far each assumption moves the answer, the strongest first.

    Parameters
    ----------
    sensitivity : xr.Dataset
        Group ``sensitivity`` of a plan.
    size : str
        Of the axis.

    Returns
    -------
    matplotlib.figure.Figure
    pandas.DataFrame
        ``assumption``, ``end``, ``n``, ``setting``.
    """
    data = sensitivity[["n", "setting"]].to_dataframe()[["n", "setting"]].reset_index()
    names = [str(name) for name in sensitivity["assumption"].to_numpy()]
    base = float(sensitivity.attrs["n"])
    with styled():
        figure, axes = new_figure(row_height(len(names)))
        for row in range(len(names)):
            ends = sensitivity["n"].isel(assumption=row).to_numpy()
            for end, shade in zip(ends, (TOP, BOTTOM), strict=True):
                if np.isfinite(end):
                    axes.plot([base, end], [row, row], color=shade, lw=8, solid_capstyle="butt")
        axes.axvline(base, color=INK, linewidth=1)
        name_rows(axes, names)
        axes.set_xscale("log")
        axes.set_xlabel(size)
    return figure, data
