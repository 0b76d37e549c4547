"""The section on other assumptions, definitions, rules and priors."""

import numpy as np
import xarray as xr

from pdsim.reports import plots
from pdsim.reports.formats.document import Block, Picture, Section, Table
from pdsim.reports.study.disagreement import criteria_table
from pdsim.reports.study.robustness import rules_table, varied_table
from pdsim.reports.study.tables import estimands_table
from pdsim.reports.study.view import SIDES, Results, labels, words

_REFITS = (
    ("case_correlation", "case_correlation", "r = {value}"),
    ("priors_scaled", "prior_factor", "scales times {value}"),
    ("design_effect", "design_effect", "design effect {value}"),
)


def changes_section(results: Results, tables: dict[str, Table]) -> Section:
    """Return what changes the choice, and the definitions side by side."""
    changes = tables.get("changes")
    blocks: list[Block] = [changes] if changes is not None and len(changes.frame) else []
    filed: list[Table] = [
        varied_table(results, group, dim, side, symbol=symbol)
        for group, dim, symbol in _REFITS
        if results.has(group)
        for side in SIDES
    ]
    if results.has("rules"):
        filed += [rules_table(results), *(criteria_table(results, side) for side in SIDES)]
    if results.has("estimands") and len(results.estimands) > 1:
        blocks.append(_bump(results))
        filed.append(estimands_table(results))
    title = "What would change the choice"
    return Section(key="changes", title=title, blocks=tuple(blocks), filed=tuple(filed))


def _bump(results: Results) -> Picture:
    figure, data = plots.bump(
        mean_ranks(results),
        results.group("ranking"),
        names={name: words(name).column for name in results.estimands},
        failed=results.failed,
    )
    return Picture(
        key="bump",
        caption=(
            "Rank of every facility by the posterior mean of each definition; blue lines are "
            "named for the top, orange ones for the bottom. A line that crosses others moves. "
            "The endline level answers another question.",
        ),
        alt=("Bump chart of ranks under each definition; the file of estimands has the names.",),
        figure=figure,
        data=data,
    )


def mean_ranks(results: Results) -> xr.DataArray:
    """Return the rank of every facility's posterior mean under each estimand."""
    mean = results.group("improvement")["mean"].transpose("estimand", "facility")
    ranks = (-mean.to_numpy()).argsort(axis=1, kind="stable").argsort(axis=1) + 1
    return xr.DataArray(
        ranks.astype(np.int64),
        dims=("estimand", "facility"),
        coords={"estimand": labels(mean["estimand"]), "facility": labels(mean["facility"])},
    )
