"""Replicates a second of rules that need no posterior, beside NumPy binomials, in one run.

Prints, for 10 facilities x 14 indicators, whole replicates (truth, data, top 3, all measures) and
their stages, and the same study with `numpy.random.Generator.binomial` in place of our counts.
"""

import time
from collections.abc import Callable

import numpy as np

from pdsim.simulation import COLUMNS, Scenario, run_block
from pdsim.simulation.judge import judge
from pdsim.simulation.observed_rules import decide_observed
from pdsim.simulation.observing import observe
from pdsim.simulation.targets import true_values
from pdsim.simulation.truth import draw_truth

REPLICATES = range(500)
ROUNDS = 7


def seconds(work: Callable[[], object]) -> float:
    """Return the least time of some rounds, after one that compiles."""
    work()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def measure_scenario(scenario: Scenario) -> dict[str, float]:
    """Return microseconds per replicate of each stage and of the whole."""
    truth = draw_truth(scenario, REPLICATES, 1)
    observed = observe(scenario, truth, REPLICATES, 1)
    decision = decide_observed(scenario, observed)
    out = np.empty((len(REPLICATES), len(COLUMNS)))
    generator = np.random.default_rng(1)
    trials = np.full(truth.level.shape, scenario.trials)
    stages: dict[str, Callable[[], object]] = {
        "truth": lambda: draw_truth(scenario, REPLICATES, 1),
        "data": lambda: observe(scenario, truth, REPLICATES, 1),
        "numpy data": lambda: generator.binomial(trials, truth.level),
        "decision": lambda: decide_observed(scenario, observed),
        "measures": lambda: judge(true_values(scenario, truth), decision, scenario.m, out),
        "whole": lambda: run_block([scenario], REPLICATES, seed=1),
    }
    return {name: 1e6 * seconds(work) / len(REPLICATES) for name, work in stages.items()}


def main() -> None:
    names = ("truth", "data", "numpy data", "decision", "measures", "whole")
    print(f"{'rule':16}{'trials':>7}" + "".join(f"{name:>12}" for name in names) + f"{'per s':>10}")
    for rule in ("observed_change", "z_score"):
        for trials in (16, 40, 64, 150):
            scenario = Scenario(indicators=14, domains=2, trials=trials, rule=rule)
            found = measure_scenario(scenario)
            figures = "".join(f"{found[name]:12.2f}" for name in names)
            print(f"{rule:16}{trials:7d}{figures}{1e6 / found['whole']:10,.0f}")
    print("microseconds a replicate on one core; per s: whole replicates a second")


if __name__ == "__main__":
    main()
