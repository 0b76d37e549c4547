"""`fit_many`: many data sets of one shape in one call, for sweeps."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from pdsim.arraytypes import Floats
from pdsim.conventions import CI_PROB
from pdsim.errors import InputError
from pdsim.model.data import ModelData, model_data
from pdsim.model.laplace.problem import two_periods
from pdsim.model.laplace.sample import draw_posterior
from pdsim.model.laplace.scores import composite_draws
from pdsim.model.laplace.setup import Setup, set_up
from pdsim.study import Study
from pdsim.terms.estimands import estimands_of

_SHARED = ("case_correlation", "priors", "facility_df")
_SHARED_ARRAYS = (
    *("domain", "case_group", "weight", "cell_correlation", "visit_variance"),
    *("arm", "covariates"),
)


def fit_many(
    studies: Sequence[Study] | ModelData,
    observed: Floats | None = None,
    *,
    seeds: ArrayLike,
    size: Floats | None = None,
    weights: Floats | None = None,
    estimand: str | Sequence[str] = "change",
    draws: int = 1000,
    quantiles: Sequence[float] = (0.5 - CI_PROB / 2, 0.5, 0.5 + CI_PROB / 2),
    covariance: bool = False,
    keep_draws: bool = False,
) -> xr.Dataset:
    """Fit many data sets of one shape.

    Parameters
    ----------
    studies : sequence of Study, or ModelData
        Studies of the same facilities, indicators, periods, weights, case correlation and priors;
        or one template whose own observations are not used, with `observed`.
    observed : ndarray (replicate, F, K, T), optional
        Stacked observations, as in ModelData; with a template only.
    seeds : array_like (replicate,)
        One whole number per data set. A data set's result depends on its numbers and its seed
        alone, whatever else is in the call.
    size : ndarray (replicate, F, K, T) or (F, K, T), optional
        With a template only; default: the template's.
    weights : ndarray (weighting, K), optional
        Default: the studies' weights.
    estimand : str or sequence of str (weighting)
        ``change``, ``endline``, ``level``, ``change_net``, ``change_logit``, ``gap_closed`` or
        ``ratio``, see `pdsim.composite`; one for all weightings, or one for each. Scores of one
        data set are of the same draws.
    draws : int
        Posterior draws per data set.
    quantiles : sequence of float
    covariance, keep_draws : bool
        Also return the covariance between facilities, the draws.

    Returns
    -------
    xarray.Dataset
        Over (replicate, weighting, facility): ``mean``, ``sd``, ``quantile_value`` (quantile),
        on demand ``covariance`` (facility_2) and ``draws`` (draw); over replicate: ``ess`` (of
        the composite), ``hyper_ess`` (of the hyperparameters), ``pareto_k``,
        ``escalated`` and ``reliable`` (False: the fit wants NUTS).

    Raises
    ------
    InputError
        If the studies or shapes do not fit, or successes exceed trials.

    Notes
    -----
    Memory is that of the result and of one fit. The kernels release the GIL, but most gain
    comes from processes: calls with parts of the data sets give the same numbers.

    Examples
    --------
    >>> import pdsim
    >>> study = pdsim.load_example("surgical")
    >>> result = pdsim.fit_many([study, study], seeds=[1, 2], estimand="level")
    >>> dict(result["mean"].sizes)
    {'replicate': 2, 'weighting': 1, 'facility': 12}
    """
    given = np.asarray(seeds)
    if isinstance(studies, ModelData):
        template, number, names = studies, 0 if observed is None else len(observed), None
        sets = _stacked(template, observed, size)
    else:
        listed = _listed(studies, observed, size)
        template, number = listed[0], len(listed)
        names = studies[0].programme.data["facility"].to_numpy()
        sets = iter(listed)
    weights = template.weight[None] if weights is None else np.asarray(weights, np.float64)
    _check(template, number, given, weights, estimand)
    setup = set_up(template)
    fits = (
        _summary(setup, data, seed, weights, estimand, draws, quantiles, covariance, keep_draws)
        for data, seed in zip(sets, given.tolist(), strict=True)
    )
    return _dataset(fits, number, quantiles, names).assign_attrs(estimand=estimand)


def _summary(
    setup: Setup,
    data: ModelData,
    seed: int,
    weights: Floats,
    estimand: str | Sequence[str],
    draws: int,
    quantiles: Sequence[float],
    covariance: bool,
    keep_draws: bool,
) -> dict[str, Any]:
    """Fit one data set and return what is asked of it."""
    periods = data.shape[2]
    problem = setup.problem._replace(
        observed=two_periods(data.observed, periods), size=two_periods(data.size, periods)
    )
    fit = draw_posterior(
        setup._replace(problem=problem), data, draws=draws, rng=np.random.default_rng(seed)
    )
    score = composite_draws(data, fit.drawn, weights, estimand)  # weighting, draw, facility
    found = {
        "mean": score.mean(axis=1),
        "sd": score.std(axis=1, ddof=1),
        "quantile_value": np.moveaxis(np.quantile(score, list(quantiles), axis=1), 0, -1),
        "ess": fit.ess,
        "hyper_ess": fit.hyper_ess,
        "pareto_k": fit.pareto_k,
        "escalated": fit.escalations > 0,
        "reliable": all(gate.passed for gate in fit.gates),
    }
    if covariance:
        centered = score - score.mean(axis=1, keepdims=True)
        found["covariance"] = np.einsum("wdf,wdg->wfg", centered, centered) / (draws - 1)
    if keep_draws:
        found["draws"] = score
    return found


def _dataset(
    fits: Iterator[dict[str, Any]],
    number: int,
    quantiles: Sequence[float],
    names: NDArray[np.generic] | None,
) -> xr.Dataset:
    """Gather the fits as they come, so that no draws are held that nobody asked for."""
    gathered: dict[str, NDArray[Any]] = {}
    for n, fit in enumerate(fits):
        for name, value in fit.items():
            part = np.asarray(value)
            if n == 0:
                gathered[name] = np.empty((number, *part.shape), part.dtype)
            gathered[name][n] = part
    weighted = ("replicate", "weighting")
    dims = {
        "mean": (*weighted, "facility"),
        "sd": (*weighted, "facility"),
        "quantile_value": (*weighted, "facility", "quantile"),
        "covariance": (*weighted, "facility", "facility_2"),
        "draws": (*weighted, "draw", "facility"),
    }
    coords: dict[str, Any] = {"quantile": list(quantiles)}
    if names is not None:
        coords["facility"] = names
        if "covariance" in gathered:
            coords["facility_2"] = names
    return xr.Dataset(
        {name: (dims.get(name, ("replicate",)), value) for name, value in gathered.items()},
        coords=coords,
    )


def _listed(
    studies: Sequence[Study], observed: Floats | None, size: Floats | None
) -> list[ModelData]:
    """Return the studies' arrays; all must be of one design."""
    if observed is not None or size is not None:
        raise InputError("observed and size belong to a template; studies bring their own")
    if not studies:
        raise InputError("there is no study to fit")
    sets = [model_data(study) for study in studies]
    first = sets[0]
    for n, (study, data) in enumerate(zip(studies, sets, strict=True)):
        unlike = [name for name in _SHARED if getattr(data, name) != getattr(first, name)]
        unlike += [
            name
            for name in _SHARED_ARRAYS
            if not np.array_equal(getattr(data, name), getattr(first, name))
        ]
        for dim in ("facility", "indicator", "period"):
            if not np.array_equal(study.data[dim], studies[0].data[dim]):
                unlike.append(dim)
        if study.kind != studies[0].kind:
            unlike.append("kind")
        if unlike:
            raise InputError(
                f"studies of one call share their design; study {n + 1} differs from the first in "
                f"{', '.join(unlike)}: fit it in a call of its own"
            )
    return sets


