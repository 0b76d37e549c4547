"""Everything that a plan assumes, as a table under the names of plan.toml."""

import json
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from pdsim.reports.formats.document import Column, Paragraph, Section, Table
from pdsim.reports.plan.plan_words import SETTING_WORDS
from pdsim.terms.rules import RULES

_POSTERIOR_ONLY: Final = ("engine", "draws", "priors", "assumed_case_correlation")
_EVERY_KIND: Final = (
    "kind", "facilities", "trials", "trials_cv", "sd_change_facility", "outlying", "rule", "m",
    "flag_threshold", "visit_correlation", "cases_per_visit",
)  # fmt: skip
_PRIORS: Final = "design_priors."
_PRIOR: Final = "prior that the assurance draws from"
_DRAWN: Final = ("drawn_low", "drawn_median", "drawn_high")
_LONGEST: Final = 60
_INDEPENDENT: Final = (
    "Errors of facilities are taken as independent. Where a value is a change or a composite of "
    "scores with correlated errors, as two rounds of one register have, unit_sd must hold that: "
    "the variance of a change is the sum of both variances less twice their covariance."
)
_NORMAL_ONLY: Final = ("means", "unit_sd", "known_se")


def assumption_section(plan: xr.DataTree) -> Section:
    """Return every setting of the scenario that matters, with its range and the costs.

    Parameters
    ----------
    plan : xr.DataTree
        From `pdsim.plan`.
    """
    settings = json.loads(plan.attrs["configuration"])
    ranges = settings.get("ranges") or {}
    planned = {settings["over"], *(settings.get("grid") or {})}
    if settings["over"] == "cost":
        planned.add("trials")
    shown = {
        name: _planned(value) if name in planned else _plain(value)
        for name, value in sorted(settings["scenario"].items(), key=_position)
        if _applies(name, settings["scenario"]) and value not in (None, [])
    }
    for part in ("costs", *(["design_priors"] if settings.get("assurance") == "priors" else [])):
        for name, value in (settings.get(part) or {}).items():
            if value is not None:
                shown[f"{part}.{name}"] = _plain(value)
    meanings = [
        SETTING_WORDS.get(name, _PRIOR if name.startswith(_PRIORS) else "") for name in shown
    ]
    frame = pd.DataFrame(
        {
            "name": list(shown),
            "meaning": meanings,
            "value": list(shown.values()),
            "range": [_plain(ranges.get(name), " to ") for name in shown],
        },
        index=pd.Index(list(shown)),
    )
    columns = [
        Column(header="Setting", keys=("name",), layout="text"),
        Column(header="Meaning", keys=("meaning",), layout="text"),
        Column(header="Value", keys=("value",), layout="text"),
    ]
    frame["source"] = ["" if name in planned else _source(plan, name) for name in shown]
    columns.append(Column(header="Source", keys=("source",), layout="text"))
    if ranges:
        columns.append(Column(header="Range", keys=("range",), layout="text"))
    searched = (
        f"The search was asked for an interval within {100 * settings['precision']:g} % of n; "
        f"seed {settings['seed']}, pdsim {json.loads(plan.attrs['versions'])['pdsim']}.",
    )
    table = Table(
        key="assumptions",
        title="Everything that is assumed",
        frame=frame,
        kinds={},
        columns=tuple(columns),
        notes=(searched,),
    )
    words = [str(plan.attrs["source"])] if plan.attrs["source"] else []
    if settings["scenario"]["kind"] == "normal":
        words.append(_INDEPENDENT)
    source = tuple(Paragraph(text=(text,)) for text in words)
    return Section(key="assumptions-section", title="Assumptions", blocks=(*source, table))


def _source(plan: xr.DataTree, name: str) -> str:
    """Return where a value comes from, and what it overrides."""
    one = plan["assumptions"].to_dataset().sel(setting=name)
    instead = str(one["instead"].item())
    source = str(one["source"].item())
    return f"{source}, instead of {_short(instead)}" if instead else source


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\u2026"


def drawn_table(plan: xr.DataTree) -> Table:
    """Return what the assurance averages over, beside what is stated.

    Parameters
    ----------
    plan : xr.DataTree
        From `pdsim.plan`, with assurance.
    """
    found = plan["assurance"].to_dataset()
    scenario = json.loads(plan.attrs["configuration"])["scenario"]
    names = [str(name) for name in found["parameter"].to_numpy()]
    stated = [scenario.get(name) for name in names]
    frame = pd.DataFrame(
        {
            "name": names,
            "meaning": [SETTING_WORDS[name] for name in names],
            "stated": [_plain(_middle(value)) for value in stated],
            **{key: found[key].to_numpy() for key in _DRAWN},
        },
        index=pd.Index(names),
    )
    return Table(
        key="drawn",
        title="What was drawn",
        frame=frame,
        kinds=dict.fromkeys(_DRAWN, "d2"),
        columns=(
            Column(header="Setting", keys=("name",), layout="text"),
            Column(header="Meaning", keys=("meaning",), layout="text"),
            Column(header="As stated", keys=("stated",), layout="text"),
            Column(header="Median", keys=("drawn_median",)),
            Column(header="95 % of draws", keys=("drawn_low", "drawn_high"), layout="interval"),
        ),
        notes=(("All else is as stated. Of values by indicator, the mean is shown.",),),
    )


def _middle(value: Any) -> Any:
    """Return the mean of values by indicator, with the digits of the draws beside it."""
    return round(float(np.mean(value)), 2) if isinstance(value, list) else value


def _applies(name: str, scenario: dict[str, Any]) -> bool:
    """Whether a setting matters for this kind of data and this rule."""
    if name in _POSTERIOR_ONLY and not RULES[scenario["rule"]].needs_posterior:
        return False
    if name == "imbalance" and not scenario["controls"]:
        return False
    level = name.rpartition("_")[2]
    if level == "domain" and scenario["domains"] in (1, scenario["indicators"]):
        return False
    if level == "indicator" and scenario["indicators"] == 1:
        return False
    if scenario["kind"] == "normal":
        return name in (*_EVERY_KIND, *_NORMAL_ONLY, *_POSTERIOR_ONLY)
    return name not in _NORMAL_ONLY


def _position(item: tuple[str, Any]) -> int:
    """Return the place of a setting: what belongs together stands together."""
    return list(SETTING_WORDS).index(item[0])


def _planned(value: Any) -> str:
    """Return what is said of a setting that the plan finds out."""
    return f"planned, in the proportions {_plain(value)}" if isinstance(value, list) else "planned"


def _plain(value: Any, between: str = ", ") -> str:
    """Return a setting as a person writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return between.join(_plain(item) for item in value)
    if isinstance(value, dict):
        parts = (f"{key} {_plain(item, ' ')}" for key, item in value.items() if item is not None)
        return between.join(parts)
    return f"{value:g}" if isinstance(value, float) else str(value)
