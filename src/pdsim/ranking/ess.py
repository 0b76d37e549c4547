"""Effective sample sizes of many series at once.

The estimator is the one of ArviZ for a mean: split chains, autocovariance by FFT, Geyer's
initial monotone sequence. ArviZ takes one series at a time; a study with 2,000 facilities has
thousands, so here every step is an array operation over the series.
"""

import numpy as np

from pdsim.arraytypes import Floats

_BLOCK = 400_000
"""Numbers of the series looked at together: few enough to stay in the cache."""


def mean_and_error(series: Floats, *, ess: float | None) -> tuple[Floats, Floats, Floats]:
    """Return mean, Monte Carlo standard error and effective sample size of each series.

    Parameters
    ----------
    series : ndarray (batch, chain, draw, item)
    ess : float or None
        Stated effective sample size; None estimates it from the autocorrelation.

    Returns
    -------
    mean, error, size : ndarray (batch, item)
        A series that never varies has error 0, and the smallest size of the others in its batch
        (all draws if there is none).
    """
    batch, chains, draws, items = series.shape
    mean, deviation, size = np.empty((3, batch, items))
    by_series = series.transpose(0, 3, 1, 2)
    width = max(1, _BLOCK // (chains * draws))
    many = max(1, width // items)
    for start in range(0, batch, many):
        for first in range(0, items, width):
            part = (slice(start, start + many), slice(first, first + width))
            # one series in one row: every step below reads along it
            block = np.ascontiguousarray(by_series[part])
            shape = block.shape[:2]
            rows = block.reshape(-1, chains, draws)
            average, spread, effective = _of_rows(rows, ess)
            mean[part] = average.reshape(shape)
            deviation[part] = spread.reshape(shape)
            size[part] = effective.reshape(shape)
    smallest = size.min(axis=1, keepdims=True)
    smallest[np.isinf(smallest)] = chains * draws
    size = np.where(np.isinf(size), smallest, size)
    return mean, deviation / np.sqrt(size), size


def _of_rows(rows: Floats, ess: float | None) -> tuple[Floats, Floats, Floats]:
    """Return mean, standard deviation and size of (row, chain, draw); size inf if constant."""
    flat = rows.reshape(len(rows), -1)
    constant = (flat == flat[:, :1]).all(axis=1)
    deviation = np.where(constant, 0.0, flat.std(axis=1, ddof=int(ess is None)))
    size = np.full(len(rows), np.inf if ess is None else ess)
    if ess is None:
        size[~constant] = effective_size(rows[~constant] if constant.any() else rows)
    return flat.mean(axis=1), deviation, size


def never_seen(error: Floats, size: Floats) -> Floats:
    """Replace errors of 0, of events never or always seen, by 1 / ESS.

    Three such errors are the bound 3 / ESS, which holds with 95 % for what was never seen.
    """
    return np.where(error > 0, error, 1.0 / size)


def effective_size(series: Floats) -> Floats:
    """Return the effective sample size for the mean of each series.

    Parameters
    ----------
    series : ndarray (item, chain, draw)
        None of them constant; at least 4 draws.

    Returns
    -------
    ndarray (item,)

    References
    ----------
    Vehtari et al. (2021), doi 10.1214/20-BA1221; Geyer (1992), doi 10.1214/ss/1177011137.
    """
    from scipy import fft

    items, chains, draws = series.shape
    half = draws // 2
    length = fft.next_fast_len(2 * half, real=True)
    step = max(1, _BLOCK // (2 * chains * length))
    time = np.empty(items)
    for start in range(0, items, step):
        block = series[start : start + step]
        split = np.concatenate((block[:, :, :half], block[:, :, -half:]), axis=1)
        means = split.mean(axis=2)
        spectrum = fft.rfft(split - means[:, :, np.newaxis], n=length, axis=2)
        power = (spectrum.real**2 + spectrum.imag**2).mean(axis=1)
        autocovariance = fft.irfft(power, n=length, axis=1)[:, :half] / half
        time[start : start + step] = _geyer(autocovariance, means.var(axis=1, ddof=1))
    used = chains * 2 * half
    return np.asarray(used / np.maximum(time, 1.0 / np.log10(used)))


def _geyer(autocovariance: Floats, between: Floats) -> Floats:
    """Return the autocorrelation time from (item, lag) autocovariances of the split chains."""
    draws = autocovariance.shape[1]
    within = autocovariance[:, 0] * draws / (draws - 1.0)
    total = autocovariance[:, 0] + between
    correlation = 1.0 - (within[:, np.newaxis] - autocovariance) / total[:, np.newaxis]
    correlation[:, 0] = 1.0
    last = max((draws - 3) // 2, 0)
    even, odd = correlation[:, 0 : 2 * last + 1 : 2], correlation[:, 1 : 2 * last + 2 : 2]
    pairs = even + odd
    ended = pairs <= 0
    stop = np.where(ended.any(axis=1), ended.argmax(axis=1), last)
    falling = np.minimum.accumulate(pairs, axis=1)
    counted = np.where(np.arange(last + 1) < stop[:, np.newaxis], falling, 0.0).sum(axis=1)
    rows = np.arange(len(stop))
    tail = even[rows, stop]
    tail = np.where((tail > 0) | (pairs[rows, stop] >= 0), tail, 0.0)
    return np.asarray(-1.0 + 2.0 * counted + tail)
