"""The keys of a study.toml."""

import dataclasses
import inspect
import re

import pytest

from pdsim.errors import Problem
from pdsim.study import SamplerSettings, StudyFile
from pdsim.study.frames import KEYS, METADATA, VALUES, Columns
from pdsim.study.problems import LISTED, Findings, found, refuse
from pdsim.study.settings import parse_settings


@pytest.mark.parametrize("settings", [StudyFile, SamplerSettings])
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
        *VALUES,
        *METADATA,
    }


def test_harmless_wrong_keys_do_not_hide_the_table() -> None:
    mapping = {"data": "a.csv", "m": "many", "periods": ["1", "2"], "colour": 1}
    settings, findings = parse_settings(mapping, file="study.toml")
    assert settings == StudyFile(data="a.csv", periods=("1", "2"))
    assert findings.count == 2
    for key in ("format", "columns", "periods"):
        assert parse_settings({"data": "a.csv", key: 1}, file=None)[0] is None


def test_findings_count_what_they_do_not_list() -> None:
    many = found([Problem(rule=f"rule {k}") for k in range(LISTED + 5)])
    both = many + found(Problem(rule="one more"))
    assert (len(both.shown), both.count) == (LISTED, LISTED + 6)
    with pytest.raises(ValueError, match="6 more problems are not listed"):
        refuse(both)
    with pytest.raises(ValueError, match="1 more problem is not listed"):
        refuse(found([Problem(rule="x")] * (LISTED + 1)))
    refuse(Findings())
