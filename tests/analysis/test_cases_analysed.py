"""Tables as people have them, from the file to the answer: what an analysis of each must say."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import pdsim
from pdsim.analysis import Analysis
from pdsim.analysis.exchange import identical_facilities
from pdsim.scoring import normalise, observed_levels
from pdsim.study import SamplerSettings, Study, StudyOptions, read_study

CASES = Path(__file__).parents[1] / "cases"

# few cells may fail a gate, which labels the numbers; a library of the engine raises the limit of
# recursion
pytestmark = [
    pytest.mark.filterwarnings("ignore::pdsim.errors.PdsimWarning"),
    pytest.mark.filterwarnings("ignore:The recursion limit"),
]


def analysed(path: Path, **options: object) -> tuple[Study, Analysis]:
    sampler = SamplerSettings(engine="laplace")
    study = read_study(path, options=StudyOptions(sampler=sampler, **options))
    return study, pdsim.analyse(study)


def improvement(result: Analysis) -> xr.Dataset:
    table = result.results["improvement"].to_dataset()
    return table.isel(estimand=0) if "estimand" in table.dims else table


@pytest.mark.slow
@pytest.mark.parametrize(("file", "lost"), [("drop.csv", "D"), ("new.csv", "E")])
def test_a_unit_that_is_seen_in_one_round_is_ranked_with_a_wider_interval(
    file: str, lost: str
) -> None:
    study, result = analysed(CASES / "lost_unit" / file)
    table = improvement(result)
    assert set(table["facility"].to_numpy()) == set(study.data["facility"].to_numpy())
    low, high = (table["interval"].isel(ci_bound=k) for k in (0, 1))
    width = high - low
    assert bool(np.isfinite(width).all())
    assert np.isnan(float(table["observed"].sel(facility=lost)))
    assert float(width.sel(facility=lost)) > float(width.drop_sel(facility=lost).max())


@pytest.mark.slow
def test_both_ends_of_suppressed_counts_stand_in_the_report(tmp_path: Path) -> None:
    sampler = SamplerSettings(engine="laplace")
    study = read_study(CASES / "total_row" / "study.toml", options=StudyOptions(sampler=sampler))
    result = pdsim.analyse(study, out=tmp_path / "out")
    table = result.tables["suppressed_top"]
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for end in ("low", "high"):
        refit = pdsim.fit(study.with_suppressed(end), engine="laplace", seed=7)
        asked = pdsim.top_probability(pdsim.composite(refit, estimand="change"), m=study.m)
        expected = asked["top_probability"].sel(facility=list(table.index)).to_numpy()
        error = np.hypot(table[f"p_{end}_mcse"], float(asked["top_probability_mcse"].max()))
        assert (np.abs(table[f"p_{end}"] - expected) < 4 * error + 1e-3).all()
        assert f"With the suppressed counts at their {end}est: " in text
    # who leaves at an end stands among what would change the choice
    assert (tmp_path / "out" / "tables" / "suppressed_top.csv").is_file()
    named = result.tables["selection"]["selected_top"]
    for end in ("low", "high"):
        moved = (table[f"selected_{end}"] != named.loc[table.index]).any()
        assert (f"suppressed counts at their {end} end" in text) == moved


@pytest.mark.slow
def test_a_domain_without_weight_is_left_out_with_a_note() -> None:
    study, result = analysed(CASES / "zero_weight_domain" / "study.toml")
    assert "weigh 0: 'B'" in " ".join(study.assumptions)
    assert "domains" not in result.results.children
    assert set(improvement(result)["facility"].to_numpy()) == set(study.data["facility"].to_numpy())


def alike(result: Analysis, facilities: list[str]) -> None:
    """Check that facilities with the same data share their places, and that none is named."""
    table = result.tables["selection"].loc[facilities]
    for side in ("top", "bottom"):
        assert table[f"p_{side}"].nunique() == 1
        assert not table[f"selected_{side}"].any() or table[f"selected_{side}"].all()


@pytest.mark.slow
def test_cells_that_are_all_zero_tell_nobody_apart() -> None:
    study, result = analysed(CASES / "same_side_twice" / "study.toml")
    assert result.fit is not None
    assert result.fit.attrs["engine"] == "laplace"
    assert "the data of the facilities are the same" in result.sentences["How sure?"]
    alike(result, study.data["facility"].to_numpy().tolist())
    for side in ("top", "bottom"):
        np.testing.assert_allclose(result.tables["selection"][f"p_{side}"], study.m / 10, atol=1e-9)
        assert not result.tables["selection"][f"selected_{side}"].any()


@pytest.mark.slow
def test_one_case_a_cell_in_two_facilities_gives_no_order() -> None:
    study, result = analysed(CASES / "order_words" / "study.toml")
    assert "the data of the facilities are the same" in result.sentences["How sure?"]
    alike(result, study.data["facility"].to_numpy().tolist())
    table = improvement(result)
    assert len(set(table["mean"].to_numpy().tolist())) == 1
    np.testing.assert_allclose(result.tables["selection"]["p_top"], 0.5, atol=1e-9)


@pytest.mark.slow
def test_one_weight_above_all_is_not_called_equal() -> None:
    study, result = analysed(CASES / "false_equal_weights" / "study.toml")
    assert float(study.data["weight"].max()) == pytest.approx(0.97)
    said = " ".join([*result.sentences.values(), *study.assumptions]).casefold()
    assert "equal weight" not in said
    assert "weights are equal" not in said


@pytest.mark.slow
def test_two_facilities_far_apart() -> None:
    # 0/20 to 20/20 beside 0/20 to 0/20: 90.6 (75.3 to 98.7) and .2 (-6.1 to 9.1) were right before
    # indicators had spreads of their own, which one indicator does not change
    _, result = analysed(CASES / "two_facilities" / "two.csv")
    table = improvement(result)
    found = table["interval"].transpose("facility", "ci_bound").to_numpy()
    # Monte Carlo error of a 2.5 % quantile from an effective 1,900 draws: about 8 % of an sd of 6
    np.testing.assert_allclose(found, [[75.3, 98.7], [-6.1, 9.1]], atol=4 * 0.5)
    np.testing.assert_allclose(table["mean"], [90.6, 0.2], atol=4 * 6 / np.sqrt(1900))
    assert result.tables["selection"]["selected_top"].tolist() == [True, False]


@pytest.mark.slow
def test_names_with_accents_come_back_from_the_tables(tmp_path: Path) -> None:
    study = read_study(
        CASES / "spreadsheet_csv" / "klinik.csv",
        options=StudyOptions(sampler=SamplerSettings(engine="laplace")),
    )
    pdsim.analyse(study, out=tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "selection.csv", encoding="utf-8")
    names = sorted(study.data["facility"].to_numpy().tolist())
    assert {"Klinik Süd", "Ośrodek Łódź"} <= set(names)
    # a name that begins like a formula is quoted
    assert sorted(name.removeprefix("'") for name in table["facility"]) == names


def equal_data(**options: object) -> Study:
    return read_study(
        CASES / "equal_data" / "counts.csv",
        options=StudyOptions(indicators=str(CASES / "equal_data" / "ind.csv"), **options),
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_facilities_with_the_same_data_share_their_places_under_any_seed(
    seed: int, tmp_path: Path
) -> None:
    # cells of 0 and of 10 in 10 alone: the fast engine hands over once, and no refit does
    sampler = SamplerSettings(engine="laplace", draws=200, tune=200, chains=2)
    study = equal_data(sampler=sampler)
    # one has c0 met, two c4, and seven are alike
    groups = identical_facilities(study)
    assert sorted(map(len, groups)) == [2, 7]
    result = pdsim.analyse(study, seed=seed, out=tmp_path / "out")
    assert result.fit is not None
    assert result.fit.attrs["engine"] == "nuts"
    found = result.tables["selection"].set_index("facility")
    for side in ("top", "bottom"):
        assert found[f"p_{side}"].sum() == pytest.approx(study.m)
        for group in groups:
            alike(result, list(group))
    seven = list(max(groups, key=len))
    rest = found.drop(index=seven)
    # the three with something met are above all others, by far; of the seven nobody is named
    assert rest["p_top"].min() > 0.6
    assert found.loc[seven, "p_top"].max() < 0.2
    assert set(rest.index[rest["selected_top"]]) == set(rest.index)
    assert not found["selected_bottom"].any()
    refused = json.loads(result.results.attrs["refused_refits"])
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert ("Not tested: the choice" in text) == bool(refused)


def test_min_max_of_indicators_that_do_not_vary() -> None:
    study = equal_data()
    scaled = normalise(observed_levels(study), "min_max").squeeze()
    total = (scaled * study.data["weight"]).sum("indicator").to_numpy()
    # constant indicators give nothing; three facilities have the one that weighs .1111
    assert sorted(total.round(4).tolist()) == [0.0] * 7 + [0.1111] * 3


def test_min_max_where_lower_is_better() -> None:
    # by hand: the goalposts are the smallest and the largest of the six
    study = read_study(
        CASES / "minmax_lower" / "scores.csv",
        options=StudyOptions(
            periods=("2015", "2022"),
            indicators=str(CASES / "minmax_lower" / "ind.csv"),
        ),
    )
    scaled = 100 * normalise(observed_levels(study), "min_max")
    found = scaled.transpose("facility", "indicator", "period").to_numpy().ravel()
    expected = [91.278, 100.0, 0.0, 5.354, 27.236, 52.455]
    np.testing.assert_allclose(found, expected, atol=5e-4)


@pytest.mark.filterwarnings("error")
def test_an_indicator_that_is_seen_whole_in_no_facility_has_no_place_on_a_scale() -> None:
    level = observed_levels(read_study(CASES / "lost_unit" / "ind.csv"))
    empty = level.where(level["indicator"] != "briefing")
    for method in ("pp", "z", "min_max", "rank"):
        scaled = normalise(empty, method)
        assert bool(scaled.sel(indicator="briefing").isnull().all())
        assert bool(scaled.sel(indicator="checklist").notnull().all())
