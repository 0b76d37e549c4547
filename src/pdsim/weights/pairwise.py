"""Probability that one facility is ahead of another when the weights are not known."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats
from pdsim.errors import InputError
from pdsim.jit import compiled
from pdsim.ranking.draws import mean_and_error
from pdsim.weights.acceptances import two_way
from pdsim.weights.samples import Values, as_values, as_weights, in_threads
from pdsim.weights.score_kernels import BLOCK, linear_scores


def pairwise_acceptability(
    values: xr.DataArray,
    *,
    lower: xr.DataArray | None = None,
    order: Sequence[str] | None = None,
    weights: xr.DataArray | None = None,
) -> xr.Dataset:
    """Return the probability that each facility is ahead of each other over all weights.

    Exact in the weights for flat, lower-bounded and ordered ones: the share of the simplex on
    one side of a hyperplane. With `weights`, counted over draws of any weight space.

    Parameters
    ----------
    values : DataArray (..., facility, indicator)
        Leading dimensions are samples, averaged over.
    lower : DataArray (indicator), optional
        Floors of the weights; flat above them.
    order : sequence of str, optional
        Indicators from the most to the least important; flat on w1 >= w2 >= ...
    weights : DataArray (weight_draw, indicator), optional
        At most one of the three is given; none means flat weights.

    Returns
    -------
    Dataset
        ``pairwise_acceptability`` (facility, versus): P(facility ahead of versus), equal ones
        half, 1/2 on the diagonal; ``pairwise_acceptability_mcse``, 0 for exact answers without
        samples. Attributes ``estimand``, ``ess``, ``space``.

    Raises
    ------
    InputError
        If inputs are not as described.

    References
    ----------
    Ali (1973), content of the frustum of a simplex, doi 10.2140/pjm.1973.48.313; Varsi (1973),
    doi 10.2140/pjm.1973.46.303, whose recursion this is.

    Examples
    --------
    >>> values = xr.DataArray([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]], dims=("facility", "indicator"))
    >>> pairwise_acceptability(values).pairwise_acceptability.values.tolist()
    [[0.5, 0.75], [0.25, 0.5]]
    """
    checked = as_values(values)
    if sum(known is not None for known in (lower, order, weights)) > 1:
        raise InputError("give at most one of lower, order and weights")
    facilities = checked.array.shape[1]
    share = np.full((facilities, facilities), 0.5)
    error = np.zeros((facilities, facilities))
    if weights is None:
        turned = _turned(checked, lower, order)

        def one(f: int) -> tuple[Floats, Floats, Floats]:
            return _exact_row(turned, f, checked)
    else:
        drawn = as_weights(weights, checked)
        columns = np.ascontiguousarray(drawn.T)
        weight_ess = min(float(weights.attrs.get("ess", len(drawn))), float(len(drawn)))

        def one(f: int) -> tuple[Floats, Floats, Floats]:
            by_draw = np.zeros((len(checked.array), facilities - f - 1))
            by_weight = np.zeros((facilities - f - 1, len(drawn)))
            _count_ahead(checked.array, columns, f, by_draw, by_weight)
            by_draw, by_weight = by_draw / len(drawn), by_weight / len(checked.array)
            return two_way(by_draw, by_weight, values=checked, weight_ess=weight_ess)

    least = np.inf
    for f, (mean, mcse, size) in enumerate(in_threads(one, range(facilities - 1))):
        share[f, f + 1 :], share[f + 1 :, f] = mean, 1.0 - mean
        error[f, f + 1 :] = error[f + 1 :, f] = mcse
        least = min(least, float(size.min()))
    versus = xr.DataArray(checked.facility.values, dims="versus", name="versus")
    space = "ordered" if order is not None else "bounded" if lower is not None else "flat"
    return xr.Dataset(
        {
            "pairwise_acceptability": (("facility", "versus"), share),
            "pairwise_acceptability_mcse": (("facility", "versus"), error),
        },
        coords={"facility": checked.facility, "versus": versus},
        attrs={
            "estimand": checked.estimand,
            "ess": least,
            "space": space if weights is None else str(weights.attrs.get("space", "sampled")),
        },
    )


def _turned(values: Values, lower: xr.DataArray | None, order: Sequence[str] | None) -> Floats:
    """Return values at the corners of the weight space, on which weights are flat again."""
    names = [str(name) for name in values.indicator.values]
    if order is not None:
        if sorted(order) != sorted(names):
            raise InputError(f"the order names each of {', '.join(names)} once")
        columns = values.array[:, :, [names.index(name) for name in order]]
        return np.cumsum(columns, axis=2) / np.arange(1, len(names) + 1)
    if lower is None:
        return values.array
    if lower.dims != ("indicator",) or lower.size != len(names):
        raise InputError("floors are a DataArray over the indicators of the values")
    labelled = "indicator" in lower.coords and not values.positional
    floor = (lower.sel(indicator=names) if labelled else lower).values.astype(float)
    if not np.isfinite(floor).all() or (floor < 0).any() or floor.sum() > 1 + 1e-9:
        raise InputError(f"floors are not negative and sum to 1 at most (got {floor.tolist()})")
    room = max(1.0 - floor.sum(), 0.0)
    return np.asarray(room * values.array + (values.array @ floor)[:, :, None])


def _exact_row(turned: Floats, f: int, values: Values) -> tuple[Floats, Floats, Floats]:
    shares = np.empty((len(turned), turned.shape[1] - f - 1))
    _shares_ahead(turned, f, shares)
    if not values.sampled:
        return shares[0], np.zeros(shares.shape[1]), np.ones(shares.shape[1])
    series = shares.reshape(1, values.chains, -1, shares.shape[1])
    mean, error, size = mean_and_error(series, ess=values.ess)
    return mean[0], error[0], size[0]


@compiled
def _shares_ahead(values: Floats, f: int, out: Floats) -> None:
    samples, facilities, indicators = values.shape
    difference = np.empty(indicators)
    work = np.empty(indicators + 1)
    for s in range(samples):
        for g in range(f + 1, facilities):
            for k in range(indicators):
                difference[k] = values[s, f, k] - values[s, g, k]
            out[s, g - f - 1] = share_positive(difference, work)


@compiled
def share_positive(d: Floats, work: Floats) -> float:
    """Return the share of the simplex with d . w > 0, or 1/2 where d is all zero.

    All terms are positive, so nothing cancels. `work` has one number more than `d`.
    """
    below, above, nonzero = 0, 0, False
    for k in range(d.shape[0]):
        nonzero = nonzero or d[k] != 0.0
        if d[k] > 0.0:
            above += 1
        else:
            below += 1
    if not nonzero:
        return 0.5
    if above == 0:
        return 0.0
    if below == 0:
        return 1.0
    work[0] = 1.0
    work[1 : below + 1] = 0.0
    for k in range(d.shape[0]):
        y = d[k]
        if y > 0.0:
            j = 0
            for i in range(d.shape[0]):
                x = d[i]
                if x <= 0.0:
                    j += 1
                    work[j] = (y * work[j - 1] - x * work[j]) / (y - x)
    return float(work[below])


@compiled
def _count_ahead(
    values: Floats, weights: Floats, f: int, by_draw: Floats, by_weight: Floats
) -> None:
    samples, facilities, indicators = values.shape
    number = weights.shape[1]
    rest = facilities - f - 1
    difference = np.empty((rest, indicators))
    lead = np.empty((rest, BLOCK))
    for s in range(samples):
        for g in range(rest):
            for k in range(indicators):
                difference[g, k] = values[s, f, k] - values[s, f + 1 + g, k]
        for start in range(0, number, BLOCK):
            width = min(BLOCK, number - start)
            linear_scores(difference, weights, start, width, lead, 0)
            for g in range(rest):
                total = 0.0
                row, sums = lead[g, :width], by_weight[g, start : start + width]
                for b in range(width):
                    ahead = 0.5 * (row[b] > 0.0) + 0.5 * (row[b] >= 0.0)
                    sums[b] += ahead
                    total += ahead
                by_draw[s, g] += total
