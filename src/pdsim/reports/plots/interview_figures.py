"""Figures on interviews: who plays which part, and what the themes say."""

from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from pdsim.reports.plots.forests import ends
from pdsim.reports.plots.style import (
    LIGHT,
    MARKERS,
    NEUTRAL,
    SERIES,
    TOP,
    colour,
    name_rows,
    new_figure,
    row_height,
    short,
    stamp_failed,
    styled,
    width_for,
)

_SIDE: Final = {"higher": "top", "boundary": "boundary", "middle": "", "lower": "bottom"}


def roles_forest(
    roles: xr.Dataset, *, label: str, rows: int = 60, failed: str = ""
) -> tuple[Figure, pd.DataFrame]:
    """Draw every facility's score with its interval and its part in the interviews.

    Parameters
    ----------
    roles : xr.Dataset
        From `pdsim.interviews.roles`.
    label : str
        Of the axis.
    rows : int
        At most so many facilities: both ends of a longer list are drawn.
    failed : str
        What failed of the convergence gates; stamped on the figure.

    Returns
    -------
    matplotlib.figure.Figure
    pandas.DataFrame
        ``facility``, ``role``, ``mean``, ``low``, ``high``.
    """
    table = roles[["role", "mean", "low", "high"]].to_dataframe().reset_index()
    table = ends(table.sort_values("mean", ascending=False, kind="stable"), rows)
    with styled():
        figure, axes = new_figure(row_height(len(table)), width=width_for(table["facility"]))
        for line, row in enumerate(_records(table)):
            side = _SIDE[row["role"]]
            axes.plot([row["low"], row["high"]], [line, line], color=colour(side), lw=1.4)
            axes.plot(row["mean"], line, MARKERS[side], color=colour(side), markersize=6.5)
        for role, side in _SIDE.items():
            axes.plot([], [], MARKERS[side], color=colour(side), label=role)
        figure.legend(loc="outside lower center", ncols=4)
        name_rows(axes, table["facility"].astype(str).tolist())
        axes.set_xlabel(label)
        stamp_failed(figure, failed)
    return figure, table.reset_index(drop=True)


def theme_contrasts(contrast: xr.Dataset, *, failed: str = "") -> tuple[Figure, pd.DataFrame]:
    """Draw the contrast of every theme: with the doubt who is high, and without.

    Parameters
    ----------
    contrast : xr.Dataset
        Over ``theme``, of one round; from `pdsim.interviews.contrast_themes`.
    failed : str
        Stamped on the figure.

    Returns
    -------
    matplotlib.figure.Figure
    pandas.DataFrame
    """
    names = ["contrast", "low", "high", "named", "named_low", "named_high"]
    table = contrast[names].to_dataframe().reset_index()[["theme", *names]]
    with styled():
        figure, axes = new_figure(row_height(2 * len(table)), width=width_for(table["theme"]))
        axes.axvline(0, color=NEUTRAL, linewidth=0.8, zorder=0)
        for line, row in enumerate(_records(table)):
            up, down = line - 0.12, line + 0.18
            axes.plot([row["low"], row["high"]], [up, up], color=TOP, lw=2.6)
            axes.plot(row["contrast"], up, "o", color=TOP, markersize=6)
            bounds = [row["named_low"], row["named_high"]]
            axes.plot(bounds, [down, down], color=NEUTRAL, lw=1.2)
            axes.plot(row["named"], down, "o", color=NEUTRAL, markersize=4)
        axes.plot([], [], "o-", color=TOP, label="true top against true bottom")
        axes.plot([], [], "o-", color=NEUTRAL, label="as if the groups were certain")
        figure.legend(loc="outside lower center", ncols=1)
        name_rows(axes, table["theme"].astype(str).tolist())
        axes.set_xlabel("Share in higher minus share in lower facilities")
        stamp_failed(figure, failed)
    return figure, table


def theme_rounds(contrast: xr.Dataset, *, failed: str = "") -> tuple[Figure, pd.DataFrame]:
    """Draw the contrast of every theme over the rounds.

    Parameters
    ----------
    contrast : xr.Dataset
        Over ``theme`` and ``round``, without the round ``all``.
    failed : str
        Stamped on the figure.

    Returns
    -------
    matplotlib.figure.Figure
    pandas.DataFrame
    """
    table = contrast[["contrast", "low", "high"]].to_dataframe().reset_index()
    rounds = [str(name) for name in contrast["round"].values]
    themes = [str(name) for name in contrast["theme"].values]
    places = np.arange(len(rounds))
    with styled():
        figure, axes = new_figure(3.4)
        axes.axhline(0, color=LIGHT, linewidth=0.8, zorder=0)
        for number, theme in enumerate(themes):
            one = contrast.sel(theme=theme)
            shade = SERIES[number % len(SERIES)]
            shift = places + 0.05 * (number - 0.5 * (len(themes) - 1))
            axes.vlines(shift, one["low"], one["high"], color=shade, lw=1.0)
            axes.plot(shift, one["contrast"], "o-", color=shade, lw=1.4, label=short(theme))
        axes.set_xticks(places, [short(name) for name in rounds])
        axes.set_xlabel("Round")
        axes.set_ylabel("Contrast")
        figure.legend(loc="outside lower center", ncols=2)
        stamp_failed(figure, failed)
    return figure, table


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
