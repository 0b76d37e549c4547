"""Figures of a plan: the curve, the frontier and the tornado."""

import textwrap
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
    StrMethodFormatter,
)

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

_HEIGHT: Final = 3.6
_LABEL: Final = 36
_NARROW: Final = 5.0
_LINES: Final = ("-", "--", ":")


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
        _log_sizes(axes, float(x[0]), float(x[-1]))
        axes.set_xlabel(size)
        axes.set_ylabel(textwrap.fill(label, _LABEL))
    return figure, data


def _design(one: xr.Dataset) -> str:
    """Return what a line of the frontier is called."""
    words = f"{int(one['facilities'])} facilities, {int(one['indicators'])} indicators"
    per_visit = float(one["cases_per_visit"])
    return words if np.isnan(per_visit) else f"{words}, {per_visit:.0f} cases a visit"


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
                linestyle=_LINES[i // len(SERIES) % len(_LINES)],
                marker="o",
                markersize=3,
                label=_design(one),
            )
        axes.axvline(frontier.attrs["stated_budget"], color=NEUTRAL, linestyle="--", linewidth=1)
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.set_xlabel("Budget")
        axes.set_ylabel(textwrap.fill(label, _LABEL))
        figure.legend(loc="outside lower center", ncols=2)
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
    finite = np.append(data["n"].to_numpy(), base)
    finite = finite[np.isfinite(finite)]
    low, high = finite.min(), max(finite.max(), finite.min() * 1.01)
    with styled():
        figure, axes = new_figure(row_height(len(names)))
        for row in range(len(names)):
            one = sensitivity.isel(assumption=row)
            ends = {end: float(one["n"].sel(end=end)) for end in ("low", "high")}
            lengths = {end: np.log(n / base) for end, n in ends.items() if np.isfinite(n)}
            longest = max(lengths.values(), key=abs, default=0.0)
            # the longer bar first, so that of two on one side both are seen
            for end in sorted(lengths, key=lambda end: -abs(lengths[end])):
                n, shade = ends[end], TOP if end == "low" else BOTTOM
                axes.plot([base, n], [row, row], color=shade, lw=8, solid_capstyle="butt")
                # beyond the bar, or across the line from a longer bar that would hide the text
                hidden = lengths[end] != longest and lengths[end] * longest >= 0
                right = longest < 0 if hidden else lengths[end] >= 0
                text = f" {one['setting'].sel(end=end).item()} "
                place, side = base if hidden else n, "left" if right else "right"
                axes.text(place, row, text, ha=side, va="center", fontsize=8)
        axes.axvline(base, color=INK, linewidth=1)
        name_rows(axes, names)
        # room for the settings beside the bars
        margin = (high / low) ** 0.2
        _log_sizes(axes, low / margin, high * margin)
        axes.set_xlabel(size)
    return figure, data


def _log_sizes(axes: Axes, low: float, high: float) -> None:
    """Lay sizes out in logarithms, labelled as plain numbers."""
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    narrow = high / low < _NARROW
    axes.xaxis.set_major_locator(
        MaxNLocator(5, integer=True) if narrow else LogLocator(subs=(1.0, 2.0, 5.0))
    )
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
