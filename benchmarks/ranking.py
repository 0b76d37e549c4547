"""Speed and memory of pdsim.ranking, beside the plain way to compute the same.

Run one part, or all: ``python benchmarks/ranking.py [import|exact|wide|stack|grades]``.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import combinations, permutations

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import xarray as xr
from scipy.stats import rankdata

from pdsim import ranking


def best_time(function: Callable[[], object], *, repeats: int = 3) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def line(what: str, seconds: float, note: str = "") -> None:
    print(f"{what:<66} {seconds * 1e3:>10.2f} ms  {note}", flush=True)


def part_import() -> None:
    for module in ("xarray", "pdsim.ranking"):
        clock = "time.perf_counter()"
        code = f"import time; t = {clock}; import {module}; print({clock} - t)"
        seconds = min(
            float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(5)
        )
        line(f"import {module}", seconds, "(bar: 1 s)" if module != "xarray" else "")


def part_exact() -> None:
    mean = xr.DataArray(np.random.default_rng(1).normal(size=10), dims="facility")
    score = ranking.normal_scores(mean, 0 * mean + 0.7)
    exact = ranking.rank_probability(score).rank_probability.values
    seconds = best_time(lambda: ranking.rank_probability(score), repeats=20)
    line("exact 10 x 10 rank matrix", seconds, "(bar: 5 ms)")
    draws = score.sample(draws=1_000_000, seed=1)
    seconds = best_time(lambda: ranking.rank_probability(draws), repeats=1)
    counted = ranking.rank_probability(draws).rank_probability.values
    off = abs(counted - exact).max()
    line("  the same by counting 1,000,000 draws", seconds, f"off by {off:.1e}")


def part_wide() -> None:
    generator = np.random.default_rng(1)
    values = generator.normal(size=(4, 1000, 2201)) + generator.normal(size=2201)
    score = xr.DataArray(values, dims=("chain", "draw", "facility"))
    total = 0.0
    for function in (ranking.top_probability, ranking.expected_rank, ranking.rank_interval):
        seconds = best_time(lambda function=function: function(score), repeats=2)
        total += seconds
        line(f"{function.__name__}, 2,201 facilities x 4,000 draws", seconds)
    line("  the three together", total, f"peak {peak():.2f} GB (bar: 3 s, 1 GB)")

    from arviz_stats.base import array_stats

    flat = values.reshape(4000, 2201)
    seconds = best_time(lambda: rankdata(-flat, axis=1), repeats=1)
    ranks = rankdata(-flat, axis=1).reshape(4, 1000, 2201)[..., :100]
    loop = best_time(
        lambda: array_stats.mcse(ranks, chain_axis=0, draw_axis=1, method="mean"), repeats=1
    )
    # ArviZ takes one series at a time: 100 of them, scaled up
    line("  expected rank by scipy rankdata and ArviZ's error", seconds + loop * 22.01)


def peak() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def part_stack() -> None:
    """Rank a tenth of the stack, which fits anywhere; the rate is the same."""
    from pdsim.ranking.probability import rank_counts

    generator = np.random.default_rng(1)
    values = generator.normal(size=(1000, 1000, 10))
    tied = np.round(values, 1)
    rank_counts(values)
    for name, block in (("without ties", values), ("72 % of draws with ties", tied)):
        seconds = best_time(lambda block=block: rank_counts(block))
        rate = block.size / seconds / 1e6
        note = f"{rate:.0f} M ranks/s (bar: 100)"
        line(f"10,000 replicates x 1,000 draws x 10, {name}", 10 * seconds, note)
    labelled = xr.DataArray(tied, dims=("replicate", "sample", "facility"))
    seconds = best_time(lambda: ranking.rank_probability(labelled))
    rate = tied.size / seconds / 1e6
    line("  rank_probability, labels and errors included", 10 * seconds, f"{rate:.0f} M/s")
    part = tied[:20]
    seconds = best_time(lambda: rankdata(-part, axis=-1), repeats=1)
    line("  scipy.stats.rankdata alone", seconds * 500, f"{part.size / seconds / 1e6:.0f} M/s")


def part_grades() -> None:
    generator = np.random.default_rng(1)
    for facilities in (10, 12, 14, 37, 150, 2201):
        centre = generator.normal(size=facilities)
        values = generator.normal(centre, 0.7, (1000 if facilities < 1000 else 200, facilities))
        score = xr.DataArray(values, dims=("sample", "facility"))
        ranking.grades(score.isel(facility=slice(0, min(facilities, 5))))
        seconds = best_time(lambda score=score: ranking.grades(score), repeats=2)
        found = ranking.grades(score)
        agreement, bound = float(found.agreement), float(found.agreement_bound)
        note = f"{found.attrs['search']}, agreement {agreement:.4f} of at most {bound:.4f}"
        bar = " (bar: 2 s)" if facilities == 12 else ""
        line(f"grades, {facilities} facilities", seconds, note + bar)
        if facilities <= 12:
            start = time.perf_counter()
            agreement = by_integer_programme(score)
            seconds = time.perf_counter() - start
            line("  the same by SciPy's integer programme", seconds, f"agreement {agreement:.4f}")


def by_integer_programme(score: xr.DataArray, *, rate: float = 0.05) -> float:
    """Return the best agreement over strict weak orders, one binary variable for each pair."""
    from scipy.optimize import LinearConstraint, milp
    from scipy.sparse import lil_array

    ahead = ranking.pairwise_probability(score).pairwise_probability.values
    count = len(ahead)
    number = {pair: k for k, pair in enumerate(permutations(range(count), 2))}
    cost = np.array([ahead[j, i] for i, j in number])
    rows = lil_array((len(number) // 2 + count * (count - 1) * (count - 2), len(number)))
    line_number = 0
    for i, j in combinations(range(count), 2):
        rows[line_number, [number[i, j], number[j, i]]] = 1.0
        line_number += 1
    upper = np.zeros(rows.shape[0])
    upper[:line_number] = 1.0
    # whoever is above k is above j, or j is above k
    for i, j, k in permutations(range(count), 3):
        rows[line_number, number[i, k]] = 1.0
        rows[line_number, [number[i, j], number[j, k]]] = -1.0
        line_number += 1
    pairs = count * (count - 1) / 2
    found = milp(
        2.0 * cost - 1.0,
        integrality=np.ones(len(cost)),
        bounds=(0, 1),
        constraints=[
            LinearConstraint(rows.tocsr(), ub=upper),
            LinearConstraint(cost, ub=rate * pairs),
        ],
        options={"time_limit": 60.0},
    )
    return float(-found.fun / pairs)


PARTS = {
    "import": part_import,
    "exact": part_exact,
    "wide": part_wide,
    "stack": part_stack,
    "grades": part_grades,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or PARTS:
        PARTS[name]()
