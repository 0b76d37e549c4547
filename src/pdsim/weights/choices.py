"""The multiverse: every defensible way to score crossed, and whom each would choose."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Floats
from pdsim.conventions import DEFAULT_M, Side
from pdsim.errors import InputError, Problem
from pdsim.ranking.draws import check_m, check_side
from pdsim.scoring import (
    aggregate,
    allowed_estimands,
    is_defined,
    normalise,
    score_composite,
)
from pdsim.terms.kinds import kind_named
from pdsim.terms.places import membership, places
from pdsim.terms.scales import SCALES, scales_for
from pdsim.weights.choice_grid import NONE_LEFT_OUT
from pdsim.weights.samples import scaled_to_one

FACTORS: Final = (
    "source",
    "weighting",
    "normalisation",
    "aggregation",
    "estimand",
    "left_out",
    "facility_left_out",
)

_NUMBERS: Final = 16_000_000
"""Numbers in an array that is crossed with left-out indicators."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    source: str
    weighting: str
    normalisation: str
    aggregation: str
    estimand: str
    left_out: str
    facility_left_out: str


def multiverse(
    levels: xr.DataArray | Mapping[str, xr.DataArray],
    nominal: xr.DataArray | Mapping[str, xr.DataArray],
    *,
    m: int = DEFAULT_M,
    side: Side = "top",
    normalisations: Sequence[str] | None = None,
    aggregations: Sequence[str] = ("arithmetic", "geometric"),
    estimands: Sequence[str] = ("change",),
    left_out: int = 1,
    facility_left_out: bool = False,
    trials: xr.DataArray | None = None,
) -> xr.Dataset:
    """Return whom every crossed choice of method would choose.

    The first level of each factor makes the reference choice. Choices that are not defined (the
    geometric mean of z scores, the ratio of ranks, the log odds of an observed 0) are left out
    of the table.

    Parameters
    ----------
    levels : DataArray (..., facility, indicator, period) or mapping of name to such
        Several sources may be crossed: the model's levels, and observed ones under policies for
        missing cells (`pdsim.scoring.apply_missing_policy`); where a source has missing cells
        left, weights are spread over the others. A source with a single indicator, such as
        all-or-none counts (`pdsim.scoring.all_or_none`), needs no weight.
    nominal : DataArray (indicator) or mapping of name to such
        One or several sets of nominal weights.
    m : int
    side : {"top", "bottom"}
    normalisations, aggregations, estimands : sequences of str
        See `pdsim.terms.scales` and `pdsim.terms.estimands`; by default every normalisation that
        the levels have.
    left_out : int
        Largest number of indicators to leave out together: 0, 1, or 2 (all pairs).
    facility_left_out : bool
        Cross with leaving out each facility: normalisations that look at the other facilities
        may then change the order of those that stay (rank reversal).
    trials : DataArray (facility, indicator, period), optional
        For opportunity scores.

    Returns
    -------
    Dataset
        Over ``choice``, with a coordinate per factor: ``probability`` (choice, facility), the
        share of samples in which the facility is among the m (NaN where it is left out);
        ``selected`` (choice, facility), 1 for the m of largest probability, fractions at ties;
        ``overlap`` (choice) with the reference set, as a share of m; ``same`` (choice, bool).
        ``stays`` (facility): share of the choices with the facility among the m.
        Attributes ``m``, ``side``, ``ess``.

    Raises
    ------
    InputError
        If the choices leave nothing, or inputs are not as described.

    Examples
    --------
    >>> levels = xr.DataArray(
    ...     [[[0.1, 0.9], [0.2, 0.4]], [[0.1, 0.3], [0.2, 0.3]], [[0.3, 0.4], [0.1, 0.8]]],
    ...     dims=("facility", "indicator", "period"),
    ... )
    >>> table = multiverse(levels, xr.DataArray([0.5, 0.5], dims="indicator"), m=1)
    >>> table.sizes["choice"], table.stays.values.round(3).tolist()
    (24, [0.625, 0.0, 0.375])
    """
    return multiverses(
        levels,
        nominal,
        m=m,
        sides=(side,),
        normalisations=normalisations,
        aggregations=aggregations,
        estimands=estimands,
        left_out=left_out,
        facility_left_out=facility_left_out,
        trials=trials,
    )[side]


