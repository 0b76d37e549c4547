"""The budget first, what visits cost, and the first answer by normal theory."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from pdsim import Scenario, plan
from pdsim.planning import Costs, best_cases_per_visit, look_at_plan, parse_target
from pdsim.planning.budget import affordable_size, least_size, price_dataset
from pdsim.planning.dropout import dropout_dataset
from pdsim.planning.question import Question
from pdsim.planning.stand_in import compare_rules
from pdsim.planning.start import signal_of
from pdsim.reports.formats.document import Paragraph, Picture
from pdsim.reports.formats.plainwords import words_of
from pdsim.reports.plan.plan_document import plan_document
from pdsim.simulation import run_block, summarise

DRAWN = Scenario(kind="normal", sd_change_facility=1.0, unit_sd=3.0)
COSTS = Costs(per_facility=10, per_case=1, currency="EUR")


def first(tree):
    blocks = plan_document(tree).sections[0].blocks
    return next(words_of(block.text) for block in blocks if isinstance(block, Paragraph))


def test_a_budget_that_is_too_small_is_said_first():
    tree = plan(
        DRAWN, target="overlap_top >= 0.8", precision=0.3, costs=COSTS, budget=250.0, seed=2
    )
    found = tree["budget"]
    # 100 for the facilities leaves 15 cases for each of ten
    assert (float(found.size), float(found.size_cost)) == (15.0, 250.0)
    assert float(found.cost) == float(tree["answer"].cost) > 250
    assert float(found.factor) == float(found.cost) / 250
    assert float(found.value) < 0.8
    text = first(tree)
    assert text.startswith("The budget of 250 EUR is not enough: the target takes")
    assert f"{float(found.factor):.1f} times as much" in text
    assert "It buys 15 cases" in text


def test_a_budget_that_pays_for_nothing_says_what_the_smallest_study_takes():
    tree = plan(
        DRAWN, target="overlap_top >= 0.8", precision=0.3, costs=COSTS, budget=105.0, seed=2
    )
    # 100 for the facilities, and one case in each of ten
    assert "does not pay for the smallest study, which takes 110 EUR." in first(tree)
    blocks = plan_document(tree).sections[0].blocks
    assert [block.key for block in blocks if isinstance(block, Picture)] == ["curve"]


def test_the_smallest_study_of_facilities_has_more_than_one():
    asked = Question(
        scenario=Scenario(), target=parse_target("pcs_top >= 0.8"), over="facilities", low=10,
        high=1000,
    )  # fmt: skip
    costs = Costs(per_facility=100.0, per_case=0.001)
    least = least_size(asked, costs)
    assert least > 1
    assert affordable_size(asked, costs, 100.0 * least - 1) == 0
    assert affordable_size(asked, costs, 2090.0) == 20


def test_a_budget_that_is_enough():
    tree = plan(
        DRAWN, target="overlap_top >= 0.6", precision=0.3, costs=COSTS, budget=2000.0, seed=2
    )
    assert first(tree).startswith("The budget of 2,000 EUR is enough")
    answer = tree["answer"]
    assert float(answer.n) < float(answer.n_certain) < float(answer.n_high) + 1
    assert float(answer.cost_certain) == 100 + 10 * float(answer.n_certain)


def test_one_is_singular():
    easy = replace(DRAWN, m=1, unit_sd=1.0)
    tree = plan(easy, target="overlap_top >= 0.2", low=1, high=50, precision=0.3, seed=2)
    assert first(tree).startswith("With 1 case observed per facility and period, the end")
    tree = plan(easy, target="overlap_top >= 0.7", precision=0.5, seed=2)
    assert "The best is the facility with the largest true value." in first(tree)


def test_the_undecided_end_is_named():
    hard = replace(DRAWN, m=1)
    tree = plan(hard, target="overlap_top >= 0.2", low=1, high=50, precision=0.3, seed=2)
    assert tree["answer"].attrs["status"] == "undecided"
    assert first(tree).startswith("Too close to call: with 1 case observed")


def test_the_best_visit_is_that_of_the_closed_form():
    # r = 0.1 and a visit as dear as 16 cases: sqrt(16 x 9) = 12
    costs = Costs(per_visit=16, per_case=1)
    assert best_cases_per_visit(16, 1, 0.1) == pytest.approx(12)
    scenario = Scenario(
        kind="normal", means=(0.5,) * 3 + (0.0,) * 7, unit_sd=3.0, visit_correlation=0.1
    )
    sizes = (3, 6, 12, 24, 48)
    tree = plan(
        scenario, target="pcs_top >= 0.8", over="cost", costs=costs,
        grid={"cases_per_visit": sizes}, precision=0.05, seed=1, high=20_000,
    )  # fmt: skip
    designs = tree["designs"].to_dataset()
    assert designs["cases_per_visit"].to_numpy().tolist() == list(sizes)
    best = int(designs["cheapest"].argmax("design"))
    # no design is surely cheaper than that of the closed form
    form = designs.isel(design=sizes.index(12))
    assert float(designs["cost_high"][best]) >= float(form["cost_low"])
    # and the ends are surely dearer
    for end in (0, -1):
        assert float(designs["cost_low"][end]) > float(form["cost"])
    assert float(tree["visits"].best) == pytest.approx(12)


def test_the_expected_costs_of_visits_are_those_of_the_formula():
    costs = Costs(per_visit=16, per_case=1)
    b = np.arange(1, 60)
    variance_times_cost = (0.1 + 0.9 / b) * (costs.per_visit + b * costs.per_case)
    assert b[variance_times_cost.argmin()] == 12


def test_drop_outs_of_a_certain_study():
    # nothing is measured wrongly: only who is gone cannot be named
    scenario = Scenario(kind="normal", sd_change_facility=1.0, unit_sd=1e-3, trials=10)
    asked = Question(
        scenario=scenario, target=parse_target("pcs_top >= 0.8"), over="trials", low=2, high=100
    )
    for target, expected in (("pcs_top >= 0.8", 0.7), ("overlap_top >= 0.8", 0.9)):
        found = dropout_dataset(replace(asked, target=parse_target(target)), n=10, share=0.1)
        assert (int(found.lost), float(found.value)) == (1, pytest.approx(1.0, abs=0.005))
        error = 4 * float(found.change_mcse)
        assert abs(float(found.value_after) - expected) < error
        assert error < 0.05


def test_the_price_of_unequal_spreads():
    scenario = Scenario(
        facilities=40, indicators=10, sd_baseline_facility=0.0, sd_change_facility=0.3,
        sd_baseline_indicator=0.0, sd_change_indicator=0.0, improvement=0.0,
    )  # fmt: skip
    asked = Question(
        scenario=scenario, target=parse_target("pcs_top >= 0.8"), over="trials", low=2, high=10**4
    )
    prices = price_dataset(asked, COSTS, n=1000)
    # the composite of a truth has the facilities' effects times the mean of its factors exp(h z);
    # with it, and by chance among 40 facilities, the true variance differs from truth to truth
    rng = np.random.default_rng(1)
    chance = rng.chisquare(39, size=400_000) / 39
    factor = np.exp(0.5 * rng.normal(size=(400_000, 10)) - 0.5**2).mean(axis=1) ** 2
    # the variance left on average, (1 - 1/K) exp(-h^2) + 1/K
    assert factor.mean() == pytest.approx(0.9 * np.exp(-(0.5**2)) + 0.1, rel=0.01)
    signal = signal_of(scenario, seed=1)
    noise = signal.error(1000) ** 2 / signal.between**2

    def reliability(variance, n):
        return (variance / (variance + noise * 1000 / n)).mean()

    sizes = np.arange(1000, 2500)
    reached = [reliability(factor * chance, n) >= reliability(chance, 1000) for n in sizes]
    expected = sizes[np.argmax(reached)]
    # 11 % more than the mean variances tell
    assert expected > 1.05 * 1000 / factor.mean()
    # the prices are of 4,096 truths, whose variance differs by a factor of coefficient .34 and more
    assert float(prices["size"].sel(change="heterogeneity")) == pytest.approx(
        expected, rel=4 * np.hypot(0.014, 0.5 / np.sqrt(4096))
    )


def test_the_error_of_missing_cells():
    scenario = Scenario(facilities=10, indicators=40, sd_beta=0.5, missing=0.1, trials=5000)
    expected = signal_of(scenario, seed=1).error(5000)
    block = run_block([scenario], range(400), seed=2)
    found = float(summarise(block.measures[0], block.status[0]).rmse)
    # standard deviations of 4,000 and of 2,560 errors; the ratio of means adds (1 - q)/(K q)
    assert abs(np.log(found / expected)) < 4 * np.hypot(0.011, 0.014) + 0.006


def test_what_the_evaluation_is_worth():
    tree = plan(
        DRAWN, target="overlap_top >= 0.7", precision=0.3,
        costs=Costs(per_case=1, per_wrong=1000), seed=2,
    )  # fmt: skip
    worth = tree["worth"]
    assert float(worth.by_lot) == pytest.approx(0.9)
    assert float(worth.right) == pytest.approx(3 * 0.7, abs=0.15)
    assert float(worth.worth) == pytest.approx(
        1000 * float(worth.right - worth.by_lot) - float(worth.cost)
    )


def test_a_first_answer(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(
        'target = "pcs_top >= 0.95"\nbudget = 400\n[scenario]\nkind = "normal"\n'
        "means = [0.5, 0.5, 0.5, 0, 0, 0, 0, 0, 0, 0]\n[costs]\nper_case = 1\n"
    )
    first_answer = look_at_plan(path)
    assert (first_answer.n, first_answer.cost, first_answer.affordable) == (60.0, 600.0, 40.0)


def test_a_rule_that_stands_in_is_compared():
    tree = plan(
        Scenario(facilities=6, m=2, trials=20), target="overlap_top >= 0.7", precision=0.5,
        stand_in=20, seed=1,
    )  # fmt: skip
    rules = tree["rules"].to_dataset()
    assert rules.attrs["planned_rule"] == "observed_change"
    assert rules.attrs["analysed_rule"] == "p_top"
    assert list(rules["measure"].to_numpy()) == ["overlap_top", "pcs_top"]
    gap = rules["analysed"] - rules["planned"]
    assert np.allclose(gap, rules["difference"])


def test_rules_that_no_study_tells_apart_may_still_differ():
    tree = plan(
        Scenario(facilities=6, m=2, trials=20), target="overlap_top >= 0.7", precision=0.5,
        stand_in=10, seed=1,
    )  # fmt: skip
    rules = tree["rules"].to_dataset()
    rules["difference"][:] = 0.0
    rules["difference_mcse"][:] = np.nan
    # 0 of 10: 1 - 0.025^(1/10)
    rules["differ_high"][:] = 0.3085
    tree["rules"] = xr.DataTree(rules)
    document = plan_document(tree)
    blocks = document.sections[0].blocks
    texts = [words_of(block.text) for block in blocks if isinstance(block, Paragraph)]
    assert any(
        "so they differ in a share of at most 0.31 of such studies" in text for text in texts
    )
    same = Question(
        scenario=Scenario(facilities=6, m=2, trials=20), target=parse_target("pcs_top >= 0.5"),
        over="trials", low=2, high=100,
    )  # fmt: skip
    found = compare_rules(same, n=20, rule="observed_change", replicates=10)
    assert np.isnan(found["difference_mcse"]).all()
    assert found["differ_high"].to_numpy() == pytest.approx(0.3085, abs=1e-4)
