"""Report of a sweep: how often a design picks the right facilities."""

import itertools
import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from pdsim.errors import InputError
from pdsim.reports import plots
from pdsim.reports.formats.document import (
    Column,
    Document,
    Element,
    Name,
    Paragraph,
    Picture,
    Piece,
    Section,
    Table,
    Text,
    fill,
)
from pdsim.reports.formats.numbers import NumberKind
from pdsim.terms.measures import MEASURES

_MOST_ROWS: Final = 200
_CLEAR: Final = 3.0
"""Monte Carlo errors that a difference must exceed to be called one."""


def sweep_document(
    result: xr.Dataset, *, contrasts: Mapping[str, xr.Dataset] | None = None
) -> Document:
    """Return the report of a sweep.

    Parameters
    ----------
    result : xr.Dataset
        From `pdsim.sweep` or `pdsim.open_sweep`.
    contrasts : mapping of dimension to Dataset, optional
        From `pdsim.sweeps.open_contrast`: what the other levels of a factor change.

    Raises
    ------
    InputError
        If it has none of the measures that a report prints.
    """
    configuration = json.loads(result.attrs.get("configuration", "{}"))
    asked = configuration.get("measures") or []
    measures = [
        name
        for name in asked or [measure.name for measure in MEASURES.values() if measure.heading]
        if name in result and f"{name}_mcse" in result and name in MEASURES
    ]
    if not measures:
        raise InputError("the sweep has none of the measures that a report prints")
    factors = [str(dim) for dim in result[measures[0]].dims]
    table = _sweep_table(result, measures, factors)
    paired = [
        _contrast_table(contrast, dim, measures, factors)
        for dim, contrast in (contrasts or {}).items()
    ]
    said = [_extremes(table, measures[0], factors)] + [
        _largest(one, dim, measures[0]) for one, dim in zip(paired, contrasts or {}, strict=True)
    ]
    blocks: list[Element] = [Paragraph(text=text, style="summary") for text in said]
    for name in (asked and measures) or measures[:1]:
        blocks += _curves(result, name, factors)
    blocks += [table, *paired]
    return Document(
        title=(Name(str(configuration.get("name") or "Sweep")),),
        subtitle=("How often the right facilities are chosen",),
        sections=(
            Section(key="results", title="Results", blocks=tuple(blocks)),
            _made(result.attrs, "pdsim sweep sweep.toml --store store"),
        ),
    )


def trial_document(trial: xr.Dataset) -> Document:
    """Return what a terminal prints of a sweep that was only tried.

    Parameters
    ----------
    trial : xr.Dataset
        From `pdsim.sweeps.dry_run`.
    """
    names = [str(name) for name in trial.scenario.to_numpy()]
    table = Table(
        key="trial",
        title="One trial replicate of each cell",
        frame=pd.DataFrame(
            {
                "cell": names,
                "status": trial.status.to_numpy(),
                "took": 1e3 * trial.seconds.to_numpy(),
                "cost": 1e3 * trial.cost.to_numpy(),
            },
            index=trial.key.to_numpy(),
        ),
        kinds={"took": "d2", "cost": "d3"},
        columns=(
            Column(header="Cell", keys=("cell",), layout="name"),
            Column(header="Status", keys=("status",), layout="text"),
            Column(header="Took (ms)", keys=("took",)),
            Column(header="Estimate (ms)", keys=("cost",)),
        ),
    )
    seconds = trial.attrs["estimated_seconds"]
    time = f"{max(seconds, 1):.0f} s" if seconds < 600 else f"{seconds / 3600:.1f} h"
    parts = {
        "cells": Name(f"{trial.attrs['cells']:,}"),
        "replicates": Name(f"{trial.attrs['replicates']:,}"),
        "time": Name(f"{'about' if seconds >= 1 else 'less than'} {time}"),
    }
    text = (
        "{cells} cells of {replicates} replicates: {time} of one core. Cells that share a "
        "fit share its estimated cost; a first replicate also takes the time to compile."
    )
    section = Section(key="trial", title="Trial", blocks=(table, Paragraph(text=fill(text, parts))))
    return Document(title=("Trial of a sweep",), subtitle=(), sections=(section,))


