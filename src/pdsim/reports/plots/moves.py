"""Figures of movement: before and after, between definitions, by domain."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from pdsim.reports.plots.annotate import name_points
from pdsim.reports.plots.style import (
    LIGHT,
    MARKERS,
    NEUTRAL,
    colour,
    new_figure,
    row_height,
    short,
    side_of,
    stamp_failed,
    styled,
    width_for,
)
from pdsim.reports.study.view import labels

_ELLIPSE = 2.4477
"""Radius in standard deviations of an ellipse that holds 95 % of a bivariate normal."""


def sides_by_name(ranking: xr.Dataset) -> dict[str, str]:
    """Return ``top``, ``bottom`` or nothing for every facility."""
    top = ranking["selected_top"].to_numpy().astype(bool)
    bottom = ranking["selected_bottom"].to_numpy().astype(bool)
    return {
        name: side_of(bool(a), bool(b))
        for name, a, b in zip(labels(ranking["facility"]), top, bottom, strict=True)
    }


def slope(
    levels: xr.Dataset, ranking: xr.Dataset, *, unit: str = "%", failed: str = ""
) -> tuple[Figure, pd.DataFrame]:
    """Draw the composite level before and after, one line per facility.

    Parameters
    ----------
    levels : xr.Dataset
        ``mean`` (facility, period) of two periods.
    ranking : xr.Dataset
        ``selected_top`` and ``selected_bottom`` (facility).
    unit : str
        Of the level.
    failed : str
        What failed of the convergence gates.

    Returns
    -------
    matplotlib.figure.Figure
    pandas.DataFrame
        ``facility``, one column per period, ``side``.
    """
    mean = levels["mean"].transpose("facility", "period")
    periods = labels(mean["period"])
    data = pd.DataFrame(mean.to_numpy(), columns=periods)
    data.insert(0, "facility", labels(mean["facility"]))
    sides = sides_by_name(ranking)
    data["side"] = [sides[name] for name in data["facility"]]
    values = mean.to_numpy()
    with styled():
        figure, axes = new_figure(4.2)
        # the selected ones lie on top of the others
        order = sorted(range(len(data)), key=lambda n: data["side"].iloc[n] != "")
        for n in order:
            side = str(data["side"].iloc[n])
            axes.plot(
                [0, 1], values[n], color=colour(side) if side else LIGHT,
                marker=MARKERS[side], markersize=5, linewidth=1.8 if side else 1.1,
            )  # fmt: skip
        named = data["side"] != "" if len(data) > 12 else np.ones(len(data), dtype=bool)
        _label_ends(axes, values[np.asarray(named), 1], data.loc[named, "facility"].tolist())
        axes.set_xticks([0, 1], [period.capitalize() for period in periods])
        axes.set_xlim(-0.15, 1.7)
        axes.set_ylabel(f"Composite level ({unit})")
        stamp_failed(figure, failed)
    return figure, data


def _label_ends(axes: Axes, values: np.ndarray, names: Sequence[str]) -> None:
    """Write names beside the right ends, pushed apart so that none hides another."""
    if not len(values):
        return
    order = np.argsort(values)
    low, high = axes.get_ylim()
    gap = (high - low) / 24.0
    place = values[order].astype(float).copy()
    for n in range(1, len(place)):
        place[n] = max(place[n], place[n - 1] + gap)
    place -= max(0.0, place.mean() - values.mean())
    for n, index in enumerate(order.tolist()):
        axes.plot([1.03, 1.07], [values[index], place[n]], color=LIGHT, linewidth=0.7)
        axes.text(1.09, place[n], short(names[index]), va="center", fontsize=8.5)


def bump(
    ranks: xr.DataArray,
    ranking: xr.Dataset,
    *,
    names: Mapping[str, str] | None = None,
    rows: int = 40,
    failed: str = "",
) -> tuple[Figure, pd.DataFrame]:
    """Draw the rank of every facility under several definitions of improvement.

    Parameters
    ----------
    ranks : xr.DataArray
        (estimand, facility); 1 is first.
    ranking : xr.Dataset
        ``selected_top`` and ``selected_bottom`` (facility) under the main definition.
    names : mapping of str to str, optional
        What the definitions are called.
    rows : int
        At most so many facilities, from both ends.
    failed : str
        What failed of the convergence gates.

    Returns
    -------
    matplotlib.figure.Figure
    pandas.DataFrame
        Ranks, one row per facility, one column per estimand.
    """
    table = ranks.transpose("facility", "estimand")
    estimands = labels(table["estimand"])
    data = pd.DataFrame(
        table.to_numpy(),
        index=pd.Index(labels(table["facility"]), name="facility"),
        columns=pd.Index(estimands, name="estimand"),
    ).sort_values(estimands[0], kind="stable")
    if len(data) > rows:
        data = pd.concat([data.iloc[: rows // 2], data.iloc[-(rows // 2) :]])
    sides = sides_by_name(ranking)
    with styled():
        figure, axes = new_figure(row_height(len(data)) + 0.6, width=width_for(data.index))
        positions = np.arange(len(estimands))
        for name, row in zip(data.index, data.to_numpy(), strict=True):
            side = sides[str(name)]
            axes.plot(
                positions, row, color=colour(side) if side else LIGHT, marker=MARKERS[side],
                markersize=6, linewidth=1.8 if side else 1.1, zorder=2 if side else 1,
            )  # fmt: skip
            axes.annotate(
                short(str(name)), (0, row[0]), xytext=(-8, 0), textcoords="offset points",
                ha="right", va="center", fontsize=8.5,
            )  # fmt: skip
        texts = [(names or {}).get(name, name) for name in estimands]
        axes.set_xticks(positions, [text.replace(" ", "\n") for text in texts], fontsize=8)
        axes.set_yticks([1, *range(5, int(data.to_numpy().max()) + 1, 5)])
        axes.invert_yaxis()
        axes.yaxis.tick_right()
        axes.yaxis.set_label_position("right")
        axes.spines["left"].set_visible(False)
        axes.spines["right"].set_visible(True)
        axes.set_ylabel("Rank (1 = first)")
        stamp_failed(figure, failed)
    return figure, data


def domain_profile(
    domains: xr.Dataset, ranking: xr.Dataset, *, unit: str = "pp", failed: str = ""
) -> tuple[Figure, pd.DataFrame]:
    """Draw the improvement in one domain against that in another.

    Parameters
    ----------
    domains : xr.Dataset
        ``mean`` (facility, domain) and ``covariance`` (facility, domain, domain_2); the first
        two domains are drawn.
    ranking : xr.Dataset
        ``selected_top`` and ``selected_bottom`` (facility).
    unit : str
        Of the improvement.
    failed : str
        What failed of the convergence gates.

    Returns
    -------
    matplotlib.figure.Figure
    pandas.DataFrame
        ``facility``, ``x``, ``y``, ``width``, ``height``, ``angle`` of the 95 % ellipse, ``side``.
    """
    names = labels(domains["domain"])[:2]
    mean = domains["mean"].sel(domain=names).transpose("facility", "domain").to_numpy()
    covariance = domains["covariance"].sel(domain=names, domain_2=names)
    covariance = covariance.transpose("facility", "domain", "domain_2")
    values, vectors = np.linalg.eigh(covariance.to_numpy())
    axes_lengths = 2.0 * _ELLIPSE * np.sqrt(np.clip(values, 0.0, None))
    facilities = labels(domains["facility"])
    sides = sides_by_name(ranking)
    data = pd.DataFrame(
        {
            "facility": facilities,
            "x": mean[:, 0],
            "y": mean[:, 1],
            "width": axes_lengths[:, 1],
            "height": axes_lengths[:, 0],
            "angle": np.degrees(np.arctan2(vectors[:, 1, 1], vectors[:, 0, 1])) % 180.0,
            "side": [sides[name] for name in facilities],
        }
    )
    few = len(data) <= 30
    with styled():
        figure, axes = new_figure(4.6)
        low = float(mean.min() - axes_lengths.max() / 2)
        high = float(mean.max() + axes_lengths.max() / 2)
        axes.plot([low, high], [low, high], color=LIGHT, linewidth=1.0, zorder=0)
        for n, name in enumerate(facilities):
            side = sides[name]
            shade = colour(side)
            if few or side:
                axes.add_patch(
                    Ellipse(
                        (mean[n, 0], mean[n, 1]), axes_lengths[n, 1], axes_lengths[n, 0],
                        angle=float(data["angle"].iloc[n]), facecolor="none", edgecolor=shade,
                        linewidth=0.9, alpha=0.7,
                    )
                )  # fmt: skip
            axes.plot(mean[n, 0], mean[n, 1], MARKERS[side], color=shade, markersize=6)
        axes.set_xlim(low, high)
        axes.set_ylim(low, high)
        named = np.array([side != "" for side in data["side"]])
        name_points(axes, mean[:, 0], mean[:, 1], facilities, named)
        axes.set_xlabel(f"Change in {short(names[0])} ({unit})")
        axes.set_ylabel(f"Change in {short(names[1])} ({unit})")
        stamp_failed(figure, failed)
    return figure, data


def predictive(
    check: xr.Dataset, *, unit: str = "%", rows: int = 60, failed: str = ""
) -> tuple[Figure, pd.DataFrame]:
    """Draw observed composites against the range that the fitted model would produce.

    Parameters
    ----------
    check : xr.Dataset
        ``observed``, ``replicate_mean`` (facility, period) and ``replicate_interval``
        (facility, period, ci_bound).
    unit : str
    rows : int
        At most so many facilities, from both ends of the endline level.
    failed : str
        What failed of the convergence gates.

    Returns
    -------
    matplotlib.figure.Figure
    pandas.DataFrame
        ``facility``, ``period``, ``observed``, ``mean``, ``low``, ``high``.
    """
    periods = labels(check["period"])
    order = np.argsort(-check["replicate_mean"].isel(period=-1).to_numpy(), kind="stable")
    if len(order) > rows:
        order = np.concatenate([order[: rows // 2], order[-(rows // 2) :]])
    part = check.isel(facility=order)
    names = labels(part["facility"])
    bounds = part["replicate_interval"].transpose("facility", "period", "ci_bound").to_numpy()
    data = pd.DataFrame(
        {
            "facility": np.repeat(names, len(periods)),
            "period": np.tile(periods, len(names)),
            "observed": part["observed"].transpose("facility", "period").to_numpy().ravel(),
            "mean": part["replicate_mean"].transpose("facility", "period").to_numpy().ravel(),
            "low": bounds[..., 0].ravel(),
            "high": bounds[..., 1].ravel(),
        }
    )
    with styled():
        figure, axes = new_figure(row_height(len(names)) + 0.3, width=width_for(names))
        for n, period in enumerate(periods):
            rows_of = data[data["period"] == period]
            lines = np.arange(len(names)) + (n - (len(periods) - 1) / 2) * 0.3
            shade = (NEUTRAL, "#0072B2")[n % 2] if len(periods) > 1 else "#0072B2"
            axes.hlines(lines, rows_of["low"], rows_of["high"], color=shade, linewidth=2.2)
            axes.plot(
                rows_of["observed"], lines, "D", markersize=4.5, markerfacecolor="white",
                markeredgecolor=shade, label=f"{period.capitalize()}: observed and 95 % range",
            )  # fmt: skip
        axes.set_yticks(range(len(names)), [short(name) for name in names])
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlabel(f"Composite level ({unit})")
        figure.legend(loc="outside lower center", ncols=1)
        stamp_failed(figure, failed)
    return figure, data
