"""The report as one self-contained HTML file."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from pdsim.reports.formats.document import (
    Document,
    Element,
    Name,
    Number,
    Picture,
    Table,
    Text,
)
from pdsim.reports.formats.escape import plain
from pdsim.reports.formats.plainwords import is_number, number_sections, words_of
from pdsim.reports.formats.svg import inline_svg


def to_html(document: Document) -> str:
    """Return the report as HTML that asks for nothing from outside.

    Styles, figures and scripts are inside; it works without JavaScript.
    """
    page = _environment(document).get_template("report.html")
    return page.render(document=document, style=Markup(template("report.css")))


def part_html(document: Document) -> str:
    """Return the first section as a piece of HTML for a notebook, its styles kept to itself."""
    page = _environment(document).get_template("part.html")
    return page.render(document=document, style=Markup(template("report.css")))


def _environment(document: Document) -> Environment:
    environment = Environment(
        autoescape=True,
        loader=FunctionLoader(template),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"text": html_text, "words": words_of}
    environment.globals |= {"kind": block_kind, "svg": _svg, "is_number": is_number}
    environment.globals["payload"] = payload_json
    numbers = number_sections(document.sections)

    def number(block: Element) -> int | None:
        sort = {Table: "table", Picture: "figure"}.get(type(block))
        return None if sort is None else numbers[f"{sort} {block.key}"]  # type: ignore[union-attr]

    environment.globals["number"] = number
    environment.globals["script"] = Markup(template("explorer.js"))
    return environment


def template(name: str) -> str:
    """Return the text of a file of the package's templates."""
    return files("pdsim.reports.formats").joinpath("templates", name).read_text(encoding="utf-8")


def html_text(text: Text) -> Markup:
    """Return a text with every piece escaped; names are isolated from the text around them."""
    return Markup("").join(_piece(piece) for piece in text)


def _piece(piece: str | Name | Number) -> Markup:
    if isinstance(piece, Name):
        return Markup("<bdi>{}</bdi>").format(plain(piece.text))
    if isinstance(piece, Number):
        cell = plain("/".join(piece.cell))
        return Markup('<span class="n" data-cell="{}">{}</span>').format(cell, piece.text)
    # a number and its unit stay on one line
    return escape(piece.replace(" %", "\u00a0%").replace(" pp", "\u00a0pp"))


def block_kind(block: Element) -> str:
    """Return which part of the template renders a block."""
    return type(block).__name__.lower()


def _svg(picture: Picture) -> Markup:
    return inline_svg(picture.figure, key=picture.key, alt=words_of(picture.alt))


def payload_json(payload: Mapping[str, Any]) -> Markup:
    """Return the data as JSON that can stand inside a script element."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    for char, code in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(char, code)
    return Markup(text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))
