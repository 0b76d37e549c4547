"""The model in PyMC: three levels of (baseline, change) effects.

For facility i, indicator k in domain d(k):

    eta_ik0 = alpha_k + delta_k G_i + x_i'g + a_i + a2_{i,d(k)} + e_ik
    eta_ik1 = eta_ik0 + beta_k + gamma_k G_i + x_i'h + t_i + t2_{i,d(k)} + c_ik

with G_i = 1 in the programme where there are controls, covariates x_i where there are any, and
(baseline, change) bivariate normal at each level, at the innermost one with standard deviations
and a correlation of each indicator's own (or one for all); the standard deviation of t may be one
of each arm. Counts: y ~ Binomial(n, expit(eta)). Scores: mean ~ N(eta, se^2), or all means of a
facility normal with standard errors se and the correlations that are stated of their errors.
"""

from typing import Final

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from scipy.special import logit

from pdsim.arraytypes import Floats
from pdsim.model.data import ModelData
from pdsim.priors import MeanPrior, PooledScalePrior, ScalePrior

FIXED: Final = (
    *("alpha", "imbalance", "covariate_level"),
    *("beta", "arm_effect", "covariate_change"),
)
"""The fixed effects of the baseline and of the change, by their names in the posterior."""

BASELINE: Final = "baseline_facility"
"""Each facility's effect as a whole on its baseline, by which a control's change is foreseen."""

# With fastmath the same seed gives other draws on a cold and on a warm compile cache.
pytensor.config.numba__fastmath = False


def build_model(data: ModelData) -> pm.Model:
    """Return the PyMC model of `data`, with the observations as ``pm.Data``.

    Free of the numbers observed, so that one compiled model serves every data set of the shape.
    The effects of the innermost level are partly centred, cell by cell: a cell of 100,000 trials
    is sampled as a logit, an empty one as a standardised effect, those between in between. The
    effects above are non-centred.

    Parameters
    ----------
    data : ModelData

    Returns
    -------
    pymc.Model
        Deterministics ``eta`` (facility, indicator, period) and, with two periods,
        ``eta_expected`` (facility, indicator), the endline expected from the baseline.
    """
    with pm.Model(coords=_coords(data)) as model:
        observed = pm.Data("observed", data.observed)
        size = pm.Data("size", data.size)
        inverse = data.error_precision
        if inverse is not None:
            inverse = pm.Data("error_precision", inverse)
        centring, offset = (
            pm.Data(name, value)
            for name, value in zip(("centring", "offset"), centring_and_offset(data), strict=True)
        )
        mean = _means("alpha", "imbalance", "covariate_level", data)
        change = expected = (
            _means("beta", "arm_effect", "covariate_change", data) if data.shape[2] == 2 else None
        )
        *outer, inner = data.levels
        for level in outer:
            baseline, moved, foreseen = _outer_effects(level, data)
            mean = mean + baseline
            if change is not None:
                change, expected = change + moved, expected + foreseen
        etas = _cells(inner, data, mean, change, expected, centring, offset)
        eta = pm.Deterministic(
            "eta", pt.stack(etas, axis=-1), dims=("facility", "indicator", "period")
        )
        pm.Potential("likelihood", _log_likelihood(eta, observed, size, inverse, data))
    return model


def centring_and_offset(data: ModelData) -> tuple[Floats, Floats]:
    """Return how far each cell is centred, 0 to 1, and around which value; both (F, K, T).

    The share is I^2 / (I^2 + 150^2), I the information of the cell on its logit: centring pays
    only where the data far outweigh the effects, and a small standard deviation is a funnel.
    """
    if data.kind == "scores":
        information, value = data.size, data.observed
    else:
        p = (data.observed + 0.5) / (data.size + 1.0)
        information, value = data.size * p * (1.0 - p), logit(p) - data.case_mix
    return information**2 / (information**2 + 150.0**2), value


def _coords(data: ModelData) -> dict[str, range]:
    facilities, indicators, periods = data.shape
    return {
        "facility": range(facilities),
        "indicator": range(indicators),
        "period": range(periods),
        **({"arm": range(2)} if data.change_by_arm else {}),
        "domain": range(data.domains),
        "case_group": range(max(int(data.case_group.max()) + 1, 1)),
        **({} if data.covariates is None else {"covariate": range(data.covariates.shape[1])}),
    }


def _fixed_effects(name: str, prior: MeanPrior, indicators: int) -> pt.TensorVariable:
    """x_k ~ N(mu, sd^2) with mu ~ N(mean, mean_sd^2) marginalised: a dense covariance."""
    covariance = prior.sd**2 * np.eye(indicators) + prior.mean_sd**2
    factor = np.linalg.cholesky(covariance)
    return pm.MvNormal(name, mu=np.full(indicators, prior.mean), chol=factor, dims="indicator")


