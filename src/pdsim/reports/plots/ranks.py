"""Figures of rank probabilities and memberships."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pdsim.conventions import CERTAIN
from pdsim.reports.plots.forests import ends, rank_table
from pdsim.reports.plots.style import (
    BOTTOM,
    HEAT,
    LIGHT,
    NEUTRAL,
    TOP,
    name_rows,
    new_figure,
    row_height,
    short,
    stamp_failed,
    styled,
    width_for,
)
from pdsim.reports.study.view import labels


def rank_heatmap(
    ranking: xr.Dataset, *, m: int, rows: int = 60, failed: str = ""
) -> tuple[Figure, pd.DataFrame]:
    """Draw the probability of every rank for every facility.

    Parameters
    ----------
    ranking : xr.Dataset
        ``rank_probability`` (facility, rank) and ``expected_rank`` (facility).
    m : int
        Lines mark the m first and the m last ranks.
    rows : int
        At most so many facilities: both ends of a longer list are drawn.
    failed : str
        What failed of the convergence gates.

    Returns
    -------
    matplotlib.figure.Figure
    pandas.DataFrame
        Probabilities, one row per facility, one column per rank, as drawn.
    """
    data = rank_table(ranking, rows)
    size = data.shape[1]
    with styled():
        figure, axes = new_figure(row_height(len(data)) + 0.4, width=width_for(data.index))
        image = axes.imshow(data.to_numpy(), cmap=HEAT, vmin=0, vmax=1, aspect="auto")
        if size <= 16:
            _write_cells(axes, data.to_numpy())
        for edge in (m - 0.5, size - m - 0.5):
            axes.axvline(edge, color="#000000", linewidth=1.2, linestyle=(0, (4, 2)))
        step = max(1, size // 10)
        ticks = np.arange(0, size, step)
        axes.set_xticks(ticks, [str(tick + 1) for tick in ticks])
        axes.set_xlabel("Rank (1 = first)")
        name_rows(axes, data.index.tolist())
        figure.colorbar(image, ax=axes, label="Probability", fraction=0.045, pad=0.02)
        stamp_failed(figure, failed)
    return figure, data


def round_heatmap(steady: xr.Dataset, *, failed: str = "") -> tuple[Figure, pd.DataFrame]:
    """Draw the probability of being at an end in every round.

    Parameters
    ----------
    steady : xr.Dataset
        ``end_probability`` (round, facility), see `pdsim.ranking.steadiness`, in the order drawn.
    failed : str
        What failed of the convergence gates.

    Returns
    -------
    matplotlib.figure.Figure
    pandas.DataFrame
        Probabilities, one row per facility, one column per round.
    """
    data = pd.DataFrame(
        steady["end_probability"].transpose("facility", "round").to_numpy(),
        index=pd.Index(labels(steady["facility"]), name="facility"),
        columns=pd.Index(labels(steady["round"]), name="round"),
    )
    with styled():
        figure, axes = new_figure(row_height(len(data)) + 0.4, width=width_for(data.index))
        image = axes.imshow(data.to_numpy(), cmap=HEAT, vmin=0, vmax=1, aspect="auto")
        if data.shape[1] <= 16:
            _write_cells(axes, data.to_numpy())
        axes.set_xticks(np.arange(data.shape[1]), [short(name) for name in data.columns])
        axes.set_xlabel("Round")
        name_rows(axes, data.index.tolist())
        figure.colorbar(image, ax=axes, label="Probability", fraction=0.045, pad=0.02)
        stamp_failed(figure, failed)
    return figure, data


def _write_cells(axes: Axes, values: NDArray[np.float64]) -> None:
    for i, j in np.argwhere(values >= 0.005):
        dark = values[i, j] > 0.55
        axes.text(
            j, i, f"{values[i, j]:.2f}".lstrip("0") if values[i, j] < 0.995 else ">.99",
            ha="center", va="center", fontsize=7.5, color="#FFFFFF" if dark else "#000000",
        )  # fmt: skip


def membership_dots(
    ranking: xr.Dataset, *, m: int, rows: int = 60, failed: str = ""
) -> tuple[Figure, pd.DataFrame]:
    """Draw P(top m) and P(bottom m) of every facility, with three Monte Carlo errors.

    Parameters
    ----------
    ranking : xr.Dataset
        Over facility: ``p_top``, ``p_bottom``, their ``_mcse``, ``expected_rank``.
    m : int
    rows : int
        At most so many facilities.
    failed : str
        What failed of the convergence gates.

    Returns
    -------
    matplotlib.figure.Figure
    pandas.DataFrame
        ``facility``, ``p_top``, ``p_top_mcse``, ``p_bottom``, ``p_bottom_mcse``.
    """
    order = np.argsort(ranking["expected_rank"].to_numpy(), kind="stable")
    keys = ["p_top", "p_top_mcse", "p_bottom", "p_bottom_mcse"]
    data = pd.DataFrame(
        {
            "facility": np.array(labels(ranking["facility"]))[order],
            **{key: ranking[key].to_numpy()[order] for key in keys},
        }
    )
    data = ends(data, rows).reset_index(drop=True)
    lines = np.arange(len(data))
    with styled():
        figure, axes = new_figure(row_height(len(data)) + 0.3, width=width_for(data["facility"]))
        axes.hlines(lines, 0, 1, color=LIGHT, linewidth=0.7, zorder=0)
        axes.axvline(CERTAIN, color=NEUTRAL, linewidth=0.8, linestyle=(0, (4, 2)))
        for side, marker, shade, shift in (("top", "^", TOP, -0.13), ("bottom", "v", BOTTOM, 0.13)):
            axes.errorbar(
                data[f"p_{side}"], lines + shift, xerr=3 * data[f"p_{side}_mcse"],
                fmt=marker, color=shade, markersize=6.5, elinewidth=1.2, label=f"P({side} {m})",
            )  # fmt: skip
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel("Probability")
        name_rows(axes, data["facility"].tolist())
        figure.legend(loc="outside lower center", ncols=2)
        stamp_failed(figure, failed)
    return figure, data
