"""Exact ranks of distributions against counting and known answers."""

from itertools import combinations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from pdsim.errors import InputError
from pdsim.ranking import (
    beta_scores,
    expected_rank,
    gridded_scores,
    improvement_probability,
    kernels,
    normal_scores,
    pairwise_probability,
    quadrature,
    rank_probability,
    select,
    set_probability,
    superset,
    top_probability,
)
from pdsim.ranking import exact as exact_module
from pdsim.ranking.exact import of_sets


def over(values, **coords):
    names = [chr(65 + i) for i in range(len(values))]
    return xr.DataArray(
        np.asarray(values, dtype=float), dims="facility", coords={"facility": names}
    )


SCORES = {
    "normal": lambda: normal_scores(over([0, 0.5, 1, 3, -1]), over([1, 0.1, 2, 0.5, 0.01])),
    "beta": lambda: beta_scores(over([0.5, 3, 20, 400, 1]), over([30, 40, 100, 3000, 9])),
    "gridded": lambda: gridded_scores(gamma_densities()),
}


def gamma_densities():
    x = np.linspace(1e-9, 40, 4001)
    shapes = np.array([2.0, 3.0, 4.0, 6.0])
    values = stats.gamma.pdf(x, shapes[:, np.newaxis])
    return xr.DataArray(
        values, dims=("facility", "point"), coords={"facility": list("ABCD"), "point": x}
    )


@pytest.mark.parametrize("family", SCORES)
def test_agrees_with_counting(family):
    """Within 4.5 standard errors in each of some 60 numbers."""
    score = SCORES[family]()
    draws = score.sample(draws=200_000, seed=1)
    for function, name, arguments in (
        (rank_probability, "rank_probability", {}),
        (expected_rank, "expected_rank", {}),
        (top_probability, "top_probability", {"m": 2}),
        (top_probability, "top_probability", {"m": 2, "side": "bottom"}),
        (pairwise_probability, "pairwise_probability", {}),
        (improvement_probability, "improvement_probability", {"delta": 0.4}),
    ):
        exact, counted = function(score, **arguments), function(draws, **arguments)
        assert (exact[f"{name}_mcse"] == 0).all()
        assert exact.attrs["mcse_method"] == "exact"
        gap = np.abs(exact[name] - counted[name])
        assert (gap <= 4.5 * counted[f"{name}_mcse"] + 1e-12).all(), name


@pytest.mark.parametrize("family", SCORES)
@pytest.mark.parametrize("side", ["top", "bottom"])
def test_sets_sum_to_one_and_to_membership(family, side):
    score = SCORES[family]()
    sets = set_probability(score, m=2, side=side)
    tolerance = 1e-5 if family == "gridded" else 1e-7
    assert float(sets.set_probability.sum()) == pytest.approx(1, abs=tolerance)
    top = (sets.set_probability * sets.member).sum("set")
    expected = top_probability(score, m=2, side=side).top_probability
    np.testing.assert_allclose(top, expected, atol=tolerance)
    draws = set_probability(score.sample(draws=100_000, seed=2), m=2, side=side)
    assert draws.member.values[0].tolist() == sets.member.values[0].tolist()
    gap = abs(float(draws.set_probability[0]) - float(sets.set_probability[0]))
    assert gap < 4 * float(draws.set_probability_mcse[0])


def test_two_normals_have_the_closed_form():
    score = normal_scores(over([1.0, 0.0]), over([1.0, 2.0]))
    assert float(top_probability(score, m=1).top_probability[0]) == pytest.approx(
        stats.norm.cdf(1 / np.sqrt(5)), abs=1e-9
    )


def test_two_betas_have_the_closed_form():
    """P(Beta(a, 1) > Beta(1, b)): one minus the integral of a x^(a-1) (1-x)^b."""
    from scipy.special import beta

    a, b = 3.0, 5.0
    score = beta_scores(over([a, 1.0]), over([1.0, b]))
    expected = 1 - a * beta(a, b + 1)
    assert float(pairwise_probability(score).pairwise_probability[0, 1]) == pytest.approx(
        expected, abs=1e-9
    )


