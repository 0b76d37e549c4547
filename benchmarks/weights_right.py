"""Whether the weight functions are right: sampled against exact, flips re-ranked, components.

Run: python benchmarks/weights_right.py
"""

import itertools
from math import comb

import numpy as np
import xarray as xr

from pdsim.errors import InputError
from pdsim.weights import (
    acceptability,
    constraints,
    decompose,
    flip_distance,
    pairwise_acceptability,
    weight_space,
)

DRAWS = 20_000


def problem(seed: int, facilities: int, indicators: int) -> tuple[xr.DataArray, xr.DataArray]:
    rng = np.random.default_rng(seed)
    names = [f"k{k}" for k in range(indicators)]
    table = rng.normal(size=(facilities, indicators))
    values = xr.DataArray(table, dims=("facility", "indicator"), coords={"indicator": names})
    weight = rng.dirichlet(np.full(indicators, 3.0))
    return values, xr.DataArray(weight, dims="indicator", coords={"indicator": names})


def sampled_against_exact() -> None:
    scores = []
    for seed, indicators in enumerate([2, 3, 5, 8, 14, 25, 40, 60] * 3):
        values, _ = problem(seed, 6, indicators)
        names = values["indicator"].values.tolist()
        spaces = {
            "flat": (weight_space.flat(names, size=DRAWS, seed=seed), {}),
            "ordered": (weight_space.ordered(names, size=DRAWS, seed=seed), {"order": names}),
            "walk": (weight_space.polytope(constraints(names), size=4000, seed=seed), {}),
        }
        for weights, known in spaces.values():
            exact = pairwise_acceptability(values, **known).pairwise_acceptability.values
            found = pairwise_acceptability(values, weights=weights).pairwise_acceptability.values
            ess = weights.attrs.get("ess", weights.sizes["weight_draw"])
            error = np.sqrt(exact * (1 - exact) / ess)
            upper = np.triu(np.ones_like(exact, dtype=bool), 1) & (exact * (1 - exact) * ess > 20)
            scores += list(np.abs(found - exact)[upper] / error[upper])
    largest, number = max(scores), len(scores)
    rms = np.sqrt(np.mean(np.square(scores)))
    print(
        f"sampled and exact pairs, K = 2..60, {number} pairs: largest {largest:.2f} MCSE, "
        f"root mean square {rms:.3f} (1 if the MCSE is right; about "
        f"{number * 6.3e-5:.2f} beyond 4 expected)"
    )


def flips_by_reranking() -> None:
    right = wrong = never = 0
    for seed in range(1500):
        rng = np.random.default_rng(seed)
        facilities, indicators = int(rng.integers(3, 12)), int(rng.integers(2, 15))
        values, nominal = problem(seed, facilities, indicators)
        m = int(rng.integers(1, facilities))
        flip = flip_distance(values, nominal, m=m, norm=("l1", "l2", "linf")[seed % 3])
        if not np.isfinite(flip.distance):
            never += 1
            continue
        start, place = nominal.values, flip.flip_weights.values
        sets = [
            frozenset(np.argsort(-values.values @ (start + x * (place - start)))[:m])
            for x in (0.0, 1 - 1e-7, 1 + 1e-7)
        ]
        ok = sets[0] == sets[1] != sets[2]
        right, wrong = right + ok, wrong + (not ok)
    print(f"flips re-ranked just before and after: {right} right, {wrong} wrong, {never} without")


def flips_by_brute_force() -> None:
    nearer = farther = 0
    worst = 0.0
    for indicators, step in ((3, 300), (4, 60)):
        ticks = itertools.product(range(step + 1), repeat=indicators - 1)
        rows = np.array([(*row, step - sum(row)) for row in ticks if sum(row) <= step]) / step
        assert len(rows) == comb(step + indicators - 1, indicators - 1)
        for seed in range(40):
            values, nominal = problem(seed, 6, indicators)
            order = np.argsort(-(rows @ values.values.T), axis=1)[:, :2]
            sets = np.sort(order, axis=1)
            now = np.sort(np.argsort(-(values.values @ nominal.values))[:2])
            away = np.abs(rows - nominal.values).sum(axis=1)
            nearest = away[(sets != now).any(axis=1)].min(initial=np.inf)
            exact = float(flip_distance(values, nominal, m=2).distance)
            nearer += nearest < exact - 1e-9
            if np.isfinite(nearest):
                worst = max(worst, (nearest - exact) * step)
            farther += np.isinf(nearest) != np.isinf(exact)
    print(
        f"fine grids, K = 3 and 4, 80 problems: {nearer} grid points nearer than the exact flip, "
        f"{farther} flips missed; the grid's nearest is at most {worst:.1f} grid steps farther"
    )


def spaces_meet_their_constraints() -> None:
    worst, sums, spaces = 0.0, 0.0, 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        indicators = int(rng.integers(2, 20))
        names = [f"k{k}" for k in range(indicators)]
        inner = rng.dirichlet(np.ones(indicators))
        rows = rng.normal(size=(seed % 4, indicators))
        terms = [(dict(zip(names, row, strict=True)), float(row @ inner) + 0.01) for row in rows]
        known = constraints(names, at_most=terms, lower=0.1 / indicators * (inner.min() > 0.01))
        try:
            drawn = weight_space.polytope(known, size=200, seed=seed).values
        except InputError:
            continue
        spaces += 1
        over = known.coefficient.values @ drawn.T - known.bound.values[:, None]
        worst = max(worst, over.max(initial=0.0), -drawn.min())
        sums = max(sums, np.abs(drawn.sum(axis=1) - 1).max())
    print(
        f"{spaces} random polytopes: constraints missed by at most {worst:.1e}, sums by {sums:.1e}"
    )


def components() -> None:
    least, off, idle = 0.0, 0.0, 0.0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        levels = xr.DataArray(
            rng.uniform(0.05, 0.95, size=(30, 8, 5, 2)),
            dims=("sample", "facility", "indicator", "period"),
        )
        weights = weight_space.flat([str(k) for k in range(5)], size=40, seed=seed)
        parts = decompose(levels, weights, left_out=True)
        least = min(least, float(parts.share.min()))
        off = max(off, float(np.abs(parts.share.sum("component", skipna=False) - 1).max()))
        same = weights.copy(data=np.repeat(weights.values[:1], 40, axis=0))
        idle = max(idle, float(decompose(levels, same).total.sel(factor="weights").max()))
    print(
        f"components over 20 grids: smallest {least:.1e}, sums off 1 by {off:.1e}, "
        f"share of a factor that does nothing {idle:.1e}"
    )


def two_alternatives() -> None:
    values = xr.DataArray([[1.0, 0, 1], [0, 1, 0]], dims=("facility", "indicator"))
    weights = weight_space.flat(["a", "b", "c"], size=1_000_000, seed=0)
    answer = acceptability(values, weights, m=1)
    exact = np.array([[7, 4, 7], [3, 12, 3]]) / 18
    first = float(answer.top_acceptability[0])
    pull = np.abs(answer.top_central_weight - exact) / answer.top_central_weight_mcse
    print(
        f"SMAA example: {first:.4f} (exact .75), central weights off {float(pull.max()):.1f} MCSE"
    )


def main() -> None:
    sampled_against_exact()
    flips_by_reranking()
    flips_by_brute_force()
    spaces_meet_their_constraints()
    components()
    two_alternatives()


if __name__ == "__main__":
    main()
