"""Counts and overall figures of a study that sentences quote."""

import numpy as np
import pandas as pd

from pdsim.conventions import CERTAIN
from pdsim.reports.formats.document import Column, Table
from pdsim.reports.formats.numbers import NumberKind
from pdsim.reports.study.suppress import small_counts
from pdsim.reports.study.tables import with_unit
from pdsim.reports.study.view import SIDES, Results

ROW = "study"
"""The one row of the facts."""


_EXACT = frozenset(
    {
        "facilities",
        "controls",
        "indicators",
        "domains",
        "trials_min",
        "trials_max",
        "missing",
        "m",
        "pairs",
    }
    | {"draws", "certain", "delta", "suppress_below"}
)


def facts_table(results: Results) -> Table:
    """Return the study at a glance: one row, printed as a list."""
    facts: dict[str, tuple[str, float | str, NumberKind | None]] = {}
    size = len(results.facilities)
    facts["facilities"] = ("Facilities", size, "whole")
    if results.has("study"):
        facts |= _observed(results)
    facts["m"] = ("Facilities named at each end", results.m, "whole")
    facts |= _overall(results)
    if results.has("pairs"):
        facts |= _pairs(results)
    for side in SIDES:
        facts |= _sets(results, side)
    if results.has("programme"):
        facts |= _beyond_controls(results)
    sampler = results.loads("sampler", {})
    if "draws" in sampler:
        total = int(sampler["draws"]) * int(sampler.get("chains", 1))
        facts["draws"] = ("Posterior draws", total, "whole")
    if "ess" in results.tree.attrs:
        facts["ess"] = ("Effective sample size", float(results.attr("ess")), "whole")
    if results.suppress_below is not None:
        facts["suppress_below"] = ("Counts not printed: below", results.suppress_below, "whole")
    ranking = results.group("ranking")
    error = float(max(ranking[f"p_{side}_mcse"].max() for side in SIDES))
    if error > 0.0:
        facts["mcse"] = ("Largest MCSE of P(top) and P(bottom)", error, "mcse")
    facts["certain"] = ("Called certain from probability", CERTAIN, "ratio")
    if float(results.attr("delta", 0.0)) > 0.0:
        label = f"Improvement worth stating ({results.units})"
        facts["delta"] = (label, float(results.attr("delta")), "figure")
    return _one_row(results, facts)


def _one_row(
    results: Results, facts: dict[str, tuple[str, float | str, NumberKind | None]]
) -> Table:
    kinds: dict[str, NumberKind] = {
        key: kind for key, (_, _, kind) in facts.items() if kind is not None
    }
    return Table(
        key="facts",
        title="The study at a glance",
        frame=pd.DataFrame({key: [value] for key, (_, value, _) in facts.items()}, index=[ROW]),
        kinds=kinds,
        columns=tuple(
            _column(key, header, kinds) for key, (header, _, _) in facts.items() if header
        ),
        marked=bool(results.failed),
        exact=_EXACT,
        upright=True,
    )


def _column(key: str, header: str, kinds: dict[str, NumberKind]) -> Column:
    if key not in kinds:
        return Column(header=header, keys=(key,), layout="name")
    if kinds[key] == "probability":
        return Column(header=header, keys=(key, f"{key}_mcse"), layout="probability")
    return Column(header=header, keys=(key,))


def _beyond_controls(
    results: Results,
) -> dict[str, tuple[str, float | str, NumberKind | None]]:
    group = results.group("programme")
    one = group.isel(part=0).sel(estimand="effect")
    low, high = one["interval"].to_numpy().tolist()
    kind, unit = results.value_kind, results.units
    return {
        "controls": ("Controls", int(group.attrs["controls"]), "whole"),
        "effect": (f"Programme effect beyond controls ({unit})", float(one["mean"]), kind),
        "effect_low": ("Its interval, from", low, kind),
        "effect_high": ("Its interval, to", high, kind),
    }


