"""R-hat and effective numbers against ArviZ."""

import arviz_stats as azs
import numpy as np
import xarray as xr

from pdsim.model.laplace.chains import effective_number, split_rhat


def _chains(number=400, chains=8, shift=0.0):
    """Three quantities: independent, slowly moving, and turning back and forth."""
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(number, chains, 3))
    values = noise.copy()
    for n in range(1, number):
        values[n] = np.array([0.0, 0.8, -0.4]) * values[n - 1] + noise[n]
    return values + shift * np.arange(chains)[:, None]


def test_effective_number_is_that_of_arviz():
    for shift in (0.0, 0.03):
        values = _chains(shift=shift)
        array = xr.DataArray(values, dims=("draw", "chain", "quantity"))
        exact = azs.ess(array, sample_dims=["chain", "draw"], method="mean")
        # ArviZ cuts chains in two first
        np.testing.assert_allclose(effective_number(values), exact, rtol=0.1)


def test_rhat_is_that_of_arviz():
    values = _chains(shift=0.2)
    array = xr.DataArray(values, dims=("draw", "chain", "quantity"))
    exact = azs.rhat(array, sample_dims=["chain", "draw"], method="split")
    np.testing.assert_allclose(split_rhat(values), exact, rtol=1e-6)


def test_what_does_not_vary():
    still = np.ones((20, 8, 1))
    assert effective_number(still) == 160
    assert split_rhat(still) <= 1.0
