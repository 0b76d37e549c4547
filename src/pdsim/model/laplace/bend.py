r"""Coordinates in which a bent ridge of the hyperparameters is straight.

Many facilities tell the covariance :math:`\rho s t` of a level's baseline effects and changes well,
and the standard deviation t of the changes badly: t and rho lie on a ridge :math:`\rho t = c` that
no constant metric suits. Chains therefore move in y, which is x but for

.. math:: y_\rho = x_\rho\, h(t) / h(t_m),\quad h(t) = \sqrt{t^2 + \sigma^2}

with t_m at the mode and sigma the posterior standard deviation of :math:`\rho t` for fixed t: a
correlation that the data do not tell (t below sigma) is left as it is.
"""

from typing import NamedTuple

import numpy as np

from pdsim.arraytypes import Floats, Ints
from pdsim.jit import kernel
from pdsim.model.laplace.elementary import log
from pdsim.model.laplace.hyper import Hyper, at_points, standard_deviation
from pdsim.model.laplace.lanes import add, fill, load, square_root, store


class Bend(NamedTuple):
    """Which correlations are moved how.

    Attributes
    ----------
    partner : ndarray (H,)
        Of a correlation, where in x its t stands; -1 where x and y are the same.
    sigma, height : ndarray (H,)
        sigma and h(t_m).
    """

    partner: Ints
    sigma: Floats
    height: Floats


def no_bend(size: int) -> Bend:
    """Return the bend with y = x."""
    return Bend(np.full(size, -1), np.zeros(size), np.ones(size))


def find_bend(hyper: Hyper, center: Floats, root: Floats) -> Bend:
    """Return the bend of the effects of facilities and of domains about a mode `center` (H,).

    `root` (H, H) is that of the covariance of x about it. Cells have a spread that the data tell.
    """
    bend = no_bend(center.size)
    values, slopes, _, _ = at_points(hyper, center[np.newaxis])
    precision = np.linalg.inv(root @ root.T)
    for _, t, rho, _ in hyper.place[:2]:
        if rho >= 0 and np.count_nonzero(hyper.place[:, 2] == rho) == 1:
            bend.partner[rho] = t
            bend.sigma[rho] = values[0, t] * slopes[0, rho] / np.sqrt(precision[rho, rho])
            bend.height[rho] = np.hypot(values[0, t], bend.sigma[rho])
    return bend


def straightened(hyper: Hyper, bend: Bend, x: Floats) -> Floats:
    """Return y (n, H) of x (n, H)."""
    y, moved = x.copy(), np.flatnonzero(bend.partner >= 0)
    t = at_points(hyper, x)[0][:, bend.partner[moved]]
    y[:, moved] *= np.hypot(t, bend.sigma[moved]) / bend.height[moved]
    return y


def jacobian(hyper: Hyper, bend: Bend, center: Floats) -> Floats:
    """Return the slopes (H, H) of y in x at the mode."""
    slopes = np.eye(center.size)
    values, speed, _, _ = at_points(hyper, center[np.newaxis])
    for rho in np.flatnonzero(bend.partner >= 0):
        t = bend.partner[rho]
        slopes[rho, t] = center[rho] * values[0, t] * speed[0, t] / bend.height[rho] ** 2
    return slopes


@kernel
def bend_back(
    hyper: Hyper, bend: Bend, y: Floats, x: Floats, ratio: Floats, lean: Floats, volume: Floats
) -> None:
    """Fill `x` (H, lane) from y, and `volume` (lane,) with the log of the determinant of dx / dy.

    `ratio` (H, lane) is x / y, `lean` (H, lane) the slope of its log in x of the partner.
    """
    total = fill(0.0)
    for j in range(x.shape[0]):
        partner, point = bend.partner[j], load(y, (j,))
        if partner < 0:
            store(x, (j,), point)
            continue
        t, speed = standard_deviation(hyper, partner, load(y, (partner,)))
        square = t * t + bend.sigma[j] * bend.sigma[j]
        share = fill(bend.height[j]) / square_root(square)
        store(x, (j,), share * point)
        store(ratio, (j,), share)
        store(lean, (j,), -t * speed / square)
        total = total + log(share)
    store(volume, (), total)


@kernel
def straighten_slopes(bend: Bend, x: Floats, ratio: Floats, lean: Floats, slope: Floats) -> None:
    """Turn the slopes (H, lane) of a log density in x into those of that on y, in y."""
    for j in range(x.shape[0]):
        partner = bend.partner[j]
        if partner >= 0:
            own, tilted = load(slope, (j,)), load(lean, (j,))
            add(slope, (partner,), tilted * (own * load(x, (j,)) + 1.0))
            store(slope, (j,), own * load(ratio, (j,)))
