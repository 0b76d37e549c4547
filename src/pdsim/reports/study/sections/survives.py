"""Sections on whether the choice survives other assumptions, definitions, rules and priors."""

import numpy as np
import xarray as xr

from pdsim.reports import plots
from pdsim.reports.formats.document import Block, Items, Paragraph, Picture, Table
from pdsim.reports.study.disagreement import criteria_table, disagreement_sentences
from pdsim.reports.study.robustness import (
    cut_sentences,
    cut_table,
    cuts,
    pairs_table,
    rules_table,
    varied_table,
)
from pdsim.reports.study.tables import estimands_table
from pdsim.reports.study.view import SIDES, Results, labels, words


def pair_blocks(results: Results, tables: dict[str, Table], long: bool) -> list[Block]:
    """Return the pairs at the cuts, and whom each facility is certainly ahead of."""
    if not results.has("pairs"):
        return []
    blocks: list[Block] = []
    if cuts(results):
        table = cut_table(results)
        blocks = [*(Paragraph(text=text) for text in cut_sentences(results, table)), table]
    return [*blocks, pairs_table(results)]


def correlation_blocks(results: Results, tables: dict[str, Table], long: bool) -> list[Block]:
    """Return the selection under three within-case correlations, where it is not known."""
    return _varied(results, "case_correlation", "case_correlation", "r = {value}")


def prior_blocks(results: Results, tables: dict[str, Table], long: bool) -> list[Block]:
    """Return the selection with the priors' scales halved and doubled."""
    return _varied(results, "priors_scaled", "prior_factor", "scales times {value}")


def _varied(results: Results, group: str, dim: str, symbol: str) -> list[Block]:
    if not results.has(group):
        return []
    return [varied_table(results, group, dim, side, symbol=symbol) for side in SIDES]


def rule_blocks(results: Results, tables: dict[str, Table], long: bool) -> list[Block]:
    """Return the selection by other rules."""
    if not results.has("rules"):
        return []
    blocks: list[Block] = [rules_table(results)]
    for side in SIDES:
        table = criteria_table(results, side)
        sentences = disagreement_sentences(results, side, table)
        if sentences:
            blocks += [Items(items=tuple(sentences)), table]
    return blocks


def estimand_blocks(results: Results, tables: dict[str, Table], long: bool) -> list[Block]:
    """Return who is selected, and who moves, under other definitions of improvement."""
    if not results.has("estimands") or len(results.estimands) < 2:
        return []
    figure, data = plots.bump(
        mean_ranks(results),
        results.group("ranking"),
        names={name: words(name).column for name in results.estimands},
        failed=results.failed,
    )
    return [
        Picture(
            key="bump",
            caption=(
                "Rank of every facility by the posterior mean of each definition of improvement; "
                "blue lines are selected for the top, orange ones for the bottom, by the first "
                "definition. A line that crosses others moves.",
            ),
            alt=(
                "Bump chart of ranks under each definition of improvement; the table below names "
                "the selected facilities of each.",
            ),
            figure=figure,
            data=data,
        ),
        estimands_table(results),
    ]


def mean_ranks(results: Results) -> xr.DataArray:
    """Return the rank of every facility's posterior mean under each estimand."""
    mean = results.group("improvement")["mean"].transpose("estimand", "facility")
    ranks = (-mean.to_numpy()).argsort(axis=1, kind="stable").argsort(axis=1) + 1
    return xr.DataArray(
        ranks.astype(np.int64),
        dims=("estimand", "facility"),
        coords={"estimand": labels(mean["estimand"]), "facility": labels(mean["facility"])},
    )
