"""What costs precision in the field, and what it costs to get it back."""

from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from pdsim.reports.formats.document import Column, Element, Paragraph, Section, Table, Text, fill
from pdsim.reports.formats.numbers import NumberKind
from pdsim.reports.plan.plan_sentences import currency_of, scenario_of
from pdsim.terms.measures import MEASURES
from pdsim.terms.rules import RULES

_VISITS: Final[dict[str, NumberKind]] = {
    "correlation": "d2", "design_effect": "d2", "per_visit": "whole", "best": "whole",
    "cost_of_visit": "whole", "cost_of_case": "d2",
}  # fmt: skip
_PRICES: Final[dict[str, NumberKind]] = {"size": "whole", "cost": "whole", "extra": "whole"}
_DROPOUT: Final[dict[str, NumberKind]] = {
    "lost": "whole", "value": "d3", "value_after": "d3", "change": "d3", "change_mcse": "mcse",
}  # fmt: skip
_CONTROLS: Final[dict[str, NumberKind]] = {
    "controls": "whole", "cost": "whole", "r": "d2", "half_post": "d1", "half_change": "d1",
    "half_ancova": "d1",
}  # fmt: skip
_WORTH: Final[dict[str, NumberKind]] = {
    "right": "d2", "right_mcse": "mcse", "by_lot": "d2", "gain": "whole", "cost": "whole",
    "worth": "whole",
}  # fmt: skip
_CHANGES: Final = {
    "case_correlation": "two indicators of one case correlate by 0.1 more",
    "indicators": "one indicator is dropped",
    "heterogeneity": "spreads of indicators differ more: by a further factor of 1.6 either way",
    "missing": "a tenth more of the cells (an indicator in a facility and period) is missing",
    "trials_cv": "numbers of cases are unequal, with a coefficient of variation of 0.5",
    "dropout": "a tenth of the facilities drops out and is recruited on top",
    "visit": "one visit more to every facility in every period",
    "controls": "half as many facilities again, as controls",
}


def field_sections(plan: xr.DataTree) -> list[Section]:
    """Return the section on visits, prices and worth, if the plan has costs.

    Parameters
    ----------
    plan : xr.DataTree
        From `pdsim.plan`.
    """
    blocks: list[Element] = []
    if "visits" in plan.children:
        table = _one_row(plan, "visits", _VISITS, "Visits", _VISIT_HEADERS)
        blocks += [Paragraph(text=_visit_sentence(plan, table)), table]
    if "prices" in plan.children:
        prices = _price_table(plan)
        blocks.append(prices)
    if "controls" in plan.children:
        controls = _one_row(plan, "controls", _CONTROLS, "What controls give", _CONTROL_HEADERS)
        blocks += [Paragraph(text=_control_sentence(plan, controls)), controls]
    if "dropout" in plan.children:
        dropout = _one_row(plan, "dropout", _DROPOUT, "Facilities that drop out", _DROPOUT_HEADERS)
        blocks += [Paragraph(text=_dropout_sentence(plan, dropout)), dropout]
    if "worth" in plan.children:
        worth = _one_row(plan, "worth", _WORTH, "What the evaluation is worth", _WORTH_HEADERS)
        blocks += [Paragraph(text=_worth_sentence(plan, worth)), worth]
    if not blocks:
        return []
    return [Section(key="field", title="In the field", blocks=tuple(blocks))]


_VISIT_HEADERS: Final = {
    "correlation": "Correlation of two cases of a visit", "design_effect": "Design effect",
    "per_visit": "Cases per visit", "best": "Best for the money",
    "cost_of_visit": "Cost of a visit", "cost_of_case": "Cost of a case",
}  # fmt: skip
_DROPOUT_HEADERS: Final = {
    "lost": "Facilities lost", "value": "Measure with all", "value_after": "Without them",
    "change": "Change", "change_mcse": "MCSE",
}  # fmt: skip
_CONTROL_HEADERS: Final = {
    "controls": "Controls", "cost": "Cost", "r": "Correlation of baseline and endline",
    "half_post": "Half width by the endline", "half_change": "By changes",
    "half_ancova": "Given the baseline",
}  # fmt: skip
_WORTH_HEADERS: Final = {
    "right": "Named rightly", "by_lot": "By lot", "gain": "Gain", "cost": "Cost", "worth": "Worth",
}  # fmt: skip


