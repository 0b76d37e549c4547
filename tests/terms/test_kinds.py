"""Kinds of data: levels, missing cells, lookups."""

import numpy as np
import pytest

from pdsim.errors import InputError
from pdsim.terms.kinds import COUNTS, KINDS, SCORES, kind_named


def test_levels_are_turned_and_missing_cells_have_none() -> None:
    lower = np.array([False, True, False])
    value, size = np.array([3.0, 3.0, 0.0]), np.array([4.0, 4.0, 0.0])
    np.testing.assert_array_equal(COUNTS.level(value, size, lower), [0.75, 0.25, np.nan])
    assert COUNTS.missing(value, size).tolist() == [False, False, True]
    mean = np.array([3.0, 2.0, np.nan])
    np.testing.assert_array_equal(SCORES.level(mean, mean, lower), [3.0, -2.0, np.nan])
    assert SCORES.missing(mean, mean).tolist() == [False, False, True]


def test_a_missing_cell_is_blank_by_its_own_rule() -> None:
    for kind in KINDS.values():
        value, size = (np.array([item]) for item in kind.blank)
        assert kind.missing(value, size).all()


def test_a_kind_that_is_not_there_is_refused() -> None:
    assert kind_named("scores") is SCORES
    with pytest.raises(InputError, match="no kind of data 'normal'; use one of: counts, scores"):
        kind_named("normal")
