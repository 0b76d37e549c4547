"""Stated combinations of conditions, and whether they are enough to be at the top.

Combinations are stated beforehand, never searched; how many would divide the groups by chance is
said beside them.
"""

from dataclasses import dataclass
from itertools import combinations, product
from math import comb
from typing import ClassVar

import numpy as np

from pdsim.arraytypes import Bools, Floats
from pdsim.settings import FORBID_EXTRA


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """Themes that a facility must have, and must not have.

    Attributes
    ----------
    name : str
    present, absent : tuple of str
        Themes.
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    name: str
    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.present and not self.absent:
            raise ValueError("a combination needs a theme that is present or absent")
        if set(self.present) & set(self.absent):
            raise ValueError("a theme cannot be both present and absent")


def meets(has: Bools, themes: tuple[str, ...], combination: Combination) -> Bools:
    """Return which facilities meet a combination.

    Parameters
    ----------
    has : ndarray (theme, facility)
        Whether a facility has a theme.
    """
    rows = [has[themes.index(name)] for name in combination.present]
    rows += [~has[themes.index(name)] for name in combination.absent]
    return np.logical_and.reduce(rows)


def consistency(met: Bools, top: Floats) -> Floats:
    """Return the share of the facilities that meet the conditions which are at the top.

    Parameters
    ----------
    met : ndarray (facility,)
    top : ndarray (..., facility)
        Membership in the true top.
    """
    return np.asarray(top[..., met].mean(axis=-1)) if met.any() else np.full(top.shape[:-1], np.nan)


def coverage(met: Bools, top: Floats) -> Floats:
    """Return the share of the top that meets the conditions."""
    total = top.sum(axis=-1)
    inside = top[..., met].sum(axis=-1)
    return np.where(total > 0, inside / np.where(total > 0, total, 1.0), np.nan)


def separating_combinations(has: Bools, high: int, size: int) -> tuple[int, int, float]:
    """Return how many combinations of so many conditions there are, divide, and would by chance.

    Parameters
    ----------
    has : ndarray (theme, facility)
        The first `high` facilities are the higher ones, the others the lower ones.
    high : int
    size : int
        Conditions in a combination.

    Returns
    -------
    every : int
        Combinations of `size` themes, each present or absent.
    dividing : int
        Those that all higher facilities meet and no lower one.
    by_chance : float
        Expected number of those if the labels higher and lower were dealt out at random.
    """
    themes, facilities = has.shape
    meant = np.arange(facilities) < high
    every = dividing = fitting = 0
    for chosen in combinations(range(themes), size):
        for wanted in product((True, False), repeat=size):
            met = (has[list(chosen)] == np.array(wanted)[:, np.newaxis]).all(axis=0)
            every += 1
            dividing += bool((met == meant).all())
            fitting += int(met.sum()) == high
    return every, dividing, fitting / comb(facilities, high)
