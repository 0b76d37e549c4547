"""A grid over one to three hyperparameters: no Monte Carlo error at all.

The trapezoid rule with one standard deviation between nodes integrates a normal density to a
relative 1e-8 in each direction (Trefethen and Weideman 2014, doi 10.1137/130932132), and the
posterior on the real line of `hyper` is close to one.
"""

from itertools import product
from typing import Final

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.model.laplace.mode import Mode

MOST_DIMENSIONS: Final = 3
_SPACING: Final = {1: 0.1, 2: 0.4, 3: 0.8}
_RADIUS: Final = 6.0
_EDGE: Final = 1.0
_MOST_AT_EDGE: Final = 1e-3


def grid(mode: Mode) -> tuple[Floats, Floats]:
    """Return nodes (n, H) and log densities of the nodes (n,), up to a constant.

    The nodes fill a ball of six standard deviations about the mode, the two sides of each
    principal direction with their own scale.
    """
    size = mode.center.size
    steps = np.arange(-_RADIUS, _RADIUS + 1e-9, _SPACING[size])
    z = np.array(list(product(steps, repeat=size)))
    z = z[np.sum(z**2, axis=1) <= _RADIUS**2 + 1e-9]
    scale = np.where(z < 0.0, mode.below, mode.above)
    # a node on the border of two scales stands for half a cell of each
    width = np.where(z == 0.0, 0.5 * (mode.below + mode.above), scale)
    return mode.center + (z * scale) @ mode.basis.T, -np.sum(np.log(width), axis=1)


def reaches_edge(mode: Mode, x: Floats, weight: Floats) -> bool:
    """Return whether the grid cuts off weight that counts."""
    y = np.linalg.solve(mode.basis, (x - mode.center).T)
    z = y / np.where(y < 0.0, mode.below[:, None], mode.above[:, None])
    outer = np.sqrt(np.sum(z**2, axis=0)) > _RADIUS - _EDGE
    return bool(np.sum(weight[outer]) > _MOST_AT_EDGE)