def multiverses(
    levels: xr.DataArray | Mapping[str, xr.DataArray],
    nominal: xr.DataArray | Mapping[str, xr.DataArray],
    *,
    m: int,
    sides: Sequence[Side],
    normalisations: Sequence[str] | None = None,
    aggregations: Sequence[str] = ("arithmetic", "geometric"),
    estimands: Sequence[str] = ("change",),
    left_out: int = 1,
    facility_left_out: bool = False,
    trials: xr.DataArray | None = None,
) -> dict[Side, xr.Dataset]:
    """Return `multiverse` of several sides, which share their scores."""
    sources = dict(levels) if isinstance(levels, Mapping) else {"levels": levels}
    named = dict(nominal) if isinstance(nominal, Mapping) else {"nominal": nominal}
    for side in sides:
        check_side(side)
    if left_out not in (0, 1, 2):
        raise InputError(f"left_out is 0, 1 or 2 indicators (received {left_out})")
    facilities = list(
        dict.fromkeys(name for item in sources.values() for name in names_of(item, "facility"))
    )
    rows: list[_Choice] = []
    probability: dict[Side, list[Floats]] = {side: [] for side in sides}
    for source, item in sources.items():
        check_m(m, item.sizes["facility"] - facility_left_out)
        kind = str(item.attrs.get("kind", "counts"))
        for gone in (NONE_LEFT_OUT, *(facilities if facility_left_out else ())):
            kept = without(item, gone)
            here = [facilities.index(name) for name in names_of(kept, "facility")]
            scales = scales_for(kind_named(kind), at_ends=at_ends(kept))
            ways = [
                (n, a, e)
                for n, a, e in itertools.product(normalisations or SCALES, aggregations, estimands)
                if is_defined(n, a, kind=kind)
                and e in allowed_estimands(n, kind=kind, periods=kept.sizes["period"])
                and n in scales
            ]
            for way, names, scores in _scores(kept, named, ways, left_out, trials):
                # a ratio to nothing, the log odds of 0: no such choice
                defined = np.isfinite(scores).all(axis=(1, 2))
                left, score = list(itertools.compress(names, defined)), scores[defined]
                ahead, tied = places(score.reshape(-1, len(here)))
                for side in sides:
                    before = ahead if side == "top" else len(here) - ahead - tied
                    share = membership(before, tied, m)
                    part = np.full((len(left), len(facilities)), np.nan)
                    part[:, here] = share.reshape(score.shape).mean(axis=1)
                    probability[side].append(part)
                rows += [
                    _Choice(
                        source=source,
                        weighting=way[0],
                        normalisation=way[1],
                        aggregation=way[2],
                        estimand=way[3],
                        left_out=name,
                        facility_left_out=gone,
                    )
                    for name in left
                ]
    if not rows:
        raise InputError(Problem(rule="no choice is defined", cure="name more of them"))
    coords = {
        "facility": facilities,
        **{name: ("choice", np.array([getattr(row, name) for row in rows])) for name in FACTORS},
    }
    return {
        side: _universe(np.concatenate(probability[side]), m)
        .assign_coords(coords)
        .assign_attrs(side=side, ess=_ess(next(iter(sources.values()))))
        for side in sides
    }


def _ess(levels: xr.DataArray) -> float:
    dims = [dim for dim in levels.dims if dim not in ("facility", "indicator", "period")]
    return float(levels.attrs.get("ess", np.prod([levels.sizes[dim] for dim in dims])))


