"""A score as the array functions want it, its effective size, and answers with labels again.

The effective sample size is that of ArviZ for a mean: split chains, autocovariance by FFT, Geyer's
initial monotone sequence. ArviZ takes one series at a time; a study with 2,000 facilities has
thousands, so here every step is an array operation over the series.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Floats
from pdsim.errors import InputError, Problem

_SAMPLE_DIMS = ("chain", "draw", "sample")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreDraws:
    """Draws of a score, all leading dimensions rolled into one.

    Attributes
    ----------
    values : ndarray (batch, chain, draw, facility)
        Larger is better.
    ess : float or None
        Effective draws, where they are known: stated by the attribute ``ess``, or their number
        for independent ones. None for chains, whose autocorrelation is measured.
    template : DataArray
        The leading dimensions and facility, with all their coordinates.
    estimand : str
    """

    values: Floats
    ess: float | None
    template: xr.DataArray
    estimand: str

    @property
    def facilities(self) -> int:
        """Number of facilities."""
        return int(self.values.shape[-1])

    @property
    def flat(self) -> Floats:
        """All draws of a batch in one row: (batch, draw, facility)."""
        batch, chains, draws, facilities = self.values.shape
        return self.values.reshape(batch, chains * draws, facilities)

    @property
    def origin(self) -> dict[str, Hashable]:
        """What every answer says of its score: the estimand, and whether its fit converged."""
        stated = self.template.attrs.get("convergence")
        return {"estimand": self.estimand, **({} if stated is None else {"convergence": stated})}

    def blocks(self, width: int, *, limit: int = 8_000_000) -> list[slice]:
        """Cut the batch so that no array of `width` numbers a draw exceeds `limit` numbers."""
        batch, chains, draws, _ = self.values.shape
        step = max(1, limit // max(1, chains * draws * width))
        return [slice(start, start + step) for start in range(0, batch, step)]

    def like(self, values: Floats) -> Floats:
        """Shape (batch * chain * draw, item) values as (batch, chain, draw, item)."""
        return values.reshape(-1, *self.values.shape[1:3], values.shape[-1])

    def label(
        self,
        variables: Mapping[str, NDArray[np.generic]],
        *,
        dims: tuple[str, ...] = ("facility",),
        coords: Mapping[str, object] | None = None,
        attrs: Mapping[str, Hashable] | None = None,
    ) -> xr.Dataset:
        """Return variables (batch, *dims) as a Dataset with the labels of the score."""
        leading = tuple(str(dim) for dim in self.template.dims[:-1])
        shape = self.template.shape[:-1]
        dataset = xr.Dataset(
            {
                name: ((*leading, *dims), values.reshape((*shape, *values.shape[1:])))
                for name, values in variables.items()
            },
            attrs={**self.origin, **(attrs or {})},
        )
        kept = {*leading, *dims}
        labels = {
            name: coord
            for name, coord in self.template.coords.items()
            if kept.issuperset(coord.dims)
        }
        return dataset.assign_coords(labels).assign_coords(coords or {})


def as_draws(score: xr.DataArray) -> ScoreDraws:
    """Check a score and bring it into the shape of the array functions.

    Parameters
    ----------
    score : DataArray
        Over ``facility`` and either (``chain``, ``draw``) or ``sample``; further dimensions lead.

    Raises
    ------
    InputError
        If a dimension is missing, a number is NaN, a facility is named twice or stands alone, or
        chains are too short to measure their autocorrelation.
    """
    if not isinstance(score, xr.DataArray):
        raise InputError(
            Problem(
                rule=f"a score is an xarray DataArray, not {type(score).__name__}",
                cure="label it with the dimensions (chain, draw, facility) or (sample, facility)",
            )
        )
    sampling = [dim for dim in _SAMPLE_DIMS if dim in score.dims]
    problems = _problems(score, sampling)
    if problems:
        raise InputError(problems)
    ess = float(score.attrs["ess"]) if "ess" in score.attrs else None
    if "facility" not in score.coords:
        score = score.assign_coords(facility=np.arange(1, score.sizes["facility"] + 1).astype(str))
    leading = [dim for dim in score.dims if dim not in (*sampling, "facility")]
    score = score.transpose(*leading, *sampling, "facility")
    # contiguous: the kernels and the sort read draw after draw
    values = np.ascontiguousarray(score.values, dtype=np.float64)
    chains = score.sizes.get("chain", 1)
    values = values.reshape(-1, chains, *values.shape[len(score.dims) - 2 :])
    if np.isnan(values).any():
        raise InputError(
            Problem(rule="the score has NaN", cure="leave the facility out or impute its draws")
        )
    if ess is None and sampling == ["sample"]:
        ess = float(values.shape[2])
    if ess is None and values.shape[2] < 4:
        raise InputError(
            Problem(
                rule=f"a chain has {values.shape[2]} draws; its autocorrelation needs at least 4",
                cure="use the dimension 'sample' for independent draws",
            )
        )
    first = score.isel(dict.fromkeys(sampling, 0), drop=True)
    return ScoreDraws(
        values=values, ess=ess, template=first, estimand=str(score.attrs.get("estimand", "score"))
    )


def _problems(score: xr.DataArray, sampling: list[str]) -> list[Problem]:
    problems = []
    if sampling not in (["chain", "draw"], ["draw"], ["sample"]):
        problems.append(
            Problem(
                rule=f"draws come as (chain, draw) or as sample; the score has {score.dims}",
                cure="rename or stack the dimensions of the draws",
            )
        )
    if "facility" not in score.dims:
        rule = f"a score needs the dimension facility; it has {score.dims}"
        return [*problems, Problem(rule=rule, cure="rename the dimension of what is ranked")]
    if score.size == 0 or score.sizes["facility"] < 2:
        problems.append(
            Problem(rule=f"ranking needs two facilities and a draw; the score is {score.sizes}")
        )
    if named_twice(score):
        problems.append(Problem(rule="a facility is named twice", cure="give each its own name"))
    if score.dtype.kind not in "biuf":
        problems.append(Problem(rule=f"a score is real numbers, not {score.dtype}"))
    ess = score.attrs.get("ess", 1.0)
    if not (isinstance(ess, int | float | np.number) and ess > 0):
        problems.append(Problem(rule=f"the attribute ess is a positive number (received {ess!r})"))
    return problems


def named_twice(values: xr.DataArray) -> bool:
    """Whether two facilities bear one name."""
    names = values.coords.get("facility")
    return names is not None and len(np.unique(names.values)) < names.size


def check_finite(draws: ScoreDraws, what: str) -> None:
    """Raise InputError if `what`, which takes means or differences of scores, has infinite ones."""
    if not np.isfinite(draws.values).all():
        raise InputError(
            Problem(
                rule=f"{what}: finite scores are needed, and some are infinite",
                cure="ranks and probabilities of ranks do not; or bound the scores",
            )
        )


def check_m(m: int, facilities: int) -> None:
    """Raise InputError unless m is a whole number and 1 <= m < facilities."""
    if not isinstance(m, int | np.integer) or not 1 <= m < facilities:
        raise InputError(
            Problem(
                rule=f"m is a whole number from 1 to {facilities - 1} here (received {m})",
                cure="name at least one facility and not all of them",
            )
        )


def check_side(side: str) -> None:
    """Raise InputError unless `side` is top or bottom."""
    if side not in ("top", "bottom"):
        raise InputError(Problem(rule=f"side is 'top' or 'bottom' (received {side!r})"))


def check_probability(name: str, value: float) -> None:
    """Raise InputError unless 0 < value < 1."""
    if not 0.0 < value < 1.0:
        raise InputError(Problem(rule=f"{name} lies between 0 and 1 (received {value})"))


_BLOCK = 400_000
"""Numbers of the series looked at together: few enough to stay in the cache."""


def mean_and_error(series: Floats, *, ess: float | None) -> tuple[Floats, Floats, Floats]:
    """Return mean, Monte Carlo standard error and effective sample size of each series.

    Parameters
    ----------
    series : ndarray (batch, chain, draw, item)
    ess : float or None
        Stated effective sample size; None estimates it from the autocorrelation.

    Returns
    -------
    mean, error, size : ndarray (batch, item)
        A series that never varies has error 0, and the smallest size of the others in its batch
        (all draws if there is none).
    """
    batch, chains, draws, items = series.shape
    mean, deviation, size = np.empty((3, batch, items))
    by_series = series.transpose(0, 3, 1, 2)
    width = max(1, _BLOCK // (chains * draws))
    many = max(1, width // items)
    for start in range(0, batch, many):
        for first in range(0, items, width):
            part = (slice(start, start + many), slice(first, first + width))
            # one series in one row: every step below reads along it
            block = np.ascontiguousarray(by_series[part])
            shape = block.shape[:2]
            rows = block.reshape(-1, chains, draws)
            average, spread, effective = _of_rows(rows, ess)
            mean[part] = average.reshape(shape)
            deviation[part] = spread.reshape(shape)
            size[part] = effective.reshape(shape)
    smallest = size.min(axis=1, keepdims=True)
    smallest[np.isinf(smallest)] = chains * draws
    size = np.where(np.isinf(size), smallest, size)
    return mean, deviation / np.sqrt(size), size


def _of_rows(rows: Floats, ess: float | None) -> tuple[Floats, Floats, Floats]:
    """Return mean, standard deviation and size of (row, chain, draw); size inf if constant."""
    flat = rows.reshape(len(rows), -1)
    constant = (flat == flat[:, :1]).all(axis=1)
    deviation = np.where(constant, 0.0, flat.std(axis=1, ddof=int(ess is None)))
    size = np.full(len(rows), np.inf if ess is None else ess)
    if ess is None:
        size[~constant] = effective_size(rows[~constant] if constant.any() else rows)
    return flat.mean(axis=1), deviation, size


def never_seen(error: Floats, size: Floats) -> Floats:
    """Replace errors of 0, of events never or always seen, by 1 / ESS.

    Three such errors are the bound 3 / ESS, which holds with 95 % for what was never seen.
    """
    return np.where(error > 0, error, 1.0 / size)


def effective_size(series: Floats) -> Floats:
    """Return the effective sample size for the mean of each series.

    Parameters
    ----------
    series : ndarray (item, chain, draw)
        None of them constant; at least 4 draws.

    Returns
    -------
    ndarray (item,)

    References
    ----------
    Vehtari et al. (2021), doi 10.1214/20-BA1221; Geyer (1992), doi 10.1214/ss/1177011137.
    """
    from scipy import fft

    items, chains, draws = series.shape
    half = draws // 2
    length = fft.next_fast_len(2 * half, real=True)
    step = max(1, _BLOCK // (2 * chains * length))
    time = np.empty(items)
    for start in range(0, items, step):
        block = series[start : start + step]
        split = np.concatenate((block[:, :, :half], block[:, :, -half:]), axis=1)
        means = split.mean(axis=2)
        spectrum = fft.rfft(split - means[:, :, np.newaxis], n=length, axis=2)
        power = (spectrum.real**2 + spectrum.imag**2).mean(axis=1)
        autocovariance = fft.irfft(power, n=length, axis=1)[:, :half] / half
        time[start : start + step] = _geyer(autocovariance, means.var(axis=1, ddof=1))
    used = chains * 2 * half
    return np.asarray(used / np.maximum(time, 1.0 / np.log10(used)))


def _geyer(autocovariance: Floats, between: Floats) -> Floats:
    """Return the autocorrelation time from (item, lag) autocovariances of the split chains."""
    draws = autocovariance.shape[1]
    within = autocovariance[:, 0] * draws / (draws - 1.0)
    total = autocovariance[:, 0] + between
    correlation = 1.0 - (within[:, np.newaxis] - autocovariance) / total[:, np.newaxis]
    correlation[:, 0] = 1.0
    last = max((draws - 3) // 2, 0)
    even, odd = correlation[:, 0 : 2 * last + 1 : 2], correlation[:, 1 : 2 * last + 2 : 2]
    pairs = even + odd
    ended = pairs <= 0
    stop = np.where(ended.any(axis=1), ended.argmax(axis=1), last)
    falling = np.minimum.accumulate(pairs, axis=1)
    counted = np.where(np.arange(last + 1) < stop[:, np.newaxis], falling, 0.0).sum(axis=1)
    rows = np.arange(len(stop))
    tail = even[rows, stop]
    tail = np.where((tail > 0) | (pairs[rows, stop] >= 0), tail, 0.0)
    return np.asarray(-1.0 + 2.0 * counted + tail)
