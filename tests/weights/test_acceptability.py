"""Counting over draws x weights: against brute force, against exact answers, with ties."""

import itertools

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from pdsim.errors import InputError
from pdsim.ranking.probability import rank_counts
from pdsim.terms.places import membership, places
from pdsim.weights import (
    acceptability,
    confidence_factor,
    pairwise_acceptability,
    set_acceptability,
    weight_space,
)


def problem(seed, *, samples, facilities, indicators, size, whole=False):
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(samples, facilities, indicators))
    table = np.round(table) if whole else table
    values = xr.DataArray(table, dims=("sample", "facility", "indicator"))
    names = [str(k + 1) for k in range(indicators)]
    weights = weight_space.flat(names, size=size, seed=seed)
    if whole:
        # few distinct weights, so that scores tie
        weights = weights.copy(data=np.eye(indicators)[np.arange(size) % indicators])
    return values, weights


def scores_of(values, weights):
    return np.einsum("sfk,wk->swf", values.values, weights.values)


@pytest.mark.parametrize("facilities", [2, 10, 70, 130])
@pytest.mark.parametrize("whole", [False, True])
def test_counts_equal_brute_force(facilities, whole):
    values, weights = problem(
        facilities, samples=7, facilities=facilities, indicators=5, size=67, whole=whole
    )
    m = facilities // 2
    answer = acceptability(values, weights, m=m)
    flat = scores_of(values, weights).reshape(1, -1, facilities)
    exact = rank_counts(flat)[0] / flat.shape[1]
    assert np.allclose(answer.rank_acceptability, exact, atol=1e-12)
    inside = membership(*places(flat[0]), m)
    assert np.allclose(answer.top_acceptability, inside.mean(axis=0), atol=1e-12)
    behind = membership(*places(-flat[0]), m)
    assert np.allclose(answer.bottom_acceptability, behind.mean(axis=0), atol=1e-12)
    share = inside.reshape(7, 67, facilities).mean(axis=0)
    ever = share.sum(axis=0) > 0
    center = (share.T @ weights.values)[ever] / share.sum(axis=0)[ever, None]
    assert np.allclose(answer.top_central_weight.values[ever], center, atol=1e-12)
    assert np.isnan(answer.top_central_weight.values[~ever]).all()


@settings(max_examples=20)
@given(
    seed=st.integers(0, 10**6),
    facilities=st.integers(2, 12),
    indicators=st.integers(1, 8),
    whole=st.booleans(),
)
def test_identities(seed, facilities, indicators, whole):
    values, weights = problem(
        seed, samples=5, facilities=facilities, indicators=indicators, size=20, whole=whole
    )
    m = 1 + seed % (facilities - 1)
    answer = acceptability(values, weights, m=m)
    assert np.allclose(answer.rank_acceptability.sum("rank"), 1)
    assert np.allclose(answer.rank_acceptability.sum("facility"), 1)
    assert float(answer.top_acceptability.sum()) == pytest.approx(m)
    assert float(answer.bottom_acceptability.sum()) == pytest.approx(m)
    assert np.allclose(
        answer.top_acceptability, answer.rank_acceptability.isel(rank=slice(m)).sum("rank")
    )
    assert bool((answer.rank_entropy <= 1 + 1e-12).all())
    # relabelling permutes, scaling and shifting change nothing
    order = np.random.default_rng(seed).permutation(facilities)
    turned = acceptability(4 * values.isel(facility=order) + 1, weights, m=m)
    assert np.allclose(turned.top_acceptability, answer.top_acceptability.values[order])


@pytest.mark.parametrize("indicators", [2, 7, 25, 60])
@pytest.mark.parametrize("space", ["flat", "bounded", "ordered"])
def test_sampled_and_exact_pairs_agree(indicators, space):
    rng = np.random.default_rng(indicators)
    names = [str(k + 1) for k in range(indicators)]
    table = rng.normal(size=(6, indicators)) + 0.3 * rng.normal(size=(6, 1))
    values = xr.DataArray(table, dims=("facility", "indicator"), coords={"indicator": names})
    lower = xr.DataArray(rng.dirichlet(np.ones(indicators)) * 0.4, dims="indicator")
    lower = lower.assign_coords(indicator=names)
    drawn, known = {
        "flat": (weight_space.flat(names, size=40_000, seed=1), {}),
        "bounded": (weight_space.bounded(lower, size=40_000, seed=2), {"lower": lower}),
        "ordered": (weight_space.ordered(names[::-1], size=40_000, seed=3), {"order": names[::-1]}),
    }[space]
    exact = pairwise_acceptability(values, **known).pairwise_acceptability
    sampled = pairwise_acceptability(values, weights=drawn)
    off = np.abs(exact - sampled.pairwise_acceptability)
    # the error at the exact share: a counted one has none where nothing was seen
    error = np.sqrt(exact * (1 - exact) / 40_000)
    assert bool((off <= 4 * error + 1 / 40_000).all())
    plenty = (exact * (1 - exact) > 1e-3) & ~np.eye(6, dtype=bool)
    counted = sampled.pairwise_acceptability_mcse.where(plenty)
    assert bool((np.abs(counted / error - 1).fillna(0) < 0.15).all())
    assert np.allclose(exact + exact.values.T, 1)


def test_exact_pairs_over_samples_are_their_mean():
    values, _ = problem(3, samples=9, facilities=4, indicators=5, size=1)
    whole = pairwise_acceptability(values)
    one = [pairwise_acceptability(values[s]).pairwise_acceptability.values for s in range(9)]
    assert np.allclose(whole.pairwise_acceptability, np.mean(one, axis=0), atol=1e-14)
    assert np.allclose(whole.pairwise_acceptability_mcse, np.std(one, axis=0) / 3)


