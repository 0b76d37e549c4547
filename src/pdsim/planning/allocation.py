"""Where to look next: which facilities and indicators are worth the next cases.

Further cases turn the posterior means M of the facilities into random variables: with a
posterior variance S_i of a facility's score now, V_i of it is resolved and S_i - V_i is left.
The chance that the m largest M are the m largest true scores, averaged over M, is what more
cases are worth (preposterior analysis; Chick and Inoue 2001, doi 10.1287/opre.49.5.732.10615).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr
from scipy.special import log_ndtr, ndtri

from pdsim.arraytypes import Floats
from pdsim.errors import InputError, Problem
from pdsim.model import composite, levels
from pdsim.planning.next_case import NextCases, cases_of

_SIDES: Final = ("top", "bottom", "both")
_FINEST: Final = 50
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
    # scipy.stats takes a second to import, which plans can save
    from scipy.stats import qmc

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


def next_cases(
    fit: xr.DataTree,
    *,
    cases: int,
    m: int | None = None,
    side: str = "top",
    period: str = "endline",
    seed: int = 1,
) -> xr.Dataset:
    """Recommend where the next cases of a fitted study are observed.

    The gain of a single case is next to nothing everywhere, since one case hardly ever changes a
    choice; gains are therefore those of an equal share of `cases`, divided by it.

    Parameters
    ----------
    fit : DataTree
        From `pdsim.fit`: counts.
    cases : int
        Cases to give out; each is scored on every indicator.
    m : int, optional
        Default: the study's.
    side : {"top", "bottom", "both"}
    period : str
        Period in which they would be observed.
    seed : int

    Returns
    -------
    Dataset
        Over ``facility``: ``recommended`` and ``equal`` (cases), ``gain`` (in P(correct set), per
        additional case there); over (``facility``, ``indicator``): ``gain_of_indicator`` (the
        same for cases that score one indicator only). Scalars ``pcs_now``, ``pcs_equal``,
        ``pcs_recommended``: expected by normal theory; `check_allocation` simulates them.

    Raises
    ------
    InputError
        If the fit is of scale scores, or the arguments make no sense.

    Examples
    --------
    >>> import pdsim
    >>> study = pdsim.load_example("lake_zone", trials=20, case_correlation=0.1)
    >>> found = next_cases(pdsim.fit(study, engine="laplace", seed=1), cases=100)
    >>> int(found.recommended.sum()), bool(found.pcs_recommended >= found.pcs_equal)
    (100, True)
    """
    case, m = _checked(fit, cases=cases, m=m, side=side, period=period)
    level = levels(fit)
    facilities = level.sizes["facility"]
    posterior = posterior_of(fit, case, period=period)
    normals = outcomes(facilities, seed)

    def chance(resolved: Floats) -> float:
        return chance_right(posterior, resolved, m=m, side=side, normals=normals)

    def value(allocation: Floats) -> float:
        return chance(posterior.resolved(allocation))

    now = chance(np.zeros(facilities))
    equal = _spread(np.ones(facilities), cases)
    best = _exchange(value, equal, _spread(_open(posterior), cases))
    share = max(1.0, cases / facilities)
    alone = share * np.eye(facilities)
    cells = _cell_values(posterior, share, chance)
    return xr.Dataset(
        {
            "recommended": ("facility", best),
            "equal": ("facility", equal),
            "gain": ("facility", [(value(row) - now) / share for row in alone]),
            "gain_of_indicator": (("facility", "indicator"), (cells - now) / share),
            "pcs_now": now,
            "pcs_equal": value(equal),
            "pcs_recommended": value(best),
        },
        coords={name: level[name].to_numpy() for name in ("facility", "indicator")},
        attrs={"cases": cases, "m": m, "side": side, "period": period, "seed": seed},
    )


def _cell_values(posterior: Posterior, share: float, chance: Callable[[Floats], float]) -> Floats:
    """Return the chance (facility, indicator) after cases that score one indicator only."""
    by_cell = posterior.resolved_by_cell(share)
    own = np.eye(len(by_cell))
    return np.array([[chance(own[i] * one) for one in row] for i, row in enumerate(by_cell)])


def _checked(
    fit: xr.DataTree, *, cases: int, m: int | None, side: str, period: str
) -> tuple[NextCases, int]:
    """Return what the next cases are like and m, or raise InputError with every problem."""
    if "constant_data" not in fit.children or fit.attrs.get("kind") != "counts":
        raise InputError(Problem(rule="the next cases need a fit of counts", cure="see pdsim.fit"))
    case = cases_of(fit)
    m = case.m if m is None else m
    level = levels(fit)
    facilities = level.sizes["facility"]
    wrong = []
    if cases < 1:
        wrong.append(Problem(rule=f"cases must be 1 or more, got {cases}"))
    if side not in _SIDES:
        wrong.append(Problem(rule=f"side is {side!r}", cure=f"use one of {', '.join(_SIDES)}"))
    if not 0 < m < facilities:
        wrong.append(Problem(rule=f"m must lie between 1 and {facilities - 1}, got {m}"))
    if period not in level["period"]:
        wrong.append(Problem(rule=f"there is no period {period!r} in the fit"))
    if wrong:
        raise InputError(wrong)
    return case, m


def posterior_of(fit: xr.DataTree, case: NextCases, *, period: str) -> Posterior:
    """Return means and covariances of scores and levels, relative to all facilities.

    What is common to all facilities changes no ranking, and what is left is nearly independent
    between them.
    """
    level = levels(fit).stack(sample=("chain", "draw"))
    score = composite(fit).stack(sample=("chain", "draw")).transpose("sample", "facility")
    shown = level.sel(period=period).transpose("sample", "facility", "indicator").to_numpy()
    points = score.to_numpy() - score.to_numpy().mean(axis=1, keepdims=True)
    apart = shown - shown.mean(axis=1, keepdims=True)
    points_centred, apart_centred = points - points.mean(axis=0), apart - apart.mean(axis=0)
    divisor = len(points) - 1
    return Posterior(
        mean=points.mean(axis=0),
        variance=points.var(axis=0, ddof=1),
        cross=np.einsum("sf,sfk->fk", points_centred, apart_centred) / divisor,
        spread=np.einsum("sfk,sfl->fkl", apart_centred, apart_centred) / divisor,
        noise=case.noise(shown.mean(axis=0)),
    )


def _open(posterior: Posterior) -> Floats:
    """Return shares for a start: large where a facility is uncertain and near its neighbours."""
    order = np.sort(posterior.mean)
    gap = np.abs(posterior.mean[:, None] - 0.5 * (order[1:] + order[:-1])).min(axis=1)
    return np.asarray(posterior.variance / np.maximum(gap, np.sqrt(posterior.variance)) ** 2)


def _spread(share: Floats, cases: int) -> Floats:
    """Return whole cases in proportion to the shares, by largest remainders."""
    exact = cases * share / share.sum()
    whole = np.floor(exact)
    order = np.argsort(-(exact - whole), kind="stable")
    whole[order[: round(cases - whole.sum())]] += 1
    return whole


def _exchange(value: Callable[[Floats], float], *starts: Floats) -> Floats:
    """Move cases from one facility to another as long as that helps, in ever smaller lots."""
    best = max(starts, key=value).copy()
    reached = value(best)
    cases = best.sum()
    lot = max(1.0, cases // (2 * best.size))
    while lot >= max(1.0, cases // _FINEST):
        moved = True
        while moved:
            moved = False
            gains = np.array([value(best + lot * row) for row in np.eye(best.size)])
            for taker in np.argsort(-gains)[:3]:
                for giver in np.flatnonzero(best >= lot):
                    if giver == taker:
                        continue
                    trial = best.copy()
                    trial[taker] += lot
                    trial[giver] -= lot
                    found = value(trial)
                    if found > reached + 1e-6:
                        best, reached, moved = trial, found, True
                        break
                if moved:
                    break
        lot = lot // 2
    return best
