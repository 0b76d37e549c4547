"""What the weights explorer computes with, and the same computation in Python."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Floats
from pdsim.conventions import CERTAIN, Side
from pdsim.reports.study.view import SIDES, Results, labels
from pdsim.scoring import indicator_values, normalise
from pdsim.terms.scales import SCALES, Scale

MOST_NUMBERS: Final = 150_000
"""Numbers that the page holds of each kind; draws are thinned to fit."""

FEWEST_DRAWS: Final = 100

_EQUAL: Final = 1e-12


def explorer_payload(results: Results) -> dict[str, Any] | None:
    """Return the data of the explorer, or nothing where the results hold no draws.

    Values are whole numbers, so that the page and Python compute with exactly the same ones.

    Returns
    -------
    dict or None
        ``facilities``, ``indicators`` (name, label, domain, weight), ``m``, ``values`` (one list
        for each draw, facility by facility, of whole numbers: endline minus baseline),
        ``normalisations`` (name and label); ``factors`` by name (one list for each draw), where
        the normalised value is factor times value, and ``tables`` like ``values`` for the others.
    """
    if not results.has("draws") or results.estimand not in ("change", "level"):
        return None
    level = results.group("draws")["level"].transpose("draw", "facility", "indicator", "period")
    level = level.astype(np.float64).assign_attrs(kind=results.attr("kind", "counts"))
    per_draw = level.sizes["facility"] * level.sizes["indicator"]
    if level.sizes["indicator"] < 2 or MOST_NUMBERS // per_draw < FEWEST_DRAWS:
        return None
    kept = min(level.sizes["draw"], MOST_NUMBERS // per_draw)
    level = level.isel(draw=np.linspace(0, level.sizes["draw"] - 1, kept).astype(int))
    value = indicator_values(normalise(level, "pp")).to_numpy()
    scale = _four_digits(value)
    reach = _reach(level)
    offered = offered_scales()
    moved = {name: normalise(level, name) for name in offered if not offered[name].natural}
    return {
        "facilities": labels(level["facility"]),
        "indicators": _indicators(results, level),
        "m": results.m,
        "certain": CERTAIN,
        "units": results.units,
        "values": _whole(value * scale),
        "normalisations": {name: offered[name].label for name in offered},
        "tables": {
            name: _whole_table(scaled) for name, scaled in moved.items() if not offered[name].linear
        },
        "factors": {
            name: _factors(_reach(scaled), reach)
            for name, scaled in moved.items()
            if offered[name].linear
        },
    }


def _indicators(results: Results, level: xr.DataArray) -> list[dict[str, Any]]:
    names = labels(level["indicator"])
    study = results.group("study").sel(indicator=names)
    return [
        {"name": name, "label": label or name, "domain": domain, "weight": float(weight)}
        for name, label, domain, weight in zip(
            names,
            labels(study["label"]),
            labels(study["domain"]),
            study["weight"].to_numpy(),
            strict=True,
        )
    ]


def _whole(values: Floats) -> list[list[int]]:
    flat = np.rint(values).astype(np.int64).reshape(len(values), -1)
    return [list(map(int, row)) for row in flat]


def offered_scales() -> dict[str, Scale]:
    """Return the scales that the page offers by name."""
    return {scale.name: scale for scale in SCALES.values() if not scale.proportion}


def _reach(level: xr.DataArray) -> Floats:
    """Return the range of every indicator (draw, indicator)."""
    ends = ("facility", "period")
    return np.asarray((level.max(ends) - level.min(ends)).transpose("draw", "indicator"))


def _whole_table(scaled: xr.DataArray) -> list[list[int]]:
    """Return differences as whole numbers; those that are fractions of the cells stay exact."""
    value = indicator_values(scaled).transpose("draw", "facility", "indicator").to_numpy()
    cells = 2.0 * scaled.sizes["facility"] * scaled.sizes["period"]
    if np.abs(value * cells - np.rint(value * cells)).max() < 1e-6:
        return _whole(value * cells)
    return _whole(value * _four_digits(value))


def _four_digits(value: Floats) -> float:
    return 10.0 ** (4 - math.ceil(math.log10(max(float(np.abs(value).max()), 1e-9))))


def _factors(scaled: Floats, reach: Floats) -> list[list[float]]:
    """Return scaled / reach with six digits; an indicator that never varies counts nothing."""
    factor = np.where(reach > 0, scaled / np.where(reach > 0, reach, 1.0), 0.0)
    return [[float(f"{value:.6g}") for value in row] for row in factor]


def normalised_values(payload: Mapping[str, Any], normalisation: str) -> Floats:
    """Return the values (draw, facility, indicator) that the weights are applied to."""
    shape = (-1, len(payload["facilities"]), len(payload["indicators"]))
    table = payload["tables"].get(normalisation, payload["values"])
    values = np.array(table, dtype=np.float64).reshape(shape)
    if normalisation in payload["factors"]:
        factor = np.array(payload["factors"][normalisation])
        return np.asarray(factor[:, np.newaxis, :] * values)
    return values


def explorer_table(
    payload: Mapping[str, Any], weights: Sequence[float], normalisation: str = "pp"
) -> pd.DataFrame:
    """Return what the page shows for these weights, from the same draws.

    Parameters
    ----------
    payload : mapping
        From `explorer_payload`.
    weights : sequence of float (indicator)
        Sum to 1.
    normalisation : str
        One that the payload offers.

    Returns
    -------
    DataFrame (facility)
        ``p_top``, ``p_bottom``, ``expected_rank``, ``mean`` (of the normalised composite),
        ``selected_top``, ``selected_bottom``.
    """
    values = normalised_values(payload, normalisation)
    score = np.zeros(values.shape[:2])
    # one indicator after the other, as the page does, so that ties are the same ties
    for k, weight in enumerate(weights):
        score += weight * values[:, :, k]
    above = score[:, np.newaxis, :] > score[:, :, np.newaxis]
    same = score[:, np.newaxis, :] == score[:, :, np.newaxis]
    ahead, tied = above.sum(axis=2), same.sum(axis=2)
    size, m = score.shape[1], int(payload["m"])
    top = np.clip((m - ahead) / tied, 0.0, 1.0).mean(axis=0)
    bottom = np.clip((m - (size - ahead - tied)) / tied, 0.0, 1.0).mean(axis=0)
    return pd.DataFrame(
        {
            "p_top": top,
            "p_bottom": bottom,
            "expected_rank": (ahead + 0.5 * (tied + 1)).mean(axis=0),
            "mean": score.mean(axis=0),
            "selected_top": chosen(top, m),
            "selected_bottom": chosen(bottom, m),
        },
        index=pd.Index(payload["facilities"], name="facility"),
    )


def chosen(probability: Floats, m: int) -> NDArray[np.bool_]:
    """Return who is among the m highest; nobody of those who tie at the cut."""
    ordered = np.sort(probability)[::-1]
    cut, below = ordered[m - 1], ordered[m]
    if cut - below <= _EQUAL:
        return np.asarray(probability > cut + _EQUAL)
    return np.asarray(probability >= cut)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """The nearest weight of one indicator at which the selection changes.

    Attributes
    ----------
    indicator : str
    weight, at : float
        The weight now and at the flip; the other weights keep their proportions.
    side : {"top", "bottom"}
    leaves, enters : str
        Facilities that change places there, by the posterior mean.
    """

    indicator: str
    weight: float
    at: float
    side: Side
    leaves: str
    enters: str


def single_flips(
    payload: Mapping[str, Any], weights: Sequence[float], normalisation: str = "pp"
) -> list[Flip]:
    """Return for every indicator the nearest flip by its weight alone, where there is one.

    Scores are posterior means of the normalised composite. With the other weights in
    proportion they are straight lines in the weight t: t V_k + (1 - t) R.
    """
    mean = normalised_values(payload, normalisation).mean(axis=0)
    weight = np.asarray(weights, dtype=np.float64)
    score = mean @ weight
    names, m = payload["facilities"], int(payload["m"])
    order = np.argsort(-score, kind="stable")
    flips = []
    for k, indicator in enumerate(payload["indicators"]):
        if weight[k] >= 1.0:
            continue
        rest = (score - weight[k] * mean[:, k]) / (1.0 - weight[k])
        slope = mean[:, k] - rest
        best: Flip | None = None
        for side in SIDES:
            inside = order[:m] if side == "top" else order[-m:]
            outside = np.setdiff1d(order, inside)
            steeper = slope[inside][:, np.newaxis] - slope[outside]
            with np.errstate(divide="ignore", invalid="ignore"):
                at = (rest[outside] - rest[inside][:, np.newaxis]) / steeper
            at = np.where(np.isfinite(at) & (at >= 0.0) & (at <= 1.0), at, np.inf)
            place = np.unravel_index(np.argmin(np.abs(at - weight[k])), at.shape)
            if not np.isfinite(at[place]):
                continue
            flip = Flip(
                indicator=indicator["name"],
                weight=float(weight[k]),
                at=float(at[place]),
                side=side,
                leaves=names[inside[place[0]]],
                enters=names[outside[place[1]]],
            )
            if best is None or abs(flip.at - flip.weight) < abs(best.at - best.weight):
                best = flip
        if best is not None:
            flips.append(best)
    return sorted(flips, key=lambda flip: abs(flip.at - flip.weight))
