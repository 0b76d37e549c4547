"""Cells in several rows: parts that are added up, one row written twice, or a question."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pdsim.errors import InputError
from pdsim.study import StudyOptions, read_study
from pdsim.study.starting import start_study

KEYS = ["Facility", "Indicator", "Quarter"]


def months() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    rows = [
        (unit, item, quarter, month, int(rng.integers(0, 9)), 9)
        for unit in ("Alfa", "Bravo", "Cedro", "Delta")
        for item in ("hands", "list")
        for quarter in ("2023 Q1", "2023 Q2")
        for month in (1, 2, 3)
    ]
    return pd.DataFrame(rows, columns=[*KEYS, "Month", "Numerator", "Denominator"])


def sides(table: pd.DataFrame) -> pd.DataFrame:
    long = table.melt([*KEYS, "Month"], var_name="Part", value_name="Value")
    return long.sample(frac=1, random_state=1)


def elements(table: pd.DataFrame) -> pd.DataFrame:
    long = sides(table)
    return long.assign(Indicator=long["Indicator"] + " " + long["Part"]).drop(columns="Part")


@pytest.mark.parametrize("written", [pd.DataFrame.copy, sides, elements])
def test_months_of_a_quarter_are_added_up(tmp_path: Path, written) -> None:
    written(months()).to_csv(tmp_path / "t.csv", index=False)
    start = start_study(tmp_path / "t.csv", out=tmp_path / "study")
    assert start.problems == ()
    assert any(
        "differ in 'Month': their counts are added up" in text for text in start.found.unsure
    )
    study = read_study(tmp_path / "study")
    asked = months().groupby(KEYS)[["Numerator", "Denominator"]].sum()
    for name, column in (("successes", "Numerator"), ("trials", "Denominator")):
        found = study.data[name].transpose("facility", "indicator", "period")
        found = found.sortby(["facility", "indicator"])
        assert found.to_numpy().ravel().tolist() == asked[column].tolist()
    assert any("48 rows are 16 cells" in text for text in study.assumptions)


def test_what_tells_the_rows_apart_must_be_known(tmp_path: Path) -> None:
    table = months().drop(columns="Month")
    table.to_csv(tmp_path / "t.csv", index=False)
    start = start_study(tmp_path / "t.csv", out=tmp_path / "study")
    (said,) = start.problems
    assert 'have them added up: repeated = "sum"' in said
    file = tmp_path / "study" / "study.toml"
    text = file.read_text(encoding="utf-8")
    assert '# repeated = "sum"' in text
    # the cure as it stands there
    file.write_text(text.replace('# repeated = "sum"', 'repeated = "sum"'), encoding="utf-8")
    assert float(read_study(file).data["trials"].min()) == 27


def test_rows_of_all_and_of_its_parts_are_not_added_up(tmp_path: Path) -> None:
    table = months().rename(columns={"Month": "Sex"})
    table["Sex"] = table["Sex"].map({1: "F", 2: "M", 3: "Total"})
    table.to_csv(tmp_path / "whole.csv", index=False)
    start = start_study(tmp_path / "whole.csv", out=tmp_path / "whole")
    assert start.problems == ()
    assert "Rows of one cell differ in 'Sex': those of 'Total' are kept" in start.found.unsure
    study = read_study(tmp_path / "whole")
    assert float(study.data["successes"].sum()) == table.query("Sex == 'Total'")["Numerator"].sum()
    # where a cell has no total, it is asked
    table = table.iloc[:-1]
    table.to_csv(tmp_path / "t.csv", index=False)
    (said,) = start_study(tmp_path / "t.csv", out=tmp_path / "study").problems
    assert "the cell is given twice" in said
    # the parts without the total
    options = StudyOptions(
        exclude={"Sex": ("Total",)}, repeated="sum", periods=("2023 Q1", "2023 Q2")
    )
    file = tmp_path / "study" / "study.toml"
    assert float(read_study(file, options=options).data["trials"].max()) == 18


def test_a_row_written_twice_is_one(tmp_path: Path) -> None:
    table = months().query("Month == 1").drop(columns="Month")
    pd.concat([table, table]).to_csv(tmp_path / "t.csv", index=False)
    (said,) = start_study(tmp_path / "t.csv", out=tmp_path / "study").problems
    assert 'with the same values; say so: repeated = "first"' in said
    file = tmp_path / "study" / "study.toml"
    study = read_study(file, options=StudyOptions(repeated="first"))
    assert float(study.data["trials"].max()) == 9
    assert float(study.data["successes"].sum()) == table["Numerator"].sum()


def test_both_ends_of_suppressed_parts_are_added_up(tmp_path: Path) -> None:
    table = months().astype(object)
    table.loc[0, "Numerator"] = "<5"
    table.to_csv(tmp_path / "t.csv", index=False)
    assert start_study(tmp_path / "t.csv", out=tmp_path / "study").problems == ()
    data = read_study(tmp_path / "study").data.isel(facility=0, indicator=0, period=0)
    others = int(table.loc[[1, 2], "Numerator"].sum())
    found = {name: float(data[name]) for name in ("successes", "trials", "low", "high", "of")}
    asked = {"successes": others, "trials": 18, "low": others + 1, "high": others + 4, "of": 27}
    assert found == asked


def test_means_are_never_added_up(tmp_path: Path) -> None:
    table = months().rename(columns={"Numerator": "mean", "Denominator": "se"})
    table.to_csv(tmp_path / "t.csv", index=False)
    start = start_study(tmp_path / "t.csv", out=tmp_path / "study")
    assert "the cell is given twice" in start.problems[0]
    assert "sum" not in start.problems[0]
    with pytest.raises(InputError, match="scores of a cell in several rows cannot be added up"):
        read_study(tmp_path / "study", options=StudyOptions(repeated="sum"))