def test_equal_scores_share_everything():
    table = rank_probability(normal_scores(over([0.0] * 7), over([1.0] * 7))).rank_probability
    np.testing.assert_allclose(table, 1 / 7, atol=1e-8)


@pytest.mark.parametrize("count", [2, 5, 40])
def test_kernel_equals_arrays(count, monkeypatch):
    generator = np.random.default_rng(count)
    mass = generator.random((3, count, 30)) ** 8
    mass /= mass.sum(axis=2, keepdims=True)
    above = generator.random((3, count, 30))
    above[0, 0] = 1.0
    above[0, 1] = 0.0
    members = np.array(list(combinations(range(count), min(2, count - 1))))
    plain = quadrature.rank_matrix(mass, above)
    sets = quadrature.set_integrals(mass, above, 1 - above, members)
    monkeypatch.setattr(quadrature, "_KERNEL_FROM", 0)
    np.testing.assert_allclose(quadrature.rank_matrix(mass, above), plain, atol=1e-12)
    np.testing.assert_allclose(
        quadrature.set_integrals(mass, above, 1 - above, members), sets, atol=1e-12
    )
    assert kernels.integrate_ranks is not None


def test_blocks_do_not_matter(monkeypatch):
    score = normal_scores(over(np.arange(6)), over(np.linspace(0.5, 2, 6)))
    plain = rank_probability(score)
    sets = set_probability(score)
    monkeypatch.setattr(quadrature, "_BLOCK", 50)
    np.testing.assert_allclose(rank_probability(score).rank_probability, plain.rank_probability)
    np.testing.assert_allclose(set_probability(score).set_probability, sets.set_probability)


def test_dividing_out_is_stable():
    """Poisson-binomial coefficients of 60 factors near 0, 1/2 and 1, against convolution."""
    chance = np.concatenate([np.full(20, 1e-9), np.full(20, 0.5), np.full(20, 1 - 1e-9)])
    mass = np.ones((1, 60, 1))
    found = quadrature.rank_matrix(mass, chance.reshape(1, 60, 1))[0]
    for i in (0, 25, 59):
        expected = np.ones(1)
        for p in np.delete(chance, i):
            expected = np.convolve(expected, [1 - p, p])
        np.testing.assert_allclose(found[i], expected, atol=1e-14)


def test_unequal_scales_are_resolved():
    """One facility a thousand times as certain as the others."""
    score = normal_scores(over([0.0, 0.01, 0.02]), over([1.0, 0.001, 1.0]))
    exact = rank_probability(score).rank_probability
    # B lies at 0.01, as good as fixed
    best_b = stats.norm.cdf(0.01) * stats.norm.cdf(-0.01)
    assert float(exact.sel(facility="B", rank=1)) == pytest.approx(best_b, abs=1e-6)
    pair = normal_scores(over([0.0, 1e-3]), over([1.0, 1e-9]))
    p = pairwise_probability(pair).pairwise_probability[1, 0]
    assert float(p) == pytest.approx(stats.norm.cdf(1e-3), abs=1e-9)


def test_averages_over_hyperparameter_draws(chains):
    """Rao-Blackwell: same answer as counting joint draws, with a smaller error."""
    values = chains((4, 500, 1), correlation=0.5, seed=1)
    mean = xr.DataArray(
        np.arange(5) * (0.5 + 0.2 * values),
        dims=("chain", "draw", "facility"),
        coords={"facility": list("ABCDE")},
    )
    sd = xr.ones_like(mean)
    score = normal_scores(mean, sd)
    found = top_probability(score, m=2)
    assert found.attrs["mcse_method"] == "ess"
    noise = np.random.default_rng(2).normal(size=mean.shape)
    counted = top_probability(mean + noise, m=2)
    error = np.hypot(found.top_probability_mcse, counted.top_probability_mcse)
    assert (np.abs(found.top_probability - counted.top_probability) < 4 * error).all()
    assert float(found.top_probability_mcse.sum()) < 0.5 * float(counted.top_probability_mcse.sum())
    single = top_probability(normal_scores(mean[2, 17], sd[2, 17]), m=2).top_probability
    joined = [
        top_probability(normal_scores(mean[c, d], sd[c, d]), m=2).top_probability.values
        for c, d in ((2, 17), (0, 3))
    ]
    part = normal_scores(
        xr.concat([mean[2, 17], mean[0, 3]], "sample", coords="minimal", compat="override"),
        xr.concat([sd[2, 17], sd[0, 3]], "sample", coords="minimal", compat="override"),
    )
    np.testing.assert_allclose(top_probability(part, m=2).top_probability, np.mean(joined, axis=0))
    np.testing.assert_allclose(single, joined[0])


