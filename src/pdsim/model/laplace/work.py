"""The arrays that the kernels share; the last axis is the lane, one hyperparameter point each."""

from typing import NamedTuple

import numpy as np

from pdsim.model.data import Floats
from pdsim.model.laplace.problem import Problem


class Work(NamedTuple):
    """Arrays for L points at once; B = 2 (D + G) coordinates of a facility.

    Attributes
    ----------
    cov : (3, 4, L)
        g00, g01, g11 and determinant of the covariance in the slots facility, domain, cell.
    eta, shock : (F, K, 2, L), (F, G, 2, L)
        Current latent logits and case shocks.
    curvature, information : (F, K, 2, L)
        W and h of the cells.
    cross, shock_curvature, shock_information : (F, K, 2, L)
        X, Z and h_z; empty without shocks.
    inner : (F, K, 3, L)
        V = (G^-1 + W)^-1 of a cell.
    loading : (F, B, B, L)
        N_i = R_i^-1 Lambda'.
    coupling : (F, B, 2K, L)
        U_i.
    precision : (2K, 2K, L)
        Cholesky factor of Q, lower.
    fixed : (2K, L)
        mu.
    local : (F, B, L)
        rho_i, then the effects of a facility's blocks.
    logdet, objective, step : (L,)
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
    loading: Floats
    coupling: Floats
    precision: Floats
    fixed: Floats
    local: Floats
    logdet: Floats
    objective: Floats
    step: Floats


def allocate(problem: Problem, lanes: int) -> Work:
    """Return arrays for `lanes` points of `problem`."""
    facilities, indicators, _ = problem.observed.shape
    size = 2 * (problem.blocks + problem.groups)
    cells = (facilities, indicators, 2, lanes)
    shocked = cells if problem.groups else (0, 0, 2, lanes)
    fixed = 2 * indicators
    return Work(
        cov=np.zeros((3, 4, lanes)),
        eta=np.zeros(cells),
        shock=np.zeros((facilities, problem.groups, 2, lanes)),
        curvature=np.zeros(cells),
        information=np.zeros(cells),
        cross=np.zeros(shocked),
        shock_curvature=np.zeros(shocked),
        shock_information=np.zeros(shocked),
        inner=np.zeros((facilities, indicators, 3, lanes)),
        loading=np.zeros((facilities, size, size, lanes)),
        coupling=np.zeros((facilities, size, fixed, lanes)),
        precision=np.zeros((fixed, fixed, lanes)),
        fixed=np.zeros((fixed, lanes)),
        local=np.zeros((facilities, size, lanes)),
        logdet=np.zeros(lanes),
        objective=np.zeros(lanes),
        step=np.zeros(lanes),
    )
