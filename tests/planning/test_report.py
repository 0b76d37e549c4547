"""planning.html: every number is one of the plan's, and every status has a sentence."""

import numpy as np
import pytest

from pdsim import Scenario, plan
from pdsim.planning import Costs
from pdsim.reports.plainwords import words_of
from pdsim.reports.planning import plan_document, write_plan
from pdsim.reports.planwords import MEASURE_WORDS, SIZE_WORDS
from pdsim.simulation import PERFORMANCE

DRAWN = Scenario(kind="normal", sd_change_facility=1.0, unit_sd=3.0)


def sentence(tree):
    return words_of(plan_document(tree).sections[0].blocks[0].text)


def test_every_measure_and_size_has_words():
    assert set(MEASURE_WORDS) == set(PERFORMANCE)
    assert set(SIZE_WORDS) == {"trials", "facilities", "indicators", "rounds"}


@pytest.fixture(scope="module")
def costed():
    return plan(
        DRAWN,
        target="overlap_top >= 0.75",
        over="cost",
        precision=0.2,
        grid={"facilities": (6, 12)},
        costs=Costs(per_facility=50, per_case=1),
        ranges={"sd_change_facility": (0.8, 1.2)},
        assurance="ranges",
        budget=1500.0,
        seed=3,
    )


def test_the_whole_report(costed, tmp_path):
    (path,) = write_plan(costed, tmp_path)
    assert path.name == "planning.html"
    document = plan_document(costed)
    assert [section.title for section in document.sections] == [
        "The answer", "Assurance", "Designs and budgets", "Sensitivity", "Assumptions",
    ]  # fmt: skip
    answer = costed["answer"]
    text = sentence(costed)
    assert text.startswith("The cheapest of 2 designs has")
    assert f"with {int(answer.n)} cases" in text
    low, high = int(np.ceil(answer.n_low)), int(np.ceil(answer.n_high))
    assert f"(95 % interval {low} to {high})" in text
    assert f"{float(answer.cost):,.0f}" in text
    assumed = document.tables["assumptions"]
    assert assumed.value("sd_change_facility", "range") == "0.8 to 1.2"
    assert assumed.value("costs.per_facility", "value") == "50"
    assert "indicators" not in assumed.positions


def test_the_best_design_for_the_budget_is_named(costed):
    table = plan_document(costed).tables["frontier-table"]
    frontier = costed["frontier"].to_dataset().sel(budget=1500.0)
    best = frontier.isel(design=int(frontier.best))
    assert float(best.value) == float(frontier.value.max())
    assert table.value("1500", "value") == float(best.value)
    assert table.value("1500", "facilities") == int(best.facilities)


def test_what_cannot_be_reached_is_said_with_its_ceiling():
    # a tenth of the truth's weight is not where the analysis looks
    blind = Scenario(
        indicators=2, weighting="given", weights=(0.9, 0.1), target_weights=(0.1, 0.9), trials=10
    )
    tree = plan(blind, target="pcs_top >= 0.9", high=500, precision=0.2)
    answer = tree["answer"]
    assert answer.attrs["status"] == "not_reachable"
    assert float(answer.ceiling) < 0.9 - 3 * float(answer.ceiling_mcse)
    assert (
        f"with 500 cases observed per facility and period the {MEASURE_WORDS['pcs_top']} is "
        f"{float(answer.ceiling):.3f}" in sentence(tree)
    )


def test_more_facilities_make_it_harder():
    tree = plan(DRAWN, target="overlap_top >= 0.7", over="facilities", high=60, precision=0.3)
    assert not tree["answer"].attrs["rising"]
    assert sentence(tree).startswith(f"With at most {int(tree['answer'].n)} facilities")


def test_a_target_met_everywhere():
    tree = plan(DRAWN, target="overlap_top >= 0.4", low=5, high=500, precision=0.3)
    assert sentence(tree).startswith("With 5 cases observed per facility and period, the end")
