"""Every figure of a study by name, from its results alone."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from pdsim.conventions import Side
from pdsim.errors import InputError, Problem
from pdsim.reports import plots
from pdsim.reports.study.suppress import observed_shown
from pdsim.reports.study.tables import with_unit
from pdsim.reports.study.view import SIDES, Results, labels, words

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

type Drawn = tuple["Figure", "pd.DataFrame"]


def mean_ranks(results: Results) -> xr.DataArray:
    """Return the rank of every facility's posterior mean under each estimand."""
    mean = results.group("improvement")["mean"].transpose("estimand", "facility")
    ranks = (-mean.to_numpy()).argsort(axis=1, kind="stable").argsort(axis=1) + 1
    return xr.DataArray(
        ranks.astype(np.int64),
        dims=("estimand", "facility"),
        coords={"estimand": labels(mean["estimand"]), "facility": labels(mean["facility"])},
    )


def _forest(results: Results) -> Drawn:
    data = results.improvement
    if "observed" in data:
        data = data.assign(observed=data["observed"].where(observed_shown(results)))
    return plots.forest(
        data,
        results.group("ranking"),
        roles=results.group("roles") if results.has("roles") else None,
        label=with_unit(results.words.column, results.units),
        failed=results.failed,
    )


def _ranks(results: Results) -> Drawn:
    return plots.rank_heatmap(results.group("ranking"), m=results.m, failed=results.failed)


def _membership(results: Results) -> Drawn:
    return plots.membership_dots(results.group("ranking"), m=results.m, failed=results.failed)


def _bars(results: Results) -> Drawn:
    return plots.acceptability_bars(results.group("ranking"), m=results.m, failed=results.failed)


def _grades(results: Results) -> Drawn:
    return plots.grades(results.group("ranking"), failed=results.failed)


def _slope(results: Results) -> Drawn:
    return plots.slope(
        results.group("levels"),
        results.group("ranking"),
        unit=results.level_unit,
        failed=results.failed,
    )


def _bump(results: Results) -> Drawn:
    return plots.bump(
        mean_ranks(results),
        results.group("ranking"),
        names={name: words(name).column for name in results.estimands},
        failed=results.failed,
    )


def _domains(results: Results) -> Drawn:
    return plots.domain_profile(
        results.group("domains"),
        results.group("ranking"),
        unit=results.units,
        failed=results.failed,
    )


def _predictive(results: Results) -> Drawn:
    group = results.group("predictive")
    shown = observed_shown(results).reindex(facility=group["facility"])
    observed = group["observed"].where(shown)
    return plots.predictive(
        group.assign(observed=observed), unit=results.level_unit, failed=results.failed
    )


def _tornado(side: Side) -> Callable[[Results], Drawn]:
    return lambda results: plots.tornado(
        results.group(f"weights_stability_{side}"), failed=results.failed
    )


def _flips(side: Side) -> Callable[[Results], Drawn]:
    def draw(results: Results) -> Drawn:
        group = results.group(f"weights_flip_{side}")
        sample = next((str(dim) for dim in group["distance"].dims), "")
        return plots.flip_density(group, sample=sample, failed=results.failed)

    return draw


def _strip(side: Side) -> Callable[[Results], Drawn]:
    return lambda results: plots.domain_strip(
        results.group(f"weights_sweep_{side}_0"), failed=results.failed
    )


FIGURES: Final[dict[str, tuple[str, Callable[[Results], Drawn]]]] = {
    "forest": ("improvement", _forest),
    "ranks": ("ranking", _ranks),
    "membership": ("ranking", _membership),
    "bars": ("ranking", _bars),
    "grades": ("ranking", _grades),
    "slope": ("levels", _slope),
    "bump": ("estimands", _bump),
    "domains": ("domains", _domains),
    "predictive": ("predictive", _predictive),
    **{f"weights_{side}": (f"weights_stability_{side}", _tornado(side)) for side in SIDES},
    **{f"flips_{side}": (f"weights_flip_{side}", _flips(side)) for side in SIDES},
    **{f"domain_weight_{side}": (f"weights_sweep_{side}_0", _strip(side)) for side in SIDES},
}
"""The figures by name, with the group of the results that each needs."""


def figure(results: Results, name: str) -> Drawn:
    """Return a figure and what is drawn.

    Raises
    ------
    InputError
        If there is no such figure, or the results have no data for it.
    """
    known = [key for key, (group, _) in FIGURES.items() if results.has(group)]
    if name not in known:
        raise InputError(
            Problem(rule=f"there is no figure {name!r:.60}", cure=f"use one of: {', '.join(known)}")
        )
    return FIGURES[name][1](results)


class Figures:
    """The figures of one analysis; each method draws one and gives it back."""

    __slots__ = ("_results",)

    def __init__(self, results: Results) -> None:
        self._results = results

    def __getattr__(self, name: str) -> "Callable[[], Figure]":
        if name not in FIGURES:
            raise AttributeError(f"no figure {name!r}; there are {', '.join(FIGURES)}")
        return lambda: figure(self._results, name)[0]

    def __dir__(self) -> list[str]:
        return list(FIGURES)
