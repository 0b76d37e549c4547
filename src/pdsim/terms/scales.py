"""Scales onto which indicators are put before they are weighted, and ways to weight them.

Every scale is the same at baseline and endline: standardising each period by itself would
subtract the improvement that is to be measured.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.terms.kinds import Kind
from pdsim.terms.places import mean_places, places
from pdsim.terms.registry import Registry

type Apply = Callable[[Floats, Floats], Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A normalisation of indicators.

    Attributes
    ----------
    name : str
    apply : callable
        ``apply(values, pool)`` returns the values (..., n) on the scale that the numbers in
        `pool` (..., N) set, along the last axis: all facilities and periods of one indicator,
        NaN where a cell is missing. `values` and `pool` may be the same array.
    label : str
        In the weights explorer.
    never_negative : bool
        Whether its numbers may be averaged geometrically.
    natural : bool
        Whether its numbers are the levels themselves, so that estimands with units of their own
        and opportunity scores have a meaning.
    proportion : bool
        Whether it needs levels strictly between 0 and 1.
    linear : bool
        Whether differences are those of the levels times a factor of the indicator.
    """

    name: str
    apply: Apply
    label: str
    never_negative: bool = False
    natural: bool = False
    proportion: bool = False
    linear: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregation:
    """A way to make one number of an indicator's several.

    Attributes
    ----------
    name : str
    label : str
    geometric : bool
        Whether logarithms are averaged, so that no number may be negative.
    by_cases : bool
        Whether weights are multiplied by the cases observed, so that numbers must be levels.
    """

    name: str
    label: str
    geometric: bool = False
    by_cases: bool = False

    def is_defined(self, scale: Scale, kind: Kind) -> bool:
        """Whether it has a meaning for levels of a kind on a scale."""
        positive = scale.never_negative and (kind.proportion or not scale.natural)
        return (positive or not self.geometric) and (scale.natural or not self.by_cases)


def _reduced(pool: Floats, plain: np.ufunc, fill: float) -> Floats:
    """Reduce the last axis, leaving out NaN; all NaN stays NaN."""
    unseen = np.isnan(pool)
    if not unseen.any():
        return np.asarray(plain.reduce(pool, axis=-1, keepdims=True))
    found = plain.reduce(np.where(unseen, fill, pool), axis=-1, keepdims=True)
    return np.where(unseen.all(axis=-1, keepdims=True), np.nan, found)


def _divided(values: Floats, spread: Floats) -> Floats:
    """Divide; an indicator without spread becomes 0 and missing cells stay missing."""
    return np.where(spread > 0, values / np.where(spread > 0, spread, 1.0), 0.0 * values)


def _as_it_is(values: Floats, pool: Floats) -> Floats:
    return values


def _z(values: Floats, pool: Floats) -> Floats:
    count = np.sum(~np.isnan(pool), axis=-1, keepdims=True)
    mean = _reduced(pool, np.add, 0.0) / np.maximum(count, 1)
    squares = _reduced((pool - mean) ** 2, np.add, 0.0)
    return _divided(values - mean, np.sqrt(squares / np.maximum(count - 1, 1)))


def _min_max(values: Floats, pool: Floats) -> Floats:
    low = _reduced(pool, np.minimum, np.inf)
    return _divided(values - low, _reduced(pool, np.maximum, -np.inf) - low)


