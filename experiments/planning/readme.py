"""Write results/planning/README.md from the tables beside it."""

from pathlib import Path

import numpy as np
import pandas as pd
from experiments.planning.allocation import CASES, SETTLED

from pdsim.files import write_atomically

RESULTS = Path("results/planning")


def gain_sentence(correlation: float, studies: pd.DataFrame) -> str:
    """Return what the allocation gains over open studies with one correlation within a case."""
    found = studies[studies["pairs"] > 0]
    settled = studies[studies["pairs"] == 0]
    # pairs of different studies are independent
    error = np.sqrt((found["gain_mcse"] ** 2).sum()) / len(found)
    expected = (found["expected_recommended"] - found["expected_equal"]).mean()
    left_out = (
        f". Settled, with a probability of the set above {SETTLED:g}, and left out by that rule, "
        f"stated before: {len(settled)}."
    )
    return (
        f"- Simulated studies of 10 x 14 at 20 cases with a correlation within a case of "
        f"{correlation:g} whose top 3 is open ({len(found)}): the recommended allocation of the "
        f"next {CASES} cases raises the probability that the named top 3 are the true ones by "
        f"{found['gain'].mean():.3f} (MCSE {error:.3f}) over equal allocation, in "
        f"{found['pairs'].sum():,} pairs; {expected:.3f} was expected by normal theory{left_out}"
    )


def price_sentence(prices: pd.DataFrame) -> str:
    """Return how far prices by normal theory are from simulated ones."""
    found = prices[prices["change"] != "none"]
    parts = [
        f"{row.change} {row.priced:,.0f} priced, {row.simulated:,.0f} simulated "
        f"({100 * np.expm1(row.log_gap):+.0f} %, MCSE {100 * row.log_gap_mcse:.0f} points)"
        for row in found.itertuples()
    ]
    base = prices["simulated"][prices["change"] == "none"].iloc[0]
    return (
        f"- Cases per cell that a circumstance of the field takes, where {base:,.0f} are planned: "
        f"{'; '.join(parts)}."
    )


def power_sentence(power: pd.DataFrame) -> str:
    """Return whether power falls anywhere with more cases."""
    worst = power["worst_fall_mcse"].max()
    return (
        f"- Power in {len(power)} random scenarios from 1 to 200 cases a cell: the worst fall "
        f"between any two sizes is {max(worst, 0):.1f} MCSE (at most 3 allowed)."
    )


def main() -> None:
    coverage = pd.read_csv(RESULTS / "coverage.csv")
    allocation = pd.read_csv(RESULTS / "allocation.csv")
    held = [
        f"- {row.question}: the 95 % interval for n holds {row.truth:g} ({row.source}) in "
        f"{row.held} of {row.plans} repeated plans (MCSE {row.held_mcse:g}), at "
        f"{row.replicates_median:,} replicates a plan (median)."
        for row in coverage.itertuples()
    ]
    prices = price_sentence(pd.read_csv(RESULTS / "prices.csv"))
    gains = [gain_sentence(*group) for group in allocation.groupby("case_correlation")]
    text = (
        "# Do plans hold what they state?\n\n"
        "Intervals are asked to be within 10 % of n.\n\n"
        + "\n".join(held)
        + "\n\n"
        + "\n".join(gains)
        + f"\n\n{prices}"
        + f"\n{power_sentence(pd.read_csv(RESULTS / 'power.csv'))}"
        + "\n\n`coverage.csv`, `allocation.csv`, `prices.csv` and `power.csv` have every figure. "
        "Made by "
        "`python -m experiments.planning.coverage`, `python -m experiments.planning.allocation`, "
        "`python -m experiments.planning.prices`, `python -m experiments.planning.power` "
        "and `python -m experiments.planning.readme`.\n"
    )
    write_atomically(RESULTS / "README.md", text)


if __name__ == "__main__":
    main()
