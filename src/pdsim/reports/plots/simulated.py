"""Figures of simulation studies: how often a design picks the right facilities."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pdsim.errors import InputError
from pdsim.reports.plots.style import HEAT, LIGHT, NEUTRAL, SERIES, TOP, new_figure, styled

_Z = 1.959964


def pcs_curves(
    result: xr.Dataset,
    *,
    over: str,
    by: str | None = None,
    measure: str = "pcs_top",
    label: str = "Probability of correct selection",
) -> tuple[Figure, pd.DataFrame]:
    """Draw a performance measure along a factor, with 95 % Monte Carlo bands.

    Parameters
    ----------
    result : xr.Dataset
        From `pdsim.sweep`: ``measure`` and ``measure_mcse`` over `over` and, where given, `by`.
    over, by : str
        Dimensions of the horizontal axis and of the lines; any other must have been selected.
    measure, label : str

    Returns
    -------
    matplotlib.figure.Figure
    pandas.DataFrame
        `over`, `by`, ``value``, ``low``, ``high``.
    """
    dims = {over} if by is None else {over, by}
    _check(result, measure, dims)
    values, error = result[measure], result[f"{measure}_mcse"]
    lines = [None] if by is None else result[by].to_numpy().tolist()
    parts = []
    for line in lines:
        value = values if line is None else values.sel({by: line})
        half = _Z * (error if line is None else error.sel({by: line})).to_numpy()
        part = pd.DataFrame({over: result[over].to_numpy(), "value": value.to_numpy()})
        part["low"], part["high"] = part["value"] - half, part["value"] + half
        if by is not None:
            part.insert(1, by, str(line))
        parts.append(part)
    data = pd.concat(parts, ignore_index=True)
    with styled():
        figure, axes = new_figure(3.6)
        for n, part in enumerate(parts):
            shade = SERIES[n % len(SERIES)]
            name = None if by is None else f"{by} = {lines[n]}"
            axes.fill_between(part[over], part["low"], part["high"], color=shade, alpha=0.25, lw=0)
            axes.plot(part[over], part["value"], "o-", color=shade, markersize=4, label=name)
        axes.set_xlabel(over.replace("_", " "))
        axes.set_ylabel(label)
        if by is not None:
            figure.legend(loc="outside lower center", ncols=3)
    return figure, data


def pcs_heatmap(
    result: xr.Dataset,
    *,
    across: str,
    down: str,
    measure: str = "pcs_top",
    label: str = "Probability of correct selection",
) -> tuple[Figure, pd.DataFrame]:
    """Draw a performance measure over two factors; each cell shows it and its MCSE.

    Parameters
    ----------
    result : xr.Dataset
        From `pdsim.sweep`, over `across` and `down` only.
    across, down, measure, label : str

    Returns
    -------
    matplotlib.figure.Figure
    pandas.DataFrame
        `down`, `across`, ``value``, ``mcse``.
    """
    _check(result, measure, {across, down})
    values = result[measure].transpose(down, across).to_numpy()
    error = result[f"{measure}_mcse"].transpose(down, across).to_numpy()
    rows, columns = result[down].to_numpy().tolist(), result[across].to_numpy().tolist()
    data = pd.DataFrame(
        {
            down: np.repeat(rows, len(columns)),
            across: np.tile(columns, len(rows)),
            "value": values.ravel(),
            "mcse": error.ravel(),
        }
    )
    with styled():
        figure, axes = new_figure(1.4 + 0.5 * len(rows))
        image = axes.imshow(values, cmap=HEAT, vmin=0, vmax=1, aspect="auto")
        for i, j in np.argwhere(np.isfinite(values)).tolist():
            axes.text(
                j, i, f"{values[i, j]:.2f}\n±{error[i, j]:.3f}", ha="center", va="center",
                fontsize=7.5, color="#FFFFFF" if values[i, j] > 0.55 else "#000000",
            )  # fmt: skip
        axes.set_xticks(range(len(columns)), [str(value) for value in columns])
        axes.set_yticks(range(len(rows)), [str(value) for value in rows])
        axes.set_xlabel(across.replace("_", " "))
        axes.set_ylabel(down.replace("_", " "))
        axes.set_title(label, fontsize=10, loc="left")
        figure.colorbar(image, ax=axes, fraction=0.045)
    return figure, data


def _check(result: xr.Dataset, measure: str, dims: set[str]) -> None:
    missing = [name for name in (measure, f"{measure}_mcse") if name not in result]
    if missing:
        raise InputError(f"the sweep has no {' and no '.join(missing)}")
    found = {str(dim) for dim in result[measure].dims}
    if found != dims:
        raise InputError(
            f"{measure} lies over {sorted(found)}, the figure over {sorted(dims)}; select the rest"
        )


def calibration_ecdf(
    ranks: NDArray[np.float64], *, prob: float = 0.95
) -> tuple[Figure, pd.DataFrame]:
    """Draw the ECDF of the truth's place in the posterior against the uniform.

    Parameters
    ----------
    ranks : ndarray (replicate,)
        P(draw below the truth) in each simulated study; uniform if the model is calibrated.
    prob : float
        Of the pointwise band.

    Returns
    -------
    matplotlib.figure.Figure
    pandas.DataFrame
        ``place``, ``difference`` (ECDF minus uniform), ``low``, ``high``.
    """
    values = np.sort(np.asarray(ranks, dtype=np.float64))
    if not (values.size and values[0] >= 0.0 and values[-1] <= 1.0):
        raise InputError("places in a posterior lie between 0 and 1")
    place = np.linspace(0.0, 1.0, 101)
    ecdf = np.searchsorted(values, place, side="right") / values.size
    from scipy.stats import binom  # half a second that no report needs

    low, high = (
        binom.ppf(q, values.size, place) / values.size - place
        for q in ((1 - prob) / 2, (1 + prob) / 2)
    )
    data = pd.DataFrame({"place": place, "difference": ecdf - place, "low": low, "high": high})
    with styled():
        figure, axes = new_figure(3.2)
        axes.fill_between(place, low, high, color=LIGHT, lw=0)
        axes.step(place, data["difference"], where="post", color=TOP)
        axes.axhline(0, color=NEUTRAL, linewidth=0.8)
        axes.set_xlabel("Place of the truth in the posterior")
        axes.set_ylabel("ECDF minus uniform")
    return figure, data
