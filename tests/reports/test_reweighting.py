"""The sections on uncertain weights, from the real tables of `pdsim.weights`."""

from pathlib import Path

import pytest
import xarray as xr

from pdsim.analysis import WeightSettings, weight_tables, write_report
from pdsim.reports.formats.plainwords import words_of
from pdsim.reports.study.sections.reweighting import (
    acceptability_table,
    methods_table,
    reweighting,
    settle_table,
)
from pdsim.reports.study.view import Results
from pdsim.weights import settle


@pytest.fixture(scope="module")
def tree(make_results) -> xr.DataTree:
    results = make_results(facilities=6, m=2, indicators=4, draws=120, spread=4.0)
    study = results["study"].to_dataset()
    level = results["draws"]["level"].astype(float).rename(draw="sample")
    level = level.assign_coords(
        weight=("indicator", study["weight"].to_numpy()),
        domain=("indicator", study["domain"].to_numpy()),
    )
    few = WeightSettings(draws=40, weight_draws=50, grid_draws=16)
    for name, table in weight_tables(level, m=2, settings=few).items():
        results[name] = xr.DataTree(table)
    return results


def test_tables_and_figures_are_there(tree: xr.DataTree, tmp_path: Path) -> None:
    blocks, filed = reweighting(Results(tree))
    keys = [getattr(block, "key", "") for block in (*blocks, *filed)]
    for key in (
        "acceptability_top",
        "rank-acceptability",
        "methods_bottom",
        "settle_top",
        "settle_top_nominal",
        "flip_bottom",
    ):
        assert key in keys
    assert len(set(keys) - {""}) == sum(bool(key) for key in keys)
    write_report(tree, tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert 'id="figure-rank-acceptability"' in text
    assert (tmp_path / "tables" / "acceptability_top.csv").is_file()
    assert "Stochastic multiobjective acceptability" in text


def test_acceptability_is_that_of_the_results(tree: xr.DataTree) -> None:
    table = acceptability_table(Results(tree), "top")
    group = tree["weights_acceptability"].to_dataset()
    for space in group["space"].to_numpy().tolist():
        total = sum(float(table.value(row, f"top {space}")) for row in table.rows)
        assert total == pytest.approx(2.0)
        cell = group["top_acceptability"].sel(space=space, facility="Hospital 2")
        assert table.value("Hospital 2", f"top {space}") == float(cell)


def test_what_settles_is_said_of_nominal_weights(tree: xr.DataTree) -> None:
    results = Results(tree)
    blocks, _ = reweighting(results)
    texts = [words_of(block.text) for block in blocks if hasattr(block, "text")]
    for known in ("", "_nominal"):
        group = results.group(f"weights_decomposition_top{known}")
        found = settle(group)
        table = settle_table(results, f"weights_decomposition_top{known}", "top", found)
        assert table.value("share", "posterior") == found.posterior
        assert float(group["first"].sel(outcome="set", factor="posterior")) == found.posterior
        own = [text for text in texts if text.startswith(f"{group.attrs['premise']}, ")]
        assert bool(own) == bool(known)
        assert not own or ("more data would not settle the top" in own[0]) == (
            not found.by_data and not found.little_open
        )
        assert group.attrs["sentence"].startswith(f"{group.attrs['premise']}, ")


def test_choices_of_method_are_those_of_the_multiverse(tree: xr.DataTree) -> None:
    results = Results(tree)
    universe = tree["weights_multiverse_top"].to_dataset()
    table = methods_table(results, "top")
    row = table.frame.index[
        (table.frame["factor"] == "normalisation") & (table.frame["level"] == "rank")
    ][0]
    own = universe["same"].values[universe["normalisation"].values == "rank"]
    assert table.value(row, "same") == pytest.approx(100 * own.mean())
    chosen = acceptability_table(results, "top")
    stays = universe["stays"].sel(facility="Hospital 2")
    assert chosen.value("Hospital 2", "stays") == pytest.approx(100 * float(stays))
    bounds = tree["weights_bounds"].to_dataset().sel(facility="Hospital 2")
    ranks = f"(rank {int(bounds['best_rank'])} to {int(bounds['worst_rank'])})"
    assert ranks in chosen.frame.loc["Hospital 2", "any"]


def test_without_the_tables_there_is_no_section(make_results) -> None:
    plain = make_results(facilities=5, m=2, indicators=2, draws=60)
    assert reweighting(Results(plain)) == ([], [])
