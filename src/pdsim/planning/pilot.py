"""What a pilot study says of the next one: the whole scenario, and draws from its posterior."""

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

import numpy as np
import xarray as xr
from scipy.special import expit

from pdsim.arraytypes import Floats, Ints
from pdsim.conventions import PERIODS
from pdsim.errors import InputError, Problem
from pdsim.planning.uncertain import LARGEST_SD, DrawSettings, generator, levels_of, need_counts
from pdsim.simulation import Scenario
from pdsim.simulation.labelling import numbered, simulated_scores
from pdsim.study import Study, study_from_dataset
from pdsim.study.facilities import PROGRAMME
from pdsim.terms.criteria import parse_criterion, score_names

_DIGITS: Final = 4
_HIGHEST_R: Final = 0.9
_NOTABLE_CV: Final = 0.05


def scenario_of_pilot(fit: xr.DataTree) -> dict[str, Any]:
    """Return the settings of a scenario with new facilities like those of a pilot study.

    Facilities, controls, indicators, domains, m, weights, numbers of cases and missing cells are
    those of the pilot; the change of an average facility is that of the programme, its trend
    included; levels, spreads and correlations are the medians of its posterior, rounded to four
    decimals as a report prints them.

    Parameters
    ----------
    fit : DataTree
        From `pdsim.fit`: counts in two periods.

    Returns
    -------
    dict
        By the names of `pdsim.Scenario`.

    Raises
    ------
    InputError
        If the fit has one period, scale scores or composites alone.

    Examples
    --------
    >>> import pdsim
    >>> study = pdsim.load_example("safe_surgery_like")
    >>> found = scenario_of_pilot(pdsim.fit(study, engine="laplace", seed=1, draws=200))
    >>> found["facilities"], found["trials"], found["m"]
    (10, 33, 3)
    """
    flat = _posterior(fit)
    whole = study_from_dataset(fit["constant_data"].to_dataset())
    study = whole.programme
    if study.options.items is not None:
        raise InputError(
            Problem(
                rule="the pilot has composites alone, whose cases say little about a new study's",
                cure="plan from a preset, or from a pilot with indicators",
            )
        )
    alpha, beta = (np.median(flat[name].to_numpy(), axis=0) for name in ("alpha", "beta"))
    base = np.round(expit(alpha), _DIGITS).clip(1e-4, 1 - 1e-4)
    end = np.round(expit(alpha + beta), _DIGITS).clip(1e-4, 1 - 1e-4)
    found: dict[str, Any] = {
        "facilities": study.data.sizes["facility"],
        "controls": whole.data.sizes["facility"] - study.data.sizes["facility"],
        "indicators": study.data.sizes["indicator"],
        "domains": len(np.unique(study.data["domain"].to_numpy().astype(str))),
        "baseline_level": tuple(base.tolist()),
        "improvement": tuple(np.round(100 * (end - base), 2).tolist()),
        "m": study.m,
        **_weights(study),
        **_cases(study),
        # a scenario has one spread of change
        "priors": json.loads(fit.attrs["priors"]) | {"change_spread": "shared"},
        **_criteria(study),
    }
    for name in flat:
        if _is_hyper(str(name)):
            middle = np.round(np.median(flat[name].to_numpy(), axis=0), _DIGITS)
            found[str(name)] = tuple(middle.tolist()) if middle.ndim else float(middle)
    known = {field.name for field in fields(Scenario)}
    return {name: value for name, value in found.items() if name in known}


def from_pilot(scenario: Scenario, fit: xr.DataTree, *, seed: int) -> DrawSettings:
    """Return draws from the posterior of a pilot study, for new facilities like the pilot's.

    With another number of indicators than the pilot's, each draw gives the scenario's indicators
    levels, changes and spreads picked from those of the pilot.

    Parameters
    ----------
    scenario : Scenario
        Counts; levels of effects that the pilot could not tell apart keep its values.
    fit : DataTree
        From `pdsim.fit`: counts in two periods.
    seed : int

    Raises
    ------
    InputError
        If the fit has one period or scale scores.
    """
    need_counts(scenario)
    flat = _posterior(fit)
    alpha, beta = flat["alpha"].to_numpy(), flat["beta"].to_numpy()
    hyper = {
        str(name): flat[name].to_numpy()
        for name in flat
        if _is_hyper(str(name)) and str(name).rpartition("_")[2] in scenario.effect_levels
    }
    order = generator(seed, -1).permutation(len(alpha))
    same = alpha.shape[1] == scenario.indicators

    def draw(number: int) -> Mapping[str, Any]:
        row = order[number % order.size]
        pick = np.arange(scenario.indicators)
        if not same:
            pick = generator(seed, number).integers(alpha.shape[1], size=scenario.indicators)
        found = {name: _possible(name, values[row], pick) for name, values in hyper.items()}
        return found | levels_of(scenario, alpha[row, pick], beta[row, pick])

    return draw


