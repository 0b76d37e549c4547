"""Scores for the ranking tests."""

import numpy as np
import pytest
import xarray as xr


def _score_of(values, *, dims=("sample", "facility"), **attrs):
    values = np.asarray(values, dtype=float)
    names = [chr(65 + i) if i < 26 else f"F{i}" for i in range(values.shape[-1])]
    return xr.DataArray(values, dims=dims, coords={"facility": names}, attrs=attrs)


@pytest.fixture(scope="session")
def score_of():
    """Label draws; facilities are A, B, C, ..."""
    return _score_of


@pytest.fixture(scope="session")
def chains():
    """Make first-order autoregressive chains of unit variance, (chain, draw, ...)."""

    def make(shape, *, correlation, seed):
        generator = np.random.default_rng(seed)
        noise = generator.standard_normal(shape)
        values = np.empty(shape)
        values[:, 0] = noise[:, 0]
        scale = np.sqrt(1 - correlation**2)
        for draw in range(1, shape[1]):
            values[:, draw] = correlation * values[:, draw - 1] + scale * noise[:, draw]
        return values

    return make


@pytest.fixture(scope="session")
def surgical():
    """Trials and deaths of the twelve hospitals of BUGS examples, volume 1."""
    coords = {"facility": list("ABCDEFGHIJKL")}
    trials = [47, 148, 119, 810, 211, 196, 148, 215, 207, 97, 256, 360]
    deaths = [0, 18, 8, 46, 8, 13, 9, 31, 14, 8, 29, 24]
    return (
        xr.DataArray(np.array(trials, dtype=float), dims="facility", coords=coords),
        xr.DataArray(np.array(deaths, dtype=float), dims="facility", coords=coords),
    )