def _means(common: str, apart: str, slope: str, data: ModelData) -> pt.TensorVariable:
    """Return what arm, indicator and covariates say, broadcastable to (facility, indicator)."""
    indicators = data.shape[1]
    mean = _fixed_effects(common, getattr(data.priors, common), indicators)[None, :]
    if data.arms == 2:
        more = _fixed_effects(apart, getattr(data.priors, apart), indicators)
        mean = mean + data.arm_codes[:, None] * more[None, :]
    if data.covariates is not None:
        slopes = pm.Normal(slope, 0.0, getattr(data.priors, slope).sd, dims="covariate")
        mean = mean + pt.dot(data.covariates, slopes)[:, None]
    return mean


def _outer_effects(
    level: str, data: ModelData
) -> tuple[pt.TensorVariable, pt.TensorVariable | None, pt.TensorVariable | None]:
    """Return baseline effects, change effects and the change expected from the baseline.

    Each is broadcastable to (facility, indicator).
    """
    dims = ("facility",) if level == "facility" else ("facility", "domain")

    def spread(effects: pt.TensorVariable) -> pt.TensorVariable:
        return effects[:, None] if level == "facility" else effects[:, data.domain]

    z_baseline = _tailed(level, data, pm.Normal(f"z_baseline_{level}", dims=dims))
    effect = _sd("baseline", level, data) * z_baseline
    baseline = spread(effect)
    if data.shape[2] == 1:
        return baseline, None, None
    sd_change, corr = _sd("change", level, data), _corr(level, data)
    if _by_arm(level, data):
        sd_change = sd_change[data.arm_codes]
        pm.Deterministic(BASELINE, effect, dims="facility")
    z_change = _tailed(level, data, pm.Normal(f"z_change_{level}", dims=dims))
    expected = sd_change * corr * z_baseline
    change = expected + sd_change * pt.sqrt(1 - corr**2) * z_change
    return baseline, spread(change), spread(expected)


def _cells(
    level: str,
    data: ModelData,
    mean: pt.TensorVariable,
    change: pt.TensorVariable | None,
    expected: pt.TensorVariable | None,
    centring: pt.TensorVariable,
    offset: pt.TensorVariable,
) -> list[pt.TensorVariable]:
    """Add the effects of the innermost level; return the logits (facility, indicator) by period."""
    sd_baseline = _tailed(level, data, _sd("baseline", level, data))
    shape = data.shape[:2]
    mean = pt.broadcast_to(mean, shape)
    eta0 = _partly_centred(
        "cell_baseline", mean, sd_baseline, centring[..., 0], offset[..., 0], shape
    )
    if change is None:
        return [eta0]
    sd_change, corr = _sd("change", level, data), _corr(level, data)
    if _by_arm(level, data):
        sd_change = sd_change[data.arm_codes, None]
        pm.Deterministic(BASELINE, (eta0 - mean)[:, 0], dims="facility")
    sd_change = _tailed(level, data, sd_change)
    foreseen = sd_change * corr * (eta0 - mean) / sd_baseline
    eta1 = _partly_centred(
        "cell_endline",
        eta0 + change + foreseen,
        sd_change * pt.sqrt(1 - corr**2),
        centring[..., 1],
        offset[..., 1],
        shape,
    )
    pm.Deterministic("eta_expected", eta0 + expected + foreseen, dims=("facility", "indicator"))
    return [eta0, eta1]


def _partly_centred(
    name: str,
    mean: pt.TensorVariable,
    sd: pt.TensorVariable,
    share: pt.TensorVariable,
    offset: pt.TensorVariable,
    shape: tuple[int, int],
) -> pt.TensorVariable:
    """Return x ~ N(mean, sd^2), sampled as u ~ N(share (mean - offset), sd^(2 share)).

    x = mean + sd^(1 - share) (u - share (mean - offset)): u is x - offset where share is 1 and
    the standardised effect where it is 0 (Gorinova, Moore and Hoffman 2020,
    https://proceedings.mlr.press/v119/gorinova20a.html).
    """
    middle = share * (mean - offset)
    u = pm.Normal(name, middle, sd**share, dims=("facility", "indicator"), initval=np.zeros(shape))
    return mean + sd ** (1 - share) * (u - middle)


