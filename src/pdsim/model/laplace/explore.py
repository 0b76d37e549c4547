"""Weighted points that represent the posterior of the hyperparameters."""

from dataclasses import dataclass, replace

import numpy as np

from pdsim.model.data import Floats
from pdsim.model.laplace.evaluate import log_posterior
from pdsim.model.laplace.hyper import Hyper
from pdsim.model.laplace.importance import (
    Component,
    matched,
    mixture_log_density,
    normalise,
    pareto_k,
    sample,
)
from pdsim.model.laplace.mode import Mode, find_mode
from pdsim.model.laplace.problem import Problem
from pdsim.model.laplace.work import Work

FEWEST_ESS = 100.0
HIGHEST_K = 0.7
_ESCALATIONS = 1
_TOLERANCE = 1e-2


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Weighted hyperparameter points; the weights sum to 1."""

    x: Floats
    weight: Floats
    mode: Mode
    log_weight: Floats
    ess: float
    pareto_k: float
    evaluations: int
    escalations: int

    @property
    def reliable(self) -> bool:
        """Whether the weights pass both gates."""
        return self.ess >= FEWEST_ESS and self.pareto_k <= HIGHEST_K


def explore(
    problem: Problem,
    hyper: Hyper,
    work: Work,
    rng: np.random.Generator,
    *,
    points: int = 384,
) -> Points:
    """Find the mode and weight points around it, four times as many if the gates ask for it."""
    mode = find_mode(problem, hyper, work)
    for escalation in range(_ESCALATIONS + 1):
        result = _weigh(problem, hyper, work, mode, rng, points * 4**escalation)
        if result.reliable:
            break
    return replace(result, escalations=escalation)


def _weigh(
    problem: Problem,
    hyper: Hyper,
    work: Work,
    mode: Mode,
    rng: np.random.Generator,
    points: int,
) -> Points:
    first = Component(
        center=mode.center,
        basis=mode.basis,
        below=mode.below,
        above=mode.above,
        df=8.0,
        points=points // 4,
    )
    wide = replace(first, below=2.0 * mode.below, above=2.0 * mode.above, points=points // 12)
    shifts = rng.random((3, mode.center.size + 1))

    def values(x: Floats) -> Floats:
        out = np.empty(len(x))
        log_posterior(problem, hyper, work, x, mode.eta, mode.shock, _TOLERANCE, out)
        return out

    components = [first, wide]
    x = np.concatenate([sample(c, j, shifts[j]) for j, c in enumerate(components)])
    value = values(x)
    weight = normalise(value - mixture_log_density(components, x))
    second = matched(x, weight, first, points - len(x), 8.0)
    components.append(second)
    more = sample(second, 2, shifts[2])
    x = np.concatenate([x, more])
    log_weight = np.concatenate([value, values(more)]) - mixture_log_density(components, x)
    weight = normalise(log_weight)
    return Points(
        x=x,
        weight=weight,
        log_weight=log_weight,
        mode=mode,
        ess=float(1.0 / np.sum(weight**2)),
        pareto_k=pareto_k(log_weight),
        evaluations=mode.evaluations + len(x),
        escalations=0,
    )
