"""From a fit to every table of its report: one DataTree, all numbers of the prose in it."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from pdsim.analysis.control_tables import control_groups, covariate_groups, strata_groups
from pdsim.analysis.exchange import exchanged, identical_facilities
from pdsim.analysis.fits import RESULTS_LAYOUT
from pdsim.analysis.precision import observed_se
from pdsim.analysis.rank_groups import (
    pairs_group,
    ranking_group,
    rules_group,
    sets_group,
    superset_group,
)
from pdsim.analysis.refits import compare_selections, fitted_estimands
from pdsim.analysis.round_fits import round_tables
from pdsim.analysis.stages import nothing
from pdsim.analysis.summaries import SAMPLE, interval, mean_and_interval
from pdsim.analysis.t_effects import t_effects
from pdsim.analysis.weighting_tables import WEIGHT_STEPS, weight_tables
from pdsim.conventions import CI_KIND, CI_PROB, SCHEMA_VERSION
from pdsim.model import (
    composite,
    levels,
    model_checks,
    next_round,
    observed_change,
    posterior_predictive,
    variance_share,
)
from pdsim.model.composites import resolve_weights
from pdsim.ranking import (
    criteria,
    improvement_probability,
    naming_costs,
    observed_of,
    top_probability,
)
from pdsim.reports.study.view import SIDES
from pdsim.scoring import observed_levels, observed_over_expected, observed_sources
from pdsim.study import Study, study_to_dataset
from pdsim.terms.estimands import ESTIMANDS
from pdsim.terms.kinds import KINDS

EXPLORER_DRAWS = 500
EXPLORER_BYTES = 3_000_000
EXPLORER_FACILITIES = 60


def _weighted(study: Study) -> bool:
    return study.data.sizes["indicator"] > 1 and study.data.sizes["facility"] > study.m


def gather_steps(study: Study) -> int:
    """Return how often `gather` tells of a step."""
    return 2 + (WEIGHT_STEPS if _weighted(study) else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What is ranked, and the ranking: what all other tables rest on.

    Attributes
    ----------
    level : DataArray (chain, draw, facility, indicator, period)
    scores : dict of str to DataArray (chain, draw, facility)
        By estimand, the main one first.
    ranking : Dataset (facility)
    """

    level: xr.DataArray
    scores: dict[str, xr.DataArray]
    ranking: xr.Dataset

    @property
    def main(self) -> xr.DataArray:
        """The score of the main estimand."""
        return next(iter(self.scores.values()))

    @property
    def tied(self) -> bool:
        """Whether nobody is chosen at either end."""
        return all(bool(self.ranking[f"tied_{side}"].any()) for side in SIDES)


def scored(fit: xr.DataTree, study: Study) -> Scored:
    """Return the scores of a fit of `study`, and their ranking."""
    same, level = identical_facilities(study), levels(fit)
    scores = {}
    for name in fitted_estimands(fit):
        term = ESTIMANDS[name]
        made = composite(fit if term.net or term.controls else level, estimand=name)
        scores[name] = exchanged(made, same)
    return Scored(
        level=exchanged(level, same),
        scores=scores,
        ranking=ranking_group(next(iter(scores.values())), m=study.m),
    )