def _posterior(fit: xr.DataTree) -> xr.Dataset:
    """Return alpha, beta, spreads and correlations over ``sample`` first."""
    if "posterior" not in fit.children or fit.attrs.get("kind") != "counts":
        raise InputError(
            Problem(
                rule="a pilot must be a fit of counts",
                cure='plan for scores with kind = "normal" and a unit_sd that holds the '
                "correlation of their errors",
            )
        )
    posterior = fit["posterior"].to_dataset()
    if "beta" not in posterior:
        raise InputError(Problem(rule="a pilot needs two periods, this one has one"))
    if "arm_effect" in posterior:
        # new facilities are like those of the programme, not like its controls
        posterior = posterior.assign(
            alpha=posterior["alpha"] + posterior["imbalance"],
            beta=posterior["beta"] + posterior["arm_effect"],
        )
    if "arm" in posterior.dims:
        posterior = posterior.sel(arm=PROGRAMME, drop=True)
    names = [name for name in posterior if name in ("alpha", "beta") or _is_hyper(str(name))]
    return posterior[names].stack(sample=("chain", "draw")).transpose("sample", ...)


def _is_hyper(name: str) -> bool:
    return name.startswith(("sd_", "corr_"))


def _possible(name: str, value: Floats, pick: Ints) -> float | tuple[float, ...]:
    """Return a drawn spread or correlation within what a scenario allows."""
    limited = np.clip(value, -1, 1) if name.startswith("corr") else np.minimum(value, LARGEST_SD)
    return tuple(limited[pick].tolist()) if np.ndim(limited) else float(limited)


def _weights(study: Study) -> dict[str, Any]:
    weights = study.data["weight"].to_numpy().astype(float)
    if np.allclose(weights, weights[0]):
        return {"weighting": "equal"}
    return {
        "weighting": "given",
        "weights": tuple(np.round(weights / weights.sum(), _DIGITS).tolist()),
    }


def _criteria(study: Study) -> dict[str, Any]:
    """Return the criteria of the pilot in the names of a simulated study.

    None where one speaks of a domain or of regression to the mean, which new facilities lack.
    """
    periods, indicators, domains = (
        study.data[dim].to_numpy().tolist() for dim in ("period", "indicator", "domain")
    )
    known = score_names(study.kind, periods, indicators, domains)
    new = [*PERIODS, *numbered("indicator", len(indicators))]
    label = dict(zip([*periods, *indicators], new, strict=True))
    simulated = simulated_scores(len(indicators), 1)
    texts = []
    for text in study.options.criteria:
        score = parse_criterion(text, known).score
        estimand, bracket, part = score.removesuffix("]").partition("[")
        renamed = f"{estimand}[{label.get(part)}]" if bracket else estimand
        if renamed not in simulated:
            return {}
        texts.append(text.replace(score, renamed))
    return {"criteria": tuple(texts)} if texts else {}


def _cases(study: Study) -> dict[str, Any]:
    """Return how many cases the pilot had in a cell, and how they depend on each other.

    A design effect D, stated or estimated from visits with their shifts, becomes visits of b cases
    that are correlated by (D - 1) / (b - 1); b is that of the visits, or a whole cell's.
    """
    trials = study.data["trials"].fillna(0).to_numpy()
    seen = trials > 0
    mean = float(trials[seen].mean())
    found: dict[str, Any] = {"trials": max(1, round(mean)), "missing": round(1 - seen.mean(), 3)}
    cells = np.divide(trials.sum(axis=1), seen.sum(axis=1), where=seen.any(axis=1),
                      out=np.full((trials.shape[0], trials.shape[2]), mean))  # fmt: skip
    spread = float(cells.std() / mean)
    found["trials_cv"] = round(spread, 2) if spread > _NOTABLE_CV else 0.0
    r = round(float(study.case_correlation or 0.0), _DIGITS)
    effect = study.average_design_effect
    if effect > 1:
        visits = study.visit_counts.to_numpy()[seen]
        per_visit = max(2, round(float((trials[seen] / visits).mean())))
        shared = round(min((effect - 1) / (per_visit - 1), _HIGHEST_R), _DIGITS)
        found |= {"cases_per_visit": per_visit, "visit_correlation": shared}
        r = max(r, shared)
    return found | {"case_correlation": min(r, _HIGHEST_R)}
