"""Probabilities of whole sets, likely sets, supersets and subsets."""

from itertools import combinations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pdsim.errors import InputError
from pdsim.ranking import containing as containing_module
from pdsim.ranking import likely_sets, set_probability, subset, superset, top_probability
from pdsim.terms import places as places_module

DRAWS = arrays(
    np.float64, st.tuples(st.integers(1, 10), st.integers(2, 6)), elements=st.integers(-2, 2)
)


def by_hand(values, m, side):
    """Return {members: probability}, ties by listing all sets."""
    signed = values if side == "top" else -values
    found = {}
    for row in signed:
        best = [
            s
            for s in combinations(range(len(row)), m)
            if min(row[list(s)]) >= max(np.delete(row, list(s)))
        ]
        for s in best:
            found[s] = found.get(s, 0.0) + 1 / len(best) / len(signed)
    return found


@settings(max_examples=60)
@given(DRAWS, st.data())
def test_equals_listing_and_identities(score_of, values, data):
    """R10: set probabilities sum to 1, and P(top m) is the sum over the sets that hold i."""
    m = data.draw(st.integers(1, values.shape[1] - 1))
    side = data.draw(st.sampled_from(["top", "bottom"]))
    score = score_of(values)
    found = set_probability(score, m=m, side=side)
    expected = by_hand(values, m, side)
    listed = {
        tuple(np.flatnonzero(row)): float(p)
        for row, p in zip(found.member.values, found.set_probability.values, strict=True)
    }
    assert listed == pytest.approx(expected)
    assert float(found.set_probability.sum()) == pytest.approx(1)
    top = (found.set_probability * found.member).sum("set")
    np.testing.assert_allclose(top, top_probability(score, m=m, side=side).top_probability)
    assert (np.diff(found.set_probability) <= 1e-12).all()


def test_limit_and_rest(score_of):
    score = score_of(np.random.default_rng(1).normal(size=(500, 6)))
    whole, part = set_probability(score), set_probability(score, limit=4)
    np.testing.assert_array_equal(part.set_probability, whole.set_probability[:4])
    np.testing.assert_array_equal(part.set_probability_mcse, whole.set_probability_mcse[:4])
    assert float(part.rest) == pytest.approx(1 - float(part.set_probability.sum()))
    assert float(whole.rest) == 0.0
    with pytest.raises(InputError, match="limit"):
        set_probability(score, limit=0)


def test_leading_dimensions_share_the_list(score_of):
    values = np.random.default_rng(2).normal(size=(3, 2, 50, 5))
    values[1] += np.arange(5)
    score = score_of(values, dims=("scenario", "weighting", "sample", "facility"))
    whole = set_probability(score, m=2)
    for scenario in range(3):
        one = set_probability(score.isel(scenario=scenario, weighting=1), m=2)
        expected = {
            tuple(m): p for m, p in zip(one.member.values, one.set_probability.values, strict=True)
        }
        for member, p in zip(
            whole.member.values,
            whole.set_probability.isel(scenario=scenario, weighting=1).values,
            strict=True,
        ):
            assert p == pytest.approx(expected.get(tuple(member), 0.0))


def test_errors_of_chains(chains):
    values = chains((4, 1000, 5), correlation=0.9, seed=3) + 0.5 * np.arange(5)
    score = xr.DataArray(values, dims=("chain", "draw", "facility"))
    found = set_probability(score, m=1)
    top = top_probability(score, m=1)
    assert found.attrs["ess"] < 2000
    for row, error in zip(found.member.values, found.set_probability_mcse.values, strict=True):
        expected = float(top.top_probability_mcse.values[row][0])
        assert error == pytest.approx(expected)


def test_long_codes_agree_with_short(score_of, monkeypatch):
    score = score_of(np.random.default_rng(4).normal(size=(200, 30)))
    short = set_probability(score, m=4)
    places_module_distinct = places_module._distinct

    def rows_only(sets, facilities):
        return places_module_distinct(sets, 2**62)

    monkeypatch.setattr(places_module, "_distinct", rows_only)
    xr.testing.assert_identical(set_probability(score, m=4), short)


def test_hopeless_ties_are_refused(score_of):
    with pytest.raises(InputError, match="40 of 40 facilities tie for 20 places"):
        set_probability(score_of(np.zeros((3, 40))), m=20)


