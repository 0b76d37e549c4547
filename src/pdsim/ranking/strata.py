"""Ranks within strata: who is best among its like, and a choice with a place for each stratum."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from pdsim.conventions import Side
from pdsim.errors import InputError, Problem
from pdsim.ranking.draws import as_draws, check_side, mean_and_error, never_seen


def stratum_probability(
    score: xr.DataArray, strata: Sequence[str] | xr.DataArray, *, quota: int = 1, side: Side = "top"
) -> xr.Dataset:
    """Return the probability that each facility is among the first of its stratum.

    Parameters
    ----------
    score : DataArray
        See `pdsim.rank_probability`.
    strata : sequence of str
        Of every facility of `score`, in its order.
    quota : int
        Places that every stratum has; smaller strata are chosen whole.
    side : {"top", "bottom"}

    Returns
    -------
    Dataset (facility)
        ``probability`` with ``probability_mcse``; ``selected``, the likeliest `quota` of every
        stratum; coordinate ``stratum``. Ties are shared equally.

    Raises
    ------
    InputError
        If there are not as many strata as facilities, or `quota` is no whole number from 1 on.

    Examples
    --------
    >>> score = xr.DataArray([[2.0, 1.0, 0.0], [3.0, 1.0, 2.0]], dims=("sample", "facility"),
    ...                      coords={"facility": ["A", "B", "C"]})
    >>> stratum_probability(score, ["x", "y", "y"]).probability.values.tolist()
    [1.0, 0.5, 0.5]
    """
    check_side(side)
    if isinstance(quota, bool) or not isinstance(quota, int | np.integer) or quota < 1:
        raise InputError(Problem(rule=f"quota must be 1 or more (received {quota!r})"))
    draws = as_draws(score)
    labels = np.asarray(strata).astype(str)
    if labels.shape != (draws.values.shape[-1],):
        rule = f"{draws.values.shape[-1]} strata are needed, one per facility; got {labels.shape}"
        raise InputError(Problem(rule=rule))
    values = draws.values if side == "top" else -draws.values
    member = np.zeros(values.shape)
    for name in dict.fromkeys(labels.tolist()):
        mine = np.flatnonzero(labels == name)
        member[..., mine] = _first(values[..., mine], quota)
    mean, error, size = mean_and_error(member, ess=draws.ess)
    selected = np.zeros(mean.shape, dtype=bool)
    for name in dict.fromkeys(labels.tolist()):
        mine = np.flatnonzero(labels == name)
        order = np.argsort(-mean[:, mine], axis=1, kind="stable")[:, :quota]
        np.put_along_axis(selected, mine[order], True, axis=1)
    certain = np.array([(labels == name).sum() <= quota for name in labels])
    table = draws.label(
        {
            "probability": mean,
            "probability_mcse": np.where(certain, 0.0, never_seen(error, size)),
            "selected": selected,
        },
        attrs={"quota": int(quota), "side": side},
    )
    return table.assign_coords(stratum=("facility", labels))


def _first(values: np.ndarray, quota: int) -> np.ndarray:
    """Return the share of a place among the first `quota` (..., facility); ties share equally."""
    above = (values[..., None, :] > values[..., :, None]).sum(axis=-1)
    alike = (values[..., None, :] == values[..., :, None]).sum(axis=-1)
    return np.clip((quota - above) / alike, 0.0, 1.0)
