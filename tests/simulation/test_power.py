"""Power does not fall as cases are added, even from one case a cell on."""

from dataclasses import replace

import numpy as np
import pytest

from pdsim.simulation import Scenario, run_block, summarise

SIZES = (1, 2, 3, 4, 6, 10, 20, 50, 200)
REPLICATES = 800
# facilities, indicators, domains, m, baseline, improvement, SD of the change, within-case r
WORLDS = [
    (8, 1, 1, 2, 0.5, 12.0, 0.7, 0.0), (10, 1, 1, 3, 0.5, 12.0, 0.7, 0.0),
    (10, 1, 1, 1, 0.1, 49.0, 0.7, 0.0), (20, 1, 1, 3, 0.9, 5.0, 0.7, 0.0),
    (6, 1, 1, 2, 0.2, 20.0, 1.2, 0.0), (10, 2, 1, 3, 0.5, 12.0, 0.7, 0.0),
    (10, 2, 1, 3, 0.05, 10.0, 0.7, 0.3), (10, 3, 1, 3, 0.85, 10.0, 0.7, 0.1),
    (12, 4, 2, 3, 0.4, 13.0, 0.4, 0.1), (10, 14, 2, 3, 0.12, 49.0, 0.7, 0.1),
    (10, 14, 2, 3, 0.12, 49.0, 0.7, 0.0), (10, 14, 2, 3, 0.4, 13.0, 0.4, 0.6),
    (8, 5, 1, 2, 0.02, 3.0, 0.7, 0.0), (8, 5, 1, 2, 0.97, 2.0, 0.7, 0.0),
    (30, 7, 1, 5, 0.3, 30.0, 0.5, 0.2), (4, 1, 1, 1, 0.5, 12.0, 0.7, 0.0),
    (3, 1, 1, 1, 0.5, 40.0, 1.0, 0.0), (40, 1, 1, 4, 0.6, 10.0, 0.9, 0.0),
    (10, 8, 4, 3, 0.7, 20.0, 1.5, 0.1), (10, 1, 1, 3, 0.5, 12.0, 0.0, 0.0),
]  # fmt: skip


@pytest.mark.parametrize("world", WORLDS)
def test_power_does_not_fall_in_the_number_of_cases(world):
    facilities, indicators, domains, m, baseline, improvement, sd, r = world
    scenario = Scenario(
        facilities=facilities, indicators=indicators, domains=domains, m=m,
        baseline_level=baseline, improvement=improvement, sd_change_facility=sd,
        case_correlation=r, outlying=() if sd else (1.0,) * m,
    )  # fmt: skip
    found = []
    for size in SIZES:
        # data at n cases are a prefix of those at more, so each size has replicates of its own
        block = run_block([replace(scenario, trials=size)], range(REPLICATES), seed=(1, size))
        found.append(summarise(block.measures[0], block.status[0]))
    power = np.array([float(one.power) for one in found])
    error = np.array([float(one.power_mcse) for one in found])
    for later in range(1, len(SIZES)):
        fall = power[:later] - power[later]
        assert (fall <= 3 * np.hypot(error[:later], error[later])).all(), SIZES[later]
    width = [float(one.width) for one in found]
    assert min(width) > 0
    if indicators == 1:
        # wide enough at one case a cell, where an interval of p (1 - p) / n has no width
        assert float(found[0].coverage) > 0.95 - 3 * float(found[0].coverage_mcse)
