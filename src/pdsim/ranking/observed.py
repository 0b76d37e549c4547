"""What the rules read that use the data alone: observed changes, of a study or as given."""

from collections.abc import Iterable
from typing import Final

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats
from pdsim.errors import InputError, Problem
from pdsim.ranking.draws import ScoreDraws
from pdsim.ranking.marginals import as_components
from pdsim.study import Study
from pdsim.study.errormatrix import variance_of_sums
from pdsim.terms.evidence import Evidence, evidence_of_cells
from pdsim.terms.kinds import kind_named
from pdsim.terms.rules import Rule

type Observed = xr.Dataset | xr.DataArray

READ: Final = {
    "estimate": ("estimate",),
    "variance": ("estimate", "se"),
    "covariance": ("estimate", "covariance"),
    "change": ("indicator_change",),
}
"""Variables of `observed`, by what a rule needs."""


def observed_of(study: Study) -> xr.Dataset:
    """Return the observed change of each facility, as rules on observed values read it.

    A missing cell takes its indicator out of its facility's mean: the weights of the others are
    divided by their sum, so that the facility is still compared, on what was seen of it.

    Parameters
    ----------
    study : Study
        With one period, the level stands for the change.

    Returns
    -------
    Dataset
        Over facility: ``estimate`` (percentage points for counts, units of the scores otherwise,
        higher is better) and ``se``, its standard error with the study's correlations of errors
        and design effect, NaN where nothing was seen in every period. ``indicator_change``
        (facility, indicator), NaN where missing, with the coordinate ``weight``.

    Examples
    --------
    >>> import pdsim
    >>> study = pdsim.load_example("lake_zone", trials=20, case_correlation=0.1)
    >>> float(observed_of(study).estimate[0].round(6))
    76.0
    """
    kind = kind_named(study.kind)
    data = study.effective_data()
    dims = ("facility", "indicator", "period")
    value, size = (data[name].transpose(*dims).values.astype(float) for name in kind.values)
    lower = (data["direction"] == "lower").values[:, np.newaxis]
    counts = kind.proportion
    value = np.where(lower, size - value if counts else -value, value)
    found = evidence_of_cells(
        np.ascontiguousarray(value)[np.newaxis],
        np.ascontiguousarray(size)[np.newaxis],
        data["weight"].values.astype(float),
        counts=counts,
        correlation=study.options.case_correlation or 0.0,
    )
    variance, errors = found.variance[0], study.error_correlation
    if errors is not None:
        variance = _with_correlated(found.change[0], size, found.weights, errors)
    return xr.Dataset(
        {
            "estimate": ("facility", found.estimate[0]),
            "se": ("facility", np.sqrt(variance)),
            "indicator_change": (("facility", "indicator"), found.change[0]),
        },
        coords={
            "facility": data["facility"].values,
            "indicator": data["indicator"].values,
            "weight": ("indicator", data["weight"].values),
        },
        attrs={"units": kind.units},
    )


def _with_correlated(change: Floats, se: Floats, weights: Floats, correlation: Floats) -> Floats:
    """Return the variance of the mean of the changes (F, K) that were seen."""
    own = np.where(np.isnan(change), 0.0, weights)
    total = own.sum(axis=1)
    seen = own[..., np.newaxis] > 0
    sign = np.array([-1.0, 1.0])[-se.shape[2] :]
    parts = np.where(seen, own[..., np.newaxis] * sign * se, 0.0)
    with np.errstate(invalid="ignore"):
        variance: Floats = variance_of_sums(parts, correlation) / total**2
    return variance


def evidence_of(observed: Observed | None, rule: Rule) -> tuple[ScoreDraws, Evidence]:
    """Return the labels of facilities and leading dimensions, and what the rule reads of them."""
    parts = {name: variable(observed, name, rule.name) for name in READ[rule.needs]}
    if rule.needs == "change":
        change = parts["indicator_change"]
        labels = as_components(_weighted_mean(change))
        over = ("facility", "indicator")
        leading = [dim for dim in change.dims if dim not in over]
        values = change.transpose(*leading, *over).values.astype(float)
        weights = _weights(change).values.astype(float)
        values = np.ascontiguousarray(values.reshape(-1, *values.shape[-2:]))
        return labels, Evidence(change=values, weights=weights)
    aligned = xr.broadcast(*parts.values())
    labels = as_components(aligned[0])
    stacked = {
        name: as_components(part).values[:, 0, 0] for name, part in zip(parts, aligned, strict=True)
    }
    estimate = stacked["estimate"]
    if "se" not in stacked:
        return labels, Evidence(estimate=estimate, centre=estimate)
    if not (stacked["se"] > 0).all():
        raise InputError(Problem(rule="a standard error is not positive"))
    return labels, Evidence(estimate=estimate, centre=estimate, variance=stacked["se"] ** 2)


def variable(observed: Observed | None, name: str, rule: str) -> xr.DataArray:
    """Return what a rule reads, or raise InputError if it is not there or has gaps."""
    found = _find(observed, name)
    if found is None:
        raise InputError(
            Problem(
                rule=f"the rule {rule!r} reads {name!r} of `observed`, which is missing",
                cure=f"give it {name!r}, or leave the rule out",
            )
        )
    whole = found.notnull().any("indicator") if name == "indicator_change" else np.isfinite(found)
    if "facility" not in found.dims or np.isinf(found).any() or not whole.all():
        raise InputError(
            Problem(
                rule=f"{name!r} of `observed` lies over facility and has no gaps",
                cure="leave out the facilities of which nothing was seen in every period",
            )
        )
    return found


def has(observed: Observed | None, names: Iterable[str]) -> bool:
    """Say whether all of these can be read."""
    return all(_find(observed, name) is not None for name in names)


def _find(observed: Observed | None, name: str) -> xr.DataArray | None:
    if isinstance(observed, xr.Dataset):
        if name in observed:
            return observed[name]
        if name == "estimate" and "indicator_change" in observed:
            return _weighted_mean(observed["indicator_change"])
        if name == "covariance" and "se" in observed:
            return observed["se"] ** 2
        return None
    if observed is None:
        return None
    if "indicator" in observed.dims:
        parts = {"indicator_change": observed, "estimate": _weighted_mean(observed)}
        return parts.get(name)
    return observed if name == "estimate" else None


def _weights(change: xr.DataArray) -> xr.DataArray:
    return change.coords.get("weight", xr.ones_like(change["indicator"], dtype=float))


def _weighted_mean(change: xr.DataArray) -> xr.DataArray:
    """Return the mean over the indicators that were seen."""
    weight = _weights(change)
    mean: xr.DataArray = (change * weight).sum("indicator") / weight.where(
        change.notnull(), 0.0
    ).sum("indicator")
    return mean
