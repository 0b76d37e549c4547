"""Time and replicates of a plan for 10 x 14, side by side with a plain grid of the same precision.

``python benchmarks/planning.py`` plans for a rule that needs no posterior;
``python benchmarks/planning.py posterior`` for the fast engine on two cores.
"""

import sys
import time
from dataclasses import replace

import numpy as np

from pdsim import plan
from pdsim.planning import PRESETS

PRECISION = 0.1
GRID = 20


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


def main():
    posterior = sys.argv[1:] == ["posterior"]
    scenario = PRESETS["like_founding"].scenario
    if posterior:
        scenario = replace(scenario, rule="posterior_mean")
    start = time.perf_counter()
    tree = plan(scenario, precision=PRECISION, workers=2 if posterior else 1)
    seconds = time.perf_counter() - start
    answer = tree["answer"].to_dataset()
    sys.stdout.write(
        f"{scenario.rule}: n = {float(answer.n):.0f} ({float(answer.n_low):.1f} to "
        f"{float(answer.n_high):.1f}), {seconds:.1f} s, {int(answer.replicates)} replicates; a "
        f"grid of {GRID} sizes would need about {grid_replicates(answer):.0f}\n"
    )


if __name__ == "__main__":
    main()
