"""Tables that both pages on interviews have: the facilities' parts, and how they stand apart."""

from typing import Any, Final

import pandas as pd
import xarray as xr

from pdsim.reports import plots
from pdsim.reports.formats.document import Column, Name, Picture, Table, Text, fill, listing
from pdsim.reports.formats.numbers import NumberKind

ENDS: Final = ("top", "bottom", "between")


def failed_gate(tree: xr.DataTree) -> str:
    """Return what failed of the convergence gates behind the scores; empty if nothing did."""
    stated = str(tree.attrs.get("convergence", "passed"))
    return "" if stated == "passed" else stated


def frame_of_rows(data: xr.Dataset, dim: str) -> pd.DataFrame:
    """Return the variables over one dimension, its labels as a column and as the index."""
    frame = data.to_dataframe().reset_index()
    frame[dim] = frame[dim].astype(str)
    return frame.set_index(dim, drop=False)


def role_table(tree: xr.DataTree) -> Table:
    """Return the part of each facility with its probabilities, the best first."""
    data = tree["roles"].to_dataset()
    frame = frame_of_rows(data, "facility").sort_values("mean", ascending=False, kind="stable")
    kinds: dict[str, NumberKind] = {"mean": "figure", "low": "figure", "high": "figure"}
    columns = [
        Column(header="Facility", keys=("facility",), layout="name"),
        Column(header="Part", keys=("role",), layout="text"),
        Column(header="Score", keys=("mean",)),
        Column(header="95 % interval", keys=("low", "high"), layout="interval"),
    ]
    m = {"top": data.attrs["m_top"], "bottom": data.attrs["m_bottom"]}
    headers = {name: f"P({name} {count})" for name, count in m.items()}
    headers["between"] = "P(neither)"
    for end in ENDS:
        keys = (f"{end}_probability", f"{end}_probability_mcse")
        kinds |= {keys[0]: "probability", keys[1]: "mcse"}
        columns.append(Column(header=headers[end], keys=keys, layout="probability"))
    return Table(
        key="roles",
        title="The part of each facility",
        frame=frame,
        kinds=kinds,
        columns=tuple(columns),
        marked=bool(failed_gate(tree)),
        notes=(
            (
                "Higher and lower are the groups that are compared. A boundary facility may well "
                "belong to an end without having been named; a middle one hardly.",
            ),
        ),
    )


def role_picture(tree: xr.DataTree) -> Picture:
    """Return the forest plot with the facilities' parts."""
    data = tree["roles"].to_dataset()
    units = str(data.attrs.get("units", ""))
    label = f"Score ({units})" if units else "Score"
    figure, drawn = plots.roles_forest(data, label=label, failed=failed_gate(tree))
    caption = ("Scores with 95 % intervals; colour and mark show the part in the interviews.",)
    return Picture(key="roles", caption=caption, alt=caption, figure=figure, data=drawn)


def group_table(tree: xr.DataTree) -> Table:
    """Return how truly the two groups stand apart."""
    data = tree["groups"].to_dataset()
    frame = pd.DataFrame([{str(k): float(v) for k, v in data.items()}], index=["groups"])
    kinds: dict[str, NumberKind] = {
        name: "probability" if name in ("all_above", "all_on_side") else "d3"
        for name in map(str, frame.columns)
    }
    for name in map(str, frame.columns):
        if name.endswith("_mcse"):
            kinds[name] = "mcse"
        elif name in ("apart", "ends_apart"):
            kinds[name] = "figure"
    headers = {
        "all_above": "P(all higher truly above all lower)",
        "all_on_side": "P(every one on its side of the median)",
    }
    columns = [
        Column(header=header, keys=(name, f"{name}_mcse"), layout="probability")
        for name, header in headers.items()
    ]
    columns += [
        Column(header="Class lambda: what is left of a theme that marks the ends",
               keys=("class_lambda",)),
        Column(header="Dose lambda: what is left of a theme that follows the score",
               keys=("dose_lambda",)),
        Column(header="Expected difference of the groups", keys=("apart",)),
        Column(header="Expected difference of the true ends", keys=("ends_apart",)),
    ]  # fmt: skip
    return Table(
        key="separation",
        title="How truly the groups stand apart",
        frame=frame,
        kinds=kinds,
        columns=tuple(columns),
        marked=bool(failed_gate(tree)),
        upright=True,
    )


def who_sentences(plan: xr.DataTree) -> Text:
    """Return which facilities to compare, and which may well belong to an end."""
    roles = plan["roles"].to_dataset()
    names = {
        role: [Name(str(name)) for name in roles["facility"].values[roles["role"].values == role]]
        for role in ("higher", "lower", "boundary")
    }
    text = "Compare {high} with {low}."
    if names["boundary"]:
        text += " Boundary cases, which may well belong to an end: {boundary}."
    parts: dict[str, Any] = {
        "high": listing(names["higher"]),
        "low": listing(names["lower"]),
        "boundary": listing(names["boundary"]),
    }
    return fill(text, parts)


def apart_sentences(separation: Table) -> Text:
    """Return how truly the two groups stand apart, from `group_table`."""
    parts: dict[str, Any] = {
        "above": separation.probability("groups", "all_above"),
        "side": separation.probability("groups", "all_on_side"),
        "lambda": separation.number("groups", "class_lambda"),
        "dose": separation.number("groups", "dose_lambda"),
    }
    text = (
        "The probability that all of the first are truly above all of the second is {above}; that "
        "every one is on its side of the median, {side}. Of a theme that marks the true ends, "
        "{lambda} of the difference is left; of one that follows the score, {dose}."
    )
    return fill(text, parts)
