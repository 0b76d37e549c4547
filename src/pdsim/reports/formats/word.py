"""The report as a Word document."""

import io
import zipfile
from typing import TYPE_CHECKING, Any

from pdsim.errors import InputError, Problem
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
from pdsim.reports.formats.escape import plain
from pdsim.reports.formats.image import figure_to_png
from pdsim.reports.formats.markdown import words_of_code
from pdsim.reports.formats.plainwords import is_number, number_sections, words_of

if TYPE_CHECKING:
    from docx.document import Document as WordDocument

_EPOCH = (1980, 1, 1, 0, 0, 0)
_RIGHT_TO_LEFT = ("R", "AL")


def to_word(document: Document, *, bare: bool = False) -> bytes:
    """Return the report as DOCX on A4, the same bytes every time.

    Parameters
    ----------
    document : Document
    bare : bool
        Whether titles, headings and contents are left out: for a table to hand in.

    Raises
    ------
    InputError
        If python-docx is not installed.
    """
    try:
        from docx import Document as new_document
        from docx.shared import Cm, Pt
    except ModuleNotFoundError as error:
        problem = Problem(
            rule="the format docx needs python-docx",
            cure="install it with: pip install pdsim[word]",
        )
        raise InputError(problem) from error
    word = new_document()
    word.styles["Normal"].font.size = Pt(10)
    word.styles["Normal"].font.name = "Arial"
    word.sections[0].page_width, word.sections[0].page_height = Cm(21.0), Cm(29.7)
    for margin in ("left_margin", "right_margin", "top_margin", "bottom_margin"):
        setattr(word.sections[0], margin, Cm(2))
    properties = word.core_properties
    properties.title, properties.author = words_of(document.title), "pdsim"
    if not bare:
        _write(word.add_heading(level=0), document.title)
        if document.subtitle:
            _write(word.add_paragraph(style="Subtitle"), document.subtitle)
        if len(document.sections) > 1:
            _field(word.add_paragraph(), 'TOC \\o "1-1" \\h', "Contents: update fields to fill")
    numbers = number_sections(document.sections)
    for section in document.sections:
        if not bare:
            word.add_heading(plain(section.title), level=1)
        for block in section.blocks:
            _add(word, block, numbers)
    if document.failed:
        word.add_paragraph("† A convergence gate failed: do not cite.")
    buffer = io.BytesIO()
    word.save(buffer)
    return _without_dates(buffer.getvalue())


def _add(word: "WordDocument", block: Element, numbers: dict[str, int]) -> None:
    match block:
        case Paragraph(style="code" | "folded"):
            for line in words_of_code(block.text).split("\n"):
                run = word.add_paragraph(style="No Spacing").add_run(line)
                run.font.name = "Courier New"
        case Paragraph(style="stop"):
            _stop(word, block.text)
        case Paragraph():
            _write(word.add_paragraph(), block.text)
        case Items():
            style = "List Number" if block.ordered else "List Bullet"
            for item in block.items:
                _write(word.add_paragraph(style=style), item)
        case Table():
            _table(word, block, numbers[f"table {block.key}"])
        case Picture():
            _picture(word, block, numbers[f"figure {block.key}"])
        case Explorer():
            word.add_paragraph("The weights explorer is part of the HTML report.")
        case Front():
            for part in block.blocks:
                _add(word, part, numbers)


def _write(paragraph: Any, text: Text) -> None:
    for piece in text:
        if isinstance(piece, Number):
            paragraph.add_run(plain(piece.text))
        else:
            shown = plain(piece if isinstance(piece, str) else piece.text)
            run = paragraph.add_run(shown)
            if isinstance(piece, Name) and is_right_to_left(shown):
                run.font.rtl = True


def _caption(word: "WordDocument", kind: str, number: int) -> Any:
    """Return a caption whose number is a field, so that Word counts and refers to it."""
    caption = word.add_paragraph(f"{kind} ", style="Caption")
    _field(caption, f"SEQ {kind} \\* ARABIC", str(number))
    caption.add_run(". ")
    return caption


