"""What a next round would observe, from a fit."""

import numpy as np
import pytest

import pdsim
from pdsim.errors import InputError
from pdsim.model import next_round


@pytest.fixture(scope="module")
def fit():
    return pdsim.fit(pdsim.load_example("surgical"), engine="laplace", seed=1, draws=1000)


def moments(fit):
    level = pdsim.levels(fit).isel(period=-1, indicator=0).stack(sample=("chain", "draw"))
    return 100 * level.transpose("sample", "facility").to_numpy()


def test_new_cases_add_their_binomial_variance(fit):
    level, ahead = moments(fit), next_round(fit, seed=2)
    cases = pdsim.load_example("surgical").data["trials"].isel(indicator=0, period=-1).to_numpy()
    new = (level * (100 - level)).mean(axis=0) / cases
    expected = level.var(axis=0) + new
    size = len(level)
    assert (np.abs(ahead.mean("sample") - level.mean(axis=0)) < 5 * np.sqrt(new / size)).all()
    # the variance of a variance, with room for tails heavier than the normal's
    error = expected * np.sqrt(3 / size)
    assert (np.abs(ahead.var("sample") - expected) < 5 * error).all()


def test_drift_makes_it_less_sure(fit):
    spread = [next_round(fit, drift=drift, seed=2).std("sample") for drift in (0.0, 0.5)]
    assert (spread[1] > spread[0]).all()
    sure = [pdsim.top_probability(next_round(fit, drift=d), m=3).top_probability for d in (0, 2)]
    assert float((sure[1] ** 2).sum()) < float((sure[0] ** 2).sum())


def test_a_forecast_is_less_sure_than_the_level(fit):
    level = pdsim.top_probability(pdsim.composite(fit), m=3).top_probability
    ahead = pdsim.top_probability(next_round(fit), m=3).top_probability
    assert float((ahead**2).sum()) < float((level**2).sum())


def test_negative_drift_is_refused(fit):
    with pytest.raises(InputError, match="standard deviation"):
        next_round(fit, drift=-1.0)
