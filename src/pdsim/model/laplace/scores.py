"""Composites of draws, as `pdsim.composite` computes them, on plain arrays."""

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.model.data import ModelData
from pdsim.model.laplace.blocks import Draws
from pdsim.model.laplace.elementary import gauss_hermite, probabilities
from pdsim.model.laplace.hyper import build_hyper, expected_variance
from pdsim.model.laplace.problem import fixed_effects
from pdsim.model.laplace.sample import Fit
from pdsim.terms.estimands import ESTIMANDS
from pdsim.terms.kinds import kind_named

_NODES, _WEIGHTS = gauss_hermite(21)


def composite_draws(data: ModelData, fit: Fit, weights: Floats, estimand: str) -> Floats:
    """Return the composite (weighting, draw, F), with controls that of the others alone."""
    term, factor = ESTIMANDS[estimand], kind_named(data.kind).factor
    if data.kind == "scores":
        level = data.center[:, None] + data.scale[:, None] * fit.drawn.eta
    else:
        level = probabilities(fit.drawn.eta)
    # one weighting at a time: the digits of one do not depend on which others are asked for
    overall = np.stack([np.tensordot(w, level, axes=(0, 2)) for w in weights])
    first, last = overall[..., 0], overall[..., -1]
    control = data.arm_codes == 0
    if term.controls and not term.net:
        first = first + (last - first)[..., control].mean(axis=-1, keepdims=True)
    if term.net:
        expected = _expected(data, fit.drawn, as_control=term.controls)
        first = np.stack([np.tensordot(w, expected, axes=(0, 2)) for w in weights])
    value = term.value(first, last, factor=factor)
    return value if data.arm is None else value[..., ~control]


def _expected(data: ModelData, drawn: Draws, *, as_control: bool) -> Floats:
    """Return the endline level expected from the baseline alone (draw, F, K)."""
    logit = drawn.expected
    if as_control:
        effect = fixed_effects(data, drawn.fixed)["arm_effect"]
        logit = logit - data.arm_codes[:, None] * effect[:, None, :]
    if data.kind == "scores":
        return data.center + data.scale * logit
    sd = np.sqrt(expected_variance(build_hyper(data), drawn.x))[:, None, :]
    total = np.zeros_like(logit)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        total += weight * probabilities(logit + node * sd)
    return total
