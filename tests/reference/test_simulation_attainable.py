"""R3: what selection by observed value attains for exchangeable normal truth of reliability R.

Values by independent simulation with MCSE <= 0.0004; R = 0 is exact.
"""

import math

import pytest

from pdsim.simulation import Scenario, run_block, summarise

TABLE = {
    0.3: (0.5332, 0.0840, 0.0084, 0.2989),
    0.5: (0.6211, 0.1595, 0.0264, 0.1641),
    0.7: (0.7114, 0.2812, 0.0778, 0.0655),
    0.9: (0.8304, 0.5240, 0.2697, 0.0075),
}
NAMES = ("overlap_top", "pcs_top", "pcs_both", "wrong_end_top")


def summary_of(reliability):
    scenario = Scenario(
        kind="normal",
        facilities=10,
        m=3,
        sd_change_facility=math.sqrt(reliability),
        unit_sd=math.sqrt(1 - reliability),
        trials=1,
    )
    block = run_block([scenario], range(100_000), seed=2024)
    return summarise(block.measures[0], block.status[0])


@pytest.mark.parametrize("reliability", TABLE)
def test_attainable(reliability):
    summary = summary_of(reliability)
    for name, value in zip(NAMES, TABLE[reliability], strict=True):
        error = math.hypot(float(summary[f"{name}_mcse"]), 0.0004)
        assert abs(float(summary[name]) - value) < 4 * error, name


def test_no_reliability_is_a_lottery():
    summary = summary_of(0.0)
    # all true values tie, so every set is as right as any other, exactly
    assert float(summary.overlap_top) == pytest.approx(0.3)
    assert float(summary.pcs_top) == pytest.approx(1 / 120)
    assert float(summary.pcs_both) == pytest.approx(1 / (120 * 35))
