"""From a fit to levels, and from levels to one score per facility (`pdsim.terms.estimands`)."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, get_args

import numpy as np
import xarray as xr
from scipy.special import expit

from pdsim.conventions import CI_PROB
from pdsim.errors import InputError, Problem
from pdsim.study import Study
from pdsim.study.facilities import CONTROL, PROGRAMME
from pdsim.terms.estimands import ESTIMANDS, estimands_of, main_estimand
from pdsim.terms.kinds import kind_named

_NODES: Final = 21  # Gauss-Hermite; exact to 1e-8 for sd up to 2 logits

type Arm = Literal["programme", "control"]
type Weights = Mapping[str, float] | Sequence[float] | xr.DataArray | None


def levels(
    fit: xr.DataTree, *, arm: Arm = PROGRAMME, given_covariates: bool = False
) -> xr.DataArray:
    """Return the posterior draws of every facility's own level of every indicator.

    Parameters
    ----------
    fit : xarray.DataTree
        From `pdsim.fit`.
    arm : {"programme", "control"}
        Whose facilities; without controls all facilities are of the programme.
    given_covariates : bool
        Whether every facility's level is what it would be with average covariates.

    Returns
    -------
    xarray.DataArray (chain, draw, facility, indicator, period)
        Probabilities on the 0..1 scale, turned so that higher is better; for scale scores the
        turned score in its own units. Carries ``weight`` and ``domain`` on ``indicator`` and the
        attributes ``kind``, ``engine``, ``convergence`` and, from the fast engine, ``ess``.

    Examples
    --------
    >>> import pdsim
    >>> study = pdsim.load_example("surgical")
    >>> fit = pdsim.fit(study, engine="laplace", seed=1)
    >>> pdsim.levels(fit).dims
    ('chain', 'draw', 'facility', 'indicator', 'period')
    """
    eta = in_arm(fit, fit["posterior"].to_dataset()["eta"], arm)
    if given_covariates:
        eta = eta - in_arm(fit, _by_covariates(fit), arm)
    if fit.attrs["kind"] == "counts":
        values = xr.apply_ufunc(expit, eta)
    else:
        constant = fit["constant_data"]
        values = constant["center"] + constant["scale"] * eta
        values = values.transpose(*eta.dims)
    names = ("kind", "engine", "convergence", "ess")
    attrs = {name: fit.attrs[name] for name in names if name in fit.attrs}
    return values.rename("level").assign_attrs(attrs)


def has_controls(fit: xr.DataTree) -> bool:
    """Return whether a fit is of a study with a control arm."""
    return "constant_data" in fit.children and "arm" in fit["constant_data"].coords


def in_arm(fit: xr.DataTree, values: xr.DataArray, arm: Arm) -> xr.DataArray:
    """Return the values (..., facility, ...) of the facilities of one arm.

    Raises
    ------
    InputError
        If there is no such arm.
    """
    if arm not in get_args(Arm.__value__):
        raise InputError(f"arm must be 'programme' or 'control', got {arm!r}")
    if has_controls(fit):
        return values.isel(facility=(fit["constant_data"]["arm"] == arm).to_numpy())
    if arm == CONTROL:
        raise InputError(Problem(rule="the study has no controls", cure="give a column arm"))
    return values


def _by_covariates(fit: xr.DataTree) -> xr.DataArray:
    """Return what the covariates add to the logits (chain, draw, facility, indicator, period)."""
    constant, posterior = fit["constant_data"], fit["posterior"]
    if "covariates" not in constant.coords:
        raise InputError(Problem(rule="the study has no covariates", cure="state some"))
    # without arm and stratum, which other scores of the fit do not carry
    given = constant["covariates"].reset_coords(drop=True)
    x = (given - given.mean("facility")) / given.std("facility", ddof=1)
    first = xr.dot(x, posterior["covariate_level"], dim="covariate")
    parts = [first]
    if "covariate_change" in posterior:
        parts.append(first + xr.dot(x, posterior["covariate_change"], dim="covariate"))
    joined = xr.concat(parts, posterior["period"])
    return joined.broadcast_like(posterior["eta"]).transpose(*posterior["eta"].dims)


def composite(
    fit_or_levels: xr.DataTree | xr.DataArray,
    *,
    estimand: str | None = None,
    weights: Weights = None,
    arm: Arm = PROGRAMME,
) -> xr.DataArray:
    """Return one score per facility and posterior draw; the larger the better.

    Parameters
    ----------
    fit_or_levels : xarray.DataTree or xarray.DataArray
        A fit, or `levels` of one; ``change_net`` needs the fit.
    estimand : str, optional
        See `pdsim.terms.estimands`; default ``change``, or ``level`` where there is one period.
    weights : mapping of indicator to float, sequence, or DataArray (indicator), optional
        Divided by their sum. Default: the study's own.
    arm : {"programme", "control"}
        Whose facilities, of a fit; controls stand in no league table with the others.

    Returns
    -------
    xarray.DataArray (chain, draw, facility)
        In percentage points where it is a difference or a level (``units`` says).

    Raises
    ------
    InputError
        If the weights or the estimand do not fit the study.

    Examples
    --------
    >>> import pdsim
    >>> study = pdsim.load_example("surgical")
    >>> score = pdsim.composite(pdsim.fit(study, engine="laplace", seed=1))
    >>> score.attrs["estimand"], score.attrs["units"]
    ('level', 'pp')
    """
    fit = fit_or_levels if isinstance(fit_or_levels, xr.DataTree) else None
    level = levels(fit, arm=arm) if fit is not None else fit_or_levels
    assert isinstance(level, xr.DataArray)
    periods = level.sizes["period"]
    estimand = estimand or main_estimand(periods)
    kind = kind_named(str(level.attrs.get("kind", "counts")))
    term = ESTIMANDS[estimand]
    controls = fit is not None and has_controls(fit)
    _check_estimand(estimand, periods=periods, kind=kind.name, controls=controls)
    weight = resolve_weights(weights, level)
    last = xr.dot(level.isel(period=-1, drop=True), weight, dim="indicator")
    if not term.net:
        first = xr.dot(level.isel(period=0, drop=True), weight, dim="indicator")
        if term.controls and fit is not None:
            other = xr.dot(levels(fit, arm=CONTROL), weight, dim="indicator").mean("facility")
            first = first + other.isel(period=-1, drop=True) - other.isel(period=0, drop=True)
    elif fit is not None:
        expected = in_arm(fit, expected_endline(fit, as_control=term.controls), arm)
        first = xr.dot(expected, weight, dim="indicator")
    else:
        raise InputError(
            Problem(
                rule=f"estimand {estimand!r} needs the variances of the model",
                cure="pass the fit instead of its levels",
            )
        )
    value = xr.apply_ufunc(term.of_true, first, last, kwargs={"factor": kind.factor})
    units = term.units or kind.units
    kept = {name: item for name, item in level.attrs.items() if name != "kind"}
    return value.rename("score").assign_attrs(kept, estimand=estimand, units=units)


def expected_endline(fit: xr.DataTree, *, as_control: bool = False) -> xr.DataArray:
    """Return the endline level expected from the baseline alone, with `as_control` by a control.

    For counts E_v expit(eta_expected + v), v ~ N(0, sum over levels of t^2 (1 - rho^2)), by
    Gauss-Hermite quadrature; for scores the linear predictor itself. Where each arm has a t of its
    own, that of the facility's, or with `as_control` that of controls.

    Returns
    -------
    xarray.DataArray (chain, draw, facility, indicator)
    """
    posterior = fit["posterior"].to_dataset()
    expected = posterior["eta_expected"]
    if as_control:
        expected = expected_of_control(fit)
    if fit.attrs["kind"] == "scores":
        constant = fit["constant_data"]
        return (constant["center"] + constant["scale"] * expected).transpose(*expected.dims)
    # Student-t effects of the facilities have a spread of each one's own
    tails = "factor_facility" in posterior
    factor = {"facility": posterior["factor_facility"] ** 2} if tails else {}
    spread = {"facility": _facility_spread(fit, as_control=as_control)}
    shares = (
        factor.get(level, 1.0)
        * spread.get(level, posterior[f"sd_change_{level}"]) ** 2
        * (1.0 - posterior[f"corr_{level}"] ** 2)
        for level in ("facility", "domain", "indicator")
        if f"sd_change_{level}" in posterior
    )
    _, variance = xr.broadcast(expected, sum(shares, start=xr.DataArray(0.0)))
    sd = np.sqrt(variance.transpose(*expected.dims).to_numpy())
    nodes, masses = np.polynomial.hermite_e.hermegauss(_NODES)
    masses = masses / masses.sum()
    center, part = expected.to_numpy(), np.empty(expected.shape)
    total = np.zeros_like(center)
    for node, mass in zip(nodes, masses, strict=True):
        # in place: draws are many, and new memory for each step takes as long as the arithmetic
        np.multiply(node, sd, out=part)
        part += center
        total += mass * expit(part, out=part)
    return expected.copy(data=total)


def expected_of_control(fit: xr.DataTree) -> xr.DataArray:
    """Return the endline logit expected of a control with the baseline of each facility.

    Without the effect of the arm. Where each arm has an SD of change t of its own, the change
    follows the facility's own effect on its baseline by rho t / s with the t of controls.

    Returns
    -------
    xarray.DataArray (chain, draw, facility, indicator)
        On the standardised scale for scores.
    """
    posterior = fit["posterior"].to_dataset()
    expected = posterior["eta_expected"]
    labels = fit["constant_data"]["arm"].to_numpy()
    arm = xr.DataArray(
        (labels == PROGRAMME).astype(float),
        dims="facility",
        coords={"facility": expected["facility"].to_numpy()},
    )
    found = expected - arm * posterior["arm_effect"]
    if "baseline_facility" in posterior:
        own, other = (_facility_spread(fit, as_control=of) for of in (False, True))
        slope = posterior["corr_facility"] * (other - own) / posterior["sd_baseline_facility"]
        found = found + slope * posterior["baseline_facility"]
    return found.transpose(*expected.dims)


def _facility_spread(fit: xr.DataTree, *, as_control: bool) -> xr.DataArray:
    """Return the SD of change between facilities, with one of each arm that of every facility."""
    posterior = fit["posterior"].to_dataset()
    spread = posterior["sd_change_facility"]
    if "arm" not in spread.dims:
        return spread
    if as_control:
        return spread.sel(arm=CONTROL, drop=True)
    labels = fit["constant_data"]["arm"].to_numpy()
    arm = xr.DataArray(labels, dims="facility", coords={"facility": posterior["facility"]})
    return spread.sel(arm=arm).drop_vars("arm")


def resolve_weights(weights: Weights, level: xr.DataArray) -> xr.DataArray:
    """Return weights (indicator) that sum to 1, in the order of `level`.

    Raises
    ------
    InputError
        If a weight is missing, unknown, negative or not finite, or all are zero.
    """
    names = [str(name) for name in level["indicator"].to_numpy()]
    if weights is None:
        values = level["weight"].to_numpy().astype(float)
    elif isinstance(weights, Mapping):
        unknown = sorted(set(weights) - set(names))
        missing = [name for name in names if name not in weights]
        problems = [
            *(Problem(indicator=n, rule="has a weight but is not in the study") for n in unknown),
            *(Problem(indicator=n, rule="has no weight", cure="state one") for n in missing),
        ]
        if problems:
            raise InputError(problems)
        values = np.array([float(weights[name]) for name in names])
    else:
        if isinstance(weights, xr.DataArray) and "indicator" in weights.coords:
            weights = weights.sel(indicator=level["indicator"])
        values = np.asarray(weights, dtype=float)
    if values.shape != (len(names),):
        raise InputError(f"{len(names)} weights are needed, one per indicator; got {values.shape}")
    if not np.isfinite(values).all() or (values < 0).any() or values.sum() <= 0:
        raise InputError(
            f"weights must be finite, not negative and not all zero; got {values.tolist()}"
        )
    coords = {"indicator": level["indicator"].to_numpy()}
    return xr.DataArray(values / values.sum(), dims="indicator", coords=coords, name="weight")


def _check_estimand(estimand: str, *, periods: int, kind: str, controls: bool) -> None:
    if ESTIMANDS[estimand].controls and not controls:
        raise InputError(
            Problem(
                rule=f"estimand {estimand!r} needs controls",
                cure="pass a fit of a study with a column arm",
            )
        )
    allowed = estimands_of(kind, periods, controls=controls)
    if estimand not in allowed:
        rule = f"estimand {estimand!r} does not fit a study of {kind} in {periods} period(s)"
        raise InputError(Problem(rule=rule, cure=f"use one of: {', '.join(allowed)}"))


def observed_change(
    study: Study,
    *,
    weights: Weights = None,
    missing: str = "undefined",
) -> xr.DataArray:
    """Return the observed change of each facility's composite, as published tables print it.

    A description of the data: no model, no posterior, nothing shrunk.

    Parameters
    ----------
    study : Study
        With one period, the observed level is returned instead.
    weights : as in `composite`
    missing : {"undefined", "renormalise"}
        A facility with a missing cell of positive weight is NaN, or its weights are spread over
        the indicators it has in every period.

    Returns
    -------
    xarray.DataArray (facility)
        Percentage points for counts, score units for scores; larger is better.

    Examples
    --------
    >>> import pdsim
    >>> study = pdsim.load_example("lake_zone", trials=20, case_correlation=0.1)
    >>> float(observed_change(study)[0].round(6))
    76.0
    """
    if missing not in {"undefined", "renormalise"}:
        raise InputError(f"missing must be 'undefined' or 'renormalise', got {missing!r}")
    data = study.data
    lower = data["direction"] == "lower"
    if study.kind == "counts":
        value = data["successes"] / data["trials"].where(data["trials"] > 0)
        value = 100.0 * xr.where(lower, 1.0 - value, value)
    else:
        value = xr.where(lower, -data["mean"], data["mean"])
    weight = resolve_weights(weights, data["weight"])
    seen = value.notnull().all("period")
    used = weight.where(seen, 0.0)
    overall = (value.fillna(0.0) * used).sum("indicator") / used.sum("indicator")
    if missing == "undefined":
        overall = overall.where((seen | (weight == 0)).all("indicator"))
    last = overall.isel(period=-1, drop=True)
    change = study.data.sizes["period"] == 2
    result = last - overall.isel(period=0, drop=True) if change else last
    units = "pp" if study.kind == "counts" else "score"
    return result.rename("score").assign_attrs(estimand="change_observed", units=units)


def variance_share(level: xr.DataArray, *, weights: Weights = None) -> xr.Dataset:
    """Return how much every indicator varies between facilities, and its share of the composite.

    Equal weights are not equal influence: share_k = w_k Cov(x_k, C) / Var(C) over facilities,
    C = sum_k w_k x_k, x the change (or the level at one period), averaged over draws. Shares sum
    to 1 and may be negative.

    Parameters
    ----------
    level : xarray.DataArray (chain, draw, facility, indicator, period)
        From `levels`.
    weights : as in `composite`

    Returns
    -------
    xarray.Dataset (indicator)
        ``nominal`` weight, ``share``, ``sd`` of w_k x_k between facilities, and ``spread``, the
        standard deviation of x_k itself, with ``spread_lower`` and ``spread_upper``, its
        equal-tailed interval (all in pp or score).
    """
    weight = resolve_weights(weights, level)
    factor = 1.0 if level.attrs.get("kind") == "scores" else 100.0
    value = level.isel(period=-1, drop=True)
    if level.sizes["period"] == 2:
        value = value - level.isel(period=0, drop=True)
    part = factor * weight * (value - value.mean("facility"))
    total = part.sum("indicator")
    covariance = (part * total).mean("facility")
    sample = [dim for dim in ("chain", "draw") if dim in level.dims]
    share = (covariance.mean(sample) / (total**2).mean("facility").mean(sample)).rename("share")
    sd = np.sqrt((part**2).mean("facility").mean(sample))
    spread = factor * value.std("facility")
    tail = (1.0 - CI_PROB) / 2.0
    bounds = spread.quantile([tail, 1.0 - tail], sample)
    return xr.Dataset(
        {
            "nominal": weight.drop_vars("weight", errors="ignore"),
            "share": share,
            "sd": sd,
            "spread": spread.mean(sample),
            "spread_lower": bounds.isel(quantile=0, drop=True),
            "spread_upper": bounds.isel(quantile=1, drop=True),
        }
    )
