"""The keys of a study.toml."""

import dataclasses
import inspect
import re

import pytest

from pdsim.errors import Problem
from pdsim.study import Columns, SamplerSettings, StudyOptions
from pdsim.study.frames import KEYS, METADATA, VALUES
from pdsim.study.options import parse_options
from pdsim.study.problems import LISTED, Findings


@pytest.mark.parametrize("settings", [StudyOptions, SamplerSettings])
def test_every_key_is_documented(settings: type) -> None:
    documented = " ".join(
        line for line in (inspect.getdoc(settings) or "").splitlines() if re.match(r"\w.* : ", line)
    )
    for item in dataclasses.fields(settings):
        assert re.search(rf"\b{item.name}\b", documented), item.name


def test_columns_can_all_be_renamed() -> None:
    assert {item.name for item in dataclasses.fields(Columns)} == {
        *KEYS,
        "tier",
        "arm",
        "stratum",
        "visit",
        "value",
        *VALUES,
        *METADATA,
    }


def test_harmless_wrong_keys_do_not_hide_the_table() -> None:
    mapping = {"data": "a.csv", "m": "many", "periods": ["1", "2"], "colour": 1}
    options, problems = parse_options(mapping, file="study.toml")
    assert options == StudyOptions(data="a.csv", periods=("1", "2"))
    assert len(problems) == 2
    for key in ("format", "columns", "periods"):
        assert parse_options({"data": "a.csv", key: 1}, file=None)[0] is None


def test_options_that_are_stated_are_those_that_are_not_their_defaults() -> None:
    assert StudyOptions().stated() == {}
    assert StudyOptions(m=2, design_effect=None).stated() == {"m": 2}


def test_findings_count_what_they_do_not_list() -> None:
    found = Findings()
    found.refuse()
    found.take([Problem(rule=f"rule {k}") for k in range(LISTED + 5)])
    found.add("one more")
    assert (len(found.problems), found.count) == (LISTED, LISTED + 6)
    with pytest.raises(ValueError, match="6 more problems are not listed"):
        found.refuse()
    one = Findings()
    one.take([Problem(rule="x")] * (LISTED + 1))
    with pytest.raises(ValueError, match="1 more problem is not listed"):
        one.refuse()
