"""From a fit to every table of its report: one DataTree, all numbers of the prose in it."""

import json

import arviz_stats as azs
import numpy as np
import pandas as pd
import xarray as xr

from pdsim.analysis.sensitivity import estimands_of, who_moves
from pdsim.analysis.summaries import SAMPLE, interval, mean_and_interval
from pdsim.conventions import CI_KIND, CI_PROB, SCHEMA_VERSION, Estimand, Side
from pdsim.model import composite, levels, observed_change, posterior_predictive, variance_share
from pdsim.model.estimands import resolve_weights
from pdsim.ranking import (
    disagreement,
    disagreement_words,
    expected_rank,
    grades,
    improvement_probability,
    pairwise_probability,
    rank_interval,
    rank_probability,
    select,
    set_probability,
    sucra,
    top_probability,
)
from pdsim.study import Study, study_to_dataset
from pdsim.weights import weight_tables

SIDES: tuple[Side, Side] = ("top", "bottom")
LISTED_SETS = 20
EXPLORER_DRAWS = 500
GRADED_FACILITIES = 100
EXPLORER_BYTES = 3_000_000
EXPLORER_FACILITIES = 60
PRIOR_SENSITIVE = ("change_net",)
"""Estimands that lean on a correlation which ten facilities hardly tell."""


def gather(fit: xr.DataTree, study: Study, *, delta: float = 0.0) -> xr.DataTree:
    """Return all tables of an analysis.

    Parameters
    ----------
    fit : xarray.DataTree
        Of `study`, from `pdsim.fit`.
    study : Study
    delta : float
        Improvement above which a probability is stated as well, in the units of the estimand.

    Returns
    -------
    xarray.DataTree
        Groups ``study``, ``improvement``, ``levels``, ``domains`` (two or more), ``ranking``,
        ``pairs``, ``sets_top``, ``sets_bottom``, ``estimands``, ``rules``, ``variance_share``,
        ``hyper``, ``predictive``, ``draws`` and, with two or more indicators, the groups of
        `pdsim.weights.weight_tables`; every probability with its ``_mcse``. The attributes
        say how it was made.
    """
    level = levels(fit)
    scores = {name: composite(fit, estimand=name) for name in estimands_of(fit)}
    main = next(iter(scores.values()))
    groups = {
        "study": study_to_dataset(study),
        "improvement": _improvement(scores, study, delta),
        "levels": mean_and_interval(_percent(level, study).transpose(..., "facility", "period")),
        "ranking": _ranking(main, study.m),
        "pairs": _pairs(main),
        "sets_top": _sets(main, study.m, "top"),
        "sets_bottom": _sets(main, study.m, "bottom"),
        "estimands": who_moves(fit, m=study.m),
        "rules": _rules(main, study),
        "variance_share": variance_share(level),
        "hyper": _hyper(fit["posterior"].to_dataset()),
        "predictive": _predictive(fit),
        "domains": _domains(level),
        "draws": _explorer(level),
    }
    if study.data.sizes["indicator"] > 1 and study.data.sizes["facility"] > study.m:
        trials = study.data.get("trials")
        observed = None if trials is None or bool((trials == 0).any()) else trials
        groups |= weight_tables(level, m=study.m, seed=int(fit.attrs["seed"]), trials=observed)
    kept = {name: group for name, group in groups.items() if group is not None}
    tree = xr.DataTree.from_dict(kept)
    tree.attrs |= _facts(fit, study, main, delta)
    return tree


def _improvement(scores: dict[Estimand, xr.DataArray], study: Study, delta: float) -> xr.Dataset:
    """Every estimand's mean, interval and P(> 0); the observed composite beside them."""
    parts = []
    for score in scores.values():
        part = mean_and_interval(score).assign(median=score.median(SAMPLE), sd=score.std(SAMPLE))
        # a ratio of 1 is no change, and a level has no zero of interest
        zero = 1.0 if score.attrs["estimand"] == "ratio" else 0.0
        for name, bound in (("p_positive", zero), ("p_above_delta", zero + delta)):
            table = improvement_probability(score, delta=bound)
            part[name] = table["improvement_probability"]
            part[f"{name}_mcse"] = table["improvement_probability_mcse"]
        parts.append(part.assign(units=score.attrs["units"]))
    index = pd.Index(list(scores), name="estimand")
    table = xr.concat(parts, index, combine_attrs="drop")
    table["prior_sensitive"] = ("estimand", [name in PRIOR_SENSITIVE for name in scores])
    observed = observed_levels(study)
    for period in study.data["period"].to_numpy():
        table[f"observed_{period}"] = observed.sel(period=period, drop=True)
    table["observed"] = observed_change(study)
    return table


def observed_levels(study: Study) -> xr.DataArray:
    """Return the observed composite (facility, period), NaN where a weighted cell is missing."""
    from dataclasses import replace

    parts = []
    for period in study.data["period"].to_numpy():
        data = study.data.sel(period=[period]).assign_coords(period=["endline"])
        single = replace(study, data=data, period_labels=("endline",))
        parts.append(observed_change(single))
    index = pd.Index(study.data["period"].to_numpy(), name="period")
    return xr.concat(parts, index, combine_attrs="drop").rename("observed")


def _percent(level: xr.DataArray, study: Study) -> xr.DataArray:
    overall: xr.DataArray = xr.dot(level, resolve_weights(None, level), dim="indicator")
    return 100.0 * overall if study.kind == "counts" else overall


def _ranking(score: xr.DataArray, m: int) -> xr.Dataset:
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
    if score.sizes["facility"] <= GRADED_FACILITIES:
        graded = grades(score)
        table["grade"] = graded["grade"]
        table.attrs["discordance_rate"] = float(graded["discordance_rate"])
        table.attrs["grades_optimal"] = int(graded.attrs["optimal"])
    return table


