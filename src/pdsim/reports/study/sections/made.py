"""The section on how the report was made, is made again, and is cited."""

from pdsim.reports.formats.document import Element, Items, Paragraph, Section, Table
from pdsim.reports.study.citations import references
from pdsim.reports.study.methods import methods
from pdsim.reports.study.settings_table import priors_table, versions_table
from pdsim.reports.study.view import Results


def made_section(results: Results, tables: dict[str, Table]) -> Section:
    """Return methods, the command that makes the same numbers, and what to cite."""
    blocks: list[Element] = [Paragraph(text=text) for text in methods(results, tables)]
    filed = [tables["facts"], tables["settings"]]
    filed += [table for table in (priors_table(results), versions_table(results)) if table]
    command = results.attr("command")
    if command:
        said = "The same numbers again, on the same machine with the same versions:"
        blocks += [Paragraph(text=(said,)), Paragraph(text=(str(command),), style="code")]
    items = tuple((f"For {work.why}: {work.text}",) for work in references(results))
    blocks += [Paragraph(text=("What to cite:",)), Items(items=items)]
    title = "Methods, making it again, citing"
    return Section(key="made", title=title, blocks=tuple(blocks), filed=tuple(filed))
