"""Speed of the weight functions, beside plain NumPy and SciPy loops and SALib.

Run: python benchmarks/weights.py [decompose] [flips] [acceptability]
"""

import resource
import sys
import time
from collections.abc import Callable

import numpy as np
import xarray as xr
from scipy.optimize import linprog

from pdsim.scoring import indicator_values, normalise
from pdsim.weights import acceptability, decompose, flip_distance, sobol_indices, weight_space

NORMALISATIONS = ("pp", "z", "min_max", "rank")
DIMS = ("sample", "facility", "indicator")


def timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def levels_of(samples: int) -> xr.DataArray:
    rng = np.random.default_rng(1)
    center = rng.normal(-1.5, 0.6, size=(10, 14, 1)) + np.array([0.0, 1.5])
    center[..., 1] += rng.normal(0, 0.8, size=(10, 1)) + rng.normal(0, 0.5, size=(10, 14))
    logits = center + rng.normal(0, 0.3, size=(samples, 10, 14, 2))
    return xr.DataArray(1 / (1 + np.exp(-logits)), dims=(*DIMS, "period"))


def numpy_grid(levels: xr.DataArray, weights: np.ndarray, samples: int) -> None:
    """Top 3 of every cell and the margins of its analysis of variance, by a loop over samples."""
    values = [indicator_values(normalise(levels, name)).values for name in NORMALISATIONS]
    by_weight = np.zeros((len(values), len(weights), 10))
    squares = np.zeros(10)
    for s in range(samples):
        inside = np.zeros((len(values), len(weights), 10))
        for at, own in enumerate(values):
            score = weights @ own[s].T
            top = np.argpartition(-score, 2, axis=1)[:, :3]
            np.put_along_axis(inside[at], top, 1.0, axis=1)
        by_weight += inside
        squares += (inside.mean(axis=0) ** 2).sum(axis=0)
        inside.mean(axis=1)


def bench_decompose() -> None:
    levels = levels_of(2000)
    weights = weight_space.flat([str(k) for k in range(14)], size=2000, seed=0)
    decompose(levels[:40], weights[:40])
    took = min(timed(lambda: decompose(levels, weights)) for _ in range(3))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"decompose, 4 x 2,000 x 2,000 x 10 x 14: {took:.2f} s, peak {peak:.2f} GB (bar 3 s, 1 GB)"
    )
    few = 40
    took = timed(lambda: numpy_grid(levels, weights.values, few))
    print(f"  NumPy loop, same margins without sets or errors: {took * 2000 / few:.0f} s (scaled)")
    sobol_indices(levels[:40], weights[:40], size=16, seed=0)
    took = timed(lambda: sobol_indices(levels, weights, size=1024, seed=0))
    print(f"  SALib, 1,024 x 5 evaluations, first and total indices of 10 facilities: {took:.1f} s")


def bench_flips() -> None:
    values = indicator_values(normalise(levels_of(2000)))
    nominal = xr.DataArray(np.ones(14), dims="indicator")
    for norm in ("l1", "l2", "linf"):
        flip_distance(values[:4], nominal, norm=norm)
        took = min(timed(lambda n=norm: flip_distance(values, nominal, norm=n)) for _ in range(5))
        print(f"flip_distance {norm}, 2,000 draws: {took:.3f} s (bar 0.2 s)")
    few = 10
    took = timed(lambda: scipy_flips(values.values[:few]))
    print(f"  SciPy linprog over the 21 pairs, L1: {took * 2000 / few:.0f} s (scaled)")


def scipy_flips(values: np.ndarray) -> None:
    weight = np.full(14, 1 / 14)
    for own in values:
        order = np.argsort(-(own @ weight))
        for i in order[:3]:
            for j in order[3:]:
                d = own[i] - own[j]
                linprog(
                    np.ones(28),
                    A_ub=np.vstack((np.hstack((d, -d)), np.hstack((-np.eye(14), np.eye(14))))),
                    b_ub=np.append(-d @ weight, weight),
                    A_eq=np.hstack((np.ones(14), -np.ones(14)))[None],
                    b_eq=[0.0],
                )


def bench_acceptability() -> None:
    rng = np.random.default_rng(2)
    # heavy tails, as in real hospital data
    table = rng.standard_t(3, size=(1, 2201, 14)) + 0.5 * rng.standard_t(3, size=(1000, 2201, 14))
    values = xr.DataArray(table, dims=DIMS)
    weights = weight_space.flat([str(k) for k in range(14)], size=1000, seed=0)
    acceptability(values[:20, :100], weights[:20])
    took = timed(lambda: acceptability(values, weights))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"acceptability, all ranks, 2,201 x 1,000 x 1,000: {took:.1f} s, {peak:.1f} GB (bar 60 s)"
    )

    few = 2

    def plain() -> None:
        counts = np.zeros((2201, 2201))
        rows = np.arange(2201)
        for own in table[:few]:
            for score in weights.values @ own.T:
                order = np.argsort(-score)
                counts[order, rows] += 1

    print(f"  NumPy loop with argsort: {timed(plain) * 1000 / few:.0f} s (scaled)")


def main() -> None:
    every = {
        "decompose": bench_decompose,
        "flips": bench_flips,
        "acceptability": bench_acceptability,
    }
    for name in sys.argv[1:] or every:
        every[name]()


if __name__ == "__main__":
    main()