def gather(
    fit: xr.DataTree,
    study: Study,
    *,
    delta: float = 0.0,
    known: Scored | None = None,
    checked: Callable[[], dict[str, xr.Dataset | None]] | None = None,
    tell: Callable[[], None] = nothing,
) -> xr.DataTree:
    """Return all tables of an analysis.

    Parameters
    ----------
    fit : xarray.DataTree
        Of `study`, from `pdsim.fit`.
    study : Study
    delta : float
        Improvement above which a probability is stated as well, in the units of the estimand.
    known : Scored, optional
        From `scored`, where it has been computed.
    checked : callable, optional
        Returns the tables of `fit_checks`, where another thread makes them.
    tell : callable
        Called after each step.

    Returns
    -------
    xarray.DataTree
        Groups ``study``, ``improvement``, ``levels``, ``domains`` (two or more), ``ranking``,
        ``pairs``, ``sets_top``, ``sets_bottom``, ``estimands``, ``rules``, ``variance_share``,
        ``hyper``, ``predictive``, ``model_checks``, ``draws``; with several indicators, those of
        `pdsim.weights.weight_tables`; ``criteria``, ``costs_top``, ``costs_bottom`` and
        ``next_round``, ``t_effects``, and ``roles`` and ``groups`` (see `pdsim.interviews`), where
        the study asks for them; with more than two rounds, those of `round_tables`; with expected
        counts ``case_mix``; with controls, strata or covariates, those of
        `pdsim.analysis.control_tables`, and only the programme elsewhere.
        Every probability has its ``_mcse``. The attributes say how it was made.
    """
    known = known or scored(fit, study)
    level, scores, main, ranking = known.level, known.scores, known.main, known.ranking
    whole, study = study, study.programme
    tell()
    groups = {
        "study": study_to_dataset(study),
        "improvement": _improvement(scores, study, delta),
        "levels": mean_and_interval(_percent(level, study).transpose(..., "facility", "period")),
        "ranking": ranking,
        "pairs": pairs_group(main),
        **_sets(main, study.m, ranking),
        "estimands": compare_selections(scores, dim="estimand", m=study.m),
        "rules": _rules(main, study),
        "variance_share": variance_share(level),
        "hyper": _hyper(fit["posterior"].to_dataset()),
        "predictive": None,
        "model_checks": None,
        "domains": _domains(level),
        "draws": _explorer(level),
        **control_groups(fit, seed=int(fit.attrs["seed"])),
        **covariate_groups(fit, main, m=study.m),
        **strata_groups(main, study),
    }
    tell()
    if _weighted(study):
        trials = study.data.get("trials")
        observed = None if trials is None or bool((trials == 0).any()) else trials
        groups |= weight_tables(
            level,
            m=study.m,
            seed=int(fit.attrs["seed"]),
            plausible=study.options.robustness,
            sources=observed_sources(study),
            trials=observed,
            tell=tell,
        )
    if "expected" in study.data:
        groups["case_mix"] = observed_over_expected(study)
    if study.options.criteria:
        groups["criteria"] = criteria(fit, study.options.criteria, m=study.m)
    if study.options.missed_cost is not None:
        for side in SIDES:
            cost = study.options.missed_cost
            groups[f"costs_{side}"] = naming_costs(main, m=study.m, side=side, missed=cost)
    if study.options.drift is not None:
        groups["next_round"] = _next_round(fit, study, study.options.drift)
    if study.options.facility_df is not None:
        groups["t_effects"] = t_effects(fit, whole, main)
    groups |= round_tables(study, seed=int(fit.attrs["seed"]))
    if study.options.interviews:
        groups |= _interviews(main, study.m, ranking)
    groups |= fit_checks(fit, study) if checked is None else checked()
    kept = {name: group for name, group in groups.items() if group is not None}
    tree = xr.DataTree.from_dict(kept)
    tree.attrs |= _facts(fit, whole, main, delta)
    return tree


def _sets(score: xr.DataArray, m: int, ranking: xr.Dataset) -> dict[str, xr.Dataset]:
    """Return the likeliest sets of both ends, and the smallest that surely hold the true one."""
    tables = {}
    for side in SIDES:
        chosen = ranking[f"selected_{side}"]
        tables[f"sets_{side}"] = sets_group(score, m=m, side=side, selected=chosen)
        tables[f"superset_{side}"] = superset_group(score, m=m, side=side)
    return tables


def _interviews(score: xr.DataArray, m: int, ranking: xr.Dataset) -> dict[str, xr.Dataset]:
    """Return the part of each facility in interviews, and how truly the groups stand apart."""
    from pdsim.interviews import groups_of, roles, separation  # for those alone who ask

    names = ranking["facility"].values.astype(str)
    high, low = (names[ranking[f"selected_{side}"].values.astype(bool)] for side in SIDES)
    groups = groups_of(score, high=high.tolist(), low=low.tolist(), m_top=m, m_bottom=m)
    return {"roles": roles(groups, score), "groups": separation(groups)}


def _improvement(scores: dict[str, xr.DataArray], study: Study, delta: float) -> xr.Dataset:
    """Every estimand's mean, interval and P(> 0); the observed composite beside them."""
    parts = []
    for score in scores.values():
        part = mean_and_interval(score).assign(median=score.median(SAMPLE), sd=score.std(SAMPLE))
        zero = ESTIMANDS[score.attrs["estimand"]].null or 0.0
        for name, bound in (("p_positive", zero), ("p_above_delta", zero + delta)):
            table = improvement_probability(score, delta=bound)
            part[name] = table["improvement_probability"]
            part[f"{name}_mcse"] = table["improvement_probability_mcse"]
        parts.append(part.assign(units=score.attrs["units"]))
    index = pd.Index(list(scores), name="estimand")
    table = xr.concat(parts, index, combine_attrs="drop")
    observed = observed_composite(study)
    for period in study.data["period"].to_numpy():
        table[f"observed_{period}"] = observed.sel(period=period, drop=True)
    table["observed"] = observed_change(study)
    table["observed_se"] = observed_se(study)
    return table