def _sweep_table(result: xr.Dataset, measures: list[str], factors: list[str]) -> Table:
    cells = list(itertools.product(*(result[name].to_numpy().tolist() for name in factors)))
    rows: list[dict[str, Any]] = []
    for cell in cells:
        one = result.sel(dict(zip(factors, cell, strict=True)))
        row: dict[str, Any] = {name: str(value) for name, value in zip(factors, cell, strict=True)}
        for name in measures:
            row[name], row[f"{name}_mcse"] = float(one[name]), float(one[f"{name}_mcse"])
        for name in ("n_simulated", "n_failed"):
            row[name] = float(one[name]) if name in result else float("nan")
        rows.append(row)
    index = [" / ".join(str(value) for value in cell) for cell in cells]
    kinds: dict[str, NumberKind] = {"n_simulated": "whole", "n_failed": "whole"}
    for name in measures:
        kinds |= _kinds(name)
    return Table(
        key="sweep",
        title="Performance in every cell",
        frame=pd.DataFrame(rows, index=index),
        kinds=kinds,
        columns=(
            *(
                Column(header=(Name(name.replace("_", " ")),), keys=(name,), layout="name")
                for name in factors
            ),
            *(_measured(name) for name in measures),
            Column(header="Simulated", keys=("n_simulated",)),
            Column(header="Failed", keys=("n_failed",)),
        ),
        notes=(("MCSE is the Monte Carlo standard error over simulated studies.",),),
        shown=None if len(index) <= _MOST_ROWS else tuple(index[:_MOST_ROWS]),
    )


def _heading(measure: str) -> str:
    words = MEASURES[measure].words
    return MEASURES[measure].heading or f"{words[0].upper()}{words[1:]}"


def _kinds(measure: str) -> dict[str, NumberKind]:
    if MEASURES[measure].is_probability:
        return {measure: "probability", f"{measure}_mcse": "mcse"}
    return {measure: "d3", f"{measure}_mcse": "d3"}


def _measured(measure: str) -> Column:
    return Column(
        header=f"{_heading(measure)} (MCSE)",
        keys=(measure, f"{measure}_mcse"),
        layout="probability",
    )


def _contrast_table(
    contrast: xr.Dataset, dim: str, measures: list[str], factors: list[str]
) -> Table:
    """Return what the other levels of a factor change, cell by cell."""
    _, _, reference = str(contrast.attrs["reference"]).partition(" = ")
    rows: list[dict[str, Any]] = []
    for cell in itertools.product(*(contrast[name].to_numpy().tolist() for name in factors)):
        place = dict(zip(factors, cell, strict=True))
        if str(place[dim]) == reference:
            continue
        one = contrast.sel(place)
        row: dict[str, Any] = {name: str(value) for name, value in place.items()}
        for name in measures:
            row[name], row[f"{name}_mcse"] = float(one[name]), float(one[f"{name}_mcse"])
        rows.append(row)
    index = [" / ".join(row[name] for name in factors) for row in rows]
    return Table(
        key=f"difference_{dim}",
        title=f"Difference from {dim.replace('_', ' ')} = {reference}, paired by replicate",
        frame=pd.DataFrame(rows, index=index),
        # a difference may be negative, so that no bound stands for it
        kinds={key: "d3" for name in measures for key in (name, f"{name}_mcse")},
        columns=(
            *(
                Column(header=(Name(name.replace("_", " ")),), keys=(name,), layout="name")
                for name in factors
            ),
            *(_measured(name) for name in measures),
        ),
        shown=None if len(index) <= _MOST_ROWS else tuple(index[:_MOST_ROWS]),
    )


