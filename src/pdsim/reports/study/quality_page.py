"""The data-quality page of a study: what was read, facility by round, and what is doubtful."""

import pandas as pd

from pdsim.reports.formats.document import Column, Document, Items, Paragraph, Section, Table
from pdsim.reports.formats.numbers import NumberKind
from pdsim.study import Study
from pdsim.study.quality import Doubt, coverage


def coverage_table(study: Study) -> Table:
    """Return cases and percentage of cells missing, facility by round."""
    columns = coverage(study)
    names = study.data["facility"].to_numpy().tolist()
    frame = pd.DataFrame(
        {"facility": names} | {k: list(v) for k, v in columns.items()}, index=names
    )
    kinds: dict[str, NumberKind] = {
        name: "whole" if name.startswith("cases ") else "percent" for name in columns
    }
    limit = study.options.suppress_below
    heads = {
        name: f"Cases, {name[6:]}" if name.startswith("cases ") else f"% missing, {name[8:]}"
        for name in columns
    }
    shown = [name for name in columns if limit is None or not name.startswith("cases ")]
    return Table(
        key="coverage",
        title="What was read, facility by round",
        frame=frame,
        kinds=kinds,
        columns=(
            Column(header="Facility", keys=("facility",), layout="name"),
            *(Column(header=heads[name], keys=(name,)) for name in shown),
        ),
        exact=frozenset(columns),
        notes=(("Cases are summed over indicators.",),),
    )


def quality_document(study: Study, found: tuple[Doubt, ...]) -> Document:
    """Return the page: the table, doubts with their cures, assumptions."""
    doubtful = [
        block
        for doubt in found
        for block in (
            Paragraph(text=(f"{doubt.what}.",)),
            Paragraph(text=(doubt.cure,), style="code"),
        )
    ]
    nothing = [Paragraph(text=("Nothing in the data is doubtful by the rules that are checked.",))]
    assumed = tuple((sentence,) for sentence in study.assumptions)
    return Document(
        title=(study.name,),
        subtitle=("Quality of the data",),
        sections=(
            Section(key="read", title="What was read", blocks=(coverage_table(study),)),
            Section(key="doubts", title="What is doubtful", blocks=tuple(doubtful or nothing)),
            Section(
                key="assumed",
                title="What is assumed",
                blocks=(Items(items=assumed),) if assumed else (),
            ),
        ),
    )
