"""From a study to a folder, and what must not happen to that folder."""

import json

import numpy as np
import pytest

import pdsim
from pdsim.analysis import gather, load_fit
from pdsim.analysis.run import _identity
from pdsim.errors import InputError
from pdsim.study import study_from_dataset


@pytest.fixture(scope="module")
def study():
    return pdsim.load_example("safe_surgery_like")


@pytest.fixture(scope="module")
def folder(study, tmp_path_factory):
    return pdsim.analyse(
        study, out=tmp_path_factory.mktemp("analysis") / "out", engine="laplace", seed=3
    )


def test_the_folder_holds_what_was_promised(folder):
    names = {path.name for path in folder.iterdir()}
    assert {
        "fit.nc",
        "results.nc",
        "selection.csv",
        "improvement.csv",
        "report.html",
        "run.json",
    } <= names
    assert not [path for path in folder.parent.iterdir() if path.name.startswith(".pdsim-")]


def test_the_numbers_of_the_tables_hang_together(folder, study):
    results = load_fit(folder / "results.nc")
    ranking = results["ranking"]
    np.testing.assert_allclose(ranking["rank_probability"].sum("rank"), 1, rtol=1e-12)
    for side in ("top", "bottom"):
        assert float(ranking[f"p_{side}"].sum()) == pytest.approx(study.m)
        assert int(ranking[f"selected_{side}"].sum()) == study.m
        assert float(results[f"sets_{side}"]["probability"].sum()) <= 1 + 1e-12
    pairs = results["pairs"]["p_above"].to_numpy()
    np.testing.assert_allclose(pairs + pairs.T, 1, rtol=1e-12)
    # E[rank_i] = 1 + sum over j of P(j ahead of i)
    ahead = pairs.sum(axis=0) - 0.5
    np.testing.assert_allclose(ranking["expected_rank"], 1 + ahead, rtol=1e-9)
    fit = load_fit(folder / "fit.nc")
    score = pdsim.composite(fit)
    change = results["improvement"].sel(estimand="change")
    np.testing.assert_allclose(change["mean"], score.mean(("chain", "draw")))
    # draws of the fast engine repeat, so several may lie on a limit
    limit, one = change["interval"].sel(ci_bound=0.025), 1 / score.sizes["draw"]
    assert bool(((score < limit).mean(("chain", "draw")) <= 0.025 + one).all())
    assert bool(((score <= limit).mean(("chain", "draw")) >= 0.025 - one).all())
    assert results["levels"]["mean"].dims == ("facility", "period")


def test_the_study_can_be_read_back_from_the_fit(folder, study):
    again = study_from_dataset(load_fit(folder / "fit.nc")["constant_data"].to_dataset())
    assert again.data.equals(study.data)
    assert _identity(again) == _identity(study)


def test_same_seed_same_tables_and_another_seed_others(study, tmp_path, folder):
    again = pdsim.analyse(study, out=tmp_path / "again", engine="laplace", seed=3)
    for name in ("selection.csv", "improvement.csv"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()
    other = pdsim.analyse(study, out=tmp_path / "other", engine="laplace", seed=4)
    assert (other / "improvement.csv").read_bytes() != (folder / "improvement.csv").read_bytes()


def test_an_analysis_is_renewed_but_nothing_else_is_overwritten(tmp_path):
    surgical = pdsim.load_example("surgical")
    out = tmp_path / "out"
    pdsim.analyse(surgical, out=out, engine="laplace")
    before = (out / "improvement.csv").read_bytes()
    (out / "notes.txt").write_text("mine")
    pdsim.analyse(surgical, out=out, engine="laplace", formats=("md",), seed=2)
    assert (out / "improvement.csv").read_bytes() != before
    assert not (out / "report.html").exists(), "of the earlier analysis"
    assert (out / "notes.txt").read_text() == "mine"
    lake = pdsim.load_example("lake_zone", trials=20, case_correlation=0.1)
    with pytest.raises(InputError, match="another study, 'Surgical'"):
        pdsim.analyse(lake, out=out, engine="laplace")
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="not an analysis"):
        pdsim.analyse(lake, out=strange, engine="laplace")
    assert [path.name for path in strange.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_nothing_is_left_when_it_ends_early(tmp_path, monkeypatch, error):
    def fail(*args, **options):
        raise error

    monkeypatch.setattr("pdsim.analysis.run.write_report", fail)
    with pytest.raises(error):
        pdsim.analyse(pdsim.load_example("surgical"), out=tmp_path / "out", engine="laplace")
    assert list(tmp_path.iterdir()) == []


def test_unknown_case_correlation_is_shown_at_three_values(tmp_path):
    study = pdsim.load_example("safe_surgery_like").with_case_correlation(None)
    results = load_fit(pdsim.analyse(study, out=tmp_path / "o", engine="laplace") / "results.nc")
    table = results["case_correlation"]
    assert table["case_correlation"].to_numpy().tolist() == [0.0, 0.1, 0.3]
    width = (table["interval"].sel(ci_bound=0.975) - table["interval"].sel(ci_bound=0.025)).mean(
        "facility"
    )
    assert (np.diff(width) > 0).all(), "ignoring the correlation makes intervals too narrow"
    assert "case_correlation" not in gather(
        pdsim.fit(pdsim.load_example("surgical"), engine="laplace"), pdsim.load_example("surgical")
    )


def test_run_json_says_how_it_was_made(folder):
    run = json.loads((folder / "run.json").read_text())
    assert run["engine"] == "laplace"
    assert run["seed"] == 3
    assert run["convergence"] == "passed"
