"""Sections with the answer: summary, caveats, selection, improvement, ranks."""

from typing import Final

import numpy as np

from pdsim.reports import plots
from pdsim.reports.formats.document import (
    Block,
    Items,
    Name,
    Paragraph,
    Picture,
    Table,
    Text,
    fill,
)
from pdsim.reports.study.caveats import caveats
from pdsim.reports.study.structure import levels_table
from pdsim.reports.study.summary import membership, summary
from pdsim.reports.study.suppress import observed_shown
from pdsim.reports.study.tables import sets_table, with_unit
from pdsim.reports.study.view import SIDES, Results

FUNNEL_FROM: Final = 5
"""Facilities that a funnel plot needs."""


def summary_blocks(results: Results, tables: dict[str, Table], long: bool) -> list[Block]:
    """Return the summary, under a banner where a gate failed."""
    blocks: list[Block] = []
    if results.failed:
        blocks.append(Paragraph(text=failed_text(results), style="stop"))
    blocks += [Paragraph(text=text, style="summary") for text in summary(results, tables)]
    return blocks


def failed_text(results: Results) -> Text:
    """Return the banner of a fit that failed a convergence gate."""
    return fill(
        "The computation failed its checks ({what}). The numbers marked \u2020 must not be cited. "
        "Run it again with more draws, or look for what the model cannot tell from these data.",
        {"what": Name(results.failed.removeprefix("FAILED: "))},
    )


def caveat_blocks(results: Results, tables: dict[str, Table], long: bool) -> list[Block]:
    """Return the caveats that apply."""
    items = caveats(results, tables)
    return [Items(items=items)] if items else []


def selection_blocks(results: Results, tables: dict[str, Table], long: bool) -> list[Block]:
    """Return memberships and likeliest sets."""
    ranking = results.group("ranking")
    figure, data = plots.membership_dots(ranking, m=results.m, failed=results.failed)
    m = results.m
    blocks: list[Block] = [
        Picture(
            key="membership",
            caption=(
                f"P(top {m}) (triangles pointing up) and P(bottom {m}) (pointing down) of every "
                "facility, ordered by expected rank. The dashed line is the probability from "
                "which text says certain. Bars are three Monte Carlo standard errors.",
            ),
            alt=(
                "Dot plot. ",
                *membership(results, tables, "top"),
                " ",
                *membership(results, tables, "bottom"),
            ),
            figure=figure,
            data=data,
        ),
        tables["selection"],
    ]
    blocks += [sets_table(results, side) for side in SIDES if results.has(f"sets_{side}")]
    return blocks


def improvement_blocks(results: Results, tables: dict[str, Table], long: bool) -> list[Block]:
    """Return the improvement, before and after, and the funnel."""
    table = tables["improvement"]
    data = results.improvement
    if "observed" in table.frame:
        data = data.assign(
            observed=("facility", table.frame.loc[results.facilities, "observed"].to_numpy())
        )
    elif "observed" in data:
        data = data.drop_vars("observed")
    figure, drawn = plots.forest(
        data,
        results.group("ranking"),
        label=with_unit(results.words.column, results.units),
        failed=results.failed,
    )
    observed = " White diamonds are the observed values." if drawn["observed"].notna().any() else ""
    first, last = results.order[0], results.order[-1]
    return [
        Picture(
            key="forest",
            caption=(
                f"{results.words.column} of every facility with its {results.interval_percent} "
                "credible interval, the largest first. Triangles pointing up are selected for "
                f"the top, pointing down for the bottom.{observed}",
            ),
            alt=fill(
                "Forest plot from {first} with {a}{units} down to {last} with {b}{units}; all "
                "values are in the table of the section.",
                {
                    "first": results.called(first),
                    "last": results.called(last),
                    "a": table.number(first, "mean"),
                    "b": table.number(last, "mean"),
                    "units": f" {results.units}" if results.units else "",
                },
            ),
            figure=figure,
            data=drawn,
        ),
        table,
        *(before_after_blocks(results) if long else ()),
    ]


def before_after_blocks(results: Results) -> list[Block]:
    """Return levels before and after, and the funnel plot of what was observed."""
    blocks: list[Block] = []
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
                alt=("Slope plot of the composite level; the values are in the table below.",),
                figure=figure,
                data=data,
            ),
            levels_table(results),
        ]
    return blocks + _funnel(results)


def _funnel(results: Results) -> list[Block]:
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


def rank_blocks(results: Results, tables: dict[str, Table], long: bool) -> list[Block]:
    """Return rank probabilities, and grades where there are any."""
    ranking = results.group("ranking")
    figure, data = plots.rank_heatmap(ranking, m=results.m, failed=results.failed)
    see = "Expected ranks and rank intervals are in the selection table."
    blocks: list[Block] = [
        Picture(
            key="ranks",
            caption=(
                "Probability of every rank for every facility; the darker the likelier. Dashed "
                f"lines set off the first {results.m} and the last {results.m} ranks.",
            ),
            alt=(f"Heat map of rank probabilities. {see}",),
            figure=figure,
            data=data,
        )
    ]
    if not long:
        return blocks
    figure, data = plots.acceptability_bars(ranking, m=results.m, failed=results.failed)
    blocks.append(
        Picture(
            key="bars",
            caption=(
                "The same probabilities as bars: from left to right the first to the last rank.",
            ),
            alt=(f"Stacked bars of rank probabilities. {see}",),
            figure=figure,
            data=data,
        )
    )
    if "grade" in ranking:
        figure, data = plots.grades(ranking, failed=results.failed)
        blocks.append(
            Picture(
                key="grades",
                caption=(
                    "Grades: as many pairs of facilities are put in order as leaves an expected "
                    "one pair in twenty the wrong way round, so neighbouring grades may still be "
                    "uncertain. Circles are expected ranks, bars their "
                    f"{results.interval_percent} intervals.",
                ),
                alt=(f"Grades and rank intervals of every facility. {see}",),
                figure=figure,
                data=data,
            )
        )
    return blocks