def _observed(results: Results) -> dict[str, tuple[str, float | str, NumberKind | None]]:
    data = results.group("study")
    facts: dict[str, tuple[str, float | str, NumberKind | None]] = {
        "indicators": ("Indicators", data.sizes["indicator"], "whole")
    }
    if "domain" in data.coords:
        domains = len(np.unique(data["domain"].to_numpy()))
        if domains > 1:
            facts["domains"] = ("Domains", domains, "whole")
    labels = results.loads("period_labels", [])
    if labels:
        facts["periods"] = ("Period" if len(labels) == 1 else "Periods", ", ".join(labels), None)
    if "trials" in data:
        trials = data["trials"]
        cells = trials.where(trials > 0)
        missing = int((trials == 0).sum())
        limit = results.suppress_below
        hidden = limit is not None and bool(small_counts(trials, limit).any())
        if not hidden:
            items = int(results.study_settings.get("items") or 1)
            what = "Cases in a cell" if items == 1 else "Cases times items in a cell"
            facts["trials_min"] = (f"{what}, fewest", float(cells.min()), "whole")
            facts["trials_max"] = (f"{what}, most", float(cells.max()), "whole")
    else:
        missing = int(data["mean"].isnull().sum())
    facts["missing"] = ("Cells without cases", missing, "whole")
    return facts


def _overall(results: Results) -> dict[str, tuple[str, float | str, NumberKind | None]]:
    facts: dict[str, tuple[str, float | str, NumberKind | None]] = {}
    mean = results.improvement["mean"]
    kind = results.value_kind
    label = with_unit(f"Mean {results.words.noun} over facilities", results.units)
    facts["mean_improvement"] = (label, float(mean.mean()), kind)
    if results.has("levels"):
        level = results.group("levels")["mean"].mean("facility")
        unit = results.level_unit
        for period in level["period"].to_numpy():
            header = f"Mean composite level at {period} ({unit})"
            facts[f"level_{period}"] = (header, float(level.sel(period=period)), results.level_kind)
    if "p_positive" in results.improvement and not results.is_level:
        certain = int((results.improvement["p_positive"] >= CERTAIN).sum())
        facts["improved"] = ("Facilities that certainly improved", certain, "whole")
        fell = int((results.improvement["p_positive"] <= 1.0 - CERTAIN).sum())
        facts["worsened"] = ("Facilities that certainly worsened", fell, "whole")
    return facts


def _pairs(results: Results) -> dict[str, tuple[str, float | str, NumberKind | None]]:
    above = results.group("pairs")["p_above"].to_numpy()
    upper = above[np.triu_indices(len(above), k=1)]
    certain = int((np.maximum(upper, 1 - upper) >= CERTAIN).sum())
    return {
        "pairs": ("Pairs of facilities", upper.size, "whole"),
        "pairs_certain": ("Pairs certainly ordered", certain, "whole"),
    }


def _sets(results: Results, side: str) -> dict[str, tuple[str, float | str, NumberKind | None]]:
    ranking = results.group("ranking")
    chosen = ranking[f"selected_{side}"].to_numpy().astype(bool)
    certain = int((ranking[f"p_{side}"].to_numpy()[chosen] >= CERTAIN).sum())
    facts: dict[str, tuple[str, float | str, NumberKind | None]] = {
        f"certain_{side}": (f"Selected for the {side} with certainty", certain, "whole")
    }
    attrs = results.group(f"sets_{side}").attrs if results.has(f"sets_{side}") else {}
    if "p_selected_set" in attrs and chosen.sum() == results.m:
        key = f"set_{side}"
        header = f"P({side} set is exactly right) (MCSE)"
        facts[key] = (header, float(attrs["p_selected_set"]), "probability")
        facts[f"{key}_mcse"] = ("", float(attrs["p_selected_set_mcse"]), "mcse")
    if results.has(f"superset_{side}"):
        held = results.group(f"superset_{side}")
        key = f"visit_{side}"
        header = f"P(the smallest sure set holds the true {side} {results.m})"
        facts[key] = (header, float(held["probability"]), "p2")
        size = int(held["member"].astype(bool).sum())
        facts[f"takes_{side}"] = (f"Facilities in that set, {side}", size, "whole")
    return facts
