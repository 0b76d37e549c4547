"""Settings, priors and versions of an analysis, as tables."""

import math
from typing import Any

import pandas as pd

from pdsim.reports.formats.document import Column, Table
from pdsim.reports.formats.numbers import NumberKind
from pdsim.reports.study.facts import ROW
from pdsim.reports.study.view import Results

_LABELS = {
    "draws": "Draws kept per chain",
    "tune": "Tuning draws per chain",
    "chains": "Chains",
}
_FAMILIES = {
    "half_normal": "half-normal",
    "half_cauchy": "half-Cauchy",
    "half_t": "half-t",
    "exponential": "exponential",
    "inverse_gamma_variance": "inverse gamma on the variance",
}
_PARAMETERS = {
    "alpha": "baseline of an indicator",
    "beta": "change of an indicator",
    "sd_baseline_facility": "sd of baselines between facilities",
    "sd_baseline_domain": "sd of baselines between domains within a facility",
    "sd_baseline_indicator": "sd of baselines between indicators within a facility",
    "sd_change_facility": "sd of changes between facilities",
    "sd_change_domain": "sd of changes between domains within a facility",
    "sd_change_indicator": "sd of changes between indicators within a facility",
    "corr_facility": "correlation of baseline and change between facilities",
    "corr_domain": "correlation of baseline and change between domains within a facility",
    "corr_indicator": "correlation of baseline and change between indicators within a facility",
}


def parameter_words(name: str) -> str:
    """Return what a parameter of the model is, in words."""
    return _PARAMETERS.get(name, name)


def _sampler(results: Results) -> list[tuple[str, int, str]]:
    """Return key, value and words of the sampler's settings; the fast engine has no chains."""
    sampler = {name: int(value) for name, value in results.loads("sampler", {}).items()
               if name in _LABELS}  # fmt: skip
    if results.attr("engine") == "laplace" and "draws" in sampler:
        return [("draws", sampler["draws"] * sampler.get("chains", 1), "Draws")]
    return [(name, value, _LABELS[name]) for name, value in sampler.items()]


def settings_table(results: Results) -> Table:
    """Return engine, sampler and seed: one row, printed as a list."""
    values: dict[str, Any] = {"engine": str(results.attr("engine", "draws"))}
    columns = [Column(header="Engine", keys=("engine",), layout="name")]
    kinds: dict[str, NumberKind] = {}
    for name, value, label in _sampler(results):
        values[name], kinds[name] = value, "whole"
        columns.append(Column(header=label, keys=(name,)))
    if results.attr("seed") is not None:
        values["seed"], kinds["seed"] = int(results.attr("seed")), "label"
        columns.append(Column(header="Seed", keys=("seed",)))
    r = float(results.attr("case_correlation", float("nan")))
    if not math.isnan(r):
        values["case_correlation"], kinds["case_correlation"] = r, "figure"
        columns.append(Column(header="Within-case correlation", keys=("case_correlation",)))
    if results.loads("case_correlations_shown", []):
        shown = results.loads("case_correlations_shown", [])
        values["shown"] = ", ".join(f"{r:g}" for r in shown)
        columns.append(
            Column(header="Within-case correlations tried", keys=("shown",), layout="text")
        )
    return Table(
        key="settings",
        title="Settings",
        frame=pd.DataFrame({key: [value] for key, value in values.items()}, index=[ROW]),
        kinds=kinds,
        columns=tuple(columns),
        upright=True,
    )


def priors_table(results: Results) -> Table | None:
    """Return the priors of the parameters that the model has, or nothing."""
    priors = results.loads("priors", {})
    present = set(_PARAMETERS)
    if results.has("hyper"):
        names = set(results.group("hyper")["parameter"].to_numpy().tolist())
        present = {"alpha", "beta", *(str(name).partition(":")[0] for name in names)}
    if results.estimand == "level":
        present.discard("beta")
    rows = {
        name: _prior(prior) + _points(prior) for name, prior in priors.items() if name in present
    }
    if not rows:
        return None
    return Table(
        key="priors",
        title="Priors",
        frame=pd.DataFrame(
            {
                "parameter": list(rows),
                "meaning": [parameter_words(name) for name in rows],
                "prior": list(rows.values()),
            },
            index=list(rows),
        ),
        kinds={},
        columns=(
            Column(header="Parameter", keys=("parameter",), layout="text"),
            Column(header="What it is", keys=("meaning",), layout="text"),
            Column(header="Prior", keys=("prior",), layout="text"),
        ),
        notes=(
            (
                f"{_unit(results)} Baselines and changes of indicators share a mean, which is "
                "normal too and integrated out.",
            ),
        ),
    )


def _unit(results: Results) -> str:
    """Say what one unit of a prior is, on the scale of the scores where they have one."""
    scales = [float(scale) for scale in results.loads("score_scales", {}).values()]
    if not scales:
        return "On the logit scale (scale scores: in baseline standard deviations)."
    low, high = f"{min(scales):.3g}", f"{max(scales):.3g}"
    span = f"{low} points" if low == high else f"{low} to {high} points, by indicator"
    return f"In baseline standard deviations where no points are named: one unit is {span}."


def _points(prior: dict[str, Any]) -> str:
    """Say that a prior is in points, where the others are in standard deviations."""
    return " (points)" if prior.get("unit") == "points" else ""


def _prior(prior: dict[str, Any]) -> str:
    if "mean_sd" in prior:
        return (
            f"normal, sd {prior['sd']:g}, around a shared mean: normal({prior['mean']:g}, "
            f"sd {prior['mean_sd']:g})"
        )
    if "median" in prior:
        return (
            f"log-t with {prior['df']:g} degrees of freedom around {prior['median']:g}, drawn "
            f"towards each other: scale of the logs {prior['spread']:g}, what they have in common "
            f"{prior['common']:g} times as variable"
        )
    if "eta" in prior:
        return f"LKJ({prior['eta']:g})"
    family = _FAMILIES.get(prior["family"], str(prior["family"]))
    parts = [
        f"{name} {prior[name]:g}"
        for name in ("shape", "df", "scale")
        if prior.get(name) is not None
    ]
    return f"{family}, {', '.join(parts)}"


def versions_table(results: Results) -> Table | None:
    """Return the versions of the packages that decided the numbers, or nothing."""
    versions = results.loads("versions", {})
    if not versions:
        return None
    names = list(versions)
    return Table(
        key="versions",
        title="Versions",
        frame=pd.DataFrame(
            {"package": names, "version": [str(versions[name]) for name in names]}, index=names
        ),
        kinds={},
        columns=(
            Column(header="Package", keys=("package",), layout="text"),
            Column(header="Version", keys=("version",), layout="name"),
        ),
    )