def _field(paragraph: Any, code: str, shown: str) -> None:
    """Add a field, with what it shows until Word updates it."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    for kind, text in (("begin", ""), ("", code), ("separate", ""), ("shown", shown), ("end", "")):
        run = paragraph.add_run(text if kind == "shown" else "")
        if kind == "shown":
            continue
        element = OxmlElement("w:fldChar" if kind else "w:instrText")
        if kind:
            element.set(qn("w:fldCharType"), kind)
        else:
            element.set(qn("xml:space"), "preserve")
            element.text = f" {text} "
        run._r.append(element)


def is_right_to_left(text: str) -> bool:
    """Tell whether a name is written from right to left."""
    import unicodedata

    return any(unicodedata.bidirectional(char) in _RIGHT_TO_LEFT for char in text)


def _stop(word: "WordDocument", text: Text) -> None:
    """Set a paragraph in bold on yellow inside a box."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    paragraph = word.add_paragraph()
    _write(paragraph, text)
    for run in paragraph.runs:
        run.bold = True
    box = OxmlElement("w:pBdr")
    for side in ("top", "left", "bottom", "right"):
        edge = OxmlElement(f"w:{side}")
        for name, value in (("val", "single"), ("sz", "24"), ("space", "4"), ("color", "000000")):
            edge.set(qn(f"w:{name}"), value)
        box.append(edge)
    shade = OxmlElement("w:shd")
    for name, value in (("val", "clear"), ("color", "auto"), ("fill", "FFE45C")):
        shade.set(qn(f"w:{name}"), value)
    properties = paragraph._p.get_or_add_pPr()
    properties.append(box)
    properties.append(shade)


def _table(word: "WordDocument", table: Table, number: int) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn
    from docx.shared import Pt

    caption = _caption(word, "Table", number)
    caption.add_run(plain(table.heading))
    caption.paragraph_format.keep_with_next = True
    caption.paragraph_format.space_before = Pt(10)
    headers, rows = table.grid()
    grid = word.add_table(rows=1, cols=len(headers), style="Table Grid")
    # one access to the cells of a table costs as much as all of them
    right = [bool(n) and any(is_number(row[n]) for row in rows) for n in range(len(headers))]
    for cell, header, is_right in zip(grid.rows[0].cells, headers, right, strict=True):
        _write(cell.paragraphs[0], header)
        _shrink(cell.paragraphs[0], Pt(8.5), bold=True)
        if is_right:
            cell.paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.RIGHT
    mark = OxmlElement("w:tblHeader")
    mark.set(qn("w:val"), "true")
    grid.rows[0]._tr.get_or_add_trPr().append(mark)
    for row in rows:
        for n, (cell, text) in enumerate(zip(grid.add_row().cells, row, strict=True)):
            paragraph = cell.paragraphs[0]
            _write(paragraph, text)
            _shrink(paragraph, Pt(8.5), bold=False)
            if n and is_number(text):
                paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    for place, note in enumerate(table.notes):
        paragraph = word.add_paragraph()
        paragraph.paragraph_format.space_before = Pt(0 if place else 4)
        _write(paragraph, note)
        _shrink(paragraph, Pt(8.5), bold=False)
    if table.shown is not None:
        word.add_paragraph(f"{len(rows)} of {len(table.frame)} rows; the CSV file has all of them.")


def _shrink(paragraph: Any, size: Any, *, bold: bool) -> None:
    for run in paragraph.runs:
        run.font.size = size
        run.bold = bold or None


def _picture(word: "WordDocument", picture: Picture, number: int) -> None:
    from docx.shared import Inches

    width = min(6.0, float(picture.figure.get_size_inches()[0]))
    image = word.add_picture(io.BytesIO(figure_to_png(picture.figure)), width=Inches(width))
    described = image._inline.docPr
    described.set("descr", words_of(picture.alt))
    described.set("title", f"Figure {number}")
    _write(_caption(word, "Figure", number), picture.caption)


def _without_dates(content: bytes) -> bytes:
    """Return the same archive with every date at the epoch of the format."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for entry in old.infolist():
            fresh = zipfile.ZipInfo(entry.filename, date_time=_EPOCH)
            fresh.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(fresh, old.read(entry.filename))
    return buffer.getvalue()
