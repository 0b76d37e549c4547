"""Linear constraints on weights, as a labelled table; every weight is >= 0 and they sum to 1."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import linprog, nnls

from pdsim.arraytypes import Floats
from pdsim.errors import InputError, Problem

type Terms = Mapping[str, float]


def constraints(
    indicators: Sequence[str],
    *,
    lower: Terms | float | None = None,
    upper: Terms | float | None = None,
    at_most: Sequence[tuple[Terms, float]] = (),
    equal: Sequence[tuple[Terms, float]] = (),
    order: Sequence[str] = (),
) -> xr.Dataset:
    """Write down what is known about the weights.

    Parameters
    ----------
    indicators : sequence of str
    lower, upper : mapping of indicator to float, or one float for all, optional
    at_most : sequence of (terms, bound)
        Sums such as ``({"a": 1.0, "b": -2.0}, 0.0)`` for a - 2 b <= 0.
    equal : sequence of (terms, value)
    order : sequence of str
        Indicators from the most to the least important: w1 >= w2 >= ...

    Returns
    -------
    Dataset
        ``coefficient`` (constraint, indicator) and ``bound`` (constraint), with the coordinate
        ``relation`` ("<=" or "=="): coefficient . w relation bound. That weights are >= 0 and sum
        to 1 always holds and is not in it.

    Raises
    ------
    InputError
        If an indicator is unknown or named twice, or a number is not finite.

    Examples
    --------
    >>> known = constraints(["a", "b", "c"], upper={"a": 0.5}, order=["b", "c"])
    >>> known.coefficient.values.tolist(), known.bound.values.tolist()
    ([[1.0, 0.0, 0.0], [0.0, -1.0, 1.0]], [0.5, 0.0])
    """
    names = [str(name) for name in indicators]
    rows: list[tuple[Terms, float, str]] = []
    for bounds, sign in ((lower, -1.0), (upper, 1.0)):
        if bounds is not None:
            every = bounds if isinstance(bounds, Mapping) else dict.fromkeys(names, bounds)
            rows += [({name: sign}, sign * float(bound), "<=") for name, bound in every.items()]
    rows += [({b: 1.0, a: -1.0}, 0.0, "<=") for a, b in itertools.pairwise(order)]
    rows += [(terms, float(bound), "<=") for terms, bound in at_most]
    rows += [(terms, float(value), "==") for terms, value in equal]
    problems = [
        Problem(indicator=name, rule="is in a constraint but not among the indicators")
        for name in sorted({name for terms, _, _ in rows for name in terms} - set(names))
    ]
    if len(set(names)) < len(names) or not names:
        problems.append(Problem(rule="indicators are named once each, and there is at least one"))
    if len(set(order)) < len(order):
        problems.append(Problem(rule="an indicator occurs twice in the order"))
    if problems:
        raise InputError(problems)
    matrix = np.array([[float(terms.get(name, 0.0)) for name in names] for terms, _, _ in rows])
    bound = np.array([value for _, value, _ in rows])
    if not (np.isfinite(matrix).all() and np.isfinite(bound).all()):
        raise InputError("coefficients and bounds of constraints are finite")
    return xr.Dataset(
        {
            "coefficient": (("constraint", "indicator"), matrix.reshape(len(rows), len(names))),
            "bound": ("constraint", bound),
        },
        coords={
            "indicator": names,
            "relation": ("constraint", np.array([kind for _, _, kind in rows], dtype="U2")),
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Polytope:
    """Weights w with at_most @ w <= bound and equal @ w = value.

    The rows w >= 0 and sum w = 1 are among them.
    """

    at_most: Floats
    bound: Floats
    equal: Floats
    value: Floats

    @property
    def size(self) -> int:
        """Number of indicators."""
        return int(self.at_most.shape[1])


def as_polytope(known: xr.Dataset | None, names: NDArray[np.str_]) -> Polytope:
    """Return constraints with the simplex's own, columns in the order of `names`.

    Raises
    ------
    InputError
        If the indicators do not match, or no weights meet the constraints.
    """
    number = len(names)
    at_most, bound = -np.eye(number), np.zeros(number)
    equal, value = np.ones((1, number)), np.ones(1)
    if known is not None:
        if set(known["indicator"].values.tolist()) != set(names.tolist()):
            raise InputError("the constraints are not on the indicators of the values")
        matrix = known["coefficient"].sel(indicator=names).transpose(..., "indicator").values
        limits = known["bound"].values
        equalities = known["relation"].values == "=="
        at_most = np.vstack((at_most, matrix[~equalities]))
        bound = np.append(bound, limits[~equalities])
        equal = np.vstack((equal, matrix[equalities]))
        value = np.append(value, limits[equalities])
    polytope = Polytope(at_most=at_most, bound=bound, equal=equal, value=value)
    inner_point(polytope)
    return polytope


def inner_point(polytope: Polytope) -> tuple[Floats, NDArray[np.bool_]]:
    """Return a point off all inequalities that can be off, and which cannot.

    One linear programme: with slacks at most 1 and a scale s >= 1, maximising the sum of the
    slacks finds all inequalities that some feasible point meets strictly.

    Raises
    ------
    InputError
        If nothing is feasible.
    """
    rows, number = polytope.at_most.shape
    # variables: s * w, s, slack of each inequality (times s, capped at 1)
    inequality = np.hstack((polytope.at_most, -polytope.bound[:, None], np.eye(rows)))
    equality = np.hstack((polytope.equal, -polytope.value[:, None]))
    equality = np.hstack((equality, np.zeros((len(equality), rows))))
    answer = linprog(
        np.concatenate((np.zeros(number + 1), -np.ones(rows))),
        A_ub=inequality,
        b_ub=np.zeros(rows),
        A_eq=equality,
        b_eq=np.zeros(len(equality)),
        bounds=[(None, None)] * number + [(1.0, None)] + [(0.0, 1.0)] * rows,
    )
    if answer.status != 0 or answer.x is None:
        raise InputError(
            Problem(
                rule="no weights meet all constraints",
                cure="relax one of them; weights are not negative and sum to 1",
            )
        )
    point = answer.x[:number] / answer.x[number]
    return point, answer.x[number + 1 :] < 0.5


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
