"""Where to look next: which facilities and indicators are worth the next cases."""

from collections.abc import Callable
from typing import Final

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats
from pdsim.errors import InputError, Problem
from pdsim.model import composite, levels
from pdsim.planning.cases import NextCases, cases_of
from pdsim.planning.value import Posterior, chance_right, outcomes

_SIDES: Final = ("top", "bottom", "both")
_FINEST: Final = 50


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
    by_cell = posterior.resolved_by_cell(share)
    cells = np.array(
        [
            [chance(np.eye(facilities)[i] * by_cell[i, k]) for k in range(by_cell.shape[1])]
            for i in range(facilities)
        ]
    )
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
        coords={
            "facility": level["facility"].to_numpy(),
            "indicator": level["indicator"].to_numpy(),
        },
        attrs={"cases": cases, "m": m, "side": side, "period": period, "seed": seed},
    )


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