def _universe(table: Floats, m: int) -> xr.Dataset:
    """Return the variables of `multiverse` from the probabilities (choice, facility)."""
    selected = membership(*places(np.where(np.isnan(table), -1.0, np.round(table, 12))), m)
    overlap = np.minimum(selected, selected[0]).sum(axis=1) / m
    present = ~np.isnan(table)
    return xr.Dataset(
        {
            "probability": (("choice", "facility"), table),
            "selected": (("choice", "facility"), np.where(present, selected, np.nan)),
            "overlap": ("choice", overlap),
            "same": ("choice", overlap > 1.0 - 1e-9),
            "stays": ("facility", (selected * present).sum(axis=0) / present.sum(axis=0)),
        },
        attrs={"m": m},
    )


def only_choices(table: xr.Dataset, kept: NDArray[np.bool_]) -> xr.Dataset:
    """Return a table of `multiverse` with some of its choices; the reference must be one."""
    coords = {name: ("choice", table[name].values[kept]) for name in FACTORS}
    return (
        _universe(
            table["probability"].transpose("choice", "facility").values[kept], table.attrs["m"]
        )
        .assign_coords({"facility": table["facility"].values, **coords})
        .assign_attrs(table.attrs)
    )


def names_of(levels: xr.DataArray, dim: str) -> list[str]:
    """Return the labels along a dimension, numbers from 1 where it has none."""
    if dim in levels.coords:
        return [str(name) for name in levels[dim].values]
    return [str(at) for at in range(1, levels.sizes[dim] + 1)]


def without(levels: xr.DataArray, facility: str) -> xr.DataArray:
    """Return the levels without one facility; all of them where it is not there."""
    names = names_of(levels, "facility")
    if facility == NONE_LEFT_OUT or facility not in names:
        return levels
    return levels.isel(facility=[at for at, name in enumerate(names) if name != facility])


