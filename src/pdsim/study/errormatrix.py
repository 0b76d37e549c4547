"""The correlations of the sampling errors of scores as matrices, checked and in words."""

from typing import Final

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats
from pdsim.errors import suggestion
from pdsim.study.errorcorrelation import ErrorCorrelation
from pdsim.study.problems import Findings, listed, quote

COLUMN: Final = "correlation"
"""Variable of a study, and column of a table, that holds the correlation over the periods."""

_SHOWN: Final = 8
"""Pairs of indicators that a sentence lists."""


def error_correlation_of(data: xr.Dataset, stated: ErrorCorrelation | None) -> Floats | None:
    """Return the correlations of the errors of each facility's scores.

    Within a period they are those of the indicators, over the periods those of an indicator with
    itself; the errors of two indicators in two periods correlate by the product of both, with the
    mean of the two indicators where these differ: a Kronecker product where they do not.

    Parameters
    ----------
    data : Dataset (facility, indicator, period)
    stated : ErrorCorrelation or None

    Returns
    -------
    ndarray (F, K T, K T) or None
        Cells in the order (indicator, period), all turned so that higher is better. None where no
        two errors correlate.
    """
    if "se" not in data or (stated is None and COLUMN not in data):
        return None
    over, between = _over_periods(data, stated), _between_indicators(data, stated)
    if not over.any() and bool((between == np.eye(len(between))).all()):
        return None
    turn = np.where(data["direction"].to_numpy() == "lower", -1.0, 1.0)
    return _whole(over, between * np.outer(turn, turn), data.sizes["period"])


def variance_of_sums(parts: Floats, correlation: Floats) -> Floats:
    """Return the variance of each facility's sum of cells.

    Parameters
    ----------
    parts : ndarray (F, K, T)
        Standard errors times the factors, with their signs, of the cells in the sum.
    correlation : ndarray (F, K T, K T)
        From `error_correlation_of`.

    Returns
    -------
    ndarray (F,)
    """
    flat = parts.reshape(len(parts), -1)
    variance: Floats = np.einsum("fa,fab,fb->f", flat, correlation, flat)
    return variance


def correlation_findings(
    data: xr.Dataset,
    stated: ErrorCorrelation | None,
    found: Findings,
    *,
    file: str | None = None,
) -> None:
    """Report correlations of errors that cannot be; `file` is where `stated` stands."""
    if stated is not None and "se" not in data:
        found.add("error_correlation is for scores (mean and se)", "remove it", file=file)
        return
    before = found.count
    if COLUMN in data:
        _column_findings(data, found)
    if found.count > before or (stated is None and COLUMN not in data):
        return
    between = _between_indicators(data, stated)
    names = data["indicator"].to_numpy().tolist()
    for k in range(2, len(names) + 1):
        # the first indicator whose correlations with those before it leave no variance
        if not _possible(between[:k, :k]):
            others = [names[other] for other in np.flatnonzero(between[k - 1, : k - 1])]
            found.add(
                f"the correlations of errors among {listed([*others, names[k - 1]])} are not "
                "possible at once (their matrix is not positive definite)",
                "state smaller ones, or one more pair of them",
                file=file,
            )
            return
    if COLUMN not in data:
        return
    for i, own in enumerate(_over_periods(data, stated)):
        if not _possible(_whole(own[None], between, data.sizes["period"])[0]):
            found.add(
                "the correlations over the periods are not possible at once with those of the "
                "indicators (their matrix is not positive definite)",
                "state ones of the indicators that lie closer together, or smaller ones",
                facility=str(data["facility"].to_numpy()[i]),
            )


def name_findings(
    data: xr.Dataset,
    stated: ErrorCorrelation | None,
    found: Findings,
    *,
    file: str | None = None,
) -> None:
    """Report names in stated pairs that are no indicators; `file` is where they stand."""
    known = data["indicator"].to_numpy().tolist()
    named = [name for pair in stated.indicators for name in pair[:2]] if stated else []
    for name in dict.fromkeys(named):
        if name not in known:
            found.add(
                f"error_correlation names {quote(name)}, which is no indicator",
                f"correct the name{suggestion(name, known)}",
                file=file,
            )


