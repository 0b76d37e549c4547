"""The worth of more cases on posteriors whose answer is known."""

import numpy as np
import pytest

from pdsim.planning.allocation import Posterior, _exchange, _spread, chance_right, outcomes
from pdsim.planning.closed import pcs_means

MEAN = np.array([9.0, 6.0, 3.2, 2.8, 0.0, -3.0, -6.0, -9.0])
INDICATORS = 3


def posterior(mean=MEAN, variance=0.3):
    size = mean.size
    eye = np.eye(INDICATORS)
    return Posterior(
        mean=mean,
        variance=np.full(size, variance),
        cross=np.full((size, INDICATORS), variance * 0.5),
        spread=np.tile(variance * (0.5 * eye + 0.5), (size, 1, 1)),
        noise=np.tile(4.0 * eye, (size, 1, 1)),
    )


def test_without_new_cases_it_is_the_chance_of_the_leading_set():
    given = posterior(variance=2.0)
    found = chance_right(given, np.zeros(8), m=3, side="top", normals=np.zeros((1, 8)))
    assert found == pytest.approx(pcs_means(MEAN, np.sqrt(given.variance), m=3), abs=2e-3)


def test_sides_mirror_each_other():
    given, turned = posterior(), posterior(mean=-MEAN)
    cases, normals = np.full(8, 5.0), outcomes(8, 1)
    top = chance_right(given, given.resolved(cases), m=3, side="top", normals=normals)
    bottom = chance_right(turned, turned.resolved(cases), m=3, side="bottom", normals=-normals)
    assert top == pytest.approx(bottom, abs=1e-9)


def test_more_cases_resolve_more_and_never_all():
    given = posterior()
    few, many = given.resolved(np.full(8, 5.0)), given.resolved(np.full(8, 500.0))
    assert (few > 0).all()
    assert (few < many).all()
    assert (many < given.variance).all()
    assert (given.resolved(np.zeros(8)) == 0).all()


def test_the_two_at_the_boundary_get_the_cases():
    given, normals = posterior(), outcomes(8, 1)

    def value(cases):
        return chance_right(given, given.resolved(cases), m=3, side="top", normals=normals)

    equal = _spread(np.ones(8), 80)
    best = _exchange(value, equal)
    assert best.sum() == 80
    assert best[[2, 3]].sum() > 60
    assert value(best) > value(equal) + 0.01


def test_shares_are_whole_and_complete():
    assert _spread(np.array([1.0, 1.0, 1.0]), 10).tolist() == [4, 3, 3]
