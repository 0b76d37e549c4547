"""Weighted composites of normalised indicators, and the change of a composite."""

from typing import Final

import numpy as np
import xarray as xr

from pdsim.errors import InputError, Problem
from pdsim.scoring.normalise import check_levels, normalise
from pdsim.terms.estimands import ESTIMANDS, estimands_of
from pdsim.terms.kinds import kind_named
from pdsim.terms.scales import AGGREGATIONS, SCALES

_TIE_DIGITS: Final = 12


def is_defined(normalisation: str, aggregation: str, *, kind: str = "counts") -> bool:
    """Whether an aggregation makes sense on the scale of a normalisation.

    A geometric mean needs numbers that are never negative; opportunities are counted, so the
    opportunity score needs proportions.

    Examples
    --------
    >>> is_defined("z", "geometric"), is_defined("min_max", "geometric")
    (False, True)
    """
    return AGGREGATIONS[aggregation].is_defined(SCALES[normalisation], kind_named(kind))


def allowed_estimands(
    normalisation: str, *, kind: str = "counts", periods: int = 2
) -> tuple[str, ...]:
    """Return the estimands that are defined for composites under a normalisation.

    Those with units of their own read a composite as a level, which it is on a natural scale.

    Examples
    --------
    >>> allowed_estimands("z")
    ('change', 'endline')
    """
    names = estimands_of(kind, periods, net=False)
    natural = SCALES[normalisation].natural
    return tuple(name for name in names if natural or not ESTIMANDS[name].units)


def aggregate(
    normalised: xr.DataArray,
    weights: xr.DataArray,
    method: str = "arithmetic",
    *,
    trials: xr.DataArray | None = None,
    skip_missing: bool = False,
) -> xr.DataArray:
    """Return the composite level of every facility and period.

    Parameters
    ----------
    normalised : DataArray (..., facility, indicator, period)
    weights : DataArray (..., indicator)
        Not negative, sum 1; a dimension ``weight_draw`` may lead.
    method : {"arithmetic", "geometric", "opportunity"}
        ``arithmetic`` sum_k w_k x_k. ``geometric`` prod_k x_k^w_k, so that one indicator
        cannot make up for another. ``opportunity`` sum_k w_k n_k x_k / sum_k w_k n_k: all cases
        of a facility and period count alike; the published form has equal weights, and a
        changed mix of cases changes it too.
    trials : DataArray (facility, indicator, period), optional
        For ``opportunity`` only.
    skip_missing : bool
        Spread the weights of NaN cells over the facility's other indicators (available-case
        analysis). Otherwise a NaN cell of positive weight makes the composite NaN.

    Returns
    -------
    DataArray (..., facility, period)

    Raises
    ------
    InputError
        If the method is unknown, does not fit the numbers, or lacks `trials`.

    Examples
    --------
    >>> levels = xr.DataArray([[[0.1], [0.4]]], dims=("facility", "indicator", "period"))
    >>> equal = xr.DataArray([0.5, 0.5], dims="indicator")
    >>> aggregate(levels, equal, "geometric").values.round(6).tolist()
    [[0.2]]
    """
    check_levels(normalised)
    way = AGGREGATIONS[method]
    if way.by_cases:
        if trials is None:
            raise InputError(Problem(rule="opportunity scores need trials", cure="pass trials"))
        weights = weights * trials
    seen = normalised.notnull()
    if skip_missing:
        weights = weights * seen
    if skip_missing or way.by_cases:
        whole = weights.sum("indicator")
        weights = weights / whole.where(whole > 0)
    if not way.geometric:
        if bool(seen.all()):
            return xr.dot(normalised, weights, dim="indicator")
        # an unseen cell of no weight is no part of the composite
        unseen = (~seen & (weights > 0)).any("indicator")
        total: xr.DataArray = xr.dot(normalised.fillna(0.0), weights, dim="indicator")
        return total.where(~unseen)
    if bool((normalised < 0).any()):
        raise InputError(
            Problem(
                rule="a geometric mean needs numbers that are not negative",
                cure="use a normalisation that has none: "
                + ", ".join(scale.name for scale in SCALES.values() if scale.never_negative),
            )
        )
    with np.errstate(divide="ignore"):
        logs = normalised.copy(data=np.log(normalised.values))
    exponent = (weights * logs).where(weights > 0, 0.0).sum("indicator", skipna=False)
    return exponent.copy(data=np.exp(exponent.values))


