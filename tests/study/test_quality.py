"""Doubts about the data of a study, each with its cure."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pdsim.study import Study, StudyOptions, load_example, read_study
from pdsim.study.quality import coverage, doubts, likeness

CASES = Path(__file__).parents[1] / "cases"


def made(facilities: int = 8, indicators: int = 3, seed: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    names = [
        [f"Unit {chr(65 + i)}" for i in range(facilities)],
        [f"K{k}" for k in range(indicators)],
        ["baseline", "endline"],
    ]
    index = pd.MultiIndex.from_product(names, names=["facility", "indicator", "period"])
    trials = rng.integers(10, 40, len(index))
    counts = {"successes": rng.binomial(trials, 0.5), "trials": trials}
    return pd.DataFrame(counts, index=index).reset_index()


def said(table: pd.DataFrame, **options: object) -> str:
    found = doubts(Study.from_long(table, options=StudyOptions(**options)))
    return "\n".join(f"{doubt.what}\n{doubt.cure}" for doubt in found)


def test_a_clean_study_has_no_doubts() -> None:
    assert said(made()) == ""
    for name in ("safe_surgery_like", "surgical"):
        assert doubts(load_example(name)) == ()


def test_spellings_that_differ_between_rounds_are_to_be_renamed(tmp_path: Path) -> None:
    found = doubts(read_study(CASES / "one_spelling" / "c.csv"))
    (cure,) = [doubt.cure for doubt in found if "may be one" in doubt.what]
    assert '"Kibaha HC" = "Kibaha Health Centre"' in cure
    assert not any("Mlandizi" in doubt.what or "Seen in" in doubt.what for doubt in found)
    (tmp_path / "c.csv").write_bytes((CASES / "one_spelling" / "c.csv").read_bytes())
    (tmp_path / "study.toml").write_text(f'data = "c.csv"\n{cure}\n')
    mended = read_study(tmp_path)
    assert mended.data.sizes["facility"] == 4
    assert not [doubt for doubt in doubts(mended) if "may be one" in doubt.what]


def test_a_misspelling_in_a_few_rows_is_doubted_and_two_places_are_not() -> None:
    table = made()
    wrong = table.replace({"facility": {"Unit C": "Mbagala Hospital", "Unit D": "Tumbi Hospital"}})
    assert "may be one" not in said(wrong)
    at = (wrong["facility"] == "Mbagala Hospital") & (wrong["period"] == "endline")
    at &= wrong["indicator"] == "K1"
    wrong.loc[at, "facility"] = "Mbagala Hosptial"
    assert '"Mbagala Hosptial" = "Mbagala Hospital"' in said(wrong)
    # the same name but for an abbreviation, whatever was seen
    twice = table.replace({"facility": {"Unit C": "Moshi HC", "Unit D": "Moshi Health Centre"}})
    assert "'Moshi HC' and 'Moshi Health Centre'" in said(twice)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("St. Mary's Hospital", "St Marys Hospital", True),
        ("Hôpital Évry", "Hopital Evry", True),
        ("Site 1", "Site 2", False),
        ("Hospital A", "Hospital B", False),
        ("Mlandizi HC", "Tumbi HC", False),
        ("North Clinic", "Clinic, North", True),
    ],
)
def test_likeness(one: str, other: str, alike: bool) -> None:
    assert (likeness(one, other) >= 87) is alike
    assert likeness(one, other) == likeness(other, one)


def test_sums_copies_carried_over_and_one_round() -> None:
    table = made()
    total = table.groupby(["indicator", "period"], as_index=False)[["successes", "trials"]].sum()
    assert "'Region' are the sums of all other facilities" in said(
        pd.concat([table, total.assign(facility="Region")])
    )
    copy = table[table["indicator"] == "K0"].assign(indicator="K9")
    text = said(pd.concat([table, copy]))
    assert "'K0', 'K9' have the same numbers" in text
    assert 'exclude = {indicator = ["K9"]}' in text
    same = table.copy()
    mine = same["indicator"] == "K1"
    same.loc[mine & (same["period"] == "endline"), ["successes", "trials"]] = same.loc[
        mine & (same["period"] == "baseline"), ["successes", "trials"]
    ].to_numpy()
    assert "'K1' has the same counts in both rounds" in said(same)
    lost = (table["facility"] == "Unit C") & (table["period"] == "endline")
    assert "Seen in baseline only: facility 'Unit C'" in said(table[~lost])
    assert "fewer than 5 cases" in said(table.assign(trials=3, successes=1))


def test_domains_that_pull_apart() -> None:
    table = made(10, 2).assign(trials=40)
    at = table["facility"].str[-1].map(ord) - 65
    up = table["indicator"].map({"K0": 1, "K1": -1}) * (table["period"] == "endline")
    table["successes"] = (20 + up * (at - 4.5) * 3).round().astype(int)
    indicators = {"indicator": ["K0", "K1"], "domain": ["one", "two"]}
    found = doubts(Study.from_long(table, indicators=indicators))
    assert any("pull apart" in doubt.what for doubt in found)


def test_coverage_counts_cases_and_missing_cells() -> None:
    table = made(4, 2).drop(index=[0])
    columns = coverage(Study.from_long(table))
    first = table[table["facility"] == "Unit A"]
    expected = float(first[first["period"] == "baseline"]["trials"].sum())
    assert columns["cases baseline"][0] == expected
    assert columns["missing baseline"] == [50.0, 0.0, 0.0, 0.0]
