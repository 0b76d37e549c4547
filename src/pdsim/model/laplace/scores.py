"""Composites of draws, as `pdsim.composite` computes them, on plain arrays."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.model.data import ModelData
from pdsim.model.laplace.blocks import Draws
from pdsim.model.laplace.elementary import gauss_hermite, probabilities
from pdsim.model.laplace.hyper import control_slope, expected_variance
from pdsim.model.laplace.problem import fixed_effects
from pdsim.terms.estimands import ESTIMANDS
from pdsim.terms.kinds import kind_named

_NODES, _WEIGHTS = gauss_hermite(21)


def composite_draws(
    data: ModelData, drawn: Draws, weights: Floats, estimand: str | Sequence[str]
) -> Floats:
    """Return the composite (weighting, draw, F), with controls that of the others alone.

    `estimand` is one for all weightings, or one for each.
    """
    names = [estimand] * len(weights) if isinstance(estimand, str) else list(estimand)
    if data.kind == "scores":
        level = data.center[:, None] + data.scale[:, None] * drawn.eta
    else:
        level = probabilities(drawn.eta)
    control = data.arm_codes == 0

    @cache
    def expected(as_control: bool) -> Floats:
        return _expected(data, drawn, as_control=as_control)

    def one(name: str, weight: Floats) -> Floats:
        term = ESTIMANDS[name]
        overall = np.tensordot(weight, level, axes=(0, 2))
        first, last = overall[..., 0], overall[..., -1]
        if term.controls and not term.net:
            first = first + (last - first)[..., control].mean(axis=-1, keepdims=True)
        if term.net:
            first = np.tensordot(weight, expected(term.controls), axes=(0, 2))
        return term.of_true(first, last, factor=kind_named(data.kind).factor)

    # one weighting at a time: the digits of one do not depend on which others are asked for
    value = np.stack([one(name, weight) for name, weight in zip(names, weights, strict=True)])
    return value if data.arm is None else value[..., ~control]


def _expected(data: ModelData, drawn: Draws, *, as_control: bool) -> Floats:
    """Return the endline level expected from the baseline alone (draw, F, K).

    As in `pdsim.model.composites.expected_endline`.
    """
    logit = drawn.expected
    if as_control:
        effect = fixed_effects(data, drawn.fixed)["arm_effect"]
        logit = logit - data.arm_codes[:, None] * effect[:, None, :]
        if data.change_by_arm:
            logit = logit + (control_slope(data, drawn.x) * drawn.baseline)[:, :, None]
    if data.kind == "scores":
        return data.center + data.scale * logit
    sd = np.sqrt(expected_variance(data, drawn.x, as_control=as_control))
    total = np.zeros_like(logit)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        total += weight * probabilities(logit + node * sd)
    return total
