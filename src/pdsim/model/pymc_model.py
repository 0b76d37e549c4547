"""The model in PyMC: three levels of (baseline, change) effects.

For facility i, indicator k in domain d(k):

    eta_ik0 = alpha_k + a_i + a2_{i,d(k)} + e_ik
    eta_ik1 = eta_ik0 + beta_k + t_i + t2_{i,d(k)} + c_ik

with (baseline, change) bivariate normal at each level. Counts: y ~ Binomial(n, expit(eta)).
Scores: mean ~ N(eta, se^2).
"""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt

from pdsim.model.data import ModelData
from pdsim.priors import MeanPrior, ScalePrior

# With fastmath the same seed gives other draws on a cold and on a warm compile cache.
pytensor.config.numba__fastmath = False


def build_model(data: ModelData) -> pm.Model:
    """Return the PyMC model of `data`, with the observations as ``pm.Data``.

    Free of the numbers observed, so that one compiled model serves every data set of the shape.

    Parameters
    ----------
    data : ModelData

    Returns
    -------
    pymc.Model
        Deterministics ``eta`` (facility, indicator, period) and, with two periods,
        ``eta_expected`` (facility, indicator), the endline expected from the baseline.
    """
    facilities, indicators, periods = data.shape
    coords = {name: range(size) for name, size in _dims(data)}
    with pm.Model(coords=coords) as model:
        observed = pm.Data("observed", data.observed)
        size = pm.Data("size", data.size)
        prior = data.priors
        alpha = _fixed_effects("alpha", prior.alpha, indicators)
        beta = _fixed_effects("beta", prior.beta, indicators) if periods == 2 else None
        base, change, expected = 0.0, 0.0, 0.0
        for level in data.levels:
            b, c, e = _level_effects(level, data)
            base, change, expected = base + b, change + c, expected + e
        shape = (facilities, indicators)
        eta0 = pt.broadcast_to(alpha[None, :] + base, shape)
        etas = [eta0]
        if beta is not None:
            etas.append(pt.broadcast_to(eta0 + beta[None, :] + change, shape))
            pm.Deterministic(
                "eta_expected",
                pt.broadcast_to(eta0 + beta[None, :] + expected, shape),
                dims=("facility", "indicator"),
            )
        eta = pm.Deterministic(
            "eta", pt.stack(etas, axis=-1), dims=("facility", "indicator", "period")
        )
        pm.Potential("likelihood", _log_likelihood(eta, observed, size, data))
    return model


def _dims(data: ModelData) -> list[tuple[str, int]]:
    facilities, indicators, periods = data.shape
    groups = int(data.case_group.max()) + 1
    return [
        ("facility", facilities),
        ("indicator", indicators),
        ("period", periods),
        ("domain", data.domains),
        ("case_group", max(groups, 1)),
    ]


def _fixed_effects(name: str, prior: MeanPrior, indicators: int) -> pt.TensorVariable:
    """x_k ~ N(mu, sd^2) with mu ~ N(mean, mean_sd^2) marginalised: a dense covariance."""
    covariance = prior.sd**2 * np.eye(indicators) + prior.mean_sd**2
    factor = np.linalg.cholesky(covariance)
    return pm.MvNormal(name, mu=np.full(indicators, prior.mean), chol=factor, dims="indicator")


def _level_effects(
    level: str, data: ModelData
) -> tuple[pt.TensorVariable, pt.TensorVariable, pt.TensorVariable]:
    """Return baseline effects, change effects and the change expected from the baseline.

    Each is broadcastable to (facility, indicator). Non-centred.
    """
    prior = data.priors
    dims = {
        "facility": ("facility",),
        "domain": ("facility", "domain"),
        "indicator": ("facility", "indicator"),
    }[level]

    def spread(effects: pt.TensorVariable) -> pt.TensorVariable:
        if level == "facility":
            return effects[:, None]
        return effects[:, data.domain] if level == "domain" else effects

    sd_baseline = _scale(f"sd_baseline_{level}", getattr(prior, f"sd_baseline_{level}"))
    z_baseline = pm.Normal(f"z_baseline_{level}", dims=dims)
    baseline = spread(sd_baseline * z_baseline)
    if data.shape[2] == 1:
        return baseline, pt.zeros((1, 1)), pt.zeros((1, 1))
    sd_change = _scale(f"sd_change_{level}", getattr(prior, f"sd_change_{level}"))
    eta = getattr(prior, f"corr_{level}").eta
    half = pm.Beta(f"corr_{level}_half", eta, eta)
    corr = pm.Deterministic(f"corr_{level}", 2 * half - 1)
    z_change = pm.Normal(f"z_change_{level}", dims=dims)
    expected = sd_change * corr * z_baseline
    change = expected + sd_change * pt.sqrt(1 - corr**2) * z_change
    return baseline, spread(change), spread(expected)


def _scale(name: str, prior: ScalePrior) -> pt.TensorVariable:
    match prior.family:
        case "half_normal":
            return pm.HalfNormal(name, sigma=prior.scale)
        case "half_cauchy":
            return pm.HalfCauchy(name, beta=prior.scale)
        case "half_t":
            return pm.HalfStudentT(name, nu=prior.df, sigma=prior.scale)
        case "exponential":
            return pm.Exponential(name, scale=prior.scale)
        case "inverse_gamma_variance":
            variance = pm.InverseGamma(f"{name}_squared", alpha=prior.shape, beta=prior.scale)
            return pm.Deterministic(name, pt.sqrt(variance))


def _log_likelihood(
    eta: pt.TensorVariable,
    observed: pt.TensorVariable,
    size: pt.TensorVariable,
    data: ModelData,
) -> pt.TensorVariable:
    if data.kind == "scores":
        return -0.5 * (size * (observed - eta) ** 2).sum()
    if data.case_correlation == 0.0:
        return (observed * eta - size * pt.softplus(eta)).sum()
    # The shock takes the share r of a cell's variance, the cell's own error keeps 1 - r.
    grouped = data.case_group >= 0
    r = np.where(grouped, data.case_correlation, 0.0)[None, :, None]
    p = pm.math.sigmoid(eta)
    information = size * p * (1 - p)
    loading = pt.sqrt(r) / (information**2 + 1) ** 0.25
    z = pm.Normal("z_case", dims=("facility", "case_group", "period"))
    shocked = eta + loading * z[:, np.where(grouped, data.case_group, 0), :]
    return ((observed * shocked - size * pt.softplus(shocked)) / (1 - r)).sum()
