"""How well chains that run side by side have mixed."""

import numpy as np

from pdsim.arraytypes import Floats


def split_rhat(values: Floats) -> Floats:
    """Return R-hat (Q,) of values (n, chain, Q), every chain cut in two.

    Gelman and others (2013), Bayesian Data Analysis, section 11.4; 1 where nothing varies.
    """
    half = len(values) // 2
    parts = np.concatenate([values[:half], values[-half:]], axis=1)
    within = parts.var(axis=0, ddof=1).mean(axis=0)
    between = parts.mean(axis=0).var(axis=0, ddof=1)
    ratio = between / np.where(within > 0.0, within, 1.0)
    return np.sqrt((half - 1.0) / half + np.where(within > 0.0, ratio, 1.0 / half))


def effective_number(values: Floats) -> Floats:
    """Return the effective number of draws (Q,) of values (n, chain, Q).

    The autocorrelations of all chains together, those between chains among them, summed by
    Geyer's initial monotone sequence (Vehtari and others 2021, doi 10.1214/20-BA1221).
    """
    number, chains, quantities = values.shape
    centered = values - values.mean(axis=0)
    transform = np.fft.rfft(centered, 2 * number, axis=0)
    covariance = np.fft.irfft(np.abs(transform) ** 2, axis=0)[:number].mean(axis=1) / number
    within = covariance[0] * number / (number - 1.0)
    total = covariance[0] + values.mean(axis=0).var(axis=0, ddof=1)
    moved = total > 0.0
    correlation = 1.0 - (within - covariance) / np.where(moved, total, 1.0)
    correlation[0] = 1.0
    even = number - number % 2
    pairs = correlation[0:even:2] + correlation[1:even:2]
    positive = np.cumprod(pairs > 0.0, axis=0)
    pairs = np.minimum.accumulate(pairs, axis=0) * positive
    time = np.maximum(2.0 * pairs.sum(axis=0) - 1.0, 1.0 / np.log10(number * chains))
    found: Floats = np.where(moved, number * chains / time, float(number * chains))
    return np.broadcast_to(found, (quantities,)).copy()
