r"""Closed forms: the probability of choosing rightly among independent normal estimates.

With standard errors equal and the t best facilities ahead of the k - t others by a lead of h
standard errors (the least favourable arrangement; Bechhofer 1954, doi 10.1214/aoms/1177728845),

.. math:: P(h) = \int (k-t)\,\Phi(y)^{k-t-1}\,\varphi(y)\,[1-\Phi(y-h)]^t\,dy .
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_ndtr

from pdsim.arraytypes import Floats
from pdsim.errors import InputError

_REACH = 9.0
_STEP = 0.02
_LEAD_MAX = 40.0
_ROOT_2PI = np.sqrt(2 * np.pi)


def pcs_lead(lead: float, *, facilities: int, m: int, both: bool = False) -> float:
    """Return P(the m best are the m chosen) at a lead of `lead` standard errors.

    Parameters
    ----------
    lead : float
        Distance between the m best and the others, in standard errors of one estimate.
    facilities, m : int
    both : bool
        Also ask that the m worst, which lag by the same distance, are the m lowest.

    Raises
    ------
    InputError
        Unless 0 < m < facilities (2 m <= facilities for `both`) and the lead is not negative.

    Examples
    --------
    >>> round(pcs_lead(2.0, facilities=10, m=3), 6)
    0.431112
    """
    ends = 2 if both else 1
    if not (0 < m < facilities and ends * m <= facilities and lead >= 0):
        raise InputError(
            f"need a lead from 0 and 0 < {ends} m <= facilities, got lead {lead}, m = {m}, "
            f"facilities = {facilities}"
        )
    if not both:
        means = np.where(np.arange(facilities) < m, float(lead), 0.0)
        return pcs_means(means, np.ones(facilities), m=m)
    middle = facilities - 2 * m
    if middle == 0:
        return pcs_lead(2 * lead, facilities=facilities, m=m)
    return _both_ends(lead, middle, m)


def required_lead(probability: float, *, facilities: int, m: int, both: bool = False) -> float:
    """Return the lead, in standard errors, at which `pcs_lead` reaches a probability.

    Parameters
    ----------
    probability : float
        Above what chance alone gives, below 1.
    facilities, m : int
    both : bool

    Raises
    ------
    InputError
        If chance alone gives as much, or the probability is 1 or more.

    Examples
    --------
    >>> lead = required_lead(0.95, facilities=10, m=3)
    >>> round(lead, 4), int(np.ceil((lead / 0.5) ** 2))  # trials at a lead of half a unit SD
    (3.8541, 60)
    """
    chance = pcs_lead(0.0, facilities=facilities, m=m, both=both)
    if not chance < probability < 1:
        raise InputError(
            f"the probability must lie between chance ({chance:.4g}) and 1, got {probability}"
        )

    from scipy.optimize import brentq  # slow to import, and plans seldom need it

    def excess(lead: float) -> float:
        return pcs_lead(lead, facilities=facilities, m=m, both=both) - probability

    return float(brentq(excess, 0.0, _LEAD_MAX, xtol=1e-10))


def pcs_means(means: ArrayLike, se: ArrayLike, *, m: int) -> float:
    """Return P(the m largest estimates are those of the m largest means), by quadrature.

    Parameters
    ----------
    means, se : array_like (facility,)
        True values, and standard errors of their independent normal estimates.
    m : int

    Returns
    -------
    float
        Integral over the largest estimate of the others of its density times the probability
        that all of the m best lie above it.

    Examples
    --------
    >>> round(pcs_means([1.0, 0.0], [1.0, 1.0], m=1), 4)
    0.7602
    """
    mean, error = np.asarray(means, dtype=float), np.asarray(se, dtype=float)
    order = np.argsort(-mean, kind="stable")
    best, rest = order[:m], order[m:]
    y = _grid(mean, error)
    # log scale: products of many small probabilities underflow
    above = log_ndtr((mean[best, None] - y) / error[best, None]).sum(axis=0)
    standard = (y - mean[rest, None]) / error[rest, None]
    below = log_ndtr(standard)
    log_density = -0.5 * standard**2 - np.log(error[rest, None] * _ROOT_2PI)
    largest = np.exp(log_density + below.sum(axis=0) - below).sum(axis=0)
    return float(min(1.0, np.sum(largest * np.exp(above)) * (y[1] - y[0])))


def best_cases_per_visit(per_visit: float, per_case: float, correlation: float) -> float:
    """Return how many cases of a visit give the most precision for the money.

    With V visits of b cases each, the variance of a mean is ``(r + (1 - r) / b) / V`` and the cost
    ``V (per_visit + b per_case)``; their product is smallest at
    ``sqrt(per_visit / per_case (1 - r) / r)`` (Cochran 1977, Sampling Techniques, section 10.6).

    Parameters
    ----------
    per_visit, per_case : float
        Costs.
    correlation : float
        r, of two cases of one visit; infinite where the cases of a visit are independent.

    Examples
    --------
    >>> round(best_cases_per_visit(300, 20, 0.1), 2)
    11.62
    """
    if correlation == 0:
        return np.inf
    return float(np.sqrt(per_visit / per_case * (1 - correlation) / correlation))


def _grid(mean: Floats, error: Floats) -> Floats:
    """Return the points of the trapezoid rule, which converges geometrically here."""
    low, high = (mean - _REACH * error).min(), (mean + _REACH * error).max()
    points = int(np.ceil((high - low) / (10 * _STEP * error.min()))) + 1
    return np.linspace(low, high, max(points, 200))


def _both_ends(lead: float, middle: int, m: int) -> float:
    """Integrate over the smallest and the largest estimate of the facilities in the middle."""
    y = np.arange(-_REACH, _REACH + _STEP, 2 * _STEP)
    density = np.exp(-0.5 * y**2) / _ROOT_2PI
    cumulative = np.exp(log_ndtr(y))
    top = np.exp(m * log_ndtr(lead - y))
    bottom = np.exp(m * log_ndtr(y + lead))
    step = y[1] - y[0]
    if middle == 1:
        return float(np.sum(density * top * bottom) * step)
    # rows: smallest, columns: largest
    between = np.maximum(cumulative[None, :] - cumulative[:, None], 0.0)
    weight = middle * (middle - 1) * between ** (middle - 2) if middle > 2 else 2.0 * (between > 0)
    joint = np.outer(density * bottom, density * top) * weight
    if middle == 2:
        # the diagonal is half inside the triangle
        np.fill_diagonal(joint, np.diag(np.outer(density * bottom, density * top)))
    return float(joint.sum() * step**2)
