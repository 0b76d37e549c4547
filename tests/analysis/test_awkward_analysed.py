"""Awkward files of many kinds, from the disk to the report by what `init` wrote, unedited."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pdsim
from pdsim.study import SamplerSettings, StudyOptions, read_study
from pdsim.study.starting import start_study

CASES = Path(__file__).parents[1] / "cases"
UNITS = ["Alfa", "Bravo", "Cedro", "Delta"]

type Written = tuple[Path, tuple[float, float] | None]
"""A file, and all its successes and trials, or means and standard errors, added up."""


def drawn(periods: list[str], items: list[str] | None = None) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    rows = [
        (unit, item, period, int(rng.integers(3, 15)), int(rng.integers(15, 30)))
        for unit in UNITS
        for item in items or ["hands", "list"]
        for period in periods
    ]
    return pd.DataFrame(rows, columns=["Facility", "Indicator", "Period", "Met", "Seen"])


def sums(table: pd.DataFrame) -> tuple[float, float]:
    return float(table["Met"].sum()), float(table["Seen"].sum())


def an_export_with_a_total_and_small_counts(folder: Path) -> Written:
    return CASES / "total_row" / "audit.csv", None


def merged_cells_below_a_sheet_of_notes(folder: Path) -> Written:
    return CASES / "merged_header" / "audit.xlsx", None


def numerators_in_rows(folder: Path) -> Written:
    return CASES / "numerator_rows" / "long.csv", None


def french_words(folder: Path) -> Written:
    return CASES / "yes_no_words" / "cases.csv", None


def a_unit_that_is_lost(folder: Path) -> Written:
    return CASES / "lost_unit" / "drop.csv", None


def two_spellings(folder: Path) -> Written:
    return CASES / "one_spelling" / "c.csv", None


def italian_answers_by_year(folder: Path) -> Written:
    rows = [
        (unit, year, *answers)
        for unit in UNITS
        for year in (2022, 2023)
        for answers in (("Sì", "No"), ("No", "Non applicabile"), ("Sì", "Sì"))
    ]
    table = pd.DataFrame(rows, columns=["struttura", "anno", "q1", "q2"])
    table.to_csv(folder / "t.csv", index=False)
    return folder / "t.csv", (24, 40)


def dots_in_thousands(folder: Path) -> Written:
    rows = [(unit, year, "Kosten", f"1.{200 + year % 100 + k},50", "13,5")
            for k, unit in enumerate(UNITS) for year in (2021, 2022)]  # fmt: skip
    columns = ["Klinik", "Periode", "Indikator", "Mittelwert", "SE"]
    table = pd.DataFrame(rows, columns=columns)
    table.to_csv(folder / "t.csv", index=False, sep=";", encoding="utf-16")
    return folder / "t.csv", (8 * 1222 + 2 * 6 + 8 * 0.5 - 4, 8 * 13.5)


def counts_by_day(folder: Path) -> Written:
    days = {"2022-01-15": "", "2022-02-20": "", "2023-01-25": "", "2023-02-13": ""}
    table = drawn(list(days))
    table.rename(columns={"Period": "date"}).to_csv(folder / "t.csv", index=False)
    return folder / "t.csv", sums(table)


def numbers_over_the_largest(folder: Path) -> Written:
    table = drawn(["2021", "2022"], ["x"])
    named = {"Met": "Uterotonic given (n)", "Seen": "Deliveries (n)", "Period": "Year"}
    table.drop(columns="Indicator").rename(columns=named).to_csv(folder / "t.csv", index=False)
    return folder / "t.csv", sums(table)


def months_of_quarters(folder: Path) -> Written:
    table = pd.concat([drawn(["2023 Q1", "2023 Q2"]).assign(Month=k) for k in (1, 2, 3)])
    named = {"Period": "Quarter", "Met": "Numerator", "Seen": "Denominator"}
    table.rename(columns=named).to_csv(folder / "t.csv", index=False)
    return folder / "t.csv", sums(table)


def a_sheet_for_every_facility(folder: Path) -> Written:
    table = drawn(["Before", "After"])
    with pd.ExcelWriter(folder / "t.xlsx") as book:
        for unit, part in table.groupby("Facility"):
            named = part.rename(columns={"Met": "Numerator", "Seen": "Denominator"})
            named.drop(columns="Facility").to_excel(book, sheet_name=str(unit), index=False)
    return folder / "t.xlsx", sums(table)


def percentages_and_numbers_in_a_cell(folder: Path) -> Written:
    table = drawn(["Baseline", "Endline"])
    share = (100 * table["Met"] / table["Seen"]).round(1)
    table["cell"] = share.map("{:.1f}%".format) + table["Seen"].map(" (n={})".format)
    wide = table.pivot(index=["Facility", "Period"], columns="Indicator", values="cell")
    wide.reset_index().to_csv(folder / "t.csv", index=False)
    return folder / "t.csv", sums(table)


KINDS = [
    an_export_with_a_total_and_small_counts, merged_cells_below_a_sheet_of_notes,
    numerators_in_rows, french_words, a_unit_that_is_lost, two_spellings,
    italian_answers_by_year, dots_in_thousands, counts_by_day, numbers_over_the_largest,
    months_of_quarters, a_sheet_for_every_facility, percentages_and_numbers_in_a_cell,
]  # fmt: skip


@pytest.mark.slow
# few cells may fail a gate, which labels the numbers; a library of the engine raises the limit of
# recursion
@pytest.mark.filterwarnings("ignore::pdsim.errors.PdsimWarning")
@pytest.mark.filterwarnings("ignore:The recursion limit")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_from_the_file_to_the_report(kind: Callable[[Path], Written], tmp_path: Path) -> None:
    file, asked = kind(tmp_path)
    start = start_study(file, out=tmp_path / "study")
    assert start.problems == ()
    # few draws, also where NUTS takes over: only the tables count
    sampler = SamplerSettings(engine="laplace", draws=400, tune=100, chains=2)
    study = read_study(tmp_path / "study", options=StudyOptions(sampler=sampler))
    if asked is not None:
        names = ("successes", "trials") if "trials" in study.data else ("mean", "se")
        found = [float(study.data[name].sum()) for name in names]
        np.testing.assert_allclose(found, asked)
    result = pdsim.analyse(study, out=tmp_path / "out")
    selection = result.tables["selection"]
    selection = selection.set_index("facility") if "facility" in selection else selection
    assert set(selection.index) == set(study.data["facility"].to_numpy())
    for side in ("top", "bottom"):
        assert selection[f"p_{side}"].sum() == pytest.approx(study.m, abs=1e-6)
    interval = result.results["improvement"]["interval"]
    assert bool(interval.notnull().all())
    assert (tmp_path / "out" / "report.html").stat().st_size > 0
    written = pd.read_csv(tmp_path / "out" / "selection.csv", keep_default_na=False)
    assert len(written) == study.data.sizes["facility"]