def _pairs(score: xr.DataArray) -> xr.Dataset:
    return pairwise_probability(score).rename(
        pairwise_probability="p_above",
        pairwise_probability_mcse="p_above_mcse",
        other="facility_2",
    )


def _sets(score: xr.DataArray, m: int, side: Side) -> xr.Dataset:
    table = set_probability(score, m=m, side=side)
    chosen = select(score, m=m, side=side)["selected"].to_numpy()
    match = (table["member"].to_numpy() == chosen).all(axis=1)
    probability = table["set_probability"].to_numpy()
    error = table["set_probability_mcse"].to_numpy()
    names = table["facility"].to_numpy()
    listed = slice(0, LISTED_SETS)
    members = ["\x1f".join(names[row]) for row in table["member"].to_numpy()[listed]]
    return xr.Dataset(
        {
            "members": ("set", np.array(members, dtype=np.str_)),
            "probability": ("set", probability[listed]),
            "probability_mcse": ("set", error[listed]),
        },
        attrs={
            "p_selected_set": float(probability[match].sum()),
            "p_selected_set_mcse": float(error[match][0]) if match.any() else float(error.min()),
        },
    )


def _rules(score: xr.DataArray, study: Study) -> xr.Dataset:
    """Whom each selection rule names at each end, and in words where the rules differ."""
    seen = observed_change(study)
    observed = seen if bool(seen.notnull().all()) else None
    table, words = xr.Dataset(), {}
    for side in SIDES:
        found = disagreement(score, m=study.m, side=side, observed=observed)
        table[f"selected_{side}"] = found["selected"]
        table[f"criterion_{side}"] = found["criterion"]
        words[f"disagreement_{side}"] = " ".join(disagreement_words(found))
    return table.assign(label=found["label"]).assign_attrs(words)


def _hyper(posterior: xr.Dataset) -> xr.Dataset:
    names = [str(n) for n, v in posterior.data_vars.items() if v.dims == SAMPLE]
    scalars = posterior[names].to_dataarray("parameter")
    table = mean_and_interval(scalars)
    if posterior.sizes["chain"] > 1:
        draws = posterior[names]
        for name, result in (
            ("rhat", azs.rhat(draws, sample_dims=SAMPLE)),
            ("ess_bulk", azs.ess(draws, sample_dims=SAMPLE, method="bulk")),
        ):
            table[name] = ("parameter", [float(result[n]) for n in names])
    return table


def _predictive(fit: xr.DataTree) -> xr.Dataset:
    check = posterior_predictive(fit)
    replicate = check["replicate"].expand_dims("chain").rename(sample="draw")
    return check[["observed", "p_value"]].assign(
        replicate_mean=check["replicate"].mean("sample"),
        replicate_interval=interval(replicate),
    )


def _domains(level: xr.DataArray) -> xr.Dataset | None:
    """Return each facility's change (or level) by domain, with its covariance."""
    names = list(dict.fromkeys(level["domain"].to_numpy().tolist()))
    if len(names) < 2:
        return None
    factor = 1.0 if level.attrs.get("kind") == "scores" else 100.0
    value = level.isel(period=-1, drop=True)
    if level.sizes["period"] == 2:
        value = value - level.isel(period=0, drop=True)
    parts = []
    for name in names:
        inside = value.isel(indicator=np.flatnonzero(level["domain"].to_numpy() == name))
        parts.append(factor * xr.dot(inside, resolve_weights(None, inside), dim="indicator"))
    change = xr.concat(parts, pd.Index(names, name="domain"), combine_attrs="drop")
    centred = change - change.mean(SAMPLE)
    covariance = (centred * centred.rename(domain="domain_2")).mean(SAMPLE)
    return mean_and_interval(change).assign(covariance=covariance).transpose("facility", ...)


def _explorer(level: xr.DataArray) -> xr.Dataset | None:
    """Return thinned draws of the levels for re-weighting in the page."""
    flat = level.stack(draws=SAMPLE).transpose("draws", "facility", "indicator", "period")
    step = max(1, -(-flat.sizes["draws"] // EXPLORER_DRAWS))
    thin = flat.isel(draws=slice(None, None, step)).astype(np.float32)
    if level.sizes["facility"] > EXPLORER_FACILITIES or thin.nbytes > EXPLORER_BYTES:
        return None
    thin = thin.drop_vars(["draws", *SAMPLE]).rename(draws="draw")
    return thin.rename("level").to_dataset()


def _facts(
    fit: xr.DataTree, study: Study, score: xr.DataArray, delta: float
) -> dict[str, str | int | float]:
    r = study.case_correlation
    facts: dict[str, str | int | float] = {
        "schema_version": SCHEMA_VERSION,
        "name": study.name,
        "m": study.m,
        "kind": study.kind,
        "estimand": score.attrs["estimand"],
        "units": score.attrs["units"],
        "delta": delta,
        "ci_prob": CI_PROB,
        "ci_kind": CI_KIND,
        "case_correlation": float("nan") if r is None else r,
        "case_correlation_source": study.case_correlation_source,
        "assumptions": json.dumps(study.assumptions),
        "period_labels": json.dumps(study.period_labels),
        "suppress_below": -1 if study.suppress_below is None else study.suppress_below,
    }
    names = (
        "engine",
        "seed",
        "convergence",
        "gates",
        "escalated",
        "priors",
        "versions",
        "sampler",
        "ess",
    )
    return facts | {name: fit.attrs[name] for name in names if name in fit.attrs}
