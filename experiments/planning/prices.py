"""Prices of the field by normal theory, beside the same by simulated plans.

Each circumstance is priced by the trials that it takes to be as reliable as the planned study; here
the trials are searched by simulation too, for a study like the founding one.

python -m experiments.planning.prices
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from pdsim import plan
from pdsim.files import write_atomically
from pdsim.planning import PRESETS, Costs, parse_target
from pdsim.planning.budget import field_changes, price_dataset
from pdsim.planning.question import Question

RESULTS = Path("results/planning")
TARGET = "pcs_top >= 0.8"
PRECISION = 0.05
MOST = 150_000
"""Replicates of one search, so that each ends; missing cells may keep the target out of reach."""


def sought(scenario, seed):
    """Return the size that simulation finds, the standard error of its log, and how it ended."""
    found = plan(
        scenario, target=TARGET, precision=PRECISION, seed=seed, sensitivity=False, stand_in=0,
        most=MOST,
    )["answer"]  # fmt: skip
    error = float(np.log(found.n_high / found.n_low)) / 3.92
    return float(found.crossing), error, found.attrs["status"]


def main():
    RESULTS.mkdir(parents=True, exist_ok=True)
    scenario = replace(PRESETS["like_founding"].scenario, rule="observed_change")
    asked = Question(
        scenario=scenario, target=parse_target(TARGET), over="trials", low=2, high=10_000
    )
    n, error, status = sought(scenario, 1)
    rows = [{"change": "none", "priced": n, "simulated": n, "log_error": error, "status": status}]
    prices = price_dataset(asked, Costs(per_case=1), n=n)["size"]
    for seed, (name, moved) in enumerate(field_changes(scenario).items(), start=2):
        size, own, status = sought(moved, seed)
        priced = float(prices.sel(change=name))
        rows.append(
            {
                "change": name,
                "priced": priced,
                "simulated": size,
                "log_error": own,
                "status": status,
                "log_gap": np.log(priced / size),
                "log_gap_mcse": np.hypot(own, error),
            }
        )
        sys.stdout.write(f"{rows[-1]}\n")
        sys.stdout.flush()
        table = pd.DataFrame(rows).round(4)
        write_atomically(RESULTS / "prices.csv", table.to_csv(index=False))


if __name__ == "__main__":
    main()
