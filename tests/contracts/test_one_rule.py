"""A rule's name means one thing: a report and a sweep choose the same facilities by it."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from pdsim.ranking import RULES, observed_of, select
from pdsim.ranking.selection import choose
from pdsim.settings import to_mapping
from pdsim.simulation import COLUMNS, Scenario, simulate
from pdsim.simulation.observed_rules import decide_observed
from pdsim.simulation.observing import observe
from pdsim.simulation.philox import replicate_seed
from pdsim.simulation.posterior import _sample_laplace, decide_posterior
from pdsim.simulation.targets import analysis_weights
from pdsim.simulation.truth import draw_truth
from pdsim.sweeps import sweep
from pdsim.sweeps.reading import read_store
from pdsim.terms import stepdown

REPLICATES = range(50)
BASE = Scenario(
    facilities=8, indicators=4, domains=2, trials=12, draws=200, case_correlation=0.1,
    weighting="given", weights=(1.0, 2.0, 3.0, 4.0),
)  # fmt: skip
# 200 studies: alike and unlike indicators, whole and with missing cells
CELLS = [
    replace(BASE, heterogeneity=heterogeneity, missing=missing)
    for heterogeneity in (0.0, 0.8)
    for missing in (0.0, 0.1)
]


def drawn(scenario):
    """Return what was observed, and the seeds of the fits."""
    truth = draw_truth(scenario, REPLICATES, 1)
    seeds = tuple(replicate_seed(scenario.fit_key, r, 1) for r in REPLICATES)
    return observe(scenario, truth, REPLICATES, 1), seeds


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Sweep every rule over the 200 studies; return what reads the measures of a scenario."""
    folder = tmp_path_factory.mktemp("store")
    settings = {
        "replicates": len(REPLICATES),
        "seed": 1,
        "scenario": to_mapping(BASE),
        "factors": {"rule": list(RULES), "heterogeneity": [0.0, 0.8], "missing": [0.0, 0.1]},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stepdown, "_MOST_RUNS", 20)
        sweep(settings, store=folder, executor="serial")
    store = read_store(folder)
    return lambda scenario: store.read([scenario.decision_key], 0, len(REPLICATES))[0][0]


def chosen_by_select(scenario, side, score=None, observed=None, seed=None):
    found = select(score, m=3, side=side, rule=scenario.rule, observed=observed, seed=seed)
    if scenario.rule == "confidence_set":
        # it may hold more than m; a sweep takes the m of the best bounds
        bound = found.criterion.values if side == "top" else 9.0 - found.criterion.values
        assert (found.selected.values == (bound <= 3)).all()
        sure, tied = choose(-bound[np.newaxis], 3)
        return sure[0] + tied[0] * (3 - sure[0].sum()) / max(tied[0].sum(), 1)
    sure, tied = found.selected.values, found.tied.values
    return sure + tied * (3 - sure.sum()) / max(tied.sum(), 1)


def chosen_by_sweep(decision, side, row):
    sure, tied = choose(getattr(decision, side)[row : row + 1], 3)
    return sure[0] + tied[0] * (3 - sure[0].sum()) / max(tied[0].sum(), 1)


def overlap(shares, value):
    best = np.zeros(len(value))
    best[np.argsort(-value)[:3]] = 1.0
    return shares @ best / 3


@pytest.mark.parametrize("cell", CELLS, ids=lambda c: f"{c.heterogeneity}-{c.missing}")
@pytest.mark.parametrize("rule", [name for name in RULES if not RULES[name].needs_posterior])
def test_rules_on_observed_values(cell, rule, swept, monkeypatch):
    # bounds of ranks from the fewest draws, in both
    monkeypatch.setattr(stepdown, "_MOST_RUNS", 20)
    scenario = replace(cell, rule=rule)
    observed, seeds = drawn(scenario)
    seeds = seeds if RULES[rule].seeded else ()
    decision = decide_observed(scenario, observed, seeds=seeds)
    measures = swept(scenario)
    usable = 0
    for r in REPLICATES:
        truth, study = simulate(scenario, r, seed=1)
        seen = observed_of(study)
        if not seen.estimate.notnull().all():
            assert decision.status[r] == 4
            continue
        usable += 1
        for side, value in (("top", truth.value.values), ("bottom", -truth.value.values)):
            seed = seeds[r] if seeds else None
            shares = chosen_by_select(scenario, side, observed=seen, seed=seed)
            np.testing.assert_allclose(shares, chosen_by_sweep(decision, side, r))
            found = measures[r, COLUMNS.index(f"overlap_{side}")]
            assert found == pytest.approx(overlap(shares, value))
    assert usable >= 45


@pytest.mark.parametrize("cell", CELLS, ids=lambda c: f"{c.heterogeneity}-{c.missing}")
def test_rules_on_posteriors(cell, swept):
    rules = [name for name in RULES if RULES[name].needs_posterior]
    scenarios = [replace(cell, rule=rule) for rule in rules]
    observed, seeds = drawn(scenarios[0])
    asked = [("change", tuple(analysis_weights(scenarios[0]).tolist()))]
    draws, _ = _sample_laplace(scenarios[0], observed, seeds, asked)
    decisions = decide_posterior(scenarios, observed, REPLICATES, 1)
    for scenario, decision in zip(scenarios, decisions, strict=True):
        measures = swept(scenario)
        for r in REPLICATES:
            truth, _ = simulate(scenario, r, seed=1)
            score = xr.DataArray(draws[r, 0], dims=("sample", "facility"))
            for side, value in (("top", truth.value.values), ("bottom", -truth.value.values)):
                shares = chosen_by_select(scenario, side, score=score)
                np.testing.assert_allclose(shares, chosen_by_sweep(decision, side, r))
                if decision.status[r] < 3:
                    found = measures[r, COLUMNS.index(f"overlap_{side}")]
                    assert found == pytest.approx(overlap(shares, value))
