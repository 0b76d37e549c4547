"""Dense-matrix Laplace approximation of a ModelData: slow, plain, and independent of the engine.

The latent vector is x = (whitened fixed effects, effects of each level, shocks), standard normal;
(eta, z) = offset + A x is linear in it, so mode, Hessian and determinant are those of ordinary
matrices. Derivatives of a cell's likelihood are taken by differences of its value.
"""

import numpy as np
import pytest
from scipy.special import expit

from pdsim.model.data import ModelData
from pdsim.model.laplace.hyper import hyper_slices

STEP = 1e-3


def named(data: ModelData, values: np.ndarray) -> dict[str, np.ndarray]:
    """Return hyperparameters (H,) by name."""
    return {name: values[part] for name, part in hyper_slices(data).items()}


def change_of(data: ModelData, values: dict[str, np.ndarray], level: str, i: int) -> np.ndarray:
    """Return the standard deviation of change at the level, () or (K,), of facility i."""
    found = np.asarray(values.get(f"sd_change_{level}", 0.0))
    if level == "facility" and data.priors.change_spread == "by_arm" and found.size == 2:
        return found[data.arm[i]]
    return found


def design(data: ModelData, values: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return A and the offset of (eta, z): rows (F*K*T eta, then F*G*T shocks)."""
    facilities, indicators, periods = data.shape
    groups = int(data.case_group.max()) + 1 if data.shocked else 0
    cells, shocks = facilities * indicators * periods, facilities * groups * periods
    cell = np.arange(cells).reshape(data.shape)
    blocks, offset = [], np.zeros(cells + shocks)
    prior, one = data.priors, np.ones(facilities)
    arm = np.zeros(facilities) if data.arm is None else data.arm
    for fixed, first in ((prior.alpha, 0), (prior.beta, 1)):
        for part, share in (
            (fixed, one),
            (prior.arm_effect if first else prior.imbalance, arm),
        ):
            if first == periods or not share.any():
                continue
            covariance = part.sd**2 * np.eye(indicators) + part.mean_sd**2
            root = np.linalg.cholesky(covariance)
            block = np.zeros((cells + shocks, indicators))
            for i, k in np.ndindex(facilities, indicators):
                block[cell[i, k, first:]] = share[i] * root[k]
                offset[cell[i, k, first:]] += share[i] * part.mean
            blocks.append(block)
        if data.covariates is not None and first < periods:
            slope = prior.covariate_change if first else prior.covariate_level
            block = np.zeros((cells + shocks, data.covariates.shape[1]))
            for i in range(facilities):
                block[cell[i, :, first:].ravel()] = slope.sd * data.covariates[i]
            blocks.append(block)
    for level in data.levels:
        s, rho = (
            np.broadcast_to(values.get(f"{stem}_{level}", 0.0), indicators)
            for stem in ("sd_baseline", "corr")
        )
        unit = {
            "facility": np.zeros(indicators, int),
            "domain": data.domain,
            "indicator": np.arange(indicators),
        }[level]
        factor = values.get("factor_facility") if level == "facility" else None
        factor = np.ones(facilities) if factor is None else factor
        count = int(unit.max()) + 1
        block = np.zeros((cells + shocks, facilities * count * 2))
        for i in range(facilities):
            t = np.broadcast_to(change_of(data, values, level, i), indicators)
            # the loadings of two standard normals: baseline, and what is left of the change
            loads = np.array([[s, 0 * s], [s + rho * t, t * np.sqrt(1 - rho**2)]])[:periods]
            for k in range(indicators):
                at = 2 * (i * count + unit[k])
                block[cell[i, k], at : at + 2] = factor[i] * loads[..., k]
        blocks.append(block)
    if shocks:
        block = np.zeros((cells + shocks, shocks))
        block[cells:] = np.eye(shocks)
        blocks.append(block)
    return np.concatenate(blocks, axis=1), offset


def cell_log_likelihood(data: ModelData, eta: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return the log likelihood of every cell; eta (F, K, T), z the cell's own shock."""
    y, n = data.observed, data.size
    if data.kind == "scores":
        return -0.5 * n * (y - eta) ** 2
    r = np.where(data.case_group >= 0, data.case_correlation, 0.0)[None, :, None]
    visits = 0.0
    if data.visits is not None:
        r, visits = r / data.visits.inflation, data.visits.variance
    eta = eta + data.case_mix
    p = expit(eta)
    share = r / np.maximum(n, 1)
    variance = np.log1p(share / (1 - share) ** 4 / (p * (1 - p))) + visits
    theta = eta + np.sqrt(variance) * z - 0.5 * variance * (1 - 2 * p)
    return (y * theta - n * np.logaddexp(0.0, theta)) * (1 - share) / (1 - r)


def derivatives(data: ModelData, eta: np.ndarray, z: np.ndarray) -> dict[str, np.ndarray]:
    """Return the derivatives of every cell's log likelihood to the third order."""
    h = STEP
    f = {
        (a, b): cell_log_likelihood(data, eta + a * h, z + b * h)
        for a in range(-2, 3)
        for b in range(-2, 3)
    }

    def along(order: int, g: list[np.ndarray]) -> np.ndarray:
        if order == 0:
            return g[2]
        if order == 1:
            return (g[0] - 8 * g[1] + 8 * g[3] - g[4]) / (12 * h)
        if order == 2:
            return (-g[0] + 16 * g[1] - 30 * g[2] + 16 * g[3] - g[4]) / (12 * h**2)
        return (-g[0] + 2 * g[1] - 2 * g[3] + g[4]) / (2 * h**3)

    def mixed(a: int, b: int) -> np.ndarray:
        return along(a, [along(b, [f[i, j] for j in range(-2, 3)]) for i in range(-2, 3)])

    orders = [(a, b) for a in range(4) for b in range(4 - a)]
    return {"e" * a + "z" * b: mixed(a, b) for a, b in orders}


def laplace(
    data: ModelData, values: dict[str, np.ndarray], steps: int = 200
) -> dict[str, np.ndarray]:
    """Return psi (value), mode and mean of eta, and its variance, by dense matrices."""
    a, offset = design(data, values)
    cells = data.observed.size
    groups = (a.shape[0] - cells) // (data.shape[0] * data.shape[2])
    shape = data.shape
    index = np.zeros((a.shape[0] - cells, cells))  # which shock a cell has
    numbers = np.arange(a.shape[0] - cells).reshape(shape[0], groups, shape[2])
    for c, (i, k, t) in enumerate(np.ndindex(*shape)):
        if groups and data.case_group[k] >= 0:
            index[numbers[i, data.case_group[k], t], c] = 1.0

    def split(point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        latent = offset + a @ point
        return latent[:cells].reshape(shape), (index.T @ latent[cells:]).reshape(shape)

    def objective(point: np.ndarray) -> float:
        return float(cell_log_likelihood(data, *split(point)).sum() - 0.5 * point @ point)

    x = np.zeros(a.shape[1])
    for _ in range(steps):
        d = derivatives(data, *split(x))
        gradient, hessian = _assemble(a, index, d, cells)
        step = np.linalg.solve(np.eye(x.size) + hessian, gradient - x)
        share = 1.0
        while share > 1e-6 and objective(x + share * step) < objective(x) - 1e-9:
            share /= 2
        x = x + share * step
        if np.max(np.abs(step)) < 1e-9:
            break
    d = derivatives(data, *split(x))
    _, hessian = _assemble(a, index, d, cells)
    precision = np.eye(x.size) + hessian
    covariance = np.linalg.inv(precision)
    full = a @ covariance @ a.T
    var = np.diag(full)[:cells].reshape(shape)
    eta, z = split(x)
    cov = np.einsum("cs,sc->c", full[:cells, cells:], index).reshape(shape)
    own = (index.T @ np.diag(full)[cells:]).reshape(shape)
    weak = {"var": var, "cov": cov, "own": own}
    pull = 0.5 * (d["eee"] * var + 2 * d["eez"] * cov + d["ezz"] * own)
    pull_z = 0.5 * (d["eez"] * var + 2 * d["ezz"] * cov + d["zzz"] * own)
    force = a.T @ np.concatenate([pull.ravel(), index @ pull_z.ravel()])
    shift = (a @ covariance @ force)[:cells].reshape(shape)
    alone = pull**2 * var + 2 * pull * pull_z * cov + pull_z**2 * own
    correction = 0.5 * (force @ covariance @ force - alone.sum())
    residual = np.concatenate([d["e"].ravel(), index @ d["z"].ravel()])
    bend = np.concatenate([pull.ravel(), index @ pull_z.ravel()])
    curvature = np.block(
        [
            [np.diag(-d["ee"].ravel()), -d["ez"].ravel()[:, None] * index.T],
            [-index * d["ez"].ravel(), np.diag(-(index @ d["zz"].ravel()))],
        ]
    )
    left = bend - curvature @ full @ bend
    added = curvature - curvature @ full @ curvature
    pairs = np.outer(left, residual)
    return {
        # tr(slopes dS) is the change of the value with the prior covariance S of (eta, z)
        "slopes": 0.5 * (np.outer(residual, residual) - added + pairs + pairs.T),
        "correction": np.array(correction + cell_evidence(data, eta, z, d, weak)),
        "value": np.array(objective(x) - 0.5 * np.linalg.slogdet(precision)[1]),
        "mode": eta,
        "mean": eta + shift,
        "variance": var,
        "covariance": full[:cells, :cells],
    }


def cell_evidence(data, eta, z, d, weak, nodes: int = 25) -> float:
    """Return the sum over cells of log E exp(eps), by a fine rule."""
    points, masses = np.polynomial.hermite_e.hermegauss(nodes)
    masses = masses / masses.sum()
    sd = np.sqrt(weak["var"])
    tilt = weak["cov"] / sd
    rest = np.sqrt(np.maximum(weak["own"] - tilt**2, 0.0))
    start = cell_log_likelihood(data, eta, z)
    total = np.zeros(data.shape)
    for first, mass in zip(points, masses, strict=True):
        for second, other in zip(points, masses, strict=True):
            move, turn = sd * first, tilt * first + rest * second
            straight = d["e"] * move + d["z"] * turn
            bent = d["ee"] * move**2 + 2 * d["ez"] * move * turn + d["zz"] * turn**2
            eps = cell_log_likelihood(data, eta + move, z + turn) - start - straight - 0.5 * bent
            total += mass * other * np.exp(eps)
    return float(np.log(total).sum())


def _assemble(
    a: np.ndarray, index: np.ndarray, d: dict[str, np.ndarray], cells: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return gradient and negative Hessian of the log likelihood in x."""
    gradient = a.T @ np.concatenate([d["e"].ravel(), index @ d["z"].ravel()])
    top = -(a[:cells] * d["ee"].ravel()[:, None])
    top -= d["ez"].ravel()[:, None] * (index.T @ a[cells:])
    bottom = -(index @ (d["ez"].ravel()[:, None] * a[:cells]))
    bottom -= (index @ d["zz"].ravel())[:, None] * a[cells:]
    return gradient, a.T @ np.concatenate([top, bottom])


def gradient(data: ModelData, values: np.ndarray) -> np.ndarray:
    """Return the slopes of the value in the hyperparameters (H,)."""
    slopes = laplace(data, named(data, values))["slopes"]

    def covariance(at: np.ndarray) -> np.ndarray:
        a, _ = design(data, named(data, at))
        return a @ a.T

    steps = 1e-4 * np.eye(values.size)  # the covariance is of second order in each
    return np.array(
        [np.sum(slopes * (covariance(values + h) - covariance(values - h))) / 2e-4 for h in steps]
    )


@pytest.fixture
def by_name():
    """Return a maker of dicts: (data, hyperparameters (H,)) -> by name."""
    return named


@pytest.fixture
def dense_gradient():
    """Return the oracle's gradient: (data, hyperparameters (H,)) -> (H,)."""
    return gradient


@pytest.fixture
def dense_laplace():
    """Return the oracle: (data, hyperparameters by name) -> dict of arrays."""
    return laplace


@pytest.fixture
def change_spread_of():
    """Return what gives (data, hyperparameters by name, level, facility) its SD of change."""
    return change_of


@pytest.fixture
def dense_design():
    """Return the oracle's design: (data, hyperparameters by name) -> (A, offset)."""
    return design
