"""Small data for the model, made without a study."""

import numpy as np
import pytest

from pdsim.model.data import ModelData, Visits
from pdsim.priors import Priors


@pytest.fixture
def make_data():
    """Return a maker of `ModelData` with random counts (or scores), some cells missing."""

    def make(
        *,
        facilities=4,
        domains=(0, 0, 1, 1),
        periods=2,
        correlation=0.0,
        kind="counts",
        priors=None,
        missing=0.0,
        visit_sd=0.0,
        facility_df=None,
        arm=None,
        covariates=0,
        offset=0.0,
        seed=0,
    ):
        rng = np.random.default_rng(seed)
        shape = (facilities, len(domains), periods)
        if kind == "counts":
            size = rng.integers(5, 60, size=shape).astype(float)
            observed = rng.binomial(size.astype(int), 0.4).astype(float)
        else:
            size = rng.uniform(2, 30, size=shape)
            observed = rng.normal(size=shape)
        gone = rng.random(shape) < missing
        k = len(domains)
        number = rng.integers(1, 5, size=shape)
        return ModelData(
            kind=kind,
            observed=np.where(gone, 0.0, observed),
            size=np.where(gone, 0.0, size),
            domain=np.array(domains),
            case_group=np.zeros(k, dtype=np.int64) if k > 1 else np.full(k, -1),
            case_correlation=correlation,
            weight=np.full(k, 1 / k),
            center=np.zeros(k),
            scale=np.ones(k),
            priors=priors or Priors(),
            facility_df=facility_df,
            visits=Visits(inflation=1.0 + 0.5 / number, variance=visit_sd**2 / number)
            if visit_sd
            else None,
            arm=None if arm is None else np.array(arm),
            covariates=rng.normal(size=(facilities, covariates)) if covariates else None,
            offset=offset * rng.normal(size=shape) if offset else None,
        )

    return make
