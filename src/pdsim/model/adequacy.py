"""Checks of the model that can fail: the data beside data of new facilities from the same fit.

A replicate draws the hyperparameters from the posterior, then new effects for every facility, then
counts: a mixed predictive check (Gelman, Meng, Stern 1996, Statistica Sinica 6, 733-760). Effects
kept from the fit would follow the data wherever they go and could not show that they are unlike
what the model says effects are.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats
from pdsim.model.data import ModelData, model_data
from pdsim.model.predictive import Parameters, draw_eta, draw_proportion
from pdsim.study import study_from_dataset

REPLICATES: Final = 1000
FALSE_ALARMS: Final = 0.05
"""At most, for each kind of check in one study: shared evenly over indicators or facilities."""

_ADVICE: Final = {
    "spread": "indicator_spread = 'own', or a wider prior of its standard deviations",
    "baseline spread": "indicator_spread = 'own', or a wider prior of its standard deviations",
    "zeros": "check the cells in which all or none of the cases were met",
    "extreme": "check the data of the facility with the largest change",
    "facility": "check the data of this facility; one that is unlike the others pulls at them all",
    "correlation": "the indicators move together more than facility and domain explain: put those "
    "that measure one thing into one domain",
}


def model_checks(fit: xr.DataTree, *, replicates: int = REPLICATES, seed: int = 1) -> xr.Dataset:
    """Compare what the data look like with what the fitted model says new data look like.

    Parameters
    ----------
    fit : xarray.DataTree
        Of two periods.
    replicates, seed : int

    Returns
    -------
    xarray.Dataset (check)
        ``statistic``: ``spread`` (SD over facilities of an indicator's observed change),
        ``baseline spread``, ``zeros`` (cells where all or none of the cases were met),
        ``extreme`` (largest deviation of a change from the indicator's mean), ``facility`` (mean
        absolute standardised change of its indicators), ``correlation`` (largest eigenvalue of the
        correlations of the indicators' changes). ``of``: the indicator or facility. ``observed``,
        ``expected`` (median of the replicates), ``p_value`` (two-sided, ties counted half),
        ``limit``, ``flagged`` and ``advice``. Changes are in pp, or standardised scores. Empty
        where there is one period.

    Notes
    -----
    The chance that a kind of check flags anything where the model is right is at most
    ``FALSE_ALARMS``; p-values that use the data twice lie closer to 1/2 than uniform ones.

    Examples
    --------
    >>> import pdsim
    >>> fit = pdsim.fit(pdsim.load_example("safe_surgery_like"), engine="laplace", draws=250)
    >>> sorted(set(model_checks(fit, replicates=100)["statistic"].to_numpy().tolist()))
    ['baseline spread', 'correlation', 'extreme', 'facility', 'spread', 'zeros']
    """
    study = study_from_dataset(fit["constant_data"].to_dataset())
    data = model_data(study)
    rng = np.random.default_rng(seed)
    if data.shape[2] == 1 or data.shape[0] < 3:
        return xr.Dataset(coords={"check": np.arange(0)})
    found = [
        _statistics(draw_proportion(draw_eta(one, data, rng)[0], data, rng), data)
        for one in _parameters(fit, data, replicates, rng)
    ]
    seen = np.where(data.size > 0, data.observed, np.nan)
    if data.kind == "counts":
        seen = seen / np.where(data.size > 0, data.size, 1.0)
    observed = _statistics(seen, data)
    of = {
        "facility": study.data["facility"].to_numpy().astype(str),
        "correlation": np.array([""]),
    }
    indicators = study.data["indicator"].to_numpy().astype(str)
    rows = []
    for name, values in observed.items():
        draws = np.array([one[name] for one in found])
        below = (draws < values).mean(axis=0) + 0.5 * (draws == values).mean(axis=0)
        p = 2.0 * np.minimum(below, 1.0 - below)
        known = np.isfinite(values)
        limit = FALSE_ALARMS / max(int(known.sum()), 1)
        labels = of.get(name, indicators)
        rows += [
            (name, labels[n], values[n], np.nanmedian(draws[:, n]), p[n], limit, p[n] < limit)
            for n in np.flatnonzero(known)
        ]
    names = ("statistic", "of", "observed", "expected", "p_value", "limit", "flagged")
    columns = zip(names, zip(*rows, strict=True), strict=True)
    table = xr.Dataset(
        {name: ("check", np.array(part)) for name, part in columns},
        coords={"check": np.arange(len(rows))},
        attrs={"false_alarms": FALSE_ALARMS, "replicates": replicates},
    )
    advice = [_ADVICE[row[0]] if row[-1] else "" for row in rows]
    return table.assign(advice=("check", np.array(advice)))


def _parameters(
    fit: xr.DataTree, data: ModelData, number: int, rng: np.random.Generator
) -> Iterator[Parameters]:
    """Yield so many draws of the parameters, taken at random."""
    posterior = fit["posterior"].to_dataset()
    rows = rng.choice(posterior.sizes["chain"] * posterior.sizes["draw"], number)
    drawn = {
        str(name): value.to_numpy().reshape(-1, value[0, 0].size)[rows]
        for name, value in posterior.data_vars.items()
        if not str(name).startswith("eta")
    }
    for n in range(number):
        sd_baseline, sd_change, corr = (
            {level: drawn[f"{stem}_{level}"][n] for level in data.levels}
            for stem in ("sd_baseline", "sd_change", "corr")
        )
        yield Parameters(
            alpha=drawn["alpha"][n],
            beta=drawn["beta"][n],
            sd_baseline=sd_baseline,
            sd_change=sd_change,
            corr=corr,
        )


def _statistics(share: Floats, data: ModelData) -> dict[str, Floats]:
    """Return the statistics of observed proportions, or standardised means (F, K, T)."""
    factor = 100.0 if data.kind == "counts" else 1.0
    change = factor * (share[..., 1] - share[..., 0])
    with np.errstate(invalid="ignore", divide="ignore"):
        centered = change - np.nanmean(change, axis=0)
        spread = np.sqrt(np.nanmean(centered**2, axis=0))
        standard = np.where(spread > 0, centered / np.where(spread > 0, spread, 1.0), 0.0)
        standard = np.where(np.isnan(centered), np.nan, standard)
        found = {
            "spread": spread,
            "baseline spread": factor * np.nanstd(share[..., 0], axis=0),
            "extreme": np.nanmax(np.abs(centered), axis=0),
            "facility": np.nanmean(np.abs(standard), axis=1),
        }
    if data.kind == "counts":
        ends = (share == 0.0) | (share == 1.0)
        found["zeros"] = ends.sum(axis=(0, 2)).astype(float)
    if share.shape[1] > 1:
        filled = np.nan_to_num(standard)
        found["correlation"] = np.linalg.eigvalsh(filled.T @ filled / len(filled))[-1:]
    return found
