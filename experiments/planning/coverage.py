"""How often a plan's 95 % interval holds the exact answer: 100 repeated plans (Bechhofer)."""

import sys

import numpy as np

from pdsim import Scenario, plan
from pdsim.planning import required_lead

PLANS = 100


def main():
    exact = (required_lead(0.95, facilities=10, m=3) / 0.5) ** 2
    scenario = Scenario(kind="normal", means=(0.5,) * 3 + (0.0,) * 7)
    held, spent = 0, []
    for seed in range(PLANS):
        answer = plan(scenario, target="pcs_top >= 0.95", seed=seed)["answer"]
        held += int(answer.n_low <= exact <= answer.n_high)
        spent.append(int(answer.replicates))
    sys.stdout.write(
        f"exact n {exact:.2f}: held by {held} of {PLANS} intervals; replicates of a plan "
        f"{np.median(spent):.0f} (median), {max(spent)} (most)\n"
    )


if __name__ == "__main__":
    main()
