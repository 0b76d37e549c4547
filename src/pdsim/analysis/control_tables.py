"""What controls and covariates say: the programme effect, controls themselves, adjusted choices."""

import numpy as np
import pandas as pd
import xarray as xr

from pdsim.analysis.refits import compare_selections
from pdsim.analysis.summaries import mean_and_interval
from pdsim.arraytypes import Bools, Floats
from pdsim.model import beyond_unseen_control, composite, levels, programme_effect
from pdsim.model.composites import has_controls, resolve_weights
from pdsim.model.controls import LEAST_CONTROLS
from pdsim.ranking import improvement_probability
from pdsim.ranking.strata import stratum_probability
from pdsim.reports.study.view import SIDES
from pdsim.study import Study
from pdsim.study.facilities import CONTROL
from pdsim.terms.estimands import ESTIMANDS

EFFECTS = tuple(term.name for term in ESTIMANDS.values() if term.controls)
WHOLE = "all indicators"


def control_groups(fit: xr.DataTree, *, seed: int) -> dict[str, xr.Dataset]:
    """Return the tables of a study with controls; none without.

    Returns
    -------
    dict of str to Dataset
        ``programme`` (estimand, part): the programme effect on the whole, by domain and by
        indicator, ``mean``, ``interval``, ``p_positive``; attributes ``controls`` and
        ``imbalance`` with its bounds, the programme's baseline less the controls'.
        ``controls`` (facility): their change. ``beyond`` (facility): P(the change exceeds that of
        an unseen control with the same baseline), from three controls on.
    """
    if not has_controls(fit):
        return {}
    parts = _parts(levels(fit))
    keys = [(estimand, part) for estimand in EFFECTS for part in parts]
    draws = [programme_effect(fit, estimand=e, weights=parts[part]) for e, part in keys]
    table = _positive(xr.concat(draws, pd.Index(range(len(keys)), name="facility")))
    rows = [
        table.isel(facility=slice(n * len(parts), (n + 1) * len(parts)))
        .assign_coords(facility=list(parts))
        .rename(facility="part")
        for n in range(len(EFFECTS))
    ]
    programme = xr.concat(rows, pd.Index(EFFECTS, name="estimand"), combine_attrs="drop")
    other = composite(fit, estimand="change", arm=CONTROL)
    groups = {
        "programme": programme.assign_attrs(controls=other.sizes["facility"], **_imbalance(fit)),
        "controls": mean_and_interval(other),
    }
    if other.sizes["facility"] >= LEAST_CONTROLS:
        groups["beyond"] = _positive(beyond_unseen_control(fit, seed=seed))
    return groups


def covariate_groups(fit: xr.DataTree, score: xr.DataArray, *, m: int) -> dict[str, xr.Dataset]:
    """Return who is chosen with the covariates left in and taken out; nothing without any.

    Returns
    -------
    dict of str to Dataset
        ``adjusted`` (given, facility), see `compare_selections`, for ``as observed`` and ``given
        covariates``; attributes ``replaced``, how many of the top m the adjustment replaces, the
        mean over draws, and ``p_same``, the probability of none.
        ``covariates`` (covariate, slope): the slopes of baseline and change, in logits (or
        standard deviations) for one standard deviation.
    """
    if "covariates" not in fit["constant_data"].coords:
        return {}
    adjusted = composite(levels(fit, given_covariates=True), estimand=score.attrs["estimand"])
    scores = {"as observed": score, "given covariates": adjusted}
    table = compare_selections(scores, dim="given", m=m)
    plain = composite(fit, estimand=score.attrs["estimand"])
    first, second = (
        xr.zeros_like(one, dtype=bool).copy(data=_among_first(one.to_numpy(), m))
        for one in (plain, adjusted.transpose(*plain.dims))
    )
    replaced = (first & ~second).sum("facility")
    posterior = fit["posterior"].to_dataset()
    slopes = [name for name in ("covariate_level", "covariate_change") if name in posterior]
    parts = [mean_and_interval(posterior[name]) for name in slopes]
    labels = fit["constant_data"]["covariate"].to_numpy()
    joined = xr.concat(parts, pd.Index(slopes, name="slope"), combine_attrs="drop")
    return {
        "adjusted": table.assign_attrs(
            replaced=float(replaced.mean()), p_same=float((replaced == 0).mean())
        ),
        "covariates": joined.assign_coords(covariate=labels),
    }


def _among_first(score: Floats, m: int) -> Bools:
    """Return who is among the first m of every draw (..., facility)."""
    found: Bools = (-score).argsort(axis=-1, kind="stable").argsort(axis=-1) < m
    return found


def strata_groups(score: xr.DataArray, study: Study) -> dict[str, xr.Dataset]:
    """Return each facility's chances within its stratum, one place for each; nothing without any.

    Returns
    -------
    dict of str to Dataset
        ``strata`` (facility): ``p_top``, ``p_bottom`` with ``_mcse``, ``selected_top``,
        ``selected_bottom``, and the coordinate ``stratum``.
    """
    if "stratum" not in study.data.coords:
        return {}
    table = xr.Dataset()
    for side in SIDES:
        one = stratum_probability(score, study.data["stratum"], side=side)
        table = table.assign(
            {
                f"p_{side}": one["probability"],
                f"p_{side}_mcse": one["probability_mcse"],
                f"selected_{side}": one["selected"],
            }
        )
    return {"strata": table}


def _positive(draws: xr.DataArray) -> xr.Dataset:
    """Return mean, interval and P(> 0) of draws (chain, draw, facility)."""
    table = improvement_probability(draws)
    return mean_and_interval(draws).assign(
        p_positive=table["improvement_probability"],
        p_positive_mcse=table["improvement_probability_mcse"],
    )


def _parts(level: xr.DataArray) -> dict[str, list[float]]:
    """Return the weights of the whole, of every domain and of every indicator that counts."""
    weight = level["weight"].to_numpy().astype(float)
    names, domain = level["indicator"].to_numpy(), level["domain"].to_numpy()
    parts = {WHOLE: weight.tolist()}
    counted = list(dict.fromkeys(domain[weight > 0].tolist()))
    if len(counted) > 1:
        parts |= {
            f"domain {name}": np.where(domain == name, weight, 0.0).tolist() for name in counted
        }
    if len(names) > 1:
        parts |= {str(name): (names == name).astype(float).tolist() for name in names}
    return parts


def _imbalance(fit: xr.DataTree) -> dict[str, float]:
    """Return the programme's mean level at baseline less that of the controls, with bounds."""
    means = []
    for level in (levels(fit), levels(fit, arm=CONTROL)):
        first = level.isel(period=0, drop=True)
        factor = 1.0 if level.attrs["kind"] == "scores" else 100.0
        overall = xr.dot(first, resolve_weights(None, level), dim="indicator")
        means.append(factor * overall.mean("facility"))
    table = mean_and_interval(means[0] - means[1])
    low, high = table["interval"].to_numpy().tolist()
    return {"imbalance": float(table["mean"]), "imbalance_low": low, "imbalance_high": high}
