"""planning.html: what a plan found, in one sentence, figures, tables and all assumptions."""

import json
import math
from pathlib import Path
from typing import Any, Final

import pandas as pd
import xarray as xr

from pdsim.files import write_atomically
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
from pdsim.reports.html import to_html
from pdsim.reports.numbers import Kind
from pdsim.reports.plots.planning import plan_curve, plan_frontier, plan_tornado

HTML_FILE: Final = "planning.html"

_SIZE: Final = {
    "trials": "Cases observed per facility and period",
    "facilities": "Facilities",
    "indicators": "Indicators",
    "rounds": "Rounds of observation per period",
}
_WORDS: Final = {
    "pcs_top": "chance that the facilities chosen as best are exactly the truly best",
    "pcs_bottom": "chance that the facilities chosen as worst are exactly the truly worst",
    "pcs_both": "chance that both named groups are exactly right",
    "overlap_top": "expected share of the truly best facilities among those chosen",
    "overlap_bottom": "expected share of the truly worst facilities among those chosen",
    "regret_top": "expected loss of improvement by choosing wrongly",
    "width": "mean width of the intervals",
}
_ANSWER: Final[dict[str, Kind]] = {
    "n": "whole", "n_low": "figure", "n_high": "figure", "value": "figure",
    "value_low": "figure", "value_high": "figure", "p_reached": "figure",
    "reliability": "figure", "cases": "whole", "cost": "whole", "replicates": "whole",
}  # fmt: skip


def plan_document(plan: xr.DataTree) -> Document:
    """Return the report of a plan, in no format yet.

    Parameters
    ----------
    plan : xr.DataTree
        From `pdsim.plan`.
    """
    answer = plan["answer"].to_dataset()
    measure, size = answer.attrs["measure"], _SIZE[answer.attrs["over"]]
    label = _WORDS.get(measure, measure.replace("_", " "))
    level = float(plan.attrs["target"].split()[-1])
    table = _answer_table(plan)
    figure, data = plan_curve(answer, level=level, label=measure.replace("_", " "), size=size)
    caption = (
        "The curve with its 95 % band, the simulated points with two Monte Carlo errors, the "
        "target (dashed) and the interval of the answer (shaded).",
    )
    sections = [
        Section(
            key="answer",
            title="The answer",
            blocks=(
                Paragraph(text=_sentence(plan, table, label), style="summary"),
                table,
                Picture(key="curve", caption=caption, alt=(f"{label} against {size.lower()}",),
                        figure=figure, data=data),
            ),
        )
    ]  # fmt: skip
    if "assurance" in plan.children:
        sections.append(_assurance_section(plan, table))
    sections += _cost_sections(plan, measure)
    if "sensitivity" in plan.children:
        sections.append(_sensitivity_section(plan["sensitivity"].to_dataset(), size))
    sections.append(_assumption_section(plan))
    title = plan.attrs["name"] or "How large must the next study be?"
    return Document(
        title=(Name(title),),
        subtitle=(f"Target {plan.attrs['target']}",),
        sections=tuple(sections),
    )


def write_plan(plan: xr.DataTree, folder: str | Path) -> Path:
    """Write ``planning.html`` into a folder, whole or not at all.

    Parameters
    ----------
    plan : xr.DataTree
        From `pdsim.plan`.
    folder : str or Path
        Must exist.

    Returns
    -------
    Path
    """
    path = Path(folder) / HTML_FILE
    write_atomically(path, to_html(plan_document(plan)))
    return path


def _answer_table(plan: xr.DataTree) -> Table:
    """Return the answers as rows: as stated, and averaged."""
    rows = {"as stated": plan["answer"].to_dataset()}
    if "assurance" in plan.children:
        rows["averaged"] = plan["assurance"].to_dataset()
    frame = pd.DataFrame(
        {name: [float(data[name]) for data in rows.values()] for name in _ANSWER},
        index=pd.Index(list(rows), name="row"),
    ).replace(math.inf, math.nan)
    frame.insert(0, "question", list(rows))
    headers = {
        "n": "n", "p_reached": "P(target reached at n)", "reliability": "Reliability at n",
        "cases": "Cases in all", "cost": "Cost", "replicates": "Replicates spent",
    }  # fmt: skip
    return Table(
        key="answer-table",
        title="The size of the study",
        frame=frame,
        kinds=_ANSWER,
        columns=(
            Column(header="Question", keys=("question",), layout="text"),
            Column(header=headers["n"], keys=("n",)),
            Column(header="95 % interval", keys=("n_low", "n_high"), layout="interval"),
            Column(header="Measure at n", keys=("value",)),
            Column(header="95 % band", keys=("value_low", "value_high"), layout="interval"),
            *(Column(header=headers[key], keys=(key,)) for key in headers if key != "n"),
        ),
    )


