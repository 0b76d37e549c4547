"""Normalisation, aggregation, missing cells and all-or-none, by hand and by their rules."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from pdsim.errors import InputError
from pdsim.scoring import (
    aggregate,
    all_or_none,
    apply_missing_policy,
    implied_weights,
    indicator_values,
    normalise,
    score,
)
from pdsim.terms.scales import SCALES

DIMS = ("facility", "indicator", "period")


def levels_of(table):
    return xr.DataArray(np.array(table, dtype=float), dims=DIMS)


def random_levels(seed, *shape):
    rng = np.random.default_rng(seed)
    dims = ("sample", *DIMS)[-len(shape) :]
    return xr.DataArray(rng.uniform(0.02, 0.98, size=shape), dims=dims)


TWO = levels_of([[[0.2, 0.6], [0.1, 0.1]], [[0.4, 0.8], [0.3, 0.9]]])


@pytest.mark.parametrize(
    ("method", "first"),
    [
        ("pp", [20.0, 60.0]),
        # mean .5 and standard deviation sqrt(.2 / 3) of .2 .6 .4 .8, before and after together
        ("z", [-0.3 / np.sqrt(0.2 / 3), 0.1 / np.sqrt(0.2 / 3)]),
        ("min_max", [0.0, 2 / 3]),
        ("rank", [0.125, 0.625]),
        ("logit", [np.log(0.25), np.log(1.5)]),
    ],
)
def test_normalisations_by_hand(method, first):
    assert normalise(TWO, method)[0, 0].values == pytest.approx(first)


def test_ties_share_ranks_and_goalposts_are_kept():
    assert normalise(TWO, "rank")[:, 1].values == pytest.approx(
        np.array([[0.25, 0.25], [0.625, 0.875]])
    )
    posts = xr.DataArray(
        [[0.0, 1.0], [0.0, 0.5]], dims=("indicator", "bound"), coords={"bound": ["low", "high"]}
    )
    scaled = normalise(TWO, "min_max", goalposts=posts)
    assert scaled[1, 1].values == pytest.approx([0.6, 1.8])


@pytest.mark.parametrize("method", list(SCALES))
def test_a_reference_fixes_the_scale(method):
    many = random_levels(0, 6, 4, 3, 2)
    fixed = normalise(many, method, reference=TWO.isel(indicator=[0, 1, 0]))
    for s in range(6):
        alone = normalise(many[s], method, reference=TWO.isel(indicator=[0, 1, 0]))
        assert np.allclose(fixed[s], alone)
    assert np.allclose(normalise(many, method)[2], normalise(many[2], method))
    own = normalise(many[0], method, reference=many[0])
    assert np.allclose(own, normalise(many[0], method))


@given(seed=st.integers(0, 10**6), method=st.sampled_from(list(SCALES)))
def test_normalising_keeps_order_and_facility_labels_do_not_matter(seed, method):
    levels = random_levels(seed, 4, 3, 2)
    scaled = normalise(levels, method)
    for k in range(3):
        before, after = levels[:, k].values.ravel(), scaled[:, k].values.ravel()
        assert (np.argsort(before) == np.argsort(after)).all()
    assert np.allclose(normalise(levels[::-1], method), scaled[::-1])


def test_an_indicator_that_never_varies_counts_nothing():
    flat = levels_of([[[0.5, 0.5]], [[0.5, 0.5]]])
    for method in ("z", "min_max"):
        assert (normalise(flat, method) == 0).all()


def test_missing_cells_stay_missing():
    levels = TWO.copy(deep=True)
    levels[0, 0, 0] = np.nan
    for method in list(SCALES):
        scaled = normalise(levels, method)
        assert (np.isnan(scaled) == np.isnan(levels)).all()
    assert normalise(levels, "rank")[1, 0].values == pytest.approx([0.5 / 3, 2.5 / 3])


def test_scale_scores_are_not_percentages():
    levels = levels_of([[[50.0, 60.0]], [[40.0, 70.0]]]).assign_attrs(kind="scores")
    assert normalise(levels).values[0, 0].tolist() == [50, 60]
    with pytest.raises(InputError, match="estimand"):
        score(levels, xr.DataArray([1.0], dims="indicator"), estimand="gap_closed")


def test_aggregations_by_hand():
    weights = xr.DataArray([0.25, 0.75], dims="indicator")
    assert aggregate(TWO, weights)[1].values == pytest.approx([0.325, 0.875])
    geometric = aggregate(TWO, weights, "geometric")
    assert geometric[1].values == pytest.approx([0.4**0.25 * 0.3**0.75, 0.8**0.25 * 0.9**0.75])
    trials = xr.DataArray(np.array([[[10, 20], [30, 20]], [[5, 5], [5, 15]]]), dims=DIMS)
    equal = xr.DataArray([0.5, 0.5], dims="indicator")
    opportunity = aggregate(TWO, equal, "opportunity", trials=trials)
    # all successes over all trials
    assert opportunity[0].values == pytest.approx([(2 + 3) / 40, (12 + 2) / 40])


def test_geometric_mean_with_zeros():
    levels = levels_of([[[0.0, 0.5], [0.5, 0.5]]])
    both = xr.DataArray([0.5, 0.5], dims="indicator")
    assert aggregate(levels, both, "geometric").values.tolist() == [[0.0, 0.5]]
    second = xr.DataArray([0.0, 1.0], dims="indicator")
    assert aggregate(levels, second, "geometric").values.tolist() == [[0.5, 0.5]]
    with pytest.raises(InputError, match="not negative"):
        aggregate(levels - 0.2, both, "geometric")


def test_available_cases_spread_the_weights():
    levels = TWO.copy(deep=True)
    levels[0, 0, 0] = np.nan
    weights = xr.DataArray([0.5, 0.5], dims="indicator")
    assert np.isnan(score(levels, weights)[0])
    available = apply_missing_policy(levels, "available")
    assert np.isnan(available[0, 0]).all()
    assert score(available, weights, skip_missing=True).values == pytest.approx([0.0, 50.0])
    mean = apply_missing_policy(levels, "indicator_mean")
    assert float(mean[0, 0, 0]) == pytest.approx(0.4)
    assert apply_missing_policy(levels, "drop_facility").sizes["facility"] == 1
    assert apply_missing_policy(levels, "drop_indicator").sizes["indicator"] == 1
    with pytest.raises(InputError, match="1 facility-indicator pair"):
        apply_missing_policy(levels, "refuse")
    with pytest.raises(InputError, match="leaves nothing"):
        apply_missing_policy(levels.isel(indicator=[0]), "drop_indicator")
    assert apply_missing_policy(TWO, "refuse").equals(TWO)


@pytest.mark.parametrize(
    ("estimand", "exact"),
    [
        ("change", 40.0),
        ("endline", 60.0),
        ("change_logit", np.log(1.5) - np.log(0.25)),
        ("gap_closed", 0.5),
        ("ratio", 3.0),
    ],
)
def test_estimands_by_hand(estimand, exact):
    one = xr.DataArray([1.0, 0.0], dims="indicator")
    assert float(score(TWO, one, estimand=estimand)[0]) == pytest.approx(exact)


def test_sums_of_ranks_tie_exactly():
    levels = random_levels(4, 6, 3, 2)
    twin = xr.concat((levels, levels[:1].isel(indicator=[1, 2, 0])), dim="facility")
    equal = xr.DataArray(np.full(3, 1 / 3), dims="indicator")
    value = score(twin, equal, normalisation="pp")
    assert float(value[0]) == float(value[-1])


def test_values_weighted_are_the_score():
    levels = random_levels(5, 7, 5, 4, 2)
    weights = xr.DataArray([0.1, 0.2, 0.3, 0.4], dims="indicator")
    for method in list(SCALES):
        values = indicator_values(normalise(levels, method))
        assert np.allclose(values @ weights, score(levels, weights, normalisation=method))


def test_implied_weights_follow_the_spread():
    levels = random_levels(6, 50, 4, 2)
    levels[:, 0] *= 1e-3
    weights = xr.DataArray(np.full(4, 0.25), dims="indicator")
    implied = implied_weights(indicator_values(normalise(levels)), weights)
    assert float(implied[0]) < 0.001
    assert float(implied.sum()) == pytest.approx(1)
    implied = implied_weights(indicator_values(normalise(levels, "z")), weights)
    assert float(implied[0]) == pytest.approx(0.25, abs=0.1)


def test_all_or_none_is_not_a_function_of_the_shares():
    cases = pd.DataFrame(
        {
            "facility": ["A", "A", "B", "B", "B"],
            "period": ["endline"] * 5,
            "x": [1, 0, 1, 0, None],
            "y": [1, 0, 0, 1, None],
        }
    )
    counts = all_or_none(cases, ["x", "y"]).set_index("facility")
    assert counts["successes"].to_dict() == {"A": 1, "B": 0}
    assert counts["trials"].to_dict() == {"A": 2, "B": 2}
    with pytest.raises(InputError, match="scored 0, 1"):
        all_or_none(cases.assign(x=2), ["x", "y"])
    with pytest.raises(InputError, match="lacks z"):
        all_or_none(cases, ["z"])


@pytest.mark.parametrize(
    "call",
    [
        lambda: normalise(TWO, "percent"),
        lambda: normalise(TWO.isel(period=0)),
        lambda: normalise(levels_of([[[0.0, 0.5]]]), "logit"),
        lambda: aggregate(TWO, xr.DataArray([1.0, 0.0], dims="indicator"), "sum"),
        lambda: aggregate(TWO, xr.DataArray([1.0, 0.0], dims="indicator"), "opportunity"),
        lambda: score(
            TWO,
            xr.DataArray([1.0, 0.0], dims="indicator"),
            normalisation="z",
            aggregation="geometric",
        ),
        lambda: score(
            TWO, xr.DataArray([1.0, 0.0], dims="indicator"), normalisation="rank", estimand="ratio"
        ),
        lambda: score(TWO.isel(period=[1]), xr.DataArray([1.0, 0.0], dims="indicator")),
    ],
)
def test_what_does_not_go_together_is_refused(call):
    with pytest.raises(InputError):
        call()
