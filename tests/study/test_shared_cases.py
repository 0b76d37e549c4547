"""Tables as people have them on their disks: what each must give."""

from pathlib import Path

import numpy as np
import pytest

from pdsim.errors import InputError
from pdsim.study import Columns, Study, StudyOptions, read_study
from pdsim.study.options import Rename

CASES = Path(__file__).parents[1] / "cases"


def cell(study: Study, facility: str, indicator: str, period: str) -> tuple[float, float]:
    one = study.data.sel(facility=facility, indicator=indicator, period=period)
    return float(one["successes"]), float(one["trials"])


def notes(study: Study) -> str:
    return " ".join(study.read_notes)


def test_totals_thousands_and_suppressed_counts() -> None:
    study = read_study(CASES / "total_row" / "study.toml")
    assert study.data["facility"].to_numpy().tolist() == ["Site A", "Site B", "Site C"]
    assert cell(study, "Site A", "VTE assessed", "baseline") == (1204, 1310)
    assert cell(study, "Site C", "VTE assessed", "baseline") == (0, 0)
    few = study.data.sel(facility="Site A", indicator="Falls with harm", period="baseline")
    assert [float(few[name]) for name in ("low", "high", "of")] == [1, 4, 1310]
    assert float(few["trials"]) == 0
    for end, value in (("low", 1), ("high", 4)):
        full = study.with_suppressed(end)
        assert cell(full, "Site A", "Falls with harm", "baseline") == (value, 1310)
        assert "of" not in full.data
    assert "2 counts are published only as below a number (up to 5)" in notes(study)
    assert "not a facility: 'Total' (4 rows)" in notes(study)
    assert "'n/a' (2), '*' (1)" in notes(study)
    kept = read_study(CASES / "total_row" / "study2.toml", options=StudyOptions(keep=("Total",)))
    assert "Total" in kept.data["facility"].to_numpy()


def test_words_of_six_languages_and_codes_that_are_stated() -> None:
    path = CASES / "yes_no_words" / "study.toml"
    with pytest.raises(InputError, match=r"received '9'\).*missing = \['9'\]"):
        read_study(path)
    study = read_study(path, options=StudyOptions(missing=("9",)))
    assert cell(study, "P1", "q1", "baseline") == (1, 2)
    assert cell(study, "P1", "q3", "baseline") == (1, 1)
    assert cell(study, "P2", "q3", "endline") == (0, 0)
    assert "'NSP' (1), 'NA' (1), '9' (1)" in notes(study)


def test_three_header_lines_with_merged_cells() -> None:
    options = StudyOptions(header=(1, 3), columns=Columns(successes="n", trials="N"))
    study = read_study(CASES / "merged_header" / "study.toml", options=options)
    assert study.data["facility"].to_numpy().tolist() == [
        "North clinic",
        "South clinic",
        "East clinic",
    ]
    assert cell(study, "North clinic", "Hand hygiene", "baseline") == (12, 40)
    assert cell(study, "North clinic", "Hand hygiene", "endline") == (30, 42)
    assert cell(study, "North clinic", "Checklist used", "baseline") == (18, 40)
    assert cell(study, "North clinic", "Checklist used", "endline") == (34, 42)
    with pytest.raises(InputError, match=r"header = \[1, 3\]"):
        read_study(CASES / "merged_header" / "study.toml")


def test_numerators_and_denominators_as_rows_or_columns(tmp_path: Path) -> None:
    ratios = {"ANC 4": ("ANC visits 4 (numerator)", "ANC visits 1 (denominator)")}
    columns = Columns(facility="orgunit", indicator="dataelement")
    options = StudyOptions(ratios=ratios, columns=columns, periods=("2021", "2023"))
    study = read_study(CASES / "numerator_rows" / "long.csv", options=options)
    assert cell(study, "Unit 1 HC", "ANC 4", "endline") == (81, 140)
    wide = tmp_path / "wide.csv"
    wide.write_text(
        "Unit,ANC1 2021,ANC1 2023,ANC4 2021,ANC4 2023\nUnit 1,120,140,54,81\nUnit 2,80,95,25,42\n"
    )
    options = StudyOptions(
        ratios={"ANC 4": ("ANC4", "ANC1")},
        columns=Columns(facility="Unit"),
        periods=("2021", "2023"),
    )
    study = read_study(wide, options=options)
    assert cell(study, "Unit 2", "ANC 4", "baseline") == (25, 80)


