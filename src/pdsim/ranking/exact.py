"""Answers from distributions: exact, or averaged over hyperparameter draws."""

from collections.abc import Callable, Hashable, Mapping
from itertools import combinations
from math import comb

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Floats
from pdsim.conventions import Side
from pdsim.ranking.draws import mean_and_error, never_seen
from pdsim.ranking.marginals import Marginals
from pdsim.ranking.quadrature import rank_matrix, set_integrals

type Answer = tuple[Floats, Floats, float]

_SETS = 50_000
"""Most sets whose probabilities are integrated."""


def average(marginals: Marginals, series: Floats) -> Answer:
    """Average (row, item) answers over the components.

    Returns
    -------
    mean, error : ndarray (batch, item)
        Error 0 where the components are nodes of a quadrature, or there is just one.
    ess : float
        Smallest effective sample size; infinite where nothing was sampled.
    """
    shaped = series.reshape(*marginals.first.values.shape[:3], series.shape[-1])
    if marginals.sampled:
        mean, error, size = mean_and_error(shaped, ess=marginals.first.ess)
        return mean, error, float(size.min())
    weight = np.ones(1) if marginals.weight is None else marginals.weight
    mean = np.einsum("bcdi,d->bi", shaped, weight / weight.sum()) / shaped.shape[1]
    return mean, np.zeros_like(mean), np.inf


def of_ranks(marginals: Marginals, function: Callable[[Floats], Floats]) -> Answer:
    """Average a function of the rank matrix, (row, facility, rank) -> (row, item)."""
    parts = [function(rank_matrix(mass, above)) for _, mass, above, _ in marginals.blocks()]
    return average(marginals, np.concatenate(parts))


def pairwise(marginals: Marginals) -> Answer:
    """Average P(i ahead of j); items run over i, then j."""
    parts = []
    for _, mass, _, below in marginals.blocks():
        ahead = np.einsum("rin,rjn->rij", mass, below)
        # both halves of a pair are integrated, so that they sum to 1 exactly
        ahead = 0.5 * (1.0 + ahead - ahead.transpose(0, 2, 1))
        parts.append(ahead.reshape(len(ahead), -1))
    return average(marginals, np.concatenate(parts))


def of_sets(marginals: Marginals, m: int, side: Side) -> tuple[NDArray[np.int64], Answer]:
    """Average the probabilities of sets.

    Returns
    -------
    members : ndarray (set, m)
        All C(F, m) sets; where these are too many, the sets of the facilities that are likeliest
        to be members, as many as can be done.
    answer
    """
    facilities = marginals.first.facilities
    candidates = np.arange(facilities)
    if comb(facilities, m) > _SETS:
        ranks = slice(0, m) if side == "top" else slice(facilities - m, facilities)
        likely = of_ranks(marginals, lambda table: table[..., ranks].sum(axis=-1))[0].mean(axis=0)
        size = max(k for k in range(m, facilities) if comb(k, m) <= _SETS or k == m)
        candidates = np.sort(np.argsort(-likely, kind="stable")[:size])
    members = np.array(list(combinations(candidates.tolist(), m)), dtype=np.int64)
    parts = []
    for _, mass, above, below in marginals.blocks():
        inside, outside = (above, below) if side == "top" else (below, above)
        parts.append(set_integrals(mass, inside, outside, members))
    return members, average(marginals, np.concatenate(parts))


def labelled(
    marginals: Marginals,
    name: str,
    answer: Answer,
    *,
    dims: tuple[str, ...] = ("facility",),
    coords: Mapping[str, NDArray[np.generic]] | None = None,
    attrs: Mapping[str, Hashable] | None = None,
) -> xr.Dataset:
    """Return an answer as the Dataset that counting would give, with its items as `dims`."""
    mean, error, ess = answer
    if np.isfinite(ess):
        error = never_seen(error, np.asarray(ess))
    coords = {} if coords is None else coords
    sizes = {"facility": marginals.first.facilities, **{dim: x.size for dim, x in coords.items()}}
    shape = (-1, *(sizes[dim] for dim in dims))
    return marginals.first.label(
        {name: mean.reshape(shape), f"{name}_mcse": error.reshape(shape)},
        dims=dims,
        coords=coords,
        attrs={"ess": ess, "mcse_method": mcse_method(marginals), **(attrs or {})},
    )


def mcse_method(marginals: Marginals) -> str:
    """Say where the Monte Carlo error comes from."""
    if not marginals.sampled:
        return "exact"
    return "ess" if marginals.first.ess is None else "independent"
