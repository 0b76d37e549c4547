"""The weights explorer: its numbers are Python's, also in a real browser."""

import json
import re

import numpy as np
import pytest
import xarray as xr

from pdsim.ranking import top_probability
from pdsim.reports.formats.html import payload_json
from pdsim.reports.study.explorer import (
    explorer_payload,
    explorer_table,
    normalised_values,
    offered_scales,
    single_flips,
)
from pdsim.reports.study.view import Results
from pdsim.scoring import indicator_values, normalise


@pytest.fixture(scope="module")
def results(make_results) -> xr.DataTree:
    return make_results(facilities=8, indicators=5, draws=300, spread=2.0, seed=4)


@pytest.fixture(scope="module")
def payload(results: xr.DataTree) -> dict:
    found = explorer_payload(Results(results))
    assert found is not None
    return found


@pytest.mark.parametrize("kind", list(offered_scales()))
def test_values_are_those_of_scoring(results: xr.DataTree, payload: dict, kind: str) -> None:
    level = results["draws"]["level"].astype(float)
    expected = indicator_values(normalise(level, kind)).to_numpy()
    found = normalised_values(payload, kind)
    # one common factor is left out; values are rounded to four digits of the largest
    factor = (found * expected).sum() / (expected**2).sum()
    np.testing.assert_allclose(found / factor, expected, atol=2e-4 * np.abs(expected).max())


@pytest.mark.parametrize("kind", list(offered_scales()))
def test_table_is_that_of_ranking(payload: dict, kind: str) -> None:
    weights = np.array([0.4, 0.1, 0.2, 0.3, 0.0])
    score = xr.DataArray(
        sum(w * normalised_values(payload, kind)[:, :, k] for k, w in enumerate(weights)),
        dims=("sample", "facility"),
        coords={"facility": payload["facilities"]},
    )
    table = explorer_table(payload, weights, kind)
    for side in ("top", "bottom"):
        expected = top_probability(score, m=3, side=side)["top_probability"].to_numpy()
        np.testing.assert_allclose(table[f"p_{side}"], expected, atol=1e-12)
        assert table[f"p_{side}"].sum() == pytest.approx(3.0)


def test_a_flip_flips_and_nothing_before_it_does(payload: dict) -> None:
    weights = np.full(5, 0.2)
    mean = normalised_values(payload, "pp").mean(axis=0)
    flips = single_flips(payload, weights)
    assert flips
    names = [one["name"] for one in payload["indicators"]]

    def chosen(k: int, at: float, side: str) -> set[str]:
        moved = weights * (1 - at) / (1 - weights[k])
        moved[k] = at
        order = np.argsort(-(mean @ moved), kind="stable")
        return {payload["facilities"][i] for i in (order[:3] if side == "top" else order[-3:])}

    for flip in flips:
        k = names.index(flip.indicator)
        gap = flip.at - flip.weight
        before, after = flip.weight + 0.999 * gap, flip.weight + 1.001 * gap
        for side in ("top", "bottom"):
            assert chosen(k, before, side) == chosen(k, flip.weight, side)
        start = chosen(k, flip.weight, flip.side)
        assert chosen(k, after, flip.side) == (start - {flip.leaves}) | {flip.enters}


def test_json_cannot_close_its_element() -> None:
    text = payload_json({"name": "</script><script>alert(1)</script>&\u2028"})
    assert not re.search("[<>&\u2028]", text)
    assert json.loads(text) == {"name": "</script><script>alert(1)</script>&\u2028"}


def test_no_draws_no_explorer(make_results) -> None:
    assert explorer_payload(Results(make_results(facilities=5, m=2, with_draws=False))) is None
    single = make_results(facilities=5, m=2, indicators=1, domains=1)
    assert explorer_payload(Results(single)) is None
