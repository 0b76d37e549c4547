"""Time and replicates of plans for 10 x 14, beside a plain grid of the same precision.

``python benchmarks/planning.py`` plans for a rule that needs no posterior, then for one that
fits every data set with the fast engine, on two cores. ``cheap`` or ``posterior`` runs one, and
``--beside CHECKOUT`` the same with another checkout of pdsim, one after the other. The comparison
of a rule that stands in is left out: it is no part of the search.
"""

import argparse
import inspect
import os
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from pdsim import plan
from pdsim.planning import PRESETS

PRECISION = 0.1
GRID = 20
RULES = {"cheap": ("observed_change", 1), "posterior": ("posterior_mean", 2)}


def grid_replicates(answer):
    """Replicates of a grid of sizes, interpolated between the two that bracket the root.

    The level between two neighbours has about the variance of one of them, so each of the sizes
    needs what the root needs: p (1 - p) / (slope x standard error of log n)^2.
    """
    size, curve = answer["size"].to_numpy(), answer["curve"].to_numpy()
    near = int(np.abs(np.log(size / float(answer.crossing))).argmin())
    slope = (curve[near + 2] - curve[near - 2]) / np.log(size[near + 2] / size[near - 2])
    level = float(answer["value"])
    error = np.log1p(PRECISION) / 1.96
    return GRID * level * (1 - level) / (slope * error) ** 2


def cpu_seconds():
    """Return what this process and the workers that have ended have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", metavar="cheap | posterior")
    parser.add_argument("--beside", type=Path, help="another checkout of pdsim")
    given = parser.parse_args()
    for name in given.names or RULES:
        if given.beside is None:
            run(name)
            continue
        for checkout in (Path(__file__).parents[1], given.beside):
            sys.stdout.write(f"{checkout.resolve().name}: ")
            sys.stdout.flush()
            environment = {**os.environ, "PYTHONPATH": str(checkout.resolve() / "src")}
            subprocess.run([sys.executable, __file__, name], env=environment, check=True)


def run(name):
    """Plan once, and print what it took."""
    rule, workers = RULES[name]
    scenario = replace(PRESETS["like_founding"].scenario, rule=rule)
    # older checkouts compare no rules
    compared = {"stand_in": 0} if "stand_in" in inspect.signature(plan).parameters else {}
    start, spent = time.perf_counter(), cpu_seconds()
    tree = plan(scenario, target="pcs_top >= 0.8", precision=PRECISION, workers=workers, **compared)
    seconds, used = time.perf_counter() - start, cpu_seconds() - spent
    answer = tree["answer"].to_dataset()
    sys.stdout.write(
        f"{rule}, pcs_top >= 0.8: n = {float(answer.n):.0f} ({float(answer.n_low):.1f} to "
        f"{float(answer.n_high):.1f}), {seconds:.1f} s on {workers} core(s), {used:.0f} s of "
        f"CPU, {int(answer.replicates)} replicates; a grid of {GRID} sizes needs about "
        f"{grid_replicates(answer):.0f}\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