def _one_row(
    plan: xr.DataTree, name: str, kinds: dict[str, NumberKind], title: str, headers: dict[str, str]
) -> Table:
    found = plan[name].to_dataset()
    row = {key: float(found[key]) for key in kinds}
    row = {key: value if np.isfinite(value) else np.nan for key, value in row.items()}
    return Table(
        key=f"{name}-row",
        title=title,
        frame=pd.DataFrame([row], index=pd.Index([name])),
        kinds=kinds,
        columns=tuple(Column(header=text, keys=(key,)) for key, text in headers.items()),
    )


def _visit_sentence(plan: xr.DataTree, table: Table) -> Text:
    if scenario_of(plan)["visit_correlation"] == 0:
        return (
            "The cases of a visit are taken as independent, so that visits cost money and no "
            "precision. Cases of one day mostly share an error: state visit_correlation and "
            "cases_per_visit to have that priced.",
        )
    parts: dict[str, Any] = {key: table.number("visits", key) for key in _VISITS}
    planned = "all cases of a period on one visit"
    if np.isfinite(parts["per_visit"].value):
        planned = "{per_visit} cases a visit"
    return fill(
        "The scores of two cases of one visit correlate by r = {correlation}: "
        f"{planned} raise the variance by a factor of {{design_effect}}. For the money {{best}} "
        "cases a visit are best, the root of (cost of a visit / cost of a case) (1 - r) / r.",
        parts,
    )


def _price_table(plan: xr.DataTree) -> Table:
    found = plan["prices"].to_dataset()
    names = [str(name) for name in found["change"].to_numpy()]
    frame = found.to_dataframe()[list(_PRICES)]
    frame.insert(0, "label", [_CHANGES[name] for name in names])
    money = currency_of(plan)
    return Table(
        key="prices",
        title="What the field costs",
        frame=frame,
        kinds=_PRICES,
        columns=(
            Column(header="If", keys=("label",), layout="text"),
            Column(header="Cases per cell", keys=("size",)),
            Column(header=f"Cost{money}", keys=("cost",)),
            Column(header=f"More{money}", keys=("extra",)),
        ),
        notes=(
            (
                "To be as reliable as the study of the answer, by normal theory; not simulated. "
                "One visit more goes beyond that: it brings its cases. A dash under the cases: "
                "their number stays; under the cost: no number makes up for it.",
            ),
        ),
    )


def _control_sentence(plan: xr.DataTree, table: Table) -> Text:
    found = plan["controls"].to_dataset()
    parts: dict[str, Any] = {key: table.number("controls", key) for key in _CONTROLS}
    unit = " percentage points" if scenario_of(plan)["kind"] == "counts" else ""
    one = int(found["controls"]) == 1
    who = "control of the plan costs" if one else "controls of the plan cost"
    text = f"The {{controls}} {who} {{cost}}{currency_of(plan)}"
    if not found["stated"]:
        who = "facility as control costs" if one else "facilities as controls cost"
        text = f"{{controls}} {who} {{cost}}{currency_of(plan)} more"
    text += " and tell the effect of the programme to about "
    if np.isfinite(float(found["half_ancova"])):
        text += f"{{half_ancova}}{unit} on either side, given the baseline ({{half_change}} by "
        text += "changes, {half_post} by the endline alone)"
    else:
        text += f"{{half_change}}{unit} on either side"
    return fill(
        f"{text}; without them nothing tells it from what would have changed anyway. They hardly "
        "help the ranking, from which a common trend drops out.",
        parts,
    )


def _dropout_sentence(plan: xr.DataTree, table: Table) -> Text:
    measure = MEASURES[plan["answer"].attrs["measure"]].words
    parts: dict[str, Any] = {key: table.number("dropout", key) for key in _DROPOUT}
    rule = plan["dropout"].attrs["rule"]
    by = "" if rule == scenario_of(plan)["rule"] else f", chosen by {RULES[rule].label}"
    many = int(plan["dropout"]["lost"]) > 1
    who = (
        "{lost} facilities drop out and nobody takes their place"
        if many
        else ("{lost} facility drops out and nobody takes its place")
    )
    return fill(
        f"If {who}, the {measure} becomes {{value_after}} after {{value}} (change {{change}}, MCSE "
        f"{{change_mcse}}; simulated{by}): a best facility that is gone cannot be named.",
        parts,
    )


def _worth_sentence(plan: xr.DataTree, table: Table) -> Text:
    parts: dict[str, Any] = {key: table.number("worth", key) for key in _WORTH}
    parts |= {"money": currency_of(plan), "m": str(scenario_of(plan)["m"])}
    return fill(
        "Of {m} named as best, {right} are expected to be right (MCSE {right_mcse}), and {by_lot} "
        "if lots were drawn. At the stated loss of a wrong name that gains {gain}{money}, less the "
        "cost of {cost}{money}: {worth}{money}.",
        parts,
    )
