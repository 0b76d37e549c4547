"""Figures on weights: ranges, flip distances, domain sweeps, and what the variance is due to."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from pdsim.errors import InputError
from pdsim.reports.plots.style import (
    LIGHT,
    NEUTRAL,
    SERIES,
    TOP,
    name_rows,
    new_figure,
    row_height,
    short,
    stamp_failed,
    styled,
)
from pdsim.reports.study.view import labels


def tornado(stability: xr.Dataset, *, failed: str = "") -> tuple[Figure, pd.DataFrame]:
    """Draw how far each indicator's weight can move before the selection changes.

    Parameters
    ----------
    stability : xr.Dataset
        From `pdsim.weights.stability_interval`: ``lower``, ``upper``, ``nominal`` (indicator).
    failed : str
        What failed of the convergence gates.

    Returns
    -------
    matplotlib.figure.Figure
    pandas.DataFrame
        ``indicator``, ``lower``, ``nominal``, ``upper``; the narrowest range first.
    """
    data = pd.DataFrame(
        {
            "indicator": labels(stability["indicator"]),
            **{key: stability[key].to_numpy() for key in ("lower", "nominal", "upper")},
        }
    )
    width = (data["upper"] - data["lower"]).to_numpy()
    data = data.iloc[np.argsort(width, kind="stable")].reset_index(drop=True)
    lines = np.arange(len(data))
    with styled():
        figure, axes = new_figure(row_height(len(data)))
        axes.barh(lines, data["upper"] - data["lower"], left=data["lower"], color=TOP, height=0.55)
        axes.plot(data["nominal"], lines, "D", markersize=4.5, color="#000000")
        axes.set_xlim(0, 1)
        axes.set_xlabel("Weight at which the selection stays (diamond: weight now)")
        name_rows(axes, data["indicator"].tolist())
        stamp_failed(figure, failed)
    return figure, data


def flip_density(
    flip: xr.Dataset, *, sample: str = "sample", failed: str = ""
) -> tuple[Figure, pd.DataFrame]:
    """Draw the posterior distribution of the distance to the nearest flip.

    Parameters
    ----------
    flip : xr.Dataset
        ``distance`` (sample); draws in which the set is not selected at the nominal weights
        have distance 0, and those without any flip are infinite.
    sample : str
        Dimension of the draws.
    failed : str
        What failed of the convergence gates.

    Returns
    -------
    matplotlib.figure.Figure
    pandas.DataFrame
        ``low``, ``high``, ``share`` of each bar; shares sum to 1 with the attribute ``never``.
    """
    distance = flip["distance"].stack(all=[sample]).to_numpy().astype(float)
    finite = distance[np.isfinite(distance)]
    if not finite.size:
        raise InputError("no draw has a flip: there is no distance to draw")
    counts, edges = np.histogram(finite, bins=30, range=(0.0, max(float(finite.max()), 1e-9)))
    data = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "share": counts / len(distance)})
    data.attrs = {"never": 1.0 - len(finite) / len(distance)}
    with styled():
        figure, axes = new_figure(3.2)
        axes.bar(edges[:-1], data["share"], width=np.diff(edges), align="edge", color=TOP, lw=0)
        axes.set_xlabel(f"Distance of the nearest flip ({flip.attrs.get('norm', 'weights')})")
        axes.set_ylabel("Share of draws")
        stamp_failed(figure, failed)
    return figure, data


def domain_strip(
    sweep: xr.Dataset, *, rows: int = 20, failed: str = ""
) -> tuple[Figure, pd.DataFrame]:
    """Draw membership as the weight of one domain runs from 0 to 1.

    Parameters
    ----------
    sweep : xr.Dataset
        From `pdsim.weights.domain_sweep`: ``probability`` (domain_weight, facility) and
        ``nominal_weight``.
    rows : int
        Facilities with the highest probability anywhere.
    failed : str
        What failed of the convergence gates.

    Returns
    -------
    matplotlib.figure.Figure
    pandas.DataFrame
        Probabilities, one row per facility, one column per weight of the domain.
    """
    table = sweep["probability"].transpose("facility", "domain_weight")
    data = pd.DataFrame(
        table.to_numpy(),
        index=pd.Index(labels(table["facility"]), name="facility"),
        columns=pd.Index(table["domain_weight"].to_numpy(), name="domain_weight"),
    )
    order = np.argsort(-data.to_numpy().mean(axis=1), kind="stable")[:rows]
    data = data.iloc[order]
    weight = table["domain_weight"].to_numpy()
    with styled():
        figure, axes = new_figure(row_height(len(data)) + 0.3)
        image = axes.imshow(
            data.to_numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest",
            extent=(float(weight[0]), float(weight[-1]), len(data) - 0.5, -0.5),
        )  # fmt: skip
        axes.axvline(float(sweep["nominal_weight"]), color="#000000", linestyle=(0, (4, 2)))
        name_rows(axes, [str(name) for name in data.index])
        axes.set_xlabel(f"Weight of {short(str(sweep.attrs.get('domain', 'the domain')))}")
        figure.colorbar(image, ax=axes, label="Probability of selection", fraction=0.045)
        stamp_failed(figure, failed)
    return figure, data


def decomposition_bars(
    shares: xr.DataArray, *, most: int = 10, failed: str = ""
) -> tuple[Figure, pd.DataFrame]:
    """Draw the parts of the variance of a selection as one bar.

    Parameters
    ----------
    shares : xr.DataArray (component)
        Shares of the variance, from `pdsim.weights.decompose` at one outcome.
    most : int
        Components drawn one by one; the rest together.
    failed : str
        What failed of the convergence gates.

    Returns
    -------
    matplotlib.figure.Figure
    pandas.DataFrame
        ``component``, ``share``; the largest first.
    """
    data = pd.DataFrame({"component": labels(shares["component"]), "share": shares.to_numpy()})
    data = data.sort_values("share", ascending=False, kind="stable").reset_index(drop=True)
    if len(data) > most:
        rest = pd.DataFrame(
            {"component": ["all others"], "share": [float(data["share"].iloc[most:].sum())]}
        )
        data = pd.concat([data.iloc[:most], rest], ignore_index=True)
    with styled():
        figure, axes = new_figure(row_height(len(data)))
        shades = [SERIES[0] if share >= 0 else LIGHT for share in data["share"]]
        axes.barh(np.arange(len(data)), 100 * data["share"], color=shades, height=0.6)
        axes.axvline(0, color=NEUTRAL, linewidth=0.8)
        axes.set_xlabel("Share of the variance (%)")
        name_rows(axes, data["component"].tolist())
        # these labels are pdsim's own: whole, since two of them may begin alike
        axes.set_yticklabels([text.replace("_", " ") for text in data["component"]])
        stamp_failed(figure, failed)
    return figure, data
