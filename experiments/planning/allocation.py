"""Does the recommended allocation of the next cases beat an equal one? Paired simulation."""

import sys

import pdsim
from pdsim.planning import check_allocation, next_cases

CASES, REPLICATES = 200, 1000


def main():
    scenario = pdsim.Scenario(facilities=10, indicators=14, domains=2, trials=20)
    _, study = pdsim.simulate(scenario, replicate=0, seed=1)
    fit = pdsim.fit(study, engine="laplace", seed=1)
    allocation = next_cases(fit, cases=CASES)
    found = check_allocation(fit, allocation, replicates=REPLICATES)
    sys.stdout.write(
        f"recommended {allocation.recommended.to_numpy().astype(int).tolist()}\n"
        f"P(correct set): recommended {float(found.pcs_recommended):.3f}, equal "
        f"{float(found.pcs_equal):.3f}, gain {float(found.gain):.3f} "
        f"(MCSE {float(found.gain_mcse):.3f}, {REPLICATES} pairs)\n"
    )


if __name__ == "__main__":
    main()
