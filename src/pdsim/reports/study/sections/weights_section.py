"""The section on weights: what changes with them, and the explorer."""

from typing import Any

import numpy as np
import pandas as pd

from pdsim.reports.formats.document import Column, Element, Explorer, Paragraph, Section, Table
from pdsim.reports.formats.numbers import NumberKind
from pdsim.reports.study.explorer import (
    explorer_payload,
    explorer_table,
    offered_scales,
    single_flips,
)
from pdsim.reports.study.sections.reweighting import reweighting
from pdsim.reports.study.view import Results

_CALM = "The weight of no single indicator changes a name, whatever it is."


def weights_section(results: Results, tables: dict[str, Table]) -> Section:
    """Return the nearest flips and the explorer, and what would settle the choice."""
    blocks: list[Element] = []
    filed: list[Table] = []
    payload = explorer_payload(results)
    if payload is not None:
        weights = [indicator["weight"] for indicator in payload["indicators"]]
        scales = {name: explorer_table(payload, weights, name) for name in offered_scales()}
        filed.append(normalisation_table(results, scales, len(payload["values"])))
        flips = flips_table(results, payload, weights)
        blocks += [flips] if flips is not None else [Paragraph(text=(_CALM,))]
    said, tabled = reweighting(results)
    blocks += said
    if payload is not None:
        blocks.append(Explorer(payload=payload))
    return Section(
        key="weights", title="Other weights", blocks=tuple(blocks), filed=(*filed, *tabled)
    )


def normalisation_table(results: Results, scales: dict[str, pd.DataFrame], draws: int) -> Table:
    """Return P(top m) and P(bottom m) of every facility on each scale."""
    order = results.order
    frame = pd.DataFrame({"facility": order}, index=order)
    kinds: dict[str, NumberKind] = {}
    columns = [Column(header="Facility", keys=("facility",), layout="name")]
    for side in ("top", "bottom"):
        for name, scale in offered_scales().items():
            key = f"p_{side}_{name}"
            frame[key] = scales[name].loc[order, f"p_{side}"].to_numpy()
            frame[f"selected_{side}_{name}"] = (
                scales[name].loc[order, f"selected_{side}"].to_numpy()
            )
            p = frame[key].to_numpy()
            # counted as 0 or 1: a third of the bound 3 / draws
            spread = np.sqrt(p * (1.0 - p) / draws)
            frame[f"{key}_mcse"] = np.where(spread > 0.0, spread, 1.0 / draws)
            kinds |= {key: "probability", f"{key}_mcse": "mcse"}
            columns.append(
                Column(header=f"P({side} {results.m}), {scale.label.split(' (')[0]}", keys=(key,))
            )
    return Table(
        key="normalisations",
        title="Memberships with the study's weights on other scales",
        frame=frame,
        kinds=kinds,
        columns=tuple(columns),
        marked=bool(results.failed),
        notes=(
            (
                f"From {draws} draws (Monte Carlo standard error at most "
                f"{0.5 / draws**0.5:.2f}); the first column of each side repeats the analysis "
                "with these few draws.",
            ),
        ),
    )


def flips_table(results: Results, payload: dict[str, Any], weights: list[float]) -> Table | None:
    """Return the nearest flip by the weight of each indicator alone."""
    flips = single_flips(payload, weights)
    if not flips:
        return None
    texts = {one["name"]: one["label"] for one in payload["indicators"]}
    frame = pd.DataFrame(
        {
            "indicator": [texts[flip.indicator] for flip in flips],
            "weight": [100.0 * flip.weight for flip in flips],
            "at": [100.0 * flip.at for flip in flips],
            "side": [f"{flip.side} {results.m}" for flip in flips],
            "leaves": [flip.leaves for flip in flips],
            "enters": [flip.enters for flip in flips],
        },
        index=[flip.indicator for flip in flips],
    )
    return Table(
        key="weight_flips",
        title="The weight of one indicator at which the selection changes",
        frame=frame,
        kinds={"weight": "percent", "at": "percent"},
        columns=(
            Column(header="Indicator", keys=("indicator",), layout="name"),
            Column(header="Weight now (%)", keys=("weight",)),
            Column(header="Weight at the flip (%)", keys=("at",)),
            Column(header="Selection", keys=("side",), layout="text"),
            Column(header="Leaves", keys=("leaves",), layout="name"),
            Column(header="Enters", keys=("enters",), layout="name"),
        ),
        marked=bool(results.failed),
        exact=frozenset({"weight"}),
        notes=(
            (
                "The other weights keep their proportions, and facilities are ordered by posterior "
                "means; indicators without a row never change the selection.",
            ),
        ),
    )
