"""Several scores by their names, with draws that belong together."""

from collections.abc import Collection, Iterable, Mapping

import xarray as xr

from pdsim.errors import InputError, Problem
from pdsim.ranking.draws import ScoreDraws, as_draws


def known_scores(source: xr.DataTree | Mapping[str, xr.DataArray]) -> list[str]:
    """Return the names of the scores of a fit or of a mapping."""
    if isinstance(source, xr.DataTree):
        from pdsim.model.named_scores import names_of_scores

        return names_of_scores(source)
    return list(source)


def named_draws(
    source: xr.DataTree | Mapping[str, xr.DataArray], names: Collection[str]
) -> dict[str, ScoreDraws]:
    """Return the draws of scores by name.

    Parameters
    ----------
    source : xarray.DataTree or mapping of str to DataArray
        A fit, or scores by name, whose draws belong together.
    names : collection of str
        Some of `known_scores`.

    Raises
    ------
    InputError
        If draws or facilities differ, or a score has further dimensions.
    """
    if isinstance(source, xr.DataTree):
        from pdsim.model.named_scores import named_score

        source = {name: named_score(source, name) for name in names}
    draws = {name: as_draws(source[name]) for name in names}
    first = next(iter(draws.values()))
    facilities = first.template.coords["facility"].values
    for name, other in draws.items():
        same = other.values.shape == first.values.shape and len(other.values) == 1
        if not (same and (other.template.coords["facility"].values == facilities).all()):
            rule = f"the scores do not belong together: {name!r} has other draws or facilities"
            raise InputError(Problem(rule=rule, cure="take all from one fit"))
    return draws


def smallest_size(draws: Iterable[ScoreDraws]) -> float | None:
    """Return the least effective number of draws that is stated; None where none is."""
    return min((one.ess for one in draws if one.ess is not None), default=None)
