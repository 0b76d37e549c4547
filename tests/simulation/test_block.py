from dataclasses import replace

import numpy as np
import pytest

from pdsim.errors import InputError
from pdsim.simulation import COLUMNS, Scenario, estimate_cost, run_block, simulate
from pdsim.simulation import block as block_module
from pdsim.simulation.observing import observe
from pdsim.simulation.truth import draw_truth

BASE = Scenario(facilities=8, indicators=4, domains=2, m=2, trials=15)
SCENARIOS = [
    BASE,
    replace(BASE, trials=40),
    replace(BASE, rule="z_score"),
    replace(BASE, rule="shrunken_mean", trials_cv=0.5),
    replace(BASE, case_correlation=0.2, weighting="domain"),
    replace(BASE, missing=0.2, indicators=2),
    replace(BASE, kind="normal", indicators=1, domains=1),
    replace(BASE, kind="normal", indicators=1, domains=1, known_se=False),
]


def same(one, two):
    return one.measures.tobytes() == two.measures.tobytes() and (one.status == two.status).all()


@pytest.fixture(scope="module")
def whole():
    return run_block(SCENARIOS, range(60), seed=3)


def test_shapes(whole):
    assert whole.measures.shape == (len(SCENARIOS), 60, len(COLUMNS))
    assert whole.measures.dtype == np.float64
    assert whole.status.shape == (len(SCENARIOS), 60)
    assert whole.status.dtype == np.uint8


@pytest.mark.parametrize("size", [1, 7, 23])
def test_any_division_into_blocks_gives_the_same(whole, size):
    for start in range(0, 60, size):
        part = range(start, min(60, start + size))
        found = run_block(SCENARIOS, part, seed=3)
        assert found.measures.tobytes() == whole.measures[:, part].tobytes()
        assert (found.status == whole.status[:, part]).all()


def test_the_other_scenarios_do_not_matter(whole):
    for i, scenario in enumerate(SCENARIOS):
        alone = run_block([scenario], range(60), seed=3)
        assert alone.measures[0].tobytes() == whole.measures[i].tobytes()
    back = run_block(SCENARIOS[::-1], range(60), seed=3)
    assert back.measures[::-1].tobytes() == whole.measures.tobytes()


def test_the_working_size_does_not_matter(whole, monkeypatch):
    monkeypatch.setattr(block_module, "_CELLS_AT_ONCE", 100)
    assert same(run_block(SCENARIOS, range(60), seed=3), whole)


def test_seeds_matter(whole):
    other = run_block(SCENARIOS, range(60), seed=4)
    assert not (other.measures[:, :, COLUMNS.index("contrast_best")]
                == whole.measures[:, :, COLUMNS.index("contrast_best")]).any()  # fmt: skip
    assert same(run_block(SCENARIOS, range(60), seed=[3]), whole)
    assert not same(run_block(SCENARIOS, range(60), seed=[3, 0]), whole)


def test_replicates_with_nothing_to_compare_are_errors(whole):
    statuses = set(np.unique(whole.status[5]))
    assert statuses == {1, 4}
    failed = whole.status[5] == 4
    assert np.isnan(whole.measures[5][failed]).all()
    assert np.isfinite(whole.measures[5][~failed][:, COLUMNS.index("pcs_top")]).all()


def test_truths_are_shared_across_trials_and_rules(whole):
    best = whole.measures[:, :, COLUMNS.index("contrast_best")]
    for i in (1, 2, 3):
        assert (best[i] == best[0]).all()


@pytest.mark.parametrize("scenario", SCENARIOS[:5] + SCENARIOS[6:], ids=range(7))
def test_simulate_gives_the_draws_of_the_block(scenario):
    truth, study = simulate(scenario, 17, seed=3)
    part = range(10, 20)
    drawn = draw_truth(scenario, part, 3)
    observed = observe(scenario, drawn, part, 3)
    names = ("successes", "trials") if scenario.kind == "counts" else ("mean", "se")
    assert (study.data[names[0]].to_numpy() == observed.value[7]).all()
    size = np.broadcast_to(observed.size, observed.value.shape)[7]
    assert (study.data[names[1]].to_numpy() == size).all()
    assert (truth.level.to_numpy() == drawn.level[7]).all()
    assert study.m == scenario.m
    contrast = (
        truth.value.where(truth["rank"] <= 2).mean()
        - truth.value.where(truth["rank"] > scenario.facilities - 2).mean()
    )
    best = run_block([scenario], range(17, 18), seed=3).measures[0, 0]
    assert float(contrast) == pytest.approx(best[COLUMNS.index("contrast_best")])


def test_simulated_study_has_missing_cells_and_what_the_analysis_assumes():
    scenario = replace(BASE, missing=0.2, case_correlation=0.3, assumed_case_correlation=0.0)
    _, study = simulate(scenario, 1)
    assert (study.data.trials == 0).any()
    assert study.case_correlation == 0.0
    assert simulate(replace(scenario, assumed_case_correlation=None))[1].case_correlation == 0.3
    assert study.data.domain.to_numpy().tolist() == ["domain 1"] * 2 + ["domain 2"] * 2


@pytest.mark.parametrize("replicate", [-1, 1.5, True])
def test_bad_replicates_are_refused(replicate):
    with pytest.raises(InputError, match="replicate must be a whole number"):
        simulate(BASE, replicate)


def test_costs_are_ordered():
    cheap = estimate_cost(BASE)
    assert 0 < cheap < estimate_cost(replace(BASE, trials=400))
    assert cheap < estimate_cost(replace(BASE, case_correlation=0.1))
    fast = estimate_cost(replace(BASE, rule="p_top"))
    assert cheap < fast < estimate_cost(replace(BASE, rule="p_top", engine="nuts"))
