"""planning.html: what a plan found, in one sentence, figures, tables and all assumptions."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from pdsim.reports.document import (
    Block,
    Column,
    Document,
    Name,
    Paragraph,
    Picture,
    Section,
    Table,
    Text,
    fill,
)
from pdsim.reports.numbers import Kind
from pdsim.reports.planassumptions import assumption_section
from pdsim.reports.planwords import MEASURE_WORDS, SIZE_WORDS
from pdsim.reports.plots.planning import plan_curve, plan_frontier, plan_tornado
from pdsim.reports.write import write_document

_STATED: Final = "as stated"
_AVERAGED: Final = "averaged"
_ANSWER: Final[dict[str, Kind]] = {
    "n": "whole", "low": "whole", "high": "whole", "value": "d3", "value_low": "d3",
    "value_high": "d3", "p_reached": "d2", "reliability": "d2", "cases": "whole", "cost": "whole",
    "replicates": "whole", "ceiling": "d3", "ceiling_mcse": "mcse", "ceiling_at": "whole",
    "at_n": "d3", "at_n_low": "d3", "at_n_high": "d3",
}  # fmt: skip

_FRONTIER: Final[dict[str, Kind]] = {
    "budget": "whole", "facilities": "whole", "indicators": "whole", "trials": "whole",
    "value": "d3", "value_low": "d3", "value_high": "d3",
}  # fmt: skip


def plan_document(plan: xr.DataTree) -> Document:
    """Return the report of a plan, in no format yet.

    Parameters
    ----------
    plan : xr.DataTree
        From `pdsim.plan`.
    """
    answer = plan["answer"].to_dataset()
    label, size = MEASURE_WORDS[answer.attrs["measure"]], SIZE_WORDS[answer.attrs["over"]]
    table = _answer_table(plan)
    figure, data = plan_curve(answer, level=_level(plan), label=label, size=_axis(size))
    caption = (
        "The curve with its 95 % band, the simulated points with two Monte Carlo errors, the "
        "target (dashed) and the interval of the answer (shaded).",
    )
    alt = (f"{label} against {size}",)
    blocks: list[Block] = [
        Paragraph(text=_sentence(plan, table, label, size), style="summary"),
        table,
        _worth_table(table, costed=math.isfinite(float(answer["cost"]))),
        Picture(key="curve", caption=caption, alt=alt, figure=figure, data=data),
    ]
    sections = [Section(key="answer", title="The answer", blocks=tuple(blocks))]
    if "assurance" in plan.children:
        sections.append(_assurance_section(plan, table, label))
    sections += _cost_sections(plan, label)
    if "sensitivity" in plan.children:
        sections.append(_sensitivity_section(plan["sensitivity"].to_dataset(), _axis(size)))
    sections.append(assumption_section(plan))
    return Document(
        title=(Name(plan.attrs["name"] or "How large must the next study be?"),),
        subtitle=(f"Target {plan.attrs['target']}",),
        sections=tuple(sections),
    )


def write_plan(
    plan: xr.DataTree, folder: str | Path, *, formats: Sequence[str] = ("html",)
) -> list[Path]:
    """Write ``planning.html`` (or ``.docx``, ``.md``) into a folder, see `pdsim.reports`.

    Parameters
    ----------
    plan : xr.DataTree
        From `pdsim.plan`.
    folder : str or Path
        Must exist.
    formats : sequence of str

    Returns
    -------
    list of Path
    """
    return write_document(plan_document(plan), folder, formats=formats, stem="planning")


def _level(plan: xr.DataTree) -> float:
    return float(plan.attrs["target"].split()[-1])


def _axis(size: str) -> str:
    return size[0].upper() + size[1:]


def _answer_table(plan: xr.DataTree) -> Table:
    """Return the answers as rows: as stated, and averaged."""
    rows = {_STATED: plan["answer"].to_dataset()}
    if "assurance" in plan.children:
        rows[_AVERAGED] = plan["assurance"].to_dataset()
    frame = pd.DataFrame(
        [_answer_row(data) for data in rows.values()], index=pd.Index(list(rows), name="row")
    )
    frame.insert(0, "question", list(rows))
    note = (
        "The interval, the band and P(target reached at n) say how far the simulation has pinned "
        "the answer down, not how sure the assumptions are.",
    )
    return Table(
        key="answer-table",
        title="The size of the study",
        frame=frame,
        kinds=_ANSWER,
        columns=(
            Column(header="Scenario", keys=("question",), layout="text"),
            Column(header="n", keys=("n",)),
            Column(header="95 % interval", keys=("low", "high"), layout="interval"),
            Column(header="Measure at n", keys=("value",)),
            Column(header="P(target reached at n)", keys=("p_reached",)),
        ),
        notes=(note,),
    )


def _answer_row(data: xr.Dataset) -> dict[str, float]:
    """Return one answer; the bounds of n are whole, rounded as n itself is."""
    row = {name: float(data[name]) if name in data else math.nan for name in _ANSWER}
    whole = np.ceil if data.attrs["rising"] else np.floor
    for name in ("low", "high"):
        bound = float(data[f"n_{name}"])
        row[name] = float(whole(bound)) if math.isfinite(bound) and bound > 0 else math.nan
    return row


def _worth_table(answer: Table, *, costed: bool) -> Table:
    """Return what the study at n amounts to, and what the answer took."""
    headers = {"cases": "Cases in all", "reliability": "Reliability of the observed scores"}
    headers |= {"cost": "Cost"} if costed else {}
    headers["replicates"] = "Replicates simulated"
    return Table(
        key="worth-table",
        title="What a study of that size amounts to",
        frame=answer.frame,
        kinds=_ANSWER,
        columns=(
            Column(header="Scenario", keys=("question",), layout="text"),
            Column(header="95 % band of the measure", keys=("value_low", "value_high"),
                   layout="interval"),
            *(Column(header=header, keys=(key,)) for key, header in headers.items()),
        ),
    )  # fmt: skip


def _sentence(plan: xr.DataTree, table: Table, label: str, size: str) -> Text:
    answer = plan["answer"].to_dataset()
    parts: dict[str, Any] = {
        key: table.number(_STATED, key)
        for key in ("n", "low", "high", "cases", "cost", "ceiling", "ceiling_mcse", "ceiling_at")
    }
    parts |= {
        "label": label,
        "size": size,
        "bound": "at least" if ">=" in plan.attrs["target"] else "at most",
        "level": f"{_level(plan):g}",
    }
    costed = math.isfinite(float(answer["cost"]))
    parts["cost"] = fill(", at a cost of {cost}", parts) if costed else ()
    match answer.attrs["status"]:
        case "found" | "replicates_used_up" if math.isfinite(float(answer["n"])):
            text = (
                "{who} {n} {size} (95 % interval {low} to {high}), the {label} is {bound} {level} "
                "if the assumptions below hold. That is {cases} cases in all{cost}."
            )
            parts["who"] = _who(plan, rising=bool(answer.attrs["rising"]))
            if answer.attrs["status"] != "found":
                text += " The search used up its replicates before it was as precise as asked."
        case "not_reachable":
            text = (
                "The target is not reachable: with {ceiling_at} {size} the {label} is {ceiling} "
                "(MCSE {ceiling_mcse}), and {bound} {level} is asked for. {size} alone cannot "
                "buy it: few true differences, correlation within cases, measurement error or "
                "weights other than the true ones hold it there."
            )
            text = text.replace(". {size}", f". {_axis(size)}")
        case "always_reached":
            text = (
                "With {n} {size}, the end of the range that was searched, the {label} is already "
                "{bound} {level} if the assumptions below hold."
            )
        case "undecided":
            text = (
                "Too close to call: with {ceiling_at} {size} the {label} is {ceiling} (MCSE "
                "{ceiling_mcse}), and {bound} {level} is asked for."
            )
        case _:
            text = "The search for {bound} {level} used up its replicates before it had an answer."
    return fill(text, parts)


def _who(plan: xr.DataTree, *, rising: bool) -> str:
    if "designs" not in plan.children:
        return "With" if rising else "With at most"
    designs = plan["designs"].to_dataset()
    best = designs.isel(design=int(designs["cheapest"].to_numpy().argmax()))
    return f"The cheapest of {designs.sizes['design']} designs has {_design(best)}: with"


def _design(one: xr.Dataset) -> str:
    return f"{int(one['facilities'])} facilities and {int(one['indicators'])} indicators"


def _assurance_section(plan: xr.DataTree, table: Table, label: str) -> Section:
    sources = {"pilot": "the pilot's posterior", "priors": "the design priors"}
    parts: dict[str, Any] = {
        key: table.number(_AVERAGED, key) for key in ("n", "at_n", "at_n_low", "at_n_high")
    }
    parts |= {
        "stated": table.number(_STATED, "n"),
        "source": sources.get(plan.attrs["assurance"], "the stated ranges"),
        "label": label,
    }
    text = "Averaged over {source}, "
    if math.isfinite(parts["stated"].value):
        text += "the {label} at n = {stated} is {at_n} (95 % band {at_n_low} to {at_n_high}), and "
    if math.isfinite(parts["n"].value):
        text += "n = {n} reaches the target on average. "
    else:
        text += "no n in the range that was searched reaches the target on average. "
    text += "This is another question than that for one assumed truth."
    found = plan["assurance"].to_dataset()
    size = _axis(SIZE_WORDS[found.attrs["over"]])
    figure, data = plan_curve(found, level=_level(plan), label=f"{label}, averaged", size=size)
    caption = ("The same curve, averaged over the uncertain parameters.",)
    return Section(
        key="assurance",
        title="Assurance",
        blocks=(
            Paragraph(text=fill(text, parts)),
            Picture(key="assurance-curve", caption=caption, alt=caption, figure=figure, data=data),
        ),
    )


def _cost_sections(plan: xr.DataTree, label: str) -> list[Section]:
    blocks: list[Block] = []
    if "designs" in plan.children:
        blocks.append(_design_table(plan["designs"].to_dataset()))
    if "frontier" in plan.children:
        frontier = plan["frontier"].to_dataset()
        table = _frontier_table(frontier)
        figure, data = plan_frontier(frontier, label=label)
        words = (
            "What each design reaches for each budget, with as many cases as it pays for; the "
            "stated budget is dashed.",
        )
        blocks += [
            Paragraph(text=_budget_sentence(frontier, table, label)),
            table,
            Picture(key="frontier", caption=words, alt=words, figure=figure, data=data),
        ]
    if not blocks:
        return []
    return [Section(key="cost", title="Designs and budgets", blocks=tuple(blocks))]


def _design_table(designs: xr.Dataset) -> Table:
    names = ["facilities", "indicators", "trials", "rounds", "cases", "cost", "status", "cheapest"]
    frame = designs[names].to_dataframe()[names]
    frame.index = pd.Index([f"design {i + 1}" for i in range(len(frame))])
    words = {"dearer": "surely dearer", "not_reachable": "not reachable"}
    frame["status"] = [
        "cheapest" if cheapest else words.get(status, status.replace("_", " "))
        for status, cheapest in zip(frame["status"], frame["cheapest"], strict=True)
    ]
    kinds: dict[str, Kind] = dict.fromkeys(names[:6], "whole")
    headers = ["Facilities", "Indicators", "Cases per cell", "Visits", "Cases in all", "Cost"]
    return Table(
        key="designs",
        title="The designs that were compared",
        frame=frame,
        kinds=kinds,
        columns=(
            *(Column(header=header, keys=(key,)) for header, key in zip(headers, names[:6],
                                                                       strict=True)),
            Column(header="Result", keys=("status",), layout="text"),
        ),
        notes=((
            "Cases per cell: for one facility and period, scored on every indicator. Visits: to "
            "each facility in each period. A design that is surely dearer than another was not "
            "pinned down further.",
        ),),
    )  # fmt: skip


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
    return fill(
        "The best that a budget of {budget} pays for is a study with {facilities} facilities, "
        "{indicators} indicators and {trials} cases per facility and period: the {label} is then "
        "{value}.",
        parts,
    )


def _sensitivity_section(sensitivity: xr.Dataset, size: str) -> Section:
    figure, data = plan_tornado(sensitivity, size=size)
    caption = (
        "The answer when one assumption goes to the low (blue) or the high (orange) end of its "
        "range; an end without a bar never reaches the target.",
    )
    scaled = sensitivity.attrs["rule"] != sensitivity.attrs["planned_rule"]
    text = "The plan was made again at both ends of every range, all else as stated."
    if scaled:
        text += (
            f" The ends were planned for the rule {sensitivity.attrs['rule']} on the same data, "
            "and the ratio of its answers was applied."
        )
    picture = Picture(key="tornado", caption=caption, alt=caption, figure=figure, data=data)
    blocks = (Paragraph(text=(text,)), picture, _sensitivity_table(sensitivity))
    return Section(key="sensitivity", title="Sensitivity", blocks=blocks)


def _sensitivity_table(sensitivity: xr.Dataset) -> Table:
    names = [str(name) for name in sensitivity["assumption"].to_numpy()]
    frame = pd.DataFrame({"assumption": names}, index=pd.Index(names))
    for end in ("low", "high"):
        one = sensitivity.sel(end=end)
        frame[f"{end}_setting"] = one["setting"].to_numpy()
        frame[f"{end}_n"] = np.ceil(one["n"].to_numpy())
    return Table(
        key="sensitivity-table",
        title="The answer at the ends of every range",
        frame=frame,
        kinds={"low_n": "whole", "high_n": "whole"},
        columns=(
            Column(header="Assumption", keys=("assumption",), layout="text"),
            Column(header="Low", keys=("low_setting",), layout="text"),
            Column(header="n", keys=("low_n",)),
            Column(header="High", keys=("high_setting",), layout="text"),
            Column(header="n", keys=("high_n",)),
        ),
        notes=(("A dash: the target is not reached in the range that was searched.",),),
    )
