"""Refits under other assumptions: what cannot be vouched for is not used, and is said."""

import json
import threading
import time

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import pdsim
from pdsim import Study
from pdsim.analysis import (
    case_correlation_sensitivity,
    design_effect_sensitivity,
    prior_sensitivity,
    refits,
    run,
)
from pdsim.errors import ConvergenceWarning
from pdsim.model import fit as fit_study
from pdsim.reports.formats.plainwords import words_of
from pdsim.reports.study.caveats import caveats
from pdsim.reports.study.changes import calm_causes
from pdsim.reports.study.sections import base_tables
from pdsim.reports.study.view import Results


@pytest.fixture
def study():
    return pdsim.load_example("surgical")


def failing(chosen):
    """Return `fit`, with failed gates where `chosen(study, priors)` says so."""

    def fit(study, *, engine, priors, seed, hand_over, warn):
        tree = fit_study(study, engine="laplace", priors=priors, seed=seed, draws=100)
        if chosen(study, priors):
            tree.attrs["convergence"] = "FAILED: Pareto k 65, limit 0.7"
        return tree

    return fit


def test_unvouched_refit_is_blank_and_named(study, monkeypatch):
    monkeypatch.setattr(
        refits, "fit", failing(lambda study, priors: study.options.design_effect == 2.0)
    )
    table = design_effect_sensitivity(study)
    assert table["design_effect"].to_numpy().tolist() == [1.0, 2.0, 3.0]
    assert json.loads(table.attrs["refused"]) == {"2.0": "FAILED: Pareto k 65, limit 0.7"}
    assert table["convergence"].to_numpy().tolist() == ["passed", "not fitted", "passed"]
    blank = table.sel(design_effect=2.0)
    for side in ("top", "bottom"):
        assert bool(blank[f"p_{side}"].isnull().all())
        assert bool(blank[f"p_{side}_mcse"].isnull().all())
        assert not blank[f"selected_{side}"].to_numpy().any()
        assert table[f"selected_{side}"].dtype == bool
        whole = table.sel(design_effect=[1.0, 3.0])[f"p_{side}"].sum("facility")
        np.testing.assert_allclose(whole, study.m)


def test_no_vouched_refit_at_all_reaches_the_report_as_one_caveat(study, monkeypatch, tmp_path):
    base = pdsim.analyse(study, seed=1).results
    assert json.loads(base.attrs["refused_refits"]) == {}
    monkeypatch.setattr(refits, "fit", failing(lambda study, priors: True))
    result = pdsim.analyse(study, seed=1, out=tmp_path / "out")
    results = result.results
    refused = json.loads(results.attrs["refused_refits"])
    assert set(refused["priors_scaled"]) == {"0.5", "2.0"}
    view = Results(results)
    said = [words_of(text) for text in caveats(view, base_tables(view))]
    (told,) = [text for text in said if text.startswith("Not tested")]
    assert "with the scales of the priors times 0.5 or 2.0, with a design effect of" in told
    assert "Pareto k 65" in told
    assert "--engine nuts" in told
    # the study as it stands has its place; what was not tested is blank, with its reason
    table = pd.read_csv(tmp_path / "out" / "tables" / "priors_scaled_top.csv")
    assert table["p_1"].notna().all()
    assert table["p_2"].isna().all()
    assert set(table["not_tested_2"]) == {"FAILED: Pareto k 65, limit 0.7"}
    assert set(table["selected"]) == {"wherever tested"}
    assert "case_correlation" not in results.children
    # what was not tested is not said to change nothing
    assert not {"priors_scaled", "design_effect"} & set(
        calm_causes(view, base_tables(view)["changes"])
    )


@pytest.mark.parametrize("engine", ["laplace", "nuts"])
def test_refits_are_handed_over_only_where_nuts_was_asked_for(study, monkeypatch, engine):
    asked = []

    def fit(study, *, engine, priors, seed, hand_over, warn):
        asked.append((engine, hand_over))
        return fit_study(study, engine="laplace", priors=priors, seed=seed, draws=100)

    def quick(study, *, engine, seed, **settings):
        return fit_study(study, engine="laplace", seed=seed, draws=100)

    monkeypatch.setattr(refits, "fit", fit)
    monkeypatch.setattr(run, "fit_study", quick)
    pdsim.analyse(study, engine=engine)
    assert set(asked) == {("laplace", engine == "nuts")}


