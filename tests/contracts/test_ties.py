"""A tie means one thing: places as arrays, as kernels of the weights and of simulated studies."""

import numpy as np
import pytest

from pdsim.simulation.ties import mark_end
from pdsim.terms.places import cut, membership, places, shares
from pdsim.weights.score_kernels import BLOCK, PAIRS_UP_TO, block_places


@pytest.mark.parametrize("facilities", [2, 7, PAIRS_UP_TO, PAIRS_UP_TO + 1, 90])
@pytest.mark.parametrize("levels", [2, 5, 10**6])
def test_the_same_places_everywhere(facilities, levels):
    rng = np.random.default_rng([facilities, levels])
    values = rng.integers(0, levels, (BLOCK, facilities)).astype(float)
    ahead, tied = places(values)
    scores = np.ascontiguousarray(values.T)
    before, same = np.empty_like(scores), np.empty_like(scores)
    any_tie = block_places(scores, BLOCK, before, same)
    np.testing.assert_array_equal(before.T, ahead)
    np.testing.assert_array_equal(same.T, tied)
    assert any_tie == (tied > 1).any()
    for m in {1, facilities // 2}:
        share, (sure, open_) = membership(ahead, tied, m), cut(values, m)
        np.testing.assert_allclose(shares(values, m), share)
        for row, value in enumerate(values):
            found, place = np.empty(facilities), np.empty(facilities, dtype=np.int64)
            mark_end(np.argsort(-value, kind="stable"), value, m, found, place)
            np.testing.assert_allclose(found, share[row])
            np.testing.assert_array_equal(place == 2, sure[row])
            np.testing.assert_array_equal(place == 1, open_[row])
