"""Flip distances, stability and what weights can do at all, each against brute force."""

import itertools

import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, given
from hypothesis import strategies as st

from pdsim.errors import InputError
from pdsim.terms.places import membership, places
from pdsim.weights import (
    constraints,
    domain_sweep,
    facility_flip_distance,
    flip_distance,
    flip_survival,
    membership_bounds,
    stability_interval,
    weight_space,
)

NORMS = {"l1": 1, "l2": 2, "linf": np.inf}


def case(seed, facilities, indicators):
    rng = np.random.default_rng(seed)
    names = [f"k{k}" for k in range(indicators)]
    values = xr.DataArray(
        rng.normal(size=(facilities, indicators)),
        dims=("facility", "indicator"),
        coords={"indicator": names, "facility": [f"f{f}" for f in range(facilities)]},
    )
    nominal = xr.DataArray(
        rng.dirichlet(np.full(indicators, 3.0)), dims="indicator", coords={"indicator": names}
    )
    return values, nominal


def chosen(values, weight, m, side):
    score = values.values @ np.asarray(weight)
    return frozenset(np.argsort(-score if side == "top" else score)[:m])


def grid(indicators, step):
    ticks = range(step + 1)
    rows = [row for row in itertools.product(ticks, repeat=indicators - 1) if sum(row) <= step]
    return np.array([(*row, step - sum(row)) for row in rows]) / step


@given(
    seed=st.integers(0, 10**6),
    facilities=st.integers(2, 8),
    indicators=st.integers(2, 10),
    side=st.sampled_from(["top", "bottom"]),
    norm=st.sampled_from(list(NORMS)),
)
def test_the_set_changes_at_the_flip_and_not_before(seed, facilities, indicators, side, norm):
    values, nominal = case(seed, facilities, indicators)
    m = 1 + seed % (facilities - 1)
    flip = flip_distance(values, nominal, m=m, side=side, norm=norm)
    assume(np.isfinite(flip.distance))
    place, start = flip.flip_weights.values, nominal.values
    assert place.min() >= -1e-12
    assert place.sum() == pytest.approx(1)
    assert np.linalg.norm(place - start, NORMS[norm]) == pytest.approx(float(flip.distance))
    now = chosen(values, start, m, side)
    assert chosen(values, start + (1 - 1e-6) * (place - start), m, side) == now
    after = start + (1 + 1e-6) * (place - start)
    pair = [values.get_index("facility").get_loc(flip[e].item()) for e in ("leaves", "enters")]
    if after.min() >= 0:
        assert chosen(values, after, m, side) == (now - {pair[0]}) | {pair[1]}
    score = values.values @ place
    assert score[pair[0]] == pytest.approx(score[pair[1]], abs=1e-9)


@pytest.mark.parametrize(("indicators", "step"), [(3, 150), (4, 36)])
@pytest.mark.parametrize("norm", list(NORMS))
@pytest.mark.parametrize("side", ["top", "bottom"])
def test_flips_against_a_fine_grid(indicators, step, norm, side):
    points = grid(indicators, step)
    # a grid point within this of any place: nothing nearer can hide between the points
    mesh = {"l1": 2.0, "l2": 1.5, "linf": 1.0}[norm] * indicators / step
    for seed in range(6):
        values, nominal = case(seed, 5, indicators)
        flip = flip_distance(values, nominal, m=2, side=side, norm=norm)
        alone = facility_flip_distance(values, nominal, m=2, side=side, norm=norm)
        now = chosen(values, nominal, 2, side)
        sets = [chosen(values, point, 2, side) for point in points]
        away = np.linalg.norm(points - nominal.values, NORMS[norm], axis=1)
        other = np.array([found != now for found in sets])
        nearest = away[other].min(initial=np.inf)
        assert float(flip.distance) <= nearest + 1e-9
        assert nearest <= float(flip.distance) + mesh or np.isinf(nearest)
        for f in range(5):
            changed = np.array([(f in found) != (f in now) for found in sets])
            nearest = away[changed].min(initial=np.inf)
            assert float(alone.distance[f]) <= nearest + 1e-6
            assert nearest <= float(alone.distance[f]) + mesh or np.isinf(nearest)
        assert float(alone.distance.min()) == pytest.approx(float(flip.distance), abs=1e-6)


