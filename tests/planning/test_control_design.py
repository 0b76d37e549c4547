"""Controls in a plan, and simulated controls."""

from dataclasses import replace

import numpy as np
import pytest

from pdsim import Scenario, plan
from pdsim.errors import InputError
from pdsim.planning import Costs, parse_target
from pdsim.planning.control_arms import control_dataset, control_design
from pdsim.planning.question import Question
from pdsim.reports.formats.document import Paragraph
from pdsim.reports.formats.plainwords import words_of
from pdsim.reports.plan.plan_document import plan_document
from pdsim.simulation.observing import observe
from pdsim.simulation.truth import draw_truth


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


def test_half_widths_are_those_of_simulated_programmes():
    """Endline, change and analysis given the baseline, of 3,000 programmes with controls."""
    scenario = Scenario(
        facilities=40, controls=20, indicators=4, domains=2, trials=25, case_correlation=0.2,
        baseline_level=0.4, improvement=10.0, secular_trend=5.0, corr_facility=-0.3,
        sd_baseline_facility=0.6, sd_change_facility=0.4,
    )  # fmt: skip
    question = Question(
        scenario=scenario, target=parse_target("pcs_top >= 0.8"), over="trials", low=2, high=100
    )
    planned = control_dataset(question, Costs(per_case=1, per_facility=10), n=25)
    assert float(planned["cost"]) == 20 * (10 + 2 * 25)
    numbers = range(3000)
    observed = observe(scenario, draw_truth(scenario, numbers, 2), numbers, 2)
    start, end = np.moveaxis(100 * (observed.value / observed.size).mean(axis=2), -1, 0)
    mine = np.arange(60) < 40

    def apart(values):
        return values[:, mine].mean(axis=1) - values[:, ~mine].mean(axis=1)

    # the slope within arms
    first, last = start.copy(), end.copy()
    for part in (mine, ~mine):
        first[:, part] -= first[:, part].mean(axis=1, keepdims=True)
        last[:, part] -= last[:, part].mean(axis=1, keepdims=True)
    slope = (first * last).sum(axis=1) / (first**2).sum(axis=1)
    estimates = {
        "post": apart(end),
        "change": apart(end - start),
        "ancova": apart(end) - slope * apart(start),
    }
    assert float(planned["r"]) == pytest.approx(
        np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(first, last, strict=True)]), abs=0.03
    )
    for name, found in estimates.items():
        # 3,000 estimates, and the spread of 256 truths of 40 facilities; 57 degrees of freedom
        # of the slope and arms that differ in their ends add about 2 %
        error = 4 * np.hypot(1 / np.sqrt(6000), 1 / np.sqrt(2 * 256 * 40)) + 0.02
        assert float(planned[f"half_{name}"]) / 1.96 == pytest.approx(found.std(), rel=error), name


def test_a_plan_with_controls_says_what_they_cost_and_give():
    scenario = Scenario(
        facilities=10, controls=6, indicators=2, trials=20, estimand="effect_change",
        rule="observed_change",
    )  # fmt: skip
    costs = Costs(per_facility=100, per_case=1)
    tree = plan(scenario, target="overlap_top >= 0.7", precision=0.5, costs=costs, stand_in=0)
    n = float(tree["answer"].n)
    assert float(tree["answer"].cost) == 16 * (100 + 2 * n)
    assert float(tree["controls"].cost) == 6 * (100 + 2 * n)
    assert "controls" not in tree["prices"]["change"].to_numpy()
    said = "".join(
        words_of(block.text)
        for section in plan_document(tree).sections
        for block in section.blocks
        if isinstance(block, Paragraph)
    )
    half = float(tree["controls"].half_ancova)
    assert f"The 6 controls of the plan cost {6 * (100 + 2 * n):,.0f}" in said
    assert f"to about {half:.1f} percentage points on either side" in said
    # the same plan without controls is cheaper, and prices half as many
    without = plan(
        replace(scenario, controls=0, estimand="change"), target="overlap_top >= 0.7",
        precision=0.5, costs=costs, stand_in=0,
    )  # fmt: skip
    assert float(without["controls"].controls) == 5
    extra = float(without["prices"].extra.sel(change="controls"))
    assert extra == pytest.approx(float(without["controls"].cost))
