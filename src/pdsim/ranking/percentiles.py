"""Summaries of ranks in use elsewhere: SUCRA, PCER, rankability, r-values, triple-goal."""

import numpy as np
import xarray as xr

from pdsim.errors import InputError, Problem
from pdsim.ranking.draws import as_draws, check_finite
from pdsim.ranking.marginals import Score
from pdsim.ranking.probability import expected_rank, rank_probability
from pdsim.terms.evidence import Evidence
from pdsim.terms.places import mean_places, places
from pdsim.terms.rules import shrink


def sucra(score: Score) -> xr.Dataset:
    """Return the surface under the cumulative ranking curve.

    SUCRA = (F - expected rank) / (F - 1): 1 for a facility surely best, 0 for one surely worst,
    the mean over other facilities of the probability to be ahead of them.

    Parameters
    ----------
    score : DataArray or Marginals
        See `rank_probability`.

    Returns
    -------
    Dataset
        ``sucra`` and ``sucra_mcse`` over ``facility``.

    Raises
    ------
    InputError
        If the score lacks a dimension or has NaN.

    References
    ----------
    Salanti, Ades and Ioannidis (2011), doi 10.1016/j.jclinepi.2010.03.016.

    Examples
    --------
    >>> import xarray as xr
    >>> score = xr.DataArray([[2.0, 1.0], [3.0, 3.0]], dims=("sample", "facility"),
    ...                      coords={"facility": ["A", "B"]})
    >>> sucra(score).sucra.values.tolist()
    [0.75, 0.25]
    """
    ranks = expected_rank(score)
    facilities = ranks.sizes["facility"]
    return xr.Dataset(
        {
            "sucra": (facilities - ranks["expected_rank"]) / (facilities - 1.0),
            "sucra_mcse": ranks["expected_rank_mcse"] / (facilities - 1.0),
        },
        attrs=ranks.attrs,
    )


def pcer(score: Score) -> xr.Dataset:
    """Return percentiles based on expected ranks.

    PCER = 100 (expected rank - 1/2) / F: the percentage of facilities expected to be ahead of
    it, itself counting half. The smaller the better, as for ranks.

    Parameters
    ----------
    score : DataArray or Marginals
        See `rank_probability`.

    Returns
    -------
    Dataset
        ``pcer`` and ``pcer_mcse`` over ``facility``, in percent.

    Raises
    ------
    InputError
        If the score lacks a dimension or has NaN.

    References
    ----------
    Lingsma, Eijkemans and Steyerberg (2009), doi 10.1186/1471-2288-9-53.

    Examples
    --------
    >>> import xarray as xr
    >>> score = xr.DataArray([[2.0, 1.0], [3.0, 3.0]], dims=("sample", "facility"),
    ...                      coords={"facility": ["A", "B"]})
    >>> pcer(score).pcer.values.tolist()
    [37.5, 62.5]
    """
    ranks = expected_rank(score)
    facilities = ranks.sizes["facility"]
    return xr.Dataset(
        {
            "pcer": 100.0 * (ranks["expected_rank"] - 0.5) / facilities,
            "pcer_mcse": 100.0 * ranks["expected_rank_mcse"] / facilities,
        },
        attrs=ranks.attrs,
    )


def rankability(
    estimate: xr.DataArray, se: xr.DataArray, *, between_sd: float | None = None
) -> xr.DataArray:
    """Return the share of the variation between facilities that is not noise.

    Rankability = tau^2 / (tau^2 + median of se^2), tau the standard deviation of the true scores.

    Parameters
    ----------
    estimate, se : DataArray
        Estimates and standard errors over ``facility``; further dimensions are kept.
    between_sd : float, optional
        tau, as from a fitted model; by default estimated by the method of Paule and Mandel.

    Returns
    -------
    DataArray
        Between 0 and 1, with the attribute ``between_sd`` where `estimate` has no further
        dimension.

    Raises
    ------
    InputError
        If a standard error is not positive or a number is missing.

    References
    ----------
    Lingsma et al. (2010), doi 10.1093/qjmed/hcp169; Paule and Mandel (1982),
    doi 10.6028/jres.087.022.

    Examples
    --------
    >>> import xarray as xr
    >>> estimate = xr.DataArray([0.0, 2.0, 4.0], dims="facility")
    >>> round(float(rankability(estimate, 0 * estimate + 1.0)), 6)
    0.75
    """
    estimate, se = xr.broadcast(estimate, se)
    if "facility" not in estimate.dims or not (np.isfinite(estimate) & (se > 0)).all():
        raise InputError(
            Problem(rule="estimates over facility are finite, and standard errors positive")
        )
    if between_sd is not None and not 0.0 <= between_sd < np.inf:
        raise InputError(Problem(rule=f"between_sd is at least 0 (received {between_sd})"))
    order = [dim for dim in estimate.dims if dim != "facility"]
    values = estimate.transpose(*order, "facility").values.astype(np.float64)
    errors = se.transpose(*order, "facility").values.astype(np.float64)
    noise = np.median(errors**2, axis=-1)
    if between_sd is None:
        flat = Evidence(
            estimate=values.reshape(-1, values.shape[-1]),
            variance=errors.reshape(-1, values.shape[-1]) ** 2,
        )
        between = shrink(flat)[2].reshape(noise.shape)
    else:
        between = np.full(noise.shape, between_sd**2)
    labels = estimate.isel(facility=0, drop=True)
    result = labels.copy(data=between / (between + noise)).rename("rankability")
    attrs = {} if order else {"between_sd": float(np.sqrt(between))}
    return result.assign_attrs(attrs)


