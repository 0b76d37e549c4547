"""R5 and R6: PISA mathematics, 2018 and its change to 2022."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from pdsim.ranking import (
    expected_rank,
    normal_scores,
    rank_confidence_set,
    top_probability,
)

TOP_FIVE = {
    "Belgium", "Canada", "Denmark", "Estonia", "Finland", "Japan", "Korea", "Netherlands",
    "Poland", "Slovenia", "Sweden", "Switzerland",
}  # fmt: skip
TOP_THREE = {"Canada", "Estonia", "Japan", "Korea", "Netherlands", "Poland", "Switzerland"}
# E[rank] and P(top 3), E[rank] and P(bottom 3)
MOST = {
    "Japan": (1.1759, 0.9951),
    "Korea": (3.1742, 0.7344),
    "Türkiye": (3.3371, 0.6688),
    "Israel": (7.4774, 0.1953),
    "Australia": (5.9515, 0.1317),
}
LEAST = {
    "Iceland": (36.7734, 0.9975),
    "Norway": (35.7820, 0.9214),
    "Netherlands": (32.3449, 0.3435),
    "Poland": (32.8508, 0.3106),
}


@pytest.fixture(scope="module")
def tables(shared_data):
    def read(year):
        table = pd.read_csv(shared_data / f"pisa{year}.csv")
        return table.set_index("jurisdiction")[["math_score", "math_se"]]

    return read(2018), read(2022)


def over(series):
    return xr.DataArray(
        series.to_numpy(), dims="facility", coords={"facility": series.index.astype(str).to_numpy()}
    )


@pytest.mark.parametrize(
    ("m", "coverage", "expected"),
    [(5, 0.95, TOP_FIVE), (5, 0.90, TOP_FIVE - {"Sweden"}), (3, 0.95, TOP_THREE)],
)
def test_confidence_sets(tables, m, coverage, expected):
    table, _ = tables
    found = rank_confidence_set(
        over(table.math_score), over(table.math_se) ** 2, m=m, coverage=coverage, seed=1
    )
    assert set(found.facility.values[found.in_set.values]) == expected
    if (m, coverage) == (5, 0.95):
        assert found.facility.values[found.borderline.values].tolist() == ["United Kingdom"]
        share = float(found.in_set_share.sel(facility="United Kingdom"))
        # 5 % of runs of 1,000 draws; 200 runs know that to 1.5 points
        assert share == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 200))


def test_change_of_37_countries(tables):
    before, after = tables
    both = before.add_suffix("_0").join(after.add_suffix("_1"), how="inner").dropna()
    assert len(both) == 37
    score = normal_scores(
        over(both.math_score_1 - both.math_score_0), over(np.hypot(both.math_se_0, both.math_se_1))
    )
    ranks = expected_rank(score).expected_rank
    for side, expected in (("top", MOST), ("bottom", LEAST)):
        p = top_probability(score, side=side).top_probability
        for country, (rank, probability) in expected.items():
            assert float(ranks.sel(facility=country)) == pytest.approx(rank, abs=0.6e-4)
            assert float(p.sel(facility=country)) == pytest.approx(probability, abs=0.6e-4)
