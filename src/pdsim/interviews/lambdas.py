"""How truly two groups of facilities stand apart: array functions.

A contrast of two groups shrinks by the factor lambda where the groups are not quite the ones
that were meant. Class lambda is right for a theme that marks the true top and the true bottom,
dose lambda for one that follows the score.
"""

from typing import Final

import numpy as np

from pdsim.arraytypes import Bools, Floats
from pdsim.terms.places import membership, places

_BLOCK: Final = 200_000


def ends(values: Floats, *, m_top: int, m_bottom: int) -> tuple[Floats, Floats]:
    """Return who is truly at the top and who at the bottom (..., facility); ties share.

    Parameters
    ----------
    values : ndarray (..., facility)
        Larger is better.
    m_top, m_bottom : int
        Sizes of the true top and the true bottom.
    """
    ahead, tied = places(values)
    behind = values.shape[-1] - ahead - tied
    return membership(ahead, tied, m_top), membership(behind, tied, m_bottom)


def difference(values: Floats, high: Bools, low: Bools) -> Floats:
    """Return mean over `high` minus mean over `low` along the last axis."""
    return np.asarray(values[..., high].mean(axis=-1) - values[..., low].mean(axis=-1))


def class_lambda(leads: Floats, high: Bools, low: Bools) -> Floats:
    """Return half the difference of the leads: 1 where both groups are the true ones."""
    return 0.5 * difference(leads, high, low)


def ends_apart(values: Floats, *, m_top: int, m_bottom: int) -> Floats:
    """Return the mean of the true top minus the mean of the true bottom, draw by draw."""
    ordered = np.sort(values, axis=-1)
    top = ordered[..., ordered.shape[-1] - m_top :].mean(axis=-1)
    return np.asarray(top - ordered[..., :m_bottom].mean(axis=-1))


def all_above(values: Floats, high: Bools, low: Bools) -> Bools:
    """Whether every one of `high` lies above every one of `low`."""
    return np.asarray(values[..., high].min(axis=-1) > values[..., low].max(axis=-1))


def all_on_side(values: Floats, high: Bools, low: Bools) -> Bools:
    """Whether every one of `high` lies above the median of all facilities, every `low` below."""
    middle = np.median(values, axis=-1)
    above = values[..., high].min(axis=-1) > middle
    return np.asarray(above & (values[..., low].max(axis=-1) < middle))


def contrast_variance(
    high: int, low: int, *, prevalence: float, icc: float, informants: float
) -> float:
    """Return the variance of a difference of mean facility shares of two groups.

    Parameters
    ----------
    high, low : int
        Facilities in each group.
    prevalence : float
        Share of informants who voice the theme, over both groups.
    icc : float
        Correlation of two informants of one facility.
    informants : float
        Informants of one facility.
    """
    each = prevalence * (1.0 - prevalence) * (icc + (1.0 - icc) / informants)
    return (1.0 / high + 1.0 / low) * each


def exchangeable_lambda(
    *, facilities: int, m_top: int, m_bottom: int, reliability: float, replicates: int, seed: int
) -> dict[str, tuple[float, float]]:
    """Return what naming the observed ends attains for exchangeable normal truth.

    Parameters
    ----------
    facilities, m_top, m_bottom : int
    reliability : float
        True variance over observed variance of one facility's score.
    replicates : int
        Simulated studies.
    seed : int

    Returns
    -------
    dict of str to (mean, Monte Carlo standard error)
        ``class_lambda``, ``dose_lambda`` (whose limit is the root of the reliability),
        ``all_on_side`` and ``ends_apart`` (in standard deviations of the truth).
    """
    rng = np.random.default_rng(seed)
    rows: list[Floats] = []
    for start in range(0, replicates, _BLOCK):
        size = min(_BLOCK, replicates - start)
        truth = rng.standard_normal((size, facilities))
        noise = np.sqrt((1.0 - reliability) / reliability)
        observed = truth + noise * rng.standard_normal(truth.shape)
        # the observed order puts the named top last and the named bottom first
        sorted_truth = np.take_along_axis(truth, np.argsort(observed, axis=1), axis=1)
        position = np.arange(facilities)
        high, low = position >= facilities - m_top, position < m_bottom
        at_top, at_bottom = ends(sorted_truth, m_top=m_top, m_bottom=m_bottom)
        rows.append(
            np.stack(
                [
                    class_lambda(at_top - at_bottom, high, low),
                    all_on_side(sorted_truth, high, low),
                    difference(sorted_truth, high, low),
                    ends_apart(truth, m_top=m_top, m_bottom=m_bottom),
                ]
            )
        )
    found = np.concatenate(rows, axis=1)
    mean, error = found.mean(axis=1), found.std(axis=1, ddof=1) / np.sqrt(replicates)
    ratio = mean[2] / mean[3]
    spread = (found[2] - ratio * found[3]).std(ddof=1) / (mean[3] * np.sqrt(replicates))
    return {
        "class_lambda": (float(mean[0]), float(error[0])),
        "dose_lambda": (float(ratio), float(spread)),
        "all_on_side": (float(mean[1]), float(error[1])),
        "ends_apart": (float(mean[3]), float(error[3])),
    }
