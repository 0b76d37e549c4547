"""Tables and studies as text for a terminal; names can neither colour nor move anything."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from pdsim.reports.formats.document import Document, Front, Number, Paragraph, Table
from pdsim.reports.formats.escape import plain
from pdsim.reports.formats.plainwords import words_of
from pdsim.study import Study

if TYPE_CHECKING:
    from rich.table import Table as RichTable


def terminal_table(table: Table, *, rows: int = 60) -> "RichTable":
    """Return a table that rich can print.

    Parameters
    ----------
    table : Table
    rows : int
        At most so many are printed: half of them from each end.
    """
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text as RichText

    headers, grid = table.grid()
    shown = RichTable(title=plain(table.heading), box=box.SIMPLE_HEAD, title_justify="left")
    for position, header in enumerate(headers):
        numeric = bool(grid) and any(isinstance(piece, Number) for piece in grid[0][position])
        # a name is folded only when it is long
        longest = max((len(words_of(row[position])) for row in grid), default=0)
        shown.add_column(
            RichText(words_of(header)),
            justify="right" if numeric else "left",
            overflow="fold",
            min_width=min(longest, 20) if position == 0 else None,
        )
    kept = grid if len(grid) <= rows else [*grid[: rows // 2], *grid[-rows // 2 :]]
    for row in kept:
        shown.add_row(*(RichText(words_of(cell)) for cell in row))
    if len(kept) < len(grid):
        shown.caption = f"{len(grid) - len(kept):,} rows in between are not shown"
    return shown


def front_lines(page: Front) -> list[str]:
    """Return page one as lines of text: its lists, then its questions and answers."""
    lines = [words_of(page.stop), ""] if page.stop else []
    lines += [words_of(page.lead)]
    for table in page.lists:
        _, rows = table.grid()
        cells = [[words_of(cell) for cell in row] for row in rows]
        shown = [[name, f"{value} ({ends})", p, sure] for name, value, ends, sure, p in cells]
        width = [max((len(row[n]) for row in shown), default=0) for n in range(4)]
        lines += ["", plain(table.heading)]
        lines += [
            f"  {row[0]:<{width[0]}}  {row[1]:<{width[1]}}  {row[2]:>{width[2]}}  {row[3]}".rstrip()
            for row in shown
        ]
        lines += [f"  {words_of(note)}" for note in table.notes]
    for question, answer in page.answers:
        lines += ["", f"{question} {words_of(answer)}"]
    return [*lines, "", *map(words_of, page.foot)]


def printed(document: Document, *, width: int = 100) -> str:
    """Return the first section of a document as text: page one, or its words and tables."""
    from rich.console import Console

    if document.front is not None:
        return "\n".join([words_of(document.title), *front_lines(document.front)])
    parts = [words_of(document.title), ""]
    for block in document.sections[0].blocks:
        if isinstance(block, Paragraph):
            parts.append(words_of(block.text))
        elif isinstance(block, Table):
            console = Console(width=width, markup=False, highlight=False, emoji=False)
            with console.capture() as captured:
                console.print(terminal_table(block))
            parts.append(captured.get().rstrip())
    return "\n".join(parts)


def study_lines(study: Study) -> list[str]:
    """Return what was read of a study, and everything that it rests on, line by line."""
    data = study.data
    lines = [
        plain(f"{study.name}: {study.kind}, {_sizes(data)}"),
        plain(f"Periods: {', '.join(study.period_labels)}"),
        f"Named at each end: {study.m}",
        *_cells(study),
        "",
        "Indicators (weight, direction, domain):",
    ]
    about = ("indicator", "label", "weight", "direction", "domain")
    for name, label, weight, direction, domain in zip(
        *(data[key].to_numpy().tolist() for key in about), strict=True
    ):
        shown = "" if label == name else f" {label}"
        lines.append(
            plain(f"  {name}{shown}: {weight:.4g}, {direction} is better, {domain or 'no domain'}")
        )
    lines += ["", "Assumptions printed with every result:"]
    lines += [plain(f"  - {sentence}") for sentence in study.assumptions] or ["  none"]
    return lines


def _sizes(data: xr.Dataset) -> str:
    names = {
        "facility": ("facility", "facilities"),
        "indicator": ("indicator", "indicators"),
        "period": ("period", "periods"),
    }
    return " x ".join(
        f"{data.sizes[dim]:,} {one if data.sizes[dim] == 1 else many}"
        for dim, (one, many) in names.items()
    )


def _cells(study: Study) -> list[str]:
    if study.kind == "scores":
        missing = int(np.isnan(study.data["mean"].to_numpy()).sum())
        return [f"Missing cells: {missing:,} of {study.data['mean'].size:,}"]
    trials = study.data["trials"].to_numpy()
    seen = trials[trials > 0]
    lines = [f"Missing cells: {trials.size - seen.size:,} of {trials.size:,}"]
    limit = study.options.suppress_below
    if limit is None or seen.min() >= limit:
        lines.append(f"Cases in a cell: {seen.min():,.6g} to {seen.max():,.6g}")
    else:
        lines.append(f"Cases in a cell: fewer than {limit} (not printed) to {seen.max():,.6g}")
    r = study.case_correlation
    source = study.case_correlation_source
    value = "not known" if r is None else f"{r:.3g} ({source})"
    lines.append(f"Within-case correlation: {value}")
    source = study.design_effect_source
    known = source != "unset" or study.visit_sd > 0
    value = (
        f"{study.average_design_effect:.3g} ({source if source != 'unset' else 'stated'})"
        if known
        else "not stated, taken as 1"
    )
    lines.append(f"Design effect of an average cell: {value}")
    if study.visit_sd > 0:
        lines.append(f"Shift by visit: {study.visit_sd:.3g} logits, shared by the indicators")
    return lines
