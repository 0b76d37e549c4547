"""What the cases of one visit have in common, estimated from cases."""

from dataclasses import dataclass

import numpy as np

from pdsim.arraytypes import Bools, Floats, Ints
from pdsim.conventions import CI_PROB


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustering:
    """What the cases of one visit (a day, a team, an observer) have in common.

    Attributes
    ----------
    correlation : float
        Of two cases of one visit on one indicator, beyond what the shift of the visit does.
    correlation_limits : tuple of float
        95 % jackknife limits over facilities.
    shift_sd : float or None
        Standard deviation of the shift, in logits, that a visit gives to all indicators of its
        cases; None where no two indicators share cases.
    shift_limits : tuple of float or None
        Its limits.
    """

    correlation: float
    correlation_limits: tuple[float, float]
    shift_sd: float | None = None
    shift_limits: tuple[float, float] | None = None


def estimate_clustering(
    scores: Floats, facility: Ints, period: Ints, visit: Ints, pairs: Bools
) -> Clustering | None:
    """Estimate the two errors of a visit by moments between and within visits.

    In a facility and period with cases n_v of visits v, the between-visit cross products of
    indicators k and l less (V - 1) times their covariance within visits have the expectation
    (n - sum n_v^2 / n) c_kl, c_kl being the covariance of two cases of one visit [1]_. That is
    tau^2 g_k g_l for two indicators, g = pq, and tau^2 g_k^2 + rho g_k for one: tau is the shift
    of the visit in logits, rho what it does to one indicator alone. Both are ratios of sums over
    facilities, periods and indicators; tau^2, which is of first order, is turned into the variance
    of the fitted shock as in `pdsim.model.laplace.likelihood`. The limits are those of a jackknife
    over facilities with Student's t [2]_.

    Parameters
    ----------
    scores : ndarray (cases, K)
        1 met, 0 not met, NaN not scored.
    facility, period, visit : ndarray of int (cases,)
        Codes from 0 on; a visit is one of its facility and period.
    pairs : ndarray of bool (K, K)
        Which two indicators are scored on the same cases.

    Returns
    -------
    Clustering or None
        None where the cases do not tell: no facility has two visits in a period and one of them
        with two cases, or nothing varies.

    References
    ----------
    .. [1] Searle SR, Casella G, McCulloch CE (1992), Variance Components, section 3.6,
       doi:10.1002/9780470316856
    .. [2] Miller RG (1974), The jackknife: a review, doi:10.1093/biomet/61.1.1

    Examples
    --------
    >>> met = np.repeat([[1.0], [0.0], [1.0], [0.0]], 10, axis=0)
    >>> codes = np.repeat([0, 0, 1, 1], 10)
    >>> found = estimate_clustering(
    ...     met, codes, np.zeros(40, dtype=int), np.repeat([0, 1, 2, 3], 10), np.eye(1) > 1
    ... )
    >>> found.correlation  # the most that is taken
    0.9
    """
    from scipy.special import stdtrit

    facilities = int(facility.max()) + 1
    sums = np.zeros((facilities, 5))
    order = np.lexsort((visit, period, facility))
    key = np.stack([facility[order], period[order]])
    starts = np.flatnonzero(np.r_[True, (np.diff(key, axis=1) != 0).any(axis=0)])
    for start, stop in zip(starts, [*starts[1:], len(order)], strict=True):
        rows = order[start:stop]
        sums[facility[rows[0]]] += _block(scores[rows], visit[rows], np.triu(pairs, 1))
    found = _estimates(sums.sum(axis=0))
    if not np.isfinite(found[0]):
        return None
    without = np.array([_estimates(sums.sum(axis=0) - one) for one in sums])
    spread = np.sqrt((facilities - 1) / facilities * ((without - without.mean(0)) ** 2).sum(0))
    reach = spread * (stdtrit(facilities - 1, (1 + CI_PROB) / 2) if facilities > 1 else np.nan)
    low, high = found - reach, found + reach
    if not np.isfinite([low[0], high[0]]).all():
        return None
    shift = None if not np.isfinite([found[1], low[1]]).all() else _sd(found[1])
    return Clustering(
        correlation=float(np.clip(found[0], 0.0, 0.9)),
        correlation_limits=(float(np.clip(low[0], 0, 0.9)), float(np.clip(high[0], 0, 0.9))),
        shift_sd=shift,
        shift_limits=None if shift is None else (_sd(low[1]), _sd(high[1])),
    )


def _sd(variance: float) -> float:
    return float(np.sqrt(max(variance, 0.0)))


def _block(scores: Floats, visit: Ints, upper: Bools) -> Floats:
    """Return the sums of one facility and period.

    Excess and weight of one indicator, the weight of a shift in it, excess and weight of two,
    in this order: (5,).
    """
    order = np.argsort(visit, kind="stable")
    block = scores[order]
    scored = (~np.isnan(block)).astype(np.float64)
    met = np.where(scored > 0, block, 0.0)
    starts = np.flatnonzero(np.r_[True, np.diff(visit[order]) != 0])
    # of every visit (V, K, K): cases that both share, met of one and of both among them
    cases, ones, both = (
        np.add.reduceat(a[:, :, None] * b[:, None, :], starts, axis=0)
        for a, b in ((scored, scored), (met, scored), (met, met))
    )
    number, all_cases, all_ones = (cases > 0).sum(axis=0), cases.sum(axis=0), ones.sum(axis=0)
    centre = ones * ones.transpose(0, 2, 1) / np.maximum(cases, 1.0)
    within = (both - centre).sum(axis=0)
    between = centre.sum(axis=0) - all_ones * all_ones.T / np.maximum(all_cases, 1.0)
    degrees = all_cases - number
    weight = all_cases - (cases**2).sum(axis=0) / np.maximum(all_cases, 1.0)
    known = (degrees > 0) & (number > 1)
    excess = np.where(known, between - (number - 1) * within / np.maximum(degrees, 1.0), 0.0)
    weight = np.where(known, weight, 0.0)
    spread = np.diagonal(within + between) / np.maximum(np.diagonal(all_cases) - 1.0, 1.0)
    products = weight * spread[:, None] * spread
    own = np.diagonal(weight)
    return np.array([
        np.diagonal(excess).sum(), own @ spread, own @ spread**2,
        excess[upper].sum(), products[upper].sum(),
    ])  # fmt: skip


def _estimates(sums: Floats) -> Floats:
    """Return rho and the variance of the shift on the logit, not truncated; NaN if not known."""
    excess, own, squared, shared, products = sums
    if own <= 1e-12:
        return np.full(2, np.nan)
    first = shared / products if products > 1e-12 else np.nan
    rho = (excess - np.nan_to_num(first) * squared) / own
    spread = squared / own
    share = np.clip(first * spread, 0.0, 0.5)
    shift = np.log1p(share / (1.0 - share) ** 4 / spread) if first > 0.0 else first
    return np.array([rho, shift])
