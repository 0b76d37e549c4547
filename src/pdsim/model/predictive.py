"""Draws from the prior, and what the fitted model says the data should look like."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import xarray as xr
from scipy.special import expit

from pdsim.arraytypes import Floats
from pdsim.model.data import ModelData, fitted_data, model_data
from pdsim.priors import MeanPrior, PooledScalePrior, Priors, ScalePrior
from pdsim.study import Study

_TOGETHER: Final = 250_000
"""Cells of draws in one call; many small calls take longer than the arithmetic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """One set of parameters of the model, by the names that a fit uses.

    Attributes
    ----------
    alpha, beta : ndarray (K,)
    sd_baseline, sd_change, corr : dict of level to ndarray (1,) or (K,)
        Levels ``facility``, ``domain``, ``indicator``; only those of the study. One number for
        each indicator where these have their own; two of change between facilities, controls
        first, where the arms do.
    imbalance, arm_effect : ndarray (K,) or None
        None without controls.
    covariate_level, covariate_change : ndarray (C,) or None
        None without covariates.
    """

    alpha: Floats
    beta: Floats
    sd_baseline: dict[str, Floats]
    sd_change: dict[str, Floats]
    corr: dict[str, Floats]
    imbalance: Floats | None = None
    arm_effect: Floats | None = None
    covariate_level: Floats | None = None
    covariate_change: Floats | None = None


def draw_parameters(data: ModelData, rng: np.random.Generator) -> Parameters:
    """Draw parameters from the priors of `data`."""
    return parameters_of(
        data.priors,
        data.levels,
        indicators=data.shape[1],
        own_spread=data.own_spread,
        rng=rng,
        arms=data.arms,
        covariates=data.covariate_values.shape[1],
        change_by_arm=data.change_by_arm,
    )


def parameters_of(
    priors: Priors,
    levels: Sequence[str],
    *,
    indicators: int,
    own_spread: bool,
    rng: np.random.Generator,
    arms: int = 1,
    covariates: int = 0,
    change_by_arm: bool = False,
) -> Parameters:
    """Draw parameters from priors.

    Parameters
    ----------
    priors : Priors
    levels : sequence of str
        Those of effects that exist.
    indicators : int
    own_spread : bool
        Whether each indicator has a standard deviation of its own.
    rng : Generator
    arms, covariates : int
        2 arms with controls.
    change_by_arm : bool
        Whether facilities of each arm have a standard deviation of change of their own.
    """
    number = {n: indicators if n == "indicator" and own_spread else 1 for n in levels}
    changes = number | ({"facility": 2} if change_by_arm else {})

    def scales(stem: str, number: dict[str, int]) -> dict[str, Floats]:
        return {n: _draw_scale(priors.scale(f"{stem}_{n}"), number[n], rng) for n in levels}

    drawn = Parameters(
        alpha=_draw_means(priors.alpha, indicators, rng),
        beta=_draw_means(priors.beta, indicators, rng),
        sd_baseline=scales("sd_baseline", number),
        sd_change=scales("sd_change", changes),
        corr={n: _draw_corr(priors, n, number[n], rng) for n in levels},
    )
    if arms == 2:
        drawn = replace(
            drawn,
            imbalance=_draw_means(priors.imbalance, indicators, rng),
            arm_effect=_draw_means(priors.arm_effect, indicators, rng),
        )
    if covariates:
        drawn = replace(
            drawn,
            covariate_level=priors.covariate_level.sd * rng.standard_normal(covariates),
            covariate_change=priors.covariate_change.sd * rng.standard_normal(covariates),
        )
    return drawn