def test_a_fit_that_is_handed_over_is_made_once_and_said_at_once(study, monkeypatch):
    asked, said = [], []

    def fit(study, *, engine, seed, progress, **settings):
        asked.append(engine)
        progress(0, 100)
        tree = fit_study(study, engine="laplace", seed=seed, draws=100)
        tree.attrs |= {"engine": "nuts", "convergence": "FAILED: R-hat 1.2, limit 1.01"}
        return tree

    monkeypatch.setattr(run, "fit_study", fit)
    pdsim.analyse(study, engine="laplace", progress=lambda event: said.append(event.stage))
    assert asked == ["laplace"]
    assert any(text.startswith("the fast engine hands over to NUTS, which takes") for text in said)


def test_errors_that_correlate_are_not_fitted_again_unless_nuts_is_asked_for(monkeypatch):
    rows = [
        {"facility": f"s{i}", "indicator": "reading", "period": period, "mean": float(i + j),
         "se": 1.0, "correlation": 0.5}
        for i in range(6)
        for j, period in enumerate(("baseline", "endline"))
    ]  # fmt: skip
    study = Study.from_long({name: [row[name] for row in rows] for name in rows[0]})
    asked = []

    def fit(study, *, engine, priors, seed, hand_over, warn):
        asked.append(hand_over)
        other = pdsim.load_example("surgical")
        return fit_study(other, engine="laplace", priors=priors, seed=seed, draws=100)

    monkeypatch.setattr(refits, "fit", fit)
    table = prior_sensitivity(study, factors=(0.5, 2.0))
    assert not table.data_vars
    assert set(json.loads(table.attrs["refused"]).values()) == {refits.CORRELATED}
    assert asked == []
    assert prior_sensitivity(study, factors=(0.5, 2.0), hand_over=True).sizes["prior_factor"] == 2
    assert asked == [True, True]


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


def test_an_unset_case_correlation_counts_as_0_and_is_not_fitted_again(monkeypatch):
    study = pdsim.load_example("lake_zone", trials=20, case_correlation=0.1)
    study = study.with_case_correlation(None)
    results = pdsim.analyse(study, seed=1).results
    table = results["case_correlation"].to_dataset()
    # every one fitted, that of 0 too, gives the same bits
    xr.testing.assert_identical(table, case_correlation_sensitivity(study, seed=1))
    varied = refits.case_correlations(study)
    assert [label for label, pair in varied.variants.items() if pair is None] == [0.0]
    stated = refits.case_correlations(study.with_case_correlation(0.2), correlations=(0.0, 0.3))
    assert None not in stated.variants.values()


def test_refits_begin_before_the_fit_has_ended(study, monkeypatch):
    begun = threading.Event()

    def again(study, **settings):
        begun.set()
        return fit_study(study, draws=100, **settings)

    def first(study, *, engine, seed, **settings):
        assert begun.wait(60)
        return fit_study(study, engine=engine, seed=seed, draws=100)

    monkeypatch.setattr(refits, "fit", again)
    monkeypatch.setattr(run, "fit_study", first)
    monkeypatch.setattr(run, "_at_once", lambda study, sampler: True)
    assert "priors_scaled" in pdsim.analyse(study, seed=1).results.children


def test_a_fit_that_fails_leaves_no_refit_to_be_waited_for(study, monkeypatch):
    fitted = []

    def again(study, **settings):
        fitted.append(study)
        time.sleep(0.5)
        return fit_study(study, draws=100, **settings)

    def first(study, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.cpu_count", lambda: 1)
    monkeypatch.setattr(refits, "fit", again)
    monkeypatch.setattr(run, "fit_study", first)
    monkeypatch.setattr(run, "_at_once", lambda study, sampler: True)
    with pytest.raises(KeyboardInterrupt):
        pdsim.analyse(study, seed=1)
    assert len(fitted) <= 1


def test_a_refit_does_not_warn_of_its_gates(study, recwarn):
    failed = fit_study(study, engine="laplace", draws=20, chains=1, hand_over=False, warn=False)
    assert failed.attrs["convergence"].startswith("FAILED")
    assert not recwarn.list
    with pytest.warns(ConvergenceWarning, match="do not cite"):
        fit_study(study, engine="laplace", draws=20, chains=1, hand_over=False)


def test_refits_side_by_side_are_those_one_after_the_other(study, monkeypatch):
    together = prior_sensitivity(study, factors=(0.5, 2.0))
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    xr.testing.assert_identical(together, prior_sensitivity(study, factors=(0.5, 2.0)))
