"""`fit_many`: many data sets of one shape in one call, for sweeps."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.special import expit

from pdsim.conventions import CI_PROB
from pdsim.errors import InputError
from pdsim.model.data import Floats, ModelData
from pdsim.model.laplace.sample import sample_laplace

_ESTIMANDS = ("change", "endline", "level", "change_logit", "gap_closed", "ratio")


BOUNDS = (round((1 - CI_PROB) / 2, 10), 0.5, round((1 + CI_PROB) / 2, 10))
"""Ends of the interval, and the median."""


def fit_many(
    template: ModelData,
    observed: Floats,
    *,
    seeds: ArrayLike,
    size: Floats | None = None,
    weights: Floats | None = None,
    estimand: str = "change",
    draws: int = 1000,
    quantiles: Sequence[float] = BOUNDS,
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
        ``change``, ``endline``, ``level``, ``change_logit``, ``gap_closed`` or ``ratio``, see
        `pdsim.composite`.
    draws : int
        Posterior draws per data set.
    quantiles : sequence of float
    covariance, keep_draws : bool
        Also return the covariance between facilities, the draws.

    Returns
    -------
    xarray.Dataset
        Over (replicate, weighting, facility): ``mean``, ``sd``, ``quantile_value`` (quantile),
        on demand ``covariance`` (facility_2) and ``draws`` (draw); over replicate: ``ess``,
        ``weight_ess``, ``pareto_k``, ``escalated``, ``reliable``.

    Raises
    ------
    InputError
        If the shapes do not fit.

    Examples
    --------
    >>> import numpy as np, pdsim
    >>> from pdsim.model.data import model_data
    >>> data = model_data(pdsim.load_example("surgical"))
    >>> twice = np.stack([data.observed, data.observed])
    >>> dict(pdsim.fit_many(data, twice, seeds=[1, 2], estimand="level")["mean"].sizes)
    {'replicate': 2, 'weighting': 1, 'facility': 12}
    """
    observed = np.asarray(observed, dtype=np.float64)
    seeds = np.asarray(seeds)
    size = template.size if size is None else np.asarray(size, dtype=np.float64)
    weights = template.weight[None] if weights is None else np.asarray(weights, np.float64)
    _check(template, observed, size, seeds, weights, estimand)
    sizes = np.broadcast_to(size, observed.shape)
    scores, diagnostics = [], []
    for data_seed, cell, trials in zip(seeds.tolist(), observed, sizes, strict=True):
        result = sample_laplace(
            replace(template, observed=cell, size=trials), draws=draws, seed=data_seed
        )
        scores.append(_score(template, result.eta, weights, estimand))
        diagnostics.append(result.diagnostics())
    score = np.stack(scores)  # replicate, weighting, draw, facility
    dims = ("replicate", "weighting", "facility")
    found = {
        "mean": (dims, score.mean(axis=2)),
        "sd": (dims, score.std(axis=2, ddof=1)),
        "quantile_value": (
            (*dims, "quantile"),
            np.moveaxis(np.quantile(score, list(quantiles), axis=2), 0, -1),
        ),
        "escalated": ("replicate", np.array([d["escalations"] > 0 for d in diagnostics])),
        "reliable": ("replicate", np.array([d["reliable"] > 0 for d in diagnostics])),
    }
    for name in ("ess", "weight_ess", "pareto_k"):
        found[name] = ("replicate", np.array([d[name] for d in diagnostics]))
    if covariance:
        centered = score - score.mean(axis=2, keepdims=True)
        found["covariance"] = (
            (*dims, "facility_2"),
            np.einsum("rwdf,rwdg->rwfg", centered, centered) / (draws - 1),
        )
    if keep_draws:
        found["draws"] = (("replicate", "weighting", "draw", "facility"), score)
    return xr.Dataset(found, coords={"quantile": list(quantiles)}, attrs={"estimand": estimand})


def _check(
    template: ModelData,
    observed: Floats,
    size: Floats,
    seeds: Floats,
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
    if seeds.shape != (len(observed),) or seeds.dtype.kind not in "iu":
        raise InputError(
            f"seeds must be {len(observed)} whole numbers; got {seeds.dtype} {seeds.shape}"
        )
    if weights.ndim != 2 or weights.shape[1] != template.shape[1]:
        raise InputError(f"weights must be (weighting, {template.shape[1]}); got {weights.shape}")
    if estimand not in _ESTIMANDS:
        raise InputError(f"estimand must be one of {', '.join(_ESTIMANDS)}; got {estimand!r}")


def _score(template: ModelData, eta: Floats, weights: Floats, estimand: str) -> Floats:
    """Return the composite (weighting, draw, facility)."""
    scores = template.kind == "scores"
    p = template.center[:, None] + template.scale[:, None] * eta if scores else expit(eta)
    overall = np.einsum("wk,dfkt->wdft", weights, p)
    first, last = overall[..., 0], overall[..., -1]
    factor = 1.0 if scores else 100.0
    match estimand:
        case "change":
            return factor * (last - first)
        case "endline" | "level":
            return factor * last
        case "change_logit":
            return np.log(last / (1.0 - last)) - np.log(first / (1.0 - first))
        case "gap_closed":
            return (last - first) / (1.0 - first)
        case _:
            return last / first
