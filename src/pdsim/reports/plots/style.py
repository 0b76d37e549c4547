"""The look that all figures share: colours, sizes and labels that are safe whatever the names."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pdsim.reports.formats.escape import plain

# Okabe and Ito's colours: told apart by every kind of colour vision, and not red against green
TOP: Final = "#0072B2"
BOTTOM: Final = "#D55E00"
NEUTRAL: Final = "#5F6B76"
LIGHT: Final = "#C9D1D9"
INK: Final = "#1B1F24"
SERIES: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
HEAT: Final = "Blues"
MARKERS: Final = {"top": "^", "bottom": "v", "boundary": "s", "": "o"}

WIDTH: Final = 5.2
"""Inches; at 96 pixels an inch the text keeps its size on a page and is legible on a phone."""

LONGEST_NAME: Final = 28
"""Characters of a name in a figure; the table has the whole name."""

_RC: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": NEUTRAL,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "legend.fontsize": 9.0,
    "legend.frameon": False,
    "svg.fonttype": "none",
    # names are text, never mathematics
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "figure.dpi": 96.0,
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw with the look of pdsim, whatever the user's settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        yield


def new_figure(height: float, *, width: float = WIDTH) -> tuple[Figure, Axes]:
    """Return a figure with one set of axes; no global figure is touched."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def width_for(names: Iterable[str]) -> float:
    """Return the width in inches of a figure with names beside its rows.

    Longer names widen the figure, so that the axes keep room for their own label.
    """
    longest = max((len(short(name)) for name in names), default=0)
    return WIDTH + 0.075 * max(0, longest - 14)


def row_height(rows: int) -> float:
    """Return the height in inches of a figure with one line for each row."""
    return max(1.8, 0.9 + 0.24 * rows)


def short(name: str) -> str:
    """Return a name as a figure shows it."""
    text = plain(name)
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Label the rows from the top down."""
    axes.set_yticks(range(len(names)), [short(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def stamp_failed(figure: Figure, failed: str) -> None:
    """Mark a figure whose fit failed a convergence gate."""
    if failed:
        figure.suptitle(
            "Convergence FAILED: do not cite", color="#000000", fontsize=11, fontweight="bold"
        )


def side_of(selected_top: bool, selected_bottom: bool) -> str:
    """Return ``top``, ``bottom`` or nothing."""
    return "top" if selected_top else "bottom" if selected_bottom else ""


def colour(side: str) -> str:
    """Return the colour of a side, or of a boundary case."""
    return {"top": TOP, "bottom": BOTTOM, "boundary": SERIES[1]}.get(side, NEUTRAL)
