"""`Study`: what it holds, what it refuses, what it says."""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import pdsim
from pdsim.errors import InputError
from pdsim.priors import Priors
from pdsim.study import SamplerSettings, Study, StudyOptions


def long_table(facilities: int = 6, indicators: int = 2, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product(
        [
            [f"F{i}" for i in range(facilities)],
            [f"K{k}" for k in range(indicators)],
            ["baseline", "endline"],
        ],
        names=["facility", "indicator", "period"],
    )
    trials = rng.integers(5, 40, len(index))
    return pd.DataFrame(
        {"successes": rng.binomial(trials, 0.5), "trials": trials}, index=index
    ).reset_index()


def dataset(**changes: Any) -> xr.Dataset:
    data = Study.from_long(long_table()).data
    return data.assign(changes) if changes else data


def problems_of(**arguments: Any) -> str:
    with pytest.raises(InputError) as caught:
        Study(**arguments)
    return str(caught.value)


def test_from_long_lays_rows_out() -> None:
    table = long_table()
    study = Study.from_long(table, options=StudyOptions(name="six"))
    assert study.data["trials"].dims == ("facility", "indicator", "period")
    for row in table.itertuples():
        cell = study.data.sel(facility=row.facility, indicator=row.indicator, period=row.period)
        assert (float(cell["successes"]), float(cell["trials"])) == (row.successes, row.trials)
    assert study.data["successes"].dtype == np.float64
    assert study.data["facility"].to_numpy().tolist() == [f"F{i}" for i in range(6)]
    assert study.data["weight"].to_numpy().tolist() == [0.5, 0.5]
    assert study.data["case_group"].to_numpy().tolist() == ["cases", "cases"]
    assert repr(study) == "<Study 'six': counts, 6 facilities x 2 indicators x 2 periods, m = 3>"


def test_public_names_are_those_of_the_package() -> None:
    assert pdsim.Study is Study


@settings(max_examples=10)
@given(st.permutations(range(24)))
def test_order_of_rows_changes_only_the_order_of_labels(order: list[int]) -> None:
    table = long_table()
    plain, mixed = Study.from_long(table).data, Study.from_long(table.iloc[order]).data
    xr.testing.assert_equal(
        plain, mixed.sel(facility=plain["facility"], indicator=plain["indicator"])
    )


def test_missing_cells_have_no_trials_and_are_said_to_be_missing() -> None:
    table = long_table().drop(index=[0, 5])
    table = table.astype({"successes": float, "trials": float})
    table.loc[7, ["successes", "trials"]] = np.nan
    table.loc[9, ["successes", "trials"]] = 0
    study = Study.from_long(table)
    assert int((study.data["trials"] == 0).sum()) == 4
    assert not study.data.isnull().any().to_array().any()
    assert any(text.startswith("4 of 24 cells are missing") for text in study.assumptions)


def test_facilities_and_indicators_without_data_are_left_out_and_named() -> None:
    table = long_table(indicators=3)
    gone = (table["facility"] == "F2") | (table["indicator"] == "K1")
    table.loc[gone, ["successes", "trials"]] = 0
    study = Study.from_long(table, options=StudyOptions(weights={"K0": 0.2, "K1": 0.5, "K2": 0.3}))
    assert study.data["facility"].to_numpy().tolist() == ["F0", "F1", "F3", "F4", "F5"]
    assert study.data["weight"].to_numpy().tolist() == [0.4, 0.6]
    text = " ".join(study.assumptions)
    assert "nothing was observed there: facility 'F2'" in text
    assert "nothing was observed there: indicator 'K1'" in text
    with pytest.raises(InputError, match="all indicators with data have weight 0"):
        Study.from_long(table, options=StudyOptions(weights={"K0": 0, "K1": 1, "K2": 0}))


def test_facility_without_a_period_is_named() -> None:
    table = long_table()
    gone = (table["facility"] == "F2") & (table["period"] == "endline")
    text = " ".join(Study.from_long(table[~gone]).assumptions)
    assert "Nothing was observed at endline in 'F2'" in text


def test_scores_from_se_or_from_sd_and_n() -> None:
    table = pd.DataFrame(
        {
            "facility": ["A", "A", "B", "B"],
            "indicator": "x",
            "period": ["baseline", "endline"] * 2,
            "mean": [1.0, 2.0, 3.0, 4.0],
            "sd": [2.0, 2.0, 3.0, np.nan],
            "n": [16, 4, 9, np.nan],
            "se": [np.nan, np.nan, np.nan, 0.25],
        }
    )
    study = Study.from_long(table)
    assert study.kind == "scores"
    assert study.data["se"].to_numpy()[:, 0].tolist() == [[0.5, 1.0], [1.0, 0.25]]
    assert study.data["sd"].to_numpy()[0, 0].tolist() == [2.0, 2.0]
    missing = Study.from_long(table.iloc[[0, 2, 3]])
    assert np.isnan(missing.data["mean"].sel(facility="A", period="endline")).all()


def test_one_period_is_endline() -> None:
    table = long_table().query("period == 'baseline'")
    assert Study.from_long(table).data["period"].to_numpy().tolist() == ["endline"]
    assert Study.from_long(table).period_labels == ("baseline",)
    study = Study.from_long(table.drop(columns="period"), options=StudyOptions(periods=["2021"]))
    assert study.period_labels == ("2021",)


def test_labels_of_periods_are_mapped_in_the_stated_order() -> None:
    table = long_table().replace({"baseline": "after", "endline": "before"})
    study = Study.from_long(table, options=StudyOptions(periods=("before", "after")))
    plain = Study.from_long(long_table())
    swapped = plain.data.isel(period=[1, 0]).assign_coords(period=["baseline", "endline"])
    xr.testing.assert_equal(study.data, swapped)
    assert study.period_labels == ("before", "after")


def test_periods_of_numbers_and_facilities_of_numbers() -> None:
    table = long_table().assign(period=[2021, 2023] * 12, facility=np.repeat(np.arange(6), 4))
    study = Study.from_long(table, options=StudyOptions(periods=["2021", "2023"]))
    assert study.data["facility"].to_numpy().tolist() == ["0", "1", "2", "3", "4", "5"]


def test_default_m_is_three_or_half() -> None:
    assert [Study.from_long(long_table(f)).m for f in (2, 3, 4, 5, 6, 9)] == [1, 1, 2, 2, 3, 3]


def test_effective_data_divides_by_the_design_effect() -> None:
    study = Study.from_long(
        long_table(), options=StudyOptions(design_effect=1.6, case_correlation=0.3)
    )
    effective = study.effective_data()
    for name in ("successes", "trials"):
        np.testing.assert_allclose(effective[name], study.data[name] / 1.6)
    assert "Trials are divided by a stated design effect of 1.6." in study.assumptions


def test_effective_data_of_scores_inflates_the_variance() -> None:
    table = long_table().rename(columns={"successes": "mean", "trials": "se"})
    study = Study.from_long(table, options=StudyOptions(design_effect=4.0))
    np.testing.assert_allclose(study.effective_data()["se"], 2 * study.data["se"])


def test_effective_data_of_a_composite() -> None:
    table = {"facility": ["A", "B"], "percent": [19.0, 95.0]}
    study = Study.from_long(
        table, options=StudyOptions(trials=20, items=14, case_correlation=0.1, design_effect=2.0)
    )
    assert study.data["trials"].to_numpy().ravel().tolist() == [280, 280]
    np.testing.assert_allclose(study.data["successes"].to_numpy().ravel(), [53.2, 266.0])
    np.testing.assert_allclose(study.effective_data()["trials"], 280 / (2.3 * 2))
    share = study.effective_data()["successes"] / study.effective_data()["trials"]
    np.testing.assert_allclose(share.to_numpy().ravel(), [0.19, 0.95])
    without = study.with_case_correlation(None)
    np.testing.assert_allclose(without.effective_data()["trials"], 140)


def test_design_effect_of_a_composite_is_the_variance_of_a_mean_of_items() -> None:
    """Var(mean of K items of n cases) = p q / (K n) (1 + (K - 1) r), by simulation."""
    rng = np.random.default_rng(7)
    sets, cases, items, p, r = 4000, 12, 6, 0.3, 0.25
    # with probability sqrt(r) an item copies its case's own coin: correlation r, mean p
    coin = rng.random((sets, cases, 1)) < p
    copies = rng.random((sets, cases, items)) < np.sqrt(r)
    met = np.where(copies, coin, rng.random((sets, cases, items)) < p)
    table = {"facility": ["A", "B"], "percent": [30.0, 30.0]}
    study = Study.from_long(
        table, options=StudyOptions(trials=cases, items=items, case_correlation=r)
    )
    expected = p * (1 - p) / float(study.effective_data()["trials"][0, 0, 0])
    observed = met.mean(axis=(1, 2)).var(ddof=1)
    assert abs(observed / expected - 1) < 4 * np.sqrt(2 / sets)


def test_with_case_correlation_changes_source_and_sentence() -> None:
    study = Study.from_long(long_table())
    assert study.case_correlation is None
    assert study.case_correlation_source == "unset"
    assert any("not known" in text for text in study.assumptions)
    stated = study.with_case_correlation(0.1)
    assert (stated.case_correlation, stated.case_correlation_source) == (0.1, "stated")
    assert any("0.1 is assumed" in text for text in stated.assumptions)
    assert not any("not known: results" in text for text in stated.assumptions)
    assert stated.with_case_correlation(None).assumptions == study.assumptions
    with pytest.raises(InputError, match=r"between 0 and 0.9 \(received 1.2\)"):
        study.with_case_correlation(1.2)


def test_unequal_trials_of_shared_cases_are_an_assumption_only_with_a_correlation() -> None:
    table = long_table().assign(trials=40, successes=10)
    table.loc[table["indicator"] == "K1", "trials"] = 20
    unequal = "unequal trials (up to 2 to 1)"
    for r, said in ((None, False), (0.0, False), (0.2, True)):
        study = Study.from_long(table, options=StudyOptions(case_correlation=r))
        assert any(unequal in text for text in study.assumptions) is said
    apart = {"indicator": ["K0", "K1"], "case_group": ["a", "b"]}
    study = Study.from_long(table, indicators=apart, options=StudyOptions(case_correlation=0.2))
    assert not any("unequal" in text for text in study.assumptions)
    assert not study.shares_cases


def test_case_correlation_is_moot_for_one_indicator_and_for_scores() -> None:
    single = Study.from_long(long_table(indicators=1))
    assert not single.shares_cases
    assert not any("correlation" in text for text in single.assumptions)
    scores = long_table().rename(columns={"successes": "mean", "trials": "se"})
    study = Study.from_long(scores, options=StudyOptions(case_correlation=0.2))
    assert not study.shares_cases
    assert any("taken as independent" in text for text in study.assumptions)


def test_indicator_table_orders_and_describes() -> None:
    indicators = pd.DataFrame(
        {
            "Indicator": ["K1", "K0"],
            "domain": ["team", "safety"],
            "direction": ["Lower", "higher"],
            "weight": [0.25, 0.75],
            "label": ["", "Hand hygiene"],
            "case_group": ["", "cases"],
        }
    )
    data = Study.from_long(long_table(), indicators=indicators).data
    assert data["indicator"].to_numpy().tolist() == ["K1", "K0"]
    assert data["direction"].to_numpy().tolist() == ["lower", "higher"]
    assert data["label"].to_numpy().tolist() == ["K1", "Hand hygiene"]
    assert data["weight"].to_numpy().tolist() == [0.25, 0.75]
    plain = Study.from_long(long_table()).data
    np.testing.assert_array_equal(data["trials"], plain["trials"].sel(indicator=["K1", "K0"]))


def test_rounded_weights_are_made_to_sum_to_one() -> None:
    weights = {"K0": 0.333, "K1": 0.333, "K2": 0.333}
    data = Study.from_long(long_table(indicators=3), options=StudyOptions(weights=weights)).data
    assert float(data["weight"].sum()) == pytest.approx(1.0, abs=1e-15)
    points = StudyOptions(weights=dict.fromkeys(weights, 0.33))
    study = Study.from_long(long_table(indicators=3), options=points)
    assert float(study.data["weight"].sum()) == pytest.approx(1.0, abs=1e-15)
    assert "The weights sum to 0.99: they are taken as points" in " ".join(study.notes)


def test_hostile_names_are_kept_as_they_are() -> None:
    names = ["=1+1", "<b>x</b>", "[red]", "مستشفى", "O'Brien; DROP TABLE", "{0}"]
    table = long_table().assign(facility=np.repeat(names, 4))
    study = Study.from_long(table)
    assert study.data["facility"].to_numpy().tolist() == names


def test_all_problems_of_table_and_options_come_together() -> None:
    table = long_table().astype({"successes": object})
    table.loc[0, "successes"] = "many"
    table.loc[3, "successes"] = -2
    with pytest.raises(InputError) as caught:
        Study.from_long(
            pd.concat([table, table.iloc[[7]]]),
            indicators={"indicator": ["K0", "K1"], "direction": ["up", "higher"]},
            options=StudyOptions(m=4, case_correlation=2.0, name=""),
        )
    message = str(caught.value)
    for fragment in (
        "row 1, facility 'F0', indicator 'K0', period 'baseline': successes must be a finite",
        "row 4, facility 'F0', indicator 'K1', period 'endline': successes must be 0 or more",
        "row 25, facility 'F1', indicator 'K1', period 'endline': the cell is given twice",
        "indicators, row 1, indicator 'K0': the direction must be",
        "m = 4 is too large for 6 facilities",
        "case_correlation must be",
        "the name of a study must be plain text",
    ):
        assert fragment in message
    assert len(caught.value.problems) == 7


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        ({"options": StudyOptions(m=4)}, "m = 4 is too large"),
        ({"options": StudyOptions(m=True)}, "m must be a whole number"),
        ({"options": StudyOptions(m=2.0)}, "m must be a whole number"),
        ({"options": StudyOptions(design_effect=np.inf)}, "design_effect must be"),
        ({"options": StudyOptions(case_correlation="0.1")}, "case_correlation must be between"),
        ({"options": StudyOptions(items=3)}, "items is for studies of one composite percentage"),
        ({"period_labels": ("2021",)}, "2 periods but 1 period_labels"),
        ({"options": StudyOptions(priors={"alpha": 1})}, "priors must be Priors"),
        ({"options": StudyOptions(sampler="nuts")}, "sampler must be SamplerSettings"),
        ({"options": StudyOptions(notes="one")}, "notes must be a list of sentences"),
        ({"options": StudyOptions(suppress_below=1.5)}, "suppress_below must be"),
        ({"data": xr.Dataset()}, "data must hold either successes and trials, or mean and se"),
        ({"data": dataset().drop_vars("weight")}, "coordinate 'weight' on indicator is missing"),
        ({"data": dataset().transpose("period", ...)}, "in this order"),
        ({"data": dataset().isel(facility=[0])}, "there is one facility"),
        ({"data": dataset().isel(facility=[0, 0, 1])}, "two facilities have the same name"),
        ({"data": dataset().assign_coords(period=["a", "b"])}, "period must be"),
        ({"data": dataset().isel(period=[1, 0])}, "period must be"),
        (
            {"data": dataset().assign_coords(direction=("indicator", ["up", "lower"]))},
            "indicator 'K0': the direction must be",
        ),
        (
            {"data": dataset().assign_coords(weight=("indicator", [0.5, 0.4]))},
            "weights must be 0 or more and sum to 1",
        ),
        ({"data": dataset() * np.nan}, "successes and trials must be finite"),
        ({"data": dataset() * -1}, "successes must lie between 0 and trials"),
        ({"data": dataset() * 0}, "facility 'F0': the facility has no observed cell"),
    ],
)
def test_constructor_refuses(arguments: dict[str, Any], fragment: str) -> None:
    assert fragment in problems_of(**({"data": dataset()} | arguments))


