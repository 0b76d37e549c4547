"""Layouts as ministries, survey tools and dashboards write them, through `init` without an edit.

The numbers are compared with those that the tables were written from.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pdsim.study import Study, read_study
from pdsim.study.starting import start_study

UNITS = ["Kibaha HC", "Mlandizi Hosp.", "Chalinze HC", "Bagamoyo DH", "Mafia DH"]
ITEMS = ["Hands", "Gloves"]
YEARS = ["2021", "2023"]

type Cells = dict[tuple[str, str, str], tuple[float, float]]
"""The two numbers of each facility, indicator and period."""


def drawn(items: list[str] = ITEMS, periods: list[str] = YEARS, scale: int = 1) -> Cells:
    rng = np.random.default_rng(7)
    return {
        (unit, item, period): (int(rng.integers(3, 20)) * scale, int(rng.integers(20, 40)) * scale)
        for unit in UNITS
        for item in items
        for period in periods
    }


def begun(path: Path, folder: Path) -> tuple[Study, list[str]]:
    """Return the study that `init` makes, which must need no decision, and what it is unsure of."""
    start = start_study(path, out=folder / "study")
    assert start.problems == ()
    return read_study(folder / "study"), start.found.unsure


def check(study: Study, cells: Cells, names: tuple[str, str] = ("successes", "trials")) -> None:
    """Compare every cell; the order of the periods is that of the cells."""
    order = list(dict.fromkeys(period for _, _, period in cells))
    assert set(study.data["facility"].to_numpy()) == set(UNITS)
    for (unit, item, period), asked in cells.items():
        cell = study.data.sel(facility=unit, indicator=item).isel(period=order.index(period))
        np.testing.assert_allclose([float(cell[name]) for name in names], asked)


def by_facility(cells: Cells, write: Callable[[str, str, float, float], dict[str, object]]):
    """Return a row of a wide table for each facility."""
    rows = []
    for unit in UNITS:
        row: dict[str, object] = {"Facility": unit}
        for (own, item, period), (met, of) in cells.items():
            row |= write(item, period, met, of) if own == unit else {}
        rows.append(row)
    return pd.DataFrame(rows)


def test_units_in_parentheses_behind_the_periods(tmp_path: Path) -> None:
    cells = drawn(periods=["T1 2022", "T1 2023"])
    table = by_facility(
        cells,
        lambda item, period, met, of: {
            f"{item} {period} (%)": f"{100 * met / of:.1f} %".replace(".", ","),
            f"{item} {period} (effectif)": of,
        },
    ).rename(columns={"Facility": "Formation sanitaire"})
    table.to_csv(tmp_path / "t.csv", index=False, sep=";", encoding="cp1252")
    check(begun(tmp_path / "t.csv", tmp_path)[0], cells)


@pytest.mark.parametrize("n", ["n", "number"])
def test_one_indicator_need_not_be_named_in_every_column(tmp_path: Path, n: str) -> None:
    cells = drawn(["score"], ["Pre", "Post"])
    table = by_facility(
        cells,
        lambda item, period, mean, of: {
            f"Mean {item} {period}": mean, f"SD {period}": 6.0, f"n {period}": of,
        },
    )  # fmt: skip
    table.to_csv(tmp_path / "t.csv", index=False)
    asked = {key: (mean, 6 / np.sqrt(of)) for key, (mean, of) in cells.items()}
    check(begun(tmp_path / "t.csv", tmp_path)[0], asked, ("mean", "se"))


@pytest.mark.parametrize("write", ["{met}/{of} ({percent:.0f}%)", "{percent:.1f}% (n={of})"])
def test_two_numbers_in_a_cell_with_a_row_for_each_period(tmp_path: Path, write: str) -> None:
    cells = drawn(periods=["Baseline", "Endline"])
    table = pd.DataFrame(
        [
            {"Hospital": unit, "Round": period}
            | {
                item: write.format(met=met, of=of, percent=100 * met / of)
                for item in ITEMS
                for met, of in [cells[unit, item, period]]
            }
            for unit in UNITS
            for period in ("Baseline", "Endline")
        ]
    )
    table.to_excel(tmp_path / "t.xlsx", index=False)
    check(begun(tmp_path / "t.xlsx", tmp_path)[0], cells)


@pytest.mark.parametrize(("head", "name"), [("mean ± SD", "sd"), ("mean ± SE", "se")])
def test_a_mean_and_its_spread_in_a_cell(tmp_path: Path, head: str, name: str) -> None:
    cells = drawn(["composite"])
    rows = [(unit, year, f"{mean} ± 6.5", of) for (unit, _, year), (mean, of) in cells.items()]
    table = pd.DataFrame(rows, columns=["Facility", "Year", f"Satisfaction ({head})", "n"])
    table.to_csv(tmp_path / "t.csv", index=False)
    root = {key: np.sqrt(of) if name == "sd" else 1.0 for key, (_, of) in cells.items()}
    asked = {key: (mean, 6.5 / root[key]) for key, (mean, _) in cells.items()}
    check(begun(tmp_path / "t.csv", tmp_path)[0], asked, ("mean", "se"))


@pytest.mark.parametrize("word", ["1 to 4", "1-4", "≤4", "<=4", "Less than 5", "moins de 5"])
def test_suppressed_counts_in_other_words(tmp_path: Path, word: str) -> None:
    cells = drawn()
    rows = [(*key, word if met < 6 else met, of) for key, (met, of) in cells.items()]
    columns = ["Provider", "Measure", "Year", "Numerator", "Denominator"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "t.csv", index=False)
    study, _ = begun(tmp_path / "t.csv", tmp_path)
    check(study, {key: (0, 0) if met < 6 else (met, of) for key, (met, of) in cells.items()})
    hidden = study.data["high"].to_numpy()
    assert np.isfinite(hidden).sum() == sum(met < 6 for met, _ in cells.values()) > 0
    assert np.nanmax(hidden) == 4


def test_a_sheet_for_every_facility(tmp_path: Path) -> None:
    cells = drawn()
    with pd.ExcelWriter(tmp_path / "t.xlsx") as book:
        for unit in UNITS:
            rows = [(i, y, *pair) for (own, i, y), pair in cells.items() if own == unit]
            table = pd.DataFrame(rows, columns=["Indicator", "Year", "Numerator", "Denominator"])
            table.to_excel(book, sheet_name=unit, index=False)
    check(begun(tmp_path / "t.xlsx", tmp_path)[0], cells)


def test_counts_under_unknown_words(tmp_path: Path) -> None:
    cells = drawn(["Chanjo"], ["Kabla", "Baada"], scale=101)
    rows = [
        (*key, *(f"{n:,}".replace(",", " ") for n in pair)) for key, pair in cells.items()
    ]  # a thousand and more
    columns = ["Kituo", "Kiashiria", "Kipindi", "Idadi iliyofikiwa", "Waliolengwa"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "t.csv", index=False, sep=";")
    study, unsure = begun(tmp_path / "t.csv", tmp_path)
    check(study, cells)
    assert unsure == ["'Idadi iliyofikiwa' is taken over 'Waliolengwa', since it never exceeds it"]


def test_a_column_for_every_facility(tmp_path: Path) -> None:
    cells = drawn()
    rows = [
        {"Indicator": item, "Year": year, "Type": part}
        | {unit: cells[unit, item, year][at] for unit in UNITS}
        for item in ITEMS
        for year in YEARS
        for at, part in enumerate(("Numerator", "Denominator"))
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    study, unsure = begun(tmp_path / "t.csv", tmp_path)
    check(study, cells)
    assert "is taken as a facility" in unsure[0]


def test_financial_years_in_the_headers_and_indicators_in_rows(tmp_path: Path) -> None:
    years = ["FY2021/22", "FY2022/23"]
    cells = drawn(periods=years)
    rows = [
        {"Name of facility": unit, "Name of indicator": item}
        | {f"{year} Num": cells[unit, item, year][0] for year in years}
        | {f"{year} Den": cells[unit, item, year][1] for year in years}
        for unit in UNITS
        for item in ITEMS
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    study, _ = begun(tmp_path / "t.csv", tmp_path)
    assert study.period_labels == tuple(years)
    check(study, cells)


def cases(yes: str, no: str) -> tuple[pd.DataFrame, Cells]:
    cells = drawn(periods=["pre", "post"])
    rows = [
        (unit, period, f"{8 + k % 9}:30", *(yes if k < cells[unit, i, period][0] else no
                                              for i in ITEMS))
        for unit in UNITS for period in ("pre", "post") for k in range(20)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["Hospital", "Phase", "Time", *ITEMS])
    return table, {key: (met, 20) for key, (met, _) in cells.items()}


def test_ticks_and_crosses_and_the_time_of_day(tmp_path: Path) -> None:
    table, cells = cases("✓", "✗")
    table.to_csv(tmp_path / "t.csv", index=False)
    check(begun(tmp_path / "t.csv", tmp_path)[0], cells)


def test_questions_in_a_group_of_a_repeat_with_french_labels(tmp_path: Path) -> None:
    table, cells = cases("Oui", "Non")
    visits = table[["Hospital", "Phase"]].drop_duplicates().reset_index(drop=True)
    day = visits["Phase"].map({"pre": "2022-03-04", "post": "2023-03-01"})
    above = pd.DataFrame(
        {
            "start": day + "T08:00:00", "Nom de la structure": visits["Hospital"],
            "Date de la visite": day, "_submission_time": day + "T10:00:00",
            "_index": np.arange(1, len(visits) + 1),
        }
    )  # fmt: skip
    place = {tuple(row): k + 1 for k, row in enumerate(visits.to_numpy())}
    below = table[ITEMS].add_prefix("Accouchement/")
    below["_index"] = np.arange(1, len(below) + 1)
    below["_parent_table_name"] = "visites"
    below["_parent_index"] = [place[tuple(row)] for row in table[["Hospital", "Phase"]].to_numpy()]
    with pd.ExcelWriter(tmp_path / "t.xlsx") as book:
        above.to_excel(book, sheet_name="visites", index=False)
        below.to_excel(book, sheet_name="accouchements", index=False)
    study, _ = begun(tmp_path / "t.xlsx", tmp_path)
    check(study, {(u, f"Accouchement/{i}", p): pair for (u, i, p), pair in cells.items()})


def test_quarterly_reports_of_fhir(tmp_path: Path) -> None:
    starts = ["2023-01-01", "2023-04-01", "2023-10-01"]
    cells = drawn(["m1"], starts)
    entries = [
        {
            "resource": {
                "resourceType": "MeasureReport", "type": "summary", "measure": "Measure/m1",
                "subject": {"display": unit}, "period": {"start": start},
                "group": [{"population": [
                    {"code": {"coding": [{"code": name}]}, "count": count}
                    for name, count in zip(("numerator", "denominator"), pair, strict=True)
                ]}],
            }
        }
        for (unit, _, start), pair in cells.items()
    ]  # fmt: skip
    (tmp_path / "t.json").write_text(json.dumps({"resourceType": "Bundle", "entry": entries}))
    study, unsure = begun(tmp_path / "t.json", tmp_path)
    assert "The dates are divided at the longest gap, 2023-04-01 and 2023-10-01" in unsure[0]
    first = {
        (unit, "m1", "first"): tuple(
            sum(cells[unit, "m1", start][k] for start in starts[:2]) for k in (0, 1)
        )
        for unit in UNITS
    }
    last = {(unit, "m1", "last"): cells[unit, "m1", starts[2]] for unit in UNITS}
    check(study, first | last)


def rows_by_period(cells: Cells, write: Callable[[str, float, float], dict[str, object]]):
    """Return a row for each facility and period."""
    rows = []
    for unit in UNITS:
        for year in YEARS:
            row: dict[str, object] = {"Health facility": unit, "Survey year": year}
            for item in ITEMS:
                row |= write(item, *cells[unit, item, year])
            rows.append(row)
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("above", "below"), [("num", "den"), ("n", "N"), ("met", "total")])
def test_indicators_side_by_side_in_a_row_for_each_period(
    tmp_path: Path, above: str, below: str
) -> None:
    cells = drawn()
    table = rows_by_period(cells, lambda i, x, n: {f"{i} {above}": x, f"{i} {below}": n})
    table.to_csv(tmp_path / "t.csv", index=False)
    check(begun(tmp_path / "t.csv", tmp_path)[0], cells)


def test_percentages_side_by_side_of_one_number_of_cases(tmp_path: Path) -> None:
    cells = {key: (met, 40) for key, (met, _) in drawn().items()}
    table = rows_by_period(cells, lambda i, x, n: {f"{i} (%)": 100 * x / n, "N": n})
    table.to_csv(tmp_path / "t.csv", index=False)
    check(begun(tmp_path / "t.csv", tmp_path)[0], cells)


def long(cells: Cells, names: tuple[str, str]) -> pd.DataFrame:
    rows = [(*key, *pair) for key, pair in cells.items()]
    return pd.DataFrame(rows, columns=["Facility", "Indicator", "Year", *names])


def test_facilities_in_districts(tmp_path: Path) -> None:
    cells = drawn()
    table = long(cells, ("Numerator", "Denominator"))
    table.insert(0, "District", np.where(table["Facility"] < "C", "North", "South"))
    for name in ("Health Facility Name", "Post"):
        table.rename(columns={"Facility": name}).to_csv(tmp_path / "t.csv", index=False)
        start = start_study(tmp_path / "t.csv", out=tmp_path / name)
        if name == "Post":
            # districts are not added up from what may be the facilities
            assert "the cell is given twice" in start.problems[0]
        else:
            assert start.problems == ()
            check(read_study(tmp_path / name), cells)


def test_percentages_beside_their_counts_are_left_out(tmp_path: Path) -> None:
    cells = drawn()
    table = long(cells, ("Numerator", "Denominator"))
    table["Percent"] = (100 * table["Numerator"] / table["Denominator"]).round(1)
    table.to_csv(tmp_path / "t.csv", index=False)
    check(begun(tmp_path / "t.csv", tmp_path)[0], cells)


def test_means_with_limits(tmp_path: Path) -> None:
    cells = drawn()
    table = long(cells, ("Mean", "of"))
    table["Lower 95% CI"] = table["Mean"] - 1.959964 * 2
    table["Upper 95% CI"] = table["Mean"] + 1.959964 * 2
    table.drop(columns="of").to_csv(tmp_path / "t.csv", index=False)
    study, unsure = begun(tmp_path / "t.csv", tmp_path)
    check(study, {key: (mean, 2.0) for key, (mean, _) in cells.items()}, ("mean", "se"))
    assert "are taken as limits of 95 %" in unsure[0]


@pytest.mark.parametrize("name", ["Score", "Number"])
def test_a_score_beside_a_sample(tmp_path: Path, name: str) -> None:
    cells = drawn()
    table = long(cells, (name, "Sample"))
    if name == "Score":
        table[name] = (100 * table[name] / table["Sample"]).round(1)
    table.to_csv(tmp_path / "t.csv", index=False)
    study, unsure = begun(tmp_path / "t.csv", tmp_path)
    check(study, cells)
    what = "percentages" if name == "Score" else "counts"
    assert f"{name!r} is taken as {what} of the cases in 'Sample'" in unsure


def test_counts_of_yes_and_of_no(tmp_path: Path) -> None:
    cells = drawn()
    table = long(cells, ("Yes", "No"))
    table["No"] -= table["Yes"]
    table.to_csv(tmp_path / "t.csv", index=False)
    check(begun(tmp_path / "t.csv", tmp_path)[0], cells)


@pytest.mark.parametrize("case", ["Case ID", None])
def test_a_row_for_every_answer(tmp_path: Path, case: str | None) -> None:
    wide, cells = cases("Yes", "No")
    wide = wide.drop(columns="Time").rename_axis("Case ID").reset_index()
    table = wide.melt(["Case ID", "Hospital", "Phase"], var_name="Question", value_name="Answer")
    table.drop(columns=[] if case else "Case ID").to_csv(tmp_path / "t.csv", index=False)
    study, _ = begun(tmp_path / "t.csv", tmp_path)
    check(study, cells)
    # only cases say how the answers of one go together
    assert (study.case_correlation_source == "estimated") == (case is not None)


def test_the_one_column_of_days_is_the_period_unless_it_is_a_birth(tmp_path: Path) -> None:
    table, cells = cases("1", "0")
    day = table["Phase"].map({"pre": "2022-03-04 09:30", "post": "2023-03-01 10:00"})
    table = table.assign(**{"Observed at": day, "Date of birth": "1990-01-01"})
    table.loc[0, "Date of birth"] = "1980-01-01"
    table.drop(columns=["Phase", "Time"]).to_csv(tmp_path / "t.csv", index=False)
    table = table.drop(columns=["Phase", "Time"])
    study, _ = begun(tmp_path / "t.csv", tmp_path)
    check(study, cells)


def test_a_header_of_three_lines_with_years_alone(tmp_path: Path) -> None:
    cells = drawn()
    lines = ["Facility,Hands,,,,Gloves,,,", ",2021,,2023,,2021,,2023,", ",n,N,n,N,n,N,n,N"]
    for unit in UNITS:
        pairs = [cells[unit, item, year] for item in ITEMS for year in YEARS]
        lines.append(",".join([unit, *(str(n) for pair in pairs for n in pair)]))
    (tmp_path / "t.csv").write_text("\n".join(lines))
    check(begun(tmp_path / "t.csv", tmp_path)[0], cells)


def test_months_of_two_digits_in_the_headers(tmp_path: Path) -> None:
    months = ["Jan-22", "Jan-23"]
    cells = drawn(periods=months)
    table = by_facility(
        cells, lambda i, month, x, n: {f"{i} num {month}": x, f"{i} den {month}": n}
    )
    table.to_csv(tmp_path / "t.csv", index=False)
    study, _ = begun(tmp_path / "t.csv", tmp_path)
    assert study.period_labels == tuple(months)
    check(study, cells)


def test_a_date_beside_years_in_the_headers_is_no_period(tmp_path: Path) -> None:
    cells = drawn()
    table = by_facility(cells, lambda i, year, x, n: {f"{i} {year} num": x, f"{i} {year} den": n})
    table.insert(1, "Date of report", ["2024-01-05", "2024-01-09"] * 2 + ["2024-01-07"])
    table.to_csv(tmp_path / "t.csv", index=False)
    check(begun(tmp_path / "t.csv", tmp_path)[0], cells)


def test_names_in_two_cases_and_points_of_a_scale_have_their_cure(tmp_path: Path) -> None:
    table = long(drawn(), ("Numerator", "Denominator"))
    table.loc[1, "Facility"] = UNITS[0].upper()
    table.to_csv(tmp_path / "t.csv", index=False)
    (said,) = start_study(tmp_path / "t.csv", out=tmp_path / "a").problems
    assert '"KIBAHA HC" = "Kibaha HC" in [rename.facility]' in said
    rng = np.random.default_rng(1)
    rows = [(unit, when, *rng.integers(1, 6, 2)) for unit in UNITS for when in ("pre", "post")
            for _ in range(5)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["Facility", "Phase", "Q1 respect", "Q2 privacy"])
    table.to_csv(tmp_path / "t.csv", index=False)
    start = start_study(tmp_path / "t.csv", out=tmp_path / "b")
    assert 'where a row is a case, state format = "cases"' in start.problems[0]
    assert any("hold '1', '2', '3', '4', '5'" in text for text in start.found.unsure)


@pytest.mark.parametrize("periods", [["2021", "2023"], ["202301", "202401"], ["Jan-22", "Jan-23"]])
def test_a_column_for_every_period(tmp_path: Path, periods: list[str]) -> None:
    cells = drawn(periods=periods)
    for at, how in enumerate(("part", "element")):
        rows = [
            {"Facility": unit, "Indicator": item, "Part": part}
            | {period: cells[unit, item, period][k] for period in periods}
            for unit in UNITS
            for item in ITEMS
            for k, part in enumerate(("Numerator", "Denominator"))
        ]
        table = pd.DataFrame(rows)
        if how == "element":
            table["Indicator"] = table["Indicator"] + " " + table.pop("Part")
        table.to_csv(tmp_path / "t.csv", index=False)
        (tmp_path / str(at)).mkdir()
        study, _ = begun(tmp_path / "t.csv", tmp_path / str(at))
        assert study.period_labels == tuple(periods)
        check(study, cells)


def test_percentages_in_a_column_for_every_period_need_their_cases(tmp_path: Path) -> None:
    table = pd.DataFrame({"District hospital": UNITS, "2021": range(20, 70, 10), "2023": 45})
    table.to_csv(tmp_path / "t.csv", index=False)
    (said,) = start_study(tmp_path / "t.csv", out=tmp_path / "study").problems
    assert "trials = 20" in said
    answers = {"trials": 40}
    start = start_study(tmp_path / "t.csv", out=tmp_path / "again", answers=answers)
    assert start.problems == ()
    data = read_study(tmp_path / "again").data
    assert float(data["successes"].sel(facility=UNITS[1])[0, 0]) == 12


def test_reports_of_fhir_line_by_line(tmp_path: Path) -> None:
    cells = drawn(["m1"], ["2022", "2023"])
    lines = [
        json.dumps(
            {
                "resourceType": "MeasureReport", "type": "summary", "measure": "Measure/m1",
                "subject": {"display": unit}, "period": {"start": f"{year}-01-01"},
                "group": [{"population": [
                    {"code": {"coding": [{"code": name}]}, "count": count}
                    for name, count in zip(("numerator", "denominator"), pair, strict=True)
                ]}],
            }
        )
        for (unit, _, year), pair in cells.items()
    ]  # fmt: skip
    (tmp_path / "t.ndjson").write_text("\n".join(lines) + "\n")
    check(begun(tmp_path / "t.ndjson", tmp_path)[0], cells)