def _tailed(level: str, data: ModelData, values: pt.TensorVariable) -> pt.TensorVariable:
    """Return the effects, or SDs, of facilities times a factor of each, common to its periods.

    A bivariate normal pair over the root of one chi2 / df is bivariate Student t (Lange, Little and
    Taylor 1989, doi:10.1080/01621459.1989.10478852).
    """
    df = data.facility_df
    if df is None or level != "facility":
        return values
    model = pm.modelcontext(None)
    if "tail_facility" not in model.named_vars:
        tail = pm.Gamma("tail_facility", df / 2.0, df / 2.0, dims="facility")
        pm.Deterministic("factor_facility", 1.0 / pt.sqrt(tail), dims="facility")
    factor = model["factor_facility"]
    return values * (factor if values.ndim == 1 else factor[:, None])


def _sd(kind: str, level: str, data: ModelData) -> pt.TensorVariable:
    name = f"sd_{kind}_{level}"
    apart = kind == "change" and _by_arm(level, data)
    return _scale(name, data.priors.scale(name), ("arm",) if apart else _own_dims(level, data))


def _corr(level: str, data: ModelData) -> pt.TensorVariable:
    eta = getattr(data.priors, f"corr_{level}").eta
    dims = _own_dims(level, data)
    half = pm.Beta(f"corr_{level}_half", eta, eta, dims=dims)
    return pm.Deterministic(f"corr_{level}", 2 * half - 1, dims=dims)


def _by_arm(level: str, data: ModelData) -> bool:
    """Return whether each arm has a standard deviation of change of its own at the level."""
    return level == "facility" and data.change_by_arm


def _own_dims(level: str, data: ModelData) -> tuple[str, ...]:
    return ("indicator",) if level == "indicator" and data.own_spread else ()


def _scale(
    name: str, prior: ScalePrior | PooledScalePrior, dims: tuple[str, ...]
) -> pt.TensorVariable:
    if isinstance(prior, PooledScalePrior):
        sd = pm.HalfFlat(name, dims=dims)
        pm.Potential(f"{name}_pooled", _pooled_log_density(sd, prior))
        return sd
    match prior.family:
        case "half_normal":
            return pm.HalfNormal(name, sigma=prior.scale, dims=dims)
        case "half_cauchy":
            return pm.HalfCauchy(name, beta=prior.scale, dims=dims)
        case "half_t":
            return pm.HalfStudentT(name, nu=prior.df, sigma=prior.scale, dims=dims)
        case "exponential":
            return pm.Exponential(name, scale=prior.scale, dims=dims)
        case "inverse_gamma_variance":
            squared = f"{name}_squared"
            variance = pm.InverseGamma(squared, alpha=prior.shape, beta=prior.scale, dims=dims)
            return pm.Deterministic(name, pt.sqrt(variance), dims=dims)


def _pooled_log_density(sd: pt.TensorVariable, prior: PooledScalePrior) -> pt.TensorVariable:
    """Log density of the standard deviations (K,): their logs are jointly Student t."""
    log_sd = pt.log(sd)
    number, centered = sd.shape[0], log_sd - np.log(prior.median)
    shared = prior.common / (1.0 + prior.common * number)
    square = ((centered**2).sum() - shared * centered.sum() ** 2) / prior.spread**2
    return -0.5 * (prior.df + number) * pt.log1p(square / prior.df) - log_sd.sum()


def _log_likelihood(
    eta: pt.TensorVariable,
    observed: pt.TensorVariable,
    size: pt.TensorVariable,
    error_precision: pt.TensorVariable | None,
    data: ModelData,
) -> pt.TensorVariable:
    if error_precision is not None:
        errors = (pt.sqrt(size) * (observed - eta)).reshape((data.shape[0], -1))
        return -0.5 * (error_precision * errors[:, :, None] * errors[:, None, :]).sum()
    if data.kind == "scores":
        return -0.5 * (size * (observed - eta) ** 2).sum()
    if data.offset is not None:
        eta = eta + data.offset
    if not data.shocked:
        return (observed * eta - size * pt.softplus(eta)).sum()
    # The shock takes the share r of a cell's variance, the cell's own error keeps 1 - r.
    grouped = data.case_group >= 0
    r = data.cell_correlation
    p = pm.math.sigmoid(eta)
    # Mean p and variance r p q / n of the shocked proportion, see `pdsim.model.laplace.likelihood`.
    share = r / pt.maximum(size, 1.0)
    variance = pt.log1p(share / (1 - share) ** 4 / (p * (1 - p))) + data.visit_variance
    z = pm.Normal("z_case", dims=("facility", "case_group", "period"))
    mine = z[:, np.where(grouped, data.case_group, 0), :]
    shocked = eta + pt.sqrt(variance) * mine - variance * (0.5 - p)
    own = (1 - share) / (1 - r)
    return (own * (observed * shocked - size * pt.softplus(shocked))).sum()
