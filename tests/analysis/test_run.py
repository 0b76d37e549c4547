"""From a study to a folder, and what must not happen to that folder."""

import json
import re
import tomllib

import numpy as np
import openpyxl
import pytest
from PIL import Image

import pdsim
from pdsim.analysis import gather, load_fit
from pdsim.analysis.compare import comparison
from pdsim.analysis.handout import find_table, write_figure, write_table
from pdsim.analysis.lock import data_digest
from pdsim.analysis.run import _identity
from pdsim.errors import InputError
from pdsim.study import study_from_dataset


@pytest.fixture(scope="module")
def study():
    return pdsim.load_example("safe_surgery_like")


@pytest.fixture(scope="module")
def result(study, tmp_path_factory):
    out = tmp_path_factory.mktemp("analysis") / "out"
    return pdsim.analyse(study, out=out, engine="laplace", seed=3, keep_draws=True)


@pytest.fixture(scope="module")
def folder(result):
    return result.folder


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
    again = pdsim.analyse(study, out=tmp_path / "again", engine="laplace", seed=3).folder
    assert (again / "fit.nc").stat().st_size < 0.3 * (folder / "fit.nc").stat().st_size
    for path in (folder / "tables").iterdir():
        assert path.read_bytes() == (again / "tables" / path.name).read_bytes()
    for name in ("selection.csv", "improvement.csv"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()
    other = pdsim.analyse(study, out=tmp_path / "other", engine="laplace", seed=4).folder
    said, table = comparison(folder, other)
    assert "Sampler: seed was 3, is 4." in said
    assert "The data differ." not in said
    assert set(table.rows) == set(study.data["facility"].to_numpy().tolist())
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

    monkeypatch.setattr("pdsim.analysis.report_files.write_report", fail)
    with pytest.raises(error):
        pdsim.analyse(pdsim.load_example("surgical"), out=tmp_path / "out", engine="laplace")
    assert list(tmp_path.iterdir()) == []


def test_unknown_case_correlation_is_shown_at_three_values(tmp_path):
    study = pdsim.load_example("safe_surgery_like").with_case_correlation(None)
    results = load_fit(
        pdsim.analyse(study, out=tmp_path / "o", engine="laplace").folder / "results.nc"
    )
    table = results["case_correlation"]
    assert table["case_correlation"].to_numpy().tolist() == [0.0, 0.1, 0.3]
    width = (table["interval"].sel(ci_bound=0.975) - table["interval"].sel(ci_bound=0.025)).mean(
        "facility"
    )
    assert (np.diff(width) > 0).all(), "ignoring the correlation makes intervals too narrow"
    assert "case_correlation" not in gather(
        pdsim.fit(pdsim.load_example("surgical"), engine="laplace"), pdsim.load_example("surgical")
    )


def test_the_result_prints_as_the_answer(result, study):
    text = str(result)
    for side in ("top", "bottom"):
        chosen = result.results["ranking"][f"selected_{side}"].to_numpy()
        for name in study.data["facility"].to_numpy()[chosen]:
            assert name in text
    assert set(result.sentences) == {"How sure?", "What would change it?", "What to do?"}
    assert "<table" in result._repr_html_()
    name = str(study.data["facility"][0].item())
    mean = float(result.results["improvement"]["mean"].sel(estimand="change", facility=name))
    assert f"{name}: {mean:.1f} percentage points (95 % credible interval" in result.cite(name)
    with pytest.raises(InputError, match="is not a facility of this study"):
        result.cite("nobody")
    assert result.tables["selection"].shape[0] == study.data.sizes["facility"]
    assert result.plot.forest().axes


@pytest.mark.parametrize("kind", ["pdf", "png", "tiff"])
def test_figures_have_the_size_stated(folder, tmp_path, kind):
    path = write_figure(
        folder, "forest", tmp_path / f"f.{kind}", width="85mm", style="bmj", grey=kind == "png"
    )
    if kind == "pdf":
        content = path.read_bytes()
        box = re.search(rb"/MediaBox \[ 0 0 ([0-9.]+) ", content)
        assert float(box[1]) / 72 * 25.4 == pytest.approx(85.0, abs=0.01)
        assert b"/FontFile2" in content
        return
    with Image.open(path) as image:
        # a pixel is 0.085 mm
        assert image.size[0] / 300 * 25.4 == pytest.approx(85.0, abs=0.09)
        assert image.info["dpi"][0] == pytest.approx(300, abs=0.01)
        if kind == "png":
            red, green, blue, _ = image.convert("RGBA").split()
            assert red.tobytes() == green.tobytes() == blue.tobytes()


def test_the_table_of_a_paper_in_every_format(folder, tmp_path):
    for kind in ("docx", "tex", "md", "csv", "xlsx"):
        assert write_table(folder, "journal", tmp_path / f"t.{kind}").stat().st_size > 500
    path = write_table(folder, "journal", tmp_path / "s.csv", spreadsheet=True, decimal=",")
    text = path.read_text(encoding="utf-8")
    assert text.startswith("\ufefffacility;")
    table = find_table(folder, "journal")
    first = f"{float(table.frame['value'].iloc[0]):.9g}".replace(".", ",")
    assert first in text
    sheet = openpyxl.load_workbook(tmp_path / "t.xlsx").active
    assert sheet.cell(2, 1).value == table.rows[0]
    with pytest.raises(InputError, match="there is no table 'x'"):
        find_table(folder, "x")


def test_results_of_another_version_are_refused(folder, tmp_path):
    old = load_fit(folder / "results.nc")
    del old.attrs["layout"]
    pdsim.save_fit(old, tmp_path / "results.nc")
    for read in (find_table, lambda path, name: pdsim.report(path)):
        with pytest.raises(InputError, match="another version of pdsim wrote these results"):
            read(tmp_path, "journal")


def test_the_lock_holds_settings_data_and_versions(folder, study):
    lock = tomllib.loads((folder / "study.lock.toml").read_text())
    assert lock["sampler"] == {
        "engine": "laplace", "draws": 2000, "tune": 1000, "chains": 4, "seed": 3
    }  # fmt: skip
    assert lock["data_sha256"] == data_digest(study)
    assert lock["settings"]["m"] == study.m
    assert "pdsim" in lock["versions"]


def test_run_json_says_how_it_was_made(folder):
    run = json.loads((folder / "run.json").read_text())
    assert run["engine"] == "laplace"
    assert run["seed"] == 3
    assert run["convergence"] == "passed"
