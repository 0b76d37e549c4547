"""From results to pages, by the library and by the command line."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import pdsim
from pdsim.analysis.all_tables import gather
from pdsim.interviews import (
    Combination,
    ContrastSettings,
    InterviewSettings,
    contrast_themes,
    plan_interviews,
    theme_table,
)
from pdsim.reports.formats.html import to_html
from pdsim.reports.formats.markdown import to_markdown
from pdsim.reports.interviews.interview_document import interview_document
from pdsim.reports.interviews.theme_document import theme_document
from pdsim.reports.study.figures import figure
from pdsim.reports.study.sections import build_document
from pdsim.reports.study.view import read_results

HOSTILE = '<script>alert("x")</script>'


@pytest.fixture
def tree(score, codes):
    settings = ContrastSettings(
        bootstrap=100,
        sensitivity=0.95,
        specificity=0.95,
        combinations=(Combination(name="trusting", present=("trust",)),),
    )
    return contrast_themes(score, theme_table(codes), settings=settings)


def test_the_page_on_themes_prints_what_the_tree_holds(tree):
    document = theme_document(tree)
    table = document.tables["contrast"]
    one = tree["contrast"].to_dataset().sel(theme="trust", round="all")
    assert table.value("trust", "contrast") == float(one.contrast)
    assert [s.key for s in document.sections] == [
        "answer", "rounds", "shares", "permutation", "agreement", "combinations", "groups",
    ]  # fmt: skip
    text = to_markdown(document)
    assert "trust is voiced more often where performance is truly higher" in text
    assert "Whether noise is voiced more or less often" in text


@pytest.mark.parametrize("kind", ["plan", "themes"])
def test_no_page_speaks_of_significance(kind, tree, score):
    document = (
        theme_document(tree) if kind == "themes" else interview_document(plan_interviews(score))
    )
    text = to_markdown(document).lower()
    assert "significan" not in text


def test_small_counts_are_held_back(tree):
    tree.attrs["suppress_below"] = 13
    table = theme_document(tree).tables["shares"]
    assert np.isnan(float(table.value("F1", "theme 1")))
    assert np.isnan(float(table.value("F1", "informants")))
    tree.attrs["suppress_below"] = -1
    assert float(theme_document(tree).tables["shares"].value("F1", "informants")) == 12


def test_hostile_names_are_text(score, codes):
    names = [HOSTILE, *score["facility"].values[1:]]
    renamed = codes.replace({"facility": {"F1": HOSTILE}, "theme": {"trust": HOSTILE}})
    found = contrast_themes(
        score.assign_coords(facility=names),
        theme_table(renamed),
        settings=ContrastSettings(bootstrap=100),
    )
    assert HOSTILE not in to_html(theme_document(found))
    assert HOSTILE not in to_html(
        interview_document(plan_interviews(score.assign_coords(facility=names)))
    )


def test_a_failed_fit_marks_the_pages(score, codes):
    failed = score.assign_attrs(convergence="FAILED: R-hat 1.3")
    plan = interview_document(plan_interviews(failed))
    assert plan.failed == "FAILED: R-hat 1.3"
    found = contrast_themes(failed, theme_table(codes), settings=ContrastSettings(bootstrap=100))
    assert theme_document(found).failed == "FAILED: R-hat 1.3"


def test_the_plan_page_has_its_numbers_in_tables(score):
    settings = InterviewSettings(rounds=(1, 6, 12), blind_rounds=1, budget=72)
    document = interview_document(plan_interviews(score, settings=settings))
    visits = document.tables["visits"]
    assert float(visits.value("F1", "all rounds")) == 3 + 4 + 4
    assert float(visits.value("F5", "all rounds")) == 2
    assert "held before anybody is known" in to_markdown(document)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the commands read of an analysis: the fit, and the facts of the results."""
    place = tmp_path_factory.mktemp("results")
    fit = pdsim.fit(pdsim.load_example("surgical"), engine="laplace", seed=1)
    pdsim.save_fit(fit, place / "fit.nc")
    facts = xr.DataTree()
    facts.attrs |= {"m": 3, "suppress_below": -1}
    pdsim.save_fit(facts, place / "results.nc")
    return place


def test_a_report_says_whom_to_interview_where_asked_for():
    study = pdsim.load_example("surgical")
    asked = replace(study, options=replace(study.options, interviews=True))
    fit = pdsim.fit(study, engine="laplace", seed=1)
    results = read_results(gather(fit, asked))
    document = build_document(results)
    role = results.group("roles")["role"].to_series()
    assert set(role.index[role == "higher"]) == set(results.selected("top"))
    assert set(role.index[role == "lower"]) == set(results.selected("bottom"))
    assert "interviews" in [section.key for section in document.sections]
    assert set(document.tables["roles"].frame["role"]) == set(role)
    _, drawn = figure(results, "forest")
    boundary = set(drawn.loc[drawn["side"] == "boundary", "facility"])
    assert boundary == set(role.index[role == "boundary"])
    assert boundary
    plain = build_document(read_results(gather(fit, study)))
    assert "interviews" not in [section.key for section in plain.sections]


def test_three_commands_lead_from_a_code_matrix_to_the_page(folder, tmp_path):
    from typer.testing import CliRunner

    from pdsim.cli import app

    names = xr.open_datatree(folder / "fit.nc", engine="h5netcdf")["constant_data"]
    facilities = [str(name) for name in names["facility"].values]
    rng = np.random.default_rng(1)
    rows = [
        (f"{facility}-{k}", *rng.integers(0, 3, 2)) for facility in facilities for k in range(4)
    ]
    pd.DataFrame(rows, columns=["", "trust", "fear"]).to_csv(tmp_path / "m.csv", index=False)
    (tmp_path / "mapping.toml").write_text(
        'facility = "name"\npattern = "^(?P<facility>.+)-"\nkeep_uncoded = true\n'
    )
    runner = CliRunner()
    for command in (
        ["read", str(tmp_path / "m.csv"), str(tmp_path / "mapping.toml"), "--out",
         str(tmp_path / "themes.csv")],
        ["contrast", str(folder), str(tmp_path / "themes.csv"), "--out", str(tmp_path / "page")],
    ):  # fmt: skip
        done = runner.invoke(app, ["interviews", *command])
        assert done.exit_code == 0, done.output
    made = {path.name for path in (tmp_path / "page").iterdir()}
    assert made == {"themes.html", "themes.nc", "facility_themes.csv"}
    page = (tmp_path / "page" / "themes.html").read_text()
    assert "trust" in page


def test_the_plan_command(folder, tmp_path):
    from typer.testing import CliRunner

    from pdsim.cli import app

    (tmp_path / "plan.toml").write_text("informants = 6\n")
    command = ["interviews", "plan", str(folder), str(tmp_path / "plan.toml"), "--out"]
    done = CliRunner().invoke(app, [*command, str(tmp_path / "page")])
    assert done.exit_code == 0, done.output
    assert {p.name for p in (tmp_path / "page").iterdir()} == {"interviews.html", "interviews.nc"}
    (tmp_path / "plan.toml").write_text("informants = 0\n")
    done = CliRunner().invoke(app, [*command, str(tmp_path / "other")])
    assert isinstance(done.exception, pdsim.errors.InputError)
    assert not (tmp_path / "other").exists()