def test_leading_dimensions():
    mean = xr.DataArray(
        np.random.default_rng(3).normal(size=(3, 2, 4)), dims=("scenario", "weighting", "facility")
    )
    score = normal_scores(mean, xr.ones_like(mean))
    whole = rank_probability(score).rank_probability
    one = rank_probability(normal_scores(mean[1, 1], xr.ones_like(mean[1, 1]))).rank_probability
    np.testing.assert_allclose(whole.isel(scenario=1, weighting=1), one, atol=1e-9)
    sets = set_probability(score, m=2).set_probability.sum("set")
    np.testing.assert_allclose(sets, 1, atol=1e-8)


def test_components_with_weights():
    """A mixture given as components equals the weighted mean of its parts."""
    x = np.linspace(-12, 12, 1200)
    centres = np.array([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]])
    values = np.exp(-0.5 * (x - centres[..., np.newaxis]) ** 2)
    density = xr.DataArray(
        values,
        dims=("component", "facility", "point"),
        coords={"facility": list("ABC"), "point": x},
    )
    mixed = gridded_scores(density, xr.DataArray([3.0, 1.0], dims="component"))
    table = rank_probability(mixed)
    parts = [
        rank_probability(normal_scores(over(c), over([1.0] * 3))).rank_probability for c in centres
    ]
    np.testing.assert_allclose(table.rank_probability, 0.75 * parts[0] + 0.25 * parts[1], atol=1e-6)
    assert table.attrs["mcse_method"] == "exact"
    draws = mixed.sample(draws=100_000, seed=1)
    error = 4 * draws.std("sample") / np.sqrt(100_000)
    assert (np.abs(draws.mean("sample") - [0.5, 1.0, 1.5]) < error).all()


def test_posterior_mean_and_selection():
    score = beta_scores(over([2.0, 8.0, 5.0]), over([8.0, 2.0, 5.0]))
    chosen = select(score, m=1, rule="posterior_mean")
    np.testing.assert_allclose(chosen.criterion, [0.2, 0.8, 0.5])
    assert chosen.selected.values.tolist() == [False, True, False]
    assert not chosen.could_flip.any()
    tie = select(normal_scores(over([0.0, 0.0, 1.0]), over([1.0, 1.0, 1.0])), m=2)
    assert tie.tied.values.tolist() == [True, True, False]
    for side in ("top", "bottom"):
        ranks = select(score, m=1, side=side, rule="expected_rank").criterion
        np.testing.assert_allclose(ranks, expected_rank(score).expected_rank)


def test_too_many_sets_keep_the_likeliest(monkeypatch):
    score = normal_scores(over(np.linspace(0, 12, 12)), over([1.0] * 12))
    whole, _ = of_sets(score, 3, "top")
    monkeypatch.setattr(exact_module, "_SETS", 60)
    sets = set_probability(score)
    assert sets.sizes["set"] < len(whole)
    assert 0 < float(sets.rest) < 0.1
    assert superset(score).superset.sum() >= 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: normal_scores(over([0, 1]), over([1, 0])), "not positive"),
        (lambda: normal_scores(over([0, 1]), over([1, 1, 1])), "other labels"),
        (lambda: beta_scores(over([0.01, 1]), over([1, 1])), "below 0.05"),
        (lambda: gridded_scores(over([0, 1])), "need dimensions"),
        (lambda: gridded_scores(gamma_densities().expand_dims(component=2)), "with weights"),
        (lambda: gridded_scores(-gamma_densities()), "at least 0"),
    ],
)
def test_bad_distributions_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
