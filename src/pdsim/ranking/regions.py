"""A joint region for the whole ranking, from overlapping intervals of the scores."""

import numpy as np
import xarray as xr

from pdsim.conventions import CI_PROB
from pdsim.errors import InputError, Problem
from pdsim.ranking.draws import check_probability, named_twice


def joint_rank_region(
    estimate: xr.DataArray, se: xr.DataArray, *, prob: float = CI_PROB
) -> xr.Dataset:
    """Return ranks that together hold the whole true ranking with confidence `prob`.

    Simultaneous normal intervals of the scores come first (each at level prob^(1/F): exact for
    independent estimates, conservative for correlated ones). Who lies wholly above a facility
    is ahead of it; who overlaps with it may be ahead.

    Parameters
    ----------
    estimate, se : DataArray
        Estimates and standard errors over ``facility``, larger is better; further dimensions
        are kept.
    prob : float

    Returns
    -------
    Dataset
        ``rank_region`` over (``facility``, ``ci_bound``), and the intervals of the scores in
        ``score_interval``, same dimensions.

    Raises
    ------
    InputError
        If a number is missing, a standard error negative, or `prob` is no probability.

    References
    ----------
    Klein, Wright and Wieczorek (2020), doi 10.1111/rssc.12402.

    Examples
    --------
    >>> import xarray as xr
    >>> estimate = xr.DataArray([9.0, 1.0, 0.0], dims="facility",
    ...                         coords={"facility": ["A", "B", "C"]})
    >>> joint_rank_region(estimate, 0 * estimate + 1).rank_region.values.tolist()
    [[1.0, 1.0], [2.0, 3.0], [2.0, 3.0]]
    """
    from scipy import special

    check_probability("prob", prob)
    estimate, se = xr.broadcast(estimate, se)
    if "facility" not in estimate.dims or not (np.isfinite(estimate) & (se >= 0)).all():
        raise InputError(
            Problem(rule="estimates over facility are finite, standard errors not negative")
        )
    if named_twice(estimate):
        raise InputError(Problem(rule="a facility is named twice", cure="give each its own name"))
    order = [dim for dim in estimate.dims if dim != "facility"]
    estimate = estimate.transpose(*order, "facility")
    width = se.transpose(*order, "facility").values
    size = estimate.sizes["facility"]
    width = width * -special.ndtri(-0.5 * np.expm1(np.log(prob) / size))
    low, high = estimate.values - width, estimate.values + width
    ahead = (low[..., np.newaxis, :] >= high[..., np.newaxis]).sum(axis=-1)
    behind = (high[..., np.newaxis, :] <= low[..., np.newaxis]).sum(axis=-1)
    if (width <= 0).any():
        # an interval of width 0 meets itself and its equals, which are neither ahead nor behind
        same = (low[..., np.newaxis, :] == high[..., np.newaxis]) & (
            high[..., np.newaxis, :] == low[..., np.newaxis]
        )
        ahead, behind = ahead - same.sum(axis=-1), behind - same.sum(axis=-1)
    bounds = np.stack([1.0 + ahead, float(size) - behind], axis=-1)
    dims = (*estimate.dims, "ci_bound")
    return xr.Dataset(
        {
            "rank_region": (dims, bounds),
            "score_interval": (dims, np.stack([low, high], axis=-1)),
        },
        coords={**estimate.coords, "ci_bound": ["lower", "upper"]},
        attrs={
            "ci_prob": prob,
            "ci_kind": "joint frequentist",
            "estimand": str(estimate.attrs.get("estimand", "score")),
        },
    )
