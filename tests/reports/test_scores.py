"""Scores made elsewhere: read as they are, ranked like those of a fit."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from pdsim.analysis.rank_scores import rank_results, turned
from pdsim.analysis.score_columns import ScoreOptions
from pdsim.analysis.score_files import read_scores
from pdsim.ranking import Marginals
from pdsim.reports.study.tables import selection_table
from pdsim.reports.study.view import members, read_results

NAMES = ["A", "=B", "C", "D"]


@pytest.fixture
def score() -> xr.DataArray:
    values = np.random.default_rng(1).normal([2.0, 1.0, 0.0, -1.0], 1.0, (2, 200, 4))
    return xr.DataArray(
        values, dims=("chain", "draw", "facility"), coords={"facility": NAMES}, name="score"
    )


def test_csv_with_chains(score: xr.DataArray, tmp_path: Path) -> None:
    frame = pd.DataFrame(score.to_numpy().reshape(-1, 4), columns=NAMES)
    frame.insert(0, "chain", np.repeat(["x", "y"], 200))
    frame.to_csv(tmp_path / "draws.csv", index=False)
    found = read_scores(tmp_path / "draws.csv")
    assert isinstance(found, xr.DataArray)
    assert found.dims == ("chain", "draw", "facility")
    np.testing.assert_allclose(found.to_numpy(), score.to_numpy(), rtol=1e-12)


def test_csv_of_independent_draws(score: xr.DataArray, tmp_path: Path) -> None:
    pd.DataFrame(score.to_numpy()[0], columns=NAMES).to_csv(tmp_path / "d.csv", index=False)
    found = read_scores(tmp_path / "d.csv")
    assert isinstance(found, xr.DataArray)
    assert found.dims == ("sample", "facility")
    assert found["facility"].to_numpy().tolist() == NAMES


def test_netcdf_and_posterior_group(score: xr.DataArray, tmp_path: Path) -> None:
    score.to_netcdf(tmp_path / "plain.nc", engine="h5netcdf")
    xr.testing.assert_allclose(read_scores(tmp_path / "plain.nc"), score)
    data = score.to_dataset().assign(twice=2 * score, other=("x", [1.0]))
    tree = xr.DataTree.from_dict({"/posterior": data})
    tree.to_netcdf(tmp_path / "arviz.nc", engine="h5netcdf")
    xr.testing.assert_allclose(
        read_scores(tmp_path / "arviz.nc", options=ScoreOptions(variable="twice")),
        (2 * score).rename("twice"),
    )


def test_results_of_draws_are_counts_of_draws(score: xr.DataArray) -> None:
    tree = rank_results(score, m=1)
    flat = score.to_numpy().reshape(-1, 4)
    ranking = tree["ranking"].to_dataset()
    expected = np.bincount(flat.argmax(axis=1), minlength=4) / len(flat)
    np.testing.assert_allclose(ranking["p_top"].sel(facility=NAMES).to_numpy(), expected)
    sets = tree["sets_top"].to_dataset()
    assert members(str(sets["members"].to_numpy()[0])) == ("A",)
    assert float(sets["probability"].sum()) == pytest.approx(1.0)
    chosen = ranking["selected_top"].to_numpy().astype(bool)
    assert sets.attrs["p_selected_set"] == pytest.approx(expected[chosen][0])
    low, high = tree["improvement"]["interval"].sel(facility="C").to_numpy()
    np.testing.assert_allclose([low, high], np.quantile(flat[:, 2], [0.025, 0.975]))
    assert tree["improvement"]["ci_bound"].to_numpy().tolist() == [0.025, 0.975]


def test_turning_swaps_the_ends(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text("facility,estimate,se\nA,3,1\nB,2,2\nC,1,1\n")
    score = read_scores(path)
    assert isinstance(score, Marginals)
    ranking = rank_results(score, m=1)["ranking"].to_dataset()
    other = rank_results(turned(score), m=1)["ranking"].to_dataset()
    np.testing.assert_allclose(ranking["p_top"], other["p_bottom"], atol=1e-12)
    np.testing.assert_allclose(ranking["expected_rank"], 4 - other["expected_rank"], atol=1e-12)


def test_pisa_improvement(shared_data: Path, tmp_path: Path) -> None:
    # OECD PISA mathematics 2018 to 2022, flat prior: exact values of two independent routes
    old, new = (
        pd.read_csv(shared_data / f"pisa{year}.csv").set_index("jurisdiction")
        for year in (2018, 2022)
    )
    both = old.index.intersection(new.index)
    table = pd.DataFrame(
        {
            "estimate": new.loc[both, "math_score"] - old.loc[both, "math_score"],
            "se": np.hypot(new.loc[both, "math_se"], old.loc[both, "math_se"]),
        }
    ).dropna()
    table.rename_axis("facility").to_csv(tmp_path / "pisa.csv")
    ranking = rank_results(read_scores(tmp_path / "pisa.csv"), m=3)["ranking"].to_dataset()
    assert ranking.sizes["facility"] == 37
    for name, rank, top in (("Japan", 1.1759, 0.9951), ("Korea", 3.1742, 0.7344)):
        assert float(ranking["expected_rank"].sel(facility=name)) == pytest.approx(rank, abs=1e-4)
        assert float(ranking["p_top"].sel(facility=name)) == pytest.approx(top, abs=1e-4)
    assert float(ranking["p_bottom"].sel(facility="Iceland")) == pytest.approx(0.9975, abs=1e-4)


def test_ties_grades_and_rules_are_said(tmp_path: Path) -> None:
    path = tmp_path / "estimates.csv"
    path.write_text("facility,estimate,se\nA,10,2\nB,9,1\nC,9,1\nD,5,3\nE,2,2\nF,0,1\n")
    tree = rank_results(read_scores(path), m=2)
    ranking, rules = tree["ranking"].to_dataset(), tree["rules"].to_dataset()
    assert ranking["tied_top"].to_numpy().tolist() == [False, True, True, False, False, False]
    assert ranking["grade"].to_numpy().tolist() == [1, 1, 1, 2, 3, 4]
    assert {"shrunken_mean", "confidence_set"} <= set(rules["rule"].to_numpy().tolist())
    wide = rules["selected_top"].sel(rule="confidence_set")
    assert wide.to_numpy().tolist() == [True, True, True, True, False, False]
    assert "B and C tie at the cut" in rules.attrs["disagreement_top"]
    table = selection_table(read_results(tree))
    assert [table.frame.loc[name, "choice"] for name in "ABCD"] == [
        "highest",
        "tied for highest",
        "tied for highest",
        "",
    ]
