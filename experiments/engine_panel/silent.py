"""Count how often the fast engine gives a bad posterior without saying so.

    python experiments/engine_panel/silent.py --sets 10000

Data sets come from the default priors, with 3, 10 or 40 trials, a fifth of the cells missing in
every other set and a case correlation of 0.3 in every fifth. Each is fitted once. Of those
without a flag, 200 taken at random and the 200 with the smallest effective sample are fitted again
with 8 times the points and 4 times the draws; a difference of a facility's mean change above 0.2
posterior sd counts as a silent bad fit. Where the second fit fails its gates NUTS takes its place.
Writes results/engine_panel/silent.json. About 40 minutes of CPU.
"""

import argparse
import json
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

LIMIT, CHECKED = 0.2, 200
SHAPE = (10, 14, 2)


def made(number: int) -> ModelData:
    """Return data set `number`, drawn from the priors."""
    rng = np.random.default_rng([20260815, number])
    size = np.full(SHAPE, float((3, 10, 40)[number % 3]))
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


def by_nuts(data: ModelData) -> Floats:
    """Return draws of the change (draw, F) from four chains of NUTS."""
    from pdsim.model.nuts import sample_nuts

    posterior, _ = sample_nuts(data, draws=2000, tune=1000, chains=4, seed=1, cores=1)
    eta = posterior["eta"].to_numpy()
    return change(data, eta.reshape(-1, *eta.shape[2:]))


def difference(number: int, first: LaplaceResult) -> tuple[float, bool]:
    """Return the largest difference from a larger fit, in posterior sds, and if that was NUTS."""
    data = made(number)
    again = sample_laplace(data, draws=8000, seed=number + 1, steps=500)
    one = change(data, first.eta)
    other = change(data, again.eta) if again.reliable else by_nuts(data)
    apart = np.abs((one.mean(axis=0) - other.mean(axis=0)) / other.std(axis=0))
    return float(apart.max()), not again.reliable


def fitted(number: int) -> LaplaceResult:
    return sample_laplace(made(number), draws=2000, seed=number)


def refitted(number: int) -> tuple[float, bool]:
    """Return the difference of a data set's fit from its refit, and if that was by NUTS."""
    return difference(number, fitted(number))


def line(number: int) -> str:
    """Return one data set's fit as a line of JSON."""
    result = fitted(number)
    return json.dumps([number, result.reliable, result.ess])


def judged(numbers: list[int], pool: Executor) -> dict[str, float]:
    """Refit the data sets and count differences above the limit."""
    found = list(pool.map(refitted, numbers, chunksize=5))
    apart: Floats = np.array([off for off, _ in found])
    bad = int((apart > LIMIT).sum())
    upper = 1.0 if bad == len(apart) else float(stats.beta.ppf(0.95, bad + 1, len(apart) - bad))
    return {
        "sets": len(apart),
        "bad": bad,
        "upper_95": upper,
        "by NUTS": sum(nuts for _, nuts in found),
        "largest": float(apart.max()),
        "median": float(np.median(apart)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/engine_panel/silent.json"))
    args = parser.parse_args()
    kept = args.out.with_suffix(".jsonl.tmp")
    lines = kept.read_text().splitlines() if kept.exists() else []
    with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
        with kept.open("a") as file:
            for one in pool.map(line, range(len(lines), args.sets), chunksize=50):
                file.write(one + "\n")
                lines.append(one)
                if len(lines) % 500 == 0:
                    file.flush()
                    print(len(lines), flush=True)
        fits = [json.loads(one) for one in lines]
        silent = [(ess, number) for number, reliable, ess in fits if reliable]
        rng = np.random.default_rng(1)
        chance = rng.choice([number for _, number in silent], CHECKED, replace=False)
        found = {
            "sets": len(fits),
            "flagged": len(fits) - len(silent),
            "flagged_with_case_correlation": sum(
                not reliable and number % 5 == 4 for number, reliable, _ in fits
            ),
            "least_ess": min(silent)[0],
            "median_ess": float(np.median([ess for ess, _ in silent])),
            "at random": judged(chance.tolist(), pool),
            "worst": judged([number for _, number in sorted(silent)[:CHECKED]], pool),
        }
    args.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
