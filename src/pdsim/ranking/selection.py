"""Choose m facilities by a rule, with ties and Monte Carlo error in the open."""

from collections.abc import Callable
from itertools import pairwise
from typing import Final, Literal, NotRequired, TypedDict

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Bools, Floats
from pdsim.conventions import DEFAULT_M, Side
from pdsim.errors import InputError, Problem
from pdsim.ranking.confidence import rank_confidence_set
from pdsim.ranking.draws import (
    ScoreDraws,
    as_draws,
    check_finite,
    check_m,
    check_side,
    mean_and_error,
    never_seen,
)
from pdsim.ranking.exact import average
from pdsim.ranking.marginals import Marginals, Score
from pdsim.ranking.observed import Observed, evidence_of, variable
from pdsim.ranking.probability import rank_counts
from pdsim.ranking.quadrature import rank_matrix
from pdsim.ranking.sets import set_probability
from pdsim.terms.evidence import Evidence
from pdsim.terms.places import TIE, cut
from pdsim.terms.rules import RULES, Rule

type Ties = Literal["report", "lots"]
type Chooser = str | Rule | Callable[[Floats, int], Floats]

FLIP_ERRORS = 3.0
"""Gaps of fewer Monte Carlo standard errors than this could flip under another seed."""

_EQUAL_EXACT = 1e-8
"""Criteria that are integrals are equal if they differ by less than this share of the largest."""

_LEFT_OUT = 20
"""Stretches of the draws that are left out in turn where a criterion is no mean over draws."""


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
    rule: Chooser = "p_top",
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
    rule : str, Rule or callable
        A name in `RULES`, a rule of one's own, or a function of draws (..., draw, facility) and m
        that returns merits (..., facility): the m facilities with the most are chosen.
    observed : Dataset or DataArray, optional
        What the rules read that use the data alone, larger is better: of a study by
        `observed_of`; or a DataArray over ``facility`` (observed change) or (``facility``,
        ``indicator``), or a Dataset with ``estimate``, ``se``, ``covariance``,
        ``indicator_change`` as the rule needs.
    ties : {"report", "lots"}
        What to do where facilities tie at the m-th place: choose none of them and report the
        tie group, or draw lots with `seed`.
    seed : int, optional
        Needed by, and only by, ``ties="lots"`` and rules that draw (``confidence_set``).

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
    if how.needs_posterior and score is None:
        raise InputError(
            Problem(rule=f"the rule {how.name!r} needs a score", cure="give its draws")
        )
    own = _OWN_WAYS.get(how.name)
    if own is not None:
        return own(score, observed, attrs)
    if not how.needs_posterior:
        return _by_observed(observed, how, attrs)
    assert score is not None
    draws = score.first if isinstance(score, Marginals) else as_draws(score)
    check_m(m, draws.facilities)
    if how.needs == "mean":
        check_finite(draws, f"the {how.label}")
    if isinstance(score, Marginals) and how.needs == "draws":
        raise InputError(
            Problem(
                rule=f"the rule {how.name!r} reads draws, and these scores are distributions",
                cure="draw some: score.sample(draws=10_000, seed=1)",
            )
        )
    if isinstance(score, Marginals):
        series = _component_merit(score, how, m, side)
        if not score.sampled:
            return _exact(draws, average(score, series)[0], how, attrs, equal=_EQUAL_EXACT)
        parts = [_paired(draws.like(series), draws.ess, how, m)]
    else:
        parts = [_of_block(draws, block, how, m, side) for block in draws.blocks(draws.facilities)]
    merit, error, size, gap, gap_error = (np.concatenate(part) for part in zip(*parts, strict=True))
    selected, tied = choose(merit, m, ties=ties, seed=seed)
    return draws.label(
        {
            "selected": selected,
            "tied": tied,
            "criterion": how.criterion(merit, side),
            "criterion_mcse": error,
            "could_flip": gap < FLIP_ERRORS * gap_error,
        },
        attrs={**attrs, "ess": float(size.min())},
    )


def rule_of(rule: Chooser) -> Rule:
    """Return the rule of a name, a rule itself, or the rule that a function of draws makes."""
    if isinstance(rule, str):
        return RULES[rule]
    if isinstance(rule, Rule):
        return rule
    name = str(getattr(rule, "__name__", "own_rule"))
    return Rule(
        name=name,
        label=name.replace("_", " "),
        needs="draws",
        merit=lambda found, m: rule(found.draws, m),
    )


def check_seed(rule: Rule, ties: str, seed: int | None) -> None:
    """Raise InputError unless the tie policy is known and a seed is given where one is needed."""
    if ties not in ("report", "lots"):
        raise InputError(Problem(rule=f"ties is 'report' or 'lots' (received {ties!r})"))
    if (ties == "lots" or rule.seeded) != (seed is not None):
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


def choose(
    merit: Floats, m: int, *, ties: Ties = "report", seed: int | None = None, equal: float = TIE
) -> tuple[Bools, Bools]:
    """Return who is selected and who ties at the cut, from merits (batch, facility).

    Merits that differ by less than the share `equal` of the largest are equal.
    """
    selected, tied = cut(merit, m, equal=equal)
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


def _component_merit(score: Marginals, rule: Rule, m: int, side: Side) -> Floats:
    """Return the merit given each component, (row, facility)."""
    if rule.needs == "mean":
        found = Evidence(mean=score.mean())
    else:
        tables = [rank_matrix(mass, above) for _, mass, above, _ in score.blocks()]
        found = Evidence(ranks=np.concatenate(tables))
    return rule.order(found if side == "top" else found.turn(), m)


