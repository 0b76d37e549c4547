"""The report of a sweep, from invented results."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from pdsim import Scenario, plan
from pdsim.analysis import report, save_fit, write_plan
from pdsim.errors import InputError
from pdsim.reports.formats.document import Paragraph
from pdsim.reports.formats.plainwords import words_of
from pdsim.reports.formats.write import write_document
from pdsim.reports.sweep import sweep_document
from pdsim.sweeps import open_contrast, open_contrasts, sweep, write_result


def test_sweep_table_has_every_cell(tmp_path: Path) -> None:
    value = np.array([[0.2, 0.5], [0.1, 0.3]])
    result = xr.Dataset(
        {
            "pcs_top": (("trials", "engine"), value),
            "pcs_top_mcse": (("trials", "engine"), np.full((2, 2), 0.01)),
            "n_simulated": (("trials", "engine"), np.full((2, 2), 100)),
            "n_failed": (("trials", "engine"), np.array([[0, 0], [0, 3]])),
        },
        coords={"trials": [10, 40], "engine": ["a", "b"]},
        attrs={"configuration": json.dumps({"name": "S"}), "seed": 1},
    )
    document = sweep_document(result)
    table = document.tables["sweep"]
    assert len(table.rows) == 4
    assert table.value("40 / b", "pcs_top") == 0.3
    assert table.number("40 / b", "n_failed").text == "3"
    assert [picture.key for picture in document.pictures] == ["curve-pcs_top"]
    write_document(document, tmp_path, formats=("html", "tex"))
    assert "P(top set right)" in (tmp_path / "report.html").read_text()
    with pytest.raises(InputError, match="none of the measures"):
        sweep_document(result[["n_failed"]])


def test_report_again_from_the_file_of_a_sweep(tmp_path: Path) -> None:
    result = xr.Dataset(
        {
            "pcs_top": ("trials", [0.2, 0.5]),
            "pcs_top_mcse": ("trials", [0.01, 0.01]),
            "n_simulated": ("trials", [100, 100]),
            "n_failed": ("trials", [0, 0]),
        },
        coords={"trials": [10, 40]},
        attrs={"configuration": json.dumps({"name": "S"}), "seed": 1},
    )
    write_result(result, tmp_path / "cases.nc")
    (page,) = [path for path in report(tmp_path / "cases.nc") if path.suffix == ".html"]
    assert page == tmp_path / "cases.html"
    write_document(sweep_document(result), tmp_path, formats=("html",))
    assert page.read_text() == (tmp_path / "report.html").read_text()


def test_report_again_from_the_folder_of_a_plan(tmp_path: Path) -> None:
    lead = Scenario(kind="normal", means=(0.8,) * 3 + (0.0,) * 7)
    tree = plan(lead, target="pcs_top >= 0.8", precision=0.3, seed=1)
    (tmp_path / "new").mkdir()
    save_fit(tree, tmp_path / "plan.nc")
    report(tmp_path)
    write_plan(tree, tmp_path / "new")
    text = (tmp_path / "planning.html").read_text()
    assert text == (tmp_path / "new" / "planning.html").read_text()


def test_sweep_report_has_all_measures_asked_for_and_paired_differences(tmp_path: Path) -> None:
    asked = ["overlap_top", "regret_top", "pcs_top"]
    settings = {
        "replicates": 200,
        "seed": 3,
        "measures": asked,
        "factors": {"trials": [5, 80], "rule": ["observed_change", "z_score"]},
    }
    result = sweep(settings, store=tmp_path / "store", executor="serial")
    contrasts = open_contrasts(tmp_path / "store")
    document = sweep_document(result, contrasts=contrasts)
    assert set(asked) <= set(document.tables["sweep"].frame)
    assert [picture.key for picture in document.pictures] == [f"curve-{name}" for name in asked]
    gain = open_contrast(tmp_path / "store", dim="trials", reference=5)
    table = document.tables["difference_trials"]
    assert table.rows == ("80 / observed_change", "80 / z_score")
    for rule in ("observed_change", "z_score"):
        cell = gain.sel(trials=80, rule=rule)
        assert table.value(f"80 / {rule}", "overlap_top") == float(cell.overlap_top)
        assert table.value(f"80 / {rule}", "overlap_top_mcse") == float(cell.overlap_top_mcse)
    texts = [words_of(block.text) for block in document.sections[0].blocks
             if isinstance(block, Paragraph)]  # fmt: skip
    cells = result["overlap_top"]
    best = cells.where(cells == cells.max(), drop=True)
    where = f"trials = {int(best.trials[0])}, rule = {best.rule.values[0]}"
    assert texts[0].startswith(f"Share of the top named is best with {where}:")
    # sixteen times the cases change it by far more than the error of 200 pairs
    assert (
        "Against the first level of trials, Share of the top named changes most at 80" in texts[1]
    )
    flat = xr.zeros_like(contrasts["rule"]).assign_attrs(contrasts["rule"].attrs)
    calm = sweep_document(result, contrasts={"rule": flat})
    assert "No level of rule changes" in words_of(calm.sections[0].blocks[1].text)
