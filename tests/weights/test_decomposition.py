"""The crossed grid: against a plain analysis of variance, SALib, and its own rules."""

import itertools

import numpy as np
import pytest
import xarray as xr

from pdsim.errors import InputError
from pdsim.reports.study.settle_words import settle_words
from pdsim.scoring import score
from pdsim.terms.places import membership, places
from pdsim.weights import decompose, settle, sobol_indices, weight_space


def levels_of(seed, samples=12, facilities=5, indicators=4, whole=False):
    rng = np.random.default_rng(seed)
    table = rng.uniform(0.05, 0.95, size=(samples, facilities, indicators, 2))
    table = np.round(table, 1) if whole else table
    names = [f"k{k}" for k in range(indicators)]
    return xr.DataArray(
        table, dims=("sample", "facility", "indicator", "period"), coords={"indicator": names}
    )


def plain_grid(levels, weights, m, normalisations, aggregations, left_out, side="top"):
    """Membership (draw, weight, *choices, facility) by plain loops over `score`."""
    names = levels["indicator"].values.tolist()
    outs = [None, *range(len(names))] if left_out else [None]
    cells = []
    for n, a, out in itertools.product(normalisations, aggregations, outs):
        own = weights.copy(deep=True)
        if out is not None:
            own[:, out] = 0
            own = own / own.sum("indicator")
        value = score(levels, own, normalisation=n, aggregation=a)
        value = value.transpose("sample", "weight_draw", "facility").values
        cells.append(membership(*places(value if side == "top" else -value), m))
    sizes = (len(normalisations), len(aggregations), len(outs))
    return np.stack(cells, axis=2).reshape(*cells[0].shape[:2], *sizes, -1)


def plain_components(cube):
    """Variance components of (factors..., outcome) by inclusion and exclusion of margins."""
    factors = [axis for axis in range(cube.ndim - 1) if cube.shape[axis] > 1]
    squared = {}
    every = tuple(range(cube.ndim - 1))
    subsets = [s for r in range(len(factors) + 1) for s in itertools.combinations(factors, r)]
    for kept in subsets:
        mean = cube.mean(axis=tuple(a for a in every if a not in kept), keepdims=True)
        squared[kept] = (mean**2).mean(axis=every)
    return [
        sum(
            (-1) ** (len(kept) - r) * squared[inner]
            for r in range(len(kept) + 1)
            for inner in itertools.combinations(kept, r)
        )
        for kept in subsets[1:]
    ]


@pytest.mark.parametrize(
    ("normalisations", "aggregations", "left_out", "side"),
    [
        (("pp", "z"), ("arithmetic",), False, "top"),
        (("pp",), ("arithmetic",), True, "bottom"),
        (("pp", "min_max", "rank"), ("arithmetic", "geometric"), True, "top"),
        (("pp", "rank"), ("geometric",), False, "bottom"),
        (("pp",), ("arithmetic",), False, "top"),
    ],
)
def test_against_a_plain_analysis_of_variance(normalisations, aggregations, left_out, side):
    levels = levels_of(1)
    weights = weight_space.flat(levels["indicator"].values, size=15, seed=2)
    parts = decompose(
        levels,
        weights,
        m=2,
        side=side,
        normalisations=normalisations,
        aggregations=aggregations,
        left_out=left_out,
    )
    cube = plain_grid(levels, weights, 2, normalisations, aggregations, left_out, side)
    exact = np.array(plain_components(cube))
    total = exact.sum(axis=0)
    assert np.allclose(parts.variance.values[:-2], total, atol=1e-12)
    moving = total > 1e-12
    assert np.allclose(
        parts.share.values[:-2][moving], (exact / np.where(moving, total, 1)).T[moving], atol=1e-10
    )
    assert np.allclose(parts.probability, cube.mean(axis=(0, 1, 2, 3, 4)))
    # the members: how many of the m two readings do not share
    assert float(parts.variance[-2]) == pytest.approx(total.sum())
    flat = cube.reshape(-1, 5)
    assert float(parts.variance[-2]) == pytest.approx(2 - (flat @ flat.T).mean())
    assert np.allclose(parts.share.values[-2], exact.sum(axis=1) / exact.sum(), atol=1e-10)
    # the set, by one indicator for each of the ten pairs of five facilities
    pairs = list(itertools.combinations(range(5), 2))
    assert set(np.unique(cube)) <= {0.0, 1.0}
    sets = np.stack([cube[..., i] * cube[..., j] for i, j in pairs], axis=-1)
    exact = np.array(plain_components(sets)).sum(axis=1)
    assert float(parts.variance[-1]) == pytest.approx(exact.sum())
    assert float(parts.variance[-1]) == pytest.approx((flat @ flat.T < 2).mean())
    assert np.allclose(parts.share.values[-1], exact / exact.sum(), atol=1e-10)


