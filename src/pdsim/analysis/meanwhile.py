"""All tables of an analysis, and beside them the same choice under other assumptions.

Fits are compiled code and need the interpreter little, tables hardly anything else: on two cores
both together take little longer than the longer of the two.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import xarray as xr

from pdsim.analysis.all_tables import Scored, gather, gather_steps, scored
from pdsim.analysis.effect_priors import effect_prior_sensitivity, prior_variants
from pdsim.analysis.refits import (
    case_correlation_sensitivity,
    clustered,
    design_effect_sensitivity,
    labelled_not_warned,
    prior_sensitivity,
    side_by_side,
    suppressed_sensitivity,
    suppressed_sentences,
)
from pdsim.analysis.stages import AnalysisCallback, steps
from pdsim.analysis.what_if import changes_group
from pdsim.study import Study
from pdsim.study.options import SamplerSettings


def gather_all(
    fit: xr.DataTree,
    study: Study,
    *,
    delta: float,
    chosen: SamplerSettings,
    progress: AnalysisCallback,
) -> xr.DataTree:
    """Return the tables of `gather`, those of refits, and what would change the choice.

    Parameters
    ----------
    fit : xarray.DataTree
        Of `study`.
    study : Study
    delta : float
        See `gather`.
    chosen : SamplerSettings
        Its seed is that of the refits, too.
    progress : callable
        Called with `AnalysisProgress` events, always in this thread.
    """
    tell = steps(progress, "ranking and weights", gather_steps(study))
    known = scored(fit, study)
    ended: SimpleQueue[bool] = SimpleQueue()

    def refit() -> dict[str, xr.Dataset]:
        try:
            return _refitted(study, known, chosen, tell=lambda: ended.put(True))
        finally:
            ended.put(False)

    # the filters of warnings are those of all threads: they are set here, around both
    with labelled_not_warned(), ThreadPoolExecutor(1) as aside:
        begun = aside.submit(refit) if side_by_side(study) else None
        results = gather(fit, study, delta=delta, known=known, tell=tell)
        begun = begun or aside.submit(refit)
        total = _count(study, known)
        tell = steps(progress, "testing the choice under other assumptions", total)
        while ended.get():
            tell()
        return _with_refits(results, begun.result(), study, known)


def _undecided(study: Study, known: Scored) -> bool:
    """Tell whether nobody is chosen at either end: there is no choice to test."""
    return known.tied and "of" not in study.data


def _correlations(study: Study) -> tuple[float, ...]:
    """Return the case correlations to assume; none where it is known, or has no meaning."""
    unknown = study.case_correlation is None and study.shares_cases
    return study.options.robustness.case_correlations if unknown else ()


def _factors(study: Study) -> list[float]:
    factors = study.options.robustness.prior_factors
    return sorted({1.0, *factors}) if factors else []


def _count(study: Study, known: Scored) -> int:
    """Return how many refits are told of."""
    if _undecided(study, known):
        return 0
    factors = _factors(study)
    effects = clustered(study) if study.kind == "counts" else {}
    armed = prior_variants(study) if study.control is not None and factors else {}
    suppressed = 2 if "of" in study.data else 0
    return len(_correlations(study)) + len(factors) + len(effects) + suppressed + len(armed)


def _refitted(
    study: Study, known: Scored, chosen: SamplerSettings, *, tell: Callable[[], None]
) -> dict[str, xr.Dataset]:
    """Return the selections under other case correlations, priors, design effects and counts."""
    tables: dict[str, xr.Dataset] = {}
    if _undecided(study, known):
        return tables
    own, factors = known.main, _factors(study)
    # the fast engine makes refits; what it cannot vouch for is worth minutes only if NUTS was asked
    hand_over, seed = chosen.engine == "nuts", chosen.seed
    if _correlations(study):
        tables["case_correlation"] = case_correlation_sensitivity(
            study, hand_over=hand_over, seed=seed, tell=tell
        )
    if factors:
        tables["priors_scaled"] = prior_sensitivity(
            study, hand_over=hand_over, seed=seed, own=own, tell=tell
        )
    if study.kind == "counts" and clustered(study):
        tables["design_effect"] = design_effect_sensitivity(
            study, hand_over=hand_over, seed=seed, own=own, tell=tell
        )
    if study.control is not None and factors and prior_variants(study):
        tables["effect_priors"] = effect_prior_sensitivity(
            study, hand_over=hand_over, seed=seed, tell=tell
        )
    if "of" in study.data:
        tables["suppressed"] = suppressed_sensitivity(
            study, hand_over=hand_over, seed=seed, tell=tell
        )
    return tables


def _with_refits(
    results: xr.DataTree, tables: dict[str, xr.Dataset], study: Study, known: Scored
) -> xr.DataTree:
    """Add the tables of refits, and what would change the choice."""
    if _undecided(study, known):
        results["changes"] = xr.DataTree(changes_group(results))
        return results
    if "case_correlation" in tables:
        results.attrs["case_correlations_shown"] = json.dumps(_correlations(study))
    if "suppressed" in tables:
        said = suppressed_sentences(tables["suppressed"], results["ranking"].to_dataset())
        assumed = json.loads(results.attrs["assumptions"])
        results.attrs["assumptions"] = json.dumps([*assumed, *said])
    refused = {name: json.loads(table.attrs["refused"]) for name, table in tables.items()}
    results.attrs["refused_refits"] = json.dumps({k: v for k, v in refused.items() if v})
    for name, table in tables.items():
        if table.data_vars:
            results[name] = xr.DataTree(table)
    share = study.options.robustness.weight_share
    results["changes"] = xr.DataTree(changes_group(results, weight_share=share))
    return results
