"""The two groups of facilities that are compared, and how truly they stand apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Bools, Floats
from pdsim.conventions import CI_PROB, DEFAULT_M
from pdsim.errors import InputError, Problem
from pdsim.interviews.lambdas import (
    all_above,
    all_on_side,
    class_lambda,
    difference,
    ends,
    ends_apart,
)
from pdsim.interviews.pooling import BETWEEN, BOTTOM, TOP
from pdsim.ranking.draws import ScoreDraws, as_draws, check_finite, mean_and_error, never_seen
from pdsim.ranking.probability import top_probability

TAILS: Final = (0.5 - 0.5 * CI_PROB, 0.5 + 0.5 * CI_PROB)
"""Bounds of every interval."""

BOUNDARY: Final = 0.1
"""P(it belongs to an end) from which on a facility that was not named is a boundary case."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Groups:
    """Two groups of facilities and the draws that say how truly they stand apart.

    Attributes
    ----------
    draws : Draws
        Of one score.
    names : ndarray (facility,)
    high, low : ndarray (facility,)
        Who is in each group.
    m_top, m_bottom : int
        Sizes of the true ends that the groups stand for.
    at_top, at_bottom : ndarray (batch, chain, draw, facility)
        Whether a facility truly belongs to an end; ties share.
    """

    draws: ScoreDraws
    names: NDArray[np.str_]
    high: Bools
    low: Bools
    m_top: int
    m_bottom: int
    at_top: Floats
    at_bottom: Floats

    @property
    def leads(self) -> Floats:
        """1 where a facility is truly at the top, -1 at the bottom, 0 between."""
        return np.asarray(self.at_top - self.at_bottom)

    def classes(self) -> NDArray[np.int8]:
        """Return to which class each facility belongs in each draw (draw, facility)."""
        most = np.maximum(self.at_top, self.at_bottom)
        inside = most > 1.0 - self.at_top - self.at_bottom
        end = np.where(self.at_top >= self.at_bottom, TOP, BOTTOM)
        flat = np.where(inside, end, BETWEEN).astype(np.int8)
        return flat.reshape(-1, len(self.names))

    def named_classes(self) -> NDArray[np.int8]:
        """Return the classes as the groups name them, the same in each draw."""
        one = np.where(self.high, TOP, np.where(self.low, BOTTOM, BETWEEN)).astype(np.int8)
        return np.tile(one, (self.at_top[..., 0].size, 1))

    def average(self, series: Floats) -> tuple[float, float]:
        """Return mean and Monte Carlo error of a series (batch, chain, draw)."""
        mean, error, _ = mean_and_error(series[..., np.newaxis], ess=self.draws.ess)
        return float(mean[0, 0]), float(error[0, 0])

    def chance(self, event: Bools) -> tuple[float, float]:
        """Return the probability of an event (batch, chain, draw) and its error."""
        mean, error, size = mean_and_error(event[..., np.newaxis].astype(float), ess=self.draws.ess)
        return float(mean[0, 0]), float(never_seen(error, size)[0, 0])


def groups_of(
    score: xr.DataArray,
    *,
    high: Sequence[str] = (),
    low: Sequence[str] = (),
    m_top: int = DEFAULT_M,
    m_bottom: int = DEFAULT_M,
) -> Groups:
    """Return the groups that were named, or those with the highest probabilities.

    Parameters
    ----------
    score : DataArray
        Draws, see `pdsim.ranking.top_probability`; without further dimensions.
    high, low : sequence of str, optional
        Names of the facilities of each group. By default the `m_top` (`m_bottom`) facilities
        with the largest difference of P(top) and P(bottom) (of P(bottom) and P(top)).
    m_top, m_bottom : int
        Sizes of the true ends.

    Raises
    ------
    InputError
        If a name is unknown, is in both groups, or the ends do not fit.

    Examples
    --------
    >>> values = np.random.default_rng(1).normal([9.0, 0.0, 5.0], 0.1, (1000, 3))
    >>> score = xr.DataArray(values, dims=("sample", "facility"),
    ...                      coords={"facility": ["A", "B", "C"]})
    >>> groups_of(score, m_top=1, m_bottom=1).high.tolist()
    [True, False, False]
    """
    draws = as_draws(score)
    check_finite(draws, "a contrast of two groups")
    names = draws.template.coords["facility"].values.astype(str)
    problems = _problems(draws, names, high, low, m_top, m_bottom)
    if problems:
        raise InputError(problems)
    at_top, at_bottom = ends(draws.values, m_top=m_top, m_bottom=m_bottom)
    order = np.argsort(-(at_top - at_bottom).mean(axis=(0, 1, 2)), kind="stable")
    chosen, other = np.isin(names, list(high)), np.isin(names, list(low))
    if not len(high):
        chosen[[i for i in order if not other[i]][:m_top]] = True
    if not len(low):
        other[[i for i in order[::-1] if not chosen[i]][:m_bottom]] = True
    return Groups(
        draws=draws,
        names=names,
        high=chosen,
        low=other,
        m_top=m_top,
        m_bottom=m_bottom,
        at_top=at_top,
        at_bottom=at_bottom,
    )


