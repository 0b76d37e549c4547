"""Sections on the tables of `pdsim.weights.weight_tables`, where the results hold them."""

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from pdsim.conventions import Side
from pdsim.reports import plots
from pdsim.reports.document import Block, Column, Name, Paragraph, Picture, Table, Text, fill
from pdsim.reports.numbers import Kind, in_words
from pdsim.reports.view import SIDES, Results, labels
from pdsim.weights.decomposition import JOIN, SET
from pdsim.weights.grid import POSTERIOR


def reweighting_blocks(results: Results, tables: dict[str, Table], long: bool) -> list[Block]:
    """Return acceptability, the nearest flip, ranges, domain sweeps and the decomposition."""
    blocks: list[Block] = []
    if results.has("weights_acceptability"):
        blocks += [acceptability_table(results, side) for side in SIDES]
    for side in SIDES:
        blocks += _flip(results, side) + _ranges(results, side)
        blocks += _sweep(results, side) + _decomposition(results, side)
    return blocks


def acceptability_table(results: Results, side: Side) -> Table:
    """Return P(top m) over draws and over weights of each space."""
    group = results.group("weights_acceptability").sel(facility=results.order)
    frame = pd.DataFrame({"facility": results.order}, index=results.order)
    kinds: dict[str, Kind] = {}
    columns = [Column(header="Facility", keys=("facility",), layout="name")]
    for space in labels(group["space"]):
        part = group.sel(space=space)
        key = f"{side} {space}"
        frame[key] = part[f"{side}_acceptability"].to_numpy()
        frame[f"{key}_mcse"] = part[f"{side}_acceptability_mcse"].to_numpy()
        kinds |= {key: "probability", f"{key}_mcse": "mcse"}
        header = f"Weights {space.replace('_', ' ')} (MCSE)"
        columns.append(Column(header=header, keys=(key, f"{key}_mcse"), layout="probability"))
    return Table(
        key=f"acceptability_{side}",
        title=f"P({side} {results.m}) when the weights are uncertain too",
        frame=frame,
        kinds=kinds,
        columns=tuple(columns),
        marked=bool(results.failed),
    )


def flip_table(results: Results, side: Side) -> Table:
    """Return the nearest flip of the posterior means: one row, printed as a list."""
    group = results.group(f"weights_flip_{side}")
    row = {
        "distance": float(group["mean_distance"]),
        "leaves": str(group["mean_leaves"].item()),
        "enters": str(group["mean_enters"].item()),
    }
    return Table(
        key=f"flip_{side}",
        title=f"The nearest weights at which the {side} {results.m} changes",
        frame=pd.DataFrame({key: [value] for key, value in row.items()}, index=["flip"]),
        kinds={"distance": "ratio"},
        columns=(
            Column(header="Sum of the changes of the weights", keys=("distance",)),
            Column(header="Leaves", keys=("leaves",), layout="name"),
            Column(header="Enters", keys=("enters",), layout="name"),
        ),
        marked=bool(results.failed),
        upright=True,
    )


def settle_table(results: Results, side: Side) -> Table:
    """Return what part of the variance of the set data could take away: one row."""
    group = results.group(f"weights_decomposition_{side}").sel(outcome=SET)
    first, first_error = group["first"], group["first_mcse"]
    names = labels(group["component"])
    agreed = group.sel(component=[name for name in names if POSTERIOR not in name.split(JOIN)])
    posterior = float(first.sel(factor=POSTERIOR))
    share = float(agreed["share"].sum())
    errors = {
        "posterior": float(first_error.sel(factor=POSTERIOR)),
        # components are not independent: the sum of their errors bounds that of the sum
        "agreed": float(agreed["share_mcse"].sum()),
    }
    row = {"posterior": posterior, "agreed": share, "both": max(0.0, 1.0 - posterior - share)}
    errors["both"] = sum(errors.values())
    headers = {
        "posterior": "Posterior alone: what more data would take away (MCSE)",
        "agreed": "Weights and choices alone: what agreement would take away (MCSE)",
        "both": "Both together (MCSE)",
    }
    data = row | {f"{name}_mcse": error for name, error in errors.items()}
    kinds: dict[str, Kind] = {}
    for name in row:
        kinds |= {name: "probability", f"{name}_mcse": "mcse"}
    return Table(
        key=f"settle_{side}",
        title=f"Whether more data would settle the {side} {results.m}: shares of the variance",
        frame=pd.DataFrame({key: [value] for key, value in data.items()}, index=["share"]),
        kinds=kinds,
        columns=tuple(
            Column(header=header, keys=(name, f"{name}_mcse"), layout="probability")
            for name, header in headers.items()
        ),
        marked=bool(results.failed),
        upright=True,
    )


