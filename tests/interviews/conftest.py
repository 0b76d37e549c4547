"""Scores and coded interviews with known structure."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

NAMES = [f"F{i}" for i in range(1, 11)]


@pytest.fixture
def score():
    """Ten facilities, F1 the best; some places uncertain."""
    values = np.random.default_rng(1).normal(np.arange(10)[::-1] * 3.0, 2.5, (2000, 10))
    return xr.DataArray(values, dims=("sample", "facility"), coords={"facility": NAMES})


@pytest.fixture
def certain():
    """Ten facilities whose order never changes."""
    noise = np.random.default_rng(2).uniform(0.0, 0.5, (500, 10))
    values = np.arange(10)[::-1] * 1.0 + noise
    return xr.DataArray(values, dims=("sample", "facility"), coords={"facility": NAMES})


@pytest.fixture
def codes():
    """Simulated codes of two coders: `trust` follows the order, `noise` does not."""
    rng = np.random.default_rng(3)
    rows = []
    for place, facility in enumerate(NAMES):
        if 3 <= place < 7:
            continue
        for informant in range(12):
            for month in (1, 12):
                said = {
                    "trust": rng.random() < (0.8 if place < 3 else 0.2),
                    "noise": rng.random() < 0.5,
                }
                for coder in ("a", "b"):
                    for theme, voiced in said.items():
                        value = int(voiced if rng.random() < 0.95 else not voiced)
                        rows.append((facility, informant, month, coder, theme, value))
    return pd.DataFrame(rows, columns=["facility", "informant", "round", "coder", "theme", "value"])