def test_two_way_error_is_that_of_repetitions():
    rng = np.random.default_rng(5)
    center = rng.normal(size=(6, 4))
    found, stated, center_found, center_stated, ranks, rank_errors = [], [], [], [], [], []
    for seed in range(100):
        rng = np.random.default_rng([9, seed])
        values = xr.DataArray(
            center + 0.7 * rng.normal(size=(60, 6, 4)), dims=("sample", "facility", "indicator")
        )
        answer = acceptability(values, weight_space.flat(list("1234"), size=80, seed=seed), m=2)
        found.append(answer.top_acceptability.values)
        stated.append(answer.top_acceptability_mcse.values)
        center_found.append(answer.top_central_weight.values)
        center_stated.append(answer.top_central_weight_mcse.values)
        ranks.append(answer.rank_acceptability.values)
        rank_errors.append(answer.rank_acceptability_mcse.values)
    # the standard deviation of 100 repetitions is known to 7 %, pooled over cells to less
    for a, b in ((found, stated), (ranks, rank_errors), (center_found, center_stated)):
        ratio = np.sqrt(np.mean(np.square(b)) / np.mean(np.var(a, axis=0, ddof=1)))
        assert 0.85 < ratio < 1.2


def test_chains_measure_their_autocorrelation():
    rng = np.random.default_rng(1)
    steps = rng.normal(size=(2, 500, 3, 2))
    walk = np.zeros_like(steps)
    for at in range(1, 500):
        walk[:, at] = 0.9 * walk[:, at - 1] + steps[:, at]
    weights = weight_space.flat(["1", "2"], size=3000, seed=0)
    chains = xr.DataArray(walk, dims=("chain", "draw", "facility", "indicator"))
    plain = chains.stack(sample=("chain", "draw")).drop_vars(["sample", "chain", "draw"])
    slow, fast = acceptability(chains, weights, m=1), acceptability(plain, weights, m=1)
    assert np.allclose(slow.top_acceptability, fast.top_acceptability)
    assert slow.attrs["ess"] < 0.3 * fast.attrs["ess"]
    assert bool((slow.top_acceptability_mcse > 1.5 * fast.top_acceptability_mcse).all())
    stated = acceptability(plain.assign_attrs(ess=50), weights, m=1)
    assert bool((stated.top_acceptability_mcse > 2 * fast.top_acceptability_mcse).all())


@pytest.mark.parametrize("whole", [False, True])
def test_sets_equal_brute_force(whole):
    values, weights = problem(11, samples=6, facilities=5, indicators=4, size=40, whole=whole)
    answer = set_acceptability(values, weights, m=2, most=10)
    exact: dict[tuple[int, ...], float] = {}
    for row in scores_of(values, weights).reshape(-1, 5):
        share = membership(*places(row[None]), 2)[0]
        sure, tied = np.flatnonzero(share == 1), np.flatnonzero((share > 0) & (share < 1))
        ways = list(itertools.combinations(tied, 2 - len(sure)))
        for way in ways:
            key = tuple(sorted((*sure, *way)))
            exact[key] = exact.get(key, 0.0) + 1 / len(ways) / 240
    found = {
        tuple(np.flatnonzero(member)): float(share)
        for member, share in zip(answer.member.values, answer.set_acceptability, strict=True)
    }
    assert found == pytest.approx(exact)
    assert answer.attrs["unlisted"] == pytest.approx(0, abs=1e-12)
    assert (np.diff(answer.set_acceptability) <= 1e-12).all()
    single = acceptability(values, weights, m=2).top_acceptability
    from_sets = (answer.member * answer.set_acceptability).sum("set")
    assert np.allclose(single, from_sets)


def test_confidence_factor_by_hand():
    values = xr.DataArray(
        [[[2.0, 0.0], [0.0, 1.0]], [[0.5, 0.0], [0.0, 1.0]]],
        dims=("sample", "facility", "indicator"),
    )
    central = xr.DataArray([[0.6, 0.4], [np.nan, np.nan]], dims=("facility", "indicator"))
    answer = confidence_factor(values, central, m=1)
    assert answer.confidence_factor.values.tolist() == [0.5, 0.0]


def test_hostile_and_wrong_input():
    values, weights = problem(1, samples=4, facilities=3, indicators=3, size=5)
    names = ["=1+1", "<script>", "\u202eabc"]
    answer = set_acceptability(values.assign_coords(facility=names), weights, m=1)
    assert set(answer["set"].values) <= set(names)
    for call in (
        lambda: acceptability(values, weights, m=3),
        lambda: acceptability(values, weights * 2, m=1),
        lambda: acceptability(values, -weights, m=1),
        lambda: acceptability(values.rename(facility="f"), weights, m=1),
        lambda: acceptability(values.assign_coords(facility=["a", "a", "b"]), weights, m=1),
        lambda: acceptability(values.isel(facility=[0]), weights, m=1),
        lambda: acceptability(
            values.assign_coords(indicator=list("abc")),
            weights.assign_coords(indicator=list("abd")),
            m=1,
        ),
        lambda: pairwise_acceptability(values, order=list("123"), weights=weights),
        lambda: pairwise_acceptability(values, order=list("12")),
    ):
        with pytest.raises(InputError):
            call()


def test_weights_are_matched_by_name():
    values, weights = problem(2, samples=4, facilities=3, indicators=3, size=50)
    named = values.assign_coords(indicator=["1", "2", "3"])
    mixed = weights.isel(indicator=[2, 0, 1])
    a, b = acceptability(named, weights, m=1), acceptability(named, mixed, m=1)
    assert np.allclose(a.top_acceptability, b.top_acceptability)
