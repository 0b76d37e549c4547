"""What a fit by the fast engine costs, and how that grows.

    python benchmarks/engine.py            (the fast engine alone)
    python benchmarks/engine.py --nuts     (and NUTS at the same effective sample; minutes)

Prints the first result of a new process with and without a compile cache, CPU time per fit, and
the fitted exponents in facilities and in trials.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

import numpy as np

from pdsim.model.data import ModelData
from pdsim.priors import Priors

FIRST = """
import time; start = time.perf_counter()
import sys; sys.path.insert(0, {folder!r})
from engine import made_up
from pdsim.model.laplace import sample_laplace
sample_laplace(made_up(10, 40), draws=1000, seed=1)
print(time.perf_counter() - start)
"""


def made_up(facilities: int, trials: int, seed: int = 1) -> ModelData:
    """Return 14 indicators in two domains, simulated near the founding study: 12 % to 61 %."""
    rng = np.random.default_rng(seed)
    domain = np.repeat([0, 1], 7)
    eta = np.zeros((facilities, 14, 2))
    for index, sds in ((np.zeros(14, int), (0.35, 0.7)), (domain, (0.3, 0.3)), (None, (0.3, 0.3))):
        units = 14 if index is None else int(index.max()) + 1
        effect = rng.normal(size=(facilities, units, 2)) * sds
        eta += effect if index is None else effect[:, index]
    level = rng.normal([-2.0, 2.45], [0.7, 0.5], size=(14, 2))
    eta = np.cumsum(eta + level, axis=2)
    size = np.full(eta.shape, float(trials))
    return ModelData(
        kind="counts",
        observed=rng.binomial(trials, 1 / (1 + np.exp(-eta))).astype(float),
        size=size,
        domain=domain,
        case_group=np.full(14, -1),
        case_correlation=0.0,
        weight=np.full(14, 1 / 14),
        center=np.zeros(14),
        scale=np.ones(14),
        priors=Priors(),
    )


def first_result(cache: str) -> float:
    """Return the seconds from the start of a process to its first fit."""
    code = FIRST.format(folder=os.path.dirname(os.path.abspath(__file__)))
    environment = os.environ | {"NUMBA_CACHE_DIR": cache}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return float(run.stdout)


def seconds_per_fit(data: ModelData, repeats: int, draws: int = 1000) -> tuple[float, float]:
    """Return median CPU seconds of a fit, and the median ESS of its composite."""
    from pdsim.model.laplace import sample_laplace

    sample_laplace(data, draws=draws, seed=0)
    taken, ess = [], []
    for seed in range(repeats):
        start = time.process_time()
        ess.append(sample_laplace(data, draws=draws, seed=seed).ess)
        taken.append(time.process_time() - start)
    return float(np.median(taken)), float(np.median(ess))


def against_nuts(data: ModelData) -> None:
    """Print the CPU time of NUTS, compiled before, at the effective sample of the fast engine.

    With four chains, as the gates on R-hat ask, and with one, which cannot be checked.
    """
    import arviz_stats as azs
    from scipy.special import expit

    from pdsim.model.nuts import sample_nuts

    fits = [seconds_per_fit(data, 20)]
    wanted = fits[0][1]
    sample_nuts(data, draws=10, tune=10, chains=1, seed=0, cores=1)
    for chains in (4, 1):
        for draws in (int(wanted / chains * share) for share in (0.8, 1.2, 1.8, 2.7)):
            start = time.process_time()
            posterior, _ = sample_nuts(data, draws=draws, tune=1000, chains=chains, seed=1, cores=1)
            taken = time.process_time() - start
            # the machine may be slower for a while: fits before and after count
            fits.append(seconds_per_fit(data, 20))
            seconds = 0.5 * (fits[-2][0] + fits[-1][0])
            p = expit(posterior["eta"])
            change = (p.isel(period=1) - p.isel(period=0)).mean("indicator")
            ess = float(azs.ess(change, sample_dims=["chain", "draw"], method="mean").min())
            print(
                f"NUTS, {chains} x (1000 + {draws}): ESS {ess:.0f}, {taken:.2f} s CPU; "
                f"fast engine: ESS {wanted:.0f}, {1000 * seconds:.1f} ms; "
                f"{taken / seconds:.0f} times"
            )
            if ess >= wanted:
                break


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nuts", action="store_true")
    parser.add_argument("--skip-first", action="store_true", help="no timing of the compiler")
    args = parser.parse_args()
    if not args.skip_first:
        with tempfile.TemporaryDirectory() as cache:
            cold, warm = first_result(cache), first_result(cache)
            print(f"first result of a process: {cold:.1f} s cold, {warm:.2f} s warm")
    print("facilities  trials   ms CPU per fit   ESS")
    table = {}
    for facilities, trials in ((10, 40), (20, 40), (40, 40), (10, 10), (10, 150), (10, 1000)):
        seconds, ess = seconds_per_fit(made_up(facilities, trials), 10)
        table[facilities, trials] = seconds
        print(f"{facilities:10d} {trials:7d} {1000 * seconds:16.1f} {ess:5.0f}")
    for name, keys in (
        ("facilities", ((10, 40), (20, 40), (40, 40))),
        ("trials", ((10, 10), (10, 40), (10, 150), (10, 1000))),
    ):
        grown = [key[name == "trials"] for key in keys]
        slope = np.polyfit(np.log(grown), np.log([table[key] for key in keys]), 1)[0]
        print(f"cost grows with {name} to the power {slope:.2f}")
    if args.nuts:
        against_nuts(made_up(10, 40))


if __name__ == "__main__":
    main()