def _flip(results: Results, side: Side) -> list[Block]:
    if not results.has(f"weights_flip_{side}"):
        return []
    group = results.group(f"weights_flip_{side}")
    table = flip_table(results, side)
    blocks: list[Block] = []
    if float(group["mean_distance"]) < float("inf"):
        sentence = fill(
            "By posterior means, the nearest weights that change the {side} {m} differ from the "
            "study's by {d} in all; there {leaves} leaves and {enters} enters.",
            {
                "side": side,
                "m": in_words(results.m),
                "d": table.number("flip", "distance"),
                "leaves": Name(str(group["mean_leaves"].item())),
                "enters": Name(str(group["mean_enters"].item())),
            },
        )
        blocks += [Paragraph(text=sentence), table]
    sample = next((str(dim) for dim in group["distance"].dims), "")
    if sample and bool((group["distance"] < float("inf")).any()):
        figure, data = plots.flip_density(group, sample=sample, failed=results.failed)
        caption = (
            f"Distance of the nearest flip of the {side} {results.m} in the draws of the "
            "posterior; at zero another set is selected already at the study's weights.",
        )
        blocks.append(_picture(f"flip-{side}", caption, figure, data))
    return blocks


def _ranges(results: Results, side: Side) -> list[Block]:
    if not results.has(f"weights_stability_{side}"):
        return []
    figure, data = plots.tornado(results.group(f"weights_stability_{side}"), failed=results.failed)
    caption = (
        f"Range of each indicator's weight within which the {side} {results.m} stays, the other "
        "weights in proportion, by posterior means; the narrowest first.",
    )
    return [_picture(f"tornado-{side}", caption, figure, data)]


def _sweep(results: Results, side: Side) -> list[Block]:
    blocks: list[Block] = []
    number = 0
    while results.has(f"weights_sweep_{side}_{number}"):
        group = results.group(f"weights_sweep_{side}_{number}")
        figure, data = plots.domain_strip(group, failed=results.failed)
        caption = fill(
            "P({side} {m}) as the weight of {domain} runs from none to all; the dashed line is "
            "the study's weight.",
            {
                "side": side,
                "m": in_words(results.m),
                "domain": Name(str(group.attrs.get("domain", "the domain"))),
            },
        )
        blocks.append(_picture(f"sweep-{side}-{number}", caption, figure, data))
        number += 1
    return blocks


def _decomposition(results: Results, side: Side) -> list[Block]:
    if not results.has(f"weights_decomposition_{side}"):
        return []
    group = results.group(f"weights_decomposition_{side}")
    if SET not in labels(group["outcome"]):
        return []
    shares: xr.DataArray = group["share"].sel(outcome=SET)
    if not bool(shares.notnull().all()):
        return []
    table = settle_table(results, side)
    posterior = float(group["first"].sel(outcome=SET, factor=POSTERIOR))
    error = float(group["first_mcse"].sel(outcome=SET, factor=POSTERIOR))
    sentence = fill(
        "More data {verdict} settle the {side} {m}{close}: the posterior alone makes {posterior} "
        "of the variance of its membership, weights and choices alone {agreed}, both together "
        "{both}.",
        {
            "verdict": "would" if posterior >= 0.5 else "would not",
            "side": side,
            "m": in_words(results.m),
            "close": " (a close call)" if abs(posterior - 0.5) < 2.0 * error else "",
            **{name: table.probability("share", name) for name in ("posterior", "agreed", "both")},
        },
    )
    figure, data = plots.decomposition_bars(shares, failed=results.failed)
    caption = (
        f"What the uncertainty about the {side} {results.m} is due to: draws of the posterior, "
        "weights, normalisation, indicators, and these together.",
    )
    picture = _picture(f"decomposition-{side}", caption, figure, data)
    return [Paragraph(text=sentence), table, picture]


def _picture(key: str, caption: Text, figure: Figure, data: pd.DataFrame) -> Picture:
    return Picture(key=key, caption=caption, alt=caption, figure=figure, data=data)
