"""A facility against a fit of all others."""

import numpy as np
import pytest
from scipy.stats import norm

import pdsim
from pdsim.errors import InputError
from pdsim.model import outlying
from pdsim.model.outlying import as_extreme


def study(kind: str, far: float) -> pdsim.Study:
    """Twelve facilities whose changes spread by 0.3 logits (or SDs); the last is `far` more off."""
    rng = np.random.default_rng(5)
    rows = []
    change = rng.normal(0.5, 0.3, 12) + far * (np.arange(12) == 11)
    for i in range(12):
        for k in range(3):
            for t, period in enumerate(("baseline", "endline")):
                eta = -0.3 + 0.4 * k + t * change[i]
                if kind == "counts":
                    rows.append(
                        (f"f{i}", f"k{k}", period, rng.binomial(200, 1 / (1 + np.exp(-eta))), 200)
                    )
                else:
                    rows.append((f"f{i}", f"k{k}", period, 50 + 10 * eta + rng.normal(), 1.0))
    values = ("successes", "trials") if kind == "counts" else ("mean", "se")
    names = ("facility", "indicator", "period", *values)
    return pdsim.Study.from_long(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


@pytest.mark.parametrize("kind", ["counts", "scores"])
def test_an_outlier_is_one_and_the_end_of_a_spread_is_none(kind):
    for far, outlier in ((0.0, False), (3.0, True)):
        found = outlying(study(kind, far), facilities=["f11"], replicates=1000)
        assert bool(found["p_extreme"][0] < 0.05) is outlier
    # one minus the probability that none of twelve is as far
    p = float(found["p_alone"][0])
    assert float(found["p_extreme"][0]) == pytest.approx(1 - (1 - p) ** 12)


def test_one_period_and_what_is_refused():
    surgical = pdsim.load_example("surgical")
    found = outlying(surgical, facilities=["H"], replicates=500)
    assert 0.0 < float(found["p_alone"][0]) < 1.0
    with pytest.raises(InputError, match="no facility 'Z'"):
        outlying(surgical, facilities=["Z"])


def test_the_largest_of_ten_normals():
    """P(max of 10 < 2.5679) = .95, by its distribution and by drawing."""
    assert as_extreme(norm.sf(2.5679), 10) == pytest.approx(0.05, abs=1e-5)
    draws = 100_000
    largest = np.random.default_rng(1).normal(size=(draws, 10)).max(axis=1)
    error = np.sqrt(0.05 * 0.95 / draws)
    assert (largest > 2.5679).mean() == pytest.approx(0.05, abs=4 * error)
