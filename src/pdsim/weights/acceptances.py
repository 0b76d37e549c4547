"""Ranks and memberships over posterior draws crossed with weights (SMAA)."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats
from pdsim.conventions import Side
from pdsim.errors import InputError
from pdsim.ranking.draws import check_side, mean_and_error, never_seen
from pdsim.terms.places import membership
from pdsim.weights.samples import Values, as_values, as_weights, blocks, in_threads, resolve_m
from pdsim.weights.score_kernels import accumulate

_RANK_BYTES: Final = 512_000_000
"""Memory for the counts of ranks, one matrix per batch of weights."""

_BATCHES: Final = 32
_ENDS: Final = ("top", "bottom")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Margins:
    """Sums over the cube sample x weight: by batch for ranks, one by one for memberships."""

    ranks: Floats
    ranks_by_weight: Floats
    ranks_by_draw: Floats
    by_draw: Floats
    by_weight: Floats
    weighted: Floats


def acceptability(
    values: xr.DataArray, weights: xr.DataArray, m: int | None = None, *, ranks: bool = True
) -> xr.Dataset:
    """Return rank and membership probabilities over posterior and weights together.

    Every posterior draw is crossed with every weight vector.

    Parameters
    ----------
    values : DataArray (..., facility, indicator)
        What each indicator adds to the composite, larger better (`pdsim.scoring
        .indicator_values`); leading dimensions are samples: (``chain``, ``draw``), ``sample``,
        or none.
    weights : DataArray (weight_draw, indicator)
        From `pdsim.weight_space`; an attribute ``ess`` below their number is heeded.
    m : int, optional
        Facilities at each end. Default 3, or half of them where that is less.
    ranks : bool
        Whether to count all ranks; without them large studies take less memory.

    Returns
    -------
    Dataset
        ``rank_acceptability`` (facility, rank), rows and columns sum to 1; ``rank_entropy``
        (facility), 0 where the rank is certain and 1 where all are as likely;
        ``top_acceptability`` and ``bottom_acceptability`` (facility), which sum to m;
        ``top_central_weight`` and ``bottom_central_weight`` (facility, indicator), the mean
        weights given membership, NaN where it never occurs; each with ``_mcse``. Attributes
        ``m``, ``side``, ``estimand``, ``ess`` (the smaller of draws and weights).

        The MCSE is two-way: the variance between draws over their effective number plus the
        variance between weights over theirs. Nothing of the cube is stored.

    Raises
    ------
    InputError
        If values or weights are not as described, or m does not fit.

    References
    ----------
    Lahdelma and Salminen (2001), SMAA-2, doi 10.1287/opre.49.3.444.11220.

    Examples
    --------
    >>> from pdsim.weights import weight_space
    >>> values = xr.DataArray([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]], dims=("facility", "indicator"))
    >>> weights = weight_space.flat(["a", "b", "c"], size=20_000, seed=0)
    >>> answer = acceptability(values, weights, m=1)
    >>> abs(float(answer.top_acceptability[0]) - 0.75) < 4 * float(answer.top_acceptability_mcse[0])
    True
    """
    checked = as_values(values)
    array = as_weights(weights, checked)
    chosen = resolve_m(m, checked)
    weight_ess = min(float(weights.attrs.get("ess", len(array))), float(len(array)))
    margins = _margins(checked, array, chosen, ranks)
    samples, facilities, _ = checked.array.shape
    cells = samples * len(array)
    variables: dict[str, xr.DataArray] = {}
    sizes = [weight_ess]

    def put(name: str, number: Floats, error: Floats, dim: xr.DataArray | None = None) -> None:
        dims = ("facility",) if dim is None else ("facility", str(dim.name))
        variables[name] = xr.DataArray(number, dims=dims)
        variables[f"{name}_mcse"] = xr.DataArray(error, dims=dims)

    rank = xr.DataArray(np.arange(1, facilities + 1), dims="rank", name="rank")
    if ranks:
        share = margins.ranks / cells
        error = _rank_error(margins, checked, weight_ess, len(array))
        put("rank_acceptability", share, error, rank)
        logs = np.log(np.where(share > 0, share, 1.0))
        entropy = -(share * logs).sum(axis=1) / np.log(facilities)
        variables["rank_entropy"] = xr.DataArray(np.maximum(entropy, 0.0), dims="facility")
    for side, by_draw, by_weight, weighted in zip(
        _ENDS, margins.by_draw, margins.by_weight, margins.weighted, strict=True
    ):
        by_draw, by_weight = by_draw / len(array), by_weight / samples
        mean, error, size = two_way(by_draw, by_weight, values=checked, weight_ess=weight_ess)
        sizes.append(float(size.min()))
        put(f"{side}_acceptability", mean, error)
        center, error = _central(by_weight, weighted / cells, array, checked, weight_ess)
        put(f"{side}_central_weight", center, error, checked.indicator)
    coords = {"facility": checked.facility, "indicator": checked.indicator}
    attrs = {
        "m": chosen,
        "side": "top and bottom",
        "estimand": checked.estimand,
        "ess": min(sizes),
        "draws": samples,
        "weight_draws": len(array),
    }
    return xr.Dataset(variables, coords=coords | ({"rank": rank} if ranks else {}), attrs=attrs)


def _margins(values: Values, weights: Floats, m: int, ranks: bool) -> _Margins:
    samples, facilities, indicators = values.array.shape
    fitting = max(8, _RANK_BYTES // (8 * facilities**2)) if ranks else _BATCHES
    weight_blocks = blocks(len(weights), min(_BATCHES, fitting))
    draw_blocks = sample_blocks(values, _BATCHES)
    size = facilities if ranks else 0
    counts = np.zeros((len(weight_blocks), size, size))
    parts = [np.ascontiguousarray(weights[block].T) for block in weight_blocks]
    by_weight = [np.zeros((2, facilities, block.stop - block.start)) for block in weight_blocks]
    by_draw = np.zeros((2, samples, facilities))
    weighted = np.zeros((2, len(draw_blocks), facilities, indicators))
    before = np.zeros((size, size))
    squares = np.zeros((size, size))
    seen = np.zeros((2, facilities, indicators))
    for i, block in enumerate(draw_blocks):
        part = values.array[block]

        def run(j: int, part: Floats = part) -> Floats:
            inside = np.zeros((2, len(part), facilities))
            high, low = by_weight[j]
            accumulate(part, parts[j], m, counts[j], inside[0], high, inside[1], low)
            return inside

        for inside in in_threads(run, range(len(parts))):
            by_draw[:, block] += inside
        total = counts.sum(axis=0)
        squares += ((total - before) / (len(part) * len(weights))) ** 2
        before = total
        so_far = np.zeros_like(seen)
        for own, columns in zip(by_weight, parts, strict=True):
            so_far += own @ columns.T
        weighted[:, i] = so_far - seen
        seen = so_far
    lengths = np.array([block.stop - block.start for block in weight_blocks])
    shares = counts / (samples * lengths[:, None, None])
    number = len(draw_blocks)
    whole = before / (samples * len(weights))
    between = np.maximum(squares / number - whole**2, 0.0) * number / max(number - 1, 1)
    return _Margins(
        ranks=before,
        ranks_by_weight=shares.var(axis=0, ddof=min(1, len(shares) - 1)) / len(shares),
        ranks_by_draw=between / number,
        by_draw=by_draw,
        by_weight=np.concatenate(by_weight, axis=2),
        weighted=weighted,
    )


def sample_blocks(values: Values, count: int) -> list[slice]:
    """Cut the samples into runs of neighbours, none of which spans two chains."""
    length = len(values.array) // values.chains
    per_chain = blocks(length, max(2, count // values.chains))
    return [
        slice(chain * length + block.start, chain * length + block.stop)
        for chain in range(values.chains)
        for block in per_chain
    ]


def _rank_error(margins: _Margins, values: Values, weight_ess: float, number: int) -> Floats:
    """Return the two-way error; 1 / ess of what never or always is."""
    variance, least = margins.ranks_by_weight * (number / weight_ess), weight_ess
    if values.sampled:
        samples = len(values.array)
        ess = values.ess or float(samples)
        variance, least = variance + margins.ranks_by_draw * (samples / ess), min(ess, least)
    # differences of squares leave rounding behind where nothing varies
    return never_seen(np.sqrt(np.where(variance > 1e-18, variance, 0.0)), np.asarray(least))


def two_way(
    by_draw: Floats, by_weight: Floats, *, values: Values, weight_ess: float
) -> tuple[Floats, Floats, Floats]:
    """Return mean, two-way error and effective size from the margins of a crossed sample.

    Parameters
    ----------
    by_draw : ndarray (sample, item)
    by_weight : ndarray (item, weight)
    """
    mean, error, size = mean_and_error(by_weight.T[None, None], ess=weight_ess)
    if values.sampled:
        series = by_draw.reshape(1, values.chains, -1, by_draw.shape[-1])
        _, drawn, size = mean_and_error(series, ess=values.ess)
        error, size = np.hypot(error, drawn), np.minimum(size, weight_ess)
    return mean[0], never_seen(error[0], size[0]), size[0]


def _central(
    by_weight: Floats, weighted: Floats, weights: Floats, values: Values, weight_ess: float
) -> tuple[Floats, Floats]:
    """Return the mean weights given membership, a ratio, and its error by linearisation."""
    total = by_weight.mean(axis=1)[:, None]
    share = np.where(total > 0, total, np.nan)
    center = weighted.sum(axis=0) / share
    # sum over weights of (membership (w_k - center_k))^2, without the cube facility x weight x k
    squared = by_weight**2
    sums = squared.sum(axis=1)[:, None]
    spread = squared @ weights**2 - 2.0 * center * (squared @ weights) + center**2 * sums
    variance = spread / (share**2 * len(weights) * weight_ess)
    if values.sampled:
        batches = len(weighted)
        held = weighted.sum(axis=2, keepdims=True)  # weights sum to 1, so this is the membership
        residual = (weighted - center * held) / share
        samples = len(values.array)
        factor = samples / (values.ess or samples)
        variance = variance + factor * (residual**2).sum(axis=0) * batches / (batches - 1)
    return center, np.sqrt(np.maximum(variance, 0.0))


def confidence_factor(
    values: xr.DataArray,
    central_weight: xr.DataArray,
    m: int | None = None,
    *,
    side: Side = "top",
) -> xr.Dataset:
    """Return how sure each facility's membership is at the weights that suit it best.

    Parameters
    ----------
    values : DataArray (..., facility, indicator)
    central_weight : DataArray (facility, indicator)
        ``top_central_weight`` or ``bottom_central_weight`` of `acceptability`; NaN where the
        facility never is a member.
    m : int, optional
    side : {"top", "bottom"}

    Returns
    -------
    Dataset (facility)
        ``confidence_factor``, the share of posterior draws with the facility among the m at its
        own central weights, and ``confidence_factor_mcse``. 0 where there are no such weights.

    Raises
    ------
    InputError
        If the inputs are not as described.

    References
    ----------
    Lahdelma and Salminen (2001), doi 10.1287/opre.49.3.444.11220.

    Examples
    --------
    >>> values = xr.DataArray([[1.0, 0.0], [0.0, 1.0]], dims=("facility", "indicator"))
    >>> central = xr.DataArray([[0.75, 0.25], [0.25, 0.75]], dims=("facility", "indicator"))
    >>> confidence_factor(values, central, m=1).confidence_factor.values.tolist()
    [1.0, 1.0]
    """
    checked = as_values(values)
    chosen = resolve_m(m, checked)
    check_side(side)
    samples, facilities, _ = checked.array.shape
    own = central_weight.transpose("facility", "indicator").values
    if own.shape != checked.array.shape[1:]:
        raise InputError("central weights are over the facilities and indicators of the values")
    array = checked.array if side == "top" else -checked.array
    inside = np.zeros((samples, facilities))
    for f in np.flatnonzero(~np.isnan(own).any(axis=1)):
        score = array @ own[f]
        mine = score[:, f : f + 1]
        ahead = (score > mine).sum(axis=1)
        same = (score == mine).sum(axis=1)
        inside[:, f] = membership(ahead, same, chosen)
    if checked.sampled:
        series = inside.reshape(1, checked.chains, -1, facilities)
        mean, error, size = (part[0] for part in mean_and_error(series, ess=checked.ess))
        error = never_seen(error, size)
    else:
        mean, error, size = inside[0], np.zeros(facilities), np.ones(facilities)
    return xr.Dataset(
        {
            "confidence_factor": ("facility", mean),
            "confidence_factor_mcse": ("facility", error),
        },
        coords={"facility": checked.facility},
        attrs={
            "m": chosen,
            "side": side,
            "estimand": checked.estimand,
            "ess": float(size.min()),
        },
    )
