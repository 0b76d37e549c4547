"""Joint criteria against products, minima and quadrature; Pareto; what naming costs."""

import numpy as np
import pytest
import xarray as xr
from scipy.integrate import quad
from scipy.stats import beta

from pdsim.errors import InputError
from pdsim.ranking import (
    criteria,
    naming_costs,
    naming_threshold,
    top_probability,
    undominated_probability,
)
from pdsim.terms.criteria import parse_criterion, score_names

TRIALS = np.array([47, 148, 119, 810, 211, 196, 148, 215, 207, 97, 256, 360])
DEATHS = np.array([0, 18, 8, 46, 8, 13, 9, 31, 14, 8, 29, 24])


def draws_of(values):
    return xr.DataArray(values, dims=("sample", "facility"))


@pytest.fixture(scope="module")
def crossed():
    """Two scores of which every pair of draws occurs once: independent to the last digit."""
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 40, 6))
    return {"a": draws_of(np.repeat(first, 40, axis=0)), "b": draws_of(np.tile(second, (40, 1)))}


def test_independent_scores_multiply(crossed):
    texts = ["top(a, 2)", "not bottom(b, 50 %)", "b <= 1"]
    found = criteria(crossed, texts, m=2)
    first, *second = found.met_probability.values
    both = criteria({"b": crossed["b"]}, texts[1:], m=2).all_probability
    np.testing.assert_allclose(found.all_probability, first * both, rtol=1e-12)
    np.testing.assert_allclose(second[0].sum(), 3, rtol=1e-12)
    lost = both * (1 - first)
    np.testing.assert_allclose(found.only_probability[0], lost, rtol=1e-12)


def test_identical_scores_give_the_minimum(crossed):
    same = {"a": crossed["a"], "again": crossed["a"]}
    found = criteria(same, ["top(a, 2)", "top(again, 4)"], m=2)
    np.testing.assert_allclose(found.all_probability, found.met_probability.min("criterion"))
    best = top_probability(crossed["a"], m=2).top_probability
    np.testing.assert_allclose(found.all_probability, best)


def test_sums_and_numbers_are_bounded_by_m(crossed):
    found = criteria(crossed, ["top(a, 3)", "top(b, 2)"], m=2)
    assert float(found.all_probability.sum()) <= 2
    np.testing.assert_allclose(found.number_probability.sum(), found.all_probability.sum())
    assert (found.number_probability[2:] == 0).all()
    best = np.sort(found.all_probability)[::-1][:2]
    assert found.attrs["expected"] == pytest.approx(best.sum())
    np.testing.assert_array_equal(np.sort(found.all_probability[found.selected])[::-1], best)


def test_ties_are_settled_by_lot():
    tied = draws_of(np.array([[2.0, 1.0, 1.0], [2.0, 1.0, 1.0]]))
    found = criteria({"a": tied, "b": -tied}, ["top(a, 2)", "top(b, 1)"], m=1)
    np.testing.assert_allclose(found.met_probability, [[1, 0.5, 0.5], [0, 0.5, 0.5]])
    np.testing.assert_allclose(found.all_probability, [0, 0.25, 0.25])
    np.testing.assert_allclose(found.number_probability, [7 / 16, 1 / 16, 0])
    assert not found.selected.any()
    assert found.tied.values.tolist() == [False, True, True]


def test_surgical_rates_below_a_bound_and_among_the_lowest_against_quadrature():
    """P(rate < .05 and among the lowest 3), Beta(1, 1) priors, each hospital by itself."""
    posteriors = [beta(1 + d, 1 + n - d) for d, n in zip(DEATHS, TRIALS, strict=True)]

    def integrand(x, i):
        # P(at most two of the others are lower), a Poisson binomial
        count = np.array([1.0, 0.0, 0.0])
        for j, other in enumerate(posteriors):
            if j != i:
                p = other.cdf(x)
                count = count * (1 - p) + p * np.array([0.0, *count[:-1]])
        return posteriors[i].pdf(x) * count.sum()

    exact = [quad(integrand, 0, 0.05, args=(i,), limit=200)[0] for i in range(12)]
    rng = np.random.default_rng(2)
    size = 100_000
    rates = rng.beta(1 + DEATHS, 1 + TRIALS - DEATHS, (size, 12))
    found = criteria({"survival": draws_of(-rates)}, ["top(survival, 3)", "survival > -0.05"])
    error = np.sqrt(np.array(exact) * (1 - np.array(exact)) / size)
    assert (np.abs(found.all_probability - exact) < 4 * error + 1e-5).all()
    stated = found.all_probability_mcse.values[error > 1e-4]
    np.testing.assert_allclose(stated, error[error > 1e-4], rtol=0.05)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("top(chnge, 3)", "perhaps 'change' was meant"),
        ("change", "is no criterion"),
        ("top(change, 2.5)", "names no end"),
        ("top(change, 120 %)", "names no end"),
        ("top(change, 9)", "asks for 9 of 6 facilities"),
        ("__import__('os') > 1", "there is no score"),
        ("change > 1e999 or 1", "is no criterion"),
    ],
)
def test_what_is_no_criterion_is_refused(crossed, text, what):
    with pytest.raises(InputError, match=what):
        criteria({"change": crossed["a"], "ratio": crossed["b"]}, [text], m=1)


def test_scores_that_do_not_belong_together_are_refused(crossed):
    short = crossed["b"].isel(sample=slice(10))
    with pytest.raises(InputError, match="do not belong together"):
        criteria({"a": crossed["a"], "b": short}, ["a > 0", "b > 0"], m=1)


def test_names_with_brackets_and_shares():
    names = score_names("counts", ["2021", "2023"], ["k, (1)", "x"], ["safety"])
    assert parse_criterion("top(change[k, (1)], 20 %)", names).count(12) == 2
    assert parse_criterion("not level[2023] >= 60", names).negated


def test_undominated_of_one_domain_is_the_best(crossed):
    one = crossed["a"].expand_dims("domain")
    best = top_probability(crossed["a"], m=1).top_probability
    np.testing.assert_allclose(undominated_probability(one).undominated_probability, best)
    rng = np.random.default_rng(3)
    size = 40_000
    two = xr.DataArray(rng.normal(size=(2, size, 3)), dims=("domain", "sample", "facility"))
    exact = (1 + 1 / 2 + 1 / 3) / 3  # expected maxima of 3 points in the plane: H_3
    found = undominated_probability(two).undominated_probability
    assert (np.abs(found - exact) < 4 * np.sqrt(exact * (1 - exact) / size)).all()


def test_thresholds_and_what_they_flag(crossed):
    assert [naming_threshold(wrong=1, missed=k) for k in (1, 2, 4)] == [1 / 2, 1 / 3, 1 / 5]
    for missed in (0.5, 1.0, 2.0, 4.0):
        found = naming_costs(crossed["a"], m=2, missed=missed)
        p = top_probability(crossed["a"], m=2).top_probability
        np.testing.assert_array_equal(found.flagged, p > 1 / (1 + missed))
        assert found.attrs["cheapest"] == int(found.expected_cost.values.argmin())
        assert found.attrs["cheapest"] == int(found.flagged.sum())
        ordered = np.sort(p)[::-1]
        by_hand = [
            (1 - ordered[:n]).sum() + missed * ordered[n:].sum() for n in range(len(ordered) + 1)
        ]
        np.testing.assert_allclose(found.expected_cost, by_hand)
    with pytest.raises(InputError, match="positive numbers"):
        naming_costs(crossed["a"], m=2, missed=0.0)
