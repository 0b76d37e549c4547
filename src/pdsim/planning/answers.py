"""Answers of the search as Datasets."""

from typing import Final

import numpy as np
import xarray as xr
from scipy.special import ndtr, ndtri

from pdsim.planning.curve import from_link, lead_of
from pdsim.planning.root_search import Root

_POINTS: Final = 81
_WIDEST: Final = 8.0
_LEAST: Final = 1e-12


def root_dataset(root: Root, *, measure: str, over: str, replicates_per_row: int = 1) -> xr.Dataset:
    """Return the answer of a search with its curve.

    Parameters
    ----------
    root : Root
    measure : str
        The performance measure, for the units and names.
    over : str
        What the sizes are.
    replicates_per_row : int
        Replicates behind one row of the search.

    Returns
    -------
    Dataset
        Scalars: ``n`` (smallest whole size that reaches the target on the curve; NaN if none),
        ``crossing`` (the same before rounding), ``n_low`` and ``n_high`` (its interval; 0 and
        infinity where it is open), ``value``, ``value_low``, ``value_high`` (the measure at n),
        ``p_reached`` (P(the target is reached at n), as far as the simulated points tell),
        ``ceiling``, ``ceiling_mcse``, ``ceiling_at`` (the measure at the end of the range that is
        in question; NaN where it was not needed), ``replicates``. Over ``size``: ``curve``,
        ``curve_low``, ``curve_high``, ``curve_p_reached``. Over ``point``: ``point_size``,
        ``point_value``, ``point_value_mcse``, ``point_replicates``. Attributes ``status``,
        ``rising`` (0 or 1), ``measure``, ``over``, ``prob``.
    """
    search, found = root.search, root.crossing
    n = np.nan if root.n is None else float(root.n)
    value, low, high = _band(root, np.array([n if np.isfinite(n) else search.high]))
    if not np.isfinite(n):
        value = low = high = np.array([np.nan])
    end = _end(root)
    at_end = np.flatnonzero(root.size == end)
    capped = root.status in ("not_reachable", "undecided") and at_end.size > 0
    size = _sizes(root)
    curve, curve_low, curve_high = _band(root, size)
    lead, sd = lead_of(root.curve, search.value, size, at_least=search.at_least)
    return xr.Dataset(
        {
            "n": n,
            "crossing": found.n,
            "n_low": found.low,
            "n_high": found.high,
            "value": value[0],
            "value_low": low[0],
            "value_high": high[0],
            "p_reached": root.reached(n) if np.isfinite(n) else np.nan,
            "ceiling": root.value[at_end[0]] if capped else np.nan,
            "ceiling_mcse": root.error[at_end[0]] if capped else np.nan,
            "ceiling_at": float(end) if capped else np.nan,
            "replicates": root.spent * replicates_per_row,
            "curve": ("size", curve),
            "curve_low": ("size", curve_low),
            "curve_high": ("size", curve_high),
            "curve_p_reached": ("size", ndtr(lead / np.maximum(sd, _LEAST))),
            "point_size": ("point", root.size),
            "point_value": ("point", root.value),
            "point_value_mcse": ("point", root.error),
            "point_replicates": ("point", root.replicates * replicates_per_row),
        },
        coords={"size": size},
        attrs={
            "status": root.status,
            "rising": int(root.rising),
            "measure": measure,
            "over": over,
            "prob": search.prob,
        },
    )


def _end(root: Root) -> int:
    """Return the end of the range that is in question."""
    search = root.search
    best, worst = (search.high, search.low) if root.rising else (search.low, search.high)
    if root.status != "undecided" or worst not in root.size or best not in root.size:
        return best
    gaps = {
        int(n): abs(value - search.value) for n, value in zip(root.size, root.value, strict=True)
    }
    return best if gaps[best] <= gaps[worst] else worst


def value_at(root: Root, size: float) -> tuple[float, float, float]:
    """Return the measure on the curve at a size, with its interval."""
    value, low, high = _band(root, np.array([float(size)]))
    return float(value[0]), float(low[0]), float(high[0])


def _band(root: Root, size: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mean, sd = root.curve.at(size)
    half = ndtri(0.5 + root.search.prob / 2) * sd
    link = root.curve.link
    return from_link(mean, link), from_link(mean - half, link), from_link(mean + half, link)


def _sizes(root: Root) -> np.ndarray:
    """Return the sizes of the drawn curve: no further than was simulated."""
    low, high = float(root.size.min()), float(root.size.max())
    if np.isfinite(root.crossing.n):
        low = max(low, root.crossing.n / _WIDEST)
        high = min(high, root.crossing.n * _WIDEST)
    return np.geomspace(low, max(high, low * (1 + 1e-9)), _POINTS)
