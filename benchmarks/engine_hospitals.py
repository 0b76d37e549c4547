"""Time and memory of the fast engine on hospitals, and how they grow.

    python benchmarks/engine_hospitals.py ../shared/data [--facilities 50 200 800 2201]

Fits the first of the 2,201 hospitals of `cms_2021_2023.csv.gz` (14 indicators, two years), studies
of 10 x 14 with ever more cases, and one of 3,000 x 60, by `pdsim.fit` with the draws it makes by
default. Every fit has a process of its own, once machine code is on the disk. CPU seconds, seconds
by the clock, and the peak of memory beside that of a study of ten facilities (what Python, numba
and their machine code take), then what the checks of the computation say. Needs a POSIX system.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings

import numpy as np
import pandas as pd

import pdsim
from pdsim.errors import InputError

TRIALS = (10, 40, 400)


def hospitals(folder: str, number: int) -> pdsim.Study:
    """Return a study of the first hospitals of the table."""
    table = pd.read_csv(f"{folder}/cms_2021_2023.csv.gz", dtype={"facility": str})
    table["period"] = table["period"].map({2021: "baseline", 2023: "endline"})
    kept = table["facility"].drop_duplicates().head(number)
    indicators = pd.read_csv(f"{folder}/cms_indicators.csv")
    return pdsim.Study.from_long(table[table["facility"].isin(kept)], indicators=indicators)


def made_up(facilities: int, indicators: int, trials: int) -> pdsim.Study:
    """Return a study of counts with an effect of every facility."""
    rng = np.random.default_rng(1)
    shape = (facilities, indicators, 2)
    logit = rng.normal(0.0, 0.5, size=shape) + rng.normal(0.0, 0.4, size=(facilities, 1, 2))
    names = pd.MultiIndex.from_product(
        [[f"F{i}" for i in range(facilities)], [f"I{k}" for k in range(indicators)],
         ["baseline", "endline"]],
        names=["facility", "indicator", "period"],
    )  # fmt: skip
    successes = rng.binomial(trials, 1.0 / (1.0 + np.exp(-logit))).ravel()
    table = pd.DataFrame({"successes": successes, "trials": trials}, index=names).reset_index()
    return pdsim.Study.from_long(table)


def measure(study: pdsim.Study) -> dict[str, object]:
    """Fit a study in this process."""
    before = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            fit = pdsim.fit(study, engine="laplace", seed=1, hand_over=False)
        except InputError as error:
            return {"refused": str(error)}
    return {
        "wall": time.perf_counter() - before[0],
        "cpu": time.process_time() - before[1],
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "draws": fit["posterior"].sizes["draw"],
        "ess": fit.attrs["ess"],
        "gates": fit.attrs["convergence"],
    }


def apart(*arguments: object) -> dict[str, object]:
    """Measure in a process of its own, by the arguments of this script."""
    command = [sys.executable, __file__, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def tell(name: str, found: dict[str, object]) -> None:
    """Print what one fit took."""
    if "refused" in found:
        print(f"{name:20s} refused: {found['refused']}", flush=True)
        return
    print(
        f"{name:20s} {found['cpu']:8.2f} {found['wall']:8.2f} {found['peak']:8.2f} "
        f"{found['draws']:7d} {found['ess']:7.0f}  {found['gates']}",
        flush=True,
    )


def growth(name: str, sizes: tuple[int, ...], found: list[dict[str, object]]) -> None:
    """Print the exponent of CPU seconds."""
    cpu = np.array([fit["cpu"] for fit in found], dtype=float)
    slope = np.polyfit(np.log(sizes), np.log(cpu), 1)[0]
    print(f"CPU seconds grow with {name} to the power {slope:.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--facilities", type=int, nargs="*", default=[50, 200, 800, 2201])
    parser.add_argument("--large", type=int, nargs="*", default=[3000, 60])
    parser.add_argument("--one", type=int, nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one = hospitals(args.folder, *args.one) if len(args.one) == 1 else made_up(*args.one)
        print(json.dumps(measure(one)))
        return
    apart(args.folder, "--one", 10, 14, 40)  # compiles
    print(f"{'':20s} {'CPU s':>8s} {'s':>8s} {'peak GB':>8s} {'draws':>7s} {'ESS':>7s}  checks")
    by_trials = []
    for trials in TRIALS:
        by_trials.append(apart(args.folder, "--one", 10, 14, trials))
        tell(f"10 x 14, n = {trials}", by_trials[-1])
    growth("cases", TRIALS, by_trials)
    by_size = []
    for number in args.facilities:
        by_size.append(apart(args.folder, "--one", number))
        tell(f"{number:,} hospitals x 14", by_size[-1])
    if len(args.facilities) > 1:
        growth("facilities", tuple(args.facilities), by_size)
    if args.large:
        facilities, indicators = args.large
        found = apart(args.folder, "--one", facilities, indicators, 40)
        tell(f"{facilities:,} x {indicators}, n = 40", found)


if __name__ == "__main__":
    main()