@pytest.mark.parametrize("whole", [False, True])
def test_shares_are_not_negative_and_sum_to_one(whole):
    levels = levels_of(3, whole=whole)
    weights = weight_space.flat(levels["indicator"].values, size=20, seed=1)
    parts = decompose(levels, weights, m=2, left_out=True, aggregations=("arithmetic", "geometric"))
    assert "scoring" in parts["factor"].values
    assert float(parts.share.min()) >= 0
    assert np.allclose(parts.share.sum("component"), 1)
    assert bool((parts.total >= parts["first"] - 1e-12).all())
    assert bool(np.isfinite(parts.share_mcse).all())


def test_a_factor_that_does_nothing_has_no_share():
    levels = levels_of(4)
    weights = weight_space.flat(levels["indicator"].values, size=20, seed=1)
    same_weights = weights.copy(data=np.repeat(weights.values[:1], 20, axis=0))
    parts = decompose(levels, same_weights, m=2)
    assert float(parts.total.sel(factor="weights").max()) < 1e-12
    same_draws = levels.copy(data=np.repeat(levels.values[:1], 12, axis=0))
    parts = decompose(same_draws, weights, m=2)
    assert float(parts.total.sel(factor="posterior").max()) < 1e-12
    # one scale for all indicators: min-max with equal goalposts ranks as percentage points do
    ends = levels.copy(deep=True)
    ends[:, 0, :, 0], ends[:, 1, :, 1] = 0.0, 1.0
    parts = decompose(ends, weights, m=2, normalisations=("pp", "min_max"))
    assert float(parts.total.sel(factor="normalisation").max()) < 1e-12


def test_too_many_sets_to_list_are_not_called_one():
    # 80 facilities alike: hardly any two readings choose the same ten, so much is open
    levels = levels_of(5, samples=20, facilities=80)
    weights = weight_space.flat(levels["indicator"].values, size=20, seed=1)
    parts = decompose(levels, weights, m=10)
    assert parts.attrs["unlisted_sets"] > 0.3
    assert np.isnan(parts.variance.sel(outcome="set"))
    assert np.isnan(parts.share_mcse.sel(outcome="set")).all()
    assert np.allclose(parts.share.sum("component", skipna=False).dropna("outcome"), 1)
    assert float(parts.probability.sum()) == pytest.approx(10)
    found = settle(parts)
    assert found.outcome == "members"
    cube = plain_grid(levels, weights, 10, ("pp", "z", "min_max", "rank"), ("arithmetic",), False)
    flat = cube.reshape(-1, 80)
    assert found.apart == pytest.approx(1 - (flat @ flat.T).mean() / 10)
    assert f"have {10 * (1 - found.apart):.2f} of the 10 in common" in settle_words(parts)
    assert "all but settled" not in settle_words(parts)


def test_errors_are_those_of_repetitions():
    found, stated = [], []
    for seed in range(50):
        levels = levels_of([6, seed], samples=40)
        center = levels_of(0, samples=1).values
        levels = levels.copy(data=center + 0.3 * (levels.values - 0.5))
        weights = weight_space.flat(levels["indicator"].values, size=40, seed=seed)
        parts = decompose(levels, weights, m=2, normalisations=("pp", "z"))
        found.append(parts["first"].sel(outcome="set").values)
        stated.append(parts.first_mcse.sel(outcome="set").values)
    sd, mcse = np.std(found, axis=0, ddof=1), np.sqrt(np.mean(np.square(stated), axis=0))
    # the jackknife of a ratio of variances is honest within a third, at 50 repetitions
    assert (mcse[:2] / sd[:2] > 0.7).all()
    assert (mcse[:2] / sd[:2] < 1.6).all()


