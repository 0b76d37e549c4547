"""Tables as people write them: `init` reads them without an edit, and the numbers are right."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pdsim.study import Study, read_study, recognise
from pdsim.study.starting import start_study

UNITS = ["Alfa", "Bravo", "Cedro", "Delta"]


def begun(table: pd.DataFrame, folder: Path, **written: object) -> Study:
    """Return the study that `init` makes of a table, which must need no decision."""
    folder.mkdir(exist_ok=True)
    path = folder / "t.csv"
    table.to_csv(path, index=False, **written)
    start = start_study(path, out=folder / "study")
    assert start.problems == ()
    return read_study(folder / "study")


def cell(study: Study, name: str, facility: str, at: int, indicator: int = 0) -> float:
    return float(study.data[name].sel(facility=facility)[indicator, at])


@pytest.mark.parametrize(
    ("facility", "period", "yes", "no", "missing"),
    [
        ("struttura", "anno", "Sì", "No", "Non applicabile"),
        ("ziekenhuis", "jaar", "Ja", "Nee", "n.v.t."),
        ("facility", "year", "نعم", "لا", "غير معروف"),
        ("facility", "rok", "Tak", "Nie", "nie dotyczy"),
        ("klinik", "jahr", "Evet", "Hayır", "bilinmiyor"),
    ],
)
def test_yes_and_no_in_other_languages(tmp_path, facility, period, yes, no, missing):
    rows = [
        (unit, year, *answers)
        for unit in UNITS
        for year in (2022, 2023)
        for answers in ((yes, no), (no, missing), (yes, yes))
    ]
    study = begun(pd.DataFrame(rows, columns=[facility, period, "q1", "q2"]), tmp_path)
    assert study.period_labels == ("2022", "2023")
    assert [cell(study, name, "Delta", 0, 0) for name in ("successes", "trials")] == [2, 3]
    assert [cell(study, name, "Delta", 1, 1) for name in ("successes", "trials")] == [1, 2]


def test_a_column_of_years_is_the_period_whatever_it_is_called(tmp_path):
    rows = [(unit, year, "x", 3 + year % 2, 9) for unit in UNITS for year in (2021, 2024)]
    table = pd.DataFrame(rows, columns=["facility", "godina", "indicator", "num", "den"])
    study = begun(table, tmp_path)
    assert study.period_labels == ("2021", "2024")
    assert cell(study, "successes", "Alfa", 0) == 4


def test_unknown_words_for_yes_and_no_are_named(tmp_path):
    rows = [(unit, *("jo" if k % 2 else "joo",) * 2) for unit in UNITS for k in range(4)]
    pd.DataFrame(rows, columns=["facility", "q1", "q2"]).to_csv(tmp_path / "t.csv", index=False)
    (said,) = [text for text in recognise(tmp_path / "t.csv").unsure if "met and not met" in text]
    assert "The columns 'q1', 'q2' hold 'jo', 'joo'" in said
    assert 'yes = ["..."]' in said


def test_percentages_with_numbers_of_cases_and_units_in_the_headers(tmp_path):
    rows = [(unit, when, 40, 12.5 + 10 * at) for unit in UNITS for at, when in enumerate("ab")]
    names = ["Hospital", "Round", "Patients (n)", "Compliance (%)"]
    study = begun(pd.DataFrame(rows, columns=names), tmp_path)
    assert [cell(study, name, "Bravo", 1) for name in ("successes", "trials")] == [9, 40]


@pytest.mark.parametrize("word", ["Gesamt", "Ensemble des établissements", "Totaal", "Итого"])
def test_totals_in_other_words_are_not_ranked(tmp_path, word):
    rows = [(unit, year, "x", 5, 20) for unit in (*UNITS, word) for year in (2021, 2022)]
    columns = ["Einrichtung", "Jahr", "Indikator", "Zähler", "Nenner"]
    study = begun(pd.DataFrame(rows, columns=columns), tmp_path, sep=";", encoding="utf-8-sig")
    assert study.data["facility"].to_numpy().tolist() == UNITS


def test_months_of_a_period_beside_its_name(tmp_path):
    header = ["Baseline (Jan–Mar 2022)", "Endline (Jan–Mar 2023)"]
    columns = [f"{when} {item} {part}" for when in header for item in ("Hands", "List")
               for part in ("num", "den")]  # fmt: skip
    rows = [(unit, 1 + k, 9, 2 + k, 10, 3 + k, 11, 4 + k, 12) for k, unit in enumerate(UNITS)]
    study = begun(pd.DataFrame(rows, columns=["Facility", *columns]), tmp_path)
    assert study.period_labels == tuple(header)
    assert study.data["indicator"].to_numpy().tolist() == ["Hands", "List"]
    assert [cell(study, name, "Cedro", 1, 1) for name in ("successes", "trials")] == [6, 12]


def test_dots_divide_thousands_beside_decimal_commas(tmp_path):
    rows = [(unit, year, "Kosten", f"1.{200 + year % 100},50", "13,5")
            for unit in UNITS for year in (2021, 2022)]  # fmt: skip
    columns = ["Klinik", "Periode", "Indikator", "Mittelwert", "SE"]
    study = begun(pd.DataFrame(rows, columns=columns), tmp_path, sep=";", encoding="utf-16")
    assert cell(study, "mean", "Alfa", 0) == 1221.5
    assert cell(study, "se", "Alfa", 0) == 13.5
    assert any("Dots divide thousands" in text for text in study.assumptions)


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%Y-%m-%dT%H:%M:%S"])
def test_counts_of_several_days_are_added_up(tmp_path, form):
    days = pd.to_datetime(["2022-01-15", "2022-02-20", "2023-01-25", "2023-02-13"])
    rng = np.random.default_rng(1)
    rows = [(unit, day.strftime(form), "x", n, 9) for unit in UNITS for day in days
            for n in rng.integers(0, 10, 1)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["facility", "date", "indicator", "successes", "trials"])
    study = begun(table, tmp_path)
    whole = table.assign(round=[day.year for _ in UNITS for day in days])
    asked = whole.groupby(["facility", "round"])[["successes", "trials"]].sum()
    for name in ("successes", "trials"):
        found = study.data[name].sel(indicator="x").to_series()
        assert found.to_numpy().tolist() == asked[name].to_numpy().tolist()
    assert any("16 rows are 8 cells" in text for text in study.assumptions)


def test_months_by_their_names_stand_in_the_order_of_time(tmp_path):
    names = ["April 2022", "January 2022", "March 2022"]
    rows = [(unit, name, "x", 2, 9) for unit in UNITS for name in names]
    table = pd.DataFrame(rows, columns=["facility", "month", "indicator", "num", "den"])
    table.to_csv(tmp_path / "t.csv", index=False)
    found = recognise(tmp_path / "t.csv")
    assert found.keys["periods"] == ["January 2022", "March 2022", "April 2022"]


@pytest.mark.parametrize("form", ["{:.3f}", "{:.1%}"])
def test_percentages_as_shares_and_with_a_sign(tmp_path, form):
    rows = [(unit, when, "x", form.format(n / 40), 40) for unit in UNITS
            for when, n in (("baseline", 11), ("endline", 37))]  # fmt: skip
    columns = ["facility", "period", "indicator", "percent", "n"]
    study = begun(pd.DataFrame(rows, columns=columns), tmp_path)
    assert [cell(study, "successes", "Alfa", at) for at in (0, 1)] == [11, 37]
    assert study.options.shares == ("%" not in form)


def deliveries() -> pd.DataFrame:
    rows = [(unit, year, 40 + k, 30 + k, 2 * k) for k, unit in enumerate(UNITS)
            for year in (2021, 2022)]  # fmt: skip
    names = ["Facility", "Year", "Deliveries (n)", "Uterotonic given (n)", "Number with partograph"]
    return pd.DataFrame(rows, columns=names)


def test_numbers_are_taken_over_the_one_that_none_exceeds(tmp_path):
    study = begun(deliveries(), tmp_path)
    assert study.data["indicator"].to_numpy().tolist() == [*deliveries().columns[3:]]
    assert [cell(study, name, "Cedro", 1) for name in ("successes", "trials")] == [32, 42]
    assert [cell(study, name, "Cedro", 1, 1) for name in ("successes", "trials")] == [4, 42]


def test_the_number_behind_means_is_asked_for_where_two_columns_may_be_it(tmp_path):
    table = deliveries().iloc[:, :4].assign(Mean=4.0, SD=1.0)
    table.to_csv(tmp_path / "t.csv", index=False)
    start = start_study(tmp_path / "t.csv", out=tmp_path / "study")
    assert start.problems[0].startswith("t.csv: 'mean' needs a column 'se', or 'sd' and 'n'")
    # in the words of the file
    assert "the file has 'Facility', 'Year', 'Deliveries (n)'" in start.problems[0]
    (said,) = [text for text in start.found.unsure if "number behind each mean" in text]
    assert "n = 'Deliveries (n)'" in said
    file = tmp_path / "study" / "study.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(f"{text}n = 'Deliveries (n)'\n", encoding="utf-8")
    assert cell(read_study(file), "se", "Alfa", 0) == pytest.approx(1 / np.sqrt(40))
    file.write_text(f"{text}\n[ratios]\nx = ['Uterotonic given (n)', 'Deliveries (n)']\n",
                    encoding="utf-8")  # fmt: skip
    assert cell(read_study(file), "successes", "Alfa", 0) == 30
    # one alone is taken
    study = begun(table.drop(columns="Uterotonic given (n)"), tmp_path / "one")
    assert cell(study, "se", "Alfa", 0) == pytest.approx(1 / np.sqrt(40))


def test_many_cells_given_twice_are_one_line(tmp_path):
    rows = [(unit, "x", 2, 9) for unit in UNITS for _ in range(3)]
    table = pd.DataFrame(rows, columns=["facility", "indicator", "successes", "trials"])
    table.to_csv(tmp_path / "t.csv", index=False)
    (said,) = start_study(tmp_path / "t.csv", out=tmp_path / "study").problems
    assert "the cell is given twice (first in row 2), and so are 7 more" in said