def _extremes(table: Table, measure: str, factors: list[str]) -> Text:
    """Say in which cells a measure is best and worst."""
    values = table.frame[measure].astype(float).to_numpy()
    if not np.isfinite(values).any():
        return (f"{_heading(measure)} is known in no cell.",)
    if MEASURES[measure].better == "middle" or np.nanmax(values) == np.nanmin(values):
        ends = {"from": int(np.nanargmin(values)), "to": int(np.nanargmax(values))}
        text = f"{_heading(measure)} goes from {{from}} to {{to}}."
    else:
        sign = 1.0 if MEASURES[measure].better == "larger" else -1.0
        ends = {"to": int(np.nanargmax(sign * values)), "from": int(np.nanargmin(sign * values))}
        text = f"{_heading(measure)} is best with {{at_to}}: {{to}}. "
        text += "It is worst with {at_from}: {from}."
    rows = list(table.positions)
    parts: dict[str, Piece | Text] = {}
    for end, at in ends.items():
        parts[end] = table.probability(rows[at], measure)
        places = (f"{name.replace('_', ' ')} = {table.value(rows[at], name)}" for name in factors)
        parts[f"at_{end}"] = Name(", ".join(places) or "these settings")
    return fill(text, parts)


def _largest(table: Table, dim: str, measure: str) -> Text:
    """Say which level of a factor changes a measure most, or that none does for certain."""
    of = table.frame[measure].astype(float), table.frame[f"{measure}_mcse"].astype(float)
    ratio = (of[0].abs() / of[1].where(of[1] > 0.0)).to_numpy()
    words = dim.replace("_", " ")
    clear = ratio > _CLEAR
    if not clear.any():
        return (f"No level of {words} changes {_heading(measure)} beyond computation error.",)
    size = np.where(clear, of[0].abs().to_numpy(), -np.inf)
    row = str(table.frame.index[int(size.argmax())])
    parts: dict[str, Piece | Text] = {
        "d": table.probability(row, measure),
        "at": Name(row),
        "n": str(int(clear.sum())),
        "all": str(len(table.frame)),
    }
    text = f"Against the first level of {words}, {_heading(measure)} changes most at "
    text += "{at}: by {d}; {n} of {all} paired differences are beyond computation error."
    return fill(text, parts)


def _curves(result: xr.Dataset, measure: str, factors: list[str]) -> list[Element]:
    """Return a measure along the first factor of numbers, a line for each level of the next."""
    numeric = [name for name in factors if result[name].dtype.kind in "if"]
    if not numeric:
        return []
    over = numeric[0]
    others = [name for name in factors if name != over]
    by = others[0] if others else None
    fixed = {name: result[name].to_numpy().tolist()[0] for name in others[1:]}
    figure, data = plots.pcs_curves(
        result.sel(fixed), over=over, by=by, measure=measure, label=_heading(measure)
    )
    held = ", ".join(f"{name.replace('_', ' ')} = {value}" for name, value in fixed.items())
    caption = fill(
        f"{_heading(measure)}, with 95 % Monte Carlo bands{{held}}; the values are in the table.",
        {"held": (" at ", Name(held)) if held else ""},
    )
    key = f"curve-{measure}"
    return [Picture(key=key, caption=caption, alt=caption, figure=figure, data=data)]


def _made(attrs: Any, command: str) -> Section:
    configuration = str(attrs.get("configuration", "{}"))
    versions = json.loads(attrs.get("versions", "{}"))
    text = ", ".join(f"{name} {value}" for name, value in versions.items())
    seed = str(attrs.get("seed", ""))
    return Section(
        key="made",
        title="How this was made",
        blocks=(
            Paragraph(text=fill("Seed {s}; {v}.", {"s": Name(seed), "v": Name(text)})),
            Paragraph(text=(command,), style="code"),
            Paragraph(
                text=(json.dumps(json.loads(configuration), indent=1, ensure_ascii=False),),
                style="code",
            ),
        ),
    )
