"""Figures as files: PNG for pages, and PDF, SVG, PNG and TIFF of a stated size for a journal."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib.colors import to_hex, to_rgba

from pdsim.errors import InputError, Problem
from pdsim.reports.formats.svg import quiet_glyphs
from pdsim.reports.plots.style import BOTTOM, TOP, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MM: Final = 1.0 / 25.4
_BASE: Final = 10.0
"""Points of the text of a figure before it is set for a journal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a journal wants its figures: points of the text, and the colours of both ends."""

    points: float
    top: str
    bottom: str


LOOKS: Final = {
    "plain": Look(points=8.0, top=TOP, bottom=BOTTOM),
    "bmj": Look(points=8.0, top="#2A6EBB", bottom="#CD202C"),
    "lancet": Look(points=8.0, top="#00468B", bottom="#ED0000"),
    "jama": Look(points=7.0, top="#374E55", bottom="#DF8F44"),
}
FILES: Final = ("pdf", "svg", "png", "tiff")


def figure_to_png(figure: "Figure", *, dpi: int = 160) -> bytes:
    """Return a figure as PNG, the same bytes every time on one machine."""
    buffer = io.BytesIO()
    # ticks are made while drawing, so the look has to hold until then
    with quiet_glyphs(), styled():
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def figure_file(
    figure: "Figure",
    kind: str,
    *,
    width: float = 170.0,
    dpi: int = 300,
    look: str = "plain",
    grey: bool = False,
) -> bytes:
    """Return a figure to hand in, of exactly the width stated, with its fonts inside.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Is changed: draw it again to use it otherwise.
    kind : {"pdf", "svg", "png", "tiff"}
    width : float
        Millimetres, 40 to 300.
    dpi : int
        Of PNG and TIFF, 72 to 1200.
    look : {"plain", "bmj", "lancet", "jama"}
    grey : bool
        Whether to print without colours; marks tell the ends apart.

    Raises
    ------
    InputError
        If something is out of range or not known.
    """
    _check(kind, width, dpi, look)
    chosen = LOOKS[look]
    factor = chosen.points / _BASE
    old, height = figure.get_size_inches()
    figure.set_size_inches(width * _MM, height * max(factor, width * _MM / old * factor))
    _scale(figure, factor)
    _recolour(figure, lambda colour: _shade(colour, chosen, grey))
    metadata: dict[str, dict[str, Any]] = {
        "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
        "svg": {"Date": None, "Creator": None},
        "png": {"Software": None},
    }
    options: dict[str, Any] = {"metadata": metadata[kind]} if kind in metadata else {}
    if kind == "tiff":
        options["pil_kwargs"] = {"compression": "tiff_lzw"}
    buffer = io.BytesIO()
    fonts: Any = {"pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "pdsim"}
    with quiet_glyphs(), styled(), mpl.rc_context(fonts):
        figure.savefig(buffer, format=kind, dpi=dpi, **options)
    return buffer.getvalue()


def _check(kind: str, width: float, dpi: int, look: str) -> None:
    rules = [
        (kind in FILES, f"there is no figure file {kind!r:.20}", f"use {', '.join(FILES)}"),
        (40.0 <= width <= 300.0, f"a width of {width:g} mm is out of range", "use 40 to 300"),
        (72 <= dpi <= 1200, f"{dpi} dpi is out of range", "use 72 to 1200"),
        (look in LOOKS, f"there is no style {look!r:.20}", f"use {', '.join(LOOKS)}"),
    ]
    problems = [Problem(rule=rule, cure=cure) for right, rule, cure in rules if not right]
    if problems:
        raise InputError(problems)


def _scale(figure: "Figure", factor: float) -> None:
    from matplotlib.text import Text

    for text in figure.findobj(lambda artist: isinstance(artist, Text)):
        assert isinstance(text, Text)
        text.set_fontsize(float(text.get_fontsize()) * factor)
    for axes in figure.axes:
        axes.tick_params(labelsize=9.0 * factor)


def _shade(colour: Any, look: Look, grey: bool) -> Any:
    red, green, blue, alpha = to_rgba(colour)
    swapped = {TOP.lower(): look.top, BOTTOM.lower(): look.bottom}
    red, green, blue, _ = to_rgba(swapped.get(to_hex((red, green, blue)), (red, green, blue)))
    if grey:
        red = green = blue = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return red, green, blue, alpha


def _recolour(figure: "Figure", shade: Callable[[Any], Any]) -> None:
    from matplotlib.collections import Collection
    from matplotlib.image import AxesImage
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.text import Text

    for artist in figure.findobj():
        if isinstance(artist, Line2D):
            artist.set_color(shade(artist.get_color()))
            for part in ("markerfacecolor", "markeredgecolor"):
                old = getattr(artist, f"get_{part}")()
                if not isinstance(old, str) or old not in ("none", "auto"):
                    getattr(artist, f"set_{part}")(shade(old))
        elif isinstance(artist, Patch):
            artist.set_facecolor(shade(artist.get_facecolor()))
            artist.set_edgecolor(shade(artist.get_edgecolor()))
        elif isinstance(artist, Collection):
            if artist.get_array() is None:
                artist.set_facecolor([shade(one) for one in artist.get_facecolor()])
                artist.set_edgecolor([shade(one) for one in artist.get_edgecolor()])
            elif shade((0.0, 0.0, 1.0))[2] < 0.5:
                artist.set_cmap("Greys")
        elif isinstance(artist, AxesImage) and shade((0.0, 0.0, 1.0))[2] < 0.5:
            artist.set_cmap("Greys")
        elif isinstance(artist, Text):
            artist.set_color(shade(artist.get_color()))
