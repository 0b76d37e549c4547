"""Statements about the order."""

from itertools import pairwise, permutations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pdsim.errors import InputError
from pdsim.ranking import (
    above,
    between,
    criteria,
    expected_rank,
    in_bottom,
    in_top,
    meets,
    pairwise_probability,
    rank_probability,
    set_probability,
    statement_probability,
    steadiness,
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


@pytest.fixture(scope="module")
def crossed():
    """Two scores of which every pair of draws occurs once: independent to the last digit."""
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 40, 4))
    names = {"facility": list("ABCD")}
    return {
        name: xr.DataArray(values, dims=("sample", "facility"), coords=names)
        for name, values in (("a", np.repeat(first, 40, axis=0)), ("b", np.tile(second, (40, 1))))
    }


def probability(source, statement):
    return float(statement_probability(source, statement).statement_probability)


def test_statements_on_independent_scores_multiply(crossed):
    first, second = above("A", "C", score="a"), in_top("A", 2, score="b")
    alone = probability(crossed["a"], above("A", "C")), probability(crossed["b"], in_top("A", 2))
    assert probability(crossed, first) == alone[0]
    assert probability(crossed, first & second) == pytest.approx(alone[0] * alone[1], rel=1e-12)


def test_a_facility_that_meets_all_criteria_is_that_of_criteria(crossed):
    texts = ["not bottom(a, 25 %)", "top(b, 2)", "a <= 0.5"]
    whole = criteria(crossed, texts, m=2).all_probability
    for name in "ABCD":
        one, two, three = (meets(name, text) for text in texts)
        found = probability(crossed, one & two & three)
        assert found == pytest.approx(float(whole.sel(facility=name)), rel=1e-12)


def test_two_facilities_and_bounds_against_counting(crossed):
    a, b = (crossed[name].values for name in "ab")
    statement = meets("A", "a > 0") & (meets("B", "a > 0") | ~above("C", "D", score="b"))
    counted = (a[:, 0] > 0) & ((a[:, 1] > 0) | ~(b[:, 2] > b[:, 3]))
    assert probability(crossed, statement) == pytest.approx(counted.mean(), rel=1e-12)


def test_ties_of_each_score_are_broken_by_itself():
    tied = xr.DataArray(
        [[2.0, 1.0, 1.0]] * 2, dims=("sample", "facility"), coords={"facility": list("ABC")}
    )
    scores = {"a": tied, "b": 3.0 - tied}
    both = in_top("B", 2, score="a") & in_top("B", 1, score="b") & meets("B", "a >= 1")
    assert probability(scores, both) == 0.25
    # one lot decides all that is said of one score
    assert probability(scores, in_top("B", 2, score="a") & in_top("C", 2, score="a")) == 0.0


def test_rounds_are_scores_by_name(crossed):
    rounds = xr.concat([crossed["a"], crossed["b"]], "round").assign_coords(round=["1", "2"])
    found = steadiness(rounds, m=2).times_probability.sel(facility="A")
    one, two = in_top("A", 2, score="1"), in_top("A", 2, score="2")
    by_round = {name: rounds.sel(round=name, drop=True) for name in ("1", "2")}
    assert probability(by_round, one | two) == pytest.approx(float(found[0]), rel=1e-12)
    assert probability(by_round, one & two) == pytest.approx(float(found[1]), rel=1e-12)


@pytest.mark.parametrize(
    ("source", "statement", "message"),
    [
        ("whole", above("A", "B"), "does not say which"),
        ("whole", above("A", "B", score="aa"), "no score 'aa'; perhaps 'a' was meant"),
        ("a", meets("A", "b > 1"), "one without a name"),
    ],
)
def test_scores_are_named_where_there_are_several(crossed, source, statement, message):
    with pytest.raises(InputError, match=message):
        statement_probability(crossed if source == "whole" else crossed["a"], statement)


def test_what_is_no_criterion_is_refused():
    with pytest.raises(InputError, match="is no criterion"):
        meets("A", "best")
