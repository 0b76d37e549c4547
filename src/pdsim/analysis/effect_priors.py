"""Does the effect hang on the priors? The same study with every prior it leans on moved."""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Final

import pandas as pd
import xarray as xr

from pdsim.analysis.control_tables import EFFECTS
from pdsim.analysis.refits import refitted_tree
from pdsim.analysis.summaries import SAMPLE
from pdsim.model import beyond_unseen_control, composite, programme_effect
from pdsim.model.composites import in_arm
from pdsim.model.controls import LEAST_CONTROLS
from pdsim.priors import Priors
from pdsim.study import Study
from pdsim.study.facilities import CONTROL
from pdsim.study.options import Engine

MOST_SHIFT: Final = 0.3
"""Posterior standard deviations by which another prior may move a mean."""

MOST_RATIO: Final = 1.3
"""By which it may multiply or divide a standard deviation."""

MOST_MOVED: Final = 0.1
"""By which it may move a probability."""

STATED: Final = "as stated"


def prior_variants(study: Study) -> dict[str, Priors]:
    """Return the priors that are tried, by what is moved and how far; the stated ones first.

    By every factor of ``[robustness] prior_factors``: the scales of all spreads; those of the
    effect and of the baseline difference between the arms; how far correlations of baseline and
    change may lie from 0.
    """
    base = study.options.priors or Priors()
    found = {STATED: base}
    for factor in sorted({*study.options.robustness.prior_factors} - {1.0}):
        found[f"spreads x {factor:g}"] = base.scaled(factor)
        arms = {
            name: replace(prior, mean_sd=factor * prior.mean_sd, sd=factor * prior.sd)
            for name, prior in (("imbalance", base.imbalance), ("arm_effect", base.arm_effect))
        }
        found[f"effects x {factor:g}"] = replace(base, **arms)  # type: ignore[arg-type]
        corr = {
            name: replace(getattr(base, name), eta=getattr(base, name).eta / factor)
            for name in ("corr_facility", "corr_domain", "corr_indicator")
        }
        found[f"correlations x {factor:g}"] = replace(base, **corr)
    return found


def effects_again(
    study: Study, priors: Priors, *, engine: Engine, seed: int, hand_over: bool
) -> xr.Dataset | str:
    """Return the effects of one more fit, or why it cannot be vouched for."""
    tree = refitted_tree(study, priors, engine=engine, seed=seed, hand_over=hand_over)
    return tree if isinstance(tree, str) else _summary(tree, seed=seed)


def effects_under(
    begun: Mapping[str, Future[xr.Dataset | str]], tell: Callable[[], None]
) -> xr.Dataset:
    """Return the programme effect, facilities' effects and P(beyond) under other priors.

    What is called prior-sensitive: a posterior whose mean moves by more than 0.3 of its standard
    deviation, or whose standard deviation changes by a factor of more than 1.3 (what [1]_ takes
    for a guide), and a probability that moves by more than 0.1, under any of `prior_variants`.

    Parameters
    ----------
    begun : mapping of label to Future
        What `effects_again` returns under each of `prior_variants`.
    tell : callable
        Called after each of them.

    Returns
    -------
    xarray.Dataset
        Over ``prior``: ``mean``, ``sd``, ``shift`` (in posterior standard deviations), ``ratio``
        (of standard deviations), each also over ``estimand``; ``facility_shift``,
        ``facility_ratio`` and, from three controls on, ``beyond_moved`` (facility). Labels:
        ``sensitive`` (estimand), ``facility_sensitive`` and ``beyond_sensitive`` (facility). The
        attribute ``refused`` is a JSON object of refits that failed their gates, which are left
        out; others hold the limits. Empty if that of the stated priors is among them.

    References
    ----------
    .. [1] Kallioinen N, Paananen T, Burkner P-C, Vehtari A (2024), Detecting and diagnosing prior
       and likelihood sensitivity with power-scaling, doi:10.1007/s11222-023-10366-5
    """
    parts: dict[str, xr.Dataset] = {}
    refused: dict[str, str] = {}
    for label, one in begun.items():
        effects = one.result()
        if isinstance(effects, str):
            refused[label] = effects
        else:
            parts[label] = effects
        tell()
    if STATED not in parts:
        return xr.Dataset(attrs={"refused": json.dumps(refused)})
    table = xr.concat(list(parts.values()), pd.Index(list(parts), name="prior"))
    own = table.sel(prior=STATED, drop=True)
    table["shift"] = (table["mean"] - own["mean"]) / own["sd"]
    table["ratio"] = table["sd"] / own["sd"]
    table["facility_shift"] = (table["facility_mean"] - own["facility_mean"]) / own["facility_sd"]
    table["facility_ratio"] = table["facility_sd"] / own["facility_sd"]
    table["sensitive"] = _sensitive(table["shift"], table["ratio"])
    table["facility_sensitive"] = _sensitive(table["facility_shift"], table["facility_ratio"])
    if "p_beyond" in table:
        table["beyond_moved"] = table["p_beyond"] - own["p_beyond"]
        moved: xr.DataArray = abs(table["beyond_moved"]) > MOST_MOVED
        table["beyond_sensitive"] = moved.any("prior")
    limits = {"most_shift": MOST_SHIFT, "most_ratio": MOST_RATIO, "most_moved": MOST_MOVED}
    return table.assign_attrs(limits, refused=json.dumps(refused))


def _sensitive(shift: xr.DataArray, ratio: xr.DataArray) -> xr.DataArray:
    moved = abs(shift) > MOST_SHIFT
    wider = (ratio > MOST_RATIO) | (ratio < 1 / MOST_RATIO)
    found: xr.DataArray = (moved | wider).any("prior")
    return found


def _summary(tree: xr.DataTree, *, seed: int) -> xr.Dataset:
    """Return means, standard deviations and P(beyond) of one fit."""
    drawn = [programme_effect(tree, estimand=name) for name in EFFECTS]
    whole = xr.concat(drawn, pd.Index(EFFECTS, name="estimand"), combine_attrs="drop")
    each = composite(tree, estimand="effect")
    found = xr.Dataset(
        {
            "mean": whole.mean(SAMPLE),
            "sd": whole.std(SAMPLE),
            "facility_mean": each.mean(SAMPLE),
            "facility_sd": each.std(SAMPLE),
        }
    )
    names = tree["constant_data"].to_dataset()["facility"]
    if in_arm(tree, names, CONTROL).size >= LEAST_CONTROLS:
        found["p_beyond"] = (beyond_unseen_control(tree, seed=seed) > 0).mean(SAMPLE)
    return found.drop_attrs()
