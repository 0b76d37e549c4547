"""Files of a report: whole, self-contained, the same bytes every time, small counts held back."""

import csv
import io
import re
from itertools import pairwise
from pathlib import Path

import pytest

from pdsim.analysis import report, save_fit, write_report
from pdsim.errors import InputError
from pdsim.reports.formats.plainwords import number_sections
from pdsim.reports.formats.write import write_files
from pdsim.reports.study.sections import base_tables, build_document
from pdsim.reports.study.suppress import observed_shown
from pdsim.reports.study.view import Results


def test_same_results_same_bytes(make_results, tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        results = make_results(facilities=5, m=2, indicators=3, draws=120)
        paths = write_report(results, folder, formats=("docx", "md", "tex", "csv"), brief=True)
        paths += write_report(results, folder)
        contents.append({str(path.relative_to(folder)): path.read_bytes() for path in paths})
    assert contents[0].keys() == contents[1].keys()
    assert [key for key in contents[0] if contents[0][key] != contents[1][key]] == []


def test_html_asks_for_nothing_from_outside(hostile_folder: Path) -> None:
    text = (hostile_folder / "report.html").read_text()
    assert "default-src 'none'" in text
    # namespaces are names, not requests
    rest = re.sub(r'xmlns(:\w+)?="[^"]*"', "", text)
    for attribute in re.findall(r'\b(?:src|href|action|xlink:href)="([^"]*)"', rest):
        assert attribute.startswith(("#", "data:")), attribute
    assert "@import" not in text
    assert "url(http" not in text


def test_identifiers_are_unique_and_references_hold(hostile_folder: Path) -> None:
    text = (hostile_folder / "report.html").read_text()
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    references = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"|aria-labelledby="([^"]+)"', text)
    for reference in {part for found in references for part in found if part}:
        assert reference in ids


def test_headings_tables_and_figures_are_accessible(hostile_folder: Path) -> None:
    text = (hostile_folder / "report.html").read_text()
    levels = [int(level) for level in re.findall(r"<h([1-6])", text)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert max(b - a for a, b in pairwise(levels)) <= 1
    assert text.count("<table") == text.count("<caption")
    assert 'scope="col"' in text
    assert 'scope="row"' in text
    figures = re.findall(r"<figure.*?</figure>", text, re.DOTALL)
    assert figures
    for figure in figures:
        assert 'role="img"' in figure
        assert re.search(r"<title id=[^>]*>[^<]{20,}</title>", figure)


def test_failed_gate_is_one_banner_and_a_mark_on_every_table(hostile_folder: Path) -> None:
    text = (hostile_folder / "report.html").read_text()
    assert 'class="stop" role="alert"' in text
    assert text.index('class="stop"') < text.index('class="summary"')
    table = re.search(r'<table id="table-selection".*?</table>', text, re.DOTALL)
    assert table is not None
    assert "checks failed: do not cite" in table[0]
    # one for each figure
    assert text.count("Convergence FAILED: do not cite") == text.count("<figure ")
    rows = list(csv.DictReader(io.StringIO((hostile_folder / "selection.csv").read_text())))
    assert all(row["convergence"].startswith("FAILED") for row in rows)


def test_passed_gates_leave_no_mark(make_results, tmp_path: Path) -> None:
    write_report(make_results(facilities=5, m=2, draws=100), tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert 'class="stop"' not in text
    assert "\u2020" not in text
    assert "convergence" not in (tmp_path / "selection.csv").read_text().splitlines()[0]


def test_csv_agrees_with_the_results(make_results, tmp_path: Path) -> None:
    tree = make_results(facilities=7, draws=150)
    write_report(tree, tmp_path, brief=True)
    ranking = tree["ranking"].to_dataset()
    for row in csv.DictReader(io.StringIO((tmp_path / "selection.csv").read_text())):
        cell = ranking.sel(facility=row["facility"])
        assert float(row["p_top"]) == pytest.approx(float(cell["p_top"]), rel=1e-8)
        assert row["selected_top"] == str(bool(cell["selected_top"])).lower()
        # the label of a bound is the bound
        assert float(row["rank_q2.5"]) == float(cell["rank_interval"].sel(ci_bound=0.025))
        assert float(row["rank_q97.5"]) == float(cell["rank_interval"].sel(ci_bound=0.975))


def test_small_counts_are_printed_nowhere(make_results, tmp_path: Path) -> None:
    # trials 7 of one cell, and the 1 success of another, are distinctive percentages
    tree = make_results(facilities=5, m=2, indicators=1, draws=100, trials=41, suppress_below=4)
    study = tree["study"].to_dataset()
    successes, trials = study["successes"].copy(), study["trials"].copy()
    successes[:] = 20.0
    successes[0, 0, 0] = 1.0
    trials[1, 0, 1], successes[1, 0, 1] = 3.0, 0.0
    successes[2, 0, 0] = 39.0  # 2 cases without success
    tree["study"] = tree["study"].assign(successes=successes, trials=trials)
    observed = 100.0 * (successes / trials).isel(indicator=0, drop=True)
    improvement = tree["improvement"].to_dataset()
    tree["improvement"] = tree["improvement"].assign(
        observed=observed.isel(period=1, drop=True) - observed.isel(period=0, drop=True),
        observed_baseline=observed.isel(period=0, drop=True),
        observed_endline=observed.isel(period=1, drop=True),
    )
    tree["predictive"] = tree["predictive"].assign(observed=observed)
    assert improvement.sizes["facility"] == 5
    shown = observed_shown(Results(tree))
    assert shown.to_numpy().tolist() == [False, False, False, True, True]
    write_report(tree, tmp_path, formats=("html", "md", "tex", "csv"))
    hidden = [f"{100 * x:.1f}" for x in (1 / 41, 39 / 41)] + [f"{100 * 19 / 41:.1f}"]
    for path in tmp_path.rglob("*"):
        if path.suffix in {".html", ".md", ".tex", ".csv"}:
            text = path.read_text()
            body = re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL)
            for value in hidden[:2]:
                assert f">{value}<" not in body, (path.name, value)
                assert f" {value} " not in body, (path.name, value)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "improvement.csv").read_text())))
    held = {row["facility"]: row["observed_baseline"] for row in rows}
    assert [held[f"Hospital {n}"] == "" for n in (1, 2, 3, 4, 5)] == [
        True,
        True,
        True,
        False,
        False,
    ]
    figure = (tmp_path / "figures" / "predictive.csv").read_text()
    assert f"{100 / 41:.6g}" not in figure
    assert "Cases in a cell" not in (tmp_path / "report.html").read_text()


