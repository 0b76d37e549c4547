"""The reports as readers see them: on a screen, on a telephone, on paper, in Writer and in Calc."""

import html
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from pdsim.analysis.result import Analysis

type Get = Callable[[str], Analysis]

STUDIES = ("large", "unclear", "tied", "surgical", "lake_zone")

_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')

_FRAME = """<!DOCTYPE html><meta charset="utf-8"><body style="margin:0"><iframe id="page"
srcdoc="{page}" style="width:{width}px;height:{height}px;border:0"></iframe><script>
addEventListener("load", () => setTimeout(() => {{
  const frame = document.getElementById("page").contentDocument;
  const wide = [...frame.querySelectorAll("body *")].filter((element) =>
    !element.closest(".scroll, .drawing, pre") && !element.matches(".skip")
    && element.getBoundingClientRect().right > {width} + 1).map((element) => element.tagName);
  const part = (query) => frame.querySelector(query)?.getBoundingClientRect().bottom ?? 0;
  const seen = {{ wide, scroll: frame.documentElement.scrollWidth, answer: part("#answer"),
    lists: part("#table-answer_bottom"),
    explorer: !(frame.getElementById("explorer")?.hidden ?? 1) }};
  document.body.setAttribute("data-seen", JSON.stringify(seen));
}}, 300));
</script></body>"""

_AXE = """<script>{axe}</script><script>
addEventListener("load", async () => {{
  document.querySelectorAll("details").forEach((part) => {{ part.open = true; }});
  const found = await axe.run(document);
  const said = found.violations.map((one) => one.id + ": " + one.nodes[0].html.slice(0, 200));
  document.body.setAttribute("data-axe", JSON.stringify([said, found.passes.length]));
}});
</script></body>"""


def attribute(page: str, name: str) -> Any:
    found = re.search(rf'data-{name}="([^"]*)"', page)
    assert found is not None, "the page did not say what was seen"
    return json.loads(html.unescape(found[1]))


@pytest.fixture
def seen(tmp_path: Path, open_page: Callable[[Path], str]) -> Callable[[Path, int, int], Any]:
    """Lay a page out in a window of some size, and measure it."""

    def measure(page: Path, width: int, height: int) -> Any:
        text = html.escape(page.read_text(encoding="utf-8"))
        frame = tmp_path / f"frame{width}.html"
        frame.write_text(_FRAME.format(page=text, width=width, height=height), encoding="utf-8")
        return attribute(open_page(frame), "seen")

    return measure


@pytest.mark.parametrize("width", [390, 1280])
def test_hostile_names_break_no_page(hostile_folder: Path, seen, width: int) -> None:
    found = seen(hostile_folder / "report.html", width, 900)
    assert found["wide"] == []
    assert found["scroll"] <= width
    assert found["explorer"]


@pytest.mark.parametrize("name", STUDIES)
def test_page_one_is_one_screen(analysed: Get, seen, name: str) -> None:
    page = analysed(name).folder / "report.html"
    desk = seen(page, 1280, 800)
    assert desk["answer"] <= 800
    assert desk["scroll"] <= 1280
    phone = seen(page, 390, 844)
    assert phone["wide"] == []
    assert phone["scroll"] <= 390
    # both lists stand on the first screen
    assert phone["lists"] <= 844


@pytest.mark.parametrize("name", STUDIES)
def test_axe_finds_nothing(analysed: Get, open_page, axe: str, tmp_path: Path, name: str) -> None:
    text = (analysed(name).folder / "report.html").read_text(encoding="utf-8")
    page = tmp_path / "axe.html"
    text = _POLICY.sub("", text).replace("</body>", _AXE.format(axe=axe))
    page.write_text(text, encoding="utf-8")
    violations, passed = attribute(open_page(page), "axe")
    assert violations == []
    assert passed > 20


def pages(pdf: Path) -> int:
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf.read_bytes()))


@pytest.mark.parametrize("name", STUDIES)
def test_the_brief_is_one_page_of_paper(analysed: Get, chromium, tmp_path: Path, name: str) -> None:
    page = analysed(name).folder / "brief.html"
    chromium(f"--print-to-pdf={tmp_path / 'brief.pdf'}", "--no-pdf-header-footer", page.as_uri())
    assert pages(tmp_path / "brief.pdf") == 1
    box = re.search(
        rb"/MediaBox\s*\[\s*0 0 ([0-9.]+) ([0-9.]+)", (tmp_path / "brief.pdf").read_bytes()
    )
    assert [round(float(side) / 72 * 25.4) for side in box.groups()] == [210, 297]


@pytest.mark.parametrize("name", ["large", "tied"])
def test_word_opens_in_writer(analysed: Get, office, program, name: str) -> None:
    result = analysed(name)
    paper = office(result.folder / "report.docx", "pdf")
    assert pages(paper) >= 2
    done = subprocess.run(
        [program("pdftotext"), "-layout", str(paper), "-"],
        capture_output=True,
        text=True,
        check=True,
    )
    for facility in result.results["ranking"]["facility"].to_numpy().astype(str):
        assert facility in done.stdout
    assert "Table 1" in done.stdout


def test_a_table_opens_in_calc_with_its_accents(make_results, office, tmp_path: Path) -> None:
    from pdsim.reports.formats.csv import table_to_csv
    from pdsim.reports.study.sections import base_tables
    from pdsim.reports.study.view import Results

    names = ["Hôpital Édouard-Ñandú", "Zürich; Süd", "مستشفى الملك", "Göteborg, Öst"]
    tree = make_results(facilities=names, m=1, indicators=3, draws=100)
    table = base_tables(Results(tree))["improvement"]
    text = table_to_csv(table, convergence="passed", spreadsheet=True, decimal=",")
    (tmp_path / "table.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    sheet = openpyxl.load_workbook(office(tmp_path / "table.csv", "xlsx", "CSV:59,34,76")).active
    read = {sheet.cell(row, 1).value for row in range(2, 6)}
    assert read == set(names)


@pytest.mark.parametrize("name", STUDIES)
def test_screens_to_look_at(analysed: Get, chromium, request, name: str) -> None:
    """Leave pictures of page one in ``looks``, for eyes."""
    folder = request.config.rootpath / "looks"
    folder.mkdir(exist_ok=True)
    page = analysed(name).folder / "report.html"
    picture = folder / f"{name}.png"
    chromium("--window-size=1280,800", f"--screenshot={picture}", page.as_uri())
    assert picture.stat().st_size > 10_000


def test_results_of_twelve_by_fourteen_are_small(analysed: Get) -> None:
    # by default there is no Word document, and a brief only instead of the report
    others = ("report.docx", "brief.html")
    found = analysed("large").folder.rglob("*")
    files = [path for path in found if path.is_file() and path.name not in others]
    assert sum(path.stat().st_size for path in files) <= 5_000_000
