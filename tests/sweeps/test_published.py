"""What is attainable, by sweeps of normal scenarios with selection by the observed value.

Exchangeable normal truths: simulated to an error of at most 0.0004 by an independent program.
Fixed truths: Bechhofer (1954), doi 10.1214/aoms/1177728845, by quadrature.
"""

import numpy as np
import pytest
from scipy import integrate
from scipy.stats import norm

import pdsim.sweeps as sweeps
from pdsim.simulation import summarise

REFERENCE_ERROR = 0.0004
NORMAL = {"kind": "normal", "facilities": 10, "m": 3, "trials": 1, "rule": "observed_change"}
RELIABILITY = {
    "0": (0.3, 1 / 120, 1 / 120 / 35, 1 - 35 / 120),
    "0.3": (0.5332, 0.0840, 0.0084, 0.2989),
    "0.5": (0.6211, 0.1595, 0.0264, 0.1641),
    "0.7": (0.7114, 0.2812, 0.0778, 0.0655),
    "0.9": (0.8304, 0.5240, 0.2697, 0.0075),
}
NAMES = ("overlap_top", "pcs_top", "pcs_both", "wrong_end_top")


def unit_sd(reliability: float) -> float:
    """Standard deviation of the error beside a truth of standard deviation 1."""
    return 1e6 if reliability == 0 else ((1 - reliability) / reliability) ** 0.5


@pytest.fixture(scope="module")
def exchangeable(tmp_path_factory):
    settings = {
        "replicates": 20_000,
        "seed": 20250301,
        "scenario": {**NORMAL, "sd_change_facility": 1.0},
        "factors": {"change_reliability": {r: {"unit_sd": unit_sd(float(r))} for r in RELIABILITY}},
    }
    store = tmp_path_factory.mktemp("exchangeable")
    return store, sweeps.sweep(settings, store=store, executor="serial", block=5000)


@pytest.mark.parametrize("reliability", RELIABILITY)
def test_attainable_selection_by_reliability(exchangeable, reliability):
    cell = exchangeable[1].sel(change_reliability=reliability)
    for name, expected in zip(NAMES, RELIABILITY[reliability], strict=True):
        error = np.hypot(float(cell[f"{name}_mcse"]), REFERENCE_ERROR)
        assert abs(float(cell[name]) - expected) < 4 * error, name


def test_errors_are_those_of_repeated_sweeps(exchangeable):
    """200 sweeps of 100 replicates: their scatter against the errors they state."""
    store, result = exchangeable
    keys = [str(result.key.sel(change_reliability=r).values) for r in ("0.3", "0.7")]
    table = sweeps.open_replicates(store, keys=keys)
    sweep_of = {"replicate": np.arange(20_000) // 100}
    parts = [
        summarise(part.measures.values, part.status.values)
        for _, part in table.assign_coords(replicate=sweep_of["replicate"]).groupby("replicate")
    ]
    assert len(parts) == 200
    for name in ("overlap_top", "pcs_top", "regret_top", "rank_correlation", "rmse", "bias"):
        values = np.stack([part[name].values for part in parts])
        stated = np.stack([part[f"{name}_mcse"].values for part in parts]).mean(axis=0)
        ratio = values.std(axis=0, ddof=1) / stated
        assert (np.abs(ratio - 1) < 0.2).all(), (name, ratio)


def bechhofer(lead: float, best: int, facilities: int = 10) -> float:
    others = facilities - best

    def density(y: float) -> float:
        below = norm.cdf(y) ** (others - 1) * norm.pdf(y)
        return float(others * below * norm.sf(y - lead) ** best)

    return integrate.quad(density, -12, 12 + lead)[0]


def test_quadrature_gives_the_published_values():
    published = {0.0: 1 / 120, 1.0: 0.105411, 2.0: 0.431112, 3.0: 0.798214, 4.0: 0.962361}
    for lead, value in published.items():
        assert bechhofer(lead, 3) == pytest.approx(value, abs=5e-7)
    for lead, value in {2.8360: 0.75, 3.4649: 0.9, 3.8541: 0.95, 4.6100: 0.99}.items():
        assert bechhofer(lead, 3) == pytest.approx(value, abs=2e-5)


def test_correct_selection_under_a_fixed_lead(run, tmp_path):
    leads = {str(lead): lead for lead in (1.0, 2.836, 3.8541, 4.0)}
    settings = {
        "replicates": 20_000,
        "seed": 7,
        "scenario": NORMAL,
        "factors": {
            "lead": {name: {"means": [lead] * 3 + [0.0] * 7} for name, lead in leads.items()}
        },
    }
    result = sweeps.sweep(settings, store=tmp_path / "leads", executor="serial", block=5000)
    for name, lead in leads.items():
        cell = result.sel(lead=name)
        distance = abs(float(cell.pcs_top) - bechhofer(lead, 3))
        assert distance < 4 * float(cell.pcs_top_mcse), name
        assert int(cell.n_ok) == 20_000


def test_fit_that_always_fails_is_no_estimate(run, tmp_path):
    """Not 0 %: with every cell of every facility missing, nothing can be chosen."""
    from pdsim.simulation import describe

    settings = {
        "replicates": 50,
        "seed": 1,
        "scenario": {"indicators": 1, "missing": 0.95},
    }
    result = sweeps.sweep(settings, store=tmp_path / "failing", executor="serial")
    cell = result.isel(scenario=0)
    assert int(cell.n_ok) == 0
    assert np.isnan(cell.pcs_top)
    assert describe(cell, "pcs_top") == "no estimate, 0 of 50 usable"
    assert float(cell.pcs_top_if_failures_wrong) == 0.0
    assert float(cell.pcs_top_if_failures_right) == 1.0
