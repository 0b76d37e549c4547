"""Rank reversal: whether leaving out one facility changes the order of the others."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats
from pdsim.conventions import DEFAULT_M, Side
from pdsim.ranking.draws import check_m, check_side
from pdsim.scoring import normalise, score_normalised
from pdsim.terms.estimands import main_estimand
from pdsim.terms.kinds import kind_named
from pdsim.terms.places import membership, places
from pdsim.terms.scales import scales_for
from pdsim.weights.choices import at_ends, names_of
from pdsim.weights.samples import as_nominal, as_values


def rank_reversal(
    levels: xr.DataArray,
    nominal: xr.DataArray,
    *,
    m: int = DEFAULT_M,
    side: Side = "top",
    normalisations: Sequence[str] | None = None,
) -> xr.Dataset:
    """Return whether leaving out one facility changes the order of the others.

    Under z scores, min-max and ranks a facility's score depends on who else is in the study.

    Parameters
    ----------
    levels : DataArray (..., facility, indicator, period)
    nominal : DataArray (indicator)
    m : int
    side : {"top", "bottom"}
    normalisations : sequence of str, optional
        By default every one that the levels have.

    Returns
    -------
    Dataset (normalisation, facility)
        By the facility left out: ``reversed_pairs``, mean number over samples of pairs of the
        others in another order; ``reversal``, share of samples with any; ``set_reversal``,
        share in which another facility takes a place among the m for no other reason (beyond
        the next in line, where the one left out was a member). Attributes ``m``, ``side``.

    Raises
    ------
    InputError
        If the inputs are not as described.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> levels = xr.DataArray(
    ...     rng.uniform(size=(6, 3, 2)), dims=("facility", "indicator", "period")
    ... )
    >>> answer = rank_reversal(levels, xr.DataArray(np.ones(3), dims="indicator"), m=2)
    >>> float(answer.sel(normalisation="pp").reversed_pairs.max())
    0.0
    """
    return rank_reversals(levels, nominal, m=m, sides=(side,), normalisations=normalisations)[side]


def rank_reversals(
    levels: xr.DataArray,
    nominal: xr.DataArray,
    *,
    m: int,
    sides: Sequence[Side],
    normalisations: Sequence[str] | None = None,
) -> dict[Side, xr.Dataset]:
    """Return `rank_reversal` of several sides, which share their scores."""
    for side in sides:
        check_side(side)
    check_m(m, levels.sizes["facility"] - 1)
    facilities = names_of(levels, "facility")
    if normalisations is None:
        kind = kind_named(str(levels.attrs.get("kind", "counts")))
        normalisations = scales_for(kind, at_ends=at_ends(levels))
    checked = as_values(levels.isel(period=-1, drop=True))
    weights = xr.DataArray(as_nominal(nominal, checked), dims="indicator")
    # labels would be compared again in every operation
    bare = levels.drop_vars(list(levels.coords))
    shape = (len(normalisations), len(facilities))
    pairs, any_pair = np.empty(shape), np.empty(shape)
    sets = {side: np.empty(shape) for side in sides}
    for row, normalisation in enumerate(normalisations):
        whole = _plain(bare, weights, normalisation)
        for at in range(len(facilities)):
            before = np.delete(whole, at, axis=1)
            others = np.delete(np.arange(len(facilities)), at)
            after = _plain(bare.isel(facility=others), weights, normalisation)
            signs = [np.sign(x[:, :, None] - x[:, None, :]) for x in (before, after)]
            wrong = (signs[0] * signs[1] < 0).sum(axis=(1, 2)) / 2
            pairs[row, at], any_pair[row, at] = wrong.mean(), (wrong > 0).mean()
            for side, found in sets.items():
                one, other = (
                    membership(*places(x if side == "top" else -x), m) for x in (before, after)
                )
                found[row, at] = (np.abs(one - other).max(axis=1) > 1e-9).mean()
    dims = ("normalisation", "facility")
    return {
        side: xr.Dataset(
            {
                "reversed_pairs": (dims, pairs),
                "reversal": (dims, any_pair),
                "set_reversal": (dims, found),
            },
            coords={"normalisation": list(normalisations), "facility": facilities},
            attrs={"m": m, "side": side},
        )
        for side, found in sets.items()
    }


def _plain(levels: xr.DataArray, weights: xr.DataArray, normalisation: str) -> Floats:
    scaled = normalise(levels, normalisation)
    estimand = main_estimand(levels.sizes["period"])
    score = score_normalised(scaled, weights, estimand=estimand).transpose(..., "facility")
    return score.values.reshape(-1, levels.sizes["facility"])
