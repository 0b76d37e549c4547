"""Composites of draws, as `pdsim.composite` computes them, on plain arrays."""

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.model.data import ModelData
from pdsim.model.laplace.blocks import Draws
from pdsim.model.laplace.elementary import gauss_hermite, probabilities
from pdsim.model.laplace.hyper import build_hyper, expected_variance
from pdsim.model.laplace.sample import Fit
from pdsim.terms.estimands import ESTIMANDS
from pdsim.terms.kinds import kind_named

_NODES, _WEIGHTS = gauss_hermite(21)


def composite_draws(data: ModelData, fit: Fit, weights: Floats, estimand: str) -> Floats:
    """Return the composite (weighting, draw, F)."""
    term, factor = ESTIMANDS[estimand], kind_named(data.kind).factor
    if data.kind == "scores":
        level = data.center[:, None] + data.scale[:, None] * fit.drawn.eta
    else:
        level = probabilities(fit.drawn.eta)
    # one weighting at a time: the digits of one do not depend on which others are asked for
    overall = np.stack([np.tensordot(w, level, axes=(0, 2)) for w in weights])
    first, last = overall[..., 0], overall[..., -1]
    if term.net:
        expected = _expected(data, fit.drawn)
        first = np.stack([np.tensordot(w, expected, axes=(0, 2)) for w in weights])
    return term.value(first, last, factor=factor)


def _expected(data: ModelData, drawn: Draws) -> Floats:
    """Return the endline level expected from the baseline alone (draw, F, K)."""
    if data.kind == "scores":
        return data.center + data.scale * drawn.expected
    sd = np.sqrt(expected_variance(build_hyper(data), drawn.x))[:, None, :]
    total = np.zeros_like(drawn.expected)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        total += weight * probabilities(drawn.expected + node * sd)
    return total
