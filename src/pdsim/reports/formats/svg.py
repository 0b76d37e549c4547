"""Figures as SVG text that can stand inside a page, the same bytes every time."""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import matplotlib as mpl
from markupsafe import Markup, escape

from pdsim.reports.plots.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ID: Final = re.compile(r'\bid="([^"]+)"')
_REFERENCE: Final = re.compile(r'(url\(#|href="#)([^)"]+)')
_HEAD: Final = re.compile(r"^.*?<svg([^>]*)>", re.DOTALL)
_METADATA: Final = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_SIZE: Final = re.compile(r'\b(?:width|height)="[^"]*"')
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)


@contextmanager
def quiet_glyphs() -> Iterator[None]:
    """Say nothing of letters that the font lacks: a browser has others that do not."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message=r"Glyph \d+ .* missing from", category=UserWarning
        )
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        yield


def figure_to_svg(figure: "Figure", *, key: str) -> str:
    """Return a whole SVG file of a figure, without dates and with stable identifiers."""
    buffer = io.StringIO()
    with (
        quiet_glyphs(),
        styled(),
        mpl.rc_context({"svg.hashsalt": f"pdsim-{key}", "svg.fonttype": "none"}),
    ):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def inline_svg(figure: "Figure", *, key: str, alt: str) -> Markup:
    """Return a figure as an SVG element with alternative text.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    key : str
        Stands in front of every identifier, so that two figures of a page never clash.
    alt : str
        What a reader who cannot see it needs.
    """
    text = _METADATA.sub("", figure_to_svg(figure, key=key))
    # names from the data only ever stand in text nodes, which matplotlib escapes, and comments
    text = _COMMENT.sub("", text)
    match = _HEAD.match(text)
    assert match is not None
    attributes = _SIZE.sub("", match.group(1))
    attributes = attributes.replace('xmlns:xlink="http://www.w3.org/1999/xlink"', "")
    width, height = figure.get_size_inches() * 96.0
    body = text[match.end() :].replace("xlink:href", "href")
    body = _ID.sub(rf'id="{key}-\1"', body)
    body = _REFERENCE.sub(rf"\1{key}-\2", body)
    head = (
        f'<svg{attributes} role="img" aria-labelledby="{key}-alt" '
        f'style="width:{width:.0f}px" data-height="{height:.0f}">'
        f'<title id="{key}-alt">{escape(alt)}</title>'
    )
    return Markup(head + body.strip())
