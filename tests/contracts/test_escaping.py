"""Names from data are hostile: in every output they are shown and do nothing."""

import csv
import importlib.util
import io
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdsim.reports.formats.document import Column, Name, Table, Text
from pdsim.reports.formats.escape import csv_cell, latex, markdown, plain
from pdsim.reports.formats.html import html_text
from pdsim.reports.formats.latex import latex_table
from pdsim.reports.formats.plainwords import words_of

NAMES = [
    "<script>alert(1)</script>",
    "</title><img src=x onerror=alert(1)>",
    "=cmd()|'/c calc'!A0",
    "\\input{x}",
    "[red]Alpha[/red]",
    "مستشفى الملك",
    "Hôpital Édouard-Ñandú",
    "$\\alpha$ & 100% #1_a^b~c",
    "**bold** `code` | pipe",
    "-1+2 \" ' `",
    "\x1b[31mred\x1b[0m",
    "1. first\u202e reversed",
    "# heading",
    "@SUM(A1)",
    "[link](javascript:alert(1))",
    "https://example.org www.example.org",
    "{{ 7 * 7 }} {% raw %}",
    "&lt;b&gt;",
]


class Collector(HTMLParser):
    """Which tags there are, and the text between them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


names = st.sampled_from(NAMES) | st.text(max_size=40)


@given(names)
def test_html_shows_the_name_and_no_tag_of_it(name: str) -> None:
    page = Collector()
    page.feed(str(html_text((Name(name),))))
    page.close()
    assert page.tags == ["bdi"]
    assert page.text == plain(name)


@given(names)
def test_plain_moves_and_colours_nothing(name: str) -> None:
    shown = plain(name)
    assert all(
        char.isprintable() or char in "\u00a0\u2000\u3000" or char.isspace() or ord(char) > 0x7F
        for char in shown
    )
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", shown)
    if name.isprintable() and "\u202e" not in name:
        assert shown == name


@given(names)
def test_csv_holds_no_formula_and_reads_back(name: str) -> None:
    cell = csv_cell(name)
    assert cell.lstrip()[:1] not in tuple("=+-@＝＋－＠")
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow([cell, "x"])
    (row,) = csv.reader(io.StringIO(buffer.getvalue()))
    assert row == [cell, "x"]
    assert cell.removeprefix("'") == plain(name).removeprefix("'")


@given(names)
def test_latex_has_no_command_of_the_name(name: str) -> None:
    allowed = (
        r"\\(textbackslash|textasciicircum|textasciitilde|textless|textgreater|textbar|"
        r"textquotedbl|textquotesingle|textasciigrave|textdagger)\{\}|\\[{}$&#%_]|"
        r"\\ensuremath\{(-|\\geq|\\leq|\\times)\}|\{-\}"
    )
    rest = re.sub(allowed, "", latex(name))
    assert not re.search(r"[\\{}$&#%_^~]", rest), rest


def test_latex_cell_at_the_start_of_a_row_is_no_argument() -> None:
    text = latex_table(_table(["[red]Alpha[/red]", "*star"]))
    for line in text.splitlines():
        assert not line.startswith(("[", "*")), line
    assert "{{[red]Alpha[/red]}}" in text


@pytest.mark.parametrize("name", NAMES)
def test_markdown_makes_no_markup(name: str) -> None:
    shown = markdown(name)
    assert "<" not in shown
    assert ">" not in shown
    # every character that Markdown acts on has a backslash in front
    assert not re.search(r"(?<!\\)(?:\\\\)*[*_`\[\]|$~^@#](?!\d+;)", shown), shown
    assert not re.match(r"[-+=:]|\d+[.)]", shown)
    assert not re.search(r"(?<!\\)://", shown)
    assert "www." not in shown


def _table(rows: list[str]) -> Table:
    import pandas as pd

    return Table(
        key="t",
        title="T",
        frame=pd.DataFrame({"facility": rows}, index=rows),
        kinds={},
        columns=(Column(header="Facility", keys=("facility",), layout="name"),),
    )


def test_terminal_table_prints_names_as_they_are() -> None:
    from rich.console import Console

    from pdsim.reports.formats.terminal import terminal_table

    buffer = io.StringIO()
    console = Console(file=buffer, width=120, force_terminal=True, markup=True, emoji=True)
    rows = ["[red]Alpha[/red]", "\x1b[31mB", ":warning:", "[link=x]C[/link]"]
    console.print(terminal_table(_table(rows)))
    text = buffer.getvalue()
    for name in rows:
        assert plain(name) in text
    assert "\x1b[31m" not in text


def test_title_of_a_page_is_escaped() -> None:
    text: Text = (Name("</title><script>x</script>"),)
    assert words_of(text) == "</title><script>x</script>"
    from markupsafe import escape

    assert "<" not in escape(words_of(text))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory):
    """A real report of a study with these names, in every format."""
    from pdsim.analysis import write_report

    path = Path(__file__).parents[1] / "reports" / "synthetic.py"
    spec = importlib.util.spec_from_file_location("escaping_synthetic", path)
    assert spec is not None
    assert spec.loader is not None
    synthetic = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(synthetic)

    target = tmp_path_factory.mktemp("escaping")
    results = synthetic.synthetic_results(facilities=NAMES, draws=150, with_draws=True)
    results.attrs["name"] = "</title><script>alert(2)</script>"
    write_report(results, target, formats=("docx", "md", "tex", "csv"))
    write_report(results, target)
    return target


def test_whole_html(folder) -> None:
    text = (folder / "report.html").read_text()
    page = Collector()
    page.feed(text)
    scripts = [tag for tag in page.tags if tag == "script"]
    # one opens the sections for print; the explorer has two of its own: data and code
    assert len(scripts) in (1, 3)
    assert "img" not in page.tags
    assert "onerror" not in page.attributes
    for name in NAMES:
        assert plain(name) in page.text
    assert "{{ 7 * 7 }}" in page.text


def test_whole_docx(folder) -> None:
    with zipfile.ZipFile(folder / "report.docx") as archive:
        document = archive.read("word/document.xml")
    words = "".join(node.text or "" for node in ElementTree.fromstring(document).iter())
    for name in NAMES:
        assert plain(name) in words


def test_whole_csv(folder) -> None:
    for path in [*folder.glob("*.csv"), *folder.glob("*/*.csv")]:
        for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8"))):
            for cell in row:
                if cell[:1] in ("=", "+", "-", "@"):
                    float(cell)


def test_whole_svg_files_are_xml(folder) -> None:
    for path in folder.glob("figures/*.svg"):
        root = ElementTree.fromstring(path.read_text())
        assert not [node for node in root.iter() if node.tag.endswith("}script")]
