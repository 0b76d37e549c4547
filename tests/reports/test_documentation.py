"""The documentation names what there is: packages, figures, files."""

import ast
import re
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import pdsim
from pdsim.reports import plots

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
import command_pages
import settings_page

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


PLAIN = ("install_completion", "show_completion")
MADE = {
    "index",
    "study-toml",
    *settings_page.OTHERS,
    *map(command_pages.file_name, command_pages.commands()),
}
"""Pages that the build makes."""

# pages that the build makes are left out
PAGES = [
    path
    for path in sorted(DOCS.rglob("*.md"))
    if "_build" not in path.parts and path.name != "reference.md"
]


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        made = Path(target).stem in MADE and Path(target).parent.name in ("commands", "howto", ".")
        assert made or (page.parent / target).exists(), target


def test_every_key_of_every_file_is_on_its_page() -> None:
    for name, (_, _, parts) in settings_page.OTHERS.items():
        page = settings_page.file_page(name)
        for _, settings in parts:
            for item in fields(settings):
                assert f"`{item.name}`" in page
                assert settings_page.described(settings).get(item.name), (name, item.name)


def test_every_option_of_every_command_is_on_its_page() -> None:
    for name, command in command_pages.commands().items():
        page = command_pages.command_page(name, command)
        for parameter in command.params:
            assert parameter.name in ("help", *PLAIN) or all(
                f"`{flag}`" in page for flag in parameter.opts if flag.startswith("-")
            )
    assert set(command_pages.EXAMPLES) <= set(command_pages.commands())
