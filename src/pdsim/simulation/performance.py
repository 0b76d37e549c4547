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

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Floats
from pdsim.errors import InputError
from pdsim.simulation.measures import BINS, MEASURES, PROBABILITIES
from pdsim.simulation.slabs import Read, Squares, Sums, checked, divide, reader, slabs

type Means = Mapping[str, Floats]

_HARMFUL = ("wrong_end_top", "wrong_end_bottom", "false_flag")
"""Probabilities of which 1 is wrong and 0 is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measure:
    """A performance measure: a function of means, and its derivatives by each of them."""

    inputs: tuple[str, ...]
    value: Callable[[Means], Floats]
    slopes: Callable[[Means], tuple[Floats | float, ...]]


def _mean(name: str) -> _Measure:
    return _Measure(inputs=(name,), value=lambda x: x[name], slopes=lambda x: (1.0,))


def _root(name: str) -> _Measure:
    return _Measure(
        inputs=(name,),
        value=lambda x: np.sqrt(x[name]),
        slopes=lambda x: (0.5 / np.sqrt(x[name]),),
    )


def _ratio(top: str, bottom: str) -> _Measure:
    return _Measure(
        inputs=(top, bottom),
        value=lambda x: x[top] / x[bottom],
        slopes=lambda x: (1 / x[bottom], -x[top] / x[bottom] ** 2),
    )


def _spread(x: Means) -> Floats:
    return np.sqrt(np.maximum(x["squared_error"] - x["error"] ** 2, 0.0))


def _relative(x: Means) -> Floats:
    return np.sqrt(x["variance"]) / _spread(x)


def _slope_parts(x: Means) -> tuple[Floats, Floats, Floats, Floats]:
    stated = x["forecast_sum"] / x["forecast_count"]
    happened = x["forecast_hits"] / x["forecast_count"]
    joint = x["forecast_hit"] - stated * happened
    return stated, happened, joint, x["forecast_squared"] - stated**2


def _slope_gradient(x: Means) -> tuple[Floats, Floats]:
    # the means of P and of membership are m / F in every replicate, so they do not vary
    _, _, joint, spread = _slope_parts(x)
    return 1 / spread, -joint / spread**2


_SIMPLE = (
    "pcs_top", "pcs_bottom", "pcs_both", "overlap_top", "overlap_bottom", "wrong_end_top",
    "wrong_end_bottom", "regret_top", "regret_bottom", "contrast", "contrast_best",
    "contrast_estimated", "curse_top", "curse_bottom", "rank_correlation", "coverage",
    "coverage_top", "width", "brier_top", "power", "false_flag",
)  # fmt: skip

_PERFORMANCE: Final[dict[str, _Measure]] = {
    **{name: _mean(name) for name in _SIMPLE},
    "contrast_retained": _ratio("contrast", "contrast_best"),
    "bias": _mean("error"),
    "rmse": _root("squared_error"),
    "empirical_sd": _Measure(
        inputs=("squared_error", "error"),
        value=_spread,
        slopes=lambda x: (0.5 / _spread(x), -x["error"] / _spread(x)),
    ),
    "stated_sd": _root("variance"),
    "relative_sd_error": _Measure(
        inputs=("variance", "squared_error", "error"),
        value=lambda x: 100 * (_relative(x) - 1),
        slopes=lambda x: (
            50 * _relative(x) / x["variance"],
            -50 * _relative(x) / _spread(x) ** 2,
            100 * _relative(x) * x["error"] / _spread(x) ** 2,
        ),
    ),
    "calibration_slope": _Measure(
        inputs=("forecast_hit", "forecast_squared"),
        value=lambda x: _slope_parts(x)[2] / _slope_parts(x)[3],
        slopes=_slope_gradient,
    ),
}

_RELIABILITY: Final[dict[str, _Measure]] = {
    f"reliability_{b}": _ratio(f"forecast_hits_{b}", f"forecast_count_{b}") for b in range(BINS)
}

PERFORMANCE: Final[tuple[str, ...]] = tuple(_PERFORMANCE)
"""Names of the performance measures; each has an error named ``<name>_mcse``."""

_UNITS = {
    **dict.fromkeys(PROBABILITIES, "1"),
    **dict.fromkeys(
        (
            "regret_top", "regret_bottom", "contrast", "contrast_best", "contrast_estimated",
            "curse_top", "curse_bottom", "width", "bias", "rmse", "empirical_sd", "stated_sd",
        ),
        "units of the estimand (percentage points where it is a difference)",
    ),
    "relative_sd_error": "percent",
}  # fmt: skip


def summarise(measures: Floats, status: NDArray[np.uint8]) -> xr.Dataset:
    """Return the performance measures of each scenario with their errors.

    Parameters
    ----------
    measures : ndarray (scenario, replicate, measure) or (replicate, measure)
        In the order of ``MEASURES``.
    status : ndarray (scenario, replicate) or (replicate,)
        As in `pdsim.simulation.Block`.

    Returns
    -------
    Dataset (scenario)
        Every name in ``PERFORMANCE`` and its ``<name>_mcse``, NaN where no replicate is usable.
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
    '0.608 (MCSE 0.011, 400 replicates)'
    """
    measures, status = checked(measures, status)
    return summarise_slabs(reader(measures, status), status.shape[-1])


def summarise_slabs(read: Read, replicates: int) -> xr.Dataset:
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
    '0.608 (MCSE 0.011, 400 replicates)'
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
    means = sums.means
    spread = Squares()
    for measures, status in slabs(read, replicates):
        columns = _columns(measures, _usable(status))
        for name, definition in (_PERFORMANCE | _RELIABILITY).items():
            spread.add(name, _influence(definition, columns, means))
    dims = ("scenario",)[: counts["n_ok"].ndim]
    found: dict[str, Any] = {}
    for name, definition in _PERFORMANCE.items():
        found[name] = (dims, _value(definition, means), {"units": _UNITS.get(name, "1")})
        found[f"{name}_mcse"] = (dims, spread.error(name))
    for name in PROBABILITIES:
        wrong, right = _bounds(sums.total[name], sums.count[name], counts, harmful=name in _HARMFUL)
        found[f"{name}_if_failures_wrong"] = (dims, wrong)
        found[f"{name}_if_failures_right"] = (dims, right)
    binned = {
        "reliability": [_value(definition, means) for definition in _RELIABILITY.values()],
        "reliability_mcse": [spread.error(name) for name in _RELIABILITY],
        "forecast": [_value(_ratio(f"forecast_sum_{b}", f"forecast_count_{b}"), means)
                     for b in range(BINS)],
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
        Every name in ``PERFORMANCE``, measure minus reference, its ``<name>_mcse``, and ``n_ok``.

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
    '0.073 (MCSE 0.010)'
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


def paired_contrast_slabs(read: Read, reference: Read, replicates: int) -> xr.Dataset:
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
    '0.073 (MCSE 0.010)'
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
    means, other_means = one.means, other.means
    spread = Squares()
    for columns, others, _ in both():
        for name, definition in _PERFORMANCE.items():
            influence = _influence(definition, columns, means)
            spread.add(name, influence - _influence(definition, others, other_means))
    dims = ("scenario",)[: n_ok.ndim]
    found: dict[str, Any] = {"n_ok": (dims, n_ok)}
    for name, definition in _PERFORMANCE.items():
        gain = _value(definition, means) - _value(definition, other_means)
        found[name] = (dims, gain, {"units": _UNITS.get(name, "1")})
        found[f"{name}_mcse"] = (dims, spread.error(name))
    return xr.Dataset(found)


def describe(summary: xr.Dataset, name: str) -> str:
    """Say one performance measure of one scenario in words.

    Parameters
    ----------
    summary : Dataset
        Of `summarise`, at one scenario.
    name : str
        A name in ``PERFORMANCE``.

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
    if name in PROBABILITIES and value in (0.0, 1.0):
        bound = min(1.0, 3 / usable)
        edge = f"below {bound:.3g}" if value == 0 else f"above {1 - bound:.3g}"
        return f"{edge} ({usable}{lost} replicates)"
    return f"{value:.3f} (MCSE {error:.3f}, {usable}{lost} replicates)"


def _usable(status: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return (status == 1) | (status == 2)


def _columns(measures: Floats, usable: NDArray[np.bool_]) -> dict[str, Floats]:
    """Return each measure (..., replicate), NaN where the replicate is not usable."""
    columns = {name: np.where(usable, measures[..., j], np.nan) for j, name in enumerate(MEASURES)}
    for part in ("count", "sum", "hits"):
        columns[f"forecast_{part}"] = sum(
            (columns[f"forecast_{part}_{b}"] for b in range(1, BINS)), columns[f"forecast_{part}_0"]
        )
    return columns


def _value(definition: _Measure, means: Means) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return definition.value(means)


def _influence(definition: _Measure, columns: Mapping[str, Floats], means: Means) -> Floats:
    """Return what each replicate adds to a measure, to first order (..., replicate)."""
    influence = np.zeros_like(columns[definition.inputs[0]])
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, slope in zip(definition.inputs, definition.slopes(means), strict=True):
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
