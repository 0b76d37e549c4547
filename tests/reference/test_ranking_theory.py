"""R3, R4, R9: what is attainable, correct selection of normal means, the winner's curse."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from pdsim.ranking import (
    above,
    normal_scores,
    select,
    set_probability,
    statement_probability,
    winners_curse,
)

# R3: reliability, overlap / 3, P(exact top 3), P(both sets exact), P(a true bottom 3 is selected)
ATTAINABLE = [
    (0.3, 0.5332, 0.0840, 0.0084, 0.2989),
    (0.5, 0.6211, 0.1595, 0.0264, 0.1641),
    (0.7, 0.7114, 0.2812, 0.0778, 0.0655),
    (0.9, 0.8304, 0.5240, 0.2697, 0.0075),
]


def means(values):
    return xr.DataArray(np.asarray(values, dtype=float), dims="facility")


def correct_selection(count, best, lead):
    """Return P(the t best of k unit-variance means are exactly the largest)."""
    mean = means([lead] * best + [0.0] * (count - best))
    sets = set_probability(normal_scores(mean, 0 * mean + 1), m=best)
    right = np.arange(count) < best
    return float(sets.set_probability[(sets.member == right).all("facility")][0])


@pytest.mark.parametrize("row", ATTAINABLE)
def test_attainable(row):
    reliability, *expected = row
    replicates = 40_000
    generator = np.random.default_rng(1)
    truth = generator.normal(size=(replicates, 10))
    noise = generator.normal(size=truth.shape) * np.sqrt(1 / reliability - 1)
    observed = xr.DataArray(truth + noise, dims=("replicate", "facility"))

    def chosen(values, side):
        found = select(None, rule="observed_change", observed=values, side=side)
        return found.selected.values

    true = xr.DataArray(truth, dims=("replicate", "facility"))
    top, bottom = chosen(observed, "top"), chosen(observed, "bottom")
    true_top, true_bottom = chosen(true, "top"), chosen(true, "bottom")
    exact = (top == true_top).all(axis=1)
    measures = np.stack(
        [
            (top & true_top).sum(axis=1) / 3,
            exact,
            exact & (bottom == true_bottom).all(axis=1),
            (top & true_bottom).any(axis=1),
        ]
    ).astype(float)
    error = measures.std(axis=1) / np.sqrt(replicates)
    assert (np.abs(measures.mean(axis=1) - expected) < 4 * np.hypot(error, 0.0004)).all()


def test_attainable_by_chance():
    assert correct_selection(10, 3, 0.0) == pytest.approx(1 / 120, abs=1e-8)


@pytest.mark.parametrize(
    ("lead", "expected"), [(1, 0.105411), (2, 0.431112), (3, 0.798214), (4, 0.962361)]
)
def test_correct_selection(lead, expected):
    assert correct_selection(10, 3, lead) == pytest.approx(expected, abs=0.6e-6)
    assert correct_selection(10, 7, lead) == pytest.approx(expected, abs=0.6e-6)


@pytest.mark.parametrize(
    ("count", "best", "probability", "lead"),
    [
        (10, 3, 0.75, 2.8360),
        (10, 3, 0.90, 3.4649),
        (10, 3, 0.95, 3.8541),
        (10, 3, 0.99, 4.6100),
        (2, 1, 0.95, 2.3262),
        (3, 1, 0.95, 2.7101),
        (4, 1, 0.95, 2.9162),
        (5, 1, 0.95, 3.0552),
    ],
)
def test_lead_for_a_probability(count, best, probability, lead):
    """The probability is passed between the two neighbours of the printed fourth decimal."""
    below = correct_selection(count, best, lead - 0.6e-4)
    assert below < probability < correct_selection(count, best, lead + 0.6e-4)


def test_top_and_bottom_jointly_right():
    """Ten means, lead and lag 3.9629: top 3 and bottom 3 both right with 0.95."""
    lead = 3.9629
    mean = means([lead] * 3 + [0.0] * 4 + [-lead] * 3).assign_coords(facility=list("ABCDEFGHIJ"))
    # independently: integrate over the smallest of the top and the largest of the bottom
    x = np.linspace(-9, 9, 6001)
    low, high = stats.norm.cdf(x + lead) ** 3, stats.norm.sf(x - lead) ** 3
    density_low, density_high = np.gradient(low, x), -np.gradient(high, x)
    middle = stats.norm.cdf(x)
    step = x[1] - x[0]
    between = np.clip(middle[:, np.newaxis] - middle, 0, None) ** 4
    exact = density_high @ between @ density_low * step**2
    assert exact == pytest.approx(0.95, abs=0.5e-4)
    draws = normal_scores(mean, 0 * mean + 1).sample(draws=100_000, seed=1)
    statement = ~(above("A", "B") & ~above("A", "B"))
    for one in "ABC":
        for other in "DEFG":
            statement = statement & above(one, other)
    for one in "DEFG":
        for other in "HIJ":
            statement = statement & above(one, other)
    found = statement_probability(draws, statement)
    gap = abs(float(found.statement_probability) - 0.95)
    assert gap < 4 * float(found.statement_probability_mcse)


def test_winners_curse():
    estimate = means(np.arange(5))
    found = winners_curse(estimate, 0 * estimate + 1)
    low, high = found.conditional_interval.values[4]
    assert low == pytest.approx(0.06742731, abs=1e-6)
    assert float(found.conditional_estimate[4]) == pytest.approx(3.68627552, abs=1e-6)
    assert high == pytest.approx(5.93267239, abs=1e-6)
