"""Rules that need a posterior: one fit serves every weighting and rule."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from pdsim.arraytypes import Bytes, Floats
from pdsim.conventions import CI_PROB
from pdsim.errors import ConvergenceWarning, InputError
from pdsim.model import composite, fit
from pdsim.model.data import ModelData, model_data
from pdsim.model.laplace import composites_at_mode, fit_many
from pdsim.ranking.kernels import count_ranks
from pdsim.simulation.meeting import Composite, composites_of, named_by_criteria
from pdsim.simulation.observed_rules import (
    ERROR,
    NOT_CONVERGED,
    OK,
    WARNED,
    Decision,
    decide_usable,
)
from pdsim.simulation.observing import Observations, as_analysed
from pdsim.simulation.philox import Seed, replicate_seed
from pdsim.simulation.replicate import study_of
from pdsim.simulation.scenario import Scenario
from pdsim.simulation.scenario_values import LEVELS
from pdsim.simulation.targets import analysis_weights
from pdsim.terms.evidence import Evidence
from pdsim.terms.places import share_of_first
from pdsim.terms.rules import RULES

_LOG = logging.getLogger(__name__)


def decide_posterior(
    scenarios: Sequence[Scenario], observed: Observations, replicates: range, seed: Seed
) -> list[Decision]:
    """Fit once and apply the rule of every scenario; all of them share the fit key."""
    first = scenarios[0]
    seeds = [replicate_seed(first.fit_key, replicate, seed) for replicate in replicates]
    ranked = [(one.estimand, tuple(analysis_weights(one).tolist())) for one in scenarios]
    read = [composites_of(one) for one in scenarios]
    asked = list(dict.fromkeys([*ranked, *(pair for pairs in read for pair in pairs)]))
    sample = _SAMPLERS[first.engine]
    decide = _decide_known if first.engine == "known" else _decide
    draws, status = sample(first, observed, seeds, asked)
    drawn = {pair: draws[:, column] for column, pair in enumerate(asked)}
    found = []
    for scenario, pair in zip(scenarios, ranked, strict=True):
        decision = decide(scenario, drawn[pair], status, seeds)
        if scenario.criteria:
            decision = replace(decision, meeting=named_by_criteria(scenario, drawn))
        found.append(decision)
    return found


def _sample_laplace(
    scenario: Scenario,
    observed: Observations,
    seeds: Sequence[int],
    asked: Sequence[Composite],
) -> tuple[Floats, Bytes]:
    """Return draws (R, composite, draw, F) and a status for each replicate."""
    if scenario.kind == "normal":
        return _sample_normal(scenario, observed, seeds, len(asked))
    template = model_data(study_of(scenario, _complete(observed)), scenario.priors)
    seen = as_analysed(scenario, observed)
    size = np.broadcast_to(seen.size, seen.value.shape)
    return _fit_each(template, seen.value, size, seeds, asked, scenario.draws)


def _sample_normal(
    scenario: Scenario, observed: Observations, seeds: Sequence[int], asked: int
) -> tuple[Floats, Bytes]:
    """Standardise every data set by itself, as `pdsim.fit` does, and turn the draws back."""
    rows = len(seeds)
    sets = [model_data(study_of(scenario, observed, row=r), scenario.priors) for r in range(rows)]
    draws, status = _fit_each(
        ModelData(**{name: getattr(sets[0], name) for name in ModelData.__slots__}),
        np.stack([data.observed for data in sets]),
        np.stack([data.size for data in sets]),
        seeds,
        # whatever the estimand, it is the value itself
        [("level", (1.0,))] * asked,
        scenario.draws,
    )
    for r, data in enumerate(sets):
        standard = (draws[r] - sets[0].center[0]) / sets[0].scale[0]
        draws[r] = data.center[0] + data.scale[0] * standard
    return draws, status


def _complete(observed: Observations) -> Observations:
    """Return one data set of the same shape without missing cells: only its shape is used."""
    ones = np.ones((1, *observed.value.shape[1:]))
    return Observations(value=ones, size=2 * ones, trials=observed.trials[:1])


def _fit_each(
    template: ModelData,
    value: Floats,
    size: Floats,
    seeds: Sequence[int],
    asked: Sequence[Composite],
    draws: int,
) -> tuple[Floats, Bytes]:
    """Fit all data sets in one call, or one by one where the call fails."""
    try:
        result = fit_many(
            template,
            value,
            size=size,
            seeds=np.array(seeds, dtype=np.int64),
            weights=np.array([weights for _, weights in asked]),
            estimand=[estimand for estimand, _ in asked],
            draws=draws,
            keep_draws=True,
        )
    except InputError:
        raise
    except (ArithmeticError, ValueError, RuntimeError) as error:
        # numbers that cannot be fitted (LinAlgError is a ValueError); a fault of the program is not
        # a result and goes on
        if len(seeds) > 1:
            parts = [
                _fit_each(template, value[r : r + 1], size[r : r + 1], [s], asked, draws)
                for r, s in enumerate(seeds)
            ]
            return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
        # the replicate is a labelled failure of the sweep, not its end
        _LOG.warning("a fit failed: %s: %s", type(error).__name__, error)
        shape = (1, len(asked), draws, int(template.ranked.sum()))
        return np.full(shape, np.nan), np.array([ERROR], dtype=np.uint8)
    status = np.where(result["escalated"], WARNED, OK)
    status = np.where(result["reliable"], status, NOT_CONVERGED).astype(np.uint8)
    dims = ("replicate", "weighting", "draw", "facility")
    return result["draws"].transpose(*dims).to_numpy(), status


def _sample_nuts(
    scenario: Scenario,
    observed: Observations,
    seeds: Sequence[int],
    asked: Sequence[Composite],
) -> tuple[Floats, Bytes]:
    """Return draws (R, composite, draw, F) by NUTS, study by study."""
    parts, status = [], []
    for row, one in enumerate(seeds):
        study = study_of(scenario, observed, row=row)
        with warnings.catch_warnings():
            # the status carries it
            warnings.simplefilter("ignore", ConvergenceWarning)
            # PyMC takes 32-bit seeds
            tree = fit(study, engine="nuts", seed=one % 2**32, draws=scenario.draws)
        normal = scenario.kind == "normal"
        scores = [
            composite(tree, estimand="level" if normal else estimand, weights=list(weights))
            for estimand, weights in asked
        ]
        parts.append([s.stack(sample=("chain", "draw")).transpose("sample", ...) for s in scores])
        status.append(OK if tree.attrs["convergence"] == "passed" else NOT_CONVERGED)
    return np.array(parts), np.array(status, dtype=np.uint8)


def _sample_known(
    scenario: Scenario,
    observed: Observations,
    seeds: Sequence[int],
    asked: Sequence[Composite],
) -> tuple[Floats, Bytes]:
    """Return the mode (R, composite, 1, F) at the spreads and correlations of the scenario."""
    template = model_data(study_of(scenario, _complete(observed)), scenario.priors)
    seen = as_analysed(scenario, observed)
    names = [f"{kind}_{level}" for level in LEVELS for kind in ("sd_baseline", "sd_change", "corr")]
    value = composites_at_mode(
        template,
        seen.value,
        size=np.broadcast_to(seen.size, seen.value.shape),
        known={name: getattr(scenario, name) for name in names},
        weights=np.array([weights for _, weights in asked]),
        estimand=[estimand for estimand, _ in asked],
    )
    usable = np.isfinite(value).all(axis=(1, 2))
    return value[:, :, None], np.where(usable, OK, NOT_CONVERGED).astype(np.uint8)


_SAMPLERS: Final = {"laplace": _sample_laplace, "nuts": _sample_nuts, "known": _sample_known}


def _decide_known(
    scenario: Scenario, draws: Floats, status: Bytes, seeds: Sequence[int]
) -> Decision:
    """Choose by the one value (R, 1, F) of each facility; nothing is stated of its uncertainty."""
    del scenario, seeds  # every rule orders single values alike
    value = draws[:, 0]
    nothing = np.full(value.shape, np.nan)
    return Decision(
        top=value,
        bottom=-value,
        estimate=value,
        sd=nothing,
        lower=nothing,
        upper=nothing,
        p_top=nothing,
        flagged=nothing,
        status=status,
    )


def _decide(scenario: Scenario, draws: Floats, status: Bytes, seeds: Sequence[int]) -> Decision:
    """Apply a rule to draws (R, draw, F)."""
    draws = np.ascontiguousarray(draws)
    estimate, sd = draws.mean(axis=1), draws.std(axis=1, ddof=1)
    tail = (1 - CI_PROB) / 2
    lower, upper = np.quantile(draws, [tail, 1 - tail], axis=1)
    ranks = count_ranks(draws) / draws.shape[1]
    p_top = share_of_first(ranks, scenario.m)
    found = Evidence(draws=draws, ranks=ranks, mean=estimate, seeds=tuple(seeds))
    usable = np.isfinite(estimate).all(axis=1)
    top, bottom, *_ = decide_usable(RULES[scenario.rule], found, scenario.m, usable)
    return Decision(
        top=top,
        bottom=bottom,
        estimate=estimate,
        sd=sd,
        lower=lower,
        upper=upper,
        p_top=p_top,
        flagged=np.where(p_top >= scenario.flag_threshold, 1.0, 0.0),
        status=status,
    )
