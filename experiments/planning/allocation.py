"""Does the recommended allocation of the next cases beat an equal one? Paired simulation.

Simulated studies are taken in order of their number until enough of them are open. One whose set
is settled, by the rule below and before any pair is run, has nothing to gain and is listed with no
pairs.
"""

import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd

import pdsim
from pdsim.files import write_atomically
from pdsim.planning import PRESETS, check_allocation, next_cases

RESULTS = Path("results/planning")
OPEN_STUDIES = {0.0: 5, 0.1: 2}
"""Open studies by their correlation within a case; with one, a fit takes three times as long."""
PAIRS = 300
CASES = 200
SETTLED = 0.9
"""Probability of the set above which there is next to nothing left to gain."""


def compared(number: int, correlation: float) -> dict[str, object]:
    """Return one row: what the allocation of a study's next cases gains."""
    scenario = replace(
        PRESETS["like_founding"].scenario, trials=20, case_correlation=correlation
    )  # fmt: skip
    _, study = pdsim.simulate(scenario, replicate=number, seed=1)
    fit = pdsim.fit(study, engine="laplace", seed=1)
    allocation = next_cases(fit, cases=CASES)
    row: dict[str, object] = {
        "case_correlation": correlation,
        "study": number,
        "recommended": " ".join(f"{n:.0f}" for n in allocation["recommended"].to_numpy()),
        "pcs_now": round(float(allocation["pcs_now"]), 4),
        "expected_recommended": round(float(allocation["pcs_recommended"]), 4),
        "expected_equal": round(float(allocation["pcs_equal"]), 4),
    }
    if allocation["pcs_now"] > SETTLED:
        return row | {"pairs": 0}
    found = check_allocation(fit, allocation, replicates=PAIRS, seed=number)
    names = ("pcs_recommended", "pcs_equal", "gain")
    return {
        **row,
        "pairs": PAIRS,
        **{name: round(float(found[name]), 4) for name in names},
        **{f"{name}_mcse": round(float(found[f"{name}_mcse"]), 4) for name in names},
        "unreliable": found.attrs["unreliable"],
    }


def main() -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    for correlation, wanted in OPEN_STUDIES.items():
        number = found = 0
        while found < wanted:
            rows.append(compared(number, correlation))
            number, found = number + 1, found + (rows[-1]["pairs"] == PAIRS)
            sys.stdout.write(f"{rows[-1]}\n")
            sys.stdout.flush()
            table = pd.DataFrame(rows).to_csv(index=False)
            write_atomically(RESULTS / "allocation.csv", table)


if __name__ == "__main__":
    main()
