"""Choose m facilities by a rule, with ties and Monte Carlo error in the open."""

from typing import Literal, NotRequired, TypedDict

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Bools, Floats
from pdsim.conventions import DEFAULT_M, Side
from pdsim.errors import InputError, Problem
from pdsim.ranking.confidence import rank_confidence_set
from pdsim.ranking.draws import (
    Draws,
    as_draws,
    check_finite,
    check_m,
    check_side,
    mean_and_error,
    never_seen,
)
from pdsim.ranking.exact import average
from pdsim.ranking.marginals import Marginals, Score, as_components
from pdsim.ranking.observed import Observed, criterion, variable
from pdsim.ranking.probability import mean_rank, share_of_ranks
from pdsim.ranking.quadrature import rank_matrix
from pdsim.ranking.rules import Rule, rule_of
from pdsim.ranking.sets import set_probability

type Ties = Literal["report", "lots"]

FLIP_ERRORS = 3.0
"""Gaps of fewer Monte Carlo standard errors than this could flip under another seed."""

_EQUAL = 1e-12
"""Criteria that differ by rounding only are equal (relative to 1 or the larger one)."""

_EQUAL_EXACT = 1e-8
"""The same for integrals."""


class SelectionAttrs(TypedDict):
    """Attributes of a selection."""

    m: int
    side: Side
    rule: str
    criterion_better: str
    ties: Ties
    seed: NotRequired[int]


def select(
    score: Score | None,
    *,
    m: int = DEFAULT_M,
    side: Side = "top",
    rule: str = "p_top",
    observed: Observed | None = None,
    ties: Ties = "report",
    seed: int | None = None,
) -> xr.Dataset:
    """Choose the m best facilities, or the m worst, by a rule.

    Parameters
    ----------
    score : DataArray or Marginals, or None
        See `rank_probability`. Not read by rules that use `observed`.
    m : int
        Facilities to choose, fewer than there are.
    side : {"top", "bottom"}
    rule : str
        A name in `RULES`.
    observed : Dataset or DataArray, optional
        What the rules read that use the data alone, larger is better: a DataArray over
        ``facility`` (observed change) or (``facility``, ``indicator``), or a Dataset with
        ``estimate``, ``se``, ``covariance``, ``indicator_change`` as the rule needs.
    ties : {"report", "lots"}
        What to do where facilities tie at the m-th place: choose none of them and report the
        tie group, or draw lots with `seed`.
    seed : int, optional
        Needed by, and only by, ``ties="lots"`` and ``rule="confidence_set"``.

    Returns
    -------
    Dataset
        Over ``facility``: ``selected``; ``tied``, the tie group at the cut; ``criterion`` and
        ``criterion_mcse``; ``could_flip``, True where the gap to the other side of the cut is
        under three Monte Carlo standard errors of the paired difference. The confidence set may
        hold more than m; its criterion is the bound of the rank, and ``could_flip`` says that
        the facility is borderline.

    Raises
    ------
    InputError
        If an argument is out of range or what the rule reads is missing.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> values = np.random.default_rng(1).normal([9.0, 0.0, 5.0], 1.0, (1000, 3))
    >>> score = xr.DataArray(values, dims=("sample", "facility"),
    ...                      coords={"facility": ["A", "B", "C"]})
    >>> select(score, m=2).selected.values.tolist()
    [True, False, True]
    """
    check_side(side)
    how = rule_of(rule)
    check_seed(how, ties, seed)
    attrs = selection_attrs(how, m, side, ties, seed)
    if how.name == "confidence_set":
        return _by_confidence(observed, m, side, attrs)
    if how.needs != "draws":
        values = as_components(criterion(rule, observed))
        check_m(m, values.facilities)
        merit = values.values[:, 0, 0] if side == "top" else -values.values[:, 0, 0]
        return _exact(values, merit, how, attrs, equal=_EQUAL)
    if score is None:
        raise InputError(Problem(rule=f"the rule {rule!r} needs a score", cure="give its draws"))
    draws = score.first if isinstance(score, Marginals) else as_draws(score)
    check_m(m, draws.facilities)
    if how.name == "posterior_mean":
        check_finite(draws, "the posterior mean")
    if how.name == "p_set":
        return _by_set(score, draws, attrs)
    if isinstance(score, Marginals):
        series = _component_merit(score, how, m, side)
        if not score.sampled:
            return _exact(draws, average(score, series)[0], how, attrs, equal=_EQUAL_EXACT)
        parts = [_paired(draws.like(series), draws.ess, how, m)]
    else:
        parts = [
            _paired(_merit(draws.values[block], how, m, side), draws.ess, how, m)
            for block in draws.blocks(draws.facilities)
        ]
    merit, error, size, gap, gap_error = (np.concatenate(part) for part in zip(*parts, strict=True))
    selected, tied = choose(merit, m, ties=ties, seed=seed)
    return draws.label(
        {
            "selected": selected,
            "tied": tied,
            "criterion": natural(merit, how, side),
            "criterion_mcse": error,
            "could_flip": gap < FLIP_ERRORS * gap_error,
        },
        attrs={**attrs, "ess": float(size.min())},
    )


