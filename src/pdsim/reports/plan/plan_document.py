"""planning.html: what a plan found, in one sentence, figures, tables and all assumptions."""

import math
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from pdsim.reports.formats.document import (
    Column,
    Document,
    Element,
    Name,
    Paragraph,
    Picture,
    Section,
    Table,
    fill,
)
from pdsim.reports.formats.numbers import NumberKind
from pdsim.reports.plan.assumed import assumption_section, drawn_table
from pdsim.reports.plan.costs import cost_sections, frontier_picture
from pdsim.reports.plan.field import field_sections
from pdsim.reports.plan.plan_sentences import (
    AVERAGED,
    STATED,
    answer_sentence,
    budget_sentence,
    budget_table,
    currency_of,
    headline_sentence,
    level_of,
    rules_sentence,
    rules_table,
)
from pdsim.reports.plan.plan_words import SIZE_WORDS
from pdsim.reports.plots.plan_curves import plan_curve, plan_tornado
from pdsim.terms.measures import MEASURES

_ANSWER: Final[dict[str, NumberKind]] = {
    "n": "whole", "n_certain": "whole", "cost_certain": "whole", "visits": "whole",
    "low": "whole", "high": "whole", "value": "d3", "value_low": "d3", "value_high": "d3",
    "p_reached": "d2", "reliability": "d2", "cases": "whole", "cost": "whole",
    "replicates": "whole", "ceiling": "d3", "ceiling_mcse": "mcse", "ceiling_at": "whole",
    "at_n": "d3", "at_n_low": "d3", "at_n_high": "d3",
}  # fmt: skip


def plan_document(plan: xr.DataTree) -> Document:
    """Return the report of a plan, in no format yet.

    Parameters
    ----------
    plan : xr.DataTree
        From `pdsim.plan`.
    """
    answer = plan["answer"].to_dataset()
    label, size = MEASURES[answer.attrs["measure"]].words, SIZE_WORDS[answer.attrs["over"]]
    table = _answer_table(plan)
    sections = [Section(key="plan-answer", title="The answer", blocks=_front(plan, table, label))]
    figures: list[Element] = [table, *_worth_tables(table, money=currency_of(plan), plan=plan)]
    if "rules" in plan.children:
        figures.append(rules_table(plan))
    sections.append(Section(key="figures", title="In figures", blocks=tuple(figures)))
    if "assurance" in plan.children:
        sections.append(_assurance_section(plan, table, label))
    sections += cost_sections(plan, label)
    sections += field_sections(plan)
    if "sensitivity" in plan.children:
        rising = bool(answer.attrs["rising"])
        sections.append(_sensitivity_section(plan["sensitivity"].to_dataset(), _axis(size), rising))
    sections.append(assumption_section(plan))
    return Document(
        title=(Name(plan.attrs["name"] or "How large must the next study be?"),),
        subtitle=(f"Target {plan.attrs['target']}",),
        sections=tuple(sections),
    )


def _front(plan: xr.DataTree, table: Table, label: str) -> tuple[Element, ...]:
    """Return what stands on the first screen: the budget, the answer, the curve, the frontier."""
    headline = str(plan.attrs["headline"])
    row = STATED if headline == "answer" else AVERAGED
    blocks: list[Element] = []
    if "budget" in plan.children:
        money = budget_table(plan)
        blocks += [Paragraph(text=budget_sentence(plan, money), style="summary")]
    blocks.append(Paragraph(text=answer_sentence(plan, table, row), style="summary"))
    if headline == "assurance":
        blocks.append(Paragraph(text=headline_sentence(plan, table)))
    found = plan[headline].to_dataset()
    size = SIZE_WORDS[found.attrs["over"]]
    figure, data = plan_curve(found, level=level_of(plan), label=label, size=_axis(size))
    caption = (
        "The curve with its 95 % band, the simulated points with two Monte Carlo errors, the "
        "target (dashed) and the interval of the answer (shaded).",
    )
    alt = (f"{label} against {size}",)
    blocks.append(Picture(key="curve", caption=caption, alt=alt, figure=figure, data=data))
    if "frontier" in plan.children and bool(plan["frontier"]["value"].notnull().any()):
        blocks.append(frontier_picture(plan, label))
    if "rules" in plan.children:
        blocks.append(Paragraph(text=rules_sentence(plan, rules_table(plan))))
    if "budget" in plan.children:
        blocks.append(budget_table(plan))
    return tuple(blocks)


def _axis(size: str) -> str:
    return size[0].upper() + size[1:]


