"""Moments of the latent effects at many points, moved in and out of the lanes."""

from typing import NamedTuple

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.jit import kernel
from pdsim.model.laplace.moments import Spread
from pdsim.model.laplace.work import Work


class Latent(NamedTuple):
    """Means and second moments of the latent effects at n points.

    Attributes
    ----------
    eta, var : ndarray (n, F, K, 2)
        Corrected means and variances of the logits.
    shared : ndarray (n, F, K, 2), or (n, 0, 0, 2) without shocks
        Covariance of logit and shock.
    shock, shock_var : ndarray (n, F, G, 2)
    """

    eta: Floats
    var: Floats
    shared: Floats
    shock: Floats
    shock_var: Floats


def allocate_latent(work: Work, points: int) -> Latent:
    """Return arrays for `points` points."""
    parts = (work.eta, work.eta, work.cross, work.shock, work.shock)
    return Latent(*(np.empty((points, *part.shape[:-1])) for part in parts))


@kernel
def keep_lane(work: Work, spread: Spread, j: int, latent: Latent, n: int) -> None:
    """Copy lane j to point n."""
    _take(work.eta, j, latent.eta[n])
    _take(spread.eta, j, latent.var[n])
    _take(spread.shared, j, latent.shared[n])
    _take(work.shock, j, latent.shock[n])
    _take(spread.shock, j, latent.shock_var[n])


@kernel
def restore_lane(latent: Latent, n: int, work: Work, spread: Spread, j: int) -> None:
    """Copy point n to lane j."""
    _put(latent.eta[n], j, work.eta)
    _put(latent.var[n], j, spread.eta)
    _put(latent.shared[n], j, spread.shared)
    _put(latent.shock[n], j, work.shock)
    _put(latent.shock_var[n], j, spread.shock)


@kernel
def copy_point(source: Latent, m: int, target: Latent, n: int) -> None:
    """Copy point m of `source` to point n of `target`."""
    _move(source.eta[m], target.eta[n])
    _move(source.var[m], target.var[n])
    _move(source.shared[m], target.shared[n])
    _move(source.shock[m], target.shock[n])
    _move(source.shock_var[m], target.shock_var[n])


@kernel
def _move(source: Floats, target: Floats) -> None:
    """Copy (a, b, 2) to (a, b, 2)."""
    for a in range(source.shape[0]):
        for b in range(source.shape[1]):
            for t in range(2):
                target[a, b, t] = source[a, b, t]


@kernel
def _take(source: Floats, j: int, target: Floats) -> None:
    """Copy lane j of `source` (a, b, 2, lane) to `target` (a, b, 2)."""
    for a in range(source.shape[0]):
        for b in range(source.shape[1]):
            for t in range(2):
                target[a, b, t] = source[a, b, t, j]


@kernel
def _put(source: Floats, j: int, target: Floats) -> None:
    """Copy `source` (a, b, 2) to lane j of `target` (a, b, 2, lane)."""
    for a in range(source.shape[0]):
        for b in range(source.shape[1]):
            for t in range(2):
                target[a, b, t, j] = source[a, b, t]
