"""The documentation names what there is: packages, figures, files."""

import ast
import re
from pathlib import Path

import pytest

import pdsim
from pdsim.reports import plots

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_every_package_is_in_the_reference() -> None:
    tree = ast.parse((DOCS / "conf.py").read_text())
    (packages,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_PACKAGES"
    ]
    source = Path(pdsim.__file__).parent
    public = {path.parent.name for path in source.glob("*/__init__.py")} - {"cli"}
    assert public <= set(packages)


def test_every_figure_is_in_the_gallery() -> None:
    shown = set(re.findall(r'Entry\(\s*"(\w+)"', (DOCS / "gallery.py").read_text()))
    assert shown == set(plots.__all__) - {"sides_by_name"}


# pages that the build makes are left out
PAGES = [
    path
    for path in sorted(DOCS.rglob("*.md"))
    if "_build" not in path.parts and path.name != "reference.md"
]


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target
