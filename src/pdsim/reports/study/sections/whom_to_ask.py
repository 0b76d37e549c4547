"""The section on whom to interview, where the study asks for it."""

from pdsim.reports.formats.document import Paragraph, Section, Table
from pdsim.reports.interviews.interview_tables import (
    apart_sentences,
    group_table,
    role_table,
    who_sentences,
)
from pdsim.reports.study.view import Results


def interviews_section(results: Results, tables: dict[str, Table]) -> Section:
    """Return the part that each facility would play, and how truly the groups stand apart."""
    title = "Whom to interview"
    if not results.has("roles"):
        return Section(key="interviews", title=title, blocks=())
    separation = group_table(results.tree)
    text = (
        "How many interviews, in which round and what contrast to expect is said by: "
        "pdsim interviews plan.",
    )
    return Section(
        key="interviews",
        title=title,
        blocks=(
            Paragraph(text=who_sentences(results.tree)),
            Paragraph(text=apart_sentences(separation)),
            role_table(results.tree),
            separation,
            Paragraph(text=text),
        ),
    )
