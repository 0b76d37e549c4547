"""Report of a sweep: how often a design picks the right facilities."""

import itertools
import json
from typing import Any, Final

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
    Section,
    Table,
    Text,
    fill,
)
from pdsim.reports.formats.numbers import NumberKind
from pdsim.terms.measures import MEASURES

_MOST_ROWS: Final = 200


def sweep_document(result: xr.Dataset) -> Document:
    """Return the report of a sweep.

    Parameters
    ----------
    result : xr.Dataset
        From `pdsim.sweep` or `pdsim.open_sweep`.

    Raises
    ------
    InputError
        If it has none of the measures that a report prints.
    """
    printed = [measure.name for measure in MEASURES.values() if measure.heading]
    measures = [name for name in printed if name in result and f"{name}_mcse" in result]
    if not measures:
        raise InputError("the sweep has none of the measures that a report prints")
    configuration = json.loads(result.attrs.get("configuration", "{}"))
    factors = [str(dim) for dim in result[measures[0]].dims]
    table = _sweep_table(result, measures, factors)
    blocks: list[Element] = [*_curves(result, measures[0], factors), table]
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
        kinds |= {name: "probability", f"{name}_mcse": "mcse"}
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
            *(
                Column(
                    header=f"{MEASURES[name].heading} (MCSE)",
                    keys=(name, f"{name}_mcse"),
                    layout="probability",
                )
                for name in measures
            ),
            Column(header="Simulated", keys=("n_simulated",)),
            Column(header="Failed", keys=("n_failed",)),
        ),
        notes=(("MCSE is the Monte Carlo standard error over simulated studies.",),),
        shown=None if len(index) <= _MOST_ROWS else tuple(index[:_MOST_ROWS]),
    )


def _curves(result: xr.Dataset, measure: str, factors: list[str]) -> list[Element]:
    numeric = [name for name in factors if result[name].dtype.kind in "if"]
    if not numeric or len(factors) > 2:
        return []
    over = numeric[0]
    others = [name for name in factors if name != over]
    by = others[0] if others else None
    figure, data = plots.pcs_curves(
        result, over=over, by=by, measure=measure, label=MEASURES[measure].heading
    )
    caption: Text = (
        f"{MEASURES[measure].heading}, with 95 % Monte Carlo bands; the values are in the table.",
    )
    return [Picture(key="pcs", caption=caption, alt=caption, figure=figure, data=data)]


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
