"""All tables on weights for one study, gathered for its report."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import xarray as xr

from pdsim.analysis.stages import nothing
from pdsim.conventions import DEFAULT_M, Side
from pdsim.errors import InputError
from pdsim.reports.study.settle_words import settle_words
from pdsim.scoring import implied_weights, indicator_values, normalise
from pdsim.settings import FORBID_EXTRA
from pdsim.study.plausible import Robustness
from pdsim.terms.estimands import ESTIMANDS, estimands_of, main_estimand
from pdsim.terms.places import membership, places
from pdsim.terms.scales import AGGREGATIONS, SCALES
from pdsim.weights import weight_space
from pdsim.weights.acceptances import acceptability, confidence_factor
from pdsim.weights.choice_grid import NONE_LEFT_OUT
from pdsim.weights.choices import by_factor, multiverses, only_choices
from pdsim.weights.decomposition import decompose
from pdsim.weights.flips import flip_distance, flip_survival
from pdsim.weights.pairwise import pairwise_acceptability
from pdsim.weights.programmes import facility_flip_distance, membership_bounds
from pdsim.weights.reversal import rank_reversals
from pdsim.weights.stability import domain_sweep, stability_interval
from pdsim.weights.topsets import set_acceptability

_SIDES: Final[tuple[Side, ...]] = ("top", "bottom")
WEIGHT_STEPS: Final = 5
_SMALL: Final = 30
"""Facilities up to which programmes are solved and all ranks and pairs listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightSettings:
    """How much is computed for the section on weights.

    Attributes
    ----------
    draws : int
        Posterior draws kept, evenly spaced.
    weight_draws : int
        Weight vectors of each space.
    grid_draws : int
        Draws, and weight vectors, of the crossed grid of the decomposition.
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    draws: int = 1000
    weight_draws: int = 1000
    grid_draws: int = 150

    def __post_init__(self) -> None:
        if min(self.draws, self.weight_draws, self.grid_draws) < 8:
            raise ValueError("draws, weight_draws and grid_draws are at least 8")


def weight_tables(
    levels: xr.DataArray,
    *,
    m: int = DEFAULT_M,
    seed: int = 1,
    settings: WeightSettings | None = None,
    plausible: Robustness | None = None,
    sources: Mapping[str, xr.DataArray] | None = None,
    trials: xr.DataArray | None = None,
    tell: Callable[[], None] = nothing,
) -> dict[str, xr.Dataset]:
    """Return every table of the weights section of a report.

    Parameters
    ----------
    levels : DataArray (..., facility, indicator, period)
        From `pdsim.levels`, with the coordinates ``weight`` and ``domain`` of ``indicator``.
    m : int
    seed : int
    settings : WeightSettings, optional
    plausible : Robustness, optional
        Which weights, scales and left-out indicators count.
    sources : mapping of name to DataArray, optional
        Further levels to cross in the multiverse: observed ones under policies for missing
        cells (`pdsim.scoring.observed_sources`), all-or-none ones. Those of no more than m
        facilities choose nothing and are left out.
    trials : DataArray (facility, indicator, period), optional
        Crosses the opportunity score in.
    tell : callable
        Called after each of `WEIGHT_STEPS` steps.

    Returns
    -------
    dict of str to Dataset
        ``weights_indicators`` (nominal and implied weights); ``weights_acceptability`` (by
        ``space``: flat, around nominal, and flat on the domain tree); per side
        ``weights_sets_*``, ``weights_flip_*`` (posterior of the flip distance of the set
        selected, its survival, and the flip of the mean values), ``weights_stability_*`` (range
        of each weight, and what leaving the indicator out does), ``weights_multiverse_*``,
        ``weights_factors_*``, ``weights_decomposition_*`` (attribute ``sentence``), under
        weights that are free and, ``weights_decomposition_*_nominal``, around nominal, and
        ``weights_sweep_*`` (one per domain: ``_0``, ``_1``; with two domains only the first);
        for up to 30 facilities ``weights_pairwise``, ``weights_bounds``,
        ``weights_facility_flip_*`` and ``weights_reversal_*``.

    Raises
    ------
    InputError
        If the levels have no weights.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> levels = xr.DataArray(
    ...     rng.uniform(size=(40, 5, 3, 2)),
    ...     dims=("sample", "facility", "indicator", "period"),
    ...     coords={"indicator": list("abc"), "weight": ("indicator", [0.4, 0.3, 0.3])},
    ... )
    >>> few = WeightSettings(draws=40, weight_draws=50, grid_draws=20)
    >>> "weights_flip_top" in weight_tables(levels, m=2, settings=few)
    True
    """
    if "weight" not in levels.coords:
        raise InputError("the levels carry no weights; use what pdsim.levels returns")
    chosen, stated = settings or WeightSettings(), plausible or Robustness()
    # labels of draws would be compared again in every operation
    kept = thinned(levels, chosen.draws).drop_vars(["chain", "draw", "sample"], errors="ignore")
    nominal = kept["weight"].reset_coords(drop=True)
    periods = levels.sizes["period"]
    values = indicator_values(normalise(kept))
    if "estimand" not in values.attrs:
        values = values.assign_attrs(estimand=main_estimand(periods))
    samples = [dim for dim in values.dims if dim not in ("facility", "indicator")]
    mean = values.mean(samples, keep_attrs=True)
    mean.attrs.pop("ess", None)
    small = values.sizes["facility"] <= _SMALL
    spaces = _spaces(nominal, kept, chosen, stated.weight_sd, seed)
    tables = {
        "weights_indicators": xr.Dataset(
            {"nominal": nominal, "implied": implied_weights(values, nominal)}
        ),
        "weights_acceptability": _acceptability(values, spaces, m, ranks=small),
    }
    if small:
        tables["weights_pairwise"] = pairwise_acceptability(values)
        tables["weights_bounds"] = membership_bounds(mean, m=m)
    tell()
    several = values.sizes["indicator"] > 1
    known = estimands_of(levels.attrs.get("kind", "counts"), periods, net=False)
    universes = multiverses(
        {"model": kept, **_usable(sources or {}, m)},
        _weightings(nominal, stated),
        m=m,
        sides=_SIDES,
        normalisations=_scales(stated),
        aggregations=[
            way.name for way in AGGREGATIONS.values() if trials is not None or not way.by_cases
        ],
        # who is best at endline is another question, not another answer to this one
        estimands=tuple(name for name in known if ESTIMANDS[name].null is not None) or known,
        left_out=1 if several and stated.left_out != () else 0,
        trials=trials,
    )
    tell()
    universes = {side: _without_others(table, stated) for side, table in universes.items()}
    for side in _SIDES:
        tables |= _side_tables(
            kept, values, mean, nominal, spaces, universes[side], m=m, side=side, settings=chosen,
            plausible=stated,
        )  # fmt: skip
        tell()
    if small and values.sizes["facility"] > m + 1:
        grid = thinned(kept, chosen.grid_draws)
        # scale scores have no log odds, and nor has a level of 0 or 1
        odds = kept.attrs.get("kind") != "scores" and bool(((grid > 0.0) & (grid < 1.0)).all())
        found = _scales(stated) or tuple(SCALES)
        ways = tuple(name for name in found if odds or not SCALES[name].proportion)
        reversals = rank_reversals(grid, nominal, m=m, sides=_SIDES, normalisations=ways)
        for side, table in reversals.items():
            tables[f"weights_reversal_{side}"] = table
    tell()
    return tables


def _scales(plausible: Robustness) -> tuple[str, ...] | None:
    """Return the scales to try, that of the analysis first; None for every one there is."""
    if plausible.scales is None:
        return None
    return tuple(dict.fromkeys((next(iter(SCALES)), *plausible.scales)))


def _weightings(nominal: xr.DataArray, plausible: Robustness) -> dict[str, xr.DataArray]:
    """Return the weights of the study, and those that somebody else holds right."""
    names = [str(name) for name in nominal["indicator"].values]
    return {"nominal": nominal} | {
        key: nominal.copy(data=[weights.get(name, 0.0) for name in names])
        for key, weights in plausible.weights.items()
    }


def _without_others(universe: xr.Dataset, plausible: Robustness) -> xr.Dataset:
    """Return the multiverse without the choices that leave out what must not be left out."""
    if plausible.left_out is None:
        return universe
    return only_choices(
        universe, np.isin(universe["left_out"].values, [NONE_LEFT_OUT, *plausible.left_out])
    )


def _usable(sources: Mapping[str, xr.DataArray], m: int) -> dict[str, xr.DataArray]:
    return {name: item for name, item in sources.items() if item.sizes["facility"] > m}


def thinned(levels: xr.DataArray, most: int) -> xr.DataArray:
    """Return at most `most` samples, evenly spaced, and an attribute ``ess`` to match."""
    dim = "draw" if "draw" in levels.dims else "sample"
    if dim not in levels.dims:
        return levels
    total = levels.sizes[dim] * levels.sizes.get("chain", 1)
    step = -(-total // most)
    if step == 1:
        return levels
    result = levels.isel({dim: slice(None, None, step)})
    if "ess" not in levels.attrs:
        return result
    left = result.sizes[dim] * result.sizes.get("chain", 1)
    return result.assign_attrs(ess=min(float(levels.attrs["ess"]), float(left)))


def _spaces(
    nominal: xr.DataArray,
    levels: xr.DataArray,
    settings: WeightSettings,
    weight_sd: float,
    seed: int,
) -> dict[str, xr.DataArray]:
    names = [str(name) for name in nominal["indicator"].values]
    size = settings.weight_draws
    spaces = {"flat": weight_space.flat(names, size=size, seed=seed)}
    spaces["flat"].attrs["premise"] = "If nothing is known about the weights"
    if len(names) > 1:
        spread = min(weight_sd, 0.9 * float(np.sqrt((nominal > 0).sum() - 1.0)))
        if spread > 0:
            spaces["nominal"] = weight_space.dirichlet(
                nominal, relative_sd=spread, size=size, seed=seed
            ).assign_attrs(
                premise=f"If the study's weights are right to a relative sd of {spread:.2g}"
            )
    if "domain" in levels.coords and len(np.unique(levels["domain"].values)) > 1:
        domain = levels["domain"].reset_coords(drop=True)
        spaces["tree"] = weight_space.tree(domain, size=size, seed=seed).assign_attrs(
            premise="If nothing is known about the weights of domains and within them"
        )
    return spaces


def _acceptability(
    values: xr.DataArray, spaces: Mapping[str, xr.DataArray], m: int, *, ranks: bool
) -> xr.Dataset:
    parts = []
    for weights in spaces.values():
        part = acceptability(values, weights, m, ranks=ranks)
        for side in _SIDES:
            central = part[f"{side}_central_weight"]
            sure = confidence_factor(values, central, m, side=side)
            part[f"{side}_confidence"] = sure["confidence_factor"]
            part[f"{side}_confidence_mcse"] = sure["confidence_factor_mcse"]
        parts.append(part)
    space = xr.DataArray(list(spaces), dims="space", name="space")
    return xr.concat(parts, dim=space, combine_attrs="override", join="exact")


def _side_tables(
    levels: xr.DataArray,
    values: xr.DataArray,
    mean: xr.DataArray,
    nominal: xr.DataArray,
    spaces: Mapping[str, xr.DataArray],
    universe: xr.Dataset,
    *,
    m: int,
    side: Side,
    settings: WeightSettings,
    plausible: Robustness,
) -> dict[str, xr.Dataset]:
    small = values.sizes["facility"] <= _SMALL
    several = values.sizes["indicator"] > 1
    selected = _selected(values, nominal, m, side)
    widest = spaces.get("tree", spaces["flat"])
    tables = {
        f"weights_sets_{side}": set_acceptability(values, widest, m, side=side),
        f"weights_flip_{side}": _flip(values, mean, nominal, selected, m, side),
    }
    tables[f"weights_multiverse_{side}"] = universe
    tables[f"weights_factors_{side}"] = by_factor(universe)
    # the others of an indicator with all the weight have no proportions to keep
    if several and int((nominal > 0).sum()) > 1:
        tables[f"weights_stability_{side}"] = _stability(mean, nominal, universe, m, side)
    for at, domain in enumerate(_swept(levels, nominal)):
        tables[f"weights_sweep_{side}_{at}"] = domain_sweep(values, nominal, domain, m=m, side=side)
    grid = thinned(levels, settings.grid_draws)
    ways, left = _scales(plausible), True if plausible.left_out is None else plausible.left_out
    # free weights may drown what the data say, so the study's own are asked as well
    for name, weights in (("", widest), ("_nominal", spaces.get("nominal"))):
        if weights is None:
            continue
        parts = decompose(
            grid,
            weights.isel(weight_draw=slice(settings.grid_draws)),
            m=m,
            side=side,
            normalisations=ways and tuple(way for way in ways if not SCALES[way].proportion),
            left_out=left if values.sizes["indicator"] >= 3 else False,
        )
        words = settle_words(parts)
        premise = weights.attrs["premise"]
        parts.attrs |= {"premise": premise, "sentence": f"{premise}, {words[0].lower()}{words[1:]}"}
        tables[f"weights_decomposition_{side}{name}"] = parts
    if small:
        tables[f"weights_facility_flip_{side}"] = facility_flip_distance(
            mean, nominal, m=m, side=side
        )
    return tables


def _selected(values: xr.DataArray, nominal: xr.DataArray, m: int, side: Side) -> list[str]:
    """Return the m facilities of largest membership probability at the nominal weights."""
    score = xr.dot(values, nominal, dim="indicator").transpose(..., "facility").values
    score = score.reshape(-1, values.sizes["facility"])
    share = membership(*places(score if side == "top" else -score), m).mean(axis=0)
    order = np.argsort(-share, kind="stable")[:m]
    if "facility" not in values.coords:
        return [str(at + 1) for at in order]
    return [str(name) for name in values["facility"].values[order]]


def _flip(
    values: xr.DataArray,
    mean: xr.DataArray,
    nominal: xr.DataArray,
    selected: list[str],
    m: int,
    side: Side,
) -> xr.Dataset:
    drawn = flip_distance(values, nominal, m=m, side=side, selected=selected)
    survival = flip_survival(drawn, np.linspace(0.0, 1.0, 101))
    own = flip_distance(mean, nominal, m=m, side=side)
    kept = ("distance", "leaves", "enters", "flip_weights")
    point = own[list(kept)].rename({name: f"mean_{name}" for name in kept})
    both = xr.merge(
        (drawn[["distance", "leaves", "enters"]], survival, point),
        combine_attrs="override",
        join="exact",
        compat="identical",
    )
    both = both.drop_vars([name for name in ("weight", "domain") if name in both.coords])
    return both.assign(nominal=nominal.drop_vars("weight", errors="ignore")).assign_attrs(
        drawn.attrs | {"selected": selected, "mean_selected": _selected(mean, nominal, m, side)}
    )


def _stability(
    mean: xr.DataArray, nominal: xr.DataArray, universe: xr.Dataset, m: int, side: Side
) -> xr.Dataset:
    """Join the range of each weight with what leaving its indicator out does, all else as is."""
    interval = stability_interval(mean, nominal, m=m, side=side)
    names = [str(name) for name in interval["indicator"].values]
    reference = {
        name: universe[name].values[0]
        for name in ("source", "weighting", "normalisation", "aggregation", "estimand")
    }
    plain = np.all([universe[name].values == value for name, value in reference.items()], axis=0)
    left = universe["left_out"].values
    found = [np.flatnonzero(plain & (left == name)) for name in names]
    overlap = [float(universe["overlap"].values[at[0]]) if at.size else np.nan for at in found]
    return interval.assign(without_overlap=("indicator", overlap))


def _swept(levels: xr.DataArray, nominal: xr.DataArray) -> list[str]:
    """Return the domains whose weight is worth moving; with two the first says it all."""
    if "domain" not in levels.coords:
        return []
    labels = levels["domain"].values.astype(str)
    weight = nominal.values
    domains = [d for d in dict.fromkeys(labels.tolist()) if weight[labels == d].sum() > 0]
    if len(domains) < 2:
        return []
    return domains[:1] if len(domains) == 2 else domains
