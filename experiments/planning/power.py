"""Power does not fall with the size of a study: 20 random scenarios from 1 to 200 cases a cell.

Power is the share of the truly best facilities that are flagged as clearly among the best. Sizes
of a scenario share their truths, and fewer cases are the first of more.

python -m experiments.planning.power
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from pdsim.files import write_atomically
from pdsim.simulation import Scenario, run_block, summarise

RESULTS = Path("results/planning")
SIZES = (1, 2, 3, 5, 8, 12, 20, 35, 60, 100, 200)
SCENARIOS = 20
REPLICATES = 4000


def drawn(number):
    """Return the settings of a random scenario, all but its trials."""
    rng = np.random.default_rng([20, number])
    indicators = int(rng.choice([1, 2, 5, 14]))
    return {
        "facilities": int(rng.integers(6, 25)),
        "indicators": indicators,
        "m": int(rng.integers(1, 4)),
        "baseline_level": float(rng.uniform(0.05, 0.6)),
        "improvement": float(rng.uniform(5, 35)),
        "sd_change_facility": float(rng.uniform(0.2, 1.2)),
        "case_correlation": float(rng.choice([0.0, 0.1, 0.4])) if indicators > 1 else 0.0,
        "missing": float(rng.choice([0.0, 0.1])) if indicators > 2 else 0.0,
        "trials_cv": float(rng.choice([0.0, 0.5])),
        "rule": "observed_change",
    }


def main():
    RESULTS.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(SCENARIOS):
        settings = drawn(number)
        found = []
        for size in SIZES:
            block = run_block([Scenario(trials=size, **settings)], range(REPLICATES), seed=number)
            summary = summarise(block.measures[0], block.status[0])
            found.append((float(summary.power), float(summary.power_mcse)))
        power, error = np.array(found).T
        falls = [
            (power[i] - power[j]) / max(float(np.hypot(error[i], error[j])), 1e-12)
            for j in range(len(SIZES))
            for i in range(j)
        ]
        rows.append(
            settings
            | {f"power_{size}": value for size, value in zip(SIZES, power.round(4), strict=True)}
            | {"worst_fall_mcse": round(max(falls), 2), "largest_mcse": round(error.max(), 4)}
        )
        sys.stdout.write(f"{number}: {rows[-1]}\n")
        sys.stdout.flush()
    write_atomically(RESULTS / "power.csv", pd.DataFrame(rows).to_csv(index=False))


if __name__ == "__main__":
    main()
