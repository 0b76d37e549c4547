"""Which sets of m facilities are chosen, over posterior draws crossed with weights."""

import itertools
from collections import Counter
from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import comb

from pdsim.arraytypes import Floats
from pdsim.conventions import Side
from pdsim.ranking.draws import check_side, mean_and_error, never_seen
from pdsim.terms.places import membership, places
from pdsim.weights.acceptances import two_way
from pdsim.weights.samples import Values, as_values, as_weights, blocks, in_threads, resolve_m
from pdsim.weights.score_kernels import linear_scores
from pdsim.weights.set_kernels import count_sets, facility_keys, sample_keys

_CELLS: Final = 4_000_000


def set_acceptability(
    values: xr.DataArray,
    weights: xr.DataArray,
    m: int | None = None,
    *,
    side: Side = "top",
    most: int = 20,
) -> xr.Dataset:
    """Return the likeliest sets of m facilities over posterior and weights together.

    Parameters
    ----------
    values : DataArray (..., facility, indicator)
        Leading dimensions are samples.
    weights : DataArray (weight_draw, indicator)
    m : int, optional
        Default as in `acceptability`.
    side : {"top", "bottom"}
    most : int
        Sets to list.

    Returns
    -------
    Dataset
        ``set_acceptability`` (set), likeliest first, and ``_mcse``; where facilities tie at the
        cut, the tied sets share equally. ``member`` (set, facility), bool;
        ``central_weight`` (set, indicator), the mean weights given the set;
        ``confidence_factor`` (set), the share of draws that give the set at those weights, and
        ``_mcse``. The coordinate ``set`` joins the names by " + ". Attributes ``m``, ``side``,
        ``estimand``, ``ess``, ``unlisted`` (probability of all other sets).

    Raises
    ------
    InputError
        If the inputs are not as described.

    Examples
    --------
    >>> from pdsim.weights import weight_space
    >>> values = xr.DataArray(
    ...     [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]],
    ...     dims=("facility", "indicator"),
    ...     coords={"facility": ["A", "B"]},
    ... )
    >>> weights = weight_space.flat(["a", "b", "c"], size=1000, seed=0)
    >>> set_acceptability(values, weights, m=1)["set"].values.tolist()
    ['A', 'B']
    """
    checked = as_values(values)
    drawn = as_weights(weights, checked)
    chosen = resolve_m(m, checked)
    check_side(side)
    array = checked.array if side == "top" else -checked.array
    samples, facilities, _ = array.shape
    weight_ess = min(float(weights.attrs.get("ess", len(drawn))), float(len(drawn)))
    keys = facility_keys(facilities)
    seen = _seen(array, drawn, chosen, keys)
    listed = np.array(sorted(key for key, _ in seen.most_common(most)), dtype=np.uint64)
    by_draw = np.zeros((samples, len(listed)))
    by_weight = np.zeros((len(listed), len(drawn)))

    def run(block: slice) -> Floats:
        within = np.zeros((samples, len(listed)))
        part = np.zeros((len(listed), block.stop - block.start))
        columns = np.ascontiguousarray(drawn[block].T)
        count_sets(array, columns, chosen, keys, listed, within, part)
        by_weight[:, block] = part
        return within

    for within in in_threads(run, blocks(len(drawn), 8)):
        by_draw += within
    by_draw, by_weight = by_draw / len(drawn), by_weight / samples
    mean, error, size = two_way(by_draw, by_weight, values=checked, weight_ess=weight_ess)
    order = np.argsort(-mean, kind="stable")
    member = _members(array, drawn, chosen, keys, listed[order])
    total = np.maximum(by_weight.sum(axis=1), 1e-300)
    center = (by_weight @ drawn / total[:, None])[order]
    confidence, confidence_error = _confidence(array, center, member, chosen, checked)
    names = checked.facility.values.astype(str)
    labels = [" + ".join(names[row]) for row in member]
    return xr.Dataset(
        {
            "set_acceptability": ("set", mean[order]),
            "set_acceptability_mcse": ("set", error[order]),
            "member": (("set", "facility"), member),
            "central_weight": (("set", "indicator"), center),
            "confidence_factor": ("set", confidence),
            "confidence_factor_mcse": ("set", confidence_error),
        },
        coords={
            "set": labels,
            "facility": checked.facility,
            "indicator": checked.indicator,
        },
        attrs={
            "m": chosen,
            "side": side,
            "estimand": checked.estimand,
            "ess": min(float(size.min()), weight_ess),
            "unlisted": max(0.0, 1.0 - float(mean.sum())),
        },
    )


def _seen(array: Floats, drawn: Floats, m: int, keys: NDArray[np.uint64]) -> Counter[int]:
    """Count the sets without keeping the cube: a block of samples at a time."""
    columns = np.ascontiguousarray(drawn.T)
    step = max(1, _CELLS // len(drawn))

    def run(block: slice) -> Counter[int]:
        found = np.empty((block.stop - block.start, len(drawn)), dtype=np.uint64)
        sample_keys(array[block], columns, m, keys, found)
        names, counts = np.unique(found, return_counts=True)
        return Counter(dict(zip(names.tolist(), counts.tolist(), strict=True)))

    parts = in_threads(run, blocks(len(array), max(2, -(-len(array) // step))))
    total = Counter[int]()
    for part in parts:
        total.update(part)
    # 0 stands for a tie too wide to be spread
    del total[0]
    return total


def _members(
    array: Floats, drawn: Floats, m: int, keys: NDArray[np.uint64], wanted: NDArray[np.uint64]
) -> NDArray[np.bool_]:
    """Find who is in each set from a cell in which it occurs."""
    member = np.zeros((len(wanted), array.shape[1]), dtype=bool)
    open_sets = {int(key): at for at, key in enumerate(wanted)}
    columns = np.ascontiguousarray(drawn.T)
    found = np.empty((1, len(drawn)), dtype=np.uint64)
    score = np.empty((array.shape[1], 1))
    for values in array:
        if not open_sets:
            break
        sample_keys(values[None], columns, m, keys, found)
        for key in np.intersect1d(found[0], np.fromiter(open_sets, np.uint64, len(open_sets))):
            column = int(np.flatnonzero(found[0] == key)[0])
            # the kernel that made the key, so that equal scores are equal here too
            linear_scores(values, columns, column, 1, score, 0)
            share = membership(*places(score[:, 0][None]), m)[0]
            sure, tied = np.flatnonzero(share == 1), np.flatnonzero((share > 0) & (share < 1))
            for way in itertools.combinations(tied, m - len(sure)):
                own = [*sure, *way]
                if keys[own].sum() == key:
                    member[open_sets.pop(int(key)), own] = True
    return member


def _confidence(
    array: Floats, center: Floats, member: NDArray[np.bool_], m: int, values: Values
) -> tuple[Floats, Floats]:
    inside = np.empty((len(array), len(center)))
    for at, (weight, own) in enumerate(zip(center, member, strict=True)):
        share = membership(*places(array @ weight), m)
        tied = (share > 0) & (share < 1)
        # 1 where the set is the choice, else its share of the tied sets if it is one of them
        ways = comb(tied.sum(axis=1), tied[:, own].sum(axis=1))
        inside[:, at] = np.where((share[:, own] > 0).all(axis=1), 1.0 / ways, 0.0)
    if not values.sampled:
        return inside[0], np.zeros(len(center))
    series = inside.reshape(1, values.chains, -1, len(center))
    mean, error, size = mean_and_error(series, ess=values.ess)
    return mean[0], never_seen(error[0], size[0])