def check_seed(rule: Rule, ties: str, seed: int | None) -> None:
    """Raise InputError unless the tie policy is known and a seed is given where one is needed."""
    if ties not in ("report", "lots"):
        raise InputError(Problem(rule=f"ties is 'report' or 'lots' (received {ties!r})"))
    if (ties == "lots" or rule.name == "confidence_set") != (seed is not None):
        raise InputError(
            Problem(
                rule="a seed is needed by lots and by confidence sets and by nothing else "
                f"(received {ties=}, rule={rule.name!r}, {seed=})",
                cure="add the seed or leave it out",
            )
        )


def selection_attrs(rule: Rule, m: int, side: Side, ties: Ties, seed: int | None) -> SelectionAttrs:
    """Return the attributes of a selection."""
    attrs = SelectionAttrs(
        m=m,
        side=side,
        rule=rule.name,
        criterion_better="smaller" if rule.smaller_is_better(side) else "larger",
        ties=ties,
    )
    if seed is not None:
        attrs["seed"] = seed
    return attrs


def natural(merit: Floats, rule: Rule, side: Side) -> Floats:
    """Turn merit (larger is nearer to the side) back into the rule's criterion."""
    if rule.name in ("p_top", "p_set"):
        return merit
    if rule.name == "expected_rank":
        return -merit if side == "top" else merit.shape[-1] + 1.0 + merit
    return merit if side == "top" else -merit


def choose(
    merit: Floats, m: int, *, ties: Ties = "report", seed: int | None = None, equal: float = _EQUAL
) -> tuple[Bools, Bools]:
    """Return who is selected and who ties at the cut, from merits (batch, facility)."""
    ordered = -np.sort(-merit, axis=-1)
    cut, below = ordered[:, m - 1 : m], ordered[:, m : m + 1]
    slack = equal * np.maximum(1.0, np.abs(cut))
    tie = cut - below <= slack
    tied = tie & (np.abs(merit - cut) <= slack)
    selected = (merit >= cut) & ~tied
    selected |= merit > cut + slack
    if ties == "lots":
        keys = np.where(tied, np.random.default_rng(seed).random(merit.shape), 2.0)
        lot = keys.argsort(axis=-1).argsort(axis=-1)
        selected |= tied & (lot < m - selected.sum(axis=-1, keepdims=True))
    return selected, tied


def partners(merit: Floats, m: int) -> NDArray[np.intp]:
    """Return for each facility who stands first on the other side of the cut."""
    order = np.argsort(-merit, axis=-1, kind="stable")
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.arange(merit.shape[-1]), axis=-1)
    return np.where(place < m, order[:, m : m + 1], order[:, m - 1 : m])


def _merit(values: Floats, rule: Rule, m: int, side: Side) -> Floats:
    """Return the merit of each draw, larger is nearer to the side."""
    assert rule.series is not None
    return rule.series(values if side == "top" else -values, m)


