"""Statements about the order."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pdsim.errors import InputError
from pdsim.ranking import (
    above,
    between,
    expected_rank,
    in_bottom,
    in_top,
    pairwise_probability,
    rank_probability,
    set_probability,
    statement_probability,
    top_probability,
)

DRAWS = arrays(np.float64, st.tuples(st.integers(4, 8), st.just(4)), elements=st.integers(0, 2))
STATEMENTS = {
    "and": (above("A", "B") & in_top("C", 2), lambda r: r[0] < r[1] and r[2] <= 2),
    "or": (in_bottom("A", 1) | above("D", "A"), lambda r: r[0] == 4 or r[3] < r[0]),
    "not": (~(above("A", "B") & above("B", "C")), lambda r: not (r[0] < r[1] < r[2])),
    "between": (between("B", 2, 3) & ~in_top("A", 1), lambda r: 2 <= r[1] <= 3 and r[0] > 1),
    "all": (
        above("A", "B") & above("B", "C") & above("C", "D"),
        lambda r: r[0] < r[1] < r[2] < r[3],
    ),
}


def orders(row):
    """Return the ranks of all orders that break the ties of a draw."""
    for order in permutations(range(len(row))):
        if all(row[a] >= row[b] for a, b in pairwise(order)):
            yield {facility: place + 1 for place, facility in enumerate(order)}


@settings(max_examples=25)
@given(DRAWS, st.sampled_from(sorted(STATEMENTS)))
def test_equals_listing_the_orders(score_of, values, name):
    statement, holds = STATEMENTS[name]
    expected = np.mean([np.mean([holds(r) for r in orders(row)]) for row in values])
    found = statement_probability(score_of(values), statement)
    assert float(found.statement_probability) == pytest.approx(expected)


@settings(max_examples=15)
@given(DRAWS)
def test_agrees_with_the_other_functions(score_of, values):
    score = score_of(values)

    def p(statement):
        return float(statement_probability(score, statement).statement_probability)

    table = rank_probability(score).rank_probability.values
    pairs = pairwise_probability(score).pairwise_probability.values
    assert p(in_top("B", 2)) == pytest.approx(float(top_probability(score, m=2).top_probability[1]))
    assert p(between("C", 2, 3)) == pytest.approx(table[2, 1:3].sum())
    assert p(above("A", "D")) == pytest.approx(pairs[0, 3])
    assert p(above("A", "B") | ~above("A", "B")) == pytest.approx(1)
    sets = set_probability(score, m=2)
    for member, probability in zip(sets.member.values, sets.set_probability.values, strict=True):
        one, two = (score.facility.values[i] for i in np.flatnonzero(member))
        assert p(in_top(one, 2) & in_top(two, 2)) == pytest.approx(float(probability))
    rank = 1 + sum(p(above(other, "A")) for other in "BCD")
    assert rank == pytest.approx(float(expected_rank(score).expected_rank[0]))


def test_error_and_leading_dimensions(score_of, chains):
    values = chains((2, 300, 3, 4), correlation=0.8, seed=1).transpose(2, 0, 1, 3)
    score = score_of(values, dims=("scenario", "chain", "draw", "facility"))
    statement = above("A", "B") & above("B", "C")
    whole = statement_probability(score, statement)
    one = statement_probability(score.isel(scenario=2), statement)
    assert float(whole.statement_probability[2]) == float(one.statement_probability)
    assert float(whole.statement_probability_mcse[2]) == float(one.statement_probability_mcse)
    independent = statement_probability(score.assign_attrs(ess=600.0), statement)
    assert float(one.statement_probability_mcse) > float(independent.statement_probability_mcse[2])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: above("A", "A"), "compared with itself"),
        (lambda: in_top("A", 0), "0 < 1"),
        (lambda: between("A", 3, 2), "2 < 3"),
    ],
)
def test_senseless_statements_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_unknown_facilities_are_all_named(score_of):
    with pytest.raises(InputError, match=r"'X'[^']*'Y'"):
        statement_probability(score_of(np.eye(4)), above("X", "Y"))


def test_too_many_ties_are_refused(score_of):
    score = score_of(np.zeros((4, 12)))
    statement = above("A", "B") & above("C", "D") & above("E", "F")
    with pytest.raises(InputError, match="ordered in 665280 ways"):
        statement_probability(score, statement)
    few = statement_probability(score, above("A", "B") & above("B", "C"))
    assert float(few.statement_probability) == pytest.approx(1 / 6)