def score(
    levels: xr.DataArray,
    weights: xr.DataArray,
    *,
    normalisation: str = "pp",
    aggregation: str = "arithmetic",
    estimand: str = "change",
    reference: xr.DataArray | None = None,
    trials: xr.DataArray | None = None,
    skip_missing: bool = False,
) -> xr.DataArray:
    """Return one score per facility under a choice of scale, aggregation and estimand.

    Parameters
    ----------
    levels : DataArray (..., facility, indicator, period)
        As from `pdsim.levels`.
    weights : DataArray (..., indicator)
    normalisation, reference : see `normalise`
    aggregation, trials, skip_missing : see `aggregate`
    estimand : str
        Of the composite, see `pdsim.terms.estimands`; those with units of their own need ``pp``.

    Returns
    -------
    DataArray (..., facility)
        Larger is better. Numbers are rounded to 1e-12 of the largest, so that facilities whose
        composites are equal on paper (sums of ranks, say) tie in the computer as well.

    Raises
    ------
    InputError
        If the choices do not go together.

    Examples
    --------
    >>> levels = xr.DataArray([[[0.2, 0.6]]], dims=("facility", "indicator", "period"))
    >>> one = xr.DataArray([1.0], dims="indicator")
    >>> score(levels, one).values.round(6).tolist()
    [40.0]
    >>> score(levels, one, estimand="gap_closed").values.round(6).tolist()
    [0.5]
    """
    scaled = normalise(levels, normalisation, reference=reference)
    return score_normalised(
        scaled,
        weights,
        aggregation=aggregation,
        estimand=estimand,
        trials=trials,
        skip_missing=skip_missing,
    )


def score_normalised(
    scaled: xr.DataArray,
    weights: xr.DataArray,
    *,
    aggregation: str = "arithmetic",
    estimand: str = "change",
    trials: xr.DataArray | None = None,
    skip_missing: bool = False,
) -> xr.DataArray:
    """Return what `score` does from levels that `normalise` has put on their scale.

    Parameters
    ----------
    scaled : DataArray (..., facility, indicator, period)
        With the attribute ``normalisation``.
    weights : DataArray (..., indicator)
        Further dimensions, such as ``weight_draw``, stay in the result.
    aggregation, estimand, trials, skip_missing : see `score`

    Returns
    -------
    DataArray (..., facility)

    Raises
    ------
    InputError
        If the choices do not go together.

    Examples
    --------
    >>> levels = xr.DataArray([[[0.2, 0.6]]], dims=("facility", "indicator", "period"))
    >>> one = xr.DataArray([1.0], dims="indicator")
    >>> score_normalised(normalise(levels), one, estimand="ratio").values.round(6).tolist()
    [3.0]
    """
    normalisation = str(scaled.attrs.get("normalisation", "pp"))
    if not is_defined(normalisation, aggregation):
        rule = f"aggregation {aggregation!r} is not defined with normalisation {normalisation!r}"
        raise InputError(Problem(rule=rule, cure="see pdsim.scoring.is_defined"))
    overall = aggregate(scaled, weights, aggregation, trials=trials, skip_missing=skip_missing)
    return score_composite(overall.assign_attrs(scaled.attrs), estimand=estimand)


def score_composite(overall: xr.DataArray, *, estimand: str = "change") -> xr.DataArray:
    """Return what `score` does from the composite levels of `aggregate`.

    Parameters
    ----------
    overall : DataArray (..., facility, period)
        With the attribute ``normalisation``.
    estimand : str
        See `score`.

    Returns
    -------
    DataArray (..., facility)

    Raises
    ------
    InputError
        If the estimand is not defined for the normalisation or the periods.

    Examples
    --------
    >>> overall = xr.DataArray([[20.0, 60.0]], dims=("facility", "period"))
    >>> score_composite(overall, estimand="gap_closed").values.round(3).tolist()
    [0.5]
    """
    normalisation = str(overall.attrs.get("normalisation", "pp"))
    kind = str(overall.attrs.get("kind", "counts"))
    allowed = allowed_estimands(normalisation, kind=kind, periods=overall.sizes["period"])
    term = ESTIMANDS[estimand]
    if estimand not in allowed:
        rule = f"estimand {estimand!r} is not defined with normalisation {normalisation!r}"
        rule += f" of {kind} in {overall.sizes['period']} period(s)"
        raise InputError(Problem(rule=rule, cure=f"use one of: {', '.join(allowed)}"))
    if term.units:
        overall = overall / kind_named(kind).factor
    first, last = overall.isel(period=0, drop=True), overall.isel(period=-1, drop=True)
    value = xr.apply_ufunc(term.value, first, last, kwargs={"factor": 1.0}, keep_attrs="drop")
    largest = float(np.abs(value.values[np.isfinite(value.values)]).max(initial=0.0))
    if largest > 0:
        value = value.copy(data=largest * np.round(value.values / largest, _TIE_DIGITS))
    attrs = {key: item for key, item in overall.attrs.items() if key != "kind"}
    return value.rename("score").assign_attrs(attrs, estimand=estimand)
