"""Chance of choosing rightly after more cases, by normal theory on one posterior.

Further cases turn the posterior means M of the facilities into random variables: with a
posterior variance S_i of a facility's score now, V_i of it is resolved and S_i - V_i is left.
The chance that the m largest M are the m largest true scores, averaged over M, is what more
cases are worth (preposterior analysis; Chick and Inoue 2001, doi 10.1287/opre.49.5.732.10615).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import log_ndtr, ndtri
from scipy.stats import qmc

from pdsim.arraytypes import Floats

_OUTCOMES: Final = 256
_GRID: Final = 160
_REACH: Final = 6.0
_LEAST: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """One posterior as the allocation sees it; scores relative to the mean of all facilities.

    Attributes
    ----------
    mean, variance : ndarray (facility,)
        Of the score.
    cross : ndarray (facility, indicator)
        Covariance of the score with the facility's level that more cases would show.
    spread : ndarray (facility, indicator, indicator)
        Covariance of those levels.
    noise : ndarray (facility, indicator, indicator)
        Covariance of the scores of one case.
    """

    mean: Floats
    variance: Floats
    cross: Floats
    spread: Floats
    noise: Floats

    def resolved(self, cases: Floats) -> Floats:
        """Return V (facility,) of some cases per facility, each scored on every indicator."""
        found = np.zeros(cases.size)
        for i in np.flatnonzero(cases > 0):
            total = self.spread[i] + self.noise[i] / cases[i]
            found[i] = self.cross[i] @ np.linalg.lstsq(total, self.cross[i], rcond=None)[0]
        return np.minimum(found, (1 - 1e-6) * self.variance)

    def resolved_by_cell(self, cases: float) -> Floats:
        """Return V (facility, indicator) of cases that score one indicator only."""
        own = np.diagonal(self.spread, axis1=1, axis2=2)
        noise = np.diagonal(self.noise, axis1=1, axis2=2)
        found = self.cross**2 / np.maximum(own + noise / cases, _LEAST)
        return np.minimum(found, (1 - 1e-6) * self.variance[:, None])


def outcomes(facilities: int, seed: int) -> Floats:
    """Return standard normals (outcome, facility), the same for every allocation compared."""
    sobol = qmc.Sobol(facilities, scramble=True, rng=np.random.default_rng(seed))
    return np.asarray(ndtri(np.clip(sobol.random(_OUTCOMES), 1e-12, 1 - 1e-12)))


def chance_right(
    posterior: Posterior, resolved: Floats, *, m: int, side: str, normals: Floats
) -> float:
    """Return the expected P(the m chosen are the true m) once V is resolved.

    Parameters
    ----------
    posterior : Posterior
    resolved : ndarray (facility,)
        V.
    m : int
    side : {"top", "bottom", "both"}
        ``both``: the mean of the two ends.
    normals : ndarray (outcome, facility)
        From `outcomes`.
    """
    if side == "both":
        ends = [
            chance_right(posterior, resolved, m=m, side=end, normals=normals)
            for end in ("top", "bottom")
        ]
        return float(np.mean(ends))
    sign = 1.0 if side == "top" else -1.0
    mean = sign * (posterior.mean + np.sqrt(resolved) * normals)
    left = np.sqrt(np.maximum(posterior.variance - resolved, _LEAST))
    return float(_right(mean, left, m).mean())


def _right(mean: Floats, sd: Floats, m: int) -> Floats:
    """Return P(the m largest means are the m largest of independent normals), (outcome,)."""
    order = np.argsort(-mean, axis=1)
    mean = np.take_along_axis(mean, order, axis=1)
    spread = sd[order]
    low = (mean - _REACH * spread).min(axis=1)
    high = (mean + _REACH * spread).max(axis=1)
    y = np.linspace(low, high, _GRID, axis=1)
    above = log_ndtr((mean[:, :m, None] - y[:, None, :]) / spread[:, :m, None]).sum(axis=1)
    below = log_ndtr((y[:, None, :] - mean[:, m:, None]) / spread[:, m:, None]).sum(axis=1)
    # integral of P(all best above y) over the distribution of the largest of the others
    cumulative, chance = np.exp(below), np.exp(above)
    steps = np.diff(cumulative, axis=1)
    return np.asarray((steps * 0.5 * (chance[:, 1:] + chance[:, :-1])).sum(axis=1))
