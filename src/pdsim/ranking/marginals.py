"""Scores known by their distributions: independent, or independent given a few numbers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Floats
from pdsim.errors import InputError, Problem
from pdsim.ranking.draws import ScoreDraws, as_draws
from pdsim.ranking.quadrature import panel_rule

type Family = Literal["normal", "beta", "gridded"]
type Score = xr.DataArray | Marginals

_REACH = 8.5
"""Standard deviations beyond which a normal score has less than 1e-16 of its mass."""

_TAIL = 1e-15

_ROWS = 20_000
"""Rows times facilities whose nodes are made at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marginals:
    """Independent scores of facilities, larger is better; ranking functions take it like draws.

    Make one by `normal_scores`, `beta_scores`, `gridded_scores` or `correlated_scores`.

    Attributes
    ----------
    family : {"normal", "beta", "gridded"}
    first, second : Draws
        Per facility: mean and standard deviation; a and b; or for ``gridded`` twice the mean.
        Sampled dimensions are hyperparameter draws, given which the scores are independent.
    weight : ndarray (draw,) or None
        Weights of components that are nodes of a quadrature; None for draws, and for one.
    grid, density : ndarray (point,) and (row, facility, point), or None
        For ``gridded``; row runs over batch, chain and draw.
    differences_only : bool
        Whether terms common to all scores are left out, which ranks do not notice.
    """

    family: Family
    first: ScoreDraws
    second: ScoreDraws
    weight: Floats | None = None
    grid: Floats | None = None
    density: Floats | None = None
    differences_only: bool = False

    @property
    def sampled(self) -> bool:
        """Whether answers are means over hyperparameter draws, with a Monte Carlo error."""
        return self.weight is None and self.first.values[0, ..., 0].size > 1

    def rows(self) -> tuple[Floats, Floats]:
        """Return both parameters, (row, facility)."""
        facilities = self.first.facilities
        return self.first.values.reshape(-1, facilities), self.second.values.reshape(-1, facilities)

    def blocks(self) -> Iterator[tuple[slice, Floats, Floats, Floats]]:
        """Yield rows, and their mass, P(above) and P(below), each (row, facility, node).

        Betas are integrated as log odds, which ranks do not notice: nothing is singular there.
        """
        first, second = self.rows()
        step = max(1, _ROWS // first.shape[1])
        for start in range(0, len(first), step):
            rows = slice(start, start + step)
            if self.family == "gridded":
                yield rows, *self._gridded(rows)
            else:
                make = _normal if self.family == "normal" else _beta
                yield rows, *make(first[rows], second[rows])

    def _gridded(self, rows: slice) -> tuple[Floats, Floats, Floats]:
        from scipy.integrate import cumulative_simpson

        assert self.grid is not None
        assert self.density is not None
        density = self.density[rows]
        width = np.gradient(self.grid)
        width[[0, -1]] *= 0.5
        mass = density * width
        below = cumulative_simpson(density, x=self.grid, axis=-1, initial=0.0)
        below = np.clip(below / below[..., -1:], 0.0, 1.0)
        return mass / mass.sum(axis=-1, keepdims=True), 1.0 - below, below

    def mean(self) -> Floats:
        """Return the mean score, (row, facility)."""
        first, second = self.rows()
        return first / (first + second) if self.family == "beta" else first

    def exceedance(self, delta: float) -> Floats:
        """Return P(score > delta), (row, facility)."""
        from scipy import special

        if self.differences_only:
            raise InputError(
                Problem(
                    rule="these scores are known up to common terms only, not against a threshold",
                    cure="use normal_scores with the estimates and their standard errors",
                )
            )

        first, second = self.rows()
        if self.family == "normal":
            return np.asarray(special.ndtr((first - delta) / second))
        if self.family == "beta":
            return np.asarray(special.betaincc(first, second, np.clip(delta, 0.0, 1.0)))
        assert self.grid is not None
        above = np.concatenate([part[2] for part in self.blocks()])
        point = np.interp(delta, self.grid, np.arange(len(self.grid)))
        left = min(int(point), len(self.grid) - 2)
        share = point - left
        return np.asarray(above[..., left] * (1.0 - share) + above[..., left + 1] * share)

    def sample(self, *, draws: int, seed: int) -> xr.DataArray:
        """Return independent draws over (..., ``sample``, ``facility``).

        For what needs joint draws: simultaneous intervals and statements about the order.

        Examples
        --------
        >>> import xarray as xr
        >>> mean = xr.DataArray([0.0, 5.0], dims="facility", coords={"facility": ["A", "B"]})
        >>> normal_scores(mean, 0 * mean + 1).sample(draws=3, seed=1).sizes["sample"]
        3
        """
        generator = np.random.default_rng(seed)
        batch, chains, components, facilities = self.first.values.shape
        number = chains * components
        weight = None if self.weight is None else np.tile(self.weight, chains) / chains
        pick = generator.choice(number, size=(batch, draws), p=weight)
        row = pick + number * np.arange(batch)[:, np.newaxis]
        first, second = (part[row] for part in self.rows())
        if self.family == "normal":
            values = generator.normal(first, second)
        elif self.family == "beta":
            values = generator.beta(first, second)
        else:
            values = self._sample_grid(row, generator)
        shape = (*self.first.template.shape[:-1], draws, facilities)
        leading = self.first.template.dims[:-1]
        return xr.DataArray(
            values.reshape(shape),
            dims=(*leading, "sample", "facility"),
            coords=self.first.template.coords,
            attrs=self.first.origin,
        )

    def _sample_grid(self, row: NDArray[np.int64], generator: np.random.Generator) -> Floats:
        assert self.grid is not None
        values = np.empty((*row.shape, self.first.facilities))
        level = np.asarray(generator.random(values.shape))
        for rows, _, _, below in self.blocks():
            for number in range(len(below)):
                here = row == rows.start + number
                for facility in range(self.first.facilities):
                    line = below[number, facility]
                    values[here, facility] = np.interp(level[here, facility], line, self.grid)
        return values


def _normal(mean: Floats, sd: Floats) -> tuple[Floats, Floats, Floats]:
    from scipy import special

    nodes, weights = panel_rule(mean - _REACH * sd, mean + _REACH * sd, sd)
    z = (nodes[:, np.newaxis] - mean[..., np.newaxis]) / sd[..., np.newaxis]
    height = np.exp(-0.5 * z**2) / (np.sqrt(2.0 * np.pi) * sd[..., np.newaxis])
    return height * weights[:, np.newaxis], special.ndtr(-z), special.ndtr(z)


def _beta(a: Floats, b: Floats) -> tuple[Floats, Floats, Floats]:
    from scipy import special

    low = special.logit(special.betaincinv(a, b, _TAIL))
    # the upper quantile as one minus the lower one of the mirrored beta keeps its digits
    high = -special.logit(special.betaincinv(b, a, _TAIL))
    scale = np.sqrt(special.polygamma(1, a) + special.polygamma(1, b))
    nodes, weights = panel_rule(low, high, scale)
    x, first, second = nodes[:, np.newaxis], a[..., np.newaxis], b[..., np.newaxis]
    log = first * x - (first + second) * np.logaddexp(0.0, x) - special.betaln(first, second)
    share = special.expit(x)
    below = special.betainc(first, second, share)
    return np.exp(log) * weights[:, np.newaxis], special.betaincc(first, second, share), below


def normal_scores(mean: xr.DataArray, sd: xr.DataArray) -> Marginals:
    """Return independent normal scores, such as estimates with standard errors (flat prior).

    Parameters
    ----------
    mean, sd : DataArray
        Over ``facility``. Further dimensions (``chain``, ``draw``) or ``sample`` are hyperparameter
        draws, given which the scores are independent: answers are averaged over them
        (Rao-Blackwell). All other dimensions are kept.

    Raises
    ------
    InputError
        If the two do not fit together or a standard deviation is not positive.

    Examples
    --------
    >>> import xarray as xr
    >>> mean = xr.DataArray([0.0, 1.0], dims="facility", coords={"facility": ["A", "B"]})
    >>> normal_scores(mean, 0 * mean + 1).family
    'normal'
    """
    first, second = _pair(mean, sd)
    if not (second.values > 0).all():
        raise InputError(Problem(rule="a standard deviation is not positive"))
    return Marginals(family="normal", first=first, second=second)


def beta_scores(a: xr.DataArray, b: xr.DataArray) -> Marginals:
    """Return independent beta scores, such as posteriors of proportions.

    Parameters
    ----------
    a, b : DataArray
        Over ``facility``, see `normal_scores`. For proportions of which less is better, such as
        deaths, swap a and b: the score is then the proportion of survivors.

    Raises
    ------
    InputError
        If the two do not fit together or a parameter is below 0.05.

    Examples
    --------
    >>> import xarray as xr
    >>> a = xr.DataArray([1.0, 5.0], dims="facility", coords={"facility": ["A", "B"]})
    >>> beta_scores(a, 6 - a).family
    'beta'
    """
    first, second = _pair(a, b)
    if not ((first.values >= 0.05).all() and (second.values >= 0.05).all()):
        raise InputError(
            Problem(
                rule="a parameter of a beta is below 0.05: nearly all its mass is at 0 or 1",
                cure="use a prior with more mass between, such as Beta(1, 1)",
            )
        )
    return Marginals(family="beta", first=first, second=second)


def gridded_scores(density: xr.DataArray, weight: xr.DataArray | None = None) -> Marginals:
    """Return independent scores whose densities are tabulated on a common grid.

    Parameters
    ----------
    density : DataArray
        Over ``facility`` and ``point``, with the scores as coordinate ``point``; need not be
        normalised. It should vanish at both ends of an even grid, where the rule used is most
        accurate. A further dimension ``component`` holds densities given other numbers.
    weight : DataArray, optional
        Over ``component``: weights of the numbers, as of a quadrature; need not sum to 1.

    Raises
    ------
    InputError
        If a dimension is missing, the grid does not rise, or a density is negative or all zero.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> x = np.linspace(-8, 8, 400)
    >>> density = xr.DataArray(np.exp([-0.5 * x**2, -0.5 * (x - 1) ** 2]),
    ...     dims=("facility", "point"), coords={"facility": ["A", "B"], "point": x})
    >>> gridded_scores(density).family
    'gridded'
    """
    if "point" not in density.coords or not {"facility", "point"} <= set(density.dims):
        raise InputError(
            Problem(rule=f"densities need dimensions facility and point, not {density.dims}")
        )
    if (weight is None) != ("component" not in density.dims):
        raise InputError(Problem(rule="densities by component come with weights, others without"))
    grid = np.asarray(density.coords["point"].values, dtype=np.float64)
    if "component" in density.dims:
        density = density.rename(component="sample")
    order = [dim for dim in density.dims if dim not in ("sample", "facility", "point")]
    sampling = ["sample"] if "sample" in density.dims else []
    values = density.transpose(*order, *sampling, "facility", "point").values.astype(np.float64)
    values = values.reshape(-1, *values.shape[-2:])
    total = values.sum(axis=-1)
    if not (np.diff(grid) > 0).all() or not (values >= 0).all() or not (total > 0).all():
        raise InputError(
            Problem(rule="the grid must rise, densities be at least 0 and not 0 everywhere")
        )
    mean = (density * density.coords["point"]).sum("point") / density.sum("point")
    first = as_components(mean)
    share = None if weight is None else np.asarray(weight / weight.sum(), dtype=np.float64)
    return Marginals(
        family="gridded", first=first, second=first, weight=share, grid=grid, density=values
    )


def _pair(first: xr.DataArray, second: xr.DataArray) -> tuple[ScoreDraws, ScoreDraws]:
    try:
        one, two = xr.align(first, second, join="exact")
    except ValueError as error:
        raise InputError(Problem(rule=f"the two parameters have other labels: {error}")) from error
    one, two = xr.broadcast(one, two)
    if np.isinf(one).any() or np.isinf(two).any():
        raise InputError(Problem(rule="a parameter of a distribution is infinite"))
    return as_components(one), as_components(two)


def as_components(values: xr.DataArray) -> ScoreDraws:
    """Return values over facility, and draws if there are any, as `ScoreDraws`."""
    if {"draw", "sample"}.isdisjoint(values.dims):
        values = values.expand_dims(sample=1)
    return as_draws(values)
