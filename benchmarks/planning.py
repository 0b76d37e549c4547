"""Time and replicates of plans for 10 x 14, beside a plain grid of the same precision.

``python benchmarks/planning.py`` plans for a rule that needs no posterior, then for one that
fits every data set with the fast engine, on two cores. ``cheap`` or ``posterior`` runs one. The
comparison of a rule that stands in is left out: it is no part of the search.
"""

import resource
import sys
import time
from dataclasses import replace

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
    for name in sys.argv[1:] or RULES:
        rule, workers = RULES[name]
        scenario = replace(PRESETS["like_founding"].scenario, rule=rule)
        start, spent = time.perf_counter(), cpu_seconds()
        tree = plan(
            scenario, target="pcs_top >= 0.8", precision=PRECISION, workers=workers, stand_in=0
        )
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
