"""A small long table of counts."""

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def table() -> pd.DataFrame:
    """Six facilities, two indicators, two periods."""
    rng = np.random.default_rng(1)
    index = pd.MultiIndex.from_product(
        [[f"F{i}" for i in range(6)], ["K0", "K1"], ["baseline", "endline"]],
        names=["facility", "indicator", "period"],
    )
    trials = rng.integers(5, 40, len(index))
    counts = {"successes": rng.binomial(trials, 0.5), "trials": trials}
    return pd.DataFrame(counts, index=index).reset_index()
