"""R7: published or exactly computed answers on weights."""

import numpy as np
import pytest
import xarray as xr

from pdsim.errors import InputError
from pdsim.weights import (
    acceptability,
    constraints,
    domain_sweep,
    facility_flip_distance,
    flip_distance,
    pairwise_acceptability,
    stability_interval,
    weight_space,
)

TABLE = np.array(
    [
        [0.3088, 0.2897, 0.3867, 0.1922],
        [0.2163, 0.3458, 0.1755, 0.6288],
        [0.4509, 0.2473, 0.1194, 0.0575],
        [0.0240, 0.1172, 0.3184, 0.1215],
    ]
)
NOMINAL = np.array([0.3277, 0.3058, 0.2876, 0.0790])


def values_of(table):
    return xr.DataArray(np.array(table, dtype=float), dims=("facility", "indicator"))


def weights_of(weights):
    return xr.DataArray(np.array(weights, dtype=float), dims="indicator")


def test_two_alternatives_rank_acceptability_and_central_weights():
    weights = weight_space.flat(["a", "b", "c"], size=100_000, seed=0)
    answer = acceptability(values_of([[1, 0, 1], [0, 1, 0]]), weights, m=1)
    off = np.abs(answer.rank_acceptability - [[0.75, 0.25], [0.25, 0.75]])
    assert bool((off < 4 * answer.rank_acceptability_mcse).all())
    exact = np.array([[7 / 18, 4 / 18, 7 / 18], [1 / 6, 2 / 3, 1 / 6]])
    assert bool(
        (np.abs(answer.top_central_weight - exact) < 4 * answer.top_central_weight_mcse).all()
    )
    assert float(answer.top_central_weight_mcse.max()) < 0.002


@pytest.mark.parametrize(
    ("difference", "exact"),
    [((1, -1, 1), 3 / 4), ((1, 1, -1, -1), 1 / 2), ((-1, 2, 0), 2 / 3), ((0, 0, 0), 1 / 2)],
)
def test_pairwise_exact(difference, exact):
    answer = pairwise_acceptability(values_of([difference, np.zeros(len(difference))]))
    assert float(answer.pairwise_acceptability[0, 1]) == pytest.approx(exact, abs=1e-14)


def test_four_by_four_pairwise():
    found = pairwise_acceptability(values_of(TABLE)).pairwise_acceptability.values
    exact = {(0, 1): 0.373539, (0, 2): 0.862763, (0, 3): 1.0, (1, 2): 0.834544, (1, 3): 0.963960}
    exact[2, 3] = 0.736984
    for (i, j), share in exact.items():
        assert found[i, j] == pytest.approx(share, abs=5e-7)
        assert found[j, i] == pytest.approx(1 - share, abs=5e-7)


@pytest.mark.parametrize(("norm", "exact", "digits"), [("l1", 0.12165, 5e-6), ("l2", 0.0808, 5e-5)])
@pytest.mark.parametrize("general", [False, True])
def test_four_by_four_flip(norm, exact, digits, general):
    # a constraint that never binds sends the problem to the general programmes
    known = constraints(list("1234"), at_most=[({"1": 1.0, "2": 1.0}, 2.0)]) if general else None
    answer = flip_distance(values_of(TABLE), weights_of(NOMINAL), m=1, norm=norm, known=known)
    assert float(answer.distance) == pytest.approx(exact, abs=digits)
    assert (answer.leaves.item(), answer.enters.item()) == ("1", "2")
    alone = facility_flip_distance(values_of(TABLE), weights_of(NOMINAL), m=1, norm=norm)
    assert float(alone.distance[0]) == pytest.approx(float(answer.distance), abs=1e-9)
    assert np.isinf(alone.distance[3])


@pytest.mark.parametrize(
    ("names", "exact"),
    [("abc", np.array([11, 5, 2]) / 18), ("abcd", [0.520833, 0.270833, 0.145833, 0.0625])],
)
@pytest.mark.parametrize("walk", [False, True])
def test_rank_order_centroid(names, exact, walk):
    order = list(names)
    weights = (
        weight_space.polytope(constraints(order, order=order), size=20_000, seed=2)
        if walk
        else weight_space.ordered(order, size=20_000, seed=2)
    )
    error = weights.std("weight_draw") / np.sqrt(weights.attrs.get("ess", 20_000))
    assert bool((np.abs(weights.mean("weight_draw") - exact) < 4 * error + 1e-6).all())


def test_degenerate_spaces():
    names = ["a", "b", "c"]
    same = constraints(names, equal=[({"a": 1, "b": -1}, 0), ({"b": 1, "c": -1}, 0)])
    assert np.allclose(weight_space.polytope(same, size=3, seed=0), 1 / 3, atol=1e-12)
    point = constraints(names, at_most=[({"a": -1, "b": 1, "c": 1}, 0), ({"a": 1, "c": -1}, 0)])
    assert np.allclose(weight_space.polytope(point, size=3, seed=0), [0.5, 0, 0.5], atol=1e-9)


def test_flips_that_others_miss():
    table = [[1, 1, 0], [0.9, 0.9, 0.2], [0, 0, 0.1]]
    interval = stability_interval(values_of(table), weights_of([0.45, 0.45, 0.1]), m=1)
    assert float(interval.upper[2]) == pytest.approx(1 / 3, abs=1e-12)
    assert (interval.upper_leaves[2].item(), interval.upper_enters[2].item()) == ("1", "2")

    table = [[0.9, 0.6], [1, 0.2], [0.1, 1.15]]
    interval = stability_interval(values_of(table), weights_of([0.45, 0.55]), m=1)
    assert float(interval.lower[1]) == pytest.approx(0.2, abs=1e-12)
    assert float(interval.upper[1]) == pytest.approx(0.592593, abs=5e-7)
    flip = flip_distance(values_of(table), weights_of([0.45, 0.55]), m=1)
    assert float(flip.flip_weights[1]) == pytest.approx(0.592593, abs=5e-7)
    sweep = domain_sweep(
        values_of(table).assign_coords(indicator=["a", "b"], domain=("indicator", ["x", "y"])),
        weights_of([0.45, 0.55]),
        "y",
        m=1,
    )
    assert sweep.upper.values == pytest.approx([0.2, 0.592593, 1.0], abs=5e-7)
    assert sweep.member.values.argmax(axis=1).tolist() == [1, 0, 2]


def test_nan_raises_and_seed_zero_is_a_seed():
    weights = weight_space.flat(["a", "b"], size=10, seed=0)
    assert weights.equals(weight_space.flat(["a", "b"], size=10, seed=0))
    assert not weights.equals(weight_space.flat(["a", "b"], size=10, seed=1))
    with pytest.raises(InputError, match="not finite"):
        acceptability(values_of([[1.0, np.nan], [0.0, 1.0]]), weights, m=1)
    with pytest.raises(InputError, match="not finite"):
        flip_distance(values_of([[1.0, np.nan], [0.0, 1.0]]), weights_of([0.5, 0.5]), m=1)
    broken = weights.where(weights["indicator"] == "a")
    with pytest.raises(InputError, match="not finite"):
        acceptability(values_of([[1.0, 0.5], [0.0, 1.0]]), broken, m=1)
