"""Every round of a study fitted by itself: who is at an end in which, and what noise explains."""

import json
from dataclasses import replace

import numpy as np
import xarray as xr

from pdsim.analysis.refits import refit
from pdsim.analysis.summaries import SAMPLE
from pdsim.arraytypes import Floats
from pdsim.conventions import Side
from pdsim.ranking import repeat_membership, run_charts, steadiness
from pdsim.reports.study.view import SIDES
from pdsim.scoring import observed_levels
from pdsim.study import Study
from pdsim.study.rounds import in_every_round, of_round
from pdsim.terms.kinds import KINDS
from pdsim.terms.places import membership, places

_REPLICATES = 200_000


def round_tables(study: Study, *, seed: int) -> dict[str, xr.Dataset]:
    """Return what the rounds of a study say, none of them knowing of the others.

    Returns
    -------
    dict of str to Dataset
        ``steadiness_top`` and ``steadiness_bottom``, see `pdsim.ranking.steadiness`, with
        ``observed_overlap`` (step), the share of one observed end that is in the next, NaN where
        observed levels are missing, and ``by_noise`` (step), its expectation if nothing had changed
        but the cases, at the rounds' reliability; and ``rounds``: the run chart of each facility
        (`pdsim.ranking.run_charts`), its observed ``level`` and ``reliability`` (round). Of the
        facilities and indicators that every round has; the attribute ``left_out`` is JSON text
        with the other facilities. Where the fast engine cannot vouch for a round there are run
        charts alone, and their attribute ``refused`` says why. Empty without rounds, or where too
        few have them all.
    """
    rounds = None if study.rounds is None else in_every_round(study.rounds)
    if rounds is None or rounds.sizes["facility"] < 2 * study.m or rounds["weight"].sum() == 0:
        return {}
    labels = [str(label) for label in rounds["round"].to_numpy()]
    singles = [_single(study, rounds, number) for number in range(len(labels))]
    # what is true in two rounds must not hang together by the draws: a seed for each
    seeds = np.random.SeedSequence(seed).generate_state(len(labels))
    fitted = [
        refit(one, None, engine="laplace", seed=int(own))
        for one, own in zip(singles, seeds, strict=True)
    ]
    scores = [one for one in fitted if not isinstance(one, str)]
    names = xr.DataArray(labels, dims="round", name="round")
    level = xr.concat([_observed(one) for one in singles], names, combine_attrs="drop")
    others = set(study.data["facility"].to_numpy()) - set(rounds["facility"].to_numpy())
    charts = run_charts(level).assign(level=level)
    charts.attrs["left_out"] = json.dumps(sorted(map(str, others)))
    if len(scores) < len(fitted):
        reason = next(one for one in fitted if isinstance(one, str))
        return {"rounds": charts.assign_attrs(refused=reason)}
    joined = xr.concat(scores, names, coords="minimal", compat="override", combine_attrs="drop")
    known = {"estimand": "level", "convergence": "passed"}
    if all("ess" in one.attrs for one in scores):
        known["ess"] = min(one.attrs["ess"] for one in scores)
    joined = joined.assign_attrs(known)
    reliability = [_reliability(score) for score in scores]
    noise = [
        repeat_membership(
            facilities=joined.sizes["facility"], m=study.m,
            reliability=(reliability[k], reliability[k + 1]), replicates=_REPLICATES, seed=seed,
        )[0]
        for k in range(len(labels) - 1)
    ]  # fmt: skip
    tables = {
        f"steadiness_{side}": steadiness(joined, m=study.m, side=side).assign(
            by_noise=("step", np.array(noise)),
            observed_overlap=("step", _overlap(level, study.m, side)),
        )
        for side in SIDES
    }
    return tables | {"rounds": charts.assign(reliability=("round", np.array(reliability)))}


def _single(study: Study, rounds: xr.Dataset, number: int) -> Study:
    """Return one round as a study of its own."""
    label = str(rounds["round"].to_numpy()[number])
    options = replace(
        study.options, periods=(label,), windows={}, criteria=(), m=study.m, m_share=None
    )
    data = of_round(rounds, number)
    return replace(study, data=data, options=options, rounds=None, period_labels=(label,))


def _overlap(level: xr.DataArray, m: int, side: Side) -> Floats:
    """Return the share of each round's observed end that is in the next round's."""
    values = level.transpose("round", "facility").to_numpy()
    inside = membership(*places(values if side == "top" else -values), m)
    share = (inside[1:] * inside[:-1]).sum(axis=-1) / m
    known = ~np.isnan(values).any(axis=-1)
    return np.where(known[1:] & known[:-1], share, np.nan)


def _reliability(score: xr.DataArray) -> float:
    """Return the share of the variance of posterior means and errors that the means make."""
    between, error = float(score.mean(SAMPLE).var()), float(score.var(SAMPLE).mean())
    return between / (between + error)


def _observed(study: Study) -> xr.DataArray:
    """Return the observed composite (facility), NaN where a weighted cell is missing."""
    level = observed_levels(study).isel(period=-1, drop=True)
    whole = (level.notnull() | (level["weight"] == 0)).all("indicator")
    overall = xr.dot(level.fillna(0.0), level["weight"], dim="indicator").where(whole)
    return KINDS[study.kind].factor * overall