def _stacked(
    template: ModelData, observed: Floats | None, size: Floats | None
) -> Iterator[ModelData]:
    """Check stacked observations and return the data sets they make."""
    if observed is None:
        raise InputError("a template needs observed, the data sets to fit")
    observed = np.asarray(observed, dtype=np.float64)
    size = template.size if size is None else np.asarray(size, dtype=np.float64)
    if observed.ndim != 4 or observed.shape[1:] != template.shape:
        raise InputError(
            f"observed must be (replicate, {', '.join(map(str, template.shape))}); "
            f"got {observed.shape}"
        )
    if size.shape not in (observed.shape, template.shape):
        raise InputError(f"size must be {template.shape} or {observed.shape}; got {size.shape}")
    if template.kind == "counts" and not np.all((observed >= 0) & (observed <= size)):
        raise InputError("successes must lie between 0 and trials in every cell")
    pairs = zip(observed, np.broadcast_to(size, observed.shape), strict=True)
    return (replace(template, observed=cells, size=trials) for cells, trials in pairs)


def _check(
    template: ModelData,
    number: int,
    seeds: NDArray[np.generic],
    weights: Floats,
    estimand: str | Sequence[str],
) -> None:
    if number == 0:
        raise InputError("there is no data set to fit")
    if seeds.shape != (number,) or seeds.dtype.kind not in "iu":
        raise InputError(f"seeds must be {number} whole numbers; got {seeds.dtype} {seeds.shape}")
    if weights.ndim != 2 or weights.shape[1] != template.shape[1]:
        raise InputError(f"weights must be (weighting, {template.shape[1]}); got {weights.shape}")
    allowed = estimands_of(template.kind, template.shape[2], controls=template.arms == 2)
    names = (estimand,) if isinstance(estimand, str) else tuple(estimand)
    if not isinstance(estimand, str) and len(names) != len(weights):
        raise InputError(f"estimand must be one, or {len(weights)}, one for each weighting")
    if not set(names) <= set(allowed):
        raise InputError(f"estimand must be one of {', '.join(allowed)}; got {estimand!r}")
