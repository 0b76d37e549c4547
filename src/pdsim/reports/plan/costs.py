"""The designs of a plan: what each costs, and the best for each budget."""

from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from pdsim.reports.formats.document import (
    Column,
    Element,
    Paragraph,
    Picture,
    Section,
    Table,
    Text,
    fill,
)
from pdsim.reports.formats.numbers import NumberKind
from pdsim.reports.plan.plan_words import design_words
from pdsim.reports.plots.plan_curves import plan_frontier

_FRONTIER: Final[dict[str, NumberKind]] = {
    "budget": "whole", "facilities": "whole", "indicators": "whole", "trials": "whole",
    "value": "d3", "value_low": "d3", "value_high": "d3",
}  # fmt: skip


def cost_sections(plan: xr.DataTree, label: str) -> list[Section]:
    """Return the section on designs and budgets, if the plan has either.

    Parameters
    ----------
    plan : xr.DataTree
        From `pdsim.plan`.
    label : str
        Of the measure.
    """
    blocks: list[Element] = []
    if "designs" in plan.children:
        blocks.append(_design_table(plan["designs"].to_dataset()))
    if "frontier" in plan.children:
        frontier = plan["frontier"].to_dataset()
        table = _frontier_table(frontier)
        blocks += [Paragraph(text=_budget_sentence(frontier, table, label)), table]
    if not blocks:
        return []
    return [Section(key="cost", title="Designs and budgets", blocks=tuple(blocks))]


def frontier_picture(plan: xr.DataTree, label: str) -> Picture:
    """Return the drawing of what each design reaches for each budget.

    Parameters
    ----------
    plan : xr.DataTree
        From `pdsim.plan`, with a frontier.
    label : str
        Of the measure.
    """
    figure, data = plan_frontier(plan["frontier"].to_dataset(), label=label)
    words = (
        "What each design reaches for each budget, with as many cases as it pays for; the "
        "stated budget is dashed.",
    )
    return Picture(key="frontier", caption=words, alt=words, figure=figure, data=data)


def _design_table(designs: xr.Dataset) -> Table:
    names = [
        "facilities", "indicators", "cases_per_visit", "trials", "rounds", "cases", "cost",
        "cost_low", "cost_high",
    ]  # fmt: skip
    frame = designs[names].to_dataframe()[names]
    frame.index = pd.Index([f"design {i + 1}" for i in range(len(frame))])
    bounds = frame[["cost_low", "cost_high"]]
    frame[["cost_low", "cost_high"]] = bounds.where(np.isfinite(bounds))
    frame["result"] = _results(designs)
    kinds: dict[str, NumberKind] = dict.fromkeys(names, "whole")
    headers = [
        "Facilities",
        "Indicators",
        "Cases per visit",
        "Cases per cell",
        "Visits",
        "Cases in all",
        "Cost",
    ]
    return Table(
        key="designs",
        title="The designs that were compared",
        frame=frame,
        kinds=kinds,
        columns=(
            *(Column(header=header, keys=(key,)) for header, key in zip(headers, names[:7],
                                                                       strict=True)),
            Column(header="95 % interval", keys=("cost_low", "cost_high"), layout="interval"),
            Column(header="Result", keys=("result",), layout="text"),
        ),
        notes=((
            "Cases per cell: for one facility and period, scored on every indicator. Visits: to "
            "each facility in each period. The interval is that of the cost, as far as the "
            "simulation tells; a design that is surely dearer than another was not pinned down "
            "further. To name the best of few facilities is another and easier question than to "
            "name the best of many.",
        ),),
    )  # fmt: skip


def _results(designs: xr.Dataset) -> list[str]:
    """Return in words how each design fared."""
    status = [str(one) for one in designs["status"].to_numpy()]
    if not designs["cheapest"].any():
        return [one.replace("_", " ") for one in status]
    best = designs.isel(design=int(designs["cheapest"].to_numpy().argmax()))
    close = (designs["cost_low"] <= best["cost_high"]).to_numpy()
    words = {"dearer": "surely dearer"}
    words |= dict.fromkeys(("found", "always_reached"), "dearer")
    return [
        "cheapest" if cheapest
        else "about as cheap" if words.get(one) == "dearer" and near
        else words.get(one, one.replace("_", " "))
        for one, cheapest, near in zip(status, designs["cheapest"].to_numpy(), close, strict=True)
    ]  # fmt: skip


def _frontier_table(frontier: xr.Dataset) -> Table:
    """Return the best design of every budget that pays for one."""
    rows = []
    for i in np.flatnonzero(frontier["best"].to_numpy() >= 0):
        best = frontier.isel(budget=i, design=int(frontier["best"][i]))
        rows.append({name: float(best[name]) for name in _FRONTIER})
    frame = pd.DataFrame(rows, columns=list(_FRONTIER))
    frame.index = pd.Index([f"{budget:.10g}" for budget in frame["budget"]])
    return Table(
        key="frontier-table",
        title="The best design for each budget",
        frame=frame,
        kinds=_FRONTIER,
        columns=(
            Column(header="Budget", keys=("budget",)),
            Column(header="Facilities", keys=("facilities",)),
            Column(header="Indicators", keys=("indicators",)),
            Column(header="Cases per cell", keys=("trials",)),
            Column(header="Measure", keys=("value",)),
            Column(header="95 % band", keys=("value_low", "value_high"), layout="interval"),
        ),
    )


def _budget_sentence(frontier: xr.Dataset, table: Table, label: str) -> Text:
    row = f"{frontier.attrs['stated_budget']:.10g}"
    if row not in table.positions:
        return ("The stated budget pays for none of the designs.",)
    parts: dict[str, Any] = {key: table.number(row, key) for key in _FRONTIER}
    parts["label"] = label
    text = (
        "The best that a budget of {budget} pays for is a study with {facilities} facilities, "
        "{indicators} indicators and {trials} cases per facility and period: the {label} is then "
        "{value}."
    )
    close = _close_designs(frontier.sel(budget=frontier.attrs["stated_budget"]))
    if close:
        parts["close"] = " or ".join(close)
        text += " The simulation does not tell it from {close}."
    return fill(text, parts)


def _close_designs(one: xr.Dataset) -> list[str]:
    """Return the designs whose measure differs from the best by no more than its 95 % error."""
    best = one.isel(design=int(one["best"]))
    half = 0.5 * (one["value_high"] - one["value_low"])
    error = np.hypot(half, 0.5 * (best["value_high"] - best["value_low"]))
    close = np.flatnonzero(np.abs(one["value"] - best["value"]) <= error)
    return [design_words(one.isel(design=i)) for i in close if i != int(one["best"])]
