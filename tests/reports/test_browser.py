"""The report in a real browser: no error, no request, nothing wider than the window."""

import html
import re
from pathlib import Path

import pytest

_FRAME = """<!DOCTYPE html><meta charset="utf-8"><body><iframe id="page" srcdoc="{page}"
style="width:{width}px;height:900px;border:0"></iframe><script>
addEventListener("load", () => setTimeout(() => {{
  const page = document.getElementById("page").contentDocument;
  const wide = [...page.querySelectorAll("body *")].filter((element) =>
    !element.closest(".scroll, .drawing, pre") && !element.matches(".skip")
    && element.getBoundingClientRect().right > {width} + 1);
  document.body.setAttribute("data-wide", wide.map((element) => element.tagName).join(" "));
  document.body.setAttribute("data-scroll", page.documentElement.scrollWidth);
  document.body.setAttribute("data-explorer", !page.getElementById("explorer").hidden);
}}, 300));
</script></body>"""


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
def test_page_fits_and_asks_for_nothing(
    hostile_folder: Path, tmp_path: Path, open_page, width: int
) -> None:
    report = (hostile_folder / "report.html").read_text()
    page = tmp_path / "frame.html"
    page.write_text(_FRAME.format(page=html.escape(report), width=width))
    seen = re.search(
        r'<body data-wide="([^"]*)" data-scroll="(\d+)" data-explorer="(\w+)"', open_page(page)
    )
    assert seen is not None
    assert seen[1] == ""
    assert int(seen[2]) <= width
    assert seen[3] == "true"
