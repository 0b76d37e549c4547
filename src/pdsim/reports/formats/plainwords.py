"""Text without a format, and the numbers of tables and figures: what all renderers share."""

from pdsim.errors import InputError
from pdsim.reports.formats.document import (
    Number,
    Picture,
    Section,
    Table,
    Text,
    flat,
)
from pdsim.reports.formats.escape import plain


def words_of(text: Text) -> str:
    """Return a text as plain words without control characters."""
    return "".join(plain(piece if isinstance(piece, str) else piece.text) for piece in text)


def is_number(cell: Text) -> bool:
    """Tell whether a cell of a table holds a number."""
    return any(isinstance(piece, Number) for piece in cell)


def number_sections(sections: tuple[Section, ...]) -> dict[str, int]:
    """Return the number of every ``table KEY`` and ``figure KEY``, in order."""
    numbers: dict[str, int] = {}
    tables = figures = 0
    for section in sections:
        for block in flat(section.blocks):
            if isinstance(block, Table):
                tables += 1
                name, number = f"table {block.key}", tables
            elif isinstance(block, Picture):
                figures += 1
                name, number = f"figure {block.key}", figures
            else:
                continue
            if name in numbers:
                raise InputError(f"the report has two of the name {name!r}")
            numbers[name] = number
    return numbers
