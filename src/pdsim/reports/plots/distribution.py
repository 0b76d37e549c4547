"""Stacked rank-acceptability bars, grades, and the funnel plot."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from pdsim.arraytypes import Floats
from pdsim.errors import InputError
from pdsim.reports.plots.annotate import name_points
from pdsim.reports.plots.forests import ends, rank_table
from pdsim.reports.plots.style import (
    BOTTOM,
    HEAT,
    LIGHT,
    NEUTRAL,
    SERIES,
    TOP,
    name_rows,
    new_figure,
    row_height,
    stamp_failed,
    styled,
    width_for,
)
from pdsim.reports.study.view import labels


def acceptability_bars(
    ranking: xr.Dataset, *, m: int, rows: int = 60, failed: str = ""
) -> tuple[Figure, pd.DataFrame]:
    """Draw the rank probabilities of every facility as one stacked bar.

    Parameters
    ----------
    ranking : xr.Dataset
        ``rank_probability`` (facility, rank) and ``expected_rank`` (facility).
    m : int
        The m first and the m last ranks are set apart by colour.
    rows : int
        At most so many facilities.
    failed : str
        What failed of the convergence gates.

    Returns
    -------
    matplotlib.figure.Figure
    pandas.DataFrame
        Probabilities, one row per facility, one column per rank.
    """
    data = rank_table(ranking, rows)
    size = data.shape[1]
    with styled():
        figure, axes = new_figure(row_height(len(data)) + 0.5, width=width_for(data.index))
        left = np.zeros(len(data))
        for n, shade in enumerate(_rank_colours(size, m)):
            width = data.iloc[:, n].to_numpy()
            seen = width > 1e-4
            axes.barh(
                np.flatnonzero(seen), width[seen], left=left[seen], height=0.78, color=shade,
                edgecolor="white", linewidth=0.5,
            )  # fmt: skip
            left += width
        for label, key in ((f"ranks 1 to {m}", TOP), ("between", LIGHT), (f"last {m}", BOTTOM)):
            axes.barh([0], [0], color=key, label=label)
        axes.set_xlim(0, 1)
        axes.set_xlabel("Probability, ranks from first (left) to last (right)")
        name_rows(axes, [str(name) for name in data.index])
        figure.legend(loc="outside lower center", ncols=3)
        stamp_failed(figure, failed)
    return figure, data


def _rank_colours(size: int, m: int) -> list[tuple[float, float, float]]:
    """Blue for the first ranks, darkest first; orange for the last ones; grey between."""
    blues = mpl.colormaps[HEAT](np.linspace(0.9, 0.5, m))
    oranges = mpl.colormaps["Oranges"](np.linspace(0.45, 0.8, m))
    greys = mpl.colormaps["Greys"](np.linspace(0.12, 0.3, max(size - 2 * m, 0)))
    colours = np.concatenate([blues, greys, oranges])[:size, :3]
    return [(float(r), float(g), float(b)) for r, g, b in colours]


def grades(ranking: xr.Dataset, *, rows: int = 60, failed: str = "") -> tuple[Figure, pd.DataFrame]:
    """Draw every facility's rank interval with its grade.

    Parameters
    ----------
    ranking : xr.Dataset
        ``grade``, ``expected_rank`` (facility) and ``rank_interval`` (facility, ci_bound).
    rows : int
        At most so many facilities.
    failed : str
        What failed of the convergence gates.

    Returns
    -------
    matplotlib.figure.Figure
    pandas.DataFrame
        ``facility``, ``grade``, ``expected_rank``, ``low``, ``high``.
    """
    bounds = ranking["rank_interval"].transpose("facility", "ci_bound").to_numpy()
    data = pd.DataFrame(
        {
            "facility": labels(ranking["facility"]),
            "grade": ranking["grade"].to_numpy().astype(int),
            "expected_rank": ranking["expected_rank"].to_numpy(),
            "low": bounds[:, 0],
            "high": bounds[:, 1],
        }
    ).sort_values(["grade", "expected_rank"], kind="stable")
    data = ends(data, rows).reset_index(drop=True)
    with styled():
        figure, axes = new_figure(row_height(len(data)), width=width_for(data["facility"]))
        for line, (grade, rank, low, high) in enumerate(
            zip(data["grade"], data["expected_rank"], data["low"], data["high"], strict=True)
        ):
            shade = SERIES[(int(grade) - 1) % len(SERIES)]
            axes.plot([low, high], [line, line], color=shade, linewidth=1.4)
            axes.plot(rank, line, "o", color=shade, markersize=12, markeredgecolor="white")
            axes.text(
                rank, line, str(grade), ha="center", va="center", color="white", fontsize=7.5,
                fontweight="bold",
            )  # fmt: skip
        axes.set_xlabel("Rank (1 = first); the number is the grade")
        axes.set_xlim(0, float(bounds.max()) + 1)
        name_rows(axes, data["facility"].tolist())
        stamp_failed(figure, failed)
    return figure, data


def funnel(
    estimate: Floats,
    se: Floats,
    *,
    names: Sequence[str],
    sides: Sequence[str],
    label: str = "Observed change (pp)",
    failed: str = "",
) -> tuple[Figure, pd.DataFrame]:
    """Draw observed values against their precision with over-dispersed limits.

    The limits are centre +- z sqrt(se^2 + tau^2), with the moment estimate of the variance
    tau^2 between facilities [1]_; without it nearly every facility of a large study would lie
    outside.

    Parameters
    ----------
    estimate, se : ndarray (facility,)
        Observed values and their standard errors.
    names : sequence of str
        Of the facilities.
    sides : sequence of str
        ``top``, ``bottom`` or nothing for every facility.
    label : str
        Of the vertical axis.
    failed : str
        What failed of the convergence gates.

    Returns
    -------
    matplotlib.figure.Figure
    pandas.DataFrame
        ``facility``, ``estimate``, ``se``, ``low_95``, ``high_95``, ``low_998``, ``high_998``;
        attributes ``centre`` and ``tau``.

    References
    ----------
    .. [1] Spiegelhalter DJ (2005), doi:10.1002/sim.1970
    """
    if not (np.isfinite(estimate).all() and np.isfinite(se).all() and (se > 0).all()):
        raise InputError("a funnel plot needs finite estimates and positive standard errors")
    centre, tau = overdispersion(estimate, se)
    data = pd.DataFrame({"facility": list(names), "estimate": estimate, "se": se})
    for text, z in (("95", 1.959964), ("998", 3.090232)):
        half = z * np.sqrt(se**2 + tau**2)
        data[f"low_{text}"], data[f"high_{text}"] = centre - half, centre + half
    data.attrs = {"centre": centre, "tau": tau}
    with styled():
        figure, axes = new_figure(3.8)
        precision = 1.0 / se
        grid = np.linspace(precision.min() * 0.9, precision.max() * 1.05, 200)
        for z, dash in ((1.959964, (0, (4, 2))), (3.090232, (0, (1, 1.5)))):
            half = z * np.sqrt(grid**-2 + tau**2)
            for sign in (-1.0, 1.0):
                axes.plot(grid, centre + sign * half, color=NEUTRAL, linestyle=dash, linewidth=1.0)
        axes.axhline(centre, color=NEUTRAL, linewidth=1.0)
        for side, marker, shade in (("", "o", NEUTRAL), ("top", "^", TOP), ("bottom", "v", BOTTOM)):
            chosen = np.array([item == side for item in sides])
            if not chosen.any():
                continue
            axes.plot(precision[chosen], estimate[chosen], marker, color=shade, markersize=6)
        name_points(axes, precision, estimate, names, np.array([side != "" for side in sides]))
        axes.set_xlabel("Precision (1 / standard error)")
        axes.set_ylabel(label)
        stamp_failed(figure, failed)
    return figure, data


def overdispersion(estimate: Floats, se: Floats) -> tuple[float, float]:
    """Return centre and between-facility standard deviation by the method of moments.

    Examples
    --------
    >>> centre, tau = overdispersion(np.array([0.0, 2.0, 4.0]), np.full(3, 1.0))
    >>> round(centre, 6), round(tau, 6)
    (2.0, 1.732051)
    """
    weight = se**-2.0
    centre = float((weight * estimate).sum() / weight.sum())
    q = float((weight * (estimate - centre) ** 2).sum())
    scale = float(weight.sum() - (weight**2).sum() / weight.sum())
    tau2 = max(0.0, (q - (len(estimate) - 1)) / scale) if scale > 0 else 0.0
    weight = 1.0 / (se**2 + tau2)
    return float((weight * estimate).sum() / weight.sum()), float(np.sqrt(tau2))