def test_percentages_beside_minutes_and_territories_without_data() -> None:
    path = CASES / "state_scores" / "study.toml"
    with pytest.raises(InputError) as caught:
        read_study(path)
    assert len(caught.value.problems) == 1
    assert "exclude = {measure_id = ['OP_18b']}" in str(caught.value)
    study = read_study(path, options=StudyOptions(exclude={"measure_id": ("OP_18b",)}))
    assert study.data["facility"].to_numpy().tolist() == ["AK", "AL", "AR"]
    assert cell(study, "AK", "OP_22", "endline") == (2, 100)
    assert "nothing was observed there: facility 'AS'" in notes(study)


def test_two_spellings_become_one_by_renaming() -> None:
    path = CASES / "one_spelling" / "c.csv"
    assert read_study(path).data.sizes["facility"] == 6
    names = {"St. Mary's Hospital": "St Marys Hospital", "Kibaha HC": "Kibaha Health Centre"}
    study = read_study(path, options=StudyOptions(rename=Rename(facility=names)))
    assert study.data.sizes["facility"] == 4
    assert int((study.data["trials"] == 0).sum()) == 0
    wrong = StudyOptions(rename=Rename(facility={"Kibaha": "x"}))
    with pytest.raises(InputError, match="no facility 'Kibaha' to rename"):
        read_study(path, options=wrong)


def test_the_second_sheet_is_joined_to_the_first(tmp_path: Path) -> None:
    (tmp_path / "kobo.xlsx").write_bytes((CASES / "several_sheets" / "kobo.xlsx").read_bytes())
    (tmp_path / "study.toml").write_text(
        'data = "kobo.xlsx"\nsheet = "OBSERVATION_REPEAT"\nformat = "cases"\n'
        'ignore = ["OPPORTUNITY"]\n'
        'join = {sheet = "hand_hygiene_obs_tool_generic"}\n'
        'columns = {facility = "FACILITY"}\nmet = {ACTION = ["HR", "HW"]}\n'
        'indicators = "indicators.csv"\n'
    )
    (tmp_path / "indicators.csv").write_text("indicator\nACTION\n")
    study = read_study(tmp_path)
    assert study.data["facility"].to_numpy().tolist() == [
        "DEP2_Facility_I",
        "DEPA_Facility_B",
        "DEPC_Facility_O",
    ]
    assert cell(study, "DEP2_Facility_I", "ACTION", "endline") == (3, 7)
    assert cell(study, "DEPC_Facility_O", "ACTION", "endline") == (0, 3)


def test_names_are_names_whatever_they_say(tmp_path: Path) -> None:
    names = ["none", "nan", "NA", "null", "TRUE", "F", "1e5", "=1"]
    rows = [f"{name},{k},{k + 1},20" for name in names for k in (0, 1)]
    path = tmp_path / "counts.csv"
    path.write_text("\n".join(["facility,indicator,successes,trials", *rows]))
    study = read_study(path)
    assert study.data["facility"].to_numpy().tolist() == names
    np.testing.assert_array_equal(study.data["successes"][:, :, 0], [[1, 2]] * 8)


def test_dates_are_put_into_periods(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_text(
        "facility,day,x,y\nA,2021-03-01,1,0\nA,05/07/2022,1,1\nB,2021-02-01T10:00:00,0,0\n"
        "B,31/07/2022,1,0\nB,,1,1\nA,2021-12-24,1,1\n"
    )
    options = StudyOptions(
        format="cases",
        columns=Columns(period="day"),
        dates={"before": ("2021-01-01", "2021-06-30"), "after": ("2022-07-01", "2022-12-31")},
    )
    study = read_study(path, options=options)
    assert study.period_labels == ("before", "after")
    assert float(study.data["trials"].sum()) == 8
    assert "2 of 6 rows whose date lies in no period (1 of them have none)" in notes(study)


def test_weights_may_be_points(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    path.write_text("facility,indicator,successes,trials\nA,x,1,2\nA,y,1,2\nB,x,1,2\nB,y,0,2\n")
    study = read_study(path, options=StudyOptions(weights={"x": 30, "y": 10}))
    assert study.data["weight"].to_numpy().tolist() == [0.75, 0.25]
    assert "taken as points and divided" in notes(study)


def test_many_equal_findings_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    rows = [f"F{i},x,later,{t}" for i in range(200) for t in ("later",)]
    path.write_text("\n".join(["facility,indicator,successes,trials", *rows]))
    with pytest.raises(InputError) as caught:
        read_study(path)
    assert str(caught.value.problems[0]).startswith(
        "counts.csv, row 2: 'later' in 2 columns, 400 cells, is not a number"
    )
    assert len(caught.value.problems) == 1
