"""Shares of facilities, partially pooled within the end they belong to.

    y_i ~ Binomial(n_i, p_i),   p_i ~ beta(mean mu_g, correlation rho),   g = top, between, bottom
    mu_g ~ beta(mean mu, correlation c),   mu, c ~ Uniform(0, 1),   rho ~ Beta(1, 3)

where beta(mean, correlation) has the shapes mean (1/c - 1) and (1 - mean)(1/c - 1). All lie on
grids and are integrated out, exactly but for their mesh. rho is the correlation of two informants
of one facility. A facility without informants is drawn from its class.

A draw of the scores divides the facilities. How well its division explains the codes is its weight,
for this theme alone: without weights, a draw that divides them wrongly would count as much as one
that does not, and the contrast would be drawn towards 0. Ranks are never moved.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaln

from pdsim.arraytypes import Classes, Floats

TOP, BETWEEN, BOTTOM = 0, 1, 2

_MEANS: Final = 30
_CORRELATIONS: Final = 15
_CENTRES: Final = 20
_SPREADS: Final = 12
_BLOCK: Final = 500
_TINY: Final = 1e-300


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShareDraws:
    """Shares drawn together with the division that they belong to.

    Attributes
    ----------
    which : ndarray (draw,)
        The draws of the scores, drawn again by weight.
    share : ndarray (draw, facility)
    effective : float
        Share of equally weighted draws that are worth as much.
    """

    which: NDArray[np.int64]
    share: Floats
    effective: float


def share_draws(
    voiced: Floats,
    informants: Floats,
    classes: Classes,
    *,
    seed: int,
    which: NDArray[np.int64] | None = None,
) -> ShareDraws:
    """Return draws of the share of each facility.

    Parameters
    ----------
    voiced : ndarray (facility,)
        Informants who voice the theme; a fraction where coders of one informant disagree.
    informants : ndarray (facility,)
        Informants, 0 for a facility that was not interviewed.
    classes : ndarray (draw, facility)
        `TOP`, `BETWEEN` or `BOTTOM` in each draw of the scores.
    seed : int
    which : ndarray (draw,), optional
        Draws of the scores that are given, in place of ones drawn by weight.
    """
    rng = np.random.default_rng(seed)
    spoke = informants > 0
    likelihood = _likelihood(voiced[spoke], informants[spoke])
    prior = _class_means()
    # draws that divide those who spoke alike have one weight
    kinds, kind = np.unique(classes[:, spoke], axis=0, return_inverse=True)
    kind = kind.reshape(-1)
    evidence = _evidence(kinds, likelihood, prior)
    draws, effective = len(classes), 1.0
    if which is None:
        weight = np.exp(evidence - evidence.max()).sum(axis=1)[kind]
        weight /= weight.sum()
        which = rng.choice(draws, size=draws, p=weight)
        effective = 1.0 / (draws * float((weight**2).sum()))
    kind = kind[which]
    row, above = np.divmod(
        _pick(np.exp(evidence - evidence.max(axis=1, keepdims=True)), kind, rng), len(prior)
    )
    centre = np.empty((draws, 3))
    for g in (TOP, BETWEEN, BOTTOM):
        inside = (kinds[kind] == g).astype(float)
        log_chance = np.einsum("df,fdm->dm", inside, likelihood[:, row])
        chance = np.exp(log_chance - log_chance.max(axis=1, keepdims=True)) * prior[above]
        column = _pick(chance, np.arange(draws), rng)
        # anywhere in a cell of the grid: the draws are no lattice
        centre[:, g] = (column + rng.random(draws)) / _MEANS
    spread = (row + rng.random(draws))[:, np.newaxis] / _CORRELATIONS
    mean = np.take_along_axis(centre, classes[which].astype(np.int64), axis=1)
    a, b = _shapes(mean, spread)
    share = rng.beta(a + voiced, b + informants - voiced)
    return ShareDraws(which=which, share=share, effective=effective)


def _middles(count: int) -> Floats:
    return (np.arange(count) + 0.5) / count


def _likelihood(voiced: Floats, informants: Floats) -> Floats:
    """Return log likelihoods (facility, correlation, class mean), the prior of rho left out."""
    first, second = _shapes(_middles(_MEANS), _middles(_CORRELATIONS)[:, np.newaxis])
    base = betaln(first, second)
    y, n = voiced[:, np.newaxis, np.newaxis], informants[:, np.newaxis, np.newaxis]
    return np.asarray(betaln(first + y, second + n - y) - base)


def _class_means() -> Floats:
    """Return the prior of a class mean (centre and spread of the classes, class mean)."""
    centre, spread = np.meshgrid(_middles(_CENTRES), _middles(_SPREADS), indexing="ij")
    a, b = _shapes(centre.reshape(-1, 1), spread.reshape(-1, 1))
    # whole cells: where classes differ much the density has peaks at 0 and 1
    return np.asarray(np.diff(betainc(a, b, np.linspace(0.0, 1.0, _MEANS + 1)), axis=1))


def _evidence(kinds: Classes, likelihood: Floats, prior: Floats) -> Floats:
    """Return log likelihoods of divisions (kind, correlation and centre), classes summed out."""
    # informants of one facility agree somewhat: Beta(1, 3), up to a factor
    base = 2.0 * np.log1p(-_middles(_CORRELATIONS))[:, np.newaxis] + np.zeros(len(prior))
    result = np.empty((len(kinds), base.size))
    for start in range(0, len(kinds), _BLOCK):
        block = kinds[start : start + _BLOCK]
        total = np.tile(base, (len(block), 1, 1))
        for g in (TOP, BETWEEN, BOTTOM):
            log_class = np.tensordot((block == g).astype(float), likelihood, axes=1)
            top = log_class.max(axis=-1, keepdims=True)
            total += np.log(np.exp(log_class - top) @ prior.T + _TINY) + top
        result[start : start + _BLOCK] = total.reshape(len(block), -1)
    return result


def _pick(chance: Floats, row: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return a column for each entry of `row`, drawn by the chances in that row."""
    edges = chance.cumsum(axis=1)
    # rows one behind the other make one ascending list, searched at once
    edges /= edges[:, -1:]
    ladder = (edges + np.arange(len(edges))[:, np.newaxis]).ravel()
    place = np.searchsorted(ladder, row + rng.random(len(row)), side="right")
    return np.minimum(place - row * edges.shape[1], edges.shape[1] - 1)


def _shapes(mean: Floats, correlation: Floats) -> tuple[Floats, Floats]:
    size = 1.0 / np.maximum(correlation, 1e-9) - 1.0
    least = 1e-9
    return np.maximum(mean * size, least), np.maximum((1.0 - mean) * size, least)
