"""What notebooks show of studies, fits, plans and sweeps."""

import pytest
import xarray as xr

import pdsim
from pdsim.errors import InputError


@pytest.fixture(scope="module")
def fit() -> xr.DataTree:
    return pdsim.fit(pdsim.load_example("surgical"), engine="laplace", seed=1)


def test_a_fit_shows_its_values_and_checks(fit: xr.DataTree) -> None:
    text, page = str(fit.pdsim), fit.pdsim._repr_html_()
    score = pdsim.composite(fit)
    for name in score["facility"].to_numpy():
        value = f"{float(score.sel(facility=name).mean()):.1f}"
        assert name in text
        assert value in text
        assert value in page
    assert "all checks passed" in text
    failed = fit.copy()
    failed.attrs["convergence"] = "FAILED: R-hat 1.2"
    assert "FAILED: R-hat 1.2" in str(failed.pdsim)
    assert "do not cite" in str(failed.pdsim)


def test_names_cannot_become_markup() -> None:
    study = pdsim.load_example("surgical")
    names = ["<script>", *study.data["facility"].to_numpy()[1:].tolist()]
    odd = pdsim.Study(data=study.data.assign_coords(facility=names), options=study.options)
    assert "<script>" not in odd._repr_html_()
    assert "&lt;script&gt;" in odd._repr_html_()


def test_a_study_shows_what_was_read() -> None:
    study = pdsim.load_example("safe_surgery_like")
    page = study._repr_html_()
    total = float(study.data["trials"].sel(facility="H01", period="baseline").sum())
    assert f"14 of 14, n = {total:,.0f}" in page
    assert page.count("<tr>") == 11


def test_plans_and_sweeps_show_their_answer(tmp_path) -> None:
    lead = pdsim.Scenario(kind="normal", means=(0.8,) * 3 + (0.0,) * 7)
    plan = pdsim.plan(lead, target="pcs_top >= 0.8", precision=0.3, seed=1)
    assert str(int(plan["answer"]["n"])) in str(plan.pdsim)
    settings = {"replicates": 20, "seed": 1, "factors": {"trials": [10, 20]}}
    result = pdsim.sweep(settings, store=tmp_path, executor="serial")
    assert "P(top set right) is best with trials =" in str(result.pdsim)
    assert "<table" in result.pdsim._repr_html_()


def test_other_objects_are_refused() -> None:
    with pytest.raises(InputError, match="pdsim shows fits"):
        str(xr.DataTree().pdsim)