def mid_ranks(values: Floats, pool: Floats) -> Floats:
    """Return the share of the pool below each value, half of those that equal it included."""
    # where nothing is seen all ranks are NaN
    count = np.maximum(np.sum(~np.isnan(pool), axis=-1, keepdims=True), 1)
    if pool is values:
        ranks = mean_places(*places(-values))  # from the lowest; NaN come last
        return np.where(np.isnan(values), np.nan, (ranks - 0.5) / count)
    shape = np.broadcast_shapes(values.shape[:-1], pool.shape[:-1])
    rows = np.broadcast_to(values, (*shape, values.shape[-1]))
    pools = np.broadcast_to(np.sort(pool, axis=-1), (*shape, pool.shape[-1]))  # NaN last
    found = np.empty(rows.shape)
    for at in np.ndindex(shape):
        known = pools[at][: np.count_nonzero(~np.isnan(pools[at]))]
        below = np.searchsorted(known, rows[at], side="left")
        upto = np.searchsorted(known, rows[at], side="right")
        found[at] = np.where(np.isnan(rows[at]), np.nan, 0.5 * (below + upto) / max(len(known), 1))
    return found


def _logit(values: Floats, pool: Floats) -> Floats:
    from scipy.special import logit  # a quarter of a second that no report needs

    return np.asarray(logit(values))


SCALES: Final = Registry(
    "normalisation",
    (
        Scale(
            name="pp",
            apply=_as_it_is,
            label="as they are",
            never_negative=True,
            natural=True,
            linear=True,
        ),
        Scale(name="z", apply=_z, label="z-scores (joint standard deviation)", linear=True),
        Scale(
            name="min_max",
            apply=_min_max,
            label="share of the range",
            never_negative=True,
            linear=True,
        ),
        Scale(name="rank", apply=mid_ranks, label="ranks", never_negative=True),
        Scale(name="logit", apply=_logit, label="log odds", proportion=True),
    ),
)
"""The normalisations by name, the level itself first."""

AGGREGATIONS: Final = Registry(
    "aggregation",
    (
        Aggregation(name="arithmetic", label="weighted mean"),
        Aggregation(name="geometric", label="weighted geometric mean", geometric=True),
        Aggregation(name="opportunity", label="opportunity score", by_cases=True),
    ),
)
"""The aggregations by name."""


def scales_for(kind: Kind, *, at_ends: bool = False) -> tuple[str, ...]:
    """Return the normalisations that levels of a kind have.

    Parameters
    ----------
    kind : Kind
    at_ends : bool
        Whether a level is 0 or 1.

    Examples
    --------
    >>> from pdsim.terms.kinds import COUNTS
    >>> scales_for(COUNTS, at_ends=True)
    ('pp', 'z', 'min_max', 'rank')
    """
    has_odds = kind.proportion and not at_ends
    return tuple(scale.name for scale in SCALES.values() if has_odds or not scale.proportion)


def register_scale(
    name: str,
    apply: Apply,
    *,
    label: str,
    never_negative: bool = False,
    proportion: bool = False,
) -> Scale:
    """Add a normalisation of your own, for scores, the multiverse and the weights explorer.

    Parameters
    ----------
    name : str
        Small letters, digits and underscores.
    apply : callable
        ``apply(values, pool)`` returns the values (..., n) of indicators on the scale that the
        numbers in `pool` (..., N) set, along the last axis: all facilities and periods of one
        indicator. Larger must stay better, and NaN stay NaN.
    label : str
        In the weights explorer.
    never_negative : bool
        Whether its numbers may be averaged geometrically.
    proportion : bool
        Whether it needs levels strictly between 0 and 1.

    Returns
    -------
    Scale
        The record.

    Raises
    ------
    InputError
        If the name is taken or no plain name, or the function has no source.

    Examples
    --------
    >>> from scipy.special import ndtri
    >>> def normal_scores(values, pool):
    ...     return ndtri(mid_ranks(values, pool))
    >>> scale = register_scale("normal_scores", normal_scores, label="normal scores of ranks")
    >>> SCALES["normal_scores"].apply(np.array([0.1, 0.4]), np.array([0.1, 0.4])).round(2)
    array([-0.67,  0.67])
    >>> SCALES.unregister("normal_scores")
    """
    return SCALES.register(
        Scale(
            name=name,
            apply=apply,
            label=label,
            never_negative=never_negative,
            proportion=proportion,
        )
    )