def _problems(
    draws: ScoreDraws,
    names: NDArray[np.str_],
    high: Sequence[str],
    low: Sequence[str],
    m_top: int,
    m_bottom: int,
) -> list[Problem]:
    problems = []
    if len(draws.template.dims) > 1:
        problems.append(Problem(rule="groups are compared on one score", cure="select one"))
    if min(m_top, m_bottom) < 1 or m_top + m_bottom > draws.facilities:
        rule = f"{m_top} at the top and {m_bottom} at the bottom of {draws.facilities} facilities"
        problems.append(Problem(rule=f"{rule} do not fit", cure="name fewer"))
    for name in dict.fromkeys((*high, *low)):
        if name not in names:
            problems.append(Problem(facility=name, rule="is not in the results"))
        if name in high and name in low:
            problems.append(Problem(facility=name, rule="is in both groups", cure="choose one"))
    for words, given in (("top", high), ("bottom", low)):
        if len(set(given)) < len(given):
            problems.append(Problem(rule=f"a facility is named twice in {words}"))
    if (
        max(len(set(high)), m_top if not high else 0)
        + max(len(set(low)), m_bottom if not low else 0)
        > draws.facilities
    ):
        problems.append(Problem(rule="the two groups are more than all facilities"))
    return problems


def roles(groups: Groups, score: xr.DataArray, *, boundary: float = BOUNDARY) -> xr.Dataset:
    """Return the part each facility plays in the interviews, with its probabilities.

    Parameters
    ----------
    groups : Groups
        Of `score`.
    score : DataArray
    boundary : float
        P(it truly belongs to an end) from which on a facility outside the groups is a boundary
        case.

    Returns
    -------
    Dataset
        Over ``facility``: ``role`` (higher, boundary, middle or lower; the groups are higher and
        lower), ``mean``, ``low`` and ``high`` of the score, ``top_probability``,
        ``bottom_probability`` and ``between_probability`` (it truly belongs
        to neither end), each with its ``_mcse``.
    """
    top = top_probability(score, m=groups.m_top, side="top")
    bottom = top_probability(score, m=groups.m_bottom, side="bottom")
    at_top, at_bottom = top["top_probability"], bottom["top_probability"]
    outside = np.where((at_top + at_bottom).values >= boundary, "boundary", "middle")
    role = np.where(groups.high, "higher", np.where(groups.low, "lower", outside))
    values = groups.draws.values
    low, high = np.quantile(values, TAILS, axis=(0, 1, 2))
    between, error, size = mean_and_error(
        1.0 - groups.at_top - groups.at_bottom, ess=groups.draws.ess
    )
    return xr.Dataset(
        {
            "role": ("facility", role),
            "mean": ("facility", values.mean(axis=(0, 1, 2))),
            "low": ("facility", low),
            "high": ("facility", high),
            "top_probability": ("facility", at_top.values),
            "top_probability_mcse": ("facility", top["top_probability_mcse"].values),
            "bottom_probability": ("facility", at_bottom.values),
            "bottom_probability_mcse": ("facility", bottom["top_probability_mcse"].values),
            "between_probability": ("facility", between[0]),
            "between_probability_mcse": ("facility", never_seen(error, size)[0]),
        },
        coords={"facility": groups.names},
        attrs={
            **groups.draws.origin,
            "units": str(score.attrs.get("units", "")),
            "m_top": groups.m_top,
            "m_bottom": groups.m_bottom,
        },
    )


def separation(groups: Groups) -> xr.Dataset:
    """Return how truly two groups stand apart.

    Parameters
    ----------
    groups : Groups

    Returns
    -------
    Dataset
        Scalars, each with its ``_mcse``: ``all_above`` (P(all of the first truly above all of the
        second)), ``all_on_side`` (P(every one on its side of the median of all facilities)),
        ``class_lambda``, ``dose_lambda``, and in units of the score ``apart`` (the expected
        difference of the groups) and ``ends_apart`` (that of the true ends).

    Examples
    --------
    >>> values = np.random.default_rng(1).normal([9.0, 5.0, 0.0], 0.1, (1000, 3))
    >>> score = xr.DataArray(values, dims=("sample", "facility"))
    >>> float(separation(groups_of(score, m_top=1, m_bottom=1)).class_lambda)
    1.0
    """
    values, high, low = groups.draws.values, groups.high, groups.low
    between = difference(values, high, low)
    widest = ends_apart(values, m_top=groups.m_top, m_bottom=groups.m_bottom)
    apart, most = groups.average(between), groups.average(widest)
    ratio = apart[0] / most[0] if most[0] > 0 else np.nan
    # the error of a ratio of means, by the series that its numerator and denominator share
    error = groups.average(between - ratio * widest)[1] / most[0] if most[0] > 0 else np.nan
    found = {
        "all_above": groups.chance(all_above(values, high, low)),
        "all_on_side": groups.chance(all_on_side(values, high, low)),
        "class_lambda": groups.average(class_lambda(groups.leads, high, low)),
        "dose_lambda": (ratio, error),
        "apart": apart,
        "ends_apart": most,
    }
    variables = {name: pair[0] for name, pair in found.items()}
    errors = {f"{name}_mcse": pair[1] for name, pair in found.items()}
    return xr.Dataset({**variables, **errors}, attrs=dict(groups.draws.origin))
