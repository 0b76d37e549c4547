"""The report as Markdown, for Quarto, Pandoc and GitHub."""

from pdsim.reports.formats.document import (
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
)
from pdsim.reports.formats.escape import markdown, plain
from pdsim.reports.formats.plainwords import number_sections, words_of

FIGURES = "figures"
"""Folder of the figures beside the text."""


def to_markdown(document: Document) -> str:
    """Return the report as Markdown; figures are ``figures/KEY.svg`` beside it."""
    numbers = number_sections(document.sections)
    lines = [f"# {markdown_text(document.title)}", "", markdown_text(document.subtitle), ""]
    for section in document.sections:
        lines += [f"## {markdown(section.title)}", ""]
        for block in section.blocks:
            lines += [*_block(block, numbers), ""]
    if document.failed:
        lines += ["† A convergence gate failed: do not cite.", ""]
    return "\n".join(lines)


def markdown_text(text: Text, *, start: bool = True) -> str:
    """Return a text with every piece escaped; `start` if it may begin a line."""
    return "".join(_piece(piece, start and n == 0) for n, piece in enumerate(text))


def _piece(piece: str | Name | Number, start: bool) -> str:
    if isinstance(piece, Number):
        return piece.text
    return markdown(piece if isinstance(piece, str) else piece.text, start=start)


def _block(block: Element, numbers: dict[str, int]) -> list[str]:
    match block:
        case Paragraph(style="code" | "folded"):
            return ["```text", *_code_lines(words_of_code(block.text)), "```"]
        case Paragraph(style="stop"):
            return [f"> **{markdown_text(block.text)}**"]
        case Paragraph():
            return [markdown_text(block.text)]
        case Items():
            sign = "1." if block.ordered else "-"
            return [f"{sign} {markdown_text(item)}" for item in block.items]
        case Table():
            return _table(block, numbers[f"table {block.key}"])
        case Picture():
            alt = markdown(words_of(block.alt))
            caption = markdown_text(block.caption)
            number = numbers[f"figure {block.key}"]
            return [f"![{alt}]({FIGURES}/{block.key}.svg)", "", f"Figure {number}. {caption}"]
        case Explorer():
            return ["The weights explorer is part of the HTML report."]
        case Front():
            return [line for part in block.blocks for line in [*_block(part, numbers), ""]]


def words_of_code(text: Text) -> str:
    """Return a text to copy: line breaks stay, other control characters do not."""
    return "\n".join(plain(line) for line in "".join(_raw(piece) for piece in text).split("\n"))


def _raw(piece: str | Name | Number) -> str:
    return piece if isinstance(piece, str) else piece.text


def _code_lines(text: str) -> list[str]:
    # a fence inside the text would end the block
    return [line.replace("```", "` ` `") for line in text.split("\n")]


def _table(table: Table, number: int) -> list[str]:
    headers, rows = table.grid()
    lines = [
        f"**Table {number}. {markdown(table.heading)}**",
        "",
        f"| {' | '.join(markdown_text(header, start=False) for header in headers)} |",
        f"|{'|'.join(_alignment(table))}|",
    ]
    lines += [f"| {' | '.join(markdown_text(cell, start=False) for cell in row)} |" for row in rows]
    for note in table.notes:
        lines += ["", markdown_text(note)]
    return lines


def _alignment(table: Table) -> list[str]:
    if table.upright:
        return [" :--- ", " ---: "]
    text = ("text", "words", "name", "names")
    return [" :--- " if column.layout in text else " ---: " for column in table.columns]