@pytest.mark.parametrize("norm", list(NORMS))
@pytest.mark.parametrize("boxed", [False, True])
def test_kernel_and_programmes_agree(norm, boxed):
    for seed in range(12):
        values, nominal = case(seed, 6, 7)
        names = values["indicator"].values.tolist()
        upper = dict(zip(names, (nominal.values + 0.05).tolist(), strict=True)) if boxed else None
        lower = dict(zip(names, (0.5 * nominal.values).tolist(), strict=True)) if boxed else None
        kernel = flip_distance(
            values, nominal, m=2, norm=norm, known=constraints(names, lower=lower, upper=upper)
        )
        never_binds = [({names[0]: 1.0, names[1]: 1.0}, 2.0)]
        general = flip_distance(
            values,
            nominal,
            m=2,
            norm=norm,
            known=constraints(names, lower=lower, upper=upper, at_most=never_binds),
        )
        assert float(kernel.distance) == pytest.approx(float(general.distance), rel=1e-6)
        if boxed and np.isfinite(kernel.distance):
            assert bool((kernel.flip_weights <= nominal + 0.05 + 1e-9).all())


def test_nothing_can_flip_what_dominates():
    values = xr.DataArray([[2.0, 2.0], [1.0, 1.0]], dims=("facility", "indicator"))
    flip = flip_distance(values, xr.DataArray([0.5, 0.5], dims="indicator"), m=1)
    assert np.isinf(flip.distance)
    assert (flip.leaves.item(), np.isnan(flip.flip_weights).all()) == ("", True)


def test_a_tie_is_at_distance_zero():
    values = xr.DataArray([[1.0, 0.0], [0.0, 1.0]], dims=("facility", "indicator"))
    flip = flip_distance(values, xr.DataArray([0.5, 0.5], dims="indicator"), m=1)
    assert float(flip.distance) == 0


def test_selected_set_and_survival():
    rng = np.random.default_rng(0)
    values = xr.DataArray(
        rng.normal(size=(40, 5, 3)),
        dims=("sample", "facility", "indicator"),
        coords={"facility": list("abcde")},
    )
    nominal = xr.DataArray(np.ones(3), dims="indicator")
    flip = flip_distance(values, nominal, m=2, selected=["a", "b"])
    score = values.values.mean(axis=2)
    is_choice = np.sort(np.argsort(-score, axis=1)[:, :2], axis=1).tolist()
    right = np.array([found == [0, 1] for found in is_choice])
    assert ((flip.distance.values > 0) == right).all()
    own = flip_distance(values, nominal, m=2)
    assert np.allclose(flip.distance[right], own.distance[right])
    survival = flip_survival(flip, [0.0, 0.2])
    assert survival.survival.values.tolist() == [
        (flip.distance > 0).mean().item(),
        (flip.distance > 0.2).mean().item(),
    ]
    with pytest.raises(InputError, match="unknown"):
        flip_distance(values, nominal, m=2, selected=["a", "z"])


def test_nominal_weights_must_meet_the_constraints():
    values, nominal = case(0, 4, 3)
    known = constraints(values["indicator"].values.tolist(), upper=0.34)
    with pytest.raises(InputError, match="nominal weights"):
        flip_distance(values, nominal, m=1, known=known)


