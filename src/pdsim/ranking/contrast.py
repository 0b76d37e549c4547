"""Where selection rules disagree: who picks whom, at what expected loss."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Bools, Floats
from pdsim.conventions import DEFAULT_M, Side
from pdsim.errors import InputError, Problem
from pdsim.ranking.draws import (
    ScoreDraws,
    as_draws,
    check_finite,
    check_m,
    check_side,
    mean_and_error,
    never_seen,
)
from pdsim.ranking.marginals import Marginals, Score
from pdsim.ranking.observed import READ, Observed, has
from pdsim.ranking.probability import expected_rank, rank_probability, top_probability
from pdsim.ranking.selection import Ties, has_own_way, select
from pdsim.ranking.sets import set_probability
from pdsim.terms.places import mean_places, membership, places
from pdsim.terms.rules import RULES, Rule

_LOSSES = ("regret", "rank_regret", "misses", "not_exact")


def disagreement(
    score: Score,
    *,
    m: int = DEFAULT_M,
    side: Side = "top",
    rules: Sequence[str] | None = None,
    observed: Observed | None = None,
    ties: Ties = "report",
    seed: int | None = None,
) -> xr.Dataset:
    """Return whom each rule selects, and what each selection is expected to cost.

    Parameters
    ----------
    score : DataArray or Marginals
        See `rank_probability`; without further dimensions.
    m : int
    side : {"top", "bottom"}
    rules : sequence of str, optional
        Names in `RULES`; by default all whose input is there.
    observed : Dataset or DataArray, optional
        See `select`.
    ties : {"report", "lots"}
    seed : int, optional
        For lots and for the confidence set, which is left out by default without one.

    Returns
    -------
    Dataset
        Over (``rule``, ``facility``): ``selected``, ``tied``, ``criterion``, ``criterion_mcse``,
        ``could_flip``. Over (``rule``, ``loss``): ``expected_loss`` and
        ``expected_loss_mcse``, posterior expectations for selections of exactly m, NaN for others
        (and for the regret where the score is no draws). Over ``rule``: ``label``,
        ``smaller_is_better`` and ``loss_kept_small``. Over ``facility``: ``votes`` (rules that
        select it), ``first_probability`` with error (P(best), or P(worst) for the bottom),
        ``expected_rank`` with error and ``rank_sd``.

    Raises
    ------
    InputError
        If the score has further dimensions or is none, or a rule lacks its input.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> values = np.random.default_rng(1).normal([9.0, 0.0, 5.0], 1.0, (1000, 3))
    >>> score = xr.DataArray(values, dims=("sample", "facility"),
    ...                      coords={"facility": ["A", "B", "C"]})
    >>> disagreement(score, m=2).votes.values.tolist()
    [4, 0, 4]
    """
    check_side(side)
    draws = score.first if isinstance(score, Marginals) else as_draws(score)
    check_m(m, draws.facilities)
    check_finite(draws, "the expected regret")
    if len(draws.template.dims) > 1:
        raise InputError(
            Problem(
                rule=f"rules are compared on one score, not along {draws.template.dims[:-1]}",
                cure="select one element of the further dimensions",
            )
        )
    used = (
        [RULES[name] for name in rules] if rules is not None else _possible(score, observed, seed)
    )
    names = draws.template.coords["facility"]
    parts = []
    for rule in used:
        wants = ties == "lots" or rule.seeded
        part = select(
            score,
            m=m,
            side=side,
            rule=rule.name,
            observed=observed,
            ties=ties,
            seed=seed if wants else None,
        )
        parts.append(_in_order(part, names, rule))
    labels = [rule.name for rule in used]
    combined = xr.concat(parts, dim=xr.DataArray(labels, dims="rule", name="rule"))
    combined = combined.assign(
        label=("rule", [rule.label for rule in used]),
        loss_kept_small=("rule", [str(rule.loss) for rule in used]),
        smaller_is_better=("rule", [rule.smaller_is_better(side) for rule in used]),
        votes=combined["selected"].sum("rule"),
    )
    loss, error = _losses(score, combined["selected"].values, m, side)
    combined = combined.assign_coords(loss=list(_LOSSES)).assign(
        expected_loss=(("rule", "loss"), loss), expected_loss_mcse=(("rule", "loss"), error)
    )
    return combined.assign(_places_of(score, side)).assign_attrs(
        m=m, side=side, ties=ties, **draws.origin
    )


def _possible(score: Score, observed: Observed | None, seed: int | None) -> list[Rule]:
    """Return the rules whose input is there."""

    def can(rule: Rule) -> bool:
        if not rule.needs_posterior:
            return has(observed, READ[rule.needs]) and not (rule.seeded and seed is None)
        return isinstance(score, xr.DataArray) or rule.needs != "draws" or has_own_way(rule)

    return [rule for rule in RULES.values() if can(rule)]


def _in_order(part: xr.Dataset, names: xr.DataArray, rule: Rule) -> xr.Dataset:
    """Bring the facilities of a selection into the order of the score."""
    if set(part["facility"].values.tolist()) != set(names.values.tolist()):
        raise InputError(
            Problem(rule=f"what the rule {rule.name!r} reads has other facilities than the score")
        )
    ordered = part.sel(facility=names.values).drop_attrs()
    return ordered.drop_vars([name for name in ordered.coords if name != "facility"])


def _places_of(score: Score, side: Side) -> dict[str, xr.DataArray]:
    first = top_probability(score, m=1, side=side)
    ranks = expected_rank(score)
    table = rank_probability(score)["rank_probability"]
    variance = (table * (table["rank"] - ranks["expected_rank"]) ** 2).sum("rank")
    return {
        "first_probability": first["top_probability"],
        "first_probability_mcse": first["top_probability_mcse"],
        "expected_rank": ranks["expected_rank"],
        "expected_rank_mcse": ranks["expected_rank_mcse"],
        "rank_sd": variance**0.5,
    }


def _losses(score: Score, selected: Bools, m: int, side: Side) -> tuple[Floats, Floats]:
    """Return expected losses and errors (rule, loss); NaN where a rule selects other than m."""
    shape = (len(selected), len(_LOSSES))
    whole = (selected.sum(axis=1) == m)[:, np.newaxis]
    if isinstance(score, Marginals):
        exact = _exact_losses(score, selected, m, side)
        return np.where(whole, exact, np.nan), np.where(whole & np.isfinite(exact), 0.0, np.nan)
    draws: ScoreDraws = as_draws(score)
    values = draws.values if side == "top" else -draws.values
    ahead, tied = places(values)
    truth, rank = membership(ahead, tied, m), mean_places(ahead, tied)
    best = -np.sort(-values, axis=-1)[..., :m].mean(axis=-1)
    series = []
    for chosen in selected:
        hits = truth[..., chosen].sum(axis=-1)
        series += [
            best - values[..., chosen].mean(axis=-1) if chosen.any() else best,
            rank[..., chosen].sum(axis=-1) / m - 0.5 * (m + 1),
            1.0 - hits / m,
            1.0 - _exactly(ahead, tied, chosen, m),
        ]
    mean, error, size = mean_and_error(np.stack(series, axis=-1), ess=draws.ess)
    floored = never_seen(error, size).reshape(shape)
    counted = error.reshape(shape).copy()
    counted[:, 2:] = floored[:, 2:]
    return np.where(whole, mean.reshape(shape), np.nan), np.where(whole, counted, np.nan)


def _exact_losses(score: Marginals, selected: Bools, m: int, side: Side) -> Floats:
    """Return expected losses by integration; the regret in units of the score is left out."""
    rank = expected_rank(score)["expected_rank"].values
    rank = rank if side == "top" else len(rank) + 1.0 - rank
    top = top_probability(score, m=m, side=side)["top_probability"].values
    sets = set_probability(score, m=m, side=side)
    same = (sets["member"].values[np.newaxis] == selected[:, np.newaxis]).all(axis=2)
    exactly = same @ sets["set_probability"].values
    regret = np.full(len(selected), np.nan)
    ranks = selected @ rank / m - 0.5 * (m + 1)
    return np.stack([regret, ranks, 1.0 - selected @ top / m, 1.0 - exactly], axis=1)


def _exactly(ahead: NDArray[np.int32], tied: NDArray[np.int32], chosen: Bools, m: int) -> Floats:
    """Return the share of each draw in which exactly the chosen are the best m."""
    from scipy import special

    sure = ahead + tied <= m
    open_ = (ahead < m) & ~sure
    group, places_left = open_.sum(axis=-1), m - sure.sum(axis=-1)
    possible = (sure <= chosen).all(axis=-1) & (chosen <= (sure | open_)).all(axis=-1)
    return np.where(possible, 1.0 / special.binom(group, places_left), 0.0)
