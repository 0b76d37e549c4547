"""Correlation of the indicators of one case, from cases."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pdsim.arraytypes import Bools, Floats, Ints
from pdsim.conventions import CI_PROB


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseCorrelation:
    """An estimated within-case correlation.

    Attributes
    ----------
    estimate : float
        NaN where no two indicators vary among shared cases.
    limits : tuple of float
        95 % jackknife limits over facilities.
    """

    estimate: float
    limits: tuple[float, float]

    def truncated(self, most: float) -> "CaseCorrelation":
        """Return the estimate and its limits within 0 and `most`."""
        low, high = (float(np.clip(value, 0.0, most)) for value in self.limits)
        return CaseCorrelation(
            estimate=float(np.clip(self.estimate, 0.0, most)), limits=(low, high)
        )


def estimate_case_correlation(
    scores: Floats, facility: Ints, period: Ints, pairs: Bools, visit: Ints | None = None
) -> CaseCorrelation:
    """Estimate the correlation of two indicators of one case by pooled moments.

    The sum over facilities, periods and pairs of indicators of the centred cross products is
    divided by the sum of their degrees of freedom times sqrt(v_k v_l), where v_k is the
    variance of indicator k in that period, pooled within facilities (a facility's own
    proportion may be 0 or 1). Means are taken within facility and period, so that differences
    between facilities are not mistaken for correlation within cases [1]_. The limits are those
    of a jackknife over facilities with Student's t [2]_.

    Parameters
    ----------
    scores : ndarray (cases, K)
        1 met, 0 not met, NaN not scored.
    facility, period : ndarray of int (cases,)
        Codes from 0 on.
    pairs : ndarray of bool (K, K)
        Which two indicators are scored on the same cases.
    visit : ndarray of int (cases,), optional
        Means are then taken within visits, so that what a visit does is not counted again.

    Returns
    -------
    CaseCorrelation

    References
    ----------
    .. [1] Ridout MS, Demetrio CGB, Firth D (1999), Estimating intraclass correlation for binary
       data, doi:10.1111/j.0006-341X.1999.00137.x
    .. [2] Miller RG (1974), The jackknife: a review, doi:10.1093/biomet/61.1.1

    Examples
    --------
    >>> scores = np.repeat([[1.0, 1.0], [0.0, 0.0]], 20, axis=0)
    >>> codes = np.arange(40) % 2
    >>> pairs = ~np.eye(2, dtype=bool)
    >>> result = estimate_case_correlation(scores, codes, np.zeros(40, dtype=int), pairs)
    >>> round(result.estimate, 3)
    1.0
    """
    from scipy.special import stdtrit

    upper = np.triu(pairs, 1)
    facilities, periods = int(facility.max()) + 1, int(period.max()) + 1
    size = scores.shape[1]
    products = np.zeros(facilities)
    shared = np.zeros((periods, size, size))
    squares = np.zeros((facilities, periods, size))
    freedom = np.zeros((facilities, periods, size))
    visit = np.zeros_like(facility) if visit is None else visit
    for i, t, sums, cases in _blocks(scores, facility, period, visit):
        degrees = np.maximum(cases - 1.0, 0.0)
        products[i] += (sums * upper).sum()
        shared[t] += degrees * upper
        squares[i, t] += np.diagonal(sums)
        freedom[i, t] += np.diagonal(degrees)
    total_squares, total_freedom = squares.sum(axis=0), freedom.sum(axis=0)
    scale = _scale(total_squares, total_freedom)
    estimate = _ratio(products.sum(), np.einsum("tkl,tk,tl->", shared, scale, scale))
    # leave one facility out: its products, its degrees of freedom, its share of the variances
    scale_without = _scale(total_squares - squares, total_freedom - freedom)
    below = np.einsum("tkl,itk,itl->i", shared, scale_without, scale_without)
    for i, t, _, cases in _blocks(scores, facility, period, visit):
        degrees = np.maximum(cases - 1.0, 0.0)
        below[i] -= scale_without[i, t] @ (degrees * upper) @ scale_without[i, t]
    without = np.array([_ratio(products.sum() - products[i], below[i]) for i in range(facilities)])
    spread = np.sqrt((facilities - 1) / facilities * ((without - without.mean()) ** 2).sum())
    reach = float(stdtrit(facilities - 1, (1 + CI_PROB) / 2) * spread) if facilities > 1 else np.nan
    return CaseCorrelation(estimate=estimate, limits=(estimate - reach, estimate + reach))


def shared_cases(scores: Floats, facility: Ints, period: Ints, pairs: Bools) -> tuple[float, float]:
    """Return how many of their cases two indicators share, over all cells and pairs.

    Parameters
    ----------
    scores, facility, period, pairs : ndarray
        As for `estimate_case_correlation`.

    Returns
    -------
    float
        Shared cases over those of the indicator that has fewer.
    float
        Shared cases over sqrt(n n'), on which the covariance of two proportions depends: it is
        r sqrt(p q p' q' / (n n')) times this.

    Examples
    --------
    >>> scores = np.array([[1.0, 0.0], [1.0, np.nan], [0.0, 1.0], [0.0, 1.0]])
    >>> codes, pairs = np.zeros(4, dtype=int), ~np.eye(2, dtype=bool)
    >>> shared_cases(scores, codes, codes, pairs)
    (1.0, 0.8660254037844387)
    """
    upper = np.triu(pairs, 1)
    both = fewer = limit = 0.0
    for _, _, _, cases in _blocks(scores, facility, period, np.zeros_like(facility)):
        own = np.diagonal(cases)
        both += cases[upper].sum()
        fewer += np.minimum.outer(own, own)[upper].sum()
        limit += np.sqrt(np.multiply.outer(own, own))[upper].sum()
    return _ratio(both, fewer), _ratio(both, limit)


def _blocks(
    scores: Floats, facility: Ints, period: Ints, visit: Ints
) -> Iterator[tuple[int, int, Floats, Floats]]:
    """Yield facility, period, centred cross products and shared cases of every visit."""
    order = np.lexsort((visit, period, facility))
    key = np.stack([facility[order], period[order], visit[order]])
    starts = np.flatnonzero(np.r_[True, (np.diff(key, axis=1) != 0).any(axis=0)])
    for start, stop in zip(starts, [*starts[1:], len(order)], strict=True):
        block = scores[order[start:stop]]
        scored = (~np.isnan(block)).astype(np.float64)
        met = np.where(scored > 0, block, 0.0)
        cases = scored.T @ scored
        # sums of one indicator over the cases that both share
        sums = met.T @ scored
        products = met.T @ met - sums * sums.T / np.maximum(cases, 1.0)
        yield int(key[0, start]), int(key[1, start]), products, cases


def _scale(squares: Floats, freedom: Floats) -> Floats:
    """Return pooled standard deviations; 0 where nothing varies."""
    return np.sqrt(np.maximum(squares, 0.0) / np.maximum(freedom, 1.0))


def _ratio(above: float, below: float) -> float:
    return float(above / below) if below > 1e-12 else float("nan")
