"""All tables of an analysis, and beside them the same choice under other assumptions.

Fits are compiled code and need the interpreter little, tables hardly anything else: on two cores
both together take little longer than the longer of the two.
"""

import json
from concurrent.futures import ThreadPoolExecutor

import xarray as xr

from pdsim.analysis.all_tables import Scored, fit_checks, gather, gather_steps, scored
from pdsim.analysis.begun import Pending, begin_refits
from pdsim.analysis.refits import side_by_side, suppressed_sentences
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
    pool: ThreadPoolExecutor,
    begun: dict[str, Pending] | None = None,
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
    pool : ThreadPoolExecutor
        Which fits again, and checks the fit.
    begun : dict of str to Pending, optional
        From `begin_refits`, where they have been begun.
    """
    known = scored(fit, study)
    tested = not _undecided(study, known)
    if tested and begun is None and side_by_side(study):
        begun = begin_refits(study, chosen, pool)
    tell = steps(progress, "ranking and weights", gather_steps(study))
    checked = pool.submit(fit_checks, fit, study).result
    results = gather(fit, study, delta=delta, known=known, checked=checked, tell=tell)
    tables: dict[str, xr.Dataset] = {}
    if tested:
        begun = begun or begin_refits(study, chosen, pool)
        number = sum(table.rows for table in begun.values())
        tell = steps(progress, "testing the choice under other assumptions", number)
        tables = {name: table.finish(known.main, tell) for name, table in begun.items()}
    return _with_refits(results, tables, study, known)


def _undecided(study: Study, known: Scored) -> bool:
    """Tell whether nobody is chosen at either end: there is no choice to test."""
    return known.tied and "of" not in study.data


def _with_refits(
    results: xr.DataTree, tables: dict[str, xr.Dataset], study: Study, known: Scored
) -> xr.DataTree:
    """Add the tables of refits, and what would change the choice."""
    if _undecided(study, known):
        results["changes"] = xr.DataTree(changes_group(results))
        return results
    if "case_correlation" in tables:
        results.attrs["case_correlations_shown"] = json.dumps(
            study.options.robustness.case_correlations
        )
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