def test_salib_agrees():
    levels = levels_of(7, samples=64)
    weights = weight_space.flat(levels["indicator"].values, size=64, seed=3)
    parts = decompose(levels, weights, m=2)
    second = sobol_indices(levels, weights, m=2, size=2048, seed=0)
    facilities = [str(f + 1) for f in range(5)]
    for name in ("first", "total"):
        exact = parts[name].sel(outcome=facilities).values
        off = np.abs(second[name].values - exact)
        assert (off < 4.5 * second[f"{name}_mcse"].values + 0.005).all()
    assert second.equals(sobol_indices(levels, weights, m=2, size=2048, seed=0))
    assert not second.equals(sobol_indices(levels, weights, m=2, size=2048, seed=1))


def test_salib_says_nan_where_nothing_varies():
    levels = levels_of(8)
    levels[:, 0, :, 1], levels[:, 0, :, 0] = 0.99, 0.01
    weights = weight_space.flat(levels["indicator"].values, size=8, seed=3)
    second = sobol_indices(levels, weights, m=1, normalisations=("pp",), size=64, seed=0)
    assert np.isnan(second["first"]).all()
    parts = decompose(levels, weights, m=1, normalisations=("pp",))
    assert np.isnan(parts.share.sel(outcome="set")).all()
    assert "nothing to settle" in settle_words(parts)


def test_the_sentence_takes_its_numbers_from_the_table():
    levels = levels_of(9)
    weights = weight_space.flat(levels["indicator"].values, size=20, seed=1)
    parts = decompose(levels, weights, m=2)
    found = settle(parts)
    row = parts.sel(outcome="set")
    without = [name for name in row["component"].values if "posterior" not in name]
    assert found.agreed == pytest.approx(float(row.share.sel(component=without).sum()))
    assert found.posterior + found.agreed + found.both == pytest.approx(1)
    assert found.apart == float(row.variance)
    assert f"{100 * found.posterior:.0f} % (MCSE" in settle_words(parts)
    assert f"different sets with probability {found.apart:.2f}" in settle_words(parts)
    assert ("would not settle" in settle_words(parts)) == (found.posterior < 0.5)
    assert ("would not either" in settle_words(parts)) == (max(found.posterior, found.agreed) < 0.5)
    near = weights.copy(data=0.25 + 1e-6 * (weights.values - 0.25))
    parts = decompose(levels, near, m=2, normalisations=("pp",))
    assert "More data would settle the top 2 for the most part" in settle_words(parts)
    one = settle(parts, "1")
    p = float(parts.probability[0])
    assert one.apart == pytest.approx(2 * p * (1 - p))
    with pytest.raises(InputError):
        settle_words(parts, "nobody")


def test_only_weights_settle_what_only_weights_move():
    levels = levels_of(11)
    same = levels.copy(data=np.repeat(levels.values[:1], 12, axis=0))
    weights = weight_space.flat(levels["indicator"].values, size=40, seed=1)
    parts = decompose(same, weights, m=2, normalisations=("pp",))
    found = settle(parts)
    assert (found.posterior, found.agreed) == (pytest.approx(0), pytest.approx(1))
    assert "would not settle" in settle_words(parts)
    assert "agreement on weights alone would. " in settle_words(parts)


def test_little_open_is_all_but_settled():
    levels = levels_of(12, samples=100)
    levels[:, :2, :, 0], levels[:, :2, :, 1] = 0.01, 0.99
    levels[0] = levels[0, ::-1].values
    weights = weight_space.flat(levels["indicator"].values, size=5, seed=1)
    parts = decompose(levels, weights, m=2, normalisations=("pp",))
    found = settle(parts)
    # one draw of a hundred names another set
    assert found.apart == pytest.approx(2 * 0.01 * 0.99)
    assert settle_words(parts).startswith("The top 2 is all but settled")


def test_threads_do_not_matter(monkeypatch):
    levels = levels_of(10, samples=30)
    weights = weight_space.flat(levels["indicator"].values, size=90, seed=1)
    many = decompose(levels, weights, m=2)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert many.identical(decompose(levels, weights, m=2))
