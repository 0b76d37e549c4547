"""The page of study.toml: complete, and its examples read as it says."""

import dataclasses
import sys
from pathlib import Path

import pytest

from pdsim.study import StudyOptions

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
import settings_page


@pytest.mark.parametrize("example", settings_page.EXAMPLES, ids=lambda one: one.title)
def test_examples_read_as_the_page_says(example: settings_page.Example, tmp_path: Path) -> None:
    assert example.reads in repr(settings_page.read_example(example, tmp_path))


def test_every_key_is_on_the_page() -> None:
    page = settings_page.settings_page()
    for item in dataclasses.fields(StudyOptions):
        assert f"`{item.name}`" in page
