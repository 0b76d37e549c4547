"""Figures as PNG, for formats that cannot hold SVG."""

import io
from typing import TYPE_CHECKING

from pdsim.reports.formats.svg import quiet_glyphs
from pdsim.reports.plots.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure_to_png(figure: "Figure", *, dpi: int = 160) -> bytes:
    """Return a figure as PNG, the same bytes every time on one machine."""
    buffer = io.BytesIO()
    # ticks are made while drawing, so the look has to hold until then
    with quiet_glyphs(), styled():
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()