def _sentence(plan: xr.DataTree, table: Table, label: str) -> Text:
    answer = plan["answer"].to_dataset()
    parts: dict[str, Any] = {
        "n": table.number("as stated", "n"),
        "low": table.number("as stated", "n_low"),
        "high": table.number("as stated", "n_high"),
        "label": label,
        "target": plan.attrs["target"],
        "size": _SIZE[answer.attrs["over"]].lower(),
    }
    match answer.attrs["status"]:
        case "found":
            text = (
                "{n} {size} reach the target {target} (95 % interval {low} to {high}); the "
                "measure is the {label}."
            )
            return fill(text, parts)
        case "not_reachable":
            ceiling = f"{float(answer['ceiling']):.3f} (MCSE {float(answer['ceiling_mcse']):.3f})"
            text = (
                "The target {target} is not reachable: at {end} {size} the measure is {ceiling}, "
                "and what holds it there is not the number of cases."
            )
            parts |= {"ceiling": ceiling, "end": f"{float(answer['ceiling_at']):,.0f}"}
            return fill(text, parts)
        case "always_reached":
            return fill("Already {n} {size} reach the target {target}.", parts)
    return fill("The search for {target} was stopped before it was precise enough.", parts)


def _assurance_section(plan: xr.DataTree, table: Table) -> Section:
    found = plan["assurance"].to_dataset()
    at = [f"{float(found[name]):.3f}" for name in ("at_n", "at_n_low", "at_n_high")]
    text = fill(
        "Averaged over {source}, the measure at the n of the scenario as stated is {value} (95 % "
        "band {low} to {high}), and {n} are needed to reach the target on average. This is another "
        "question than that for one assumed truth.",
        {
            "source": {"pilot": "the pilot's posterior", "priors": "the design priors"}.get(
                plan.attrs["assurance"], "the stated ranges"
            ),
            "value": at[0], "low": at[1], "high": at[2],
            "n": table.number("averaged", "n"),
        },
    )  # fmt: skip
    return Section(key="assurance", title="Assurance", blocks=(Paragraph(text=text),))


def _cost_sections(plan: xr.DataTree, measure: str) -> list[Section]:
    blocks: list[Block] = []
    if "designs" in plan.children:
        blocks.append(_design_table(plan["designs"].to_dataset()))
    if "frontier" in plan.children:
        figure, data = plan_frontier(plan["frontier"].to_dataset(), label=measure.replace("_", " "))
        words = ("What each design reaches for each budget, with as many cases as it pays for.",)
        blocks.append(Picture(key="frontier", caption=words, alt=words, figure=figure, data=data))
    return (
        [Section(key="cost", title="Designs and budgets", blocks=tuple(blocks))] if blocks else []
    )


def _design_table(designs: xr.Dataset) -> Table:
    names = ["facilities", "indicators", "trials", "rounds", "cases", "cost", "status", "cheapest"]
    frame = designs[names].to_dataframe()[names]
    frame.index = pd.Index([f"design {i + 1}" for i in range(len(frame))])
    frame["design"] = [
        f"{row}, cheapest" if cheapest else row
        for row, cheapest in zip(frame.index, frame["cheapest"], strict=True)
    ]
    kinds: dict[str, Kind] = dict.fromkeys(names[:6], "whole")
    return Table(
        key="designs",
        title="The designs that were compared",
        frame=frame,
        kinds=kinds,
        columns=(
            Column(header="Design", keys=("design",), layout="text"),
            *(Column(header=name.capitalize(), keys=(name,)) for name in names[:6]),
            Column(header="Status", keys=("status",), layout="text"),
        ),
    )


def _sensitivity_section(sensitivity: xr.Dataset, size: str) -> Section:
    figure, data = plan_tornado(sensitivity, size=size)
    caption = (
        "The answer when one assumption goes to the low (blue) or the high (orange) end of its "
        "range; an end without a bar never reaches the target.",
    )
    text = (f"Planned for the rule {sensitivity.attrs['rule']} at both ends of every range.",)
    picture = Picture(key="tornado", caption=caption, alt=caption, figure=figure, data=data)
    return Section(key="sensitivity", title="Sensitivity", blocks=(Paragraph(text=text), picture))


def _assumption_section(plan: xr.DataTree) -> Section:
    scenario = json.loads(plan.attrs["configuration"])["scenario"]
    frame = pd.DataFrame(
        {
            "name": list(scenario),
            "value": [json.dumps(value) for value in scenario.values()],
        },
        index=pd.Index(list(scenario)),
    )
    table = Table(
        key="assumptions",
        title="Everything that is assumed",
        frame=frame,
        kinds={},
        columns=(
            Column(header="Setting", keys=("name",), layout="text"),
            Column(header="Value", keys=("value",), layout="text"),
        ),
    )
    blocks: list[Block] = [table]
    if plan.attrs["source"]:
        blocks.insert(0, Paragraph(text=(str(plan.attrs["source"]),)))
    return Section(key="assumptions-section", title="Assumptions", blocks=tuple(blocks))
