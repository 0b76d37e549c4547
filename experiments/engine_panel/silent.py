"""Count how often the fast engine gives a bad posterior without saying so.

    python experiments/engine_panel/silent.py --sets 10000
    python experiments/engine_panel/silent.py --first 2000 --sets 4000 --out more.json

Data sets come from the default priors, with 3, 10 or 40 trials, a fifth of the cells missing in
every other set and a case correlation of 0.3 in every fifth. Each is fitted once. Of those
without a flag, 200 taken at random and the 200 with the smallest effective sample are fitted again
with 10 times the steps and 4 times the draws; a difference of a facility's mean change above 0.2
posterior sd counts as a silent bad fit. Of the second fits that fail their gates NUTS takes the
place of those that differ most; the others are not judged.
Writes results/engine_panel/silent.json. About an hour of CPU.
"""

import argparse
import json
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from scipy import stats

from cases import change
from pdsim.arraytypes import Floats
from pdsim.model.data import ModelData
from pdsim.model.laplace import LaplaceResult, sample_laplace
from pdsim.model.predictive import draw_eta, draw_parameters, draw_proportion
from pdsim.priors import Priors

LIMIT = 0.2
SHAPE, TRIALS = (10, 14, 2), (3, 10, 40)


def made(number: int) -> ModelData:
    """Return data set `number`, drawn from the priors."""
    rng = np.random.default_rng([20260815, number])
    size = np.full(SHAPE, float(TRIALS[number % 3]))
    if number % 2:
        size[rng.random(SHAPE) < 0.2] = 0.0
    blank = ModelData(
        kind="counts",
        observed=np.zeros(SHAPE),
        size=size,
        domain=np.repeat([0, 1], 7),
        case_group=np.zeros(14, dtype=np.int64),
        case_correlation=0.3 if number % 5 == 4 else 0.0,
        weight=np.full(14, 1 / 14),
        center=np.zeros(14),
        scale=np.ones(14),
        priors=Priors(),
    )
    eta, _ = draw_eta(draw_parameters(blank, rng), blank, rng)
    return replace(blank, observed=np.nan_to_num(draw_proportion(eta, blank, rng)) * size)


def refitted(number: int) -> tuple[int, float, bool]:
    """Return a data set's number, how far a larger fit is apart, and if that passes its gates."""
    again = sample_laplace(made(number), draws=8000, seed=number + 1, steps=500)
    return number, apart(number, change(made(number), again.eta)), again.reliable


def by_nuts(number: int) -> tuple[int, float]:
    """Return a data set's number, and how far four chains of NUTS are apart."""
    from pdsim.model.nuts import sample_nuts

    data = made(number)
    posterior, _ = sample_nuts(data, draws=2000, tune=1000, chains=4, seed=1, cores=1)
    eta = posterior["eta"].to_numpy()
    return number, apart(number, change(data, eta.reshape(-1, *eta.shape[2:])))


def apart(number: int, other: Floats) -> float:
    """Return the largest difference of a facility's mean change from `other`, in posterior sds."""
    one = change(made(number), fitted(number).eta)
    return float(np.abs((one.mean(axis=0) - other.mean(axis=0)) / other.std(axis=0)).max())


def fitted(number: int) -> LaplaceResult:
    return sample_laplace(made(number), draws=2000, seed=number)


def line(number: int) -> tuple[int, bool, float]:
    """Return a data set's number, whether its fit passes its gates, and its effective sample."""
    result = fitted(number)
    return number, result.reliable, result.ess


def worked(
    work: Callable[[int], tuple], numbers: list[int], kept: Path, pool: Executor
) -> dict[int, list]:
    """Return what `work` says of data sets, by number; what `kept` holds is not done again."""
    found = {row[0]: row for row in map(json.loads, kept.open())} if kept.exists() else {}
    missing = [number for number in dict.fromkeys(numbers) if number not in found]
    with kept.open("a") as file:
        for row in pool.map(work, missing, chunksize=5):
            file.write(json.dumps(row) + "\n")
            file.flush()
            found[row[0]] = list(row)
    return {number: found[number] for number in numbers}


def judged(refits: list[list], nuts: dict[int, list]) -> dict[str, float]:
    """Count differences above the limit; NUTS takes the place of a refit that fails its gates."""
    known = [nuts[n][1] if n in nuts else off for n, off, passed in refits if passed or n in nuts]
    bad = int((np.array(known) > LIMIT).sum())
    upper = 1.0 if bad == len(known) else float(stats.beta.ppf(0.95, bad + 1, len(known) - bad))
    return {
        "sets": len(refits),
        "judged": len(known),
        "by NUTS": sum(number in nuts for number, *_ in refits),
        "bad": bad,
        "upper_95": upper,
        "largest": max(known),
        "median": float(np.median(known)),
        "largest_of_the_others": max(
            (off for n, off, passed in refits if not passed and n not in nuts), default=0.0
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first data set")
    parser.add_argument("--checked", type=int, default=200, help="at random, and of the worst")
    parser.add_argument("--nuts", type=int, default=40, help="refits that failed, run by NUTS")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/engine_panel/silent.json"))
    args = parser.parse_args()
    kept = args.out.with_suffix(".jsonl.tmp")
    with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
        fits = worked(line, list(range(args.first, args.first + args.sets)), kept, pool)
        silent = sorted((ess, number) for number, reliable, ess in fits.values() if reliable)
        rng = np.random.default_rng(1)
        chance = rng.choice([number for _, number in sorted(silent)], args.checked, replace=False)
        worst = [number for _, number in silent[: args.checked]]
        kept = args.out.with_suffix(".refits.jsonl.tmp")
        again = worked(refitted, [*map(int, chance), *worst], kept, pool)
        doubted = sorted(again, key=lambda n: -again[n][1])
        doubted = [number for number in doubted if not again[number][2]][: args.nuts]
        nuts = worked(by_nuts, doubted, args.out.with_suffix(".nuts.jsonl.tmp"), pool)
        flagged = [number for number, reliable, _ in fits.values() if not reliable]
        found = {
            "first": args.first,
            "sets": len(fits),
            "flagged": len(flagged),
            "flagged_with_case_correlation": sum(number % 5 == 4 for number in flagged),
            "flagged_by_trials": {n: sum(TRIALS[i % 3] == n for i in flagged) for n in TRIALS},
            "least_ess": silent[0][0],
            "median_ess": float(np.median([ess for ess, _ in silent])),
            "at random": judged([again[int(number)] for number in chance], nuts),
            "worst": judged([again[number] for number in worst], nuts),
        }
    args.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
