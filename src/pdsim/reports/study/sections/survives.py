"""The section on other assumptions, definitions, rules and priors."""

from pdsim.reports.formats.document import Element, Picture, Section, Table
from pdsim.reports.study.disagreement import criteria_table
from pdsim.reports.study.figures import figure
from pdsim.reports.study.robustness import rules_table, varied_table
from pdsim.reports.study.tables import estimands_table
from pdsim.reports.study.view import SIDES, Results

_REFITS = (
    ("case_correlation", "case_correlation", "r = {value}"),
    ("priors_scaled", "prior_factor", "scales times {value}"),
    ("design_effect", "design_effect", "design effect {value}"),
    ("suppressed", "suppressed", "suppressed counts {value}"),
)


def changes_section(results: Results, tables: dict[str, Table]) -> Section:
    """Return what changes the choice, and the definitions side by side."""
    changes = tables.get("changes")
    blocks: list[Element] = [changes] if changes is not None and len(changes.frame) else []
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
    drawn, data = figure(results, "bump")
    return Picture(
        key="bump",
        caption=(
            "Rank of every facility by the posterior mean of each definition; blue lines are "
            "named for the top, orange ones for the bottom. A line that crosses others moves. "
            "The endline level answers another question.",
        ),
        alt=("Bump chart of ranks under each definition; the file of estimands has the names.",),
        figure=drawn,
        data=data,
    )
