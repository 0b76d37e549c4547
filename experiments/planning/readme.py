"""Write results/planning/README.md from the tables beside it."""

from pathlib import Path

import numpy as np
import pandas as pd

from pdsim.files import write_atomically

RESULTS = Path("results/planning")


def main() -> None:
    coverage = pd.read_csv(RESULTS / "coverage.csv")
    allocation = pd.read_csv(RESULTS / "allocation.csv")
    held = [
        f"- {row.question}: the 95 % interval for n holds {row.truth:g} ({row.source}) in "
        f"{row.held} of {row.plans} repeated plans (MCSE {row.held_mcse:g}), at "
        f"{row.replicates_median:,} replicates a plan (median)."
        for row in coverage.itertuples()
    ]
    # pairs of different studies are independent
    error = np.sqrt((allocation["gain_mcse"] ** 2).sum()) / len(allocation)
    expected = (allocation["expected_recommended"] - allocation["expected_equal"]).mean()
    gain = (
        f"- Simulated studies of 10 x 14 at 20 cases whose top 3 is open ({len(allocation)}): the "
        "recommended allocation of the next 200 cases raises the probability that the named top 3 "
        f"are the true ones by {allocation['gain'].mean():.3f} (MCSE {error:.3f}) over "
        f"equal allocation, in {allocation['pairs'].sum():,} pairs; "
        f"{expected:.3f} was expected by normal theory."
    )
    text = (
        "# Do plans hold what they state?\n\n"
        "Intervals are asked to be within 10 % of n.\n\n"
        + "\n".join(held)
        + "\n\n"
        + gain
        + "\n\n`coverage.csv` and `allocation.csv` have every figure. Made by "
        "`python -m experiments.planning.coverage`, `python -m experiments.planning.allocation` "
        "and `python -m experiments.planning.readme`.\n"
    )
    write_atomically(RESULTS / "README.md", text)


if __name__ == "__main__":
    main()
