"""Whether the named stay the named, over rounds fitted one by one: no new model."""

from itertools import pairwise

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats
from pdsim.conventions import DEFAULT_M, Side
from pdsim.errors import InputError, Problem
from pdsim.ranking.draws import as_draws, check_m, check_side, mean_and_error, never_seen
from pdsim.ranking.run_chart import longest_and_crossings, run_limits
from pdsim.terms.places import membership, places

_BLOCK = 100_000
_FEWEST = 10
"""Useful values that a run chart needs."""


def steadiness(scores: xr.DataArray, *, m: int = DEFAULT_M, side: Side = "top") -> xr.Dataset:
    """Return how often each facility is at an end, and how far successive ends overlap.

    Parameters
    ----------
    scores : DataArray
        Over ``round`` (two or more, in order), ``facility`` and draws, see
        `pdsim.ranking.top_probability`; the rounds fitted one by one, so that their draws are
        independent.
    m : int
    side : {"top", "bottom"}

    Returns
    -------
    Dataset
        Over (``round``, ``facility``): ``end_probability``, P(it is at the end in this round).
        Over (``times``, ``facility``): ``times_probability``, P(at the end in at least so many
        rounds). Over ``step`` (from one round to the next): ``overlap``, the expected share of one
        round's end that is in the next one's, over what each round's data leave open. Each with
        its ``_mcse``.

    Raises
    ------
    InputError

    Examples
    --------
    >>> values = np.random.default_rng(1).normal([[[3.0, 2.0, 0.0]]] * 2, 0.1, (2, 500, 3))
    >>> scores = xr.DataArray(values, dims=("round", "sample", "facility"))
    >>> steadiness(scores, m=1).overlap.values.tolist()
    [1.0]
    """
    check_side(side)
    if "round" not in scores.dims or scores.sizes["round"] < 2:
        raise InputError(Problem(rule="steadiness needs a dimension round with two or more rounds"))
    draws = as_draws(scores.transpose("round", ...))
    check_m(m, draws.facilities)
    if len(draws.template.dims) != 2:
        raise InputError(Problem(rule="steadiness has no further dimension than round"))
    values = draws.values if side == "top" else -draws.values
    inside = membership(*places(values), m)
    counts = at_least(inside)
    overlap = (inside[1:] * inside[:-1]).sum(axis=-1, keepdims=True) / m
    found: dict[str, tuple[tuple[str, ...], Floats]] = {}
    for name, dims, series in (
        ("end_probability", ("round", "facility"), inside),
        ("times_probability", ("times", "facility"), counts),
        ("overlap", ("step",), overlap),
    ):
        mean, error, size = mean_and_error(series, ess=draws.ess)
        width = (..., 0) if dims == ("step",) else ...
        found[name] = (dims, mean[width])
        found[f"{name}_mcse"] = (dims, never_seen(error, size)[width])
    rounds = _labels(scores)
    return xr.Dataset(
        found,
        coords={
            "round": scores["round"] if "round" in scores.coords else np.arange(len(rounds)),
            "facility": draws.template.coords["facility"].values,
            "times": np.arange(1, len(rounds) + 1),
            "step": [f"{a} to {b}" for a, b in pairwise(rounds)],
        },
        attrs={**draws.origin, "m": m, "side": side},
    )


def _labels(scores: xr.DataArray) -> list[str]:
    if "round" in scores.coords:
        return [str(label) for label in scores["round"].values]
    return [str(number + 1) for number in range(scores.sizes["round"])]


def at_least(inside: Floats) -> Floats:
    """Return P(at the end in at least 1, 2, ... rounds) of each draw; ties are settled by lot."""
    rounds = len(inside)
    chance = np.zeros((rounds + 1, *inside.shape[1:]))
    chance[0] = 1.0
    for one in inside:
        up = chance[:-1] * one
        chance *= 1.0 - one
        chance[1:] += up
    return np.asarray(chance[::-1].cumsum(axis=0)[::-1][1:])


