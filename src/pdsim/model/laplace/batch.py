"""`fit_many`: many data sets of one shape in one call, for sweeps."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from pdsim.conventions import CI_PROB
from pdsim.errors import InputError
from pdsim.model.data import Floats, ModelData
from pdsim.model.laplace.posterior import composite_ess
from pdsim.model.laplace.problem import two_periods
from pdsim.model.laplace.sample import draw_posterior, set_up
from pdsim.model.laplace.scores import composite_draws, estimands_of


def fit_many(
    template: ModelData,
    observed: Floats,
    *,
    seeds: ArrayLike,
    size: Floats | None = None,
    weights: Floats | None = None,
    estimand: str = "change",
    draws: int = 1000,
    quantiles: Sequence[float] = (0.5 - CI_PROB / 2, 0.5, 0.5 + CI_PROB / 2),
    covariance: bool = False,
    keep_draws: bool = False,
) -> xr.Dataset:
    """Fit many data sets of one shape.

    Parameters
    ----------
    template : ModelData
        Shape, priors, domains, case groups; its own observations are not used.
    observed : ndarray (replicate, F, K, T)
        As in ModelData.
    seeds : array_like (replicate,)
        One whole number per data set. A data set's result depends on its numbers and its seed
        alone, whatever else is in the call.
    size : ndarray (replicate, F, K, T) or (F, K, T), optional
        Default: the template's.
    weights : ndarray (weighting, K), optional
        Default: the template's weights.
    estimand : str
        ``change``, ``endline``, ``level``, ``change_net``, ``change_logit``, ``gap_closed`` or
        ``ratio``, see `pdsim.composite`.
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
        the composite), ``weight_ess`` (of the hyperparameter points), ``pareto_k``,
        ``escalated`` and ``reliable`` (False: the fit wants NUTS).

    Raises
    ------
    InputError
        If the shapes do not fit, or successes exceed trials.

    Notes
    -----
    Memory is that of the result and of one fit. The kernels release the GIL, but most gain
    comes from processes: calls with parts of the data sets give the same numbers.

    Examples
    --------
    >>> import numpy as np
    >>> import pdsim
    >>> from pdsim.model.data import model_data
    >>> data = model_data(pdsim.load_example("surgical"))
    >>> result = fit_many(data, np.stack([data.observed] * 2), seeds=[1, 2], estimand="level")
    >>> dict(result["mean"].sizes)
    {'replicate': 2, 'weighting': 1, 'facility': 12}
    """
    observed = np.asarray(observed, dtype=np.float64)
    given = np.asarray(seeds)
    size = template.size if size is None else np.asarray(size, dtype=np.float64)
    weights = template.weight[None] if weights is None else np.asarray(weights, np.float64)
    _check(template, observed, size, given, weights, estimand)
    fits = list(
        _fits(
            template,
            observed,
            np.broadcast_to(size, observed.shape),
            given.tolist(),
            weights,
            estimand,
            draws,
        )
    )
    score = np.stack([fit.score for fit in fits])  # replicate, weighting, draw, facility
    return _dataset(fits, score, quantiles, covariance, keep_draws).assign_attrs(estimand=estimand)


class _Fit(NamedTuple):
    score: Floats
    ess: float
    weight_ess: float
    pareto_k: float
    escalated: bool
    reliable: bool


def _fits(
    template: ModelData,
    observed: Floats,
    size: Floats,
    seeds: list[int],
    weights: Floats,
    estimand: str,
    draws: int,
) -> Iterator[_Fit]:
    setup, periods = set_up(template), template.shape[2]
    for seed, cells, trials in zip(seeds, observed, size, strict=True):
        problem = setup.problem._replace(
            observed=two_periods(cells, periods), size=two_periods(trials, periods)
        )
        posterior, drawn, joint = draw_posterior(
            setup._replace(problem=problem), draws=draws, rng=np.random.default_rng(seed)
        )
        score, plain = composite_draws(template, drawn, weights, estimand)
        ess = composite_ess(template, posterior, plain, joint.share * draws)
        yield _Fit(
            score=score,
            ess=ess,
            weight_ess=posterior.ess,
            pareto_k=max(posterior.pareto_k, joint.pareto_k),
            escalated=posterior.escalations > 0,
            reliable=posterior.reliable and joint.reliable,
        )


def _dataset(
    fits: list[_Fit],
    score: Floats,
    quantiles: Sequence[float],
    covariance: bool,
    keep_draws: bool,
) -> xr.Dataset:
    dims = ("replicate", "weighting", "facility")

    names = ("ess", "weight_ess", "pareto_k", "escalated", "reliable")
    found = {
        "mean": (dims, score.mean(axis=2)),
        "sd": (dims, score.std(axis=2, ddof=1)),
        "quantile_value": (
            (*dims, "quantile"),
            np.moveaxis(np.quantile(score, list(quantiles), axis=2), 0, -1),
        ),
        **{name: ("replicate", np.array([getattr(fit, name) for fit in fits])) for name in names},
    }
    if covariance:
        centered = score - score.mean(axis=2, keepdims=True)
        found["covariance"] = (
            (*dims, "facility_2"),
            np.einsum("rwdf,rwdg->rwfg", centered, centered) / (score.shape[2] - 1),
        )
    if keep_draws:
        found["draws"] = (("replicate", "weighting", "draw", "facility"), score)
    return xr.Dataset(found, coords={"quantile": list(quantiles)})


def _check(
    template: ModelData,
    observed: Floats,
    size: Floats,
    seeds: NDArray[np.generic],
    weights: Floats,
    estimand: str,
) -> None:
    if observed.ndim != 4 or observed.shape[1:] != template.shape:
        raise InputError(
            f"observed must be (replicate, {', '.join(map(str, template.shape))}); "
            f"got {observed.shape}"
        )
    if size.shape not in (observed.shape, template.shape):
        raise InputError(f"size must be {template.shape} or {observed.shape}; got {size.shape}")
    if template.kind == "counts" and not np.all((observed >= 0) & (observed <= size)):
        raise InputError("successes must lie between 0 and trials in every cell")
    if seeds.shape != (len(observed),) or seeds.dtype.kind not in "iu":
        raise InputError(
            f"seeds must be {len(observed)} whole numbers; got {seeds.dtype} {seeds.shape}"
        )
    if weights.ndim != 2 or weights.shape[1] != template.shape[1]:
        raise InputError(f"weights must be (weighting, {template.shape[1]}); got {weights.shape}")
    allowed = estimands_of(template)
    if estimand not in allowed:
        raise InputError(f"estimand must be one of {', '.join(allowed)}; got {estimand!r}")