def _scores(
    levels: xr.DataArray,
    nominal: Mapping[str, xr.DataArray],
    ways: Sequence[tuple[str, str, str]],
    left_out: int,
    trials: xr.DataArray | None,
) -> Iterator[tuple[tuple[str, str, str, str], list[str], Floats]]:
    """Yield each way to score with what it leaves out and (left out, sample, facility) scores."""
    indicators = names_of(levels, "indicator")
    gone = [
        combination
        for size in range(min(left_out, len(indicators) - 1) + 1)
        for combination in itertools.combinations(range(len(indicators)), size)
    ]
    missing = bool(levels.isnull().any())
    counts = _trials_of(trials, levels)
    step = max(1, _NUMBERS // levels.size)
    for normalisation in dict.fromkeys(way[0] for way in ways):
        scaled = normalise(levels, normalisation).drop_vars("indicator", errors="ignore")
        for weighting, weights in nominal.items():
            kept, own = _reduced(_aligned(weights, indicators), gone)
            left = [" + ".join(indicators[k] for k in out) or NONE_LEFT_OUT for out in kept]
            for aggregation in dict.fromkeys(way[1] for way in ways if way[0] == normalisation):
                estimands = [way[2] for way in ways if way[:2] == (normalisation, aggregation)]
                for start in range(0, len(own), step):
                    block = slice(start, start + step)
                    overall = aggregate(
                        scaled,
                        xr.DataArray(own[block], dims=("left_out", "indicator")),
                        aggregation,
                        trials=counts,
                        skip_missing=missing,
                    ).assign_attrs(scaled.attrs)
                    for estimand in estimands:
                        with np.errstate(invalid="ignore", divide="ignore"):
                            score = score_composite(overall, estimand=estimand)
                        flat = score.transpose("left_out", ..., "facility").values
                        yield (
                            (weighting, normalisation, aggregation, estimand),
                            left[block],
                            flat.reshape(len(flat), -1, flat.shape[-1]),
                        )


def at_ends(levels: xr.DataArray) -> bool:
    """Whether a proportion is 0 or 1, so that it has no log odds."""
    return bool(((levels <= 0.0) | (levels >= 1.0)).any())


def _trials_of(trials: xr.DataArray | None, levels: xr.DataArray) -> xr.DataArray | None:
    """Return the trials of the indicators and facilities that a source has."""
    if trials is None:
        return None
    if levels.sizes["indicator"] == 1:
        # opportunities of a single indicator cancel
        return xr.ones_like(trials.isel(indicator=[0])).drop_vars("indicator", errors="ignore")
    for dim in ("indicator", "facility"):
        if dim in trials.coords and dim in levels.coords:
            trials = trials.sel({dim: levels[dim].values})
    return trials.drop_vars("indicator", errors="ignore")


def _reduced(
    weights: Floats, gone: Sequence[tuple[int, ...]]
) -> tuple[list[tuple[int, ...]], Floats]:
    """Return the combinations that leave some weight, and the weights (combination, indicator)."""
    kept, rows = [], []
    for out in gone:
        own = weights.copy()
        own[list(out)] = 0.0
        if own.sum() > 0:
            kept.append(out)
            rows.append(own / own.sum())
    return kept, np.array(rows)


def _aligned(weights: xr.DataArray, indicators: list[str]) -> Floats:
    if len(indicators) == 1:
        return np.ones(1)
    if "indicator" in weights.coords:
        known = dict(zip(names_of(weights, "indicator"), weights.values.tolist(), strict=True))
        absent = [name for name in indicators if name not in known]
        if absent:
            raise InputError([Problem(indicator=name, rule="has no weight") for name in absent])
        own = np.array([known[name] for name in indicators])
        # where all that is left weighs nothing there is no such choice
        return scaled_to_one(own) if own.any() else own
    if weights.shape != (len(indicators),):
        raise InputError(f"{len(indicators)} weights are needed (received {weights.shape})")
    return scaled_to_one(weights.values)


def by_factor(table: xr.Dataset) -> xr.Dataset:
    """Return how often the reference set stays under each level of each choice factor.

    Parameters
    ----------
    table : Dataset
        From `multiverse`.

    Returns
    -------
    Dataset (level)
        Coordinates ``factor`` and ``name`` of the level; ``choices`` (how many), ``same`` (share
        of them that choose the reference set), ``overlap`` (mean share of it chosen);
        ``alone_same`` and ``alone_overlap``: the same where only this factor departs from the
        reference, NaN for the reference's own level.

    Examples
    --------
    >>> levels = xr.DataArray(
    ...     [[[0.1, 0.9], [0.2, 0.4]], [[0.1, 0.3], [0.2, 0.3]], [[0.3, 0.4], [0.1, 0.8]]],
    ...     dims=("facility", "indicator", "period"),
    ... )
    >>> table = multiverse(levels, xr.DataArray([0.5, 0.5], dims="indicator"), m=1, left_out=1)
    >>> by_factor(table).name.values[-3:].tolist()
    ['', '1', '2']
    """
    columns = {name: table[name].values.astype(str) for name in FACTORS}
    reference = {name: column[0] for name, column in columns.items()}
    departs = np.array([column != reference[name] for name, column in columns.items()])
    rows = []
    for at, (factor, column) in enumerate(columns.items()):
        only: NDArray[np.bool_] = ~np.delete(departs, at, axis=0).any(axis=0)
        for name in dict.fromkeys(column.tolist()):
            own = column == name
            alone = own & only & (name != reference[factor])
            values = [
                float(np.mean(table[key].values[where])) if where.any() else np.nan
                for where in (own, alone)
                for key in ("same", "overlap")
            ]
            rows.append((factor, name, int(own.sum()), *values))
    rows = [row for row in rows if len(set(columns[str(row[0])])) > 1]
    fields = ("choices", "same", "overlap", "alone_same", "alone_overlap")
    return xr.Dataset(
        {
            key: ("level", np.array([cast(float, row[at + 2]) for row in rows]))
            for at, key in enumerate(fields)
        },
        coords={
            "factor": ("level", np.array([str(row[0]) for row in rows])),
            "name": ("level", np.array([str(row[1]) for row in rows])),
        },
        attrs=table.attrs,
    )
