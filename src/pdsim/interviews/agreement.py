"""Krippendorff's alpha: how far coders agree beyond chance."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pdsim.arraytypes import Floats

type Metric = Literal["nominal", "ordinal", "interval", "ratio"]


def krippendorff_alpha(values: Floats, *, metric: Metric = "nominal") -> float:
    """Return Krippendorff's alpha.

    Parameters
    ----------
    values : ndarray (coder, unit)
        NaN where a coder did not code a unit. Units with fewer than two codings are left out.
    metric : {"nominal", "ordinal", "interval", "ratio"}
        How far apart two values are.

    Returns
    -------
    float
        1 for perfect agreement, 0 for that of chance; NaN where nothing varies or nothing can be
        compared.

    References
    ----------
    Krippendorff (2004), Reliability in content analysis, doi 10.1111/j.1468-2958.2004.tb00738.x.

    Examples
    --------
    >>> krippendorff_alpha(np.array([[0.0, 1.0, 1.0], [0.0, 1.0, 1.0]]))
    1.0
    """
    levels, counts = level_counts(values)
    return float(alpha_of_counts(counts, distances(levels, counts.sum(axis=0), metric=metric)))


def level_counts(values: Floats) -> tuple[Floats, Floats]:
    """Return the levels, and how often each unit was given each (unit, level); pairable only."""
    levels = np.unique(values[~np.isnan(values)])
    counts = (values[:, :, np.newaxis] == levels).sum(axis=0).astype(float)
    counts = counts[counts.sum(axis=1) >= 2]
    used = counts.sum(axis=0) > 0
    return levels[used], counts[:, used]


def distances(levels: Floats, totals: Floats, *, metric: Metric) -> Floats:
    """Return the squared distance of every two levels."""
    a, b = levels[:, np.newaxis], levels[np.newaxis]
    if metric == "nominal":
        return (a != b).astype(float)
    if metric == "interval":
        return np.asarray((a - b) ** 2)
    if metric == "ratio":
        total = a + b
        return np.where(total == 0, 0.0, (a - b) / np.where(total == 0, 1.0, total)) ** 2
    if metric == "ordinal":
        # half of the two end levels and the whole of those between them
        middle = np.cumsum(totals) - 0.5 * totals
        return np.asarray((middle[:, np.newaxis] - middle[np.newaxis]) ** 2)
    raise ValueError(f"there is no metric {metric!r}; use nominal, ordinal, interval or ratio")


def alpha_of_counts(counts: Floats, distance: Floats) -> NDArray[np.float64]:
    """Return alpha from counts (..., unit, level) and squared distances (level, level)."""
    size = counts.sum(axis=-1)
    pairs = np.einsum("...uc,...ud,cd->...u", counts, counts, distance)
    observed = (pairs / np.maximum(size - 1.0, 1.0)).sum(axis=-1)
    totals = counts.sum(axis=-2)
    n = totals.sum(axis=-1)
    expected = np.einsum("...c,...d,cd->...", totals, totals, distance)
    defined = expected > 0
    return np.where(defined, 1.0 - (n - 1.0) * observed / np.where(defined, expected, 1.0), np.nan)


def alpha_bootstrap(
    values: Floats, *, metric: Metric, replicates: int, rng: np.random.Generator
) -> Floats:
    """Return alphas of `replicates` samples of units drawn with replacement; NaN left out.

    Parameters
    ----------
    values : ndarray (coder, unit)
    metric : str
        See `krippendorff_alpha`.
    replicates : int
    rng : Generator
    """
    levels, counts = level_counts(values)
    units = len(counts)
    if units == 0:
        return np.empty(0)
    found = []
    for _ in range(replicates):
        drawn = counts[rng.integers(0, units, units)]
        distance = distances(levels, drawn.sum(axis=0), metric=metric)
        found.append(float(alpha_of_counts(drawn, distance)))
    alphas = np.array(found)
    return alphas[~np.isnan(alphas)]
