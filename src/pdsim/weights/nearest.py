"""The nearest weights within a polytope and beyond some half-spaces, in three norms."""

import numpy as np
from scipy.optimize import linprog, nnls

from pdsim.arraytypes import Floats
from pdsim.weights.constraints import Polytope

_NOWHERE = 1e-9


def nearest(nominal: Floats, beyond: Floats, space: Polytope, norm: str) -> tuple[float, Floats]:
    """Return distance and place of the nearest weights with beyond @ w <= 0.

    Parameters
    ----------
    nominal : ndarray (indicator,)
        Must meet the equalities of the space.
    beyond : ndarray (row, indicator)
    space : Polytope
    norm : {"l1", "l2", "linf"}

    Returns
    -------
    float, ndarray (indicator,)
        Infinity and NaN if there are none.

    References
    ----------
    For L2, the least distance programme of Lawson and Hanson (1974), doi 10.1137/1.9781611971217.
    """
    length = np.maximum(np.linalg.norm(beyond, axis=1, keepdims=True), 1e-300)
    rows = np.vstack((beyond / length, space.at_most))
    limit = np.concatenate((np.zeros(len(beyond)), space.bound))
    if norm == "l2":
        return _least_distance(nominal, rows, limit, space.equal)
    number = len(nominal)
    eye = np.eye(number)
    if norm == "l1":
        # w = nominal + up - down
        cost = np.ones(2 * number)
        matrix = np.hstack((rows, -rows))
        bound = limit - rows @ nominal
        equal = np.hstack((space.equal, -space.equal))
        turn = np.hstack((eye, -eye))
    else:
        # w = nominal + u, |u| <= t, t the last variable; u free
        cost = np.append(np.zeros(number), 1.0)
        ones = np.ones((number, 1))
        matrix = np.vstack(
            (
                np.hstack((rows, np.zeros((len(rows), 1)))),
                np.hstack((eye, -ones)),
                np.hstack((-eye, -ones)),
            )
        )
        bound = np.concatenate((limit - rows @ nominal, np.zeros(2 * number)))
        equal = np.hstack((space.equal, np.zeros((len(space.equal), 1))))
        turn = np.hstack((eye, np.zeros((number, 1))))
    answer = linprog(
        cost,
        A_ub=matrix,
        b_ub=bound,
        A_eq=equal,
        b_eq=space.value - space.equal @ nominal,
        bounds=(0, None) if norm == "l1" else [(None, None)] * number + [(0, None)],
    )
    if answer.status != 0 or answer.x is None:
        return np.inf, np.full(number, np.nan)
    return float(cost @ answer.x), nominal + turn @ answer.x


def _least_distance(
    nominal: Floats, rows: Floats, limit: Floats, equal: Floats
) -> tuple[float, Floats]:
    _, singular, turned = np.linalg.svd(equal)
    axes = turned[int(np.sum(singular > _NOWHERE * singular[0])) :].T
    need = rows @ nominal - limit
    if (need <= 0).all():
        return 0.0, nominal.copy()
    system = np.vstack((-(rows @ axes).T, need))
    target = np.append(np.zeros(axes.shape[1]), 1.0)
    answer, _ = nnls(system, target)
    residual = system @ answer - target
    if -residual[-1] < _NOWHERE:
        return np.inf, np.full(len(nominal), np.nan)
    step = -residual[:-1] / residual[-1]
    return float(np.linalg.norm(step)), nominal + axes @ step
