"""Sections on the tables of `pdsim.analysis.weight_tables`, where the results hold them."""

from typing import TYPE_CHECKING

import pandas as pd
import xarray as xr

from pdsim.conventions import Side
from pdsim.reports import plots
from pdsim.reports.formats.document import (
    Column,
    Element,
    Paragraph,
    Picture,
    Table,
    Text,
    fill,
)
from pdsim.reports.formats.numbers import NumberKind, in_words
from pdsim.reports.study.view import SIDES, Results, labels
from pdsim.weights import Settled, settle
from pdsim.weights.outcomes import SET

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def reweighting(results: Results) -> tuple[list[Element], list[Table]]:
    """Return sentences and figures on uncertain weights, and the tables that stand in files."""
    blocks: list[Element] = []
    filed: list[Table] = []
    if results.has("weights_acceptability"):
        filed += [acceptability_table(results, side) for side in SIDES]
        blocks += _bars(results)
    for side in SIDES:
        for known in ("_nominal", ""):
            said, table = _decomposition(results, side, known)
            # the study's own weights are the question; free ones stand in the file
            blocks += (
                said if known or not results.has(f"weights_decomposition_{side}_nominal") else []
            )
            filed += table
        if results.has(f"weights_flip_{side}"):
            filed.append(flip_table(results, side))
        if results.has(f"weights_factors_{side}"):
            filed.append(methods_table(results, side))
    return blocks, filed


def acceptability_table(results: Results, side: Side) -> Table:
    """Return P(top m) over draws and over weights of each space."""
    group = results.group("weights_acceptability").sel(facility=results.order)
    frame = pd.DataFrame({"facility": results.order}, index=results.order)
    kinds: dict[str, NumberKind] = {}
    columns = [Column(header="Facility", keys=("facility",), layout="name")]
    for space in labels(group["space"]):
        part = group.sel(space=space)
        key = f"{side} {space}"
        frame[key] = part[f"{side}_acceptability"].to_numpy()
        frame[f"{key}_mcse"] = part[f"{side}_acceptability_mcse"].to_numpy()
        kinds |= {key: "probability", f"{key}_mcse": "mcse"}
        header = f"Weights {space.replace('_', ' ')} (MCSE)"
        columns.append(Column(header=header, keys=(key, f"{key}_mcse"), layout="probability"))
    if results.has(f"weights_multiverse_{side}"):
        stays = results.group(f"weights_multiverse_{side}")["stays"]
        frame["stays"] = 100.0 * stays.sel(facility=results.order).to_numpy()
        kinds["stays"] = "percent"
        columns.append(Column(header="Choices of method that select it (%)", keys=("stays",)))
    if results.has("weights_bounds"):
        bounds = results.group("weights_bounds").sel(facility=results.order)
        sure, may = bounds[f"necessary_{side}"].to_numpy(), bounds[f"possible_{side}"].to_numpy()
        ranks = zip(bounds["best_rank"].to_numpy(), bounds["worst_rank"].to_numpy(), strict=True)
        frame["any"] = [
            f"{'always' if s else 'possible' if p else 'never'} (rank {best} to {worst})"
            for s, p, (best, worst) in zip(sure, may, ranks, strict=True)
        ]
        header = "Under any weights, by posterior means"
        columns.append(Column(header=header, keys=("any",), layout="text"))
    return Table(
        key=f"acceptability_{side}",
        title=f"P({side} {results.m}) when the weights are uncertain too",
        frame=frame,
        kinds=kinds,
        columns=tuple(columns),
        marked=bool(results.failed),
    )


