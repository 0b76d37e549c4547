"""Data sets for the comparison of the fast engine with NUTS, simulated from the model."""

from pathlib import Path

import numpy as np
from scipy.special import expit, ndtri

import pdsim
from pdsim.arraytypes import Floats
from pdsim.model.data import ModelData, model_data
from pdsim.priors import Priors

PRIORS = Priors(indicator_spread="shared")
"""Of most reference runs; the cells of the other model differ in their covariance alone."""

SD_BASELINE, SD_CHANGE = (0.35, 0.3, 0.3), (0.7, 0.3, 0.3)


def simulate(
    *,
    seed: int,
    facilities: int = 10,
    indicators: int = 14,
    domains: int = 2,
    trials: float = 40,
    missing: float = 0.0,
    unequal: bool = False,
    correlation: float = 0.0,
    own: bool = False,
) -> ModelData:
    """Return one data set near the founding study: 12 % adherence before, 61 % after."""
    rng = np.random.default_rng([20260731, seed])
    domain = np.arange(indicators) * domains // indicators
    alpha = rng.normal(-2.0, 0.7, size=indicators)
    beta = rng.normal(2.45, 0.5, size=indicators)
    effect = np.zeros((facilities, indicators, 2))
    for level, units in enumerate((1, domains, indicators)):
        z = rng.normal(size=(facilities, units, 2)) * [SD_BASELINE[level], SD_CHANGE[level]]
        index = (np.zeros(indicators, int), domain, np.arange(indicators))[level]
        effect += z[:, index]
    eta = np.stack([alpha + effect[..., 0], alpha + beta + effect.sum(axis=2)], axis=-1)
    size = np.full(eta.shape, float(trials))
    if unequal:
        size = np.ceil(trials * np.exp(rng.normal(-0.3, 0.8, size=eta.shape)))
    size[rng.random(eta.shape) < missing] = 0.0
    return ModelData(
        kind="counts",
        observed=_successes(rng, eta, size, correlation),
        size=size,
        domain=domain,
        case_group=np.zeros(indicators, dtype=np.int64),
        case_correlation=correlation,
        weight=np.full(indicators, 1 / indicators),
        center=np.zeros(indicators),
        scale=np.ones(indicators),
        priors=Priors() if own else PRIORS,
    )


def _successes(rng: np.random.Generator, eta: Floats, size: Floats, correlation: float) -> Floats:
    """Draw counts; with a correlation each case shares one normal number in all its items."""
    if correlation == 0.0:
        return rng.binomial(size.astype(int), expit(eta)).astype(float)
    cut = ndtri(expit(eta))
    total = np.zeros(eta.shape)
    for case in range(int(size.max())):
        shared = rng.normal(size=(eta.shape[0], 1, 2))
        own = rng.normal(size=eta.shape)
        z = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own
        total += (z < cut) & (case < size)
    return total


def change(data: ModelData, eta: Floats) -> Floats:
    """Return the composite change (draw, F), from 0 to 1."""
    p = expit(eta)
    return (p[..., 1] - p[..., 0]) @ data.weight


def summary(value: Floats) -> dict[str, list[float]]:
    """Return mean, sd and P(top 3) of draws (draw, F), by facility."""
    places = np.argsort(np.argsort(-value, axis=1), axis=1)
    found = {
        "mean": value.mean(axis=0),
        "sd": value.std(axis=0, ddof=1),
        "top3": (places < 3).mean(axis=0),
    }
    return {name: np.round(part, 8).tolist() for name, part in found.items()}


CASES: dict[str, tuple[dict[str, float | bool], int]] = {
    "n10": ({"trials": 10}, 8),
    "n40": ({"trials": 40}, 8),
    "n150": ({"trials": 150}, 8),
    "own_n40": ({"trials": 40, "own": True}, 2),
    "unequal_missing": ({"trials": 40, "unequal": True, "missing": 0.2}, 8),
    "one_domain": ({"domains": 1}, 4),
    "three_domains": ({"domains": 3, "indicators": 15}, 4),
    "correlated": ({"trials": 20, "correlation": 0.3}, 8),
    "facilities30": ({"facilities": 30}, 2),
    "facilities100": ({"facilities": 100}, 1),
}
"""Settings and number of data sets; ``cms_ten`` is real data and comes by itself."""


def cms_ten(folder: Path) -> ModelData:
    """Return the ten hospitals of `folder`."""
    import pandas as pd

    table = pd.read_csv(folder / "cms_ten.csv", dtype={"facility": str})
    table["period"] = table["period"].map({2021: "baseline", 2023: "endline"})
    indicators = pd.read_csv(folder / "cms_indicators.csv")
    return model_data(pdsim.Study.from_long(table, indicators=indicators), PRIORS)
