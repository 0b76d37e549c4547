"""R2: deaths after infant heart surgery in twelve hospitals (BUGS examples, volume 1)."""

import numpy as np
import pytest
import xarray as xr
from scipy.special import gammaln

from pdsim.ranking import (
    beta_scores,
    disagreement,
    expected_rank,
    gridded_scores,
    pairwise_probability,
    rank_interval,
    rank_probability,
    set_probability,
    top_probability,
)
from pdsim.reports.study.rule_words import disagreement_words

TRIALS = np.array([47, 148, 119, 810, 211, 196, 148, 215, 207, 97, 256, 360], dtype=float)
DEATHS = np.array([0, 18, 8, 46, 8, 13, 9, 31, 14, 8, 29, 24], dtype=float)
HOSPITALS = list("ABCDEFGHIJKL")

# E[rank], P(best), P(lowest 3), P(highest 3), P(worst); rank 1 = lowest mortality
INDEPENDENT = {
    "A": (1.47385, 0.825019, 0.935101, 0.004046, 0.000513),
    "B": (10.49712, 0.000007, 0.000563, 0.812781, 0.235050),
    "E": (2.60001, 0.126512, 0.818896, 0.000496, 0.000003),
    "H": (11.45646, 0.000000, 0.000001, 0.969211, 0.619219),
    "J": (7.86609, 0.003406, 0.070860, 0.260270, 0.040624),
    "K": (10.06100, 0.000001, 0.000160, 0.734056, 0.093271),
}
# E[rank], P(best), P(lowest 3), P(highest 3), published 2.5 / 50 / 97.5 percentiles of the rank
RANDOM_EFFECTS = {
    "A": (3.3403, 0.3617, 0.6349, 0.0292, 1, 2, 10),
    "B": (10.0390, 0.0008, 0.0067, 0.7208, 6, 10, 12),
    "C": (6.0515, 0.0477, 0.2162, 0.1010, 1, 6, 11),
    "D": (3.9465, 0.0820, 0.4441, 0.0018, 1, 4, 8),
    "E": (2.8081, 0.3194, 0.7213, 0.0051, 1, 2, 8),
    "H": (11.4121, 0.0001, 0.0005, 0.9535, 9, 12, 12),
    "K": (10.1361, 0.0003, 0.0025, 0.7519, 6, 10, 12),
}


@pytest.fixture(scope="module")
def independent():
    coords = {"facility": HOSPITALS}
    deaths = xr.DataArray(1 + DEATHS, dims="facility", coords=coords)
    return beta_scores(xr.DataArray(1 + TRIALS - DEATHS, dims="facility", coords=coords), deaths)


@pytest.fixture(scope="module")
def random_effects():
    """Densities of the logits given (mu, tau), on a grid of both: no sampling anywhere."""
    logit = np.linspace(-8.0, -0.6, 297)
    means = np.linspace(-3.4, -1.8, 20)
    logs = np.linspace(np.log(0.014), np.log(2.0), 28)
    mean, log = (part.ravel() for part in np.meshgrid(means, logs, indexing="ij"))
    sd = np.exp(log)
    likelihood = DEATHS[:, np.newaxis] * logit - TRIALS[:, np.newaxis] * np.logaddexp(0, logit)
    likelihood -= likelihood.max(axis=1, keepdims=True)
    z = (logit - mean[:, np.newaxis]) / sd[:, np.newaxis]
    prior = np.exp(-0.5 * z**2) / sd[:, np.newaxis]
    density = prior[:, np.newaxis] * np.exp(likelihood)
    # tau ~ Gamma(0.001, 0.001), as a density of log sd; mu is flat
    weight = np.log(density.sum(axis=2)).sum(axis=1)
    weight += -2 * 0.001 * log - 0.001 * np.exp(-2 * log) + 0.001 * np.log(0.001) - gammaln(0.001)
    weight = np.exp(weight - weight.max())
    keep = weight > 1e-5
    scores = xr.DataArray(
        density[keep][:, :, ::-1],
        dims=("component", "facility", "point"),
        coords={"facility": HOSPITALS, "point": -logit[::-1]},
    )
    return gridded_scores(scores, xr.DataArray(weight[keep], dims="component"))


