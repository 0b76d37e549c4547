"""The section on what to keep in mind: caveats that apply, and what the study assumes."""

from pdsim.reports.formats.document import Element, Items, Name, Section, Table
from pdsim.reports.study.caveats import caveats
from pdsim.reports.study.view import Results


def caution_section(results: Results, tables: dict[str, Table]) -> Section:
    """Return the caveats, then the assumptions."""
    items = (*caveats(results, tables), *((Name(text),) for text in _assumptions(results)))
    blocks: tuple[Element, ...] = (Items(items=items),) if items else ()
    return Section(key="caveats", title="What to keep in mind", blocks=blocks)


def _assumptions(results: Results) -> list[str]:
    return [str(text) for text in results.loads("assumptions", [])]
