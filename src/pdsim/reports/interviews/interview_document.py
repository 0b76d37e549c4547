"""interviews.html: whom to interview, how often, and what contrast to expect."""

import json
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pdsim.reports.formats.document import (
    Column,
    Document,
    Name,
    Paragraph,
    Section,
    Table,
    Text,
    fill,
)
from pdsim.reports.formats.numbers import NumberKind
from pdsim.reports.interviews.interview_tables import (
    apart_sentences,
    failed_gate,
    frame_of_rows,
    group_table,
    role_picture,
    role_table,
    who_sentences,
)

_MOST_DESIGNS = 8
"""Facilities in a group, up to which all designs are printed."""


def interview_document(plan: xr.DataTree) -> Document:
    """Return the page on a plan of interviews, in no format yet.

    Parameters
    ----------
    plan : xr.DataTree
        From `pdsim.plan_interviews`.
    """
    settings = json.loads(plan.attrs["settings"])
    separation, expected = group_table(plan), _expected_table(plan, settings)
    answer = (
        Paragraph(text=who_sentences(plan), style="summary"),
        Paragraph(text=apart_sentences(separation), style="summary"),
        Paragraph(text=_sentence(expected, settings), style="summary"),
        separation,
        expected,
        role_table(plan),
        role_picture(plan),
    )
    sections = [
        Section(key="answer", title="Whom to compare", blocks=answer),
        Section(key="more", title="What more facilities buy", blocks=_more(plan)),
        Section(key="heard", title="What would be heard", blocks=_heard(expected, settings)),
        Section(key="visits", title="Interviews by facility and round", blocks=_visits(plan)),
        Section(key="assumptions", title="What is assumed", blocks=_assumptions(settings)),
    ]
    return Document(
        title=(Name(plan.attrs["name"] or "Whom to interview"),),
        subtitle=("Interviews in facilities named as higher and lower",),
        sections=tuple(sections),
        failed=failed_gate(plan),
    )


def _sentence(expected: Table, settings: dict[str, Any]) -> Text:
    parts: dict[str, Any] = {
        "contrast": expected.number("groups", "contrast"),
        "sd": expected.number("groups", "contrast_sd"),
        "right": expected.number("groups", "right_way"),
        "least": expected.number("groups", "least_p"),
        "high": f"{100 * settings['prevalence_high']:g}",
        "low": f"{100 * settings['prevalence_low']:g}",
        "n": str(settings["informants"]),
    }
    text = (
        "A theme voiced "
        "by {high} % of informants where performance is truly high and by {low} % where it is low "
        "is expected to differ by {contrast} between the groups (standard deviation {sd}, with "
        "{n} informants in each facility), and points the right way with probability {right}. No "
        "permutation of so few facilities can give a one-sided p below {least}, however clear a "
        "theme is."
    )
    return fill(text, parts)


def _expected_table(plan: xr.DataTree, settings: dict[str, Any]) -> Table:
    data = plan["groups"].to_dataset()
    frame = pd.DataFrame([{str(k): float(v) for k, v in data.items()}], index=["groups"])
    kinds: dict[str, NumberKind] = {
        "contrast": "d3", "contrast_sd": "d3", "right_way": "d2", "least_p": "d4",
        "heard_high": "d2", "heard_low": "d2", "informants_to_hear": "whole",
        "split_by_chance": "d4", "pooled_false_positives": "d3",
    }  # fmt: skip
    headers = {
        "contrast": "Contrast to expect",
        "contrast_sd": "Its standard deviation",
        "right_way": "P(it points the right way)",
        "least_p": "Least one-sided p that a permutation of facilities can give",
        "split_by_chance": "P(one theme divides the groups perfectly by chance)",
        "pooled_false_positives": "How often Fisher's test on pooled informants, at 0.05, would "
        "reject without any difference",
    }
    return Table(
        key="expected",
        title="What a theme is expected to show",
        frame=frame,
        kinds=kinds,
        columns=tuple(Column(header=header, keys=(key,)) for key, header in headers.items()),
        marked=bool(failed_gate(plan)),
        exact=frozenset({
            "contrast_sd", "least_p", "heard_high", "heard_low", "informants_to_hear",
            "split_by_chance", "pooled_false_positives",
        }),
        upright=True,
    )  # fmt: skip


def _more(plan: xr.DataTree) -> tuple[Paragraph | Table, ...]:
    added = frame_of_rows(plan["additions"].to_dataset(), "choice")
    text = (
        "The signal is the expected contrast over its standard deviation, the shares regressed "
        "on how surely each facility belongs to an end. The last column keeps the number of "
        "interviews as it is, and spreads them.",
    )
    table = Table(
        key="additions",
        title="The same groups and more facilities",
        frame=added,
        kinds={"facilities": "whole", "interviews": "whole", "signal": "d2",
               "signal_same_interviews": "d2"},
        columns=(
            Column(header="Facilities interviewed", keys=("choice",), layout="name"),
            Column(header="Number", keys=("facilities",)),
            Column(header="Interviews", keys=("interviews",)),
            Column(header="Signal", keys=("signal",)),
            Column(header="Signal, same interviews", keys=("signal_same_interviews",)),
        ),
        marked=bool(failed_gate(plan)),
    )  # fmt: skip
    return Paragraph(text=text), table, _design_table(plan)


