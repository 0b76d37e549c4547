"""The tables and the sentences of a report as LaTeX."""

from pdsim.reports.formats.document import (
    Column,
    Document,
    Element,
    Explorer,
    Front,
    Items,
    Name,
    Number,
    Paragraph,
    Picture,
    Table,
    Text,
    flat,
)
from pdsim.reports.formats.escape import latex

_HEAD = r"""% Made by pdsim. In your preamble:
%   \usepackage{booktabs,longtable,textcomp}
% and for names that are not in Latin letters compile with LuaLaTeX or XeLaTeX and a font
% that has them. Then \input this file, or copy single tables out of it.
"""

_PER_PAGE = 40
"""Rows from which on a table may break over pages."""


def to_latex(document: Document) -> str:
    """Return the summary and all tables as LaTeX to be input into a paper.

    Every text, also every single cell, stands in braces: a name such as ``[red]`` or ``*`` at
    the beginning of a row would otherwise be taken for an argument of the line break before.
    """
    parts = [_HEAD]
    for section in document.sections:
        blocks = [text for block in flat(section.blocks) if (text := _block(block))]
        if blocks:
            parts += [f"\\subsection*{{{latex(section.title)}}}", *blocks]
    return "\n\n".join(parts) + "\n"


def latex_text(text: Text) -> str:
    """Return a text with every piece escaped."""
    return "".join(_piece(piece) for piece in text)


def _piece(piece: str | Name | Number) -> str:
    if isinstance(piece, Number):
        return latex(piece.text)
    if isinstance(piece, Name):
        return f"{{{latex(piece.text)}}}"
    return latex(piece)


def _block(block: Element) -> str:
    match block:
        case Table():
            return latex_table(block)
        case Paragraph(style="stop"):
            return f"\\textbf{{{latex_text(block.text)}}}"
        case Paragraph(style="summary" | "body"):
            return latex_text(block.text)
        case Items():
            items = "\n".join(f"\\item {{{latex_text(item)}}}" for item in block.items)
            kind = "enumerate" if block.ordered else "itemize"
            return f"\\begin{{{kind}}}\n{items}\n\\end{{{kind}}}"
        case Paragraph(style="code" | "folded") | Picture() | Explorer() | Front():
            return ""  # `flat` takes page one apart; the others have files of their own
        case Paragraph():
            raise ValueError(f"unknown style {block.style!r}")


def latex_table(table: Table) -> str:
    """Return one table, in ``longtable`` where it is long."""
    headers, rows = table.grid()
    columns = "".join(_alignment(table, column) for column in table.columns)
    columns = "lr" if table.upright else columns
    head = f"{_row(headers)} \\midrule"
    body = "\n".join(_row(row) for row in rows)
    notes = "".join(f"\n\n{{\\footnotesize {latex_text(note)}\\par}}" for note in table.notes)
    caption = f"\\caption{{{latex(table.heading)}}}\\label{{tab:{table.key.replace('_', '-')}}}"
    if len(rows) > _PER_PAGE:
        return (
            f"\\begin{{longtable}}{{{columns}}}\n{caption} \\\\\n\\toprule\n{head}\n\\endhead\n"
            f"{body}\n\\bottomrule\n\\end{{longtable}}{notes}"
        )
    return (
        f"\\begin{{table}}[htbp]\n\\centering\n{caption}\n\\begin{{tabular}}{{{columns}}}\n"
        f"\\toprule\n{head}\n{body}\n\\bottomrule\n\\end{{tabular}}{notes}\n\\end{{table}}"
    )


def _alignment(table: Table, column: Column) -> str:
    return "l" if column.layout in ("text", "words", "name", "names") else "r"


def _row(cells: tuple[Text, ...]) -> str:
    return " & ".join(f"{{{latex_text(cell)}}}" for cell in cells) + r" \\"
