"""Is there room for the draws of a fit? Asked before it starts, not found out by its end."""

import gc
from typing import Final

import psutil

from pdsim.errors import InputError, Problem

_BYTES: Final = 20
"""Of every draw of every cell at the least: its logit, the endline expected, and its level."""
_MANY: Final = 100_000_000


def check_memory(*, draws: int, cells: int) -> None:
    """Raise InputError if the draws of a fit alone need more memory than is free.

    Parameters
    ----------
    draws : int
        Draws of all chains that are kept.
    cells : int
        Facilities times indicators times periods.

    Raises
    ------
    InputError
        With what is needed, what is free, and how many draws there is room for.
    """
    need = _BYTES * draws * cells
    if need > _MANY:
        gc.collect()  # a fit is a tree whose branches refer back: nothing else frees earlier ones
    free = int(psutil.virtual_memory().available)
    if need > free:
        rule = (
            f"{draws:,} draws of {cells:,} cells need {need / 1e9:.1f} GB of memory at the least, "
            f"and {free / 1e9:.1f} GB are free"
        )
        cure = (
            f"keep fewer draws (there is room for {free // (_BYTES * cells):,}), fewer facilities "
            "or indicators, or use a larger machine"
        )
        raise InputError(Problem(rule=rule, cure=cure))
