"""What ranking says of one score, laid out as the groups of a report's tree."""

from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.conventions import CI_PROB, Side
from pdsim.ranking import (
    Score,
    disagreement,
    expected_rank,
    grades,
    pairwise_probability,
    rank_interval,
    rank_probability,
    select,
    set_probability,
    sucra,
    superset,
    top_probability,
)
from pdsim.ranking.observed import Observed
from pdsim.reports.study.rule_words import disagreement_words
from pdsim.reports.study.view import SEPARATOR, SIDES, labels

LISTED_SETS: Final = 20
GRADED_FACILITIES: Final = 100


def ranking_group(score: Score, *, m: int) -> xr.Dataset:
    """Return ranks, memberships, the choice at both ends, and grades, over facility."""
    table = xr.merge([rank_probability(score), expected_rank(score)], combine_attrs="drop")
    table["rank_interval"] = rank_interval(score, prob=CI_PROB)["rank_interval"]
    table["sucra"] = sucra(score)["sucra"]
    for side in SIDES:
        probability = top_probability(score, m=m, side=side)
        table[f"p_{side}"] = probability["top_probability"]
        table[f"p_{side}_mcse"] = probability["top_probability_mcse"]
        chosen = select(score, m=m, side=side)
        for name in ("selected", "tied", "could_flip"):
            table[f"{name}_{side}"] = chosen[name]
    table = one_end_each(table)
    if table.sizes["facility"] <= GRADED_FACILITIES:
        graded = grades(score)
        table["grade"] = graded["grade"]
        table.attrs["discordance_rate"] = float(graded["discordance_rate"])
        table.attrs["grades_optimal"] = int(graded.attrs["optimal"])
    return table


def one_end_each(table: xr.Dataset) -> xr.Dataset:
    """Name nobody at both ends: of all disjoint choices the one right most often on average.

    Where the likeliest at the top are also the likeliest at the bottom (a facility of few
    cases), places are given so that the sum of P(top m) and P(bottom m) over those named is the
    largest.

    Parameters
    ----------
    table : Dataset (facility)
        ``p_top``, ``p_bottom``, ``selected_top``, ``selected_bottom``.

    Returns
    -------
    Dataset
        With ``either_end``: whom both ends would name.
    """
    chosen = {side: table[f"selected_{side}"].to_numpy().astype(bool) for side in SIDES}
    both = chosen["top"] & chosen["bottom"]
    table = table.assign(either_end=("facility", both))
    if not both.any():
        return table
    from scipy.optimize import linear_sum_assignment  # takes long to import for a rare case

    merit = np.concatenate(
        [np.repeat(table[f"p_{side}"].to_numpy()[:, np.newaxis], chosen[side].sum(), axis=1)
         for side in SIDES],
        axis=1,
    )  # fmt: skip
    row, place = linear_sum_assignment(merit, maximize=True)
    end = np.zeros(both.size)
    end[row] = np.where(place < chosen["top"].sum(), 1.0, -1.0)
    split = _split(np.stack([table[f"p_{side}"].to_numpy() for side in SIDES], axis=1), end)
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        table[f"selected_{side}"] = ("facility", (end == sign) & ~split)
        if f"tied_{side}" in table:
            tied = table[f"tied_{side}"].to_numpy().astype(bool) | split
            table[f"tied_{side}"] = ("facility", tied)
    return table


def _split(chances: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell who has the same chances as somebody who was given another end: they tie."""
    same = np.isclose(chances[:, np.newaxis], chances[np.newaxis], rtol=1e-9, atol=0.0).all(axis=2)
    other = end[:, np.newaxis] != end[np.newaxis]
    result: NDArray[np.bool_] = (same & other).any(axis=1)
    return result


def superset_group(score: Score, *, m: int, side: Side) -> xr.Dataset:
    """Return the smallest set that holds the true m of one end with the probability `CERTAIN`."""
    return superset(score, m=m, side=side).rename(
        superset="member",
        superset_probability="probability",
        superset_probability_mcse="probability_mcse",
    )


def pairs_group(score: Score) -> xr.Dataset:
    """Return the probability that each facility is ahead of each other one."""
    return pairwise_probability(score).rename(
        pairwise_probability="p_above",
        pairwise_probability_mcse="p_above_mcse",
        other="facility_2",
    )


def sets_group(
    score: Score, *, m: int, side: Side, selected: xr.DataArray | None = None
) -> xr.Dataset:
    """Return the likeliest sets of one end, and the probability of the selected one."""
    table = set_probability(score, m=m, side=side)
    if selected is None:
        selected = select(score, m=m, side=side)["selected"]
    chosen = selected.to_numpy()
    member = table["member"].transpose("set", "facility").to_numpy()
    p, error = table["set_probability"].to_numpy(), table["set_probability_mcse"].to_numpy()
    match = (member == chosen).all(axis=1)
    names = np.array(labels(table["facility"]), dtype=object)
    listed = [SEPARATOR.join(names[row]) for row in member[:LISTED_SETS]]
    return xr.Dataset(
        {
            "members": ("set", np.array(listed, dtype=np.str_)),
            "probability": ("set", p[:LISTED_SETS]),
            "probability_mcse": ("set", error[:LISTED_SETS]),
        },
        attrs={
            "p_selected_set": float(p[match].sum()),
            "p_selected_set_mcse": float(error[match][0]) if match.any() else float(error.min()),
        },
    )


def rules_group(
    score: Score, *, m: int, observed: Observed | None = None, seed: int | None = None
) -> xr.Dataset:
    """Return whom each selection rule names at each end, and in words where the rules differ."""
    table, words = xr.Dataset(), {}
    for side in SIDES:
        found = disagreement(score, m=m, side=side, observed=observed, seed=seed)
        table[f"selected_{side}"] = found["selected"]
        table[f"criterion_{side}"] = found["criterion"]
        words[f"disagreement_{side}"] = " ".join(disagreement_words(found))
    return table.assign(label=found["label"]).assign_attrs(words)
