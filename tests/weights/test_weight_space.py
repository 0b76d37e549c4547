"""Weights drawn at random: geometry, constraints, seeds, infeasible and degenerate spaces."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from pdsim.errors import InputError
from pdsim.weights import constraints, weight_space

NAMES = [f"i{k}" for k in range(12)]


def along(values):
    names = NAMES[: len(values)]
    return xr.DataArray(np.array(values, float), dims="indicator", coords={"indicator": names})


def is_simplex(weights):
    assert weights.dims == ("weight_draw", "indicator")
    assert float(weights.min()) >= 0
    assert np.allclose(weights.sum("indicator"), 1, atol=1e-12)


positive = st.floats(0.01, 1.0)
sizes = st.integers(1, 40)
seeds = st.integers(0, 2**32)


@given(number=st.integers(1, 12), size=sizes, seed=seeds)
def test_flat_and_ordered_are_on_the_simplex(number, size, seed):
    flat = weight_space.flat(NAMES[:number], size=size, seed=seed)
    ordered = weight_space.ordered(NAMES[:number], size=size, seed=seed)
    is_simplex(flat)
    is_simplex(ordered)
    assert bool((ordered.diff("indicator") <= 0).all())


@given(nominal=st.lists(positive, min_size=2, max_size=8), spread=st.floats(0.05, 0.9), seed=seeds)
def test_dirichlet_is_on_the_simplex_and_keeps_zeros(nominal, spread, seed):
    weights = weight_space.dirichlet(along([*nominal, 0.0]), relative_sd=spread, size=20, seed=seed)
    is_simplex(weights)
    assert float(weights[:, -1].max()) == 0


@given(floor=st.lists(positive, min_size=2, max_size=8), fill=st.floats(0, 1), seed=seeds)
def test_bounded_keeps_its_floors(floor, fill, seed):
    lower = fill * along(floor) / sum(floor)
    weights = weight_space.bounded(lower, size=20, seed=seed)
    is_simplex(weights)
    assert bool((weights >= lower - 1e-12).all())


@given(
    domains=st.lists(st.sampled_from("xyz"), min_size=1, max_size=9),
    spread=st.one_of(st.none(), st.floats(0.05, 0.5)),
    seed=seeds,
)
def test_tree_is_on_the_simplex(domains, spread, seed):
    domain = dict(zip(NAMES, domains, strict=False))
    nominal = along(np.ones(len(domains)))
    is_simplex(
        weight_space.tree(domain, nominal=nominal, within_relative_sd=spread, size=20, seed=seed)
    )


@settings(max_examples=25)
@given(
    number=st.integers(2, 7),
    low=st.floats(0, 0.9),
    high=st.floats(1.1, 4),
    rows=st.lists(st.lists(st.floats(-1, 1), min_size=7, max_size=7), max_size=3),
    seed=seeds,
)
def test_box_and_polytope_meet_their_constraints(number, low, high, rows, seed):
    names = NAMES[:number]
    equal = np.full(number, 1 / number)
    box = weight_space.box(along(low * equal), along(high * equal), size=30, seed=seed)
    is_simplex(box)
    assert bool(((box >= low / number - 1e-9) & (box <= high / number + 1e-9)).all())
    # bounds that equal weights meet, so the space is never empty
    terms = [(dict(zip(names, row, strict=False)), float(np.mean(row[:number]))) for row in rows]
    known = constraints(names, at_most=terms)
    drawn = weight_space.polytope(known, size=30, seed=seed)
    is_simplex(drawn)
    over = known.coefficient.values @ drawn.values.T - known.bound.values[:, None]
    assert over.max(initial=-1) < 1e-9


def test_flat_is_uniform_and_not_normalised_uniforms():
    weights = weight_space.flat(NAMES[:5], size=40_000, seed=3).values
    # P(w > x) = (1 - x)^4; numbers from U(0,1) over their sum give .06 here instead of .1296
    share = (weights > 0.4).mean(axis=0)
    assert np.abs(share - 0.6**4).max() < 4.5 * np.sqrt(0.1296 * 0.87 / 40_000)


def test_dirichlet_spread_is_the_stated_one():
    nominal = along([0.5, 0.3, 0.15, 0.05])
    weights = weight_space.dirichlet(nominal, relative_sd=0.4, size=40_000, seed=4)
    mean, sd = weights.mean("weight_draw"), weights.std("weight_draw")
    assert bool((np.abs(mean - nominal) < 4 * sd / 200).all())
    assert float((nominal * (sd / nominal) ** 2).sum() ** 0.5) == pytest.approx(0.4, rel=0.02)


def test_tree_gives_domains_equal_standing_and_keeps_nominal_means():
    domain = {"i0": "x", "i1": "y", "i2": "y", "i3": "y"}
    weights = weight_space.tree(domain, size=20_000, seed=5)
    assert float(weights.sel(indicator="i0").mean()) == pytest.approx(0.5, abs=4 * 0.29 / 141)
    nominal = along([0.4, 0.3, 0.2, 0.1])
    near = weight_space.tree(
        domain, nominal=nominal, domain_relative_sd=0.2, within_relative_sd=0.3, size=20_000, seed=5
    )
    error = near.std("weight_draw") / 141
    assert bool((np.abs(near.mean("weight_draw") - nominal) < 4.5 * error).all())


@pytest.mark.parametrize("number", [3, 14, 60])
def test_the_walk_is_uniform(number):
    names = [f"k{at}" for at in range(number)]
    weights = weight_space.polytope(constraints(names), size=1500, seed=6)
    ess = weights.attrs["ess"]
    assert 700 < ess <= 1500
    mean, sd = 1 / number, np.sqrt((number - 1) / (number + 1)) / number
    assert np.abs(weights.mean("weight_draw") - mean).max() < 4.5 * sd / np.sqrt(ess)
    second = float((weights**2).sum("indicator").mean())
    spread = float((weights**2).sum("indicator").std()) / np.sqrt(ess)
    assert abs(second - 2 / (number + 1)) < 4 * spread


def test_walk_inside_a_box_agrees_with_rejection():
    number = 6
    box = weight_space.box(along(np.zeros(6)), along(np.full(6, 0.3)), size=4000, seed=7)
    flat = weight_space.flat(NAMES[:number], size=60_000, seed=8)
    kept = flat.values[(flat.values <= 0.3).all(axis=1)]
    for power in (1, 2):
        a, b = np.sort(box.values, axis=1) ** power, np.sort(kept, axis=1) ** power
        error = np.hypot(a.std(axis=0) / box.attrs["ess"] ** 0.5, b.std(axis=0) / len(kept) ** 0.5)
        assert (np.abs(a.mean(axis=0) - b.mean(axis=0)) < 4.5 * error).all()


def test_order_of_labels_and_seeds():
    walk = weight_space.polytope(constraints(["a", "b", "c"]), size=5, seed=0)
    assert walk.equals(weight_space.polytope(constraints(["a", "b", "c"]), size=5, seed=0))
    assert not walk.equals(weight_space.polytope(constraints(["a", "b", "c"]), size=5, seed=1))
    assert weight_space.flat(["a"], size=2, seed=0).values.tolist() == [[1.0], [1.0]]


@pytest.mark.parametrize(
    "call",
    [
        lambda: weight_space.bounded(along([0.7, 0.7]), size=3, seed=0),
        lambda: weight_space.bounded(along([-0.1, 0.7]), size=3, seed=0),
        lambda: weight_space.box(along([0.6, 0.6]), along([1, 1]), size=3, seed=0),
        lambda: weight_space.box(along([0, 0]), along([0.4, 0.4]), size=3, seed=0),
        lambda: weight_space.polytope(
            constraints(["a", "b"], at_most=[({"a": 1, "b": 1}, 0.5)]), size=3, seed=0
        ),
        lambda: weight_space.flat(["a", "a"], size=3, seed=0),
        lambda: weight_space.flat([], size=3, seed=0),
        lambda: weight_space.flat(["a"], size=0, seed=0),
        lambda: weight_space.flat(["a"], size=3, seed=-1),
        lambda: weight_space.dirichlet(along([0.5, 0.5]), size=3, seed=0),
        lambda: weight_space.dirichlet(along([0.5, 0.5]), relative_sd=2.0, size=3, seed=0),
        lambda: weight_space.dirichlet(along([0.0, 0.0]), relative_sd=0.2, size=3, seed=0),
        lambda: weight_space.dirichlet(along([np.nan, 1.0]), relative_sd=0.2, size=3, seed=0),
        lambda: weight_space.tree({"a": "x"}, within_relative_sd=0.2, size=3, seed=0),
        lambda: constraints(["a"], lower={"b": 0.1}),
        lambda: constraints(["a"], upper={"a": np.inf}),
        lambda: constraints(["a", "b"], order=["a", "a"]),
    ],
)
def test_what_cannot_be_is_refused(call):
    with pytest.raises(InputError):
        call()
