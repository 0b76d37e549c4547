"""Draws of one study's posterior by the fast engine."""

from typing import Final, NamedTuple

import numpy as np

from pdsim.arraytypes import Floats, Ints
from pdsim.model.convergence import (
    LAPLACE_ESS_LIMIT,
    LAPLACE_RHAT_LIMIT,
    LAPLACE_SHARE_LIMIT,
    PARETO_K_LIMIT,
    Gate,
    laplace_draws_limit,
    laplace_gates,
)
from pdsim.model.data import ModelData
from pdsim.model.laplace.blocks import Draws, Points, allocate_draws, fill_draws
from pdsim.model.laplace.chains import effective_number, split_rhat
from pdsim.model.laplace.elementary import probabilities
from pdsim.model.laplace.first_use import compile_draws_aside
from pdsim.model.laplace.fitted import LaplaceResult
from pdsim.model.laplace.hmc import Chains, GradientChains, most_kept
from pdsim.model.laplace.hyper import BY_ARM, FACTOR, hyper_slices, natural_values
from pdsim.model.laplace.mode import find_mode
from pdsim.model.laplace.problem import fixed_effects
from pdsim.model.laplace.setup import Setup, set_up
from pdsim.model.laplace.surrogate import FEW, SurrogateChains
from pdsim.model.laplace.weighting import normalise, pareto_k, systematic

STEPS: Final = 48
"""Steps of each chain, before any escalation."""

MOST_WEIGHTED: Final = 200
"""Facilities up to which whole draws are weighted: the variance of the weight grows with them."""

_MOST_DOUBLINGS: Final = 3
_MORE_CANDIDATES: Final = 4
_MOST_RAISES: Final = 2
_WANTED: Final = 1.5
"""Effective draws to work for, in those that the gate asks for."""
_TOGETHER: Final = 50
"""Draws worked on at once, which bounds memory."""


def sample_laplace(data: ModelData, *, draws: int, seed: int, steps: int = STEPS) -> LaplaceResult:
    """Draw from the posterior with the fast engine.

    Parameters
    ----------
    data : ModelData
    draws : int
        Equally weighted draws wanted.
    seed : int
        The same seed gives the same draws on the same machine.
    steps : int
        Steps of each chain of hyperparameters to begin with.

    Returns
    -------
    LaplaceResult
        Its ``reliable`` is False where NUTS should be asked instead.

    Notes
    -----
    Hyperparameters are drawn by Hamiltonian Monte Carlo from a posterior in which a corrected
    Laplace approximation integrates the latent effects out (Rue, Martino, Chopin 2009, doi
    10.1111/j.1467-9868.2008.00700.x; Margossian and others 2020, arXiv 2004.12550). The latent
    effects are drawn from a Gaussian approximation and weighted (`draws`), which makes the joint
    posterior exact but for Monte Carlo error. Beyond 200 facilities only the choice between
    candidates is left of that.

    Examples
    --------
    >>> import pdsim
    >>> from pdsim.model.data import model_data
    >>> data = model_data(pdsim.load_example("surgical"))
    >>> result = sample_laplace(data, draws=200, seed=1)
    >>> result.eta.shape
    (200, 12, 1, 1)
    """
    setup = set_up(data)
    fit = draw_posterior(setup, data, draws=draws, rng=np.random.default_rng(seed), steps=steps)
    drawn = fit.drawn
    both = data.shape[2] == 2
    values = natural_values(setup.hyper, drawn.x)
    several = {name for name in hyper_slices(data) if name.endswith("_indicator")}
    several = {FACTOR} | (several if data.own_spread else set())
    several |= {BY_ARM} if data.change_by_arm else set()
    hyper = {
        name: np.ascontiguousarray(
            values[:, part] if name in several else values[:, part.start]
        )
        for name, part in hyper_slices(data).items()
    }  # fmt: skip
    return LaplaceResult(
        eta=drawn.eta,
        eta_expected=drawn.expected if both else None,
        baseline=drawn.baseline if data.change_by_arm else None,
        fixed=fixed_effects(data, drawn.fixed),
        hyper=hyper,
        ess=fit.ess,
        hyper_ess=fit.hyper_ess,
        rhat=fit.rhat,
        joint_share=fit.share,
        joint_k=fit.pareto_k,
        acceptance=fit.acceptance,
        evaluations=fit.evaluations,
        escalations=fit.escalations,
        gates=fit.gates,
    )


