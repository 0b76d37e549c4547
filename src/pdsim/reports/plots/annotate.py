"""Names beside points, each where it hides the least."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes

from pdsim.arraytypes import Floats
from pdsim.reports.plots.style import short

_SIZE: Final = 8.5
_LETTER: Final = 0.6
"""Mean width of a letter in units of the font size."""
_AWAY: Final = 6.0
"""Points between a mark and its name, and half the size of a mark."""


def name_points(axes: Axes, x: Floats, y: Floats, names: Sequence[str], named: Floats) -> None:
    """Write names beside points of finished axes: right, left, above or below.

    Each name takes the place where it overlaps the fewest marks and names that stand already.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        With their final limits.
    x, y : ndarray (point,)
    names : sequence of str (point)
    named : ndarray of bool (point,)
        Points whose names are written; all of them are kept clear.
    """
    scale = 72.0 / axes.figure.dpi
    places = axes.transData.transform(np.column_stack([x, y])) * scale
    area = axes.get_window_extent()
    taken = [(px - _AWAY, py - _AWAY, px + _AWAY, py + _AWAY) for px, py in places]
    for n in np.flatnonzero(named).tolist():
        text = short(names[n])
        width, height = _LETTER * _SIZE * len(text), 1.2 * _SIZE
        offsets = {
            (_AWAY, -height / 2): "left", (-_AWAY, -height / 2): "right",
            (-width / 2, _AWAY): "center", (-width / 2, -_AWAY - height): "center",
            (_AWAY, 3.0): "left", (_AWAY, -3.0 - height): "left",
            (-_AWAY, 3.0): "right", (-_AWAY, -3.0 - height): "right",
        }  # fmt: skip
        best, cost = None, np.inf
        for (dx, dy), align in offsets.items():
            left = places[n, 0] + (dx - width if align == "right" else dx)
            low = places[n, 1] + dy
            box = (left, low, left + width, low + height)
            hidden = sum(_overlap(box, other) for k, other in enumerate(taken) if k != n)
            outside = max(0.0, area.x0 * scale - box[0]) + max(0.0, box[2] - area.x1 * scale)
            found = hidden + height * outside
            if found < cost - 1e-9:
                best, cost = (dx, dy, align, box), found
        assert best is not None
        dx, dy, align, box = best
        taken.append(box)
        axes.annotate(
            text, (x[n], y[n]), xytext=(0.0 if align == "center" else dx, dy),
            textcoords="offset points", ha=align, va="bottom", fontsize=_SIZE,
        )  # fmt: skip


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(wide, 0.0) * max(high, 0.0)
