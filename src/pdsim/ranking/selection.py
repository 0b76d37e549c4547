"""Choose m facilities by a rule, with ties and Monte Carlo error in the open."""

from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.conventions import DEFAULT_M, Side
from pdsim.errors import InputError, Problem
from pdsim.ranking.draws import Draws, as_draws, check_m, check_side
from pdsim.ranking.ess import mean_and_error, never_seen
from pdsim.ranking.rules import Rule, rule_of
from pdsim.ranking.sets import set_probability

type Floats = NDArray[np.float64]
type Bools = NDArray[np.bool_]
type Ties = Literal["report", "lots"]

FLIP_ERRORS = 3.0
"""Gaps of fewer Monte Carlo standard errors than this could flip under another seed."""

_EQUAL = 1e-12
"""Criteria that differ by rounding only are equal (relative to 1 or the larger one)."""


def select(
    score: xr.DataArray,
    *,
    m: int = DEFAULT_M,
    side: Side = "top",
    rule: str = "p_top",
    ties: Ties = "report",
    seed: int | None = None,
) -> xr.Dataset:
    """Choose the m best facilities, or the m worst, by a rule.

    Parameters
    ----------
    score : DataArray
        See `rank_probability`.
    m : int
        Facilities to choose, fewer than there are.
    side : {"top", "bottom"}
    rule : str
        A name in `RULES`.
    ties : {"report", "lots"}
        What to do where facilities tie at the m-th place: choose none of them and report the
        tie group, or draw lots with `seed`.
    seed : int, optional
        Needed by, and only by, ``ties="lots"``.

    Returns
    -------
    Dataset
        Over ``facility``: ``selected``; ``tied``, the tie group at the cut; ``criterion`` and
        ``criterion_mcse``; ``could_flip``, True where the gap to the other side of the cut is
        under three Monte Carlo standard errors of the paired difference.

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
    check_ties(ties, seed)
    draws = as_draws(score)
    check_m(m, draws.facilities)
    if how.series is None:
        return _by_set(score, draws, m, side, ties, seed)
    parts = [_block(draws, block, how, m, side) for block in draws.blocks(draws.facilities)]
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
        attrs={**selection_attrs(how, m, side, ties, seed), "ess": float(size.min())},
    )


def check_ties(ties: str, seed: int | None) -> None:
    """Raise InputError unless the policy is known and has a seed if and only if it draws lots."""
    if ties not in ("report", "lots"):
        raise InputError(Problem(rule=f"ties is 'report' or 'lots' (received {ties!r})"))
    if (ties == "lots") != (seed is not None):
        raise InputError(
            Problem(
                rule=f"drawing lots needs a seed, nothing else does (received {ties=}, {seed=})",
                cure="give both ties='lots' and a seed, or neither",
            )
        )


def selection_attrs(
    rule: Rule, m: int, side: Side, ties: Ties, seed: int | None
) -> dict[str, str | int]:
    """Return the attributes of a selection."""
    smaller = rule.smaller == (side == "top")
    if rule.name in ("p_top", "p_set"):
        smaller = False
    attrs: dict[str, str | int] = {
        "m": m,
        "side": side,
        "rule": rule.name,
        "criterion_better": "smaller" if smaller else "larger",
        "ties": ties,
    }
    return attrs if seed is None else {**attrs, "seed": seed}


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


def _block(
    draws: Draws, block: slice, rule: Rule, m: int, side: Side
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return merit, its error, effective size, the gap to the partner and the gap's error."""
    assert rule.series is not None
    values = draws.values[block]
    series = rule.series(values if side == "top" else -values, m)
    merit, error, size = mean_and_error(series, ess=draws.ess)
    partner = partners(merit, m)[:, np.newaxis, np.newaxis, :]
    paired = series - np.take_along_axis(series, partner, axis=-1)
    gap, gap_error, gap_size = mean_and_error(paired, ess=draws.ess)
    if rule.name != "posterior_mean":
        # what was never seen may still happen: a rank or a place, not a unit of the score
        error, gap_error = never_seen(error, size), never_seen(gap_error, gap_size)
    return merit, error, size, np.abs(gap), gap_error


def _by_set(
    score: xr.DataArray, draws: Draws, m: int, side: Side, ties: Ties, seed: int | None
) -> xr.Dataset:
    """Choose the likeliest exact set."""
    sets = set_probability(score, m=m, side=side)
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
    if ties == "lots":
        lots = np.where(winners, np.random.default_rng(seed).random(winners.shape), 2.0)
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
        attrs={**selection_attrs(rule_of("p_set"), m, side, ties, seed), "ess": ess},
    )
