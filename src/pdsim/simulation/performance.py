r"""Performance measures over replicates, each with its Monte Carlo standard error.

Definitions and errors follow Morris, White and Crowther (2019), doi 10.1002/sim.8086, table 6,
with the replicate as the unit. A measure is a smooth function g of means of per-replicate
numbers x; its error is that of the linearised measure,

.. math:: \mathrm{MCSE}^2 = \frac{1}{n(n-1)} \sum_r
          \Big(\sum_j \partial_j g(\bar x)\,(x_{jr} - \bar x_j)\Big)^2 ,

which for a mean is s / sqrt(n), for a proportion sqrt(p (1 - p) / (n - 1)), and for the root mean
squared error that of the mean squared error over twice the root.

Replicates are read in slabs, twice: once for the means, once for what depends on them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Floats
from pdsim.errors import InputError
from pdsim.simulation.slabs import Squares, Sums, checked, divide, reader, slabs
from pdsim.terms.measures import BINS, COLUMNS, MEASURES, Means, Measure, ReadSlab, ratio

_RELIABILITY: Final[dict[str, Measure]] = {
    name: ratio(f"forecast_hits_{b}", f"forecast_count_{b}", name=name, words="hit rate")
    for b in range(BINS)
    for name in [f"reliability_{b}"]
}

_UNITS: Final = {
    "": "1",
    "estimand": "units of the estimand (percentage points where it is a difference)",
    "percent": "percent",
}


def summarise(measures: Floats, status: NDArray[np.uint8]) -> xr.Dataset:
    """Return the performance measures of each scenario with their errors.

    Parameters
    ----------
    measures : ndarray (scenario, replicate, measure) or (replicate, measure)
        In the order of ``COLUMNS``.
    status : ndarray (scenario, replicate) or (replicate,)
        As in `pdsim.simulation.Block`.

    Returns
    -------
    Dataset (scenario)
        Every name in `MEASURES` and its ``<name>_mcse``, NaN where no replicate is usable.
        For probabilities also ``<name>_if_failures_wrong`` and ``<name>_if_failures_right``, which
        count replicates that were run and are not usable. ``n_ok`` usable replicates (status ok
        or warned), ``n_warned``, ``n_not_converged``, ``n_failed``, ``n_simulated``.
        ``reliability`` and ``forecast`` over ``bin``: the share of facilities in the true top m,
        and the mean stated P(top m), among those whose P(top m) falls in the bin.

    Raises
    ------
    InputError
        If the shapes do not fit.

    Examples
    --------
    >>> from pdsim.simulation import Scenario, run_block
    >>> block = run_block([Scenario(trials=20)], range(400), seed=1)
    >>> summary = summarise(block.measures, block.status)
    >>> describe(summary.isel(scenario=0), "overlap_top")
    '0.600 (MCSE 0.010, 400 replicates)'
    """
    measures, status = checked(measures, status)
    return summarise_slabs(reader(measures, status), status.shape[-1])


def summarise_slabs(read: ReadSlab, replicates: int) -> xr.Dataset:
    """Return what `summarise` returns, of replicates that need not fit into memory.

    Parameters
    ----------
    read : callable
        Called as ``read(start, stop)``: returns the measures (scenario, replicate, measure) and
        the status (scenario, replicate) of these replicates. Each slab is read twice.
    replicates : int

    Returns
    -------
    Dataset (scenario)

    Raises
    ------
    InputError
        If the shapes do not fit.

    Examples
    --------
    >>> from pdsim.simulation import Scenario, run_block
    >>> def read(start, stop):
    ...     block = run_block([Scenario(trials=20)], range(start, stop), seed=1)
    ...     return block.measures, block.status
    >>> describe(summarise_slabs(read, 400).isel(scenario=0), "overlap_top")
    '0.600 (MCSE 0.010, 400 replicates)'
    """
    sums = Sums()
    counts: dict[str, NDArray[np.int64]] = {}
    for measures, status in slabs(read, replicates):
        usable = _usable(status)
        sums.add(_columns(measures, usable))
        masks = {
            "n_ok": usable,
            "n_warned": status == 2,
            "n_not_converged": status == 3,
            "n_failed": status > 3,
            "n_simulated": status > 0,
        }
        for name, mask in masks.items():
            counts[name] = counts.get(name, 0) + mask.sum(axis=-1)
    means = _means(sums)
    spread = Squares()
    for measures, status in slabs(read, replicates):
        columns = _columns(measures, _usable(status))
        for definition in (*MEASURES.values(), *_RELIABILITY.values()):
            spread.add(definition.name, _influence(definition, columns, means))
    dims = ("scenario",)[: counts["n_ok"].ndim]
    found: dict[str, Any] = {}
    for name, definition in _named():
        found[name] = (dims, definition.of(means), {"units": _UNITS[definition.unit]})
        found[f"{name}_mcse"] = (dims, spread.error(name))
        if not (definition.is_probability and definition.is_mean):
            continue
        harmful = definition.better == "smaller"
        wrong, right = _bounds(sums.total[name], sums.count[name], counts, harmful=harmful)
        found[f"{name}_if_failures_wrong"] = (dims, wrong)
        found[f"{name}_if_failures_right"] = (dims, right)
    binned = {
        "reliability": [definition.of(means) for definition in _RELIABILITY.values()],
        "reliability_mcse": [spread.error(name) for name in _RELIABILITY],
        "forecast": [
            divide(means[f"forecast_sum_{b}"], means[f"forecast_count_{b}"]) for b in range(BINS)
        ],
    }  # fmt: skip
    found |= {name: ((*dims, "bin"), np.stack(parts, axis=-1)) for name, parts in binned.items()}
    found |= {name: (dims, count) for name, count in counts.items()}
    edges = (np.arange(BINS) + 0.5) / BINS
    return xr.Dataset(found, coords={"bin": ("bin", edges, {"long_name": "middle of P(top m)"})})


def paired_contrast(
    measures: Floats,
    status: NDArray[np.uint8],
    *,
    reference: Floats,
    reference_status: NDArray[np.uint8],
) -> xr.Dataset:
    """Return the differences of performance between paired scenarios with paired errors.

    The replicates of scenarios that share a truth are paired: same truth, and the data of fewer
    trials are part of the data of more. The error of the difference is that of the differences of
    the linearised measures, over replicates usable in both.

    Parameters
    ----------
    measures, reference : ndarray (scenario, replicate, measure) or (replicate, measure)
        The reference may lack the scenario dimension.
    status, reference_status : ndarray (scenario, replicate) or (replicate,)

    Returns
    -------
    Dataset (scenario)
        Every name in `MEASURES`, measure minus reference, its ``<name>_mcse``, and ``n_ok``.

    Raises
    ------
    InputError
        If the shapes do not fit.

    Examples
    --------
    >>> from pdsim.simulation import Scenario, run_block
    >>> block = run_block([Scenario(trials=20), Scenario(trials=40)], range(400), seed=1)
    >>> gain = paired_contrast(
    ...     block.measures[1],
    ...     block.status[1],
    ...     reference=block.measures[0],
    ...     reference_status=block.status[0],
    ... )
    >>> f"{gain.overlap_top.item():.3f} (MCSE {gain.overlap_top_mcse.item():.3f})"
    '0.076 (MCSE 0.010)'
    """
    measures, status = checked(measures, status)
    reference, reference_status = checked(reference, reference_status)
    if measures.shape[-2] != reference.shape[-2] or reference.ndim > measures.ndim:
        raise InputError(
            f"measures {measures.shape} and reference {reference.shape} do not pair replicates"
        )
    return paired_contrast_slabs(
        reader(measures, status), reader(reference, reference_status), status.shape[-1]
    )


def paired_contrast_slabs(read: ReadSlab, reference: ReadSlab, replicates: int) -> xr.Dataset:
    """Return what `paired_contrast` returns, of replicates that need not fit into memory.

    Parameters
    ----------
    read, reference : callable
        As in `summarise_slabs`.
    replicates : int

    Returns
    -------
    Dataset (scenario)

    Raises
    ------
    InputError
        If the shapes do not fit.

    Examples
    --------
    >>> from pdsim.simulation import Scenario, run_block
    >>> def reader(scenario):
    ...     def read(start, stop):
    ...         block = run_block([scenario], range(start, stop), seed=1)
    ...         return block.measures, block.status
    ...     return read
    >>> few, many = reader(Scenario(trials=20)), reader(Scenario(trials=40))
    >>> gain = paired_contrast_slabs(many, few, 400).isel(scenario=0)
    >>> f"{gain.overlap_top.item():.3f} (MCSE {gain.overlap_top_mcse.item():.3f})"
    '0.076 (MCSE 0.010)'
    """

    def both() -> Iterator[tuple[dict[str, Floats], dict[str, Floats], NDArray[np.bool_]]]:
        pairs = zip(slabs(read, replicates), slabs(reference, replicates), strict=True)
        for (measures, status), (others, others_status) in pairs:
            usable = _usable(status) & _usable(others_status)
            yield _columns(measures, usable), _columns(others, usable), usable

    one, other = Sums(), Sums()
    n_ok: Any = 0
    for columns, others, usable in both():
        one.add(columns)
        other.add(others)
        n_ok = n_ok + usable.sum(axis=-1)
    means, other_means = _means(one), _means(other)
    spread = Squares()
    for columns, others, _ in both():
        for name, definition in _named():
            influence = _influence(definition, columns, means)
            spread.add(name, influence - _influence(definition, others, other_means))
    dims = ("scenario",)[: n_ok.ndim]
    found: dict[str, Any] = {"n_ok": (dims, n_ok)}
    for name, definition in _named():
        gain = definition.of(means) - definition.of(other_means)
        found[name] = (dims, gain, {"units": _UNITS[definition.unit]})
        found[f"{name}_mcse"] = (dims, spread.error(name))
    return xr.Dataset(found)


def describe(summary: xr.Dataset, name: str) -> str:
    """Say one performance measure of one scenario in words.

    Parameters
    ----------
    summary : Dataset
        Of `summarise`, at one scenario.
    name : str
        A name in `pdsim.terms.measures.MEASURES`.

    Returns
    -------
    str
        ``no estimate, 0 of 200 usable`` where no replicate is, never 0 %. A probability that was
        never seen is said to lie below 3 / n, its 95 % bound.
    """
    usable, simulated = int(summary["n_ok"]), int(summary["n_simulated"])
    value, error = float(summary[name]), float(summary[f"{name}_mcse"])
    if usable == 0:
        return f"no estimate, 0 of {simulated} usable"
    if np.isnan(value):
        return "no estimate, the rule states none"
    lost = "" if usable == simulated else f" of {simulated}"
    if MEASURES[name].is_probability and value in (0.0, 1.0):
        bound = min(1.0, 3 / usable)
        edge = f"below {bound:.3g}" if value == 0 else f"above {1 - bound:.3g}"
        return f"{edge} ({usable}{lost} replicates)"
    return f"{value:.3f} (MCSE {error:.3f}, {usable}{lost} replicates)"


def _usable(status: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return (status == 1) | (status == 2)


def _columns(measures: Floats, usable: NDArray[np.bool_]) -> dict[str, Floats]:
    """Return each measure (..., replicate), NaN where the replicate is not usable."""
    columns = {name: np.where(usable, measures[..., j], np.nan) for j, name in enumerate(COLUMNS)}
    for part in ("count", "sum", "hits"):
        columns[f"forecast_{part}"] = sum(
            (columns[f"forecast_{part}_{b}"] for b in range(1, BINS)), columns[f"forecast_{part}_0"]
        )
    return columns


def _named() -> Iterator[tuple[str, Measure]]:
    return ((measure.name, measure) for measure in MEASURES.values())


def _means(sums: Sums) -> Means:
    """Return the mean of every column, and the replicates with an estimate."""
    return sums.means | {"replicates": np.asarray(sums.count["error"], dtype=float)}


def _influence(definition: Measure, columns: Mapping[str, Floats], means: Means) -> Floats:
    """Return what each replicate adds to a measure, to first order (..., replicate)."""
    influence = np.zeros_like(columns[definition.columns[0]])
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, slope in zip(definition.columns, definition.gradient(means), strict=True):
            influence = influence + np.asarray(slope)[..., None] * (
                columns[name] - means[name][..., None]
            )
    return influence


def _bounds(
    total: Floats,
    count: NDArray[np.int64],
    counts: Mapping[str, NDArray[np.int64]],
    *,
    harmful: bool,
) -> tuple[Floats, Floats]:
    """Return the mean with every unusable replicate counted as wrong, and as right."""
    lost = counts["n_simulated"] - counts["n_ok"]
    # a rule that never states the measure has no bounds either
    stated = (count > 0) | ((counts["n_ok"] == 0) & (lost > 0))
    bottom = np.where(stated, count + lost, 0)
    low, high = divide(total, bottom), divide(total + lost, bottom)
    return (high, low) if harmful else (low, high)
