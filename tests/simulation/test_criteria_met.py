"""`criteria_met`: who is named by criteria in simulated studies, and how many truly meet them."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import pdsim
from pdsim import simulate
from pdsim.errors import InputError
from pdsim.model.laplace import fit_many
from pdsim.planning import plan
from pdsim.simulation import COLUMNS, Scenario, run_block
from pdsim.simulation.philox import replicate_seed

TEXTS = (
    "top(change, 3)", "level[endline] >= 55", "not bottom(level[baseline], 25 %)",
    "change[domain 2] > 0", "change[indicator 1] < 60",
)  # fmt: skip
SMALL = Scenario(
    facilities=8, indicators=4, domains=2, trials=12, m=2, draws=200, rule="p_top",
    weighting="given", weights=(1.0, 2.0, 3.0, 4.0), criteria=TEXTS,
)  # fmt: skip
REPLICATES = range(12)


def by_criteria(row: int) -> tuple[np.ndarray, np.ndarray]:
    """Return who is named and who meets all, from the public functions and by hand."""
    truth, study = simulate(SMALL, row, seed=1)
    seeds = [replicate_seed(SMALL.fit_key, row, 1)]

    def draws(estimand: str, weights: tuple[float, ...]) -> xr.DataArray:
        weight = np.array([weights]) / sum(weights)
        fit = fit_many(
            [study], seeds=seeds, weights=weight, estimand=estimand, draws=200, keep_draws=True
        )
        return fit["draws"].isel(replicate=0, weighting=0).rename(draw="sample")

    whole = (1.0, 2.0, 3.0, 4.0)
    endline = draws("endline", whole)
    scores = {
        "change": draws("change", whole),
        "level[endline]": endline,
        "level[baseline]": endline - draws("change", whole),
        "change[domain 2]": draws("change", (0.0, 0.0, 3.0, 4.0)),
        "change[indicator 1]": draws("change", (1.0, 0.0, 0.0, 0.0)),
    }
    found = pdsim.criteria(scores, TEXTS, m=2)
    places = 2 - int(found.selected.sum())
    named = found.selected + found.tied * places / max(int(found.tied.sum()), 1)

    level = 100 * truth.level.to_numpy()
    base, end = (level[..., t] @ (np.array(whole) / 10) for t in (0, 1))
    change = level[..., 1] - level[..., 0]
    part = change[:, 2:] @ np.array([3, 4]) / 7
    best = np.isin(np.arange(8), np.argsort(base - end)[:3])
    lowest = np.isin(np.arange(8), np.argsort(base)[:2])
    return named.to_numpy(), best & (end >= 55) & ~lowest & (part > 0) & (change[:, 0] < 60)


def test_those_named_are_those_that_the_analysis_names() -> None:
    block = run_block([SMALL, replace(SMALL, criteria=())], REPLICATES, seed=1)
    column = COLUMNS.index("criteria_met")
    assert np.isnan(block.measures[1, :, column]).all()
    others = [i for i in range(len(COLUMNS)) if i != column]
    np.testing.assert_array_equal(block.measures[0][:, others], block.measures[1][:, others])
    expected = []
    for row in REPLICATES:
        named, met = by_criteria(row)
        expected.append((named * met).sum() / 2)
    np.testing.assert_allclose(block.measures[0, :, column], expected, atol=1e-12)
    assert 0 < np.mean(expected) < 1


def test_keys_of_scenarios_without_criteria_are_as_before() -> None:
    plain = replace(SMALL, criteria=())
    assert plain.decision_key != SMALL.decision_key
    assert plain.fit_key == SMALL.fit_key
    assert replace(SMALL, criteria=TEXTS[:1]).decision_key != SMALL.decision_key


def test_criteria_that_nobody_can_judge_are_refused() -> None:
    wrong = ("top(change, 9)", "chang > 2", "change_net > 0", "change[domain 3] > 0")
    with pytest.raises(InputError) as caught:
        replace(SMALL, criteria=wrong)
    assert len(caught.value.problems) == 4
    with pytest.raises(InputError, match="criteria speak of counts"):
        Scenario(kind="normal", criteria=("top(change, 3)",))
    with pytest.raises(InputError, match="needs criteria"):
        plan(replace(SMALL, criteria=()), target="criteria_met >= 0.5")
    with pytest.raises(InputError, match='set rule = "p_top"'):
        plan(replace(SMALL, rule="z_score"), target="criteria_met >= 0.5")


@pytest.mark.slow
def test_a_plan_for_criteria() -> None:
    asked = replace(SMALL, criteria=("top(change, 3)", "endline >= 50"))
    tree = plan(asked, target="criteria_met >= 0.75", precision=0.5, low=4, high=400, seed=2)
    found = tree["answer"].to_dataset()
    assert found.attrs["status"] == "found"
    assert "rules" not in tree.children
    # the measure at the answer, from replicates of its own
    sized = replace(asked, trials=int(found.n))
    block = run_block([sized], range(400), seed=99)
    met = block.measures[0, :, COLUMNS.index("criteria_met")]
    error = np.hypot(met.std(ddof=1) / 20, float(found.value_high - found.value_low) / 3.92)
    assert abs(met.mean() - float(found.value)) < 3.5 * error