def test_long_study_shows_both_ends(make_results, tmp_path: Path) -> None:
    tree = make_results(facilities=450, indicators=1, domains=1, draws=60, with_draws=False)
    write_report(tree, tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert "of 450 facilities are shown" in text
    assert len((tmp_path / "selection.csv").read_text().splitlines()) == 451
    assert len(text) < 5_000_000


def test_full_report_of_200_facilities_stays_small(make_results, tmp_path: Path) -> None:
    write_report(make_results(facilities=200, indicators=14, draws=300), tmp_path)
    assert (tmp_path / "report.html").stat().st_size < 5_000_000


def test_two_tables_of_one_name_fail_the_report(make_results) -> None:
    section = build_document(Results(make_results(facilities=5, m=2, draws=60))).sections[2]
    with pytest.raises(InputError, match="two of the name"):
        number_sections((section, section))


def test_report_again_from_a_folder(make_results, tmp_path: Path) -> None:
    tree = make_results(facilities=5, m=2, draws=100)
    write_report(tree, tmp_path, brief=True)
    first = (tmp_path / "report.html").read_bytes()
    save_fit(tree, tmp_path / "results.nc")
    (tmp_path / "report.html").unlink()
    paths = report(tmp_path, formats=("html", "md"), brief=True)
    assert tmp_path / "report.md" in paths
    assert (tmp_path / "report.html").read_bytes() == first


def test_refusals(make_results, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no results to report"):
        report(tmp_path)
    with pytest.raises(InputError, match="no report format 'pdf'"):
        write_report(make_results(facilities=4, m=1, draws=50), tmp_path, formats=("html", "pdf"))
    assert list(tmp_path.iterdir()) == []
    tree = make_results(facilities=4, m=1, draws=50)
    del tree["ranking"]
    with pytest.raises(InputError, match="lack ranking"):
        write_report(tree, tmp_path)


def test_a_figure_that_fails_fails_the_report(make_results, tmp_path: Path, monkeypatch) -> None:
    from pdsim.reports import plots

    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("no figure")

    monkeypatch.setattr(plots, "rank_heatmap", broken)
    with pytest.raises(RuntimeError, match="no figure"):
        write_report(make_results(facilities=4, m=1, draws=50), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "groups",
    [("improvement", "ranking"), ("improvement", "ranking", "pairs", "sets_top", "sets_bottom")],
)
def test_absent_groups_leave_their_sections_out(make_results, tmp_path: Path, groups) -> None:
    tree = make_results(facilities=5, m=2, draws=100)
    for name in list(tree.children):
        if name not in groups:
            del tree[name]
    write_report(tree, tmp_path, formats=("html", "tex"))
    text = (tmp_path / "report.html").read_text()
    assert 'id="selection"' in text
    assert 'id="behind"' not in text
    assert (tmp_path / "tables" / "pairs.csv").exists() == ("pairs" in groups)


def test_files_written_side_by_side_are_all_there_and_one_that_fails_is_told(
    tmp_path: Path,
) -> None:
    contents: dict[str, str | bytes] = {f"tables/{n}.csv": f"row {n}" for n in range(30)}
    written = write_files(contents, tmp_path)
    assert [path.read_text() for path in written] == list(contents.values())
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_files({"a.csv": "a", "taken": "b", "c.csv": "c"}, tmp_path)
    assert not [path.name for path in tmp_path.iterdir() if path.name.endswith(".tmp")]


def test_what_many_sentences_ask_is_looked_up_once(make_results) -> None:
    results = Results(make_results(facilities=5, m=2, draws=60))
    assert results.group("ranking") is results.group("ranking")
    assert results.improvement is results.improvement
    given = base_tables(results)
    assert build_document(results, tables=given).tables["selection"] is given["selection"]
