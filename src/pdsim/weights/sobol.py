"""Group Sobol indices of the same factors by SALib: a second opinion on the decomposition."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from pdsim.conventions import CI_PROB, Side
from pdsim.errors import InputError, Problem
from pdsim.terms.kinds import COUNTS
from pdsim.terms.scales import scales_for
from pdsim.weights.choice_grid import build_grid
from pdsim.weights.grid_kernels import membership_at


def sobol_indices(
    levels: xr.DataArray,
    weights: xr.DataArray,
    *,
    m: int | None = None,
    side: Side = "top",
    normalisations: Sequence[str] | None = None,
    aggregations: Sequence[str] = ("arithmetic",),
    left_out: bool = False,
    reference: xr.DataArray | None = None,
    trials: xr.DataArray | None = None,
    size: int = 1024,
    seed: int,
) -> xr.Dataset:
    """Return first-order and total Sobol indices of each facility's membership.

    Each factor (all posterior parameters together, all weights together, and each choice) is
    one input that picks a level of the grid of `decompose`. Inputs are then independent, which
    single weights are not. By quasi-random sampling, so it knows only what its sample shows.

    Parameters
    ----------
    levels, weights, m, side, normalisations, aggregations, left_out, reference, trials : as in
        `decompose`
    size : int
        Base sample, a power of 2; the model is evaluated size * (factors + 2) times.
    seed : int
        0 is a seed like any other.

    Returns
    -------
    Dataset (facility, factor)
        ``first`` and ``total``, with ``first_mcse`` and ``total_mcse`` (SALib's bootstrap half
        widths as standard errors); NaN where membership never varies in the sample (SALib
        itself would say 0).

    Raises
    ------
    InputError
        If SALib is not installed, or inputs are not as described.

    References
    ----------
    Saltelli et al. (2010), doi 10.1016/j.cpc.2009.09.018; Iwanaga, Usher and Herman (2022),
    SALib, doi 10.18174/sesmo.18155.

    Examples
    --------
    >>> from pdsim.weights import weight_space
    >>> rng = np.random.default_rng(0)
    >>> levels = xr.DataArray(
    ...     rng.uniform(size=(50, 5, 3, 2)), dims=("sample", "facility", "indicator", "period")
    ... )
    >>> weights = weight_space.flat(["a", "b", "c"], size=40, seed=0)
    >>> sobol_indices(levels, weights, m=2, size=64, seed=0).sizes["factor"]
    3
    """
    try:
        from SALib.analyze import sobol as analyser
        from SALib.sample import sobol as sampler
    except ImportError as error:
        problem = Problem(rule="SALib is not installed", cure="pip install 'pdsim[sobol]'")
        raise InputError(problem) from error
    if size < 2 or size & (size - 1):
        raise InputError(f"size is a power of 2 (received {size})")
    if seed < 0:
        raise InputError(f"seed is not negative (received {seed})")
    grid = build_grid(
        levels,
        weights,
        m=m,
        side=side,
        normalisations=normalisations or scales_for(COUNTS, at_ends=True),
        aggregations=aggregations,
        left_out=left_out,
        reference=reference,
        trials=trials,
    )
    counts = [grid.after.shape[1], grid.weights.shape[2], *map(len, grid.choices.values())]
    problem_of = {
        "num_vars": len(counts),
        "names": list(grid.factors),
        "bounds": [[0.0, 1.0]] * len(counts),
    }
    # SALib takes seed 0 for no seed
    unit = sampler.sample(problem_of, size, calc_second_order=False, seed=seed + 1)
    picks = np.minimum((unit * counts).astype(np.int64), np.array(counts) - 1)
    choice = np.zeros(len(picks), dtype=np.int64)
    for column, count in zip(picks.T[2:], counts[2:], strict=True):
        choice = choice * count + column
    inside = np.empty((len(picks), grid.after.shape[2]))
    membership_at(
        grid.kinds,
        grid.after,
        grid.before,
        grid.sizes,
        grid.two,
        np.ascontiguousarray(picks[:, 0]),
        np.ascontiguousarray(picks[:, 1]),
        choice,
        grid.weights,
        grid.m,
        inside,
    )
    names = ("first", "first_mcse", "total", "total_mcse")
    result = np.full((len(names), inside.shape[1], len(counts)), np.nan)
    for f, outcome in enumerate(inside.T):
        if np.ptp(outcome) == 0:
            continue
        found = analyser.analyze(
            problem_of, outcome, calc_second_order=False, conf_level=CI_PROB, seed=seed + 1
        )
        for at, key in enumerate(("S1", "S1_conf", "ST", "ST_conf")):
            scale = 1.959963984540054 if key.endswith("conf") else 1.0
            result[at, f] = found[key] / scale
    return xr.Dataset(
        {name: (("facility", "factor"), part) for name, part in zip(names, result, strict=True)},
        coords={"facility": grid.labels.facility, "factor": list(grid.factors)},
        attrs={"m": grid.m, "side": side, "estimand": grid.labels.estimand, "size": size},
    )