def _component_merit(score: Marginals, rule: Rule, m: int, side: Side) -> Floats:
    """Return the merit given each component, (row, facility)."""
    if rule.name == "posterior_mean":
        return score.mean() if side == "top" else -score.mean()
    tables = np.concatenate([rank_matrix(mass, above) for _, mass, above, _ in score.blocks()])
    if rule.name == "p_top":
        return share_of_ranks(tables, m, side)
    ranks = mean_rank(tables)
    return -ranks if side == "top" else ranks - score.first.facilities - 1.0


def _paired(
    series: Floats, ess: float | None, rule: Rule, m: int
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return merit, its error, effective size, the gap to the partner and the gap's error."""
    merit, error, size = mean_and_error(series, ess=ess)
    partner = partners(merit, m)[:, np.newaxis, np.newaxis, :]
    paired = series - np.take_along_axis(series, partner, axis=-1)
    gap, gap_error, gap_size = mean_and_error(paired, ess=ess)
    if rule.name != "posterior_mean":
        # what was never seen may still happen: a rank or a place, not a unit of the score
        error, gap_error = never_seen(error, size), never_seen(gap_error, gap_size)
    return merit, error, size, np.abs(gap), gap_error


def _exact(
    labels: Draws, merit: Floats, rule: Rule, attrs: SelectionAttrs, *, equal: float
) -> xr.Dataset:
    """Choose by a criterion without Monte Carlo error."""
    selected, tied = choose(
        merit, attrs["m"], ties=attrs["ties"], seed=attrs.get("seed"), equal=equal
    )
    return labels.label(
        {
            "selected": selected,
            "tied": tied,
            "criterion": natural(merit, rule, attrs["side"]),
            "criterion_mcse": np.zeros_like(merit),
            "could_flip": np.zeros(merit.shape, dtype=bool),
        },
        attrs={**attrs, "ess": np.inf},
    )


def _by_confidence(
    observed: Observed | None, m: int, side: Side, attrs: SelectionAttrs
) -> xr.Dataset:
    estimate = variable(observed, "estimate", "confidence_set")
    covariance = variable(observed, "covariance", "confidence_set")
    seed = attrs["seed"]
    sets = rank_confidence_set(estimate, covariance, m=m, side=side, seed=seed)
    bound = sets["rank_lower" if side == "top" else "rank_upper"]
    return xr.Dataset(
        {
            "selected": sets["in_set"],
            "tied": xr.zeros_like(sets["in_set"]),
            "criterion": bound.astype(float),
            "criterion_mcse": xr.zeros_like(bound, dtype=float),
            "could_flip": sets["borderline"],
        },
        attrs={**attrs, "estimand": sets.attrs["estimand"], "ess": float(sets.attrs["draws"])},
    )


def _by_set(score: Score, draws: Draws, attrs: SelectionAttrs) -> xr.Dataset:
    """Choose the likeliest exact set."""
    sets = set_probability(score, m=attrs["m"], side=attrs["side"])
    member = sets["member"].transpose("set", "facility").values
    count = len(member)
    probability = sets["set_probability"].values.reshape(-1, count)
    error = sets["set_probability_mcse"].values.reshape(-1, count)
    ess = float(sets.attrs["ess"])
    best = probability.max(axis=1, keepdims=True)
    winners = best - probability <= _EQUAL
    in_all = ~(winners @ ~member)
    in_any = winners @ member
    selected, tied = in_all, in_any & ~in_all
    if attrs["ties"] == "lots":
        lots = np.where(winners, np.random.default_rng(attrs["seed"]).random(winners.shape), 2.0)
        selected = member[lots.argmin(axis=1)]
    # of two sets at most one holds in a draw, so the variance of the paired difference is this
    gap = best - probability
    gap_error = np.sqrt(np.clip(best + probability - gap**2, 0.0, None) / ess)
    near = gap < FLIP_ERRORS * gap_error
    could_flip = (near @ member) & (near @ ~member)
    holds = np.where(member, probability[:, :, np.newaxis], 0.0)
    top = holds.argmax(axis=1)
    return draws.label(
        {
            "selected": selected,
            "tied": tied,
            "criterion": holds.max(axis=1),
            "criterion_mcse": np.take_along_axis(error, top, axis=1),
            "could_flip": could_flip,
        },
        attrs={**attrs, "ess": ess},
    )