def _design_table(plan: xr.DataTree) -> Table:
    frame = plan["designs"].to_dataset().to_dataframe().reset_index()
    all_shown = frame["high"].max() <= _MOST_DESIGNS
    frame = frame if all_shown else frame[frame["high"] == frame["low"]]
    frame.index = pd.Index(
        [f"{high} v {low}" for high, low in zip(frame["high"], frame["low"], strict=True)]
    )
    frame.insert(0, "design", frame.index)
    note = (
        "Filled by how surely facilities belong to an end. The information is the squared expected "
        "difference of the scores over 1/higher + 1/lower: what a theme that follows the score "
        "gains or loses with larger groups.",
    )
    return Table(
        key="designs",
        title="Groups of other sizes",
        frame=frame,
        kinds={
            "class_lambda": "d3", "apart": "figure", "dose_information": "figure",
            "contrast": "d3", "contrast_sd": "d3", "right_way": "d2", "least_p": "d4",
        },
        columns=(
            Column(header="Higher v lower", keys=("design",), layout="text"),
            Column(header="Class lambda", keys=("class_lambda",)),
            Column(header="Contrast", keys=("contrast",)),
            Column(header="SD", keys=("contrast_sd",)),
            Column(header="P(right way)", keys=("right_way",)),
            Column(header="Least p", keys=("least_p",)),
            Column(header="Difference of scores", keys=("apart",)),
            Column(header="Information", keys=("dose_information",)),
        ),
        marked=bool(failed_gate(plan)),
        exact=frozenset({"contrast_sd", "least_p"}),
        notes=(note,),
    )  # fmt: skip


def _heard(expected: Table, settings: dict[str, Any]) -> tuple[Paragraph, ...]:
    parts: dict[str, Any] = {
        "p": f"{100 * settings['heard_prevalence']:g}",
        "times": str(settings["heard_times"]),
        "high": expected.number("groups", "heard_high"),
        "low": expected.number("groups", "heard_low"),
        "icc": f"{settings['icc']:g}",
        "least": expected.number("groups", "informants_to_hear"),
        "chance": f"{settings['heard_probability']:g}",
    }
    text = (
        "A theme that {p} % of informants would voice is heard at least {times} times with "
        "probability {high} in the higher and {low} in the lower group, when two informants of one "
        "facility correlate by {icc}. If informants had nothing in common, {least} of them would "
        "hear it as often with probability {chance}."
    )
    return (Paragraph(text=fill(text, parts)),)


def _visits(plan: xr.DataTree) -> tuple[Paragraph | Table, ...]:
    data = plan["visits"].to_dataset()
    rounds = [str(label) for label in data["round"].values]
    counts = data["interviews"].transpose("facility", "round").values
    frame = pd.DataFrame(counts, index=[str(n) for n in data["facility"].values], columns=rounds)
    frame["all rounds"] = frame.sum(axis=1)
    frame = frame[frame["all rounds"] > 0]
    frame.insert(0, "facility", frame.index)
    names = [*rounds, "all rounds"]
    blind = int(np.sum(data["blind"].values))
    totals = pd.DataFrame(
        [{"total": int(data["total"]), "in_groups": int(data["in_groups"])}], index=["interviews"]
    )
    summary = Table(
        key="interviews-held",
        title="Interviews held",
        frame=totals,
        kinds={"total": "whole", "in_groups": "whole"},
        columns=(
            Column(header="Interviews", keys=("total",)),
            Column(header="Of these, in facilities that are compared", keys=("in_groups",)),
        ),
        upright=True,
    )
    table = Table(
        key="visits",
        title="Interviews by facility and round",
        frame=frame,
        kinds=dict.fromkeys(names, "whole"),
        columns=(
            Column(header="Facility", keys=("facility",), layout="name"),
            *(Column(header=f"Round {name}" if name in rounds else "All", keys=(name,))
              for name in names),
        ),
    )  # fmt: skip
    parts: dict[str, Any] = {
        "total": summary.number("interviews", "total"),
        "inside": summary.number("interviews", "in_groups"),
    }
    text = "There are {total} interviews, {inside} of them in the facilities that are compared."
    if blind:
        text += (
            " Rounds held before anybody is known to be high or low are spread over all facilities "
            "alike."
        )
    return Paragraph(text=fill(text, parts)), summary, table


def _assumptions(settings: dict[str, Any]) -> tuple[Table, ...]:
    shown = {
        name: ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in settings.items()
        if value not in ([], "")
    }
    frame = pd.DataFrame({"name": list(shown), "value": list(shown.values())}, index=list(shown))
    return (
        Table(
            key="settings",
            title="Settings",
            frame=frame,
            kinds={},
            columns=(
                Column(header="Setting", keys=("name",), layout="text"),
                Column(header="Value", keys=("value",), layout="name"),
            ),
        ),
    )
