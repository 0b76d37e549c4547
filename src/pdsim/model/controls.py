"""What the programme did beyond controls: facility by facility, and on the whole."""

from typing import Final

import numpy as np
import xarray as xr
from scipy.special import expit

from pdsim.errors import InputError, Problem
from pdsim.model.composites import (
    Weights,
    composite,
    expected_of_control,
    in_arm,
    levels,
    resolve_weights,
)
from pdsim.study.facilities import CONTROL, PROGRAMME
from pdsim.terms.kinds import kind_named

LEAST_CONTROLS: Final = 3
"""Fewer say nothing of how controls differ from each other."""


def programme_effect(
    fit: xr.DataTree, *, estimand: str = "effect", weights: Weights = None
) -> xr.DataArray:
    """Return the draws of the programme effect: the mean of an effect over its facilities.

    Parameters
    ----------
    fit : xarray.DataTree
        Of a study with controls, from `pdsim.fit`.
    estimand : {"effect", "effect_change"}
    weights : as in `pdsim.composite`
        An indicator alone, or a domain, by weights of 0 elsewhere.

    Returns
    -------
    xarray.DataArray (chain, draw)
        In percentage points, or units of the score.

    Notes
    -----
    It is an effect of the programme if, without it, both arms would have changed alike.
    """
    score = composite(fit, estimand=estimand, weights=weights)
    return score.mean("facility").rename("effect").assign_attrs(score.attrs)


def beyond_unseen_control(fit: xr.DataTree, *, weights: Weights = None, seed: int) -> xr.DataArray:
    """Return by how much each facility exceeds a control facility that was not seen.

    The control has the facility's own baseline, and otherwise is drawn from the population of
    controls: it changes by what the model expects of a control plus what the baseline leaves open.

    Parameters
    ----------
    fit : xarray.DataTree
        Of a study with controls.
    weights : as in `pdsim.composite`
    seed : int

    Returns
    -------
    xarray.DataArray (chain, draw, facility)
        The share of draws above 0 is the probability that the facility's change exceeds that of
        an unseen control.

    Raises
    ------
    InputError
        With fewer than three controls.
    """
    controls = in_arm(fit, fit["constant_data"].to_dataset()["facility"], CONTROL).size
    if controls < LEAST_CONTROLS:
        rule = f"{controls} control(s) do not say how controls differ from each other"
        cure = f"it takes {LEAST_CONTROLS} at least; the effect itself can be had"
        raise InputError(Problem(rule=rule, cure=cure))
    level = levels(fit)
    weight = resolve_weights(weights, level)
    posterior, kind = fit["posterior"].to_dataset(), kind_named(fit.attrs["kind"])
    expected = in_arm(fit, expected_of_control(fit), PROGRAMME)
    expected = expected.transpose("chain", "draw", "facility", "indicator")
    eta = expected + _left_open(posterior, expected, np.random.default_rng(seed))
    if kind.name == "counts":
        endline = xr.apply_ufunc(expit, eta)
    else:
        constant = fit["constant_data"]
        endline = constant["center"] + constant["scale"] * eta
    more = xr.dot(level.isel(period=-1, drop=True) - endline, weight, dim="indicator")
    return (kind.factor * more).rename("beyond").assign_attrs(level.attrs)


def _left_open(
    posterior: xr.Dataset, expected: xr.DataArray, rng: np.random.Generator
) -> xr.DataArray:
    """Draw what the baseline leaves open of the change, in the shape of `expected`."""
    domains = dict.fromkeys(posterior["domain"].to_numpy().tolist())
    code = {name: n for n, name in enumerate(domains)}
    places = {
        "facility": np.zeros(expected.sizes["indicator"], dtype=int),
        "domain": np.array([code[name] for name in posterior["domain"].to_numpy().tolist()]),
        "indicator": np.arange(expected.sizes["indicator"]),
    }
    total = xr.zeros_like(expected)
    for level, place in places.items():
        if f"sd_change_{level}" not in posterior:
            continue
        change = posterior[f"sd_change_{level}"]
        if "arm" in change.dims:
            change = change.sel(arm=CONTROL, drop=True)
        sd = change * np.sqrt(1.0 - posterior[f"corr_{level}"] ** 2)
        z = rng.standard_normal((*expected.shape[:-1], int(place.max()) + 1))[..., place]
        total = total + (sd * expected.copy(data=z)).transpose(*expected.dims)
    return total