def observed_composite(study: Study) -> xr.DataArray:
    """Return the observed composite (facility, period), NaN where a weighted cell is missing."""
    level = observed_levels(study)
    weight = level["weight"]
    whole = (level.notnull() | (weight == 0)).all("indicator")
    overall = xr.dot(level.fillna(0.0), weight, dim="indicator").where(whole)
    return KINDS[study.kind].factor * overall.transpose("facility", "period").rename("observed")


def _percent(level: xr.DataArray, study: Study) -> xr.DataArray:
    overall: xr.DataArray = xr.dot(level, resolve_weights(None, level), dim="indicator")
    return 100.0 * overall if study.kind == "counts" else overall


def _rules(score: xr.DataArray, study: Study) -> xr.Dataset:
    """Compare the rules, those that read observed values too where everyone has some."""
    observed = observed_of(study)
    whole = bool(observed["estimate"].notnull().all())
    return rules_group(score, m=study.m, observed=observed if whole else None)


def _next_round(fit: xr.DataTree, study: Study, drift: float) -> xr.Dataset:
    """Return P(at an end by the level now) beside P(observed there in a next round)."""
    now = composite(fit, estimand="level" if study.data.sizes["period"] == 1 else "endline")
    ahead = next_round(fit, drift=drift, seed=int(fit.attrs["seed"]))
    parts = {}
    for name, score in (("now", now), ("next", ahead)):
        for side in SIDES:
            found = top_probability(score, m=study.m, side=side)
            for end in ("", "_mcse"):
                parts[f"{name}_{side}{end}"] = found[f"top_probability{end}"]
    return xr.Dataset(parts, attrs={"drift": drift}).drop_vars("sample", errors="ignore")


def _hyper(posterior: xr.Dataset) -> xr.Dataset:
    draws = xr.Dataset()
    for name in (str(n) for n in posterior.data_vars if str(n).startswith(("sd_", "corr_"))):
        value = posterior[name]
        several = [dim for dim in ("indicator", "arm") if dim in value.dims]
        if not several:
            draws[name] = value
        for dim in several:
            for own in posterior[dim].to_numpy():
                draws[f"{name}: {own}"] = value.sel({dim: own}, drop=True)
    names = [str(n) for n in draws.data_vars]
    table = mean_and_interval(draws.to_dataarray("parameter"))
    if posterior.sizes["chain"] > 1:
        import arviz_stats as azs  # seconds that the fast engine need not wait for

        for name, result in (
            ("rhat", azs.rhat(draws, sample_dims=SAMPLE)),
            ("ess_bulk", azs.ess(draws, sample_dims=SAMPLE, method="bulk")),
        ):
            table[name] = ("parameter", [float(result[n]) for n in names])
    return table


def fit_checks(fit: xr.DataTree, study: Study) -> dict[str, xr.Dataset | None]:
    """Return what the fit says the data look like: composites, and statistics of new ones."""
    return {
        "predictive": _predictive(fit, study.programme),
        "model_checks": _model_checks(fit),
    }


def _predictive(fit: xr.DataTree, study: Study) -> xr.Dataset:
    check = posterior_predictive(fit).sel(facility=study.data["facility"].to_numpy())
    replicate = check["replicate"].expand_dims("chain").rename(sample="draw")
    seen = replicate.notnull().all(SAMPLE)
    return check[["observed", "p_value"]].assign(
        replicate_mean=check["replicate"].mean("sample"),
        replicate_interval=interval(replicate.fillna(0.0)).where(seen),
    )


def _model_checks(fit: xr.DataTree) -> xr.Dataset | None:
    found = model_checks(fit, seed=int(fit.attrs["seed"]))
    return found if found.sizes["check"] else None


def _domains(level: xr.DataArray) -> xr.Dataset | None:
    """Return each facility's change (or level) by domain that has a weight, with its covariance."""
    weighted = level["domain"].to_numpy()[level["weight"].to_numpy() > 0]
    names = list(dict.fromkeys(weighted.tolist()))
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
        "layout": RESULTS_LAYOUT,
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
        "suppress_below": study.options.suppress_below or -1,
    }
    if study.kind == "scores":
        facts["errors_correlate"] = int(study.error_correlation is not None)
        # one unit of the priors in the units of each score
        facts["score_scales"] = json.dumps(
            dict(
                zip(
                    study.data["indicator"].to_numpy().tolist(),
                    fit["constant_data"]["scale"].to_numpy().tolist(),
                    strict=True,
                )
            )
        )
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
    estimated = study.design_effect_source == "estimated"
    effect = study.average_design_effect if estimated else study.design_effect
    facts["design_effect"] = json.dumps(effect)
    facts["design_effect_source"] = study.design_effect_source
    facts["identical"] = json.dumps(identical_facilities(study))
    return facts | {name: fit.attrs[name] for name in names if name in fit.attrs}
