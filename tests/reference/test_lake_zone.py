"""R1: the founding study's table, Alidina et al. (2021), doi:10.1136/bmjqs-2020-011795."""

import numpy as np
import pandas as pd
import pytest

from pdsim.study import Study, load_example

CHANGE = [76, 74, 65, 60, 49, 44, 36, 31, 30, 19]


@pytest.fixture(scope="module")
def study() -> Study:
    return load_example("lake_zone", trials=20, case_correlation=0.1)


@pytest.fixture(scope="module")
def level(study: Study) -> pd.DataFrame:
    """Published percentages by facility, as the study holds them."""
    share = study.data["successes"] / study.data["trials"]
    return 100 * share.squeeze("indicator", drop=True).to_pandas()


def named(values: "pd.Series[float]", m: int = 3) -> tuple[list[str], list[str]]:
    """Return the m facilities with the largest values, in order, and those with the smallest."""
    order = values.sort_values(ascending=False, kind="stable").index.tolist()
    return order[:m], sorted(order[-m:], key=int)


def test_change_is_the_published_one(level: pd.DataFrame) -> None:
    change = level["endline"] - level["baseline"]
    assert level.index.tolist() == [str(k) for k in range(1, 11)]
    np.testing.assert_allclose(change, CHANGE, atol=1e-9)
    assert change.mean() == pytest.approx(48.4, abs=1e-9)
    assert round(change.std(ddof=1), 2) == 19.74


def test_levels_are_the_published_ones(level: pd.DataFrame) -> None:
    means = {name: round(column.mean(), 1) for name, column in level.items()}
    sds = {name: round(column.std(ddof=1), 2) for name, column in level.items()}
    assert means == {"baseline": 12.2, "endline": 60.6}
    assert sds == {"baseline": 4.44, "endline": 22.04}
    change = level["endline"] - level["baseline"]
    assert round(level["baseline"].corr(change), 3) == 0.435
    assert round(level["endline"].corr(change), 3) == 0.983


def test_top_and_bottom_three_by_each_estimand(level: pd.DataFrame) -> None:
    share = level / 100
    before, after = share["baseline"], share["endline"]
    logit = np.log(share / (1 - share))
    assert named(after - before) == (["1", "2", "3"], ["8", "9", "10"])
    assert named(after) == (["1", "2", "3"], ["7", "8", "10"])
    assert named(logit["endline"] - logit["baseline"]) == (["1", "2", "3"], ["8", "9", "10"])
    assert named((after - before) / (1 - before)) == (["1", "2", "3"], ["8", "9", "10"])
    assert named(after / before) == (["3", "7", "5"], ["8", "9", "10"])


def test_contrast_of_three_against_three(level: pd.DataFrame) -> None:
    change = level["endline"] - level["baseline"]
    assert change.iloc[:3].mean() - change.iloc[-3:].mean() == pytest.approx(45.0, abs=1e-9)


def test_tier_is_kept_as_printed(study: Study) -> None:
    """The table prints four higher performers, though the abstract names three."""
    tier = study.data["tier"].to_series()
    assert tier.tolist() == ["higher"] * 4 + ["middle"] * 3 + ["lower"] * 3


@pytest.mark.parametrize(
    ("cases", "r", "reliability"), [(5, 0.3, 0.46), (20, 0.3, 0.87), (50, 0.1, 0.98)]
)
def test_reliability_of_change_follows_from_the_effective_trials(
    cases: int, r: float, reliability: float
) -> None:
    """The rough guide of the reference values: 1 - sampling variance / variance of change."""
    data = load_example("lake_zone", trials=cases, case_correlation=r).effective_data()
    p = data["successes"] / data["trials"]
    sampling = float((p * (1 - p) / data["trials"]).sum("period").mean())
    observed = np.var(np.array(CHANGE) / 100, ddof=1)
    assert 1 - sampling / observed == pytest.approx(reliability, abs=0.01)
