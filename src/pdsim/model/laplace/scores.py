"""Composites of draws, as `pdsim.composite` computes them, on plain arrays."""

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.model.data import ModelData
from pdsim.model.laplace.blocks import Draws
from pdsim.model.laplace.elementary import gauss_hermite, probabilities
from pdsim.model.laplace.hyper import build_hyper, expected_variance

_NODES, _WEIGHTS = gauss_hermite(21)


def estimands_of(data: ModelData) -> tuple[str, ...]:
    """Return the estimands that a study of this kind and number of periods has."""
    if data.shape[2] == 1:
        return ("level",)
    if data.kind == "scores":
        return ("change", "endline", "change_net", "ratio")
    return ("change", "endline", "change_net", "change_logit", "gap_closed", "ratio")


def composite_draws(data: ModelData, drawn: Draws, weights: Floats, estimand: str) -> Floats:
    """Return the composite (weighting, draw, F)."""
    level = _levels(data, drawn.eta)
    factor = 1.0 if data.kind == "scores" else 100.0
    overall = np.einsum("wk,dfkt->wdft", weights, level)
    first, last = overall[..., 0], overall[..., -1]
    match estimand:
        case "change":
            return factor * (last - first)
        case "endline" | "level":
            return factor * last
        case "change_net":
            expected = np.einsum("wk,dfk->wdf", weights, _expected(data, drawn))
            return factor * (last - expected)
        case "change_logit":
            return np.log(last / (1.0 - last)) - np.log(first / (1.0 - first))
        case "gap_closed":
            return (last - first) / (1.0 - first)
        case _:
            return last / first


def _levels(data: ModelData, eta: Floats) -> Floats:
    """Return probabilities, or scores in their own units."""
    if data.kind == "scores":
        return data.center[:, None] + data.scale[:, None] * eta
    return probabilities(eta)


def _expected(data: ModelData, drawn: Draws) -> Floats:
    """Return the endline level expected from the baseline alone (draw, F, K)."""
    if data.kind == "scores":
        return data.center + data.scale * drawn.expected
    sd = np.sqrt(expected_variance(build_hyper(data), drawn.x))[:, None, None]
    total = np.zeros_like(drawn.expected)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        total += weight * _levels(data, drawn.expected + node * sd)
    return total
