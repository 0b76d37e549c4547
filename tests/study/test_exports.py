"""Exports and files of other programs as they come, down to single counts."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from pdsim.errors import InputError
from pdsim.study import Study, read_study, recognise, start_study


def begun(source: Path) -> Study:
    """Begin a study of a file without an edit, and read it."""
    start = start_study(source, out=source.parent / "begun")
    assert start.problems == ()
    return read_study(source.parent / "begun")


def cell(study: Study, facility: str, indicator: str, period: str) -> tuple[float, float]:
    one = study.data.sel(facility=facility, indicator=indicator, period=period)
    return float(one["successes"]), float(one["trials"])


def test_kobo_a_blank_is_no_trial_and_a_0_is_one(tmp_path: Path) -> None:
    visits = pd.DataFrame(
        {
            "start": ["2021-02-01", "2021-02-02", "2023-02-01", "2023-02-02"],
            "group_place/facility": ["Amana", "Bunju", "Amana", "Bunju"],
            "round": ["baseline", "baseline", "endline", "endline"],
            "_id": [11, 12, 13, 14],
            "_index": [1, 2, 3, 4],
        }
    )
    seen = pd.DataFrame(
        {
            "gloves worn": ["1", "0", "", "1", "1", "0", "1", "1"],
            "hands washed": ["1", "1", "1", "n/a", "0", "1", "1", ""],
            "moments": ["before after", "before", "", "after", "before", "after", "after", ""],
            "moments/before": ["1", "1", "", "0", "1", "0", "0", ""],
            "_index": range(1, 9),
            "_parent_table_name": "visits",
            "_parent_index": [1, 1, 1, 2, 3, 3, 4, 4],
        }
    )
    source = tmp_path / "kobo.xlsx"
    with pd.ExcelWriter(source) as book:
        visits.to_excel(book, sheet_name="visits", index=False)
        seen.to_excel(book, sheet_name="observed", index=False)
    study = begun(source)
    assert study.data["indicator"].to_numpy().tolist() == ["gloves worn", "hands washed"]
    # 1, 0 and a blank
    assert cell(study, "Amana", "gloves worn", "baseline") == (1, 2)
    assert cell(study, "Bunju", "hands washed", "baseline") == (0, 0)
    assert cell(study, "Bunju", "gloves worn", "endline") == (2, 2)
    assert "'n/a' (1)" in " ".join(study.read_notes)


@pytest.mark.parametrize(("yes", "no"), [("1", "0"), ("Checked", "Unchecked")])
def test_redcap_raw_and_label_exports(tmp_path: Path, yes: str, no: str) -> None:
    raw = yes == "1"
    heads = (
        ["record_id", "redcap_event_name", "redcap_data_access_group", "care___1", "care___2"]
        if raw
        else ["Record ID", "Event Name", "Data Access Group", "Care (choice=A)", "Care (choice=B)"]
    )
    lines = [",".join([*heads, "visit_complete" if raw else "Complete?"])]
    rows = [("Amana", "before", 1, 0), ("Amana", "before", 1, 1), ("Amana", "after", 1, None),
            ("Bunju", "before", 0, 0), ("Bunju", "after", 1, 0)]  # fmt: skip
    for k, (place, when, *marks) in enumerate(rows):
        cells = ["" if mark is None else yes if mark else no for mark in marks]
        lines.append(",".join([str(k), when, place, *cells, "2" if raw else "Complete"]))
    source = tmp_path / "redcap.csv"
    source.write_text("\n".join(lines))
    study = begun(source)
    one, two = heads[3], heads[4]
    assert study.data["indicator"].to_numpy().tolist() == [one, two]
    assert cell(study, "Amana", one, "baseline") == (2, 2)
    assert cell(study, "Amana", two, "endline") == (0, 0)
    assert cell(study, "Bunju", two, "endline") == (0, 1)


def report(**counts: int) -> dict[str, object]:
    """Return a MeasureReport of the shape of the example cms146 of HL7."""
    population = [
        {"code": {"coding": [{"code": code.replace("_", "-")}]}, "count": count}
        for code, count in counts.items()
    ]
    return {
        "resourceType": "MeasureReport",
        "type": "summary",
        "measure": "http://hl7.org/fhir/Measure/measure-cms146-example",
        "reporter": {"reference": "Organization/1"},
        "period": {"start": "2014-01-01", "end": "2014-03-31"},
        "group": [{"population": population}],
    }


def test_exclusions_of_cms146_are_subtracted_or_not_as_stated(tmp_path: Path) -> None:
    source = tmp_path / "report.json"
    counts = {"initial_population": 500, "numerator": 200, "denominator": 500}
    source.write_text(json.dumps(report(**counts, denominator_exclusion=100)))
    for exclusions, trials in ((True, 400), (False, 500)):
        found = recognise(source, exclusions=exclusions)
        assert found.converted is not None
        row = found.converted.iloc[0]
        assert (row["successes"], row["trials"]) == (200, trials)
        assert found.receipt["counts_with_exclusions"] == 1
        assert any("xclusions and exceptions are" in text for text in found.unsure)
    source.write_text(json.dumps(report(numerator=0, denominator=40)))
    found = recognise(source)
    assert found.converted is not None
    assert found.converted["successes"].tolist() == [0]
    assert found.unsure == []


def labelled() -> tuple[pd.DataFrame, dict[str, dict[float, str]]]:
    size = 120
    table = pd.DataFrame(
        {
            "facid": np.arange(size) % 4 + 1.0,
            "round": np.repeat([1.0, 2.0], size // 2),
            "q1": np.arange(size) % 3 == 0,
            "q2": np.arange(size) % 5 == 0,
        }
    ).astype(float)
    table.loc[0, "q2"] = 9
    yes_no = {1.0: "Yes", 0.0: "No", 9.0: "Don't know"}
    places = {k + 1.0: f"Health Centre {k + 1}" for k in range(4)}
    return table, {
        "facid": places, "round": {1.0: "Baseline", 2.0: "Endline"}, "q1": yes_no, "q2": yes_no
    }  # fmt: skip


MEANT = ["Facility", "Survey round", "Hands washed", "Checklist read"]


@pytest.mark.parametrize("suffix", [".dta", ".sav"])
def test_labels_of_stata_and_spss_are_names_and_words(tmp_path: Path, suffix: str) -> None:
    table, labels = labelled()
    source = tmp_path / f"survey{suffix}"
    write = {".dta": pyreadstat.write_dta, ".sav": pyreadstat.write_sav}[suffix]
    write(table, str(source), column_labels=MEANT, variable_value_labels=labels)
    study = begun(source)
    assert study.data["facility"].to_numpy()[0] == "Health Centre 1"
    assert study.data["label"].to_numpy().tolist() == MEANT[2:]
    mine = table[(table["facid"] == 1) & (table["round"] == 1)]
    expected = ((mine["q2"] == 1).sum(), (mine["q2"] < 9).sum())
    assert cell(study, "Health Centre 1", "q2", "baseline") == expected
    assert '"Don\'t know" (1)' in " ".join(study.read_notes)


def test_files_of_sas(tmp_path: Path) -> None:
    table, _ = labelled()
    table.loc[0, "q2"] = np.nan
    table["round"] += 2020
    table["facid"] = [f"Clinic {k:.0f}" for k in table["facid"]]
    source = tmp_path / "survey.xpt"
    pyreadstat.write_xport(table, str(source), column_labels=MEANT)
    study = begun(source)
    assert study.period_labels == ("2021", "2022")
    assert cell(study, "Clinic 1", "q2", "baseline")[1] == 14
    for name in ("broken.sas7bdat", "broken.xpt"):
        (tmp_path / name).write_bytes(b"\x00" * 64 + source.read_bytes()[:200])
        with pytest.raises(InputError, match="is not a readable"):
            recognise(tmp_path / name)


def test_rows_of_numerators_and_denominators_with_a_column_that_says_which(tmp_path: Path) -> None:
    rows = ["Unit,Period,Element,Type,Count"]
    for place, met in (("North", 8), ("South", 5)):
        for year in (2021, 2023):
            rows += [f"{place},{year},BP,Numerator,{met}", f"{place},{year},BP,Denominator,20"]
    source = tmp_path / "rows.csv"
    source.write_text("\n".join([*rows, "North,2021,BP,comment,3"]))
    study = begun(source)
    assert cell(study, "South", "BP", "endline") == (5, 20)
    receipt = json.loads((tmp_path / "begun" / "receipt.json").read_text())
    assert receipt["dropped"] == [{"why": "neither numerator nor denominator", "rows": 1}]


def test_a_pivot_of_elements_by_periods(tmp_path: Path) -> None:
    source = tmp_path / "pivot.csv"
    heads = [f"{name} {year}" for name in ("ANC 1st visit", "ANC 4th visit") for year in (2021, 22)]
    heads = [head.replace(" 22", " 2022") for head in heads]
    source.write_text(
        f"organisationunitid,organisationunitname,{','.join(heads)}\n"
        "a1,Bo,200,210,90,120\na2,Njala,300,280,120,180\n"
    )
    study = begun(source)
    assert cell(study, "Njala", "ANC 4th visit", "endline") == (180, 280)
    text = (tmp_path / "begun" / "study.toml").read_text()
    assert "since it never exceeds it: check [ratios]" in text


def test_french_words_decimal_commas_and_a_total(tmp_path: Path) -> None:
    source = tmp_path / "suivi.csv"
    rows = ["Suivi;;;;", "Formation sanitaire;Indicateur;Période;Taux (%);Effectif"]
    for place, rate in (("Évry", "37,5"), ("Aného", "52,5")):
        for period in ("T1 2022", "T4 2023"):
            rows.append(f"{place};Lavage des mains;{period};{rate};40")
    rows.append("Total;Lavage des mains;T1 2022;45,0;80")
    source.write_bytes("\r\n".join(rows).encode("cp1252"))
    study = begun(source)
    assert study.period_labels == ("T1 2022", "T4 2023")
    assert cell(study, "Évry", "Lavage des mains", "baseline") == (15, 40)
    assert study.data.sizes["facility"] == 2


def test_names_in_merged_cells_are_filled_down(tmp_path: Path) -> None:
    grid = [["Facility", "Indicator", "Round", "Numerator", "Denominator"]]
    for place in ("Alpha", "Beta"):
        for item in ("x", "y"):
            grid.append([place if item == "x" else "", item, "Baseline", 3, 20])
            grid.append(["", "", "Endline", 9, 20])
    source = tmp_path / "merged.csv"
    source.write_text("\n".join(",".join(map(str, row)) for row in grid))
    study = begun(source)
    assert cell(study, "Beta", "y", "endline") == (9, 20)
    text = (tmp_path / "begun" / "study.toml").read_text()
    assert 'fill = ["Facility", "Indicator"]' in text
    (tmp_path / "begun" / "study.toml").write_text(text.replace('"Facility", ', '"Facilty", '))
    with pytest.raises(InputError, match=r"no column 'Facilty' to fill.*did you mean 'Facility'"):
        read_study(tmp_path / "begun")


def test_a_sheet_for_every_round(tmp_path: Path) -> None:
    source = tmp_path / "rounds.xlsx"
    with pd.ExcelWriter(source) as book:
        pd.DataFrame({"About": ["notes"]}).to_excel(book, sheet_name="README", index=False)
        for sheet, marks in (("Baseline", "YNYN"), ("Endline", "YYYN")):
            table = pd.DataFrame({"Clinic": list("AABB"), "washed": list(marks), "gloved": "Y"})
            table.to_excel(book, sheet_name=sheet, index=False)
    study = begun(source)
    assert cell(study, "A", "washed", "endline") == (2, 2)
    assert cell(study, "B", "washed", "baseline") == (1, 2)


def test_codes_1_and_2_are_yes_and_no_and_said_so(tmp_path: Path) -> None:
    source = tmp_path / "codes.csv"
    rows = ["centro,ronda,p1,p2,sexo"]
    rows += [
        f"C{k % 3},{('antes', 'despues')[k // 30]},{1 + k % 2},1,{1 + k % 2}" for k in range(60)
    ]
    source.write_text("\n".join([*rows, "C0,antes,9,2,1"]))
    study = begun(source)
    assert study.data["indicator"].to_numpy().tolist() == ["p1", "p2"]
    assert cell(study, "C0", "p2", "baseline") == (10, 11)
    assert cell(study, "C0", "p1", "baseline") == (5, 10)
    assert "1 is taken as yes and 2 as no" in (tmp_path / "begun" / "study.toml").read_text()


def test_dots_divide_thousands_where_they_cannot_be_decimals(tmp_path: Path) -> None:
    source = tmp_path / "german.csv"
    rows = ["Krankenhaus;Kennzahl;Zeitraum;Zähler;Nenner"]
    for place, met, size in (("Köln", "1.204", "1.310"), ("Ulm", "980", "1.100")):
        rows += [f"{place};Hände;{when};{met};{size}" for when in ("vorher", "nachher")]
    source.write_text("\n".join([*rows, "Alle Kliniken;Hände;vorher;2.184;2.410"]))
    start = start_study(source, out=tmp_path / "begun")
    study = read_study(tmp_path / "begun")
    assert start.problems == ()
    assert cell(study, "Köln", "Hände", "baseline") == (1204, 1310)
    assert study.data.sizes["facility"] == 2


def test_percentages_beside_their_cases_and_row_names(tmp_path: Path) -> None:
    source = tmp_path / "wide.csv"
    rows = [f'"{k}","H{k}",{20 * k},{10 * k},50,40' for k in range(1, 5)]
    source.write_text("\n".join(['"","hospital","pct_pre","n_pre","pct_post","n_post"', *rows]))
    study = begun(source)
    assert cell(study, "H2", "composite", "baseline") == (8, 20)


def test_a_table_of_one_indicator_needs_no_column_for_it(tmp_path: Path) -> None:
    source = tmp_path / "means.csv"
    rows = [f"S{k},{when},{50 + k},9,36" for k in range(3) for when in ("pre", "post")]
    source.write_text("\n".join(["Site,Time,Mean score,SD,N", *rows]))
    study = begun(source)
    assert study.data["se"].to_numpy().ravel().tolist() == [1.5] * 6
    assert "taken as one" in " ".join(study.read_notes)


@pytest.mark.parametrize("wide", [True, False])
def test_cells_that_hold_both_counts(tmp_path: Path, wide: bool) -> None:
    source = tmp_path / "audit.csv"
    if wide:
        rows = ["Audit,,,,", "Hospital,Consent before,Consent after,Pain before,Pain after"]
        rows += ["A,5/20 (25%),9/18 (50%),1/20 (5%),n/a", "B,7/30 (23%),9/31 (29%),0/30,2/31"]
    else:
        rows = ["Hospital,Indicator,Month,Result"]
        rows += ["A,Consent,03/2021,5/20", "A,Consent,09/2022,9 / 18"]
        rows += ["A,Pain,03/2021,1/20", "A,Pain,09/2022,n/a"]
        rows += ["B,Consent,03/2021,7/30", "B,Consent,09/2022,9/31"]
        rows += ["B,Pain,03/2021,0/30", "B,Pain,09/2022,2/31"]
    source.write_text("\n".join(rows))
    study = begun(source)
    assert cell(study, "A", "Consent", "endline") == (9, 18)
    assert cell(study, "B", "Pain", "baseline") == (0, 30)
    assert cell(study, "A", "Pain", "endline") == (0, 0)


def test_titles_footnotes_and_repeated_headers(tmp_path: Path) -> None:
    source = tmp_path / "notes.csv"
    head = "Facility,Indicator,Year,Numerator,Denominator"
    rows = ["Table 3. Audit results", "", head]
    for place in "AB":
        for year in (2021, 2022, 2023):
            rows += [f"Clinic {place},x,{year},{year - 2015},20", f"Clinic {place},y,{year},5,20"]
        rows += ["", head] if place == "A" else ["", "* suppressed below 5", "Source: HMIS"]
    source.write_text("\n".join(rows))
    study = begun(source)
    assert study.data["facility"].to_numpy().tolist() == ["Clinic A", "Clinic B"]
    assert study.period_labels == ("2021", "2023")
    assert cell(study, "Clinic B", "x", "endline") == (8, 20)


def test_codes_before_words_and_columns_n_and_n_of_one_table(tmp_path: Path) -> None:
    source = tmp_path / "coded.csv"
    rows = ["Facility,Round,Consent,Count"]
    for k in range(40):
        marks = ("1 - Yes", "0 - No", "9 - Don't know")[k % 3]
        rows.append(f"F{k % 2},Round {1 + k // 20},{marks},{('1) yes', '2) no')[k % 2]}")
    source.write_text("\n".join(rows))
    study = begun(source)
    assert cell(study, "F0", "Consent", "baseline") == (4, 7)
    assert cell(study, "F1", "Count", "endline") == (0, 10)
    folder = tmp_path / "counts"
    folder.mkdir()
    rows = [f"H{k},m,{when},{k + 3},30" for k in range(3) for when in ("pre", "post")]
    (folder / "n.csv").write_text("\n".join(["hospital,measure,time,n,N", *rows]))
    assert cell(begun(folder / "n.csv"), "H2", "m", "endline") == (5, 30)


def test_deaths_and_cases_by_year_are_a_ratio_to_be_checked(tmp_path: Path) -> None:
    source = tmp_path / "deaths.csv"
    source.write_text(
        "Hospital,Deaths 2021,Cases 2021,Deaths 2023,Cases 2023\nA,3,50,2,55\nB,5,60,6,61\n"
    )
    study = begun(source)
    assert cell(study, "B", "Deaths", "endline") == (6, 61)
    text = (tmp_path / "begun" / "study.toml").read_text()
    assert "Is lower better for 'Deaths'?" in text


def test_two_header_lines_with_merged_cells_and_words_for_the_values(tmp_path: Path) -> None:
    grid = [
        ["Audit", "", "", "", ""],
        ["Hospital", "Consent - Before", "", "Consent - After", ""],
        ["", "Met", "Total", "Met", "Total"],
        ["A", 5, 20, 12, 24],
        ["B", 7, 30, 9, 31],
        ["All hospitals", 12, 50, 21, 55],
    ]
    source = tmp_path / "audit.xlsx"
    pd.DataFrame(grid).to_excel(source, header=False, index=False)
    study = begun(source)
    assert cell(study, "A", "Consent", "endline") == (12, 24)
    assert study.data.sizes["facility"] == 2