def test_constructor_takes_what_it_made() -> None:
    study = Study.from_long(
        long_table(), options=StudyOptions(priors=Priors(), sampler=SamplerSettings(seed=0))
    )
    again = Study(data=study.data, options=study.options)
    xr.testing.assert_identical(study.data, again.data)
    assert again.period_labels == ("baseline", "endline")


@pytest.mark.parametrize(
    "values",
    [{"draws": 10}, {"tune": 0}, {"chains": 1}, {"seed": -1}, {"seed": 2**63}, {"engine": "hmc"}],
)
def test_sampler_settings_refuse(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        SamplerSettings(**values)


@pytest.mark.parametrize("table", [[1, 2], "counts.csv", None])
def test_tables_must_be_tables(table: Any) -> None:
    with pytest.raises(InputError, match="must be a DataFrame or a mapping"):
        Study.from_long(table)


@pytest.mark.parametrize("columns", [{"a": ["A", "B"], "b": [1]}, {"a": 1, "b": 2}])
def test_columns_of_a_mapping_must_make_a_table(columns: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="the columns do not make a table"):
        Study.from_long(columns)


@pytest.mark.parametrize("trials", [0, -1, 2.5, float("nan"), "20", True])
def test_assumed_trials_must_be_whole(trials: Any) -> None:
    table = {"facility": ["A", "B"], "percent": [19.0, 95.0]}
    with pytest.raises(InputError, match="trials must be a whole number of 1 or more"):
        Study.from_long(table, options=StudyOptions(trials=trials))


def test_named_index_is_a_column() -> None:
    table = long_table()
    indexed = table.set_index(["facility", "indicator"])
    xr.testing.assert_identical(Study.from_long(indexed).data, Study.from_long(table).data)


@pytest.mark.parametrize(
    "cell", [pd.NA, pd.NaT, [1], {"a": 1}, True, 1 + 2j, pd.Timestamp("2021"), b"5", object]
)
def test_strange_cells_have_a_message(cell: Any) -> None:
    table = long_table().astype({"successes": object})
    table.at[3, "successes"] = cell
    with pytest.raises(InputError, match="row 4, facility 'F0', indicator 'K1'") as caught:
        Study.from_long(table)
    assert len(caught.value.problems) == 1


def test_nullable_columns_with_half_a_cell() -> None:
    table = long_table().astype({"successes": "Int64", "trials": "Int64"})
    table.loc[3, "successes"] = pd.NA
    with pytest.raises(InputError, match=r"row 4.*successes is blank while trials is 3"):
        Study.from_long(table.assign(trials=38))


def test_study_can_be_sent_to_another_process() -> None:
    study = Study.from_long(
        long_table(), options=StudyOptions(priors=Priors(), case_correlation=0.1)
    )
    sent = pickle.loads(pickle.dumps(study))
    xr.testing.assert_identical(sent.data, study.data)
    assert (sent.options, sent.assumptions) == (study.options, study.assumptions)
