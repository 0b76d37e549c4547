"""Compiled loops over the rows of studies: observed changes, z-scores, shrunken means.

Sums run over facilities and indicators in their order, so that a study gives the same digits
however many others stand beside it.
"""

import numpy as np
from numpy.typing import NDArray

from pdsim.arraytypes import Floats
from pdsim.jit import compiled

_ALIKE = 1e-20
"""Squares around the mean below this share of the squares themselves are rounding."""

_STRETCH = 512
"""Draws whose rows stay in the fast cache."""

_STEPS = 100
"""Most steps of Newton's method; about 8 are usual, 40 where an error is nearly 0."""


@compiled
def observed_changes(
    value: Floats,
    size: Floats,
    weights: Floats,
    counts: bool,
    correlation: float,
    interval: bool,
    change: Floats,
    estimate: Floats,
    centre: Floats,
    variance: Floats,
) -> None:
    """Fill in the change of each indicator, their weighted mean, and its interval.

    Indicators of positive weight that were seen in every period count, with weights divided by
    their sum.

    The interval of counts is that of Price and Bonett (2004, doi 10.1016/S0167-9473(03)00007-0)
    for a linear function of proportions: 2 / m successes and failures are added to each of the m
    proportions, which for one indicator is the interval of Agresti and Caffo (2000,
    doi 10.1080/00031305.2000.10474560). Proportions of 0 and 1 so have a variance. Indicators of
    the same cases count as the number of independent ones with the same variance of their mean. At
    one or two cases and many indicators it is still too narrow (it holds 76 to 95 % at one case).

    The variance of a mean of K indicators of the same cases is (1 - r) times that of independent
    ones plus r times that of perfectly dependent ones.

    Parameters
    ----------
    value, size : ndarray (row, facility, indicator, period)
        Counts: successes and trials, 0 trials in a missing cell. Scores: values, NaN in a missing
        cell, and standard errors. One row of sizes may serve all. With one period, the level
        stands for the change.
    weights : ndarray (indicator,)
    counts : bool
        Whether they are counts, whose change is in percentage points.
    correlation : float
        r, of two indicators scored on one case.
    interval : bool
        Whether `centre` and `variance` are wanted too; they take most of the time.
    change : ndarray (row, facility, indicator)
        NaN where the indicator does not count.
    estimate, centre, variance : ndarray (row, facility)
        The mean, the middle of its interval and its variance; NaN where no indicator counts.
    """
    rows, facilities, indicators, periods = value.shape
    factor = 100.0 if counts else 1.0
    for r in range(rows):
        row = r if size.shape[0] > 1 else 0
        for i in range(facilities):
            number = moved = total = 0.0
            for k in range(indicators):
                change[r, i, k] = np.nan
                if weights[k] == 0.0:
                    continue
                level = before = 0.0
                for t in range(periods):
                    before = level
                    x, n = value[r, i, k, t], size[row, i, k, t]
                    level = x / n if counts else x
                gain = level - before if periods > 1 else level
                # what is divided by 0 trials, in either period, leaves no finite difference
                if np.isfinite(gain):
                    number += 1.0
                    change[r, i, k] = factor * gain
                    total += weights[k]
                    moved += weights[k] * change[r, i, k]
            estimate[r, i] = centre[r, i] = variance[r, i] = np.nan
            if number == 0.0:
                continue
            estimate[r, i] = moved / total
            if not interval:
                continue
            added = (1.0 + (number - 1.0) * correlation) / number if counts else 0.0
            middle = plain = joint = 0.0
            for t in range(periods):
                end = rooted = 0.0
                for k in range(indicators):
                    if np.isnan(change[r, i, k]):
                        continue
                    w = weights[k]
                    x, n = value[r, i, k, t], size[row, i, k, t]
                    single = w * w * n * n
                    if counts:
                        share = 1.0 / (n + 2.0 * added)
                        x = (x + added) * share
                        single = w * w * x * (1.0 - x) * share
                    end += w * x
                    plain += single
                    if correlation > 0.0:
                        rooted += np.sqrt(single)
                middle = end - middle
                joint += rooted * rooted
            centre[r, i] = factor * middle / total
            spread = (1.0 - correlation) * plain + correlation * joint
            variance[r, i] = factor * factor * spread / (total * total)


