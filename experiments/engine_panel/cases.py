"""Data sets for the comparison of the fast engine with NUTS, simulated from the model."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit, ndtri

import pdsim
from pdsim.arraytypes import Floats, Ints
from pdsim.model.data import ModelData, model_data
from pdsim.priors import Priors

SHARED = Priors(indicator_spread="shared")

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
    shared: bool = False,
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
        priors=SHARED if shared else Priors(),
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


def places(value: Floats) -> Ints:
    """Return every facility's place, 0 the largest; value (draw, F)."""
    return np.argsort(np.argsort(-value, axis=1), axis=1)


def summary(value: Floats) -> dict[str, list[float]]:
    """Return mean, sd and P(top 3) of draws (draw, F), by facility."""
    found = {
        "mean": value.mean(axis=0),
        "sd": value.std(axis=0, ddof=1),
        "top3": (places(value) < 3).mean(axis=0),
    }
    return {name: np.round(part, 8).tolist() for name, part in found.items()}


KINDS: dict[str, tuple[dict[str, float | bool], int]] = {
    "n10": ({"trials": 10}, 8),
    "n40": ({"trials": 40}, 8),
    "n150": ({"trials": 150}, 8),
    "unequal_missing": ({"trials": 40, "unequal": True, "missing": 0.2}, 8),
    "one_domain": ({"domains": 1}, 4),
    "three_domains": ({"domains": 3, "indicators": 15}, 4),
    "correlated": ({"trials": 20, "correlation": 0.3}, 8),
    "facilities30": ({"facilities": 30}, 2),
    "facilities100": ({"facilities": 100}, 1),
    "cms_ten": ({}, 1),
    "cms_groups": ({}, 10),
}
"""Settings and number of data sets; the hospitals are real data."""

CASES = KINDS | {
    f"shared_{name}": (kind | {"shared": True}, n) for name, (kind, n) in KINDS.items()
}


def made(case: str, number: int, folder: Path) -> ModelData:
    """Return data set `number` of a case; tables of hospitals are in `folder`."""
    settings = CASES[case][0]
    if "cms" not in case:
        return simulate(seed=number, **settings)
    indicators = pd.read_csv(folder / "cms_indicators.csv")
    if case.endswith("ten"):
        table = pd.read_csv(folder / "cms_ten.csv", dtype={"facility": str})
        periods = {2021: "baseline", 2023: "endline"}
    else:
        table = pd.read_csv(folder / "cms_2022_2023.csv.gz", dtype={"facility": str})
        periods = {2022: "baseline", 2023: "endline"}
        table = table[table["facility"].isin(group(table, number))]
        indicators = indicators[indicators["indicator"].isin(table["indicator"].unique())]
    table = table.assign(period=table["period"].map(periods))
    study = pdsim.Study.from_long(table, indicators=indicators)
    return model_data(study, SHARED if settings else Priors())


def group(table: pd.DataFrame, number: int) -> list[str]:
    """Return ten hospitals, none of them in another group, with every indicator known of some."""
    order = np.random.default_rng(20260731).permutation(np.sort(table["facility"].unique()))
    tens = order[: len(order) // 10 * 10].reshape(-1, 10)
    known = [set(table["indicator"][table["facility"].isin(ten)]) for ten in tens]
    whole = [
        ten for ten, some in zip(tens, known, strict=True) if len(some) == max(map(len, known))
    ]
    return whole[number].tolist()
