"""Which sections a report has, and in which order; each is there only when its data are."""

from collections.abc import Callable
from typing import Final

from pdsim.reports.formats.document import Block, Document, Name, Section, Table, fill
from pdsim.reports.study.facts import facts_table
from pdsim.reports.study.sections.answer import (
    caveat_blocks,
    improvement_blocks,
    rank_blocks,
    selection_blocks,
    summary_blocks,
)
from pdsim.reports.study.sections.behind import domain_blocks, influence_blocks, model_check_blocks
from pdsim.reports.study.sections.computation import computation_blocks
from pdsim.reports.study.sections.made import (
    assumption_blocks,
    citation_blocks,
    glance_blocks,
    method_blocks,
    reproduce_blocks,
)
from pdsim.reports.study.sections.reweighting import reweighting_blocks
from pdsim.reports.study.sections.survives import (
    correlation_blocks,
    estimand_blocks,
    pair_blocks,
    prior_blocks,
    rule_blocks,
)
from pdsim.reports.study.sections.weighting import weighting_blocks
from pdsim.reports.study.settings_table import settings_table
from pdsim.reports.study.structure import influence_table
from pdsim.reports.study.tables import improvement_table, selection_table
from pdsim.reports.study.view import Results

type Builder = Callable[[Results, dict[str, Table], bool], list[Block]]


def build_document(results: Results, *, long: bool = True) -> Document:
    """Return the report of one study.

    Parameters
    ----------
    results : Results
    long : bool
        The short report has the answer, its caveats and how it was made; the long one has every
        section that the results have data for.
    """
    tables = base_tables(results)
    sections = []
    for key, title, is_short, builder in _SECTIONS:
        blocks = builder(results, tables, long) if long or is_short else []
        if blocks:
            heading = title.format(noun=results.words.column)
            sections.append(Section(key=key, title=heading, blocks=tuple(blocks)))
    periods = results.loads("period_labels", [])
    return Document(
        title=(Name(results.name),),
        subtitle=fill(
            "Who {best} and who {worst}{periods}",
            {
                "best": results.words.best,
                "worst": results.words.worst,
                "periods": (", ", Name(" to ".join(periods))) if len(periods) > 1 else "",
            },
        ),
        sections=tuple(sections),
        failed=results.failed,
    )


def base_tables(results: Results) -> dict[str, Table]:
    """Return the tables that sentences quote, whichever sections there are."""
    tables = {
        "facts": facts_table(results),
        "settings": settings_table(results),
        "selection": selection_table(results),
        "improvement": improvement_table(results),
    }
    if results.has("variance_share"):
        tables["variance_share"] = influence_table(results)
    return tables


_SECTIONS: Final[tuple[tuple[str, str, bool, Builder], ...]] = (
    ("summary", "Summary", True, summary_blocks),
    ("caveats", "What to keep in mind", True, caveat_blocks),
    ("selection", "Selection", True, selection_blocks),
    ("improvement", "{noun}", True, improvement_blocks),
    ("ranks", "Ranks", True, rank_blocks),
    ("pairs", "Which pairs are certain", False, pair_blocks),
    ("correlation", "If cases succeed or fail as a whole", False, correlation_blocks),
    ("estimands", "Other definitions of improvement", False, estimand_blocks),
    ("rules", "Other selection rules", False, rule_blocks),
    ("priors", "Other priors", False, prior_blocks),
    ("domains", "Domains", False, domain_blocks),
    ("influence", "What moves the composite", False, influence_blocks),
    ("weights", "Other weights", False, weighting_blocks),
    ("reweighting", "If the weights are uncertain", False, reweighting_blocks),
    ("assumptions", "Assumptions", True, assumption_blocks),
    ("glance", "The study at a glance", True, glance_blocks),
    ("check", "Does the model fit", False, model_check_blocks),
    ("computation", "Checks of the computation", True, computation_blocks),
    ("methods", "Methods", True, method_blocks),
    ("reproduce", "How to make this again", True, reproduce_blocks),
    ("cite", "What to cite", True, citation_blocks),
)
