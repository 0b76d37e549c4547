"""Levels at their posterior mode where spreads and correlations are known: one evaluation a set."""

from collections.abc import Mapping, Sequence

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.model.data import ModelData
from pdsim.model.laplace.blocks import allocate_draws
from pdsim.model.laplace.hmc import TOLERANCE
from pdsim.model.laplace.hyper import FACTOR, Hyper, hyper_slices, inverse_softplus
from pdsim.model.laplace.mode import start_logits
from pdsim.model.laplace.problem import two_periods
from pdsim.model.laplace.scores import composite_draws
from pdsim.model.laplace.setup import set_up
from pdsim.model.laplace.trajectories import evaluate

_FLOOR = 0.02
"""The least standard deviation of the engine, in its units."""
_LEAST = 1e-3
_HIGHEST_R = 0.95


def composites_at_mode(
    template: ModelData,
    observed: Floats,
    *,
    size: Floats,
    known: Mapping[str, float | tuple[float, ...]],
    weights: Floats,
    estimand: Sequence[str],
) -> Floats:
    """Return the composites of many data sets at the mode of their levels.

    Parameters
    ----------
    template : ModelData
        Of counts; its own observations are not used.
    observed, size : ndarray (replicate, F, K, T)
        As in `fit_many`.
    known : mapping of str to float or tuple
        Standard deviations and correlations by the names of `hyper_slices`, of all indicators or
        of each.
    weights : ndarray (weighting, K)
    estimand : sequence of str (weighting)
        None that needs the endline expected from the baseline.

    Returns
    -------
    ndarray (replicate, weighting, F)
    """
    setup = set_up(template)
    x = _known_point(template, setup.hyper, known)[None]
    shock = np.zeros(setup.work.shock.shape[:-1])
    periods = template.shape[2]
    drawn = allocate_draws(setup, periods, 1)
    found = []
    for cells, trials in zip(observed, size, strict=True):
        problem = setup.problem._replace(
            observed=two_periods(cells, periods), size=two_periods(trials, periods)
        )
        mode = evaluate(
            setup._replace(problem=problem), x, start_logits(problem), shock, TOLERANCE
        )  # fmt: skip
        one = drawn._replace(eta=mode.eta[None, :, :, :periods])
        found.append(composite_draws(template, one, weights, estimand)[:, 0])
    return np.array(found)


def _known_point(
    data: ModelData, hyper: Hyper, known: Mapping[str, float | tuple[float, ...]]
) -> Floats:
    """Return x (H,) at known standard deviations and correlations."""
    x = np.zeros(hyper.family.size)
    for name, part in hyper_slices(data).items():
        value = np.atleast_1d(1.0 if name == FACTOR else known[name]).astype(float)
        one = part.stop - part.start == 1
        if name.startswith("corr_"):
            r = np.clip(value.mean() if one else value, -_HIGHEST_R, _HIGHEST_R)
            # the logistic of q = 2 atanh(r) has x like the softplus of q
            x[part] = inverse_softplus(np.log1p(np.exp(2.0 * np.arctanh(r))))
            continue
        sd = np.sqrt((value**2).mean()) if one else value
        x[part] = inverse_softplus(np.maximum(sd / hyper.unit[part] - _FLOOR, _LEAST))
    return x