@compiled
def standardised_means(change: Floats, weights: Floats, score: Floats) -> None:
    """Fill in the weighted mean over indicators of changes standardised over facilities.

    Parameters
    ----------
    change : ndarray (row, facility, indicator)
        NaN where missing: weights are divided by the sum of those that are there.
    weights : ndarray (indicator,)
    score : ndarray (row, facility)
        NaN where nothing is there. An indicator that changed alike everywhere counts 0.
    """
    rows, facilities, indicators = change.shape
    mean, large, squares, factor = np.empty((4, indicators))
    seen, off = np.empty((2, facilities, indicators))
    for r in range(rows):
        mean[:], large[:], squares[:], factor[:] = 0.0, 0.0, 0.0, 0.0
        for i in range(facilities):
            for k in range(indicators):
                x = change[r, i, k]
                seen[i, k] = 0.0 if np.isnan(x) else 1.0
                off[i, k] = 0.0 if np.isnan(x) else x
                factor[k] += seen[i, k]
                mean[k] += off[i, k]
                large[k] += off[i, k] * off[i, k]
        for k in range(indicators):
            mean[k] /= max(factor[k], 1.0)
        for i in range(facilities):
            for k in range(indicators):
                off[i, k] = seen[i, k] * (off[i, k] - mean[k])
                squares[k] += off[i, k] * off[i, k]
        for k in range(indicators):
            varies = squares[k] > _ALIKE * large[k]
            factor[k] = weights[k] / np.sqrt(squares[k] / (factor[k] - 1.0)) if varies else 0.0
        for i in range(facilities):
            above = total = 0.0
            for k in range(indicators):
                above += factor[k] * off[i, k]
                total += seen[i, k] * weights[k]
            score[r, i] = above / total if total > 0.0 else np.nan


@compiled
def shrunken_means(
    estimate: Floats, variance: Floats, between: Floats, mean: Floats, spread: Floats
) -> None:
    """Fill in the variance of the truths, and empirical Bayes means and variances of each.

    Parameters
    ----------
    estimate, variance : ndarray (row, facility)
        Variances above 0.
    between : ndarray (row,)
        By Paule and Mandel: where the weighted squares around the weighted mean equal their
        degrees of freedom; 0 if the estimates vary no more than their errors make them.
    mean, spread : ndarray (row, facility)
        The variance includes that of the estimated mean, to first order.
    """
    rows, facilities = estimate.shape
    for r in range(rows):
        v = variance[r]
        tau = centre = total = 0.0
        # the excess is convex and falls: from the left, Newton's steps never pass the root
        for _ in range(_STEPS):
            total = centre = 0.0
            for i in range(facilities):
                total += 1.0 / (v[i] + tau)
                centre += estimate[r, i] / (v[i] + tau)
            centre /= total
            excess, slope = 1.0 - facilities, 0.0
            for i in range(facilities):
                w = 1.0 / (v[i] + tau)
                part = w * (estimate[r, i] - centre) ** 2
                excess += part
                slope += w * part
            if not excess > 1e-12 * facilities:
                break
            tau += excess / slope
        between[r] = tau
        for i in range(facilities):
            share = tau / (v[i] + tau)
            mean[r, i] = centre + share * (estimate[r, i] - centre)
            spread[r, i] = share * v[i] + (1.0 - share) ** 2 / total


@compiled
def largest_differences(
    noise: Floats, first: NDArray[np.int64], second: NDArray[np.int64], inverse: Floats
) -> Floats:
    """Return, for each draw, the largest scaled difference over pairs.

    Parameters
    ----------
    noise : ndarray (facility, draw)
    first, second : ndarray (pair,)
    inverse : ndarray (pair,)
        One over the standard deviation of each difference.
    """
    draws = noise.shape[1]
    largest = np.full(draws, -np.inf)
    for start in range(0, draws, _STRETCH):
        stop = min(start + _STRETCH, draws)
        for pair in range(first.shape[0]):
            a, b, scale = first[pair], second[pair], inverse[pair]
            for s in range(start, stop):
                difference = (noise[a, s] - noise[b, s]) * scale
                largest[s] = max(largest[s], difference)
    return largest