def r_values(score: Score) -> xr.DataArray:
    """Return the smallest share of facilities at which each belongs to the list of the best.

    For each length m of the list, facilities are listed by P(top m). The r-value of a facility
    is the smallest m / F at which it is listed; so whoever asks for the best tenth takes those
    with r-values up to 0.1, and that list is the likeliest for its own length.

    Parameters
    ----------
    score : DataArray or Marginals
        See `rank_probability`.

    Returns
    -------
    DataArray
        Over ``facility``, between 1 / F and 1; facilities that tie share the larger value.

    Raises
    ------
    InputError
        If the score lacks a dimension or has NaN.

    References
    ----------
    Henderson and Newton (2016), doi 10.1111/rssb.12131, here with the ranks of the facilities at
    hand in place of quantiles of a population.

    Examples
    --------
    >>> import xarray as xr
    >>> score = xr.DataArray([[2.0, 1.0, 0.0], [3.0, 2.0, 1.0]], dims=("sample", "facility"),
    ...                      coords={"facility": ["A", "B", "C"]})
    >>> r_values(score).values.round(3).tolist()
    [0.333, 0.667, 1.0]
    """
    ranks = rank_probability(score)
    table = ranks["rank_probability"]
    order = [dim for dim in table.dims if dim not in ("facility", "rank")]
    table = table.transpose(*order, "facility", "rank")
    top = np.moveaxis(table.values.cumsum(axis=-1), -1, -2)
    # listed at length m: no more than m facilities are as likely to be among the top m
    ahead, tied = places(np.round(top, 12))
    lengths = np.arange(1, top.shape[-1] + 1)[:, np.newaxis]
    listed = np.moveaxis(ahead + tied <= lengths, -2, -1)
    first = listed.argmax(axis=-1) + 1.0
    return xr.DataArray(
        first / listed.shape[-1],
        dims=table.dims[:-1],
        coords={k: v for k, v in table.coords.items() if "rank" not in v.dims},
        name="r_value",
        attrs={k: v for k, v in ranks.attrs.items() if k in ("estimand", "convergence")},
    )


def triple_goal(score: xr.DataArray) -> xr.Dataset:
    """Return estimates that serve ranks, distribution and single facilities at once.

    The estimated distribution of the true scores is that of all draws pooled; each facility
    gets its (2 r - 1) / (2 F) upper quantile, r the place of its expected rank.

    Parameters
    ----------
    score : DataArray
        Draws, see `rank_probability`.

    Returns
    -------
    Dataset
        ``triple_goal``, in the units of the score, and ``triple_goal_rank``, 1 the best, over
        ``facility``. Facilities with equal expected ranks share the mean of their places.

    Raises
    ------
    InputError
        If the score lacks a dimension or has NaN.

    References
    ----------
    Shen and Louis (1998), doi 10.1111/1467-9868.00135.

    Examples
    --------
    >>> import xarray as xr
    >>> score = xr.DataArray([[2.0, 1.0], [4.0, 3.0]], dims=("sample", "facility"),
    ...                      coords={"facility": ["A", "B"]})
    >>> triple_goal(score).triple_goal_rank.values.tolist()
    [1.0, 2.0]
    """
    draws = as_draws(score)
    check_finite(draws, "triple-goal estimates")
    expected = expected_rank(score)["expected_rank"].values.reshape(-1, draws.facilities)
    rank = mean_places(*places(-np.round(expected, 12)))
    pooled = np.sort(draws.flat.reshape(len(expected), -1), axis=1)
    level = 1.0 - (2.0 * rank - 1.0) / (2.0 * draws.facilities)
    # the middle of the level's step, as for a sample of the pooled distribution
    place = np.clip(level * pooled.shape[1] - 0.5, 0, pooled.shape[1] - 1)
    left = place.astype(int)
    right = np.minimum(left + 1, pooled.shape[1] - 1)
    low, high = (np.take_along_axis(pooled, side, axis=1) for side in (left, right))
    return draws.label(
        {"triple_goal": low + (place - left) * (high - low), "triple_goal_rank": rank}
    )
