"""Controls in a plan, and simulated controls."""

import numpy as np
import pytest

from pdsim.errors import InputError
from pdsim.planning.control_design import control_design
from pdsim.simulation import Scenario
from pdsim.simulation.control_arm import simulate_controls


def test_precision_of_endline_change_and_both():
    """Frison and Pocock (1992): variances 1 : 2 (1 - rho) : 1 - rho^2; at .7: 1, .6, .51."""
    design = control_design(10**9, 0.5, 0.7)  # with endless cases r is that of the levels
    assert design.r == pytest.approx(0.7)
    assert design.change / design.post == pytest.approx(0.6)
    assert design.ancova / design.post == pytest.approx(0.51)


def test_cluster_trial_with_a_baseline():
    """Teerenstra and others (2012): m = 20, icc .05, cac .8."""
    design = control_design(20, 0.05, 0.8)
    assert design.r == pytest.approx(0.410256, abs=5e-7)
    assert design.ancova == pytest.approx(1.6218, abs=5e-5)
    assert design.post == pytest.approx(1.95)
    assert design.change == pytest.approx(2.30)


def test_half_width_is_that_of_independent_cases_without_correlation():
    design = control_design(25, 0.0, 0.0)
    found = design.half_width(50.0, facilities=10, controls=10, cases=25, z=1.96)
    assert found == pytest.approx(1.96 * 50 / 5 * np.sqrt(0.2))
    with pytest.raises(InputError, match="icc and cac between 0 and 1"):
        control_design(20, 1.5, 0.8)


def test_simulated_controls_change_by_the_trend_alone():
    scenario = Scenario(
        facilities=400, trials=20, baseline_level=0.4, improvement=20.0, secular_trend=10.0,
        sd_baseline_facility=0.0, sd_change_facility=0.0, sd_baseline_indicator=0.0,
        sd_change_indicator=0.0,
    )  # fmt: skip
    truth, study = simulate_controls(scenario, 400, seed=1)
    change = 100 * (truth["level"].isel(period=1) - truth["level"].isel(period=0))
    by_arm = change.mean("indicator").groupby("arm").mean()
    assert float(by_arm.sel(arm="programme")) == pytest.approx(30.0)
    assert float(by_arm.sel(arm="control")) == pytest.approx(10.0)
    assert study.control.sum() == 400
    data = study.data
    share = (data["successes"] / data["trials"]).isel(period=1).mean("indicator")
    found = share.groupby("arm").mean()
    error = 0.5 / np.sqrt(400 * 20)
    assert float(found.sel(arm="control")) == pytest.approx(0.5, abs=4 * error)
    with pytest.raises(InputError, match="set sd_beta to 0"):
        simulate_controls(Scenario(sd_beta=0.2), 4)
