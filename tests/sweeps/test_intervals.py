"""Sets of replicates against Python sets."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pdsim.sweeps.ledger import Intervals

pairs = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=12)
bounds = st.tuples(st.integers(0, 45), st.integers(0, 45))


def numbers(parts):
    return {number for start, stop in parts for number in range(start, stop)}


@given(pairs, bounds)
def test_agree_with_sets(parts, window):
    intervals, inside = Intervals(parts), set(range(*window))
    assert numbers(intervals) == numbers(parts)
    assert numbers(intervals.missing(*window)) == inside - numbers(parts)
    assert numbers(intervals.within(*window)) == inside & numbers(parts)
    assert intervals.count(*window) == len(inside & numbers(parts))


@given(pairs)
def test_are_sorted_and_apart(parts):
    found = list(Intervals(parts))
    assert all(start < stop for start, stop in found)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(found))


@given(pairs, st.sets(st.integers(0, 40), max_size=5))
def test_without_single_numbers(parts, single):
    assert numbers(Intervals(parts).without(single)) == numbers(parts) - single