type _Merits = tuple[Floats, Floats, Floats, Floats, Floats]


def _of_block(draws: ScoreDraws, block: slice, rule: Rule, m: int, side: Side) -> _Merits:
    """Return what `_paired` does, for a part of the batch."""
    values = draws.values[block] if side == "top" else -draws.values[block]
    if rule.series is not None:
        return _paired(rule.series(values, m), draws.ess, rule, m)
    return _left_out(values, draws.ess, rule, m)


def _left_out(values: Floats, ess: float | None, rule: Rule, m: int) -> _Merits:
    """Return what `_paired` does, for merits that are no means over draws.

    The error is that of the jackknife, with stretches of the chains left out, since neighbours
    may resemble each other (Quenouille 1956, doi 10.1093/biomet/43.3-4.353).
    """
    batch, chains, length, facilities = values.shape
    flat = values.reshape(batch, -1, facilities)
    merit = rule.order(_evidence(flat, rule), m)
    size = mean_and_error(values, ess=ess)[2]
    edges = np.linspace(0, chains * length, min(_LEFT_OUT, chains * length) + 1).astype(int)
    others = np.stack(
        [
            rule.order(_evidence(np.delete(flat, slice(start, stop), axis=1), rule), m)
            for start, stop in pairwise(edges)
        ]
    )
    partner = partners(merit, m)
    gaps = others - np.take_along_axis(others, partner[np.newaxis], axis=-1)
    gap = merit - np.take_along_axis(merit, partner, axis=-1)
    # a stated effective size other than the number of draws stretches the error
    stretch = 1.0 if ess is None else np.sqrt(chains * length / ess)
    scale = stretch * np.sqrt(len(others) - 1.0)
    return merit, scale * others.std(axis=0), size, np.abs(gap), scale * gaps.std(axis=0)


def _evidence(flat: Floats, rule: Rule) -> Evidence:
    """Return what a rule reads of draws (batch, draw, facility)."""
    made: dict[str, Callable[[], Evidence]] = {
        "draws": lambda: Evidence(draws=flat),
        "mean": lambda: Evidence(mean=flat.mean(axis=1)),
        "ranks": lambda: Evidence(ranks=rank_counts(flat) / flat.shape[1]),
    }
    return made[rule.needs]()


def _paired(series: Floats, ess: float | None, rule: Rule, m: int) -> _Merits:
    """Return merit, its error, effective size, the gap to the partner and the gap's error."""
    merit, error, size = mean_and_error(series, ess=ess)
    partner = partners(merit, m)[:, np.newaxis, np.newaxis, :]
    paired = series - np.take_along_axis(series, partner, axis=-1)
    gap, gap_error, gap_size = mean_and_error(paired, ess=ess)
    if rule.reads != "score":
        # what was never seen may still happen: a rank or a place, not a unit of the score
        error, gap_error = never_seen(error, size), never_seen(gap_error, gap_size)
    return merit, error, size, np.abs(gap), gap_error


def _exact(
    labels: ScoreDraws, merit: Floats, rule: Rule, attrs: SelectionAttrs, *, equal: float
) -> xr.Dataset:
    """Choose by a criterion without Monte Carlo error."""
    selected, tied = choose(
        merit, attrs["m"], ties=attrs["ties"], seed=attrs.get("seed"), equal=equal
    )
    return labels.label(
        {
            "selected": selected,
            "tied": tied,
            "criterion": rule.criterion(merit, attrs["side"]),
            "criterion_mcse": np.zeros_like(merit),
            "could_flip": np.zeros(merit.shape, dtype=bool),
        },
        attrs={**attrs, "ess": np.inf},
    )


def _by_observed(observed: Observed | None, rule: Rule, attrs: SelectionAttrs) -> xr.Dataset:
    """Choose by what the data alone say."""
    labels, found = evidence_of(observed, rule)
    check_m(attrs["m"], labels.facilities)
    merit = rule.order(found if attrs["side"] == "top" else found.turn(), attrs["m"])
    return _exact(labels, merit, rule, attrs, equal=TIE)


def _by_confidence(
    score: Score | None, observed: Observed | None, attrs: SelectionAttrs
) -> xr.Dataset:
    """Choose all who may be among the m, with the facilities at the border marked."""
    m, side = attrs["m"], attrs["side"]
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


def _by_set(score: Score | None, observed: Observed | None, attrs: SelectionAttrs) -> xr.Dataset:
    """Choose the likeliest exact set, whose probability has an error of its own."""
    assert score is not None
    draws = score.first if isinstance(score, Marginals) else as_draws(score)
    sets = set_probability(score, m=attrs["m"], side=attrs["side"])
    member = sets["member"].transpose("set", "facility").values
    count = len(member)
    probability = sets["set_probability"].values.reshape(-1, count)
    error = sets["set_probability_mcse"].values.reshape(-1, count)
    ess = float(sets.attrs["ess"])
    best = probability.max(axis=1, keepdims=True)
    winners = best - probability <= TIE * best
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


_OWN_WAYS: Final[
    dict[str, Callable[[Score | None, Observed | None, SelectionAttrs], xr.Dataset]]
] = {"p_set": _by_set, "confidence_set": _by_confidence}
"""Rules that say more than a cut through a merit does; whom they choose is the same."""


def has_own_way(rule: Rule) -> bool:
    """Whether a rule that reads draws can choose from distributions all the same."""
    return rule.name in _OWN_WAYS
