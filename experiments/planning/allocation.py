"""Does the recommended allocation of the next cases beat an equal one? Paired simulation."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import pdsim
from pdsim.files import write_atomically
from pdsim.planning import PRESETS, check_allocation, next_cases

RESULTS = Path("results/planning")
STUDIES, PAIRS = 5, 300
CASES = 200
SETTLED = 0.9
"""Probability of the set above which there is nothing left to gain."""


def compared(number: int) -> dict[str, object] | None:
    """Return one row: what the allocation of a study's next cases gains; None if settled."""
    # without correlation within a case a fit takes a third of the time
    scenario = replace(PRESETS["like_founding"].scenario, trials=20, case_correlation=0.0)
    _, study = pdsim.simulate(scenario, replicate=number, seed=1)
    fit = pdsim.fit(study, engine="laplace", seed=1)
    allocation = next_cases(fit, cases=CASES)
    if allocation["pcs_now"] > SETTLED:
        return None
    found = check_allocation(fit, allocation, replicates=PAIRS, seed=number)
    names = ("pcs_recommended", "pcs_equal", "gain")
    return {
        "study": number,
        "recommended": " ".join(f"{n:.0f}" for n in allocation["recommended"].to_numpy()),
        "pcs_now": round(float(allocation["pcs_now"]), 4),
        "expected_recommended": round(float(allocation["pcs_recommended"]), 4),
        "expected_equal": round(float(allocation["pcs_equal"]), 4),
        **{name: round(float(found[name]), 4) for name in names},
        **{f"{name}_mcse": round(float(found[f"{name}_mcse"]), 4) for name in names},
        "pairs": PAIRS,
        "unreliable": found.attrs["unreliable"],
    }


def main() -> None:
    rows: list[dict[str, object]] = []
    number = 0
    while len(rows) < STUDIES:
        row = compared(number)
        number += 1
        if row is not None:
            rows.append(row)
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()
    table = pd.DataFrame(rows)
    # pairs of different studies are independent
    error = np.sqrt((table["gain_mcse"] ** 2).sum()) / len(rows)
    sys.stdout.write(f"mean gain {table['gain'].mean():.4f} (MCSE {error:.4f})\n")
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_atomically(RESULTS / "allocation.csv", table.to_csv(index=False))


if __name__ == "__main__":
    main()