def columns(score):
    ranks = rank_probability(score).rank_probability
    return {
        "expected": expected_rank(score).expected_rank,
        "best": ranks.sel(rank=1),
        "lowest": top_probability(score).top_probability,
        "highest": top_probability(score, side="bottom").top_probability,
        "worst": ranks.sel(rank=12),
    }


def members(sets, number):
    return "".join(sets.facility.values[sets.member.values[number]])


def test_independent_model_to_six_digits(independent):
    found = columns(independent)
    for hospital, expected in INDEPENDENT.items():
        values = [float(column.sel(facility=hospital)) for column in found.values()]
        assert values[0] == pytest.approx(expected[0], abs=0.6e-5)
        np.testing.assert_allclose(values[1:], expected[1:], atol=0.6e-6)


def test_independent_sets(independent):
    highest = set_probability(independent, side="bottom")
    lowest = set_probability(independent)
    for sets, expected in (
        (highest, {"BHK": 0.539937, "BHJ": 0.135670}),
        (lowest, {"ADE": 0.205080, "AEG": 0.163532}),
    ):
        assert sets.sizes["set"] == 220
        assert float(sets.set_probability.sum()) == pytest.approx(1, abs=1e-9)
        for number, (names, probability) in enumerate(expected.items()):
            assert members(sets, number) == names
            assert float(sets.set_probability[number]) == pytest.approx(probability, abs=0.6e-6)


def test_random_effects_by_quadrature(random_effects):
    found = columns(random_effects)
    for hospital, expected in RANDOM_EFFECTS.items():
        values = [float(column.sel(facility=hospital)) for column in found.values()]
        np.testing.assert_allclose(values[:4], expected[:4], atol=1e-3)


def test_random_effects_sets_and_pair(random_effects):
    highest = set_probability(random_effects, side="bottom", limit=1)
    lowest = set_probability(random_effects, limit=1)
    assert members(highest, 0) == "BHK"
    assert float(highest.set_probability[0]) == pytest.approx(0.4783, abs=1e-3)
    assert members(lowest, 0) == "ADE"
    assert float(lowest.set_probability[0]) == pytest.approx(0.1252, abs=1e-3)
    pairs = pairwise_probability(random_effects).pairwise_probability
    assert float(pairs.sel(facility="K", other="H")) == pytest.approx(0.7938, abs=1e-3)


def test_published_rank_intervals(random_effects):
    """The published ones were sampled: a bound may lie one rank off where P is on the edge."""
    found = rank_interval(random_effects)
    below = rank_probability(random_effects).rank_probability.cumsum("rank")
    for hospital, expected in RANDOM_EFFECTS.items():
        low, high = found.rank_interval.sel(facility=hospital).values
        median = float(found.rank_median.sel(facility=hospital))
        for bound, published, level in zip(
            (low, median, high), expected[4:], (0.025, 0.5, 0.975), strict=True
        ):
            edge = float(below.sel(facility=hospital, rank=min(bound, published)))
            assert bound == published or abs(edge - level) < 0.003


def test_report_on_disagreement_says_who_leads_by_what(random_effects):
    best = " ".join(disagreement_words(disagreement(random_effects, rules=["p_top"])))
    assert "E has the better expected rank (2.81 against 3.34)" in best
    assert "the higher P(best 3) (0.72 against 0.63)" in best
    assert "A the higher P(best) (0.36 against 0.32)" in best
    worst = disagreement(random_effects, side="bottom", rules=["p_top"])
    words = " ".join(disagreement_words(worst))
    assert "K has the worse expected rank (10.14 against 10.04)" in words
    assert "B the higher P(worst)" in words