def methods_table(results: Results, side: Side) -> Table:
    """Return how often the selection stays under each level of each choice of method."""
    group = results.group(f"weights_factors_{side}")
    frame = pd.DataFrame(
        {
            "factor": [text.replace("_", " ") for text in labels(group["factor"])],
            "level": [text.replace("_", " ") for text in labels(group["name"])],
            "choices": [str(int(number)) for number in group["choices"].to_numpy()],
            "same": 100.0 * group["same"].to_numpy(),
            "overlap": 100.0 * group["overlap"].to_numpy(),
        },
        index=[str(at) for at in range(group.sizes["level"])],
    )
    return Table(
        key=f"methods_{side}",
        title=f"How often other choices of method select the same {side} {results.m}",
        frame=frame,
        kinds={"same": "percent", "overlap": "percent"},
        columns=(
            Column(header="Choice", keys=("factor",), layout="text"),
            Column(header="Level", keys=("level",), layout="name"),
            Column(header="Choices crossed", keys=("choices",), layout="text"),
            Column(header="Same set (%)", keys=("same",)),
            Column(header="Mean share of the set kept (%)", keys=("overlap",)),
        ),
        marked=bool(results.failed),
        notes=(
            (
                "Every level is crossed with all levels of the other choices; compared is the set "
                "of the largest membership probabilities with that of the first level of each.",
            ),
        ),
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


def settle_table(results: Results, name: str, side: Side, settled: Settled) -> Table:
    """Return what part of the variance of the choice data could take away: one row."""
    premise = str(results.group(name).attrs.get("premise", "Under the weights sampled"))
    headers = {
        "apart": "Probability that two readings choose different sets (MCSE)"
        if settled.outcome == SET
        else f"Share of the {results.m} in which two readings differ (MCSE)",
        "posterior": "Posterior alone: what more data would take away (MCSE)",
        "agreed": "Weights and choices alone: what agreement would take away (MCSE)",
        "both": "Both together (MCSE at most)",
    }
    row = {key: getattr(settled, key) for part in headers for key in (part, f"{part}_mcse")}
    kinds: dict[str, NumberKind] = {}
    for part in headers:
        kinds |= {part: "probability", f"{part}_mcse": "mcse"}
    return Table(
        key=name.replace("weights_decomposition", "settle"),
        title=f"{premise}: would more data settle the {side} {results.m}? Shares of the variance",
        frame=pd.DataFrame({key: [value] for key, value in row.items()}, index=["share"]),
        kinds=kinds,
        columns=tuple(
            Column(header=header, keys=(part, f"{part}_mcse"), layout="probability")
            for part, header in headers.items()
        ),
        marked=bool(results.failed),
        notes=(("A reading is one posterior draw, weight vector and choice of method.",),),
        upright=True,
    )


def _bars(results: Results) -> list[Element]:
    group = results.group("weights_acceptability").isel(space=-1)
    if "rank_acceptability" not in group:
        return []
    share = group["rank_acceptability"].rename("rank_probability")
    ranking = xr.Dataset({"rank_probability": share, "expected_rank": share.dot(share["rank"])})
    figure, data = plots.acceptability_bars(ranking, m=results.m, failed=results.failed)
    space = {"flat": "weights are flat", "nominal": "weights lie around the study's"}.get(
        str(group["space"].item()), "domains, and indicators within them, are weighted flat"
    )
    caption = (f"Rank acceptability: probability of each rank when {space}.",)
    return [_picture("rank-acceptability", caption, figure, data)]


def _decomposition(results: Results, side: Side, known: str) -> tuple[list[Element], list[Table]]:
    """Return a sentence on what would settle the choice, and its table."""
    name = f"weights_decomposition_{side}{known}"
    if not results.has(name):
        return [], []
    group = results.group(name)
    settled = settle(group)
    premise = str(group.attrs.get("premise", "Under the weights sampled"))
    if settled.nothing_open:
        same = f"{premise}, the {side} {results.m} is the same under all draws and choices."
        return [Paragraph(text=(same,))], []
    table = settle_table(results, name, side, settled)
    words = {
        "premise": premise,
        "side": side,
        "m": in_words(results.m),
        "close": " (a close call)" if settled.close_call else "",
        **{part: table.probability("share", part) for part in ("posterior", "agreed", "both")},
        "apart": table.probability("share", "apart"),
        "differ": "choose different sets with probability"
        if settled.outcome == SET
        else f"differ, as a share of the {in_words(results.m)}, in",
    }
    because = (
        "{close}: the posterior alone makes {posterior} of the variance of its membership, weights "
        "and choices alone {agreed}, both together {both}"
    )
    if settled.little_open:
        text = "{premise}, the {side} {m} is all but settled: two readings {differ} {apart}."
    elif settled.by_data:
        text = "{premise}, more data would settle the {side} {m} for the most part" + because + "."
    else:
        text = "{premise}, more data would not settle the {side} {m}" + because
        agreement = "would" if settled.by_agreement else "would not either"
        text += f"; agreement on weights and choices alone {agreement}."
    sentence = fill(text, words)
    return [Paragraph(text=sentence)], [table]


def _picture(key: str, caption: Text, figure: "Figure", data: pd.DataFrame) -> Picture:
    return Picture(key=key, caption=caption, alt=caption, figure=figure, data=data)