def repeat_membership(
    *, facilities: int, m: int, reliability: tuple[float, float], replicates: int, seed: int
) -> tuple[float, float]:
    """Return the share of one round's observed top m that is in the next one's, by noise alone.

    The true scores are exchangeable normal and the same in both rounds: an overlap as low as this
    is no sign that anybody faded.

    Parameters
    ----------
    facilities, m : int
    reliability : tuple of float
        Of an observed score in each round: true variance over observed variance.
    replicates, seed : int

    Returns
    -------
    mean, error : float

    Examples
    --------
    >>> share, error = repeat_membership(facilities=10, m=3, reliability=(0.0, 0.0),
    ...                                  replicates=20_000, seed=1)
    >>> abs(share - 0.3) < 4 * error
    True
    """
    rng = np.random.default_rng(seed)
    shares = []
    for start in range(0, replicates, _BLOCK):
        size = (min(_BLOCK, replicates - start), facilities)
        truth = rng.standard_normal(size)
        seen = [
            membership(
                *places(np.sqrt(r) * truth + np.sqrt(1.0 - r) * rng.standard_normal(size)), m
            )
            for r in reliability
        ]
        shares.append((seen[0] * seen[1]).sum(axis=1) / m)
    share = np.concatenate(shares)
    return float(share.mean()), float(share.std(ddof=1) / np.sqrt(replicates))


def over_rounds(scores: xr.DataArray) -> xr.DataArray:
    """Return what a facility's score is over the rounds, draw by draw.

    Parameters
    ----------
    scores : DataArray
        Over ``round``, ``facility`` and draws.

    Returns
    -------
    DataArray
        With the dimension ``summary`` in place of ``round``: ``mean_level``, ``last``,
        ``worst_round`` and ``fade`` (the best round so far minus the last one).

    Examples
    --------
    >>> scores = xr.DataArray([[[1.0]], [[5.0]], [[3.0]]], dims=("round", "sample", "facility"))
    >>> over_rounds(scores).squeeze().values.tolist()
    [3.0, 3.0, 1.0, 2.0]
    """
    last = scores.isel(round=-1, drop=True)
    parts = {
        "mean_level": scores.mean("round"),
        "last": last,
        "worst_round": scores.min("round"),
        "fade": scores.max("round") - last,
    }
    names = xr.DataArray(list(parts), dims="summary", name="summary")
    joined = xr.concat(list(parts.values()), names, coords="minimal", compat="override")
    return joined.assign_attrs(scores.attrs)


def run_charts(levels: xr.DataArray) -> xr.Dataset:
    """Return the run chart of each facility: its longest run and crossings, with their limits.

    Parameters
    ----------
    levels : DataArray
        Over ``round`` (in order) and ``facility``: observed levels, NaN where there are none.

    Returns
    -------
    Dataset
        Over ``facility``: ``useful`` (values off the median), ``longest`` and ``crossings``, their
        limits ``longest_limit`` and ``crossings_limit``, and ``signal``, whether either is passed.
        A facility with fewer than ten useful values has no signal: so few cannot tell.

    Examples
    --------
    >>> levels = xr.DataArray(np.arange(20.0)[:, None], dims=("round", "facility"))
    >>> run_charts(levels).signal.values.tolist()
    [True]
    """
    rows = []
    for series in levels.transpose("facility", "round").values:
        useful, longest, crossings = longest_and_crossings(series[~np.isnan(series)])
        row = {"useful": useful, "longest": longest, "crossings": crossings}
        row |= {"longest_limit": -1, "crossings_limit": -1, "signal": False}
        if useful >= _FEWEST:
            limits = run_limits(useful)
            row |= {
                "longest_limit": limits.longest,
                "crossings_limit": limits.crossings,
                "signal": longest > limits.longest or crossings < limits.crossings,
            }
        rows.append(row)
    coords = {"facility": levels["facility"]} if "facility" in levels.coords else {}
    return xr.Dataset(
        {name: ("facility", [row[name] for row in rows]) for name in rows[0]}, coords=coords
    )