@given(seed=st.integers(0, 10**6), facilities=st.integers(2, 7), indicators=st.integers(2, 6))
def test_stability_interval_by_reranking(seed, facilities, indicators):
    values, nominal = case(seed, facilities, indicators)
    m = 1 + seed % (facilities - 1)
    interval = stability_interval(values, nominal, m=m)
    now = chosen(values, nominal, m, "top")
    for k in range(indicators):

        def at(x, k=k):
            weight = nominal.values * (1 - x) / (1 - nominal.values[k])
            weight[k] = x
            return chosen(values, weight, m, "top")

        low, high = float(interval.lower[k]), float(interval.upper[k])
        for x in np.linspace(low + 1e-9, high - 1e-9, 9):
            assert at(x) == now
        if interval.lower_enters[k].item():
            assert at(low - 1e-7) != now
        else:
            assert low == pytest.approx(0, abs=1e-15)
        if interval.upper_enters[k].item():
            assert at(high + 1e-7) != now
        else:
            assert high == pytest.approx(1)


@given(seed=st.integers(0, 10**6), facilities=st.integers(2, 9), whole=st.booleans())
def test_domain_sweep_finds_every_set(seed, facilities, whole):
    values, nominal = case(seed, facilities, 4)
    # whole numbers make several lines cross at one place, or coincide
    values = np.round(values) if whole else values
    values = values.assign_coords(domain=("indicator", ["x", "x", "y", "y"]))
    nominal = nominal * 0 + 0.25
    m = 1 + seed % (facilities - 1)
    sweep = domain_sweep(values, nominal, "x", m=m, points=5)
    one = values.values[:, :2].mean(axis=1)
    zero = values.values[:, 2:].mean(axis=1)
    assert sweep.lower.values[0] == 0
    assert sweep.upper.values[-1] == 1
    assert np.allclose(sweep.lower.values[1:], sweep.upper.values[:-1])
    x = np.linspace(0.0013, 0.9987, 400)[:, None]
    score = np.round((1 - x) * zero + x * one, 12)
    exact = membership(*places(score), m)
    segment = np.searchsorted(sweep.upper.values, x[:, 0])
    edges = np.append(sweep.lower.values, 1.0)
    clear = np.abs(x - edges).min(axis=1) > 1e-9
    assert np.allclose(sweep.member.values[segment][clear], exact[clear])
    assert np.allclose(sweep.member.sum("facility"), m)


@pytest.mark.parametrize("ordered", [False, True])
def test_bounds_hold_for_all_sampled_weights_and_are_reached(ordered):
    for seed in range(5):
        values, _ = case(seed, 6, 4)
        names = values["indicator"].values.tolist()
        known = constraints(names, order=names) if ordered else None
        space = weight_space.ordered if ordered else weight_space.flat
        bounds = membership_bounds(values, m=2, known=known)
        drawn = space(names, size=20_000, seed=seed).values
        rank = 1 + (-(drawn @ values.values.T)).argsort(axis=1).argsort(axis=1)
        assert (rank.min(axis=0) >= bounds.best_rank).all()
        assert (rank.max(axis=0) <= bounds.worst_rank).all()
        for f in range(6):
            score = values.values @ bounds.best_weights.values[f]
            assert 1 + (score > score[f] + 1e-6).sum() == int(bounds.best_rank[f])
            score = values.values @ bounds.worst_weights.values[f]
            assert (score >= score[f] - 1e-6).sum() == int(bounds.worst_rank[f])
        assert (bounds.necessary_top <= bounds.possible_top).all()


def test_possible_but_never_sampled():
    # the last is ahead only where the first weight is within 1e-6 of 1
    values = xr.DataArray([[0.0, 1.0], [1e-6, -1.0]], dims=("facility", "indicator"))
    weights = weight_space.flat(["1", "2"], size=2000, seed=0).values
    assert (weights @ values.values.T).argmax(axis=1).max() == 0
    bounds = membership_bounds(values * np.array([1e6, 1.0]), m=1)
    assert bool(bounds.possible_top.all())
    with pytest.raises(InputError, match="one sample"):
        membership_bounds(values.expand_dims(sample=2), m=1)