def correlation_sentence(data: xr.Dataset, stated: ErrorCorrelation | None) -> str:
    """Say which errors of the scores correlate, as stated; "" where none do."""
    correlation = error_correlation_of(data, stated)
    if correlation is None:
        return ""
    parts, over = [], _over_periods(data, stated)
    if over.any():
        low, high = f"{over.min():.3g}", f"{over.max():.3g}"
        size = f"by {low}" if low == high else f"by {low} to {high}"
        parts.append(f"those of an indicator's two periods {size}")
    known = set(data["indicator"].to_numpy().tolist())
    pairs = [
        f"those of {quote(first)} and {quote(second)} by {value:.3g}"
        for first, second, value in (stated.indicators if stated else ())
        if value and {first, second} <= known
    ]
    more = [f"those of {len(pairs) - _SHOWN:,} more pairs"] if len(pairs) > _SHOWN else []
    said = "; ".join([*parts, *pairs[:_SHOWN], *more])
    return f"The errors of the scores of one facility correlate as stated: {said}."


def _over_periods(data: xr.Dataset, stated: ErrorCorrelation | None) -> Floats:
    """Return the correlation of each indicator's errors over the periods (F, K)."""
    shape = (data.sizes["facility"], data.sizes["indicator"])
    if data.sizes["period"] == 1:
        return np.zeros(shape)
    usual = np.full(shape, 0.0 if stated is None else stated.periods)
    if COLUMN not in data:
        return usual
    first, second = np.moveaxis(data[COLUMN].to_numpy().astype(float), -1, 0)
    own = np.where(np.isnan(first), second, first)
    return np.where(np.isnan(own), usual, own)


def _between_indicators(data: xr.Dataset, stated: ErrorCorrelation | None) -> Floats:
    """Return the correlation of the errors of each two indicators in one period (K, K)."""
    place = {name: k for k, name in enumerate(data["indicator"].to_numpy().tolist())}
    between = np.eye(len(place))
    for first, second, value in stated.indicators if stated else ():
        # a study of some of the indicators keeps what is stated of all
        if first in place and second in place:
            a, b = place[first], place[second]
            between[a, b] = between[b, a] = value
    return between


def _whole(over: Floats, between: Floats, periods: int) -> Floats:
    """Return the correlations of all cells (F, K T, K T)."""
    facilities, indicators = over.shape
    if periods == 1:
        return np.broadcast_to(between, (facilities, indicators, indicators))
    whole = np.empty((facilities, indicators, 2, indicators, 2))
    whole[:, :, 0, :, 0] = whole[:, :, 1, :, 1] = between
    across = 0.5 * between * (over[:, :, None] + over[:, None, :])
    whole[:, :, 0, :, 1] = whole[:, :, 1, :, 0] = across
    return whole.reshape(facilities, 2 * indicators, 2 * indicators)


def _possible(correlation: Floats) -> bool:
    """Tell whether a matrix is positive definite, up to the rounding of its digits."""
    return bool(np.linalg.eigvalsh(correlation)[0] > 1e-9)


def _column_findings(data: xr.Dataset, found: Findings) -> None:
    """Report cells of the column that are out of range or contradict each other."""
    if data.sizes["period"] == 1:
        found.add(
            f"the column {COLUMN} is of the errors of two periods, and the study has one",
            f'ignore = ["{COLUMN}"], or state pairs of indicators in [error_correlation]',
        )
        return
    values = data[COLUMN].to_numpy().astype(float)
    wrong = (~np.isnan(values) & ~(np.abs(values) < 1.0)).any(axis=-1)
    apart = ~wrong & ~np.isnan(values).any(axis=-1) & (values[..., 0] != values[..., -1])
    for bad, rule, cure in (
        (wrong, f"{COLUMN} must lie between -1 and 1", "correct it"),
        (
            apart,
            f"{COLUMN} differs between the rows of the two periods",
            "state it once, or the same in both rows",
        ),
    ):
        for i, k in np.argwhere(bad):
            found.add(
                rule, cure,
                facility=str(data["facility"].to_numpy()[i]),
                indicator=str(data["indicator"].to_numpy()[k]),
            )  # fmt: skip
