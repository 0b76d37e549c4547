"""Refits under other assumptions: what cannot be vouched for is not used, and is said."""

import json

import pytest
import xarray as xr

import pdsim
from pdsim.analysis import design_effect_sensitivity, prior_sensitivity, refits
from pdsim.model import fit as fit_study
from pdsim.reports.formats.plainwords import words_of
from pdsim.reports.study.caveats import caveats
from pdsim.reports.study.sections import base_tables
from pdsim.reports.study.view import Results


@pytest.fixture
def study():
    return pdsim.load_example("surgical")


def failing(chosen):
    """Return `fit`, with failed gates where `chosen(study, priors)` says so."""

    def fit(study, *, engine, priors, seed, hand_over):
        tree = fit_study(study, engine="laplace", priors=priors, seed=seed, draws=100)
        if chosen(study, priors):
            tree.attrs["convergence"] = "FAILED: Pareto k 65, limit 0.7"
        return tree

    return fit


def test_unvouched_refit_is_left_out_and_named(study, monkeypatch):
    monkeypatch.setattr(
        refits, "fit", failing(lambda study, priors: study.options.design_effect == 2.0)
    )
    table = design_effect_sensitivity(study)
    assert table["design_effect"].to_numpy().tolist() == [1.0, 3.0]
    assert json.loads(table.attrs["refused"]) == {"2.0": "FAILED: Pareto k 65, limit 0.7"}


def test_no_vouched_refit_at_all_reaches_the_report_as_a_caveat(study, monkeypatch):
    base = pdsim.analyse(study, seed=1).results
    assert json.loads(base.attrs["refused_refits"]) == {}
    monkeypatch.setattr(refits, "fit", failing(lambda study, priors: True))
    results = pdsim.analyse(study, seed=1).results
    assert "priors_scaled" not in results.children
    refused = json.loads(results.attrs["refused_refits"])
    assert set(refused["priors_scaled"]) == {"0.5", "2.0"}
    view = Results(results)
    said = " ".join(words_of(text) for text in caveats(view, base_tables(view)))
    assert "Not tested: the choice with the scales of the priors times 2.0" in said
    assert "Pareto k 65" in said


@pytest.mark.parametrize(("seconds", "handed"), [(59.0, True), (61.0, False)])
def test_hands_over_only_where_nuts_is_quick(study, monkeypatch, seconds, handed):
    asked = []

    def fit(study, *, engine, priors, seed, hand_over):
        asked.append(hand_over)
        return fit_study(study, engine="laplace", priors=priors, seed=seed, draws=100)

    monkeypatch.setattr(refits, "fit", fit)
    monkeypatch.setattr(refits, "nuts_seconds", lambda study: seconds)
    prior_sensitivity(study, factors=(2.0,))
    assert asked == [handed]


@pytest.mark.parametrize("name", ["priors_scaled", "design_effect"])
def test_the_study_as_it_stands_is_not_fitted_again(study, monkeypatch, name):
    fitted = []

    def fit(study, *, priors, **settings):
        fitted.append((study.design_effect, priors))
        return fit_study(study, priors=priors, **settings)

    monkeypatch.setattr(refits, "fit", fit)
    results = pdsim.analyse(study, seed=1).results
    table = results[name].to_dataset()
    own = table.isel({dim: table[dim] == 1.0 for dim in table["p_top"].dims if dim != "facility"})
    for side in ("top", "bottom"):
        answer = results["ranking"][f"p_{side}"].to_numpy()
        assert own[f"p_{side}"].to_numpy()[0].tolist() == answer.tolist()
    assert (1.0, study.options.priors) not in fitted
    assert len(fitted) == 4


def test_refits_side_by_side_are_those_one_after_the_other(study, monkeypatch):
    together = prior_sensitivity(study, factors=(0.5, 2.0))
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    xr.testing.assert_identical(together, prior_sensitivity(study, factors=(0.5, 2.0)))
