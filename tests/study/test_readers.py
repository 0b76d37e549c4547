"""Every format gives the same study."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pdsim.errors import InputError
from pdsim.study import Study, StudyOptions, read_study


def wide(table: pd.DataFrame, name: Callable[[str, str, str], str]) -> pd.DataFrame:
    """Return one row per facility, columns named by value, indicator and period."""
    pivot = table.pivot(
        index="facility", columns=["indicator", "period"], values=["successes", "trials"]
    )
    pivot.columns = pd.Index([name(*labels) for labels in pivot.columns])
    return pivot.reset_index()


def assert_same(path: Path, table: pd.DataFrame, **options: object) -> None:
    study = read_study(path, options=StudyOptions(**options))
    xr.testing.assert_identical(study.data, Study.from_long(table).data)


def test_long_csv(tmp_path: Path, table: pd.DataFrame) -> None:
    path = tmp_path / "counts.csv"
    table.to_csv(path, index=False)
    assert_same(path, table)
    assert read_study(path).name == "counts"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_delimiters_and_encodings(
    tmp_path: Path, delimiter: str, encoding: str, table: pd.DataFrame
) -> None:
    path = tmp_path / "counts.txt"
    table = table.assign(facility=lambda t: "É" + t["facility"])
    table.to_csv(path, index=False, sep=delimiter, encoding=encoding)
    stated = {"encoding": encoding} if encoding == "utf-16-le" else {}
    study = read_study(path, options=StudyOptions(**stated))
    xr.testing.assert_identical(study.data, Study.from_long(table).data)
    guessed = any("read as Windows-1252" in note for note in study.notes)
    assert guessed is (encoding == "cp1252")


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_ends_blank_lines_and_blank_columns(
    tmp_path: Path, ending: str, table: pd.DataFrame
) -> None:
    path = tmp_path / "counts.csv"
    lines = table.to_csv(index=False).splitlines()
    lines = ["", ",,,,,", *(f"{line},," for line in lines), "", ",,,,,,"]
    path.write_bytes(ending.join(lines).encode())
    assert_same(path, table)


def test_row_numbers_count_blank_lines(tmp_path: Path, table: pd.DataFrame) -> None:
    path = tmp_path / "counts.csv"
    lines = table.to_csv(index=False).splitlines()
    lines[4] = lines[4].replace("F0", "F0").rsplit(",", 2)[0] + ",9,8"
    path.write_text("\n".join(["", lines[0], "", *lines[1:]]))
    with pytest.raises(InputError, match="row 7, facility 'F0'"):
        read_study(path)


def test_excel_states_its_delimiter_in_the_first_line(tmp_path: Path, table: pd.DataFrame) -> None:
    path = tmp_path / "counts.csv"
    path.write_text("sep=|\n" + table.to_csv(index=False, sep="|"))
    assert_same(path, table)


def test_gzip(tmp_path: Path, table: pd.DataFrame) -> None:
    path = tmp_path / "counts.csv.gz"
    path.write_bytes(gzip.compress(table.to_csv(index=False).encode()))
    assert_same(path, table)


def test_excel(tmp_path: Path, table: pd.DataFrame) -> None:
    pytest.importorskip("openpyxl")
    path = tmp_path / "counts.xlsx"
    with pd.ExcelWriter(path) as book:
        pd.DataFrame({"note": ["not this one"]}).to_excel(book, sheet_name="Notes", index=False)
        table.to_excel(book, sheet_name="Data", index=False, startrow=2)
        described = pd.DataFrame({"indicator": ["K0", "K1"], "direction": "lower"})
        described.to_excel(book, sheet_name="Indicators", index=False)
    assert_same(path, table, sheet="Data")
    study = read_study(
        path,
        options=StudyOptions(sheet="Data", indicators=str(path), indicators_sheet="Indicators"),
    )
    assert study.data["direction"].to_numpy().tolist() == ["lower", "lower"]


def test_excel_keeps_leading_zeros_of_text_and_reads_numbers_as_labels(
    tmp_path: Path, table: pd.DataFrame
) -> None:
    pytest.importorskip("openpyxl")
    path = tmp_path / "counts.xlsx"
    table = table.assign(
        facility=np.repeat([f"0{k}0013" for k in range(6)], 4), period=[2021, 2023] * 12
    )
    table.to_excel(path, index=False)
    study = read_study(path, options=StudyOptions(periods=["2021", "2023"]))
    assert study.data["facility"].to_numpy().tolist()[:2] == ["000013", "010013"]


@pytest.mark.parametrize("categories", [False, True])
def test_parquet(tmp_path: Path, categories: bool, table: pd.DataFrame) -> None:
    path = tmp_path / "counts.parquet"
    typed = table.astype({"trials": "Int16", "successes": "float32"})
    if categories:
        typed = typed.astype({"facility": "category", "period": "category"})
    typed.to_parquet(path)
    assert_same(path, table)


def test_parquet_with_an_index(tmp_path: Path, table: pd.DataFrame) -> None:
    path = tmp_path / "counts.parquet"
    table.set_index(["facility", "indicator"]).to_parquet(path)
    assert_same(path, table)


@pytest.mark.parametrize(
    "name",
    [
        lambda value, indicator, period: f"{value}_{indicator}_{period}",
        lambda value, indicator, period: f"{indicator} {value} {period.upper()}",
        lambda value, indicator, period: f"{period}.{indicator}.{value}",
        lambda value, indicator, period: f"{indicator}:{period}:{value.title()}",
        lambda value, indicator, period: f"{period}-{value}-{indicator}",
    ],
)
def test_wide_by_facility(
    tmp_path: Path, name: Callable[[str, str, str], str], table: pd.DataFrame
) -> None:
    path = tmp_path / "counts.csv"
    wide(table, name).to_csv(path, index=False)
    assert_same(path, table)


def test_wide_by_facility_and_indicator(tmp_path: Path, table: pd.DataFrame) -> None:
    path = tmp_path / "counts.csv"
    years = table.replace({"baseline": "2021", "endline": "2023"})
    pivot = years.pivot(
        index=["facility", "indicator"], columns="period", values=["successes", "trials"]
    )
    pivot.columns = pd.Index([f"{value}_{period}" for value, period in pivot.columns])
    pivot.reset_index().to_csv(path, index=False)
    assert_same(path, table, periods=["2021", "2023"])


def test_wide_with_trials_of_both_periods_and_extra_columns(tmp_path: Path) -> None:
    path = tmp_path / "published.csv"
    path.write_text(
        "Hospital,Region,tier,n,before %,after %,mean_age\n"
        "A,north,high,20,10,60%,31\n"
        "B,south,low,40,20,50,28\n"
    )
    study = read_study(
        path,
        options=StudyOptions(
            columns={"facility": "hospital", "percent": "%", "trials": "n"},
            periods=["before", "after"],
            ignore=["mean_age"],
        ),
    )
    assert study.data["trials"].to_numpy().ravel().tolist() == [20, 20, 40, 40]
    assert study.data["successes"].to_numpy().ravel().tolist() == [2, 12, 8, 20]
    assert study.data["tier"].to_numpy().tolist() == ["high", "low"]
    assert study.data["indicator"].to_numpy().tolist() == ["composite"]


def test_wide_missing_cells(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    path.write_text(
        "facility,x_successes_baseline,x_trials_baseline,x_successes_endline,x_trials_endline\n"
        "A,1,2,,\nB,1,2,NA,NA\nC,1,2,2,2\n"
    )
    assert read_study(path).data["trials"].to_numpy()[:, 0, 1].tolist() == [0, 0, 2]


def test_decimal_commas(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(
        "facility;indicator;period;mean;se\n"
        "A;x;baseline;12,5;1,25\nA;x;endline;13;1\nB;x;baseline;-0,5;,5\nB;x;endline;1e1;2\n"
    )
    data = read_study(path).data
    assert data["mean"].to_numpy().ravel().tolist() == [12.5, 13.0, -0.5, 10.0]
    assert data["se"].to_numpy().ravel().tolist() == [1.25, 1.0, 0.5, 2.0]


def test_ambiguous_commas_need_a_statement(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("facility;indicator;mean;se\nA;x;1,250;2\nB;x;2,500;2\n")
    with pytest.raises(InputError, match="may be a decimal comma or divide thousands"):
        read_study(path)
    assert read_study(path, options=StudyOptions(decimal=",")).data[
        "mean"
    ].to_numpy().ravel().tolist() == [1.25, 2.5]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(values=arrays(np.float64, (4, 2), elements=st.floats(0.01, 1e9)))
def test_numbers_survive_text_with_either_decimal_sign(tmp_path: Path, values: np.ndarray) -> None:
    table = pd.DataFrame({"facility": list("ABCD"), "indicator": "x", "mean": values[:, 0]})
    table["se"] = values[:, 1]
    expected = Study.from_long(table).data
    path = tmp_path / "scores.csv"
    for decimal in (".", ","):
        table.to_csv(path, index=False, sep=";", decimal=decimal)
        xr.testing.assert_identical(
            read_study(path, options=StudyOptions(decimal=decimal)).data, expected
        )


def test_leading_zeros_survive(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    path.write_text("facility,indicator,successes,trials\n030013,x,1,2\n000007,x,1,2\n")
    assert read_study(path).data["facility"].to_numpy().tolist() == ["030013", "000007"]


def test_several_files_are_one_table(tmp_path: Path, table: pd.DataFrame) -> None:
    half = len(table) // 2
    table.iloc[:half].to_csv(tmp_path / "a.csv", index=False)
    renamed = table.iloc[half:].rename(columns=str.upper)
    renamed[renamed.columns[::-1]].to_csv(tmp_path / "b.csv", index=False)
    (tmp_path / "study.toml").write_text('data = ["a.csv", "b.csv"]\nname = "both"\n')
    assert_same(tmp_path / "study.toml", table)
    assert_same(tmp_path, table)


def test_files_lie_inside_the_folder_of_the_study(tmp_path: Path, table: pd.DataFrame) -> None:
    inner = tmp_path / "inner"
    (inner / "tables").mkdir(parents=True)
    table.to_csv(inner / "tables" / "counts.csv", index=False)
    table.to_csv(tmp_path / "counts.csv", index=False)
    path = inner / "study.toml"
    path.write_text('data = "tables/counts.csv"\n')
    assert_same(path, table)
    for outside in ("../counts.csv", str(tmp_path / "counts.csv"), "tables/../../counts.csv"):
        path.write_text(f'data = "{outside}"\n')
        with pytest.raises(InputError, match="outside the folder"):
            read_study(path)
        assert_same(path, table, allow_outside=True)
    (inner / "link.csv").symlink_to(tmp_path / "counts.csv")
    path.write_text('data = "link.csv"\n')
    with pytest.raises(InputError, match="outside the folder"):
        read_study(path)


def test_keywords_replace_keys(tmp_path: Path, table: pd.DataFrame) -> None:
    table = table.replace({"baseline": "2021", "endline": "2023"})
    table.to_csv(tmp_path / "counts.csv", index=False)
    (tmp_path / "elsewhere").mkdir()
    indicators = tmp_path / "elsewhere" / "indicators.csv"
    indicators.write_text("indicator,direction\nK0,lower\nK1,higher\n")
    (tmp_path / "study.toml").write_text(
        'data = "counts.csv"\nperiods = [2021, 2023]\nm = 2\ncase_correlation = 0.2\n'
        "design_effect = 1.5\nsuppress_below = 5\nnotes = ['one']\n"
        "[weights]\nK0 = 0.25\nK1 = 0.75\n"
        "[sampler]\nseed = 0\nengine = 'laplace'\n"
        "[priors]\nalpha = {sd = 1.5}\n"
    )
    study = read_study(tmp_path / "study.toml")
    assert (study.m, study.case_correlation, study.options.design_effect) == (2, 0.2, 1.5)
    assert (study.options.suppress_below, study.period_labels) == (5, ("2021", "2023"))
    assert (
        study.options.sampler.seed,
        study.options.sampler.engine,
        study.options.sampler.chains,
    ) == (0, "laplace", 4)
    assert study.options.priors is not None
    assert study.options.priors.alpha.sd == 1.5
    assert study.notes[0] == "one"
    assert study.data["weight"].to_numpy().tolist() == [0.25, 0.75]
    other = read_study(
        tmp_path / "study.toml",
        options=StudyOptions(m=1, case_correlation=0.0, indicators=str(indicators), name="other"),
    )
    assert (other.m, other.case_correlation, other.name) == (1, 0.0, "other")
    assert other.data["direction"].to_numpy().tolist() == ["lower", "higher"]


def test_folder_names_the_study(tmp_path: Path, table: pd.DataFrame) -> None:
    folder = tmp_path / "Lake District"
    folder.mkdir()
    table.to_csv(folder / "counts.csv", index=False)
    (folder / "study.toml").write_text('data = "counts.csv"\n')
    assert read_study(folder).name == "Lake District"


def test_largest_study_reads(tmp_path: Path) -> None:
    labels = [range(3000), [f"K{k}" for k in range(60)], ["baseline", "endline"]]
    index = pd.MultiIndex.from_product(labels, names=["facility", "indicator", "period"])
    trials = np.arange(len(index)) % 50 + 1
    table = pd.DataFrame({"successes": trials // 2, "trials": trials}, index=index).reset_index()
    path = tmp_path / "counts.parquet"
    table.to_parquet(path)
    study = read_study(path)
    assert dict(study.data.sizes) == {"facility": 3000, "indicator": 60, "period": 2}
    assert float(study.data["trials"].sum()) == table["trials"].sum()


def test_cms_ten(shared_data: Path) -> None:
    study = read_study(
        shared_data / "cms_ten.csv",
        options=StudyOptions(
            indicators=str(shared_data / "cms_indicators.csv"), periods=["2021", "2023"]
        ),
    )
    table = pd.read_csv(shared_data / "cms_ten.csv", dtype={"facility": str})
    assert study.data["facility"].to_numpy().tolist() == table["facility"].unique().tolist()
    assert float(study.data["trials"].sum()) == table["trials"].sum()
    assert float(study.data["successes"].sum()) == table["successes"].sum()
    assert int((study.data["direction"] == "lower").sum()) == 10
    trials = study.data["trials"].to_numpy()
    assert (trials[trials > 0].min(), trials.max()) == (11, 146_323)


def test_cms_in_full(shared_data: Path) -> None:
    study = read_study(
        shared_data / "cms_2021_2023.csv.gz",
        options=StudyOptions(
            indicators=str(shared_data / "cms_indicators.csv"), periods=["2021", "2023"]
        ),
    )
    assert dict(study.data.sizes) == {"facility": 2201, "indicator": 14, "period": 2}
    assert int((study.data["trials"] > 0).sum()) == 48_392


def test_columns_of_the_indicator_table_are_mapped_too(tmp_path: Path, table: pd.DataFrame) -> None:
    indicators = tmp_path / "indicators.csv"
    indicators.write_text("Measure,Better\nK0,lower\nK1,higher\n")
    columns = {"indicator": "Measure", "direction": "Better"}
    plain, measures, wide_path = (tmp_path / f"{name}.csv" for name in ("a", "b", "c"))
    table.to_csv(plain, index=False)
    table.rename(columns={"indicator": "measure"}).to_csv(measures, index=False)
    wide(table, lambda value, indicator, period: f"{value}_{indicator}_{period}").to_csv(
        wide_path, index=False
    )
    for path in (plain, measures, wide_path):
        data = read_study(
            path, options=StudyOptions(indicators=str(indicators), columns=columns)
        ).data
        assert data["direction"].to_numpy().tolist() == ["lower", "higher"]
    with pytest.raises(InputError, match="no column 'Measuer', stated as 'indicator'"):
        read_study(measures, options=StudyOptions(columns={"indicator": "Measuer"}))
