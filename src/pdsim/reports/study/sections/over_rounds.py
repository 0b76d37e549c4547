"""The section on steadiness over rounds; there only for a study of more than two."""

import json

import numpy as np
import pandas as pd
import xarray as xr

from pdsim.conventions import Side
from pdsim.reports import plots
from pdsim.reports.formats.document import (
    Column,
    Element,
    Name,
    Paragraph,
    Picture,
    Section,
    Table,
    Text,
    fill,
    listing,
)
from pdsim.reports.formats.numbers import NumberKind
from pdsim.reports.study.view import SIDES, Results, labels


def rounds_section(results: Results, tables: dict[str, Table]) -> Section:
    """Return who was at the ends in which round, and what noise alone would do."""
    blocks: list[Element] = []
    for side in SIDES:
        if not results.has(f"steadiness_{side}"):
            continue
        overlap = _overlap_table(results, side)
        words = _overlap_words(overlap, side)
        blocks += [_heat(results, side), *(Paragraph(text=text) for text in words), overlap]
        blocks.append(_times_table(results, side))
    if results.has("rounds"):
        blocks.append(Paragraph(text=_signals(results)))
        refused = results.group("rounds").attrs.get("refused")
        if refused is not None:
            text = "The rounds are not compared: a fit of one cannot be vouched for ({why})."
            blocks.append(Paragraph(text=fill(text, {"why": str(refused)})))
        left = json.loads(results.group("rounds").attrs["left_out"])
        if left:
            who = listing([Name(name) for name in left])
            text = "Without data in some round, and so left out here: {who}."
            blocks.append(Paragraph(text=fill(text, {"who": who})))
    return Section(key="rounds", title="Steady over the rounds?", blocks=tuple(blocks))


def _steady(results: Results, side: Side) -> xr.Dataset:
    """Return the facilities that every round has, in the order of the report."""
    group = results.group(f"steadiness_{side}")
    known = set(labels(group["facility"]))
    return group.sel(facility=[name for name in results.order if name in known])


def _heat(results: Results, side: Side) -> Picture:
    group = _steady(results, side)
    figure, data = plots.round_heatmap(group, failed=results.failed)
    return Picture(
        key=f"rounds-{side}",
        caption=(
            f"P({side} {results.m}) of every facility by its level in every round, each round "
            "fitted by itself; the darker the likelier.",
        ),
        alt=("Heat map of probabilities by round; they stand in its file.",),
        figure=figure,
        data=data,
    )


def _overlap_table(results: Results, side: Side) -> Table:
    group = results.group(f"steadiness_{side}")
    steps = labels(group["step"])
    frame = pd.DataFrame(
        {
            "step": steps,
            "overlap": group["overlap"].to_numpy(),
            "overlap_mcse": group["overlap_mcse"].to_numpy(),
            "seen": group["observed_overlap"].to_numpy(),
            "noise": group["by_noise"].to_numpy(),
        },
        index=steps,
    )
    return Table(
        key=f"overlap_{side}",
        title=f"Share of the {side} {results.m} of a round that is in the next one's",
        frame=frame,
        kinds={"overlap": "probability", "overlap_mcse": "mcse", "seen": "d2", "noise": "d2"},
        columns=(
            Column(header="From one round to the next", keys=("step",), layout="name"),
            Column(header="Observed", keys=("seen",)),
            Column(header="By noise alone", keys=("noise",)),
            Column(
                header="Of true levels (MCSE)",
                keys=("overlap", "overlap_mcse"),
                layout="probability",
            ),
        ),
        marked=bool(results.failed),
    )


def _overlap_words(table: Table, side: Side) -> list[Text]:
    """Say how much of the first observed end stayed; nothing where none was observed whole."""
    whole = [row for row in table.rows if not np.isnan(table.value(row, "seen"))]
    if not whole:
        return []
    first = whole[0]
    text = (
        "From {step}, a share of {seen} of those observed at the {side} was observed there "
        "again. If no true level had changed, {noise} would be expected: new cases alone move the "
        "others. Of those whose true level was at the {side}, {share} are expected to have stayed."
    )
    parts = {
        "step": Name(first),
        "side": side,
        "seen": table.number(first, "seen"),
        "share": table.number(first, "overlap"),
        "noise": table.number(first, "noise"),
    }
    return [fill(text, parts)]


def _times_table(results: Results, side: Side) -> Table:
    group = _steady(results, side)
    names = labels(group["facility"])
    frame = pd.DataFrame({"facility": names}, index=names)
    kinds: dict[str, NumberKind] = {}
    columns = [Column(header="Facility", keys=("facility",), layout="name")]
    total = group.sizes["times"]
    for times in group["times"].to_numpy().tolist():
        key = f"times_{times}"
        part = group.sel(times=times)
        frame[key] = part["times_probability"].to_numpy()
        frame[f"{key}_mcse"] = part["times_probability_mcse"].to_numpy()
        kinds |= {key: "probability", f"{key}_mcse": "mcse"}
        header = f"At least {times} of {total} (MCSE)"
        columns.append(Column(header=header, keys=(key, f"{key}_mcse"), layout="probability"))
    return Table(
        key=f"times_{side}",
        title=f"Probability of being among the {side} {results.m} in so many rounds",
        frame=frame,
        kinds=kinds,
        columns=tuple(columns),
        marked=bool(results.failed),
    )


def _signals(results: Results) -> Text:
    group = results.group("rounds")
    useful, signal = group["useful"].to_numpy(), group["signal"].to_numpy().astype(bool)
    names = np.array(labels(group["facility"]))
    if (group["longest_limit"].to_numpy() < 0).all():
        most = int(useful.max())
        return (
            f"A run chart needs ten values off its median; no facility has more than {most}, so "
            "that nothing can be said of shifts.",
        )
    if not signal.any():
        return ("No run chart passes Anhoej's limits: the series look like noise.",)
    who = listing([Name(str(name)) for name in names[signal]])
    return fill("Run charts pass Anhoej's limits, a sign of a shift, for {who}.", {"who": who})
