"""What naming costs: how many to name where a wrong name and a left-out one cost differently."""

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats
from pdsim.conventions import DEFAULT_M, Side
from pdsim.errors import InputError, Problem
from pdsim.ranking.draws import as_draws, check_m, check_side, mean_and_error
from pdsim.terms.places import membership, places


def naming_threshold(*, wrong: float, missed: float) -> float:
    """Return the probability above which naming costs less than not naming.

    Naming costs ``wrong`` with 1 - P, leaving out ``missed`` with P, so that the two are even at
    P = wrong / (wrong + missed) (Berger 1985, doi 10.1007/978-1-4757-4286-2, section 4.4).

    Raises
    ------
    InputError
        Unless both costs are positive.

    Examples
    --------
    >>> [naming_threshold(wrong=1, missed=times) for times in (1, 3)]
    [0.5, 0.25]
    """
    if not (0 < wrong < np.inf and 0 < missed < np.inf):
        rule = f"costs of naming are positive numbers (received {wrong!r} and {missed!r})"
        raise InputError(Problem(rule=rule))
    return wrong / (wrong + missed)


def naming_costs(
    score: xr.DataArray,
    *,
    m: int = DEFAULT_M,
    side: Side = "top",
    wrong: float = 1.0,
    missed: float = 1.0,
) -> xr.Dataset:
    """Return what it is expected to cost to name 0, 1, 2, ... facilities.

    Parameters
    ----------
    score : DataArray
        Draws, see `pdsim.ranking.top_probability`.
    m : int
        Facilities that truly make the end.
    side : {"top", "bottom"}
    wrong : float
        Cost of naming a facility that is not among the true m.
    missed : float
        Cost of leaving out one that is.

    Returns
    -------
    Dataset
        Over ``number`` (0 to all): ``expected_cost`` of naming that many, those of the largest
        P(among the m) first, with its ``_mcse``. Over ``facility``: ``flagged``, where P exceeds
        the attribute ``threshold``. The attribute ``cheapest`` is the number that costs least,
        the smallest of several.

    Raises
    ------
    InputError

    Examples
    --------
    >>> score = xr.DataArray([[2.0, 1.0, 0.0]] * 4, dims=("sample", "facility"))
    >>> found = naming_costs(score, m=1, missed=2.0)
    >>> found.expected_cost.values.tolist(), found.attrs["cheapest"]
    ([2.0, 0.0, 1.0, 2.0], 1)
    """
    check_side(side)
    threshold = naming_threshold(wrong=wrong, missed=missed)
    draws = as_draws(score)
    check_m(m, draws.facilities)
    if len(draws.values) != 1:
        raise InputError(Problem(rule="costs are those of one score", cure="take them in turn"))
    inside = membership(*places(draws.values if side == "top" else -draws.values), m)
    probability = mean_and_error(inside, ess=draws.ess)[0][0]
    order = np.argsort(-probability, kind="stable")
    right = np.zeros((*inside.shape[:-1], draws.facilities + 1))
    right[..., 1:] = inside[..., order].cumsum(axis=-1)
    number = np.arange(draws.facilities + 1)
    series: Floats = wrong * (number - right) + missed * (m - right)
    cost, error, _ = mean_and_error(series, ess=draws.ess)
    return xr.Dataset(
        {
            "expected_cost": ("number", cost[0]),
            "expected_cost_mcse": ("number", error[0]),
            "probability": ("facility", probability),
            "flagged": ("facility", probability > threshold),
        },
        coords={"number": number, "facility": draws.template.coords["facility"].values},
        attrs={
            **draws.origin, "m": m, "side": side, "wrong": wrong, "missed": missed,
            "threshold": threshold, "cheapest": int((probability > threshold).sum()),
        },
    )  # fmt: skip