class Fit(NamedTuple):
    """Draws of one posterior, and how far they can be trusted.

    Attributes
    ----------
    drawn : Draws
    ess : float
        Effective number of draws of the composite.
    hyper_ess, rhat : float
        Of the chains of hyperparameters, the worst.
    acceptance : float
    share, pareto_k : float
        Effective share of the draws under the weights that make them exact, and Pareto k of these.
    evaluations : int
        Gradients.
    escalations : int
        How often the chains were made longer, or the number of candidates was raised.
    gates : tuple of Gate
    """

    drawn: Draws
    ess: float
    hyper_ess: float
    rhat: float
    acceptance: float
    share: float
    pareto_k: float
    evaluations: int
    escalations: int
    gates: tuple[Gate, ...]


def draw_posterior(
    setup: Setup,
    data: ModelData,
    *,
    draws: int,
    rng: np.random.Generator,
    steps: int = STEPS,
) -> Fit:
    """Fit the observations of `setup` and draw from the posterior, with more effort where needed.

    Chains are doubled until they have mixed and the composites have; more candidates are drawn for
    every facility where the weights of the draws want them.
    """
    facilities = len(setup.problem.observed)
    weighted = facilities <= MOST_WEIGHTED and not setup.problem.gaussian
    limit = laplace_draws_limit(draws) if facilities <= MOST_WEIGHTED else 0.0
    aside = compile_draws_aside()
    chains = _start_chains(setup, rng)
    chains.extend(steps)
    doubled = raised = 0
    while True:
        hyper_ess, rhat = _mixing(chains)
        mixed = hyper_ess > LAPLACE_ESS_LIMIT and rhat < LAPLACE_RHAT_LIMIT
        if mixed or doubled == _MOST_DOUBLINGS:
            break
        chains.extend(len(chains.x))
        doubled += 1
    if aside is not None:
        aside.wait()
    candidates = 1 if setup.problem.gaussian else 2
    while True:
        drawn = _draw(setup, chains, rng, draws=draws, periods=data.shape[2], candidates=candidates)
        share, k = 1.0, 0.0
        if weighted:
            weight = normalise(drawn.log_weight)
            share, k = float(1.0 / np.sum(weight**2) / draws), pareto_k(drawn.log_weight)
        ess = share * _composite_ess(_composites(data, drawn.eta), drawn.point, chains.count)
        good = share > LAPLACE_SHARE_LIMIT and k < PARETO_K_LIMIT
        passed = good and ess > limit
        if not weighted or (passed and ess > _WANTED * limit):
            break
        # candidates raise the share, and nothing else
        if good and ess <= limit * share:
            if doubled == _MOST_DOUBLINGS:
                break
            chains.extend(len(chains.x))
            doubled += 1
            hyper_ess, rhat = _mixing(chains)
        elif not mixed or raised >= (1 if passed else _MOST_RAISES):
            break
        else:
            candidates, raised = candidates * _MORE_CANDIDATES, raised + 1
    if weighted:
        _resample(drawn, systematic(weight, draws, rng.random()), rng)
    return Fit(
        drawn=drawn,
        ess=ess,
        hyper_ess=hyper_ess,
        rhat=rhat,
        acceptance=float(np.concatenate([t.acceptance for t in chains.tracks]).mean()),
        share=share,
        pareto_k=k,
        evaluations=chains.mode.evaluations + chains.evaluations,
        escalations=doubled + raised,
        gates=laplace_gates(
            rhat=rhat,
            hyper_ess=hyper_ess,
            pareto_k=k,
            share=share,
            ess=ess if facilities <= MOST_WEIGHTED else None,
            draws=draws,
        ),
    )


