"""A study as the kernels see it: two periods, an innermost level, and a Gaussian prior."""

from typing import NamedTuple

import numpy as np

from pdsim.arraytypes import Floats, Ints
from pdsim.model.data import ModelData
from pdsim.model.laplace.hyper import own_slots
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
    offset : ndarray (F, K, 2)
        What the case mix of a cell adds to its logit; 0 without one.
    gaussian : bool
        Normal means with known precision in place of binomial counts.
    column : ndarray (F,)
        Where the fixed effects of the facility's arm begin: 2K times its number.
    slot : ndarray (F,)
        Slot of the covariance of the facility's effects as a whole, see `hyper.own_slots`.
    covariates : ndarray (F, C)
        Standardised.
    prior_precision : ndarray (n, n)
        Of the fixed effects, n = 2 (A K + C) with A arms: (alpha_k, alpha_k + beta_k) of the first
        arm in the order k, period, then those of the second, then (g, g + h) of the covariates.
    prior_mean, prior_information : ndarray (n,)
        The mean, 0 for covariates, and the precision times the mean.
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
    offset: Floats
    gaussian: bool
    column: Ints
    slot: Ints
    covariates: Floats
    prior_precision: Floats
    prior_mean: Floats
    prior_information: Floats
    prior_logdet: float


def build_problem(data: ModelData) -> LaplaceProblem:
    """Return the kernels' arrays of `data`.

    Raises
    ------
    ValueError
        If errors of a facility correlate: the kernels know one error for each cell.
    """
    if data.error_correlation is not None:
        raise ValueError("the fast engine takes errors of scores as independent; fit with NUTS")
    _, indicators, periods = data.shape
    separate = "domain" in data.levels
    group = data.case_group if data.shocked else np.full(indicators, -1)
    covariance, mean = _fixed_effects(data)
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
        offset=two_periods(data.case_mix, periods),
        gaussian=data.kind == "scores",
        column=2 * indicators * data.arm_codes.astype(np.int64),
        slot=own_slots(data).astype(np.int64),
        covariates=_own(data.covariate_values),
        prior_precision=precision,
        prior_mean=mean,
        prior_information=precision @ mean,
        prior_logdet=float(np.linalg.slogdet(covariance)[1]),
    )


def two_periods(values: Floats, periods: int) -> Floats:
    """Return the array with a second, empty period where there is only one."""
    if periods == 1:
        values = np.concatenate([values, np.zeros_like(values)], axis=-1)
    return _own(values)


def _repeated(values: Floats) -> Floats:
    """Return the array with two periods that are alike where there is only one."""
    return _own(np.broadcast_to(values, (*values.shape[:2], 2)))


def _own(values: Floats) -> Floats:
    """Return a copy that may be written.

    A read-only array is another type to numba, which would compile the engine once more.
    """
    return np.array(values, dtype=np.float64, order="C")


def _fixed_effects(data: ModelData) -> tuple[Floats, Floats]:
    """Return covariance and mean of the fixed effects, with the means of priors marginalised."""
    prior, arms, indicators = data.priors, data.arms, data.shape[1]

    def covariance(prior: MeanPrior) -> Floats:
        return prior.sd**2 * np.eye(indicators) + prior.mean_sd**2

    base, change = covariance(prior.alpha), covariance(prior.beta)
    # over (arm, indicator, period) twice
    joint = np.empty((arms, indicators, 2, arms, indicators, 2))
    mean = np.empty((arms, indicators, 2))
    joint[:] = base[None, :, None, None, :, None]
    joint[:, :, 1, :, :, 1] = (base + change)[None, :, None, :]
    mean[:] = prior.alpha.mean, prior.alpha.mean + prior.beta.mean
    if arms == 2:
        joint[1, :, :, 1] += covariance(prior.imbalance)[:, None, :, None]
        joint[1, :, 1, 1, :, 1] += covariance(prior.arm_effect)
        mean[1] += prior.imbalance.mean, prior.imbalance.mean + prior.arm_effect.mean
    first, covariates = mean.size, data.covariate_values.shape[1]
    size = first + 2 * covariates
    whole = np.zeros((size, size))
    whole[:first, :first] = joint.reshape(first, first)
    level, shift = prior.covariate_level.sd**2, prior.covariate_change.sd**2
    pair = [[level, level], [level, level + shift]]
    whole[first:, first:] = np.kron(np.eye(covariates), pair)
    return whole, np.concatenate([mean.reshape(first), np.zeros(2 * covariates)])


def fixed_effects(data: ModelData, theta: Floats) -> dict[str, Floats]:
    """Return the draws of the fixed effects (draw, n) by their names in the posterior."""
    indicators, both = data.shape[1], data.shape[2] == 2
    size = 2 * indicators * data.arms
    arms = theta[:, :size].reshape(len(theta), data.arms, indicators, 2)
    found = {"alpha": arms[:, 0, :, 0]}
    change = arms[..., 1] - arms[..., 0]
    if both:
        found["beta"] = change[:, 0]
    if data.arms == 2:
        found["imbalance"] = arms[:, 1, :, 0] - arms[:, 0, :, 0]
        found["arm_effect"] = change[:, 1] - change[:, 0]
    if theta.shape[1] > size:
        found["covariate_level"] = theta[:, size::2]
        if both:
            found["covariate_change"] = theta[:, size + 1 :: 2] - theta[:, size::2]
    return {name: np.ascontiguousarray(values) for name, values in found.items()}
