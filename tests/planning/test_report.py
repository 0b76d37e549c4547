"""planning.html: every number is one of the plan's, and every status has a sentence."""

from dataclasses import fields

import numpy as np
import pytest
import xarray as xr

from pdsim import Scenario, plan
from pdsim.analysis import write_plan
from pdsim.planning import Costs
from pdsim.reports.formats.document import Paragraph
from pdsim.reports.formats.plainwords import words_of
from pdsim.reports.plan.plan_document import plan_document
from pdsim.reports.plan.plan_words import (
    SETTING_WORDS,
    SIZE_WORDS,
)  # fmt: skip
from pdsim.simulation import MEASURES

DRAWN = Scenario(kind="normal", sd_change_facility=1.0, unit_sd=3.0)


def sentence(tree):
    """Return the first sentences: on the budget, if there is one, and the answer."""
    blocks = plan_document(tree).sections[0].blocks
    texts = [words_of(block.text) for block in blocks if isinstance(block, Paragraph)]
    return " ".join(texts[: 2 if "budget" in tree.children else 1])


def test_every_measure_and_size_has_words():
    assert set(SIZE_WORDS) == {"trials", "facilities", "indicators", "rounds"}
    settings = {field.name for field in fields(Scenario)}
    settings |= {f"costs.{field.name}" for field in fields(Costs)}
    assert set(SETTING_WORDS) == settings


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
        "The answer", "In figures", "Assurance", "Designs and budgets", "In the field",
        "Sensitivity", "Assumptions",
    ]  # fmt: skip
    answer = costed["answer"]
    text = sentence(costed)
    assert text.startswith("The budget of 1,500 is ")
    assert "The cheapest of 2 designs has" in text
    assert f"with {int(answer.n)} cases" in text
    low, high = int(np.ceil(answer.n_low)), int(np.ceil(answer.n_high))
    assert f"(95 % interval of the simulation {low} to {high})" in text
    assert f"{float(answer.cost):,.0f}" in text
    drawn = document.tables["drawn"]
    assert drawn.value("sd_change_facility", "stated") == "1"
    # quantiles of a uniform between 0.8 and 1.2 of 1,000 draws: standard error at most 0.0064
    for key, quantile in (("drawn_low", 0.81), ("drawn_median", 1.0), ("drawn_high", 1.19)):
        assert abs(drawn.value("sd_change_facility", key) - quantile) < 4 * 0.0064
    assumed = document.tables["assumptions"]
    assert assumed.value("sd_change_facility", "range") == "0.8 to 1.2"
    assert assumed.value("costs.per_facility", "value") == "50"
    assert assumed.value("costs.per_facility", "source") == "you"
    assert assumed.value("costs.per_visit", "source") == "default"
    assert assumed.value("trials", "source") == ""
    assert "indicators" not in assumed.positions
    # what is planned is not assumed
    assert assumed.value("trials", "value") == assumed.value("facilities", "value") == "planned"
    assert "The best are the 3 facilities with the largest true value." in text


def test_the_best_design_for_the_budget_is_named(costed):
    table = plan_document(costed).tables["frontier-table"]
    frontier = costed["frontier"].to_dataset().sel(budget=1500.0)
    best = frontier.isel(design=int(frontier.best))
    assert float(best.value) == float(frontier.value.max())
    assert table.value("1500", "value") == float(best.value)
    assert table.value("1500", "facilities") == int(best.facilities)


def test_designs_that_the_simulation_does_not_tell_apart_are_named(costed):
    tree = costed.copy(deep=True)
    frontier, best = tree["frontier"], int(tree["frontier"].best.sel(budget=1500.0))
    other = 1 - best
    gap = float(frontier.value.sel(budget=1500.0)[best] - frontier.value.sel(budget=1500.0)[other])

    def named(shift):
        moved = costed["frontier"].to_dataset().copy(deep=True)
        for name in ("value", "value_low", "value_high"):
            moved[name][:, other] += gap - shift
        tree["frontier"] = xr.DataTree(moved)
        table = plan_document(tree)
        texts = [words_of(block.text) for section in table.sections for block in section.blocks
                 if isinstance(block, Paragraph)]  # fmt: skip
        return f"does not tell it from {[6, 12][other]} facilities" in " ".join(texts)

    half = (frontier.value_high - frontier.value_low).sel(budget=1500.0) / 2
    error = float(np.hypot(*half))
    assert named(0.9 * error)
    assert not named(1.1 * error)


def test_a_design_whose_cost_overlaps_is_about_as_cheap(costed):
    designs = costed["designs"].to_dataset()
    best, other = int(designs.cheapest.argmax("design")), int(designs.cheapest.argmin("design"))

    def result(cost_low):
        tree, moved = costed.copy(deep=True), designs.copy(deep=True)
        moved["status"][other] = "found"
        moved["cost_low"][other] = cost_low
        tree["designs"] = xr.DataTree(moved)
        table = plan_document(tree).tables["designs"]
        assert table.value(f"design {best + 1}", "result") == "cheapest"
        return table.value(f"design {other + 1}", "result")

    highest = float(designs.cost_high[best])
    assert result(highest - 1) == "about as cheap"
    assert result(highest + 1) == "dearer"


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
        f"up to 500 cases observed per facility and period: there the {MEASURES['pcs_top'].words} "
        f"is {float(answer.ceiling):.3f}" in sentence(tree)
    )
    table = plan_document(tree).tables["answer-table"]
    assert [column.header for column in table.columns] == [
        "Scenario", "End of the range", "Measure there", "MCSE",
    ]  # fmt: skip


def test_more_facilities_make_it_harder():
    tree = plan(DRAWN, target="overlap_top >= 0.7", over="facilities", high=60, precision=0.3)
    assert not tree["answer"].attrs["rising"]
    assert sentence(tree).startswith(f"With at most {int(tree['answer'].n)} facilities")


def test_a_target_met_everywhere():
    tree = plan(DRAWN, target="overlap_top >= 0.4", low=5, high=500, precision=0.3)
    assert sentence(tree).startswith("With 5 cases observed per facility and period, the end")


def test_a_loss_has_its_unit():
    tree = plan(
        Scenario(trials=20, indicators=2), target="regret_top <= 2", precision=0.3,
        ranges={"sd_change_facility": (0.5, 0.7)},
    )  # fmt: skip
    assert "is about 2 percentage points, if the assumptions" in sentence(tree)
    table = plan_document(tree).tables["sensitivity-table"]
    found = tree["sensitivity"].sel(assumption="sd_change_facility", end="low")
    assert table.value("sd_change_facility", "low_n_high") == np.ceil(found.n_high)
    # the assumed value is the upper end of its range
    assert found.n > tree["answer"].crossing
    stated = tree["sensitivity"].sel(assumption="sd_change_facility", end="high")
    assert float(stated.n_low) == float(tree["answer"].n_low)
