"""The arrays that the kernels share; the last axis is the lane, one hyperparameter point each."""

from typing import NamedTuple

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.model.laplace.lanes import LANES
from pdsim.model.laplace.problem import LaplaceProblem


class Work(NamedTuple):
    """Arrays for eight points at once; B = 2 (D + G) coordinates of a facility.

    Attributes
    ----------
    cov : (slot, 4, lane)
        g00, g01, g11 and determinant of the covariance in the slots facility, domain, and the
        cells of each indicator; then those of `hyper.own_slots`.
    eta, shock : (F, K, 2, lane), (F, G, 2, lane)
        Current latent logits and case shocks.
    curvature, information : (F, K, 2, lane)
        W and h of the cells.
    cross, shock_curvature, shock_information : (F, K, 2, lane)
        X, Z and h_z; empty without shocks.
    inner : (F, K, 3, lane)
        V = (G^-1 + W)^-1 of a cell.
    share : (F, K, 7, lane)
        P and Y of a cell; only P without shocks.
    loading, covariance : (F, B, B, lane)
        N_i = R_i^-1 Lambda' and C_i = N_i' N_i.
    coupling : (F, B, 2K, lane)
        Z_i, for the fixed effects of the cells of facility i (`design`).
    precision, pivots : (n, n, lane), (n, lane)
        Cholesky factor of Q, lower, and its inverse diagonal.
    fixed : (n, lane)
        theta.
    effects : (F, B, lane)
        v and z of a facility.
    logdet, objective, step : (lane,)
        log |I + Sigma W|, psi, and the longest move of a logit in the last step.
    new_eta, new_shock : as eta, shock
        Where a step leads.
    """

    cov: Floats
    eta: Floats
    shock: Floats
    curvature: Floats
    information: Floats
    cross: Floats
    shock_curvature: Floats
    shock_information: Floats
    inner: Floats
    share: Floats
    loading: Floats
    covariance: Floats
    coupling: Floats
    precision: Floats
    pivots: Floats
    fixed: Floats
    effects: Floats
    logdet: Floats
    objective: Floats
    step: Floats
    new_eta: Floats
    new_shock: Floats


def allocate(problem: LaplaceProblem, slots: int) -> Work:
    """Return arrays for eight points of `problem`, with so many slots of covariances."""
    facilities, indicators, _ = problem.observed.shape
    size = 2 * (problem.blocks + problem.groups)
    cells = (facilities, indicators, 2, LANES)
    shocked = cells if problem.groups else (0, 0, 2, LANES)
    shocks = (facilities, problem.groups, 2, LANES)
    fixed = problem.prior_mean.size
    return Work(
        cov=np.zeros((slots, 4, LANES)),
        eta=np.zeros(cells),
        shock=np.zeros(shocks),
        curvature=np.zeros(cells),
        information=np.zeros(cells),
        cross=np.zeros(shocked),
        shock_curvature=np.zeros(shocked),
        shock_information=np.zeros(shocked),
        inner=np.zeros((facilities, indicators, 3, LANES)),
        share=np.zeros((facilities, indicators, 7 if problem.groups else 3, LANES)),
        loading=np.zeros((facilities, size, size, LANES)),
        covariance=np.zeros((facilities, size, size, LANES)),
        coupling=np.zeros((facilities, size, 2 * indicators, LANES)),
        precision=np.zeros((fixed, fixed, LANES)),
        pivots=np.zeros((fixed, LANES)),
        fixed=np.zeros((fixed, LANES)),
        effects=np.zeros((facilities, size, LANES)),
        logdet=np.zeros(LANES),
        objective=np.zeros(LANES),
        step=np.zeros(LANES),
        new_eta=np.zeros(cells),
        new_shock=np.zeros(shocks),
    )