def _answer_table(plan: xr.DataTree) -> Table:
    """Return the answers as rows: as stated, and averaged."""
    rows = {STATED: plan["answer"].to_dataset()}
    if "assurance" in plan.children:
        rows[AVERAGED] = plan["assurance"].to_dataset()
    frame = pd.DataFrame(
        [_answer_row(data) for data in rows.values()], index=pd.Index(list(rows), name="row")
    )
    frame.insert(0, "question", list(rows))
    note = (
        "The interval, the band and P(target reached at n) say how far the simulation has pinned "
        "the answer down, not how sure the assumptions are.",
    )
    columns = [Column(header="Scenario", keys=("question",), layout="text")]
    if frame["n"].notna().any():
        columns += [
            Column(header="n", keys=("n",)),
            Column(header="95 % interval", keys=("low", "high"), layout="interval"),
            Column(header="Measure at n", keys=("value",)),
            Column(header="P(target reached at n)", keys=("p_reached",)),
        ]
    if frame["ceiling"].notna().any():
        columns += [
            Column(header="End of the range", keys=("ceiling_at",)),
            Column(header="Measure there", keys=("ceiling",)),
            Column(header="MCSE", keys=("ceiling_mcse",)),
        ]
    return Table(
        key="answer-table",
        title="The size of the study",
        frame=frame,
        kinds=_ANSWER,
        columns=tuple(columns),
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


def _worth_tables(answer: Table, *, money: str, plan: xr.DataTree) -> list[Table]:
    """Return what the study at n amounts to, and what the answer took; none where there is no n."""
    if answer.frame["n"].isna().all():
        return []
    headers = {"cases": "Cases in all", "reliability": "Reliability of the observed scores"}
    if math.isfinite(float(plan["answer"]["cost"])):
        headers |= {"visits": "Visits in all", "cost": f"Cost{money}"}
    headers["n_certain"] = "n for 95 % certainty"
    headers["replicates"] = "Replicates simulated"
    table = Table(
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
    return [table]


def _assurance_section(plan: xr.DataTree, table: Table, label: str) -> Section:
    sources = {"pilot": "the pilot's posterior", "priors": "the design priors"}
    parts: dict[str, Any] = {
        key: table.number(AVERAGED, key) for key in ("n", "at_n", "at_n_low", "at_n_high")
    }
    parts |= {
        "stated": table.number(STATED, "n"),
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
    figure, data = plan_curve(found, level=level_of(plan), label=f"{label}, averaged", size=size)
    caption = ("The same curve, averaged over the uncertain parameters.",)
    return Section(
        key="assurance",
        title="Assurance",
        blocks=(
            Paragraph(text=fill(text, parts)),
            drawn_table(plan),
            Picture(key="assurance-curve", caption=caption, alt=caption, figure=figure, data=data),
        ),
    )


def _sensitivity_section(sensitivity: xr.Dataset, size: str, rising: bool) -> Section:
    figure, data = plan_tornado(sensitivity, size=size)
    caption = (
        "The answer when one assumption goes to the low (blue) or the high (orange) end of its "
        "range; an end that is not shown does not reach the target in the range that was searched.",
    )
    scaled = sensitivity.attrs["rule"] != sensitivity.attrs["planned_rule"]
    text = "The plan was made again at both ends of every range, all else as stated."
    if scaled:
        text += (
            f" The ends were planned for the rule {sensitivity.attrs['rule']} on the same data, "
            "and the ratio of its answers was applied."
        )
    picture = Picture(key="tornado", caption=caption, alt=caption, figure=figure, data=data)
    blocks = (Paragraph(text=(text,)), picture, _sensitivity_table(sensitivity, rising))
    return Section(key="sensitivity", title="Sensitivity", blocks=blocks)


def _sensitivity_table(sensitivity: xr.Dataset, rising: bool) -> Table:
    names = [str(name) for name in sensitivity["assumption"].to_numpy()]
    frame = pd.DataFrame({"assumption": names}, index=pd.Index(names))
    whole = np.ceil if rising else np.floor
    columns = [Column(header="Assumption", keys=("assumption",), layout="text")]
    kinds: dict[str, NumberKind] = {}
    for end in ("low", "high"):
        one = sensitivity.sel(end=end)
        frame[f"{end}_setting"] = one["setting"].to_numpy()
        for name in ("n", "n_low", "n_high"):
            value = one[name].to_numpy()
            bounded = np.isfinite(value) & (value > 0)
            frame[f"{end}_{name}"] = np.where(bounded, whole(value), np.nan)
            kinds[f"{end}_{name}"] = "whole"
        columns += [
            Column(header=end.capitalize(), keys=(f"{end}_setting",), layout="text"),
            Column(header="n", keys=(f"{end}_n",)),
            Column(header="95 % interval", keys=(f"{end}_n_low", f"{end}_n_high"),
                   layout="interval"),
        ]  # fmt: skip
    return Table(
        key="sensitivity-table",
        title="The answer at the ends of every range",
        frame=frame,
        kinds=kinds,
        columns=tuple(columns),
        notes=(
            (
                "A dash: the target is not reached in the range that was searched. The intervals "
                "are those of the simulation.",
            ),
        ),
    )
