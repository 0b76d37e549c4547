"""What a study asks for beyond the two lists: who meets its criteria, and what naming costs."""

import pandas as pd

from pdsim.conventions import Side
from pdsim.reports.formats.document import (
    Column,
    Element,
    Name,
    Paragraph,
    Piece,
    Section,
    Table,
    Text,
    fill,
    listing,
)
from pdsim.reports.formats.numbers import NumberKind
from pdsim.reports.study.sections.unlike import unlike_table, unlike_words
from pdsim.reports.study.view import SIDES, Results, labels


def asked_section(results: Results, tables: dict[str, Table]) -> Section:
    """Return the answers to what study.toml asks for; nothing where it asks for nothing."""
    blocks: list[Element] = []
    if results.has("criteria"):
        table = _criteria_table(results)
        blocks += [Paragraph(text=text) for text in _criteria_words(results, table)] + [table]
    for side in SIDES:
        if results.has(f"costs_{side}"):
            table = _costs_table(results, side)
            blocks += [Paragraph(text=_costs_words(results, side, table)), table]
    if results.has("next_round"):
        table = _next_table(results)
        blocks += [Paragraph(text=_next_words(results, table)), table]
    if results.has("t_effects"):
        table = unlike_table(results)
        blocks += [Paragraph(text=text) for text in unlike_words(results, table)] + [table]
    title = "What the study asks besides"
    return Section(key="asked", title=title, blocks=tuple(blocks))


def _criteria_table(results: Results) -> Table:
    group = results.group("criteria")
    group = group.sortby("all_probability", ascending=False)
    names = labels(group["facility"])
    frame = pd.DataFrame(
        {
            "facility": names,
            "all": group["all_probability"].to_numpy(),
            "all_mcse": group["all_probability_mcse"].to_numpy(),
            "least": labels(group["excluded_by"]),
        },
        index=names,
    )
    kinds: dict[str, NumberKind] = {"all": "probability", "all_mcse": "mcse"}
    columns = [
        Column(header="Facility", keys=("facility",), layout="name"),
        Column(header="P(meets all) (MCSE)", keys=("all", "all_mcse"), layout="probability"),
    ]
    for number, text in enumerate(labels(group["criterion"])):
        part = group.isel(criterion=number)
        keys = (f"met_{number}", f"met_{number}_mcse")
        frame[keys[0]] = part["met_probability"].to_numpy()
        frame[keys[1]] = part["met_probability_mcse"].to_numpy()
        kinds |= {keys[0]: "probability", keys[1]: "mcse"}
        columns.append(Column(header=(Name(text), " (MCSE)"), keys=keys, layout="probability"))
    columns.append(Column(header="Least likely to meet", keys=("least",), layout="name"))
    return Table(
        key="criteria",
        title="Who meets the criteria of the study",
        frame=frame,
        kinds=kinds,
        columns=tuple(columns),
        marked=bool(results.failed),
        notes=(("Ties at the cut of an end are settled by lot.",),),
    )


def _criteria_words(results: Results, table: Table) -> list[Text]:
    group = results.group("criteria")
    chosen = [name for name in table.rows if bool(group["selected"].sel(facility=name))]
    asked = listing([Name(text) for text in labels(group["criterion"])])
    said = [fill("The study asks for {asked}, all at once.", {"asked": asked})]
    if chosen:
        each = [
            fill("{name} ({p})", {"name": Name(name), "p": table.number(name, "all")})
            for name in chosen
        ]
        text = "The most facilities that meet all of it are expected among {names}."
        said.append(fill(text, {"names": listing(each)}))
    return said


def _next_table(results: Results) -> Table:
    group = results.group("next_round").sel(facility=results.order)
    names = labels(group["facility"])
    frame = pd.DataFrame({"facility": names}, index=names)
    kinds: dict[str, NumberKind] = {"drift": "d2"}
    columns = [Column(header="Facility", keys=("facility",), layout="name")]
    for side in SIDES:
        for key, words in (("now", "by the true level now"), ("next", "observed next")):
            keys = (f"{key}_{side}", f"{key}_{side}_mcse")
            frame[keys[0]], frame[keys[1]] = (group[name].to_numpy() for name in keys)
            kinds |= {keys[0]: "probability", keys[1]: "mcse"}
            header = f"{side.capitalize()} {results.m} {words} (MCSE)"
            columns.append(Column(header=header, keys=keys, layout="probability"))
    frame["drift"] = float(group.attrs["drift"])
    return Table(
        key="next_round",
        title="Level now, and what a next round would observe",
        frame=frame,
        kinds=kinds,
        columns=tuple(columns),
        marked=bool(results.failed),
    )


def _next_words(results: Results, table: Table) -> Text:
    """Say who is likeliest to be observed at the top next, beside how sure the level now is."""
    first = max(table.rows, key=lambda row: float(table.value(row, "next_top")))
    text = (
        "P(top {m}) speaks of true values and is no forecast. With as many new cases as last time "
        "and levels that move by a standard deviation of {drift} until then, {name} is the "
        "likeliest to be observed among the top {m}: {ahead}, where its level now is among them "
        "with {now}."
    )
    parts: dict[str, Piece | Text] = {
        "m": str(results.m),
        "drift": table.number(first, "drift"),
        "name": Name(first),
        "ahead": table.probability(first, "next_top"),
        "now": table.probability(first, "now_top"),
    }
    return fill(text, parts)


def _costs_table(results: Results, side: Side) -> Table:
    group = results.group(f"costs_{side}")
    numbers = [str(number) for number in group["number"].to_numpy()]
    frame = pd.DataFrame(
        {
            "number": group["number"].to_numpy().astype(float),
            "cost": group["expected_cost"].to_numpy(),
            "cost_mcse": group["expected_cost_mcse"].to_numpy(),
            "threshold": float(group.attrs["threshold"]),
            "missed": float(group.attrs["missed"]),
        },
        index=numbers,
    )
    m, best = int(group.attrs["m"]), int(group.attrs["cheapest"])
    near = sorted({0, m, *range(max(0, best - 2), min(len(numbers), best + 3))})
    return Table(
        key=f"costs_{side}",
        title=f"What it is expected to cost to name so many as {side}",
        frame=frame,
        kinds={
            "number": "whole", "cost": "d2", "cost_mcse": "mcse", "threshold": "d2", "missed": "d2",
        },
        columns=(
            Column(header="Named", keys=("number",)),
            Column(header="Expected cost", keys=("cost",)),
            Column(header="MCSE", keys=("cost_mcse",)),
        ),
        marked=bool(results.failed),
        notes=(("The unit is the cost of naming a wrong one.",),),
        shown=tuple(str(number) for number in near),
    )  # fmt: skip


def _costs_words(results: Results, side: Side, table: Table) -> Text:
    group = results.group(f"costs_{side}")
    best, m = str(group.attrs["cheapest"]), str(group.attrs["m"])
    flagged = group["facility"].to_numpy()[group["flagged"].to_numpy()]
    text = (
        "Where leaving out one of the true {m} costs {missed} times what a wrong name costs, it "
        "pays to name as {side} who has P({side} {m}) above {threshold}: {who}. That is expected "
        "to cost {cost}"
    )
    text += "." if best == m else ", naming {m} costs {fixed}."
    who = listing([Name(str(name)) for name in flagged]) if len(flagged) else ("nobody",)
    return fill(
        text,
        {
            "m": table.number(m, "number"),
            "missed": table.number(m, "missed"),
            "side": side,
            "threshold": table.number(m, "threshold"),
            "who": who,
            "cost": table.number(best, "cost"),
            "fixed": table.number(m, "cost"),
        },
    )