def _start_chains(setup: Setup, rng: np.random.Generator) -> Chains:
    """Return chains warmed up, of the kind that is faster for a study."""
    # Student-t effects have as many hyperparameters as facilities, more than points could teach
    numbers, facilities = setup.hyper.family.size, len(setup.problem.observed)
    follow = SurrogateChains if facilities > max(FEW, numbers) else GradientChains
    return follow(setup, find_mode(setup), rng)


def _mixing(chains: Chains) -> tuple[float, float]:
    """Return the effective number of hyperparameter points and their R-hat, the worst."""
    x = chains.x
    return float(effective_number(x).min()), float(split_rhat(x).max())


def _draw(
    setup: Setup,
    chains: Chains,
    rng: np.random.Generator,
    *,
    draws: int,
    periods: int,
    candidates: int,
) -> Draws:
    """Draw from the points of the chains in equal shares, or from as many as there are draws."""
    x = chains.x
    held = np.arange(0, len(x), -(-len(x) * chains.count // draws))
    value = np.concatenate([track.value for track in chains.tracks])[held].reshape(-1)
    x = x[held].reshape(value.size, -1)
    latent = chains.latent(held)
    drawn = allocate_draws(setup, periods, draws)
    rows = rng.permutation(draws)
    together = value.size if latent is not None else max(most_kept(setup.work), chains.count)
    edges = np.append(np.arange(0, value.size, together), value.size)
    shares = np.round(edges / value.size * draws).astype(int)
    for n in range(len(edges) - 1):
        part = slice(edges[n], edges[n + 1])
        here, there = latent, value[part]
        if here is None:
            found = chains.evaluate(x[part])
            here, there = found.latent, found.plain + found.correction
        points = Points(x[part], there, here, np.arange(part.start, part.stop))
        fill_draws(setup, points, rng, candidates, rows[shares[n] : shares[n + 1]], drawn)
    return drawn


def _composites(data: ModelData, eta: Floats) -> Floats:
    """Return the change, or the level, under the study's own weights (draw, F)."""
    found = np.empty(eta.shape[:2])
    for n in range(0, len(eta), _TOGETHER):
        part = eta[n : n + _TOGETHER]
        level = part if data.kind == "scores" else probabilities(part)
        value = level[..., 1] - level[..., 0] if data.shape[2] == 2 else level[..., 0]
        found[n : n + _TOGETHER] = value @ (data.weight * data.scale)
    return found


def _composite_ess(composite: Floats, point: Ints, chains: int) -> float:
    """Return the effective number of draws of the composite, the least over facilities.

    The squared Monte Carlo error of its mean is that of the mean over points, in the order of the
    chains, of the mean of the draws from a point.
    """
    counts = np.bincount(point, minlength=chains * (int(point.max()) // chains + 1))
    means = np.zeros((counts.size, composite.shape[1]))
    np.add.at(means, point, composite)
    means /= np.maximum(counts, 1)[:, None]
    means[counts == 0] = composite.mean(axis=0)  # with fewer draws than points
    error = means.var(axis=0, ddof=1) / effective_number(means.reshape(-1, chains, means.shape[1]))
    return float(np.min(composite.var(axis=0, ddof=1) / np.maximum(error, 1e-300)))


def _resample(arrays: tuple[Floats | Ints, ...], counts: Ints, rng: np.random.Generator) -> None:
    """Repeat draws as often as `counts` (draw,) says, over those that it drops.

    Draws are in random order and so are the copies, which keeps them exchangeable.
    """
    dropped = np.flatnonzero(counts == 0)
    copies = rng.permutation(np.repeat(np.arange(counts.size), np.maximum(counts - 1, 0)))
    for part in arrays:
        if len(part) > 0:
            part[dropped] = part[copies]
