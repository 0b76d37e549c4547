"""A study as the kernels see it: two periods, an innermost level, and a Gaussian prior."""

from typing import NamedTuple

import numpy as np

from pdsim.arraytypes import Floats, Ints
from pdsim.model.data import ModelData
from pdsim.priors import MeanPrior


class LaplaceProblem(NamedTuple):
    """Arrays of one study; F facilities, K indicators, D domain blocks, G case groups.

    One period is two periods of which the endline is missing in every cell. The innermost
    level present stands in the slot of the cells, those above it are blocks of a facility;
    a level that is not there has a covariance of zero.

    Attributes
    ----------
    observed, size : ndarray (F, K, 2)
        As in ModelData.
    domain : ndarray (K,)
        Block of each indicator, 0..D-1.
    group : ndarray (K,)
        Case group of each indicator, or -1.
    blocks, groups : int
        D and G.
    correlation : ndarray (F, K, 2)
        Case correlation r, as a share of the error that a cell has with its design effect.
    visits : ndarray (F, K, 2)
        Variance on the logit that visits add to the shock.
    gaussian : bool
        Normal means with known precision in place of binomial counts.
    prior_precision : ndarray (2K, 2K)
        Of the fixed effects mu_k = (alpha_k, alpha_k + beta_k), in the order k, period.
    prior_mean, prior_information : ndarray (2K,)
        The mean, and the precision times the mean.
    prior_logdet : float
        log |prior covariance|.
    """

    observed: Floats
    size: Floats
    domain: Ints
    group: Ints
    blocks: int
    groups: int
    correlation: Floats
    visits: Floats
    gaussian: bool
    prior_precision: Floats
    prior_mean: Floats
    prior_information: Floats
    prior_logdet: float


def build_problem(data: ModelData) -> LaplaceProblem:
    """Return the kernels' arrays of `data`."""
    _, indicators, periods = data.shape
    separate = "domain" in data.levels
    group = data.case_group if data.shocked else np.full(indicators, -1)
    covariance, mean = _fixed_effects(data.priors.alpha, data.priors.beta, indicators)
    precision = np.linalg.inv(covariance)
    return LaplaceProblem(
        observed=two_periods(data.observed, periods),
        size=two_periods(data.size, periods),
        domain=data.domain.astype(np.int64) if separate else np.zeros(indicators, np.int64),
        group=group.astype(np.int64),
        blocks=data.domains if separate else 1,
        groups=int(group.max()) + 1,
        correlation=_repeated(data.cell_correlation),
        visits=_repeated(data.visit_variance),
        gaussian=data.kind == "scores",
        prior_precision=precision,
        prior_mean=mean,
        prior_information=precision @ mean,
        prior_logdet=float(np.linalg.slogdet(covariance)[1]),
    )


def two_periods(values: Floats, periods: int) -> Floats:
    """Return the array with a second, empty period where there is only one."""
    if periods == 2:
        return np.ascontiguousarray(values, dtype=np.float64)
    return np.concatenate([values, np.zeros_like(values)], axis=-1)


def _repeated(values: Floats) -> Floats:
    """Return the array with two periods that are alike where there is only one."""
    return np.ascontiguousarray(np.broadcast_to(values, (*values.shape[:2], 2)), dtype=np.float64)


def _fixed_effects(alpha: MeanPrior, beta: MeanPrior, indicators: int) -> tuple[Floats, Floats]:
    """Return covariance and mean of mu, with the means of alpha and beta marginalised."""

    def covariance(prior: MeanPrior) -> Floats:
        return prior.sd**2 * np.eye(indicators) + prior.mean_sd**2

    base, change = covariance(alpha), covariance(beta)
    joint = np.empty((indicators, 2, indicators, 2))
    joint[:, 0, :, 0] = joint[:, 0, :, 1] = joint[:, 1, :, 0] = base
    joint[:, 1, :, 1] = base + change
    size = 2 * indicators
    mean = np.tile([alpha.mean, alpha.mean + beta.mean], indicators)
    return joint.reshape(size, size), mean.astype(np.float64)
