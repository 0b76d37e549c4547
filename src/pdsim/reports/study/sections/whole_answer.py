"""Sections with the whole answer: every facility's chances, ranks and values."""

from typing import Final

import numpy as np

from pdsim.reports import plots
from pdsim.reports.formats.document import Element, Paragraph, Picture, Section, Table
from pdsim.reports.study.robustness import cut_sentences, cut_table, cuts, pairs_table
from pdsim.reports.study.structure import case_mix_table, levels_table
from pdsim.reports.study.suppress import observed_shown
from pdsim.reports.study.tables import sets_table, with_unit
from pdsim.reports.study.view import SIDES, Results

FUNNEL_FROM: Final = 5
"""Facilities that a funnel plot needs."""


def selection_section(results: Results, tables: dict[str, Table]) -> Section:
    """Return memberships, ranks and the pairs at the cuts; likeliest sets and pairs in files."""
    blocks: list[Element] = [tables["selection"], _ranks(results)]
    filed = [sets_table(results, side) for side in SIDES if results.has(f"sets_{side}")]
    if results.has("pairs"):
        filed.append(pairs_table(results))
        if cuts(results):
            table = cut_table(results)
            blocks += [Paragraph(text=text) for text in cut_sentences(results, table)]
            filed.append(table)
    title = "Every facility: chances and ranks"
    return Section(key="selection", title=title, blocks=tuple(blocks), filed=tuple(filed))


def _ranks(results: Results) -> Picture:
    figure, data = plots.rank_heatmap(results.group("ranking"), m=results.m, failed=results.failed)
    return Picture(
        key="ranks",
        caption=(
            "Probability of every rank for every facility; the darker the likelier. Dashed "
            f"lines set off the first {results.m} and the last {results.m} ranks.",
        ),
        alt=("Heat map of rank probabilities; ranks and intervals are in the table above.",),
        figure=figure,
        data=data,
    )


def improvement_section(results: Results, tables: dict[str, Table]) -> Section:
    """Return the values with their intervals, before and after, and the funnel."""
    levels = results.has("levels") and results.group("levels").sizes["period"] == 2
    case_mix = (case_mix_table(results),) if results.has("case_mix") else ()
    return Section(
        key="improvement",
        title=f"Every facility: {results.words.noun}",
        blocks=(tables["improvement"], *case_mix, *_before_after(results), *_funnel(results)),
        filed=(levels_table(results),) if levels else (),
    )


def _before_after(results: Results) -> list[Element]:
    """Return levels before and after."""
    blocks: list[Element] = []
    if results.has("levels") and results.group("levels").sizes["period"] == 2:
        figure, data = plots.slope(
            results.group("levels"),
            results.group("ranking"),
            unit=results.level_unit,
            failed=results.failed,
        )
        blocks += [
            Picture(
                key="slope",
                caption=(
                    "Composite level before and after (posterior means). Blue lines are selected "
                    "for the top, orange ones for the bottom.",
                ),
                alt=("Slope plot of the composite level; the values are in the file of levels.",),
                figure=figure,
                data=data,
            ),
        ]
    return blocks


def _funnel(results: Results) -> list[Element]:
    if "observed_se" not in results.improvement:
        return []
    names = results.facilities
    estimate = results.improvement["observed"].where(observed_shown(results)).to_numpy()
    se = results.improvement["observed_se"].to_numpy()
    seen = np.isfinite(estimate) & np.isfinite(se) & (se > 0)
    if seen.sum() < FUNNEL_FROM or results.estimand not in ("change", "level"):
        return []
    sides = plots.sides_by_name(results.group("ranking"))
    kept = [name for name, flag in zip(names, seen, strict=True) if flag]
    figure, data = plots.funnel(
        estimate[seen],
        se[seen],
        names=kept,
        sides=[sides[name] for name in kept],
        label=with_unit(f"Observed {results.words.column.lower()}", results.units),
        failed=results.failed,
    )
    return [
        Picture(
            key="funnel",
            caption=(
                "Funnel plot: observed values against their precision. Dashed limits hold 95 %, "
                "dotted ones 99.8 % of facilities that differ as much as these do; a selected "
                "facility far to the left owes its place to few cases.",
            ),
            alt=("Funnel plot of observed values with over-dispersed limits.",),
            figure=figure,
            data=data,
        )
    ]
