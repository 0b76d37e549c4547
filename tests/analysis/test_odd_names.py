"""Names that mean something to a program, through `init`, `check` and `analyse` to every file."""

import csv
import html
import io
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

import pdsim
from pdsim.study import SamplerSettings, StudyOptions, read_study
from pdsim.study.quality import doubts
from pdsim.study.starting import start_study

NAMES = ["none", "nan", "=1", "🏥 clinic", "مستشفى الملك", 'St "Mary\'s"']


def counts(facility: str, indicator: str) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    rows = [
        (unit, item, period, int(rng.binomial(20, 0.5)), 20)
        for unit in (facility, "Bravo", "Cedro", "Delta")
        for item in (indicator, "list")
        for period in ("baseline", "endline")
    ]
    return pd.DataFrame(rows, columns=["facility", "indicator", "period", "successes", "trials"])


@pytest.mark.slow
# a library of the engine raises the limit of recursion
@pytest.mark.filterwarnings("ignore::pdsim.errors.PdsimWarning")
@pytest.mark.filterwarnings("ignore:The recursion limit")
@pytest.mark.parametrize("at", range(len(NAMES)))
def test_a_name_is_a_name_in_every_file(tmp_path: Path, at: int) -> None:
    facility, indicator, domain = (NAMES[(at + k) % len(NAMES)] for k in range(3))
    counts(facility, indicator).to_csv(tmp_path / "t.csv", index=False)
    start = start_study(tmp_path / "t.csv", out=tmp_path / "study")
    assert start.problems == ()
    described = pd.DataFrame({"indicator": [indicator, "list"], "domain": [domain, "other"]})
    described.to_csv(tmp_path / "ind.csv", index=False)
    sampler = SamplerSettings(engine="laplace", draws=400, tune=100, chains=2)
    options = StudyOptions(sampler=sampler, indicators=str(tmp_path / "ind.csv"))
    study = read_study(tmp_path / "study", options=options)
    assert all(doubt.what and doubt.cure for doubt in doubts(study))
    out = tmp_path / "out"
    result = pdsim.analyse(study, out=out, formats=("html", "docx", "csv"))
    assert sorted(result.tables["selection"]["facility"]) == sorted(
        [facility, "Bravo", "Cedro", "Delta"]
    )
    assert str(study.data["domain"].sel(indicator=indicator).item()) == domain
    for path in out.rglob("*.csv"):
        for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8"))):
            for cell in row:
                if cell[:1] in tuple("=+-@"):
                    float(cell)
    selection = pd.read_csv(out / "selection.csv", keep_default_na=False)
    assert len(selection) == 4
    assert facility in [name.removeprefix("'") for name in selection["facility"]]
    page = html.unescape((out / "report.html").read_text(encoding="utf-8"))
    with zipfile.ZipFile(out / "report.docx") as archive:
        document = archive.read("word/document.xml")
    words = "".join(node.text or "" for node in ElementTree.fromstring(document).iter())
    for name in (facility, indicator, domain):
        assert name in page
        assert name in words


def test_names_of_a_workbook_stay_texts_in_the_table_that_init_writes(tmp_path: Path) -> None:
    """A name that a spreadsheet would run is kept from it, and read again as it was."""
    names = ["=HYPERLINK(0)", "+1+cmd|' /C calc'!A0", "@SUM(A1)", "-Delta"]
    wide = pd.DataFrame({"Facility": names, "2021 x": "3/9", "2022 x": "5/9"})
    wide.to_csv(tmp_path / "t.csv", index=False)
    start = start_study(tmp_path / "t.csv", out=tmp_path / "study")
    assert start.problems == ()
    text = (tmp_path / "study" / "data.csv").read_text(encoding="utf-8")
    for row in csv.reader(io.StringIO(text)):
        assert not any(cell.startswith(tuple("=+-@")) for cell in row)
    study = read_study(tmp_path / "study")
    assert sorted(study.data["facility"].to_numpy().tolist()) == sorted(names)


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_lines_broken_within_a_cell_are_one_line(tmp_path: Path, ending: str) -> None:
    table = counts("St Mary\nHospital", "hand\nhygiene")
    table = table.rename(columns={"trials": "Number of\ncases"})
    write = table.to_csv if ending == "csv" else table.to_excel
    write(tmp_path / f"t.{ending}", index=False)
    start = start_study(tmp_path / f"t.{ending}", out=tmp_path / "study")
    assert start.problems == ()
    study = read_study(tmp_path / "study")
    assert "St Mary Hospital" in study.data["facility"].to_numpy()
    assert "hand hygiene" in study.data["indicator"].to_numpy()


def test_a_name_that_is_too_long_is_written_in_another_way(tmp_path: Path) -> None:
    long = "x" * 300
    counts(long, "hands").to_csv(tmp_path / "t.csv", index=False)
    start = start_study(tmp_path / "t.csv", out=tmp_path / "study")
    cure = "give a plain name of at most 200 characters, or write another: [rename]"
    assert f"has 300 characters; {cure}" in start.problems[0]
    file = tmp_path / "study" / "study.toml"
    with file.open("a", encoding="utf-8") as stream:
        stream.write(f'\n[rename.facility]\n"{long}" = "Alfa"\n')
    assert "Alfa" in read_study(file).data["facility"].to_numpy()