@settings(max_examples=40)
@given(DRAWS, st.data())
def test_superset_and_subset_are_the_best_there_are(score_of, values, data):
    count = values.shape[1]
    m = data.draw(st.integers(1, count - 1))
    side = data.draw(st.sampled_from(["top", "bottom"]))
    prob = data.draw(st.sampled_from([0.5, 0.8, 0.95]))
    score = score_of(values)
    sets = by_hand(values, m, side)

    def holds(members):
        return sum(p for s, p in sets.items() if set(s) <= set(members))

    def within(members):
        return sum(p for s, p in sets.items() if set(members) <= set(s))

    def candidates(size):
        return list(combinations(range(count), size))

    for nested in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            if nested:
                patch.setattr(containing_module, "MOST_CANDIDATES", -1)
            big = superset(score, m=m, side=side, prob=prob)
            small = subset(score, m=m, side=side, prob=prob)
        chosen = tuple(np.flatnonzero(big.superset))
        kept = tuple(np.flatnonzero(small.subset))
        assert holds(chosen) >= prob - 1e-9
        assert float(big.superset_probability) == pytest.approx(holds(chosen))
        assert within(kept) >= prob - 1e-9 or not kept
        assert float(small.subset_probability) == pytest.approx(within(kept))
        if not nested:
            assert big.attrs["optimal"] == small.attrs["optimal"] == 1
            assert all(holds(c) < prob - 1e-9 for c in candidates(len(chosen) - 1))
            assert holds(chosen) == pytest.approx(max(holds(c) for c in candidates(len(chosen))))
            more = candidates(len(kept) + 1) if len(kept) < count else []
            assert all(within(c) < prob - 1e-9 for c in more)


def test_discovery_subset_takes_the_likeliest_while_the_share_holds(score_of):
    values = np.random.default_rng(5).normal(np.array([4, 3.8, 3.6, 1, 0.5, 0]), 0.6, (4000, 6))
    score = score_of(values)
    p = np.sort(top_probability(score).top_probability.values)[::-1]
    for prob in (0.5, 0.9, 0.99):
        found = subset(score, control="discovery", prob=prob)
        size = int(found.subset.sum())
        assert size == max((k for k in range(1, 7) if p[:k].mean() >= prob), default=0)
        assert float(found.subset_probability) == pytest.approx(p[:size].mean())


def test_nested_search_for_many_facilities(score_of):
    values = np.random.default_rng(6).normal(np.linspace(0, 6, 60), 1.0, (1000, 60))
    found = superset(score_of(values))
    assert found.attrs["optimal"] == 0
    chosen = np.flatnonzero(found.superset)
    top = np.argsort(-values, axis=1)[:, :3]
    assert np.isin(top, chosen).all(axis=1).mean() == pytest.approx(
        float(found.superset_probability)
    )
    p = top_probability(score_of(values)).top_probability.values
    assert p[chosen].min() >= np.delete(p, chosen).max()


def test_leading_dimensions_of_containing_sets(score_of):
    values = np.random.default_rng(7).normal(np.arange(6) * 0.8, 1.0, (4, 300, 6))
    score = score_of(values, dims=("scenario", "sample", "facility"))
    for function in (superset, subset):
        whole = function(score, prob=0.7)
        for scenario in range(4):
            one = function(score.isel(scenario=scenario), prob=0.7)
            xr.testing.assert_allclose(whole.isel(scenario=scenario), one)


def test_likely_sets_stop_at_the_probability(score_of):
    score = score_of(np.random.default_rng(8).normal(np.arange(5) * 1.0, 1.0, (2000, 5)))
    whole, found = set_probability(score), likely_sets(score, prob=0.9)
    assert float(found.cumulative_probability[-1]) >= 0.9 > float(found.cumulative_probability[-2])
    assert float(found.rest) == pytest.approx(1 - float(found.cumulative_probability[-1]))
    np.testing.assert_array_equal(found.member, whole.member[: found.sizes["set"]])
    with pytest.raises(InputError, match="differ along"):
        likely_sets(score.expand_dims(scenario=2))


def test_flip_of_the_superset(score_of):
    """Held with 0.95 exactly, so another seed may fall short."""
    values = np.tile([3.0, 2.0, 1.0, 0.0], (200, 1))
    values[:10] = [3.0, 2.0, 0.0, 1.0]
    near = superset(score_of(values))
    assert near.superset.values.tolist() == [True, True, True, False]
    assert bool(near.could_flip)
    values[:10] = [3.0, 2.0, 1.0, 0.0]
    assert not bool(superset(score_of(np.tile(values, (10, 1)))).could_flip)


def test_subset_control_is_checked(score_of):
    with pytest.raises(InputError, match="control is"):
        subset(score_of(np.eye(4)), m=1, control="none")
