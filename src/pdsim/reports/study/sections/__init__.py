"""Page one and its sections, in order; each is there only when its data are."""

from collections.abc import Callable
from typing import Final

from pdsim.reports.formats.document import Document, Name, Section, Table
from pdsim.reports.study.changes import changes_table
from pdsim.reports.study.facts import facts_table
from pdsim.reports.study.front import answer_table, front, headings
from pdsim.reports.study.misfit import misfit_table
from pdsim.reports.study.sections.asked import asked_section
from pdsim.reports.study.sections.behind import behind_section
from pdsim.reports.study.sections.beyond_controls import controls_section
from pdsim.reports.study.sections.caution import caution_section
from pdsim.reports.study.sections.fit_check import check_section
from pdsim.reports.study.sections.made import made_section
from pdsim.reports.study.sections.over_rounds import rounds_section
from pdsim.reports.study.sections.survives import changes_section
from pdsim.reports.study.sections.weights_section import weights_section
from pdsim.reports.study.sections.whole_answer import improvement_section, selection_section
from pdsim.reports.study.sections.whom_to_ask import interviews_section
from pdsim.reports.study.settings_table import settings_table
from pdsim.reports.study.structure import influence_table
from pdsim.reports.study.tables import improvement_table, selection_table
from pdsim.reports.study.view import SIDES, Results

type Builder = Callable[[Results, dict[str, Table]], Section]


def build_document(
    results: Results, *, brief: bool = False, tables: dict[str, Table] | None = None
) -> Document:
    """Return the report of one study.

    Parameters
    ----------
    results : Results
    brief : bool
        Whether page one is wanted alone.
    tables : dict of str to Table, optional
        From `base_tables`, where they have been made.
    """
    tables = tables or base_tables(results)
    page = Section(key="answer", title="The answer", blocks=(front(results, tables),))
    sections = [] if brief else [builder(results, tables) for builder in _SECTIONS]
    return Document(
        title=(Name(results.name), f": {headings(results).title}"),
        subtitle=(),
        sections=(page, *(one for one in sections if one.blocks or one.filed)),
        failed=results.failed,
    )


def base_tables(results: Results) -> dict[str, Table]:
    """Return the tables that sentences quote, whichever sections there are."""
    tables = {
        "facts": facts_table(results),
        "settings": settings_table(results),
        "selection": selection_table(results),
        "improvement": improvement_table(results),
        **{f"answer_{side}": answer_table(results, side) for side in SIDES},
    }
    if results.has("changes"):
        tables["changes"] = changes_table(results)
    if results.has("model_checks"):
        tables["model_checks"] = misfit_table(results)
    if results.has("variance_share"):
        tables["variance_share"] = influence_table(results)
    return tables


_SECTIONS: Final[tuple[Builder, ...]] = (
    selection_section,
    improvement_section,
    controls_section,
    asked_section,
    rounds_section,
    interviews_section,
    changes_section,
    weights_section,
    behind_section,
    check_section,
    caution_section,
    made_section,
)
