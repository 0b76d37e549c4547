"""Scores made elsewhere, draws or estimates, ranked like any other."""

import json
from collections.abc import Sequence
from typing import Final

import numpy as np
import xarray as xr
from scipy.special import ndtri

from pdsim.analysis.rank_groups import (
    pairs_group,
    ranking_group,
    rules_group,
    sets_group,
    superset_group,
)
from pdsim.conventions import CI_PROB
from pdsim.ranking import Score, normal_scores
from pdsim.ranking.draws import ScoreDraws
from pdsim.reports.study.view import SIDES

PAIRED: Final = 60
"""Facilities up to which all pairs, and confidence sets of ranks, are computed."""


def turned(score: Score) -> Score:
    """Return the scores with smaller ones as the better."""
    if isinstance(score, xr.DataArray):
        return (-score).assign_attrs(score.attrs)
    return normal_scores(-_row(score.first), _row(score.second))


def _row(draws: ScoreDraws) -> xr.DataArray:
    return draws.template.copy(data=draws.values.reshape(-1))


def rank_results(
    score: Score,
    *,
    m: int,
    name: str = "scores",
    estimand: str = "score",
    units: str = "",
    seed: int = 1,
    lower_is_better: bool = False,
    notes: Sequence[str] = (),
) -> xr.DataTree:
    """Return the ranking tables of a score, laid out for `write_report`.

    Parameters
    ----------
    score : xr.DataArray or Marginals
        From `pdsim.analysis.score_files.read_scores`.
    m : int
        Facilities to name at each end.
    name, estimand, units : str
        What the report calls them.
    seed : int
        Of the confidence set of ranks, one of the selection rules for estimates.
    lower_is_better : bool
        The facility with the smallest score is the best; scores are printed as they are.
    notes : sequence of str
        Sentences to print among the assumptions.

    Returns
    -------
    xr.DataTree
        Groups ``improvement``, ``ranking``, ``pairs``, ``sets_top``, ``sets_bottom`` and ``rules``.
    """
    improvement = _summary(score)
    if lower_is_better:
        score = turned(score)
    groups = {"improvement": improvement, "ranking": ranking_group(score, m=m)}
    few = groups["improvement"].sizes["facility"] <= PAIRED
    if few:
        groups["pairs"] = pairs_group(score)
    for side in SIDES:
        chosen = groups["ranking"][f"selected_{side}"]
        groups[f"sets_{side}"] = sets_group(score, m=m, side=side, selected=chosen)
        if few:
            groups[f"superset_{side}"] = superset_group(score, m=m, side=side)
    observed = None
    if not isinstance(score, xr.DataArray):
        observed = xr.Dataset({"estimate": _row(score.first), "se": _row(score.second)})
    groups["rules"] = rules_group(score, m=m, observed=observed, seed=seed if few else None)
    tree = xr.DataTree.from_dict({f"/{key}": group for key, group in groups.items()})
    tree.attrs = {
        "name": name,
        "m": m,
        "estimand": estimand,
        "units": units,
        "engine": "draws" if isinstance(score, xr.DataArray) else "estimates",
        "kind": "scores",
        "convergence": str(getattr(score, "attrs", {}).get("convergence", "passed")),
        "lower_is_better": int(lower_is_better),
        "assumptions": json.dumps(list(notes)),
    }
    return tree


def _summary(score: Score) -> xr.Dataset:
    bounds = [(1.0 - CI_PROB) / 2.0, (1.0 + CI_PROB) / 2.0]
    levels = xr.DataArray(np.round(bounds, 10), dims="ci_bound")
    levels = levels.assign_coords(ci_bound=levels.to_numpy())
    if isinstance(score, xr.DataArray):
        sample = [dim for dim in ("chain", "draw", "sample") if dim in score.dims]
        interval = score.quantile(bounds, dim=sample).rename(quantile="ci_bound")
        interval = interval.assign_coords(ci_bound=levels["ci_bound"].to_numpy())
        parts = {"mean": score.mean(sample), "median": score.median(sample)}
        return xr.Dataset({**parts, "sd": score.std(sample), "interval": interval})
    mean, sd = _row(score.first), _row(score.second)
    interval = mean + sd * xr.DataArray(ndtri(bounds), dims="ci_bound")
    interval = interval.assign_coords(ci_bound=levels["ci_bound"].to_numpy())
    return xr.Dataset({"mean": mean, "median": mean, "sd": sd, "interval": interval})