def draw_eta(
    parameters: Parameters, data: ModelData, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Draw every facility's logits given the parameters.

    Returns
    -------
    eta : ndarray (F, K, T)
    expected : ndarray (F, K)
        The endline expected from the baseline alone, as ``eta_expected`` of a fit.
    """
    facilities, indicators, periods = data.shape
    base = np.broadcast_to(parameters.alpha, (facilities, indicators)).copy()
    change = np.broadcast_to(parameters.beta, (facilities, indicators)).copy()
    x = data.covariate_values
    if parameters.covariate_level is not None:
        base += (x @ parameters.covariate_level)[:, None]
    if parameters.covariate_change is not None:
        change += (x @ parameters.covariate_change)[:, None]
    if parameters.imbalance is not None and parameters.arm_effect is not None:
        base += data.arm_codes[:, None] * parameters.imbalance
        change += data.arm_codes[:, None] * parameters.arm_effect
    expected = change.copy()
    columns = {
        "facility": np.zeros(indicators, dtype=int),
        "domain": data.domain,
        "indicator": np.arange(indicators),
    }
    for level in data.levels:
        index = columns[level]
        z = rng.standard_normal((2, facilities, index.max() + 1))
        rho, sd_change = parameters.corr[level], parameters.sd_change[level]
        if level == "facility" and np.size(sd_change) == 2:
            sd_change = sd_change[data.arm_codes][:, None]
        if level == "facility" and data.facility_df is not None:
            df = data.facility_df
            z = z / np.sqrt(rng.chisquare(df, (facilities, 1)) / df)
        first, second = z[0][:, index], z[1][:, index]
        base += parameters.sd_baseline[level] * first
        expected += sd_change * rho * first
        change += sd_change * (rho * first + np.sqrt(1 - rho**2) * second)
    return np.stack([base, base + change], axis=-1)[..., :periods], base + expected


def draw_proportion(eta: Floats, data: ModelData, rng: np.random.Generator) -> Floats:
    """Draw observed proportions (or standardised means) as the model's likelihood has them.

    With a case correlation r the indicators of a case group share a shock, and what visits do to
    them; a cell counts (n - r) / (1 - r) cases, as in `pdsim.model.pymc_model`. Trials are rounded
    to whole cases.

    Parameters
    ----------
    eta : ndarray (..., F, K, T)
    data : ModelData
    rng : Generator

    Returns
    -------
    ndarray (..., F, K, T)
        NaN in a missing cell.
    """
    if data.kind == "scores":
        noise = rng.standard_normal(eta.shape)
        if data.error_correlation is not None:
            factor = np.linalg.cholesky(data.error_correlation)
            flat = noise.reshape(*eta.shape[:-2], -1)
            noise = np.einsum("fab,...fb->...fa", factor, flat).reshape(eta.shape)
        return eta + noise / np.sqrt(np.where(data.size > 0, data.size, np.nan))
    r = data.cell_correlation
    eta = eta + data.case_mix
    p = expit(eta)
    share = r / np.maximum(data.size, 1.0)
    # a vague prior gives logits at which p is 0 or 1 to the last digit
    spread = np.maximum(p * (1 - p), np.finfo(float).tiny)
    variance = np.log1p(share / (1 - share) ** 4 / spread) + data.visit_variance
    groups, periods = int(data.case_group.max()) + 2, data.shape[2]
    z = rng.standard_normal((*eta.shape[:-2], groups, periods))
    cases = np.ceil(data.size * (1 - share) / (1 - r) - 0.5).astype(np.int64)
    shocked = eta + np.sqrt(variance) * z[..., data.case_group, :] - variance * (0.5 - p)
    successes = rng.binomial(cases, expit(shocked))
    return np.where(data.size > 0, successes / np.maximum(cases, 1), np.nan)


def prior_predictive(
    study: Study, *, priors: Priors | None = None, draws: int = 1000, seed: int = 1
) -> xr.Dataset:
    """Return what the priors alone say about each facility's composite.

    Parameters
    ----------
    study : Study
        Its shape, trials and weights are used, not its successes.
    priors : Priors, optional
    draws, seed : int

    Returns
    -------
    xarray.Dataset (sample, facility, period)
        ``level`` true composite and ``observed`` composite, in percent (or standardised score).

    Examples
    --------
    >>> import pdsim
    >>> prior_predictive(pdsim.load_example("surgical"), draws=5).sizes["sample"]
    5
    """
    data = model_data(study, priors)
    rng = np.random.default_rng(seed)
    truths, observations = [], []
    for _ in range(draws):
        eta, _ = draw_eta(draw_parameters(data, rng), data, rng)
        truths.append(composite_of(expit(eta) if data.kind == "counts" else eta, data))
        observations.append(composite_of(draw_proportion(eta, data, rng), data))
    dims = ("sample", "facility", "period")
    coords = {n: study.data[n].to_numpy() for n in ("facility", "period")}
    return xr.Dataset(
        {"level": (dims, np.array(truths)), "observed": (dims, np.array(observations))},
        coords=coords,
    )


def posterior_predictive(fit: xr.DataTree, *, seed: int = 1) -> xr.Dataset:
    """Compare the observed composites with replicates drawn from the fitted model.

    Parameters
    ----------
    fit : xarray.DataTree
    seed : int

    Returns
    -------
    xarray.Dataset
        ``replicate`` (sample, facility, period) and ``observed`` (facility, period) composites
        over the cells observed, in percent (or standardised score); ``p_value`` (facility,
        period), the share of replicates below the observed one, ties counted half [1]_.

    References
    ----------
    .. [1] Gelman A, Meng XL, Stern H (1996), Statistica Sinica 6, 733-760.
    """
    data = fitted_data(fit)
    rng = np.random.default_rng(seed)
    eta = fit["posterior"]["eta"].stack(sample=("chain", "draw")).transpose("sample", ...)
    draws = eta.to_numpy()
    together = max(1, _TOGETHER // draws[0].size)
    replicates = np.concatenate(
        [
            composite_of(draw_proportion(draws[n : n + together], data, rng), data)
            for n in range(0, len(draws), together)
        ]
    )
    seen = np.where(data.size > 0, data.observed, np.nan)
    if data.kind == "counts":
        seen = seen / np.where(data.size > 0, data.size, 1.0)
    observed = composite_of(seen, data)
    below = (replicates < observed).mean(axis=0) + 0.5 * (replicates == observed).mean(axis=0)
    coords = {n: fit["constant_data"][n].to_numpy() for n in ("facility", "period")}
    return xr.Dataset(
        {
            "replicate": (("sample", "facility", "period"), replicates),
            "observed": (("facility", "period"), observed),
            "p_value": (("facility", "period"), below),
        },
        coords=coords,
        attrs={"convergence": fit.attrs["convergence"]},
    )


def composite_of(value: Floats, data: ModelData) -> Floats:
    """Weighted mean over the indicators present (..., facility, period); percent for counts."""
    weight = np.where(np.isnan(value), 0.0, data.weight[:, None])
    factor = 100.0 if data.kind == "counts" else 1.0
    with np.errstate(invalid="ignore"):
        return factor * np.nansum(value * weight, axis=-2) / weight.sum(axis=-2)


def _draw_means(prior: MeanPrior, indicators: int, rng: np.random.Generator) -> Floats:
    mean = prior.mean + prior.mean_sd * rng.standard_normal()
    return mean + prior.sd * rng.standard_normal(indicators)


def _draw_scale(
    prior: ScalePrior | PooledScalePrior, size: int, rng: np.random.Generator
) -> Floats:
    if isinstance(prior, PooledScalePrior):
        factor = prior.spread / np.sqrt(rng.chisquare(prior.df) / prior.df)
        common = np.sqrt(prior.common) * rng.standard_normal()
        pooled: Floats = prior.median * np.exp(factor * (common + rng.standard_normal(size)))
        return pooled
    match prior.family:
        case "half_normal":
            return np.abs(rng.standard_normal(size)) * prior.scale
        case "half_cauchy":
            return np.abs(rng.standard_cauchy(size)) * prior.scale
        case "half_t":
            return np.abs(rng.standard_t(prior.df or 1.0, size)) * prior.scale
        case "exponential":
            return rng.exponential(prior.scale, size)
        case "inverse_gamma_variance":
            # on the log scale: a gamma draw of a vague prior underflows (G(a) = G(a + 1) U^(1/a))
            shape = prior.shape or 1.0
            log_gamma = np.log(rng.gamma(shape + 1, size=size)) + np.log(rng.random(size)) / shape
            return np.exp(np.clip(0.5 * (np.log(prior.scale) - log_gamma), -300.0, 300.0))


def _draw_corr(priors: Priors, level: str, size: int, rng: np.random.Generator) -> Floats:
    eta = getattr(priors, f"corr_{level}").eta
    return 2.0 * rng.beta(eta, eta, size) - 1.0
