"""What is observed of a truth: cases scored one after another, so fewer are a prefix of more."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from pdsim.simulation.philox import (
    Seed,
    fill_normal,
    philox,
    stream_key,
)
from pdsim.simulation.scenario import Scenario
from pdsim.simulation.truth import Truth

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]

_BLOCK = 16
_ONE = np.uint64(1)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_LANES = np.uint64(0xFFFF)
_TOP_BIT = np.uint64(63)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Observations of R replicates.

    Attributes
    ----------
    value : ndarray (R, F, K, T)
        Counts: cases in which the indicator was met. Normal data: observed values.
    size : ndarray (R, F, K, T)
        Counts: cases observed, 0 in a missing cell. Normal data: standard errors.
    """

    value: Floats
    size: Floats


def observe(scenario: Scenario, truth: Truth, replicates: range, seed: Seed) -> Observed:
    """Observe the truths of some replicates as the scenario says."""
    numbers = np.arange(replicates.start, replicates.stop, replicates.step, dtype=np.int64)
    trials = _trials(scenario, numbers, seed)
    key = stream_key(scenario.truth_key, "cases", seed)
    if scenario.kind == "normal":
        return _observe_normal(scenario, truth, numbers, trials, seed)
    probability = truth.level
    if scenario.sensitivity < 1 or scenario.specificity < 1:
        slope = scenario.sensitivity + scenario.specificity - 1
        probability = 1 - scenario.specificity + slope * probability
    shape = truth.level.shape
    cells = shape[1] * shape[2] * shape[3]
    counts = np.empty((numbers.size, cells))
    _count_kernel(key, numbers, probability.reshape(-1, cells), trials.reshape(-1, cells), counts)
    size = np.broadcast_to(trials, shape).astype(float)
    return Observed(value=counts.reshape(shape), size=size)


def _trials(scenario: Scenario, numbers: Ints, seed: Seed) -> Ints:
    """Return cases observed per cell, (R or 1, F, K, T)."""
    given = np.asarray(scenario.trials, dtype=np.int64)
    if given.ndim == 1:
        given = given[:, None]
    shape = (scenario.facilities, scenario.indicators, 1 if scenario.kind == "normal" else 2)
    if given.ndim == 2:
        given = given[:, :, None]
    return np.ascontiguousarray(np.broadcast_to(given, shape))[None]


def _observe_normal(
    scenario: Scenario, truth: Truth, numbers: Ints, trials: Ints, seed: Seed
) -> Observed:
    error = np.empty((numbers.size, scenario.facilities))
    _normal_rows(stream_key(scenario.truth_key, "cases", seed), numbers, 0, error)
    se = np.broadcast_to(scenario.unit_sd / np.sqrt(trials), truth.level.shape).copy()
    value = truth.level + se * error[:, :, None, None]
    return Observed(value=value, size=se)


@njit(cache=True, nogil=True)
def _normal_rows(key, numbers, component, out):  # type: ignore[no-untyped-def]
    for r in range(numbers.size):
        fill_normal(key, numbers[r], component, out[r])


@intrinsic
def _popcount(_context: Any, word: Any) -> Any:
    """Return the number of set bits of a 64-bit word."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(word), generate


@njit(cache=True, nogil=True)
def _count_kernel(key, numbers, probability, trials, counts):  # type: ignore[no-untyped-def]
    """Count successes: four cells of sixteen cases share each 64-bit word.

    Word j holds bit j of 64 uniforms; a lane is decided at the first bit in which its uniform
    differs from its probability, so eight words settle three blocks in four.
    """
    k0, k1 = key[0], key[1]
    cells = counts.shape[1]
    quads = (cells + 3) // 4
    threshold = np.zeros(4, dtype=np.uint64)
    size = np.zeros(4, dtype=np.int64)
    bits = np.zeros(64, dtype=np.uint64)
    for r in range(numbers.size):
        replicate = np.uint64(numbers[r])
        row = r if trials.shape[0] > 1 else 0
        for quad in range(quads):
            largest = 0
            for c in range(4):
                cell = 4 * quad + c
                threshold[c] = 0
                size[c] = 0
                if cell < cells:
                    size[c] = trials[row, cell]
                    p = probability[r, cell]
                    threshold[c] = _ALL if p >= 1.0 else np.uint64(p * 18446744073709551616.0)
                    counts[r, cell] = 0.0
                largest = max(largest, size[c])
            for j in range(8):
                shift = _TOP_BIT - np.uint64(j)
                bits[j] = _spread(threshold, shift)
            for block in range((largest + _BLOCK - 1) // _BLOCK):
                met = _bernoulli_block(
                    k0, k1, replicate, np.uint64(quad), np.uint64(block), bits, threshold
                )
                for c in range(4):
                    left = size[c] - block * _BLOCK
                    if left <= 0:
                        continue
                    lanes = (met >> np.uint64(16 * c)) & _LANES
                    if left < _BLOCK:
                        lanes &= (_ONE << np.uint64(left)) - _ONE
                    counts[r, 4 * quad + c] += np.float64(_popcount(lanes))


@njit(cache=True)
def _spread(threshold, shift):  # type: ignore[no-untyped-def]
    """Return one bit of four thresholds, each over its sixteen lanes."""
    return (
        ((threshold[0] >> shift) & _ONE) * np.uint64(0x000000000000FFFF)
        | ((threshold[1] >> shift) & _ONE) * np.uint64(0x00000000FFFF0000)
        | ((threshold[2] >> shift) & _ONE) * np.uint64(0x0000FFFF00000000)
        | ((threshold[3] >> shift) & _ONE) * np.uint64(0xFFFF000000000000)
    )


@njit(cache=True, inline="always")
def _compare(word, of_p, undecided, met):  # type: ignore[no-untyped-def]
    """Settle the lanes in which this bit of the uniform differs from that of p."""
    return undecided & ~(word ^ of_p), met | (undecided & of_p & ~word)


@njit(cache=True, inline="always")
def _bernoulli_block(k0, k1, replicate, c2, c1, bits, threshold):  # type: ignore[no-untyped-def]
    """Return 64 bits, set where the lane's uniform is below its cell's probability."""
    undecided, met = _ALL, np.uint64(0)
    w0, w1, w2, w3 = philox(k0, k1, np.uint64(0), c1, c2, replicate)
    v0, v1, v2, v3 = philox(k0, k1, np.uint64(1), c1, c2, replicate)
    undecided, met = _compare(w0, bits[0], undecided, met)
    undecided, met = _compare(w1, bits[1], undecided, met)
    undecided, met = _compare(w2, bits[2], undecided, met)
    undecided, met = _compare(w3, bits[3], undecided, met)
    undecided, met = _compare(v0, bits[4], undecided, met)
    undecided, met = _compare(v1, bits[5], undecided, met)
    undecided, met = _compare(v2, bits[6], undecided, met)
    undecided, met = _compare(v3, bits[7], undecided, met)
    call = 2
    while undecided != 0 and call < 16:
        words = philox(k0, k1, np.uint64(call), c1, c2, replicate)
        for j in range(4):
            of_p = _spread(threshold, _TOP_BIT - np.uint64(4 * call + j))
            undecided, met = _compare(words[j], of_p, undecided, met)
        call += 1
    return met
