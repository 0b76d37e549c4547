"""What is observed of a truth: cases scored one after another, so fewer are a prefix of more."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from pdsim.arraytypes import Floats, Ints
from pdsim.errors import InputError
from pdsim.simulation.bernoulli import count_successes
from pdsim.simulation.casewise import count_case_by_case, loading_table
from pdsim.simulation.philox import Seed, replicate_generator, stream_key
from pdsim.simulation.scenario import Scenario, visit_design_effect
from pdsim.simulation.truth import Truth, standard_normal, uniforms
from pdsim.terms.process import PROCESSES, DrawCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """Observations of R replicates, controls last.

    Attributes
    ----------
    value : ndarray (R, F, K, T)
        Counts: cases in which the indicator was met. Normal data: observed values.
    size : ndarray (R or 1, F, K, T)
        Counts: cases observed, 0 in a missing cell. Normal data: standard errors. One row where
        all replicates have the same.
    trials : ndarray (R or 1, F, K, T)
        Cases observed, before any cell went missing.
    """

    value: Floats
    size: Floats
    trials: Ints

    def part(self, facilities: slice) -> "Observations":
        """Return the observations of some facilities."""
        return Observations(
            value=self.value[:, facilities],
            size=self.size[:, facilities],
            trials=self.trials[:, facilities],
        )


def observe(scenario: Scenario, truth: Truth, replicates: range, seed: Seed) -> Observations:
    """Observe the truths of some replicates as the scenario says.

    All streams are keyed by the truth, so scenarios that differ in how they observe share their
    random numbers.
    """
    numbers = np.arange(replicates.start, replicates.stop, replicates.step, dtype=np.int64)
    trials = _trials(scenario, numbers, seed)
    if scenario.kind == "normal":
        return _observe_normal(scenario, truth, numbers, trials, seed)
    value = _counts(scenario, truth.level, numbers, trials, seed)
    size = trials.astype(float)
    if scenario.missing > 0:
        lost = _missing(scenario, truth.level, numbers, seed)
        value[lost] = 0.0
        size = np.where(lost, 0.0, size)
    return Observations(value=value, size=size, trials=trials)


def _trials(scenario: Scenario, numbers: Ints, seed: Seed) -> Ints:
    """Return cases observed per cell, (R, F, K, T), or (1, F, K, T) where they are given."""
    given = np.asarray(scenario.trials, dtype=np.int64)
    given = given.reshape(given.shape + (1,) * (3 - given.ndim))
    periods = 1 if scenario.kind == "normal" else 2
    shape = (scenario.observed_facilities, scenario.indicators, periods)
    if scenario.trials_cv == 0:
        return np.ascontiguousarray(np.broadcast_to(given, (1, *shape)))
    facilities, indicators, periods = shape
    units = 1 if scenario.trials_unit == "facility" else indicators
    key = stream_key(scenario.truth_key, "trials", seed)
    z = standard_normal(key, numbers, units, facilities * units * periods)
    sd = np.sqrt(np.log1p(scenario.trials_cv**2))
    factor = np.exp(sd * z - sd**2 / 2).reshape(-1, facilities, units, periods)
    drawn = np.maximum(1, np.rint(given * factor)).astype(np.int64)
    return np.ascontiguousarray(np.broadcast_to(drawn, (numbers.size, *shape)))


def _own_counts(
    scenario: Scenario, draw: DrawCounts, level: Floats, numbers: Ints, trials: Ints, seed: Seed
) -> Floats:
    """Return successes (R, F, K, T) by a user's own process, which may not give anything else."""
    counts = np.empty(level.shape)
    for row, number in enumerate(numbers.tolist()):
        rng = replicate_generator(scenario.truth_key, "process", number, seed)
        cases = trials[row if len(trials) > 1 else 0]
        drawn = np.asarray(draw(scenario, level[row].copy(), cases.copy(), rng), dtype=float)
        if drawn.shape != cases.shape or not ((drawn >= 0) & (drawn <= cases)).all():
            raise InputError(
                f"the process {scenario.process!r} must return counts between 0 and the cases, "
                f"in the shape {cases.shape}"
            )
        if (drawn != np.rint(drawn)).any():
            raise InputError(f"the process {scenario.process!r} returned counts that are not whole")
        counts[row] = drawn
    return counts


def _counts(scenario: Scenario, level: Floats, numbers: Ints, trials: Ints, seed: Seed) -> Floats:
    """Return successes (R, F, K, T)."""
    own = PROCESSES[scenario.process].draw
    if own is not None:
        return _own_counts(scenario, own, level, numbers, trials, seed)
    effect = scenario.observer_effect * np.array([1.0, scenario.observer_endline])
    fades = scenario.observer_halving is not None and scenario.observer_effect != 0
    counts = np.empty(level.shape)
    key = stream_key(scenario.truth_key, "cases", seed)
    if not fades and scenario.observer_effect != 0:
        odds = level / (scenario.ceiling - level) * np.exp(effect)
        level = scenario.ceiling * odds / (1 + odds)
    if fades or scenario.case_correlation > 0 or scenario.visit_correlation > 0:
        count_case_by_case(
            key,
            stream_key(scenario.truth_key, "case_factor", seed),
            stream_key(scenario.truth_key, "visit_factor", seed),
            numbers,
            level,
            trials,
            loading_table(scenario.case_correlation),
            loading_table(scenario.visit_correlation),
            scenario.cases_per_visit or int(trials.max()),
            effect if fades else np.zeros(2),
            scenario.observer_halving or 1.0,
            np.array([scenario.ceiling, scenario.sensitivity, scenario.specificity]),
            counts,
        )
        return counts
    if scenario.sensitivity < 1 or scenario.specificity < 1:
        slope = scenario.sensitivity + scenario.specificity - 1
        level = 1 - scenario.specificity + slope * level
    rows = numbers.size
    flat = trials.reshape(len(trials), -1)
    count_successes(
        key,
        numbers,
        level.reshape(rows, -1),
        flat,
        counts.reshape(rows, -1),
    )
    return counts


def _missing(scenario: Scenario, level: Floats, numbers: Ints, seed: Seed) -> NDArray[np.bool_]:
    """Return which cells are missing, (R, F, K, T)."""
    key = stream_key(scenario.truth_key, "missing", seed)
    u = uniforms(key, numbers, 0, level[0].size).reshape(level.shape)
    # missing <=> logistic(u) below the cell's own log odds of being missing
    odds = scenario.missing / (1 - scenario.missing)
    adherence = level / (scenario.ceiling - level)
    middle = scenario.baseline_level if scenario.levels is None else scenario.levels
    share = float(np.mean(middle)) / scenario.ceiling
    own = odds * (adherence * (1 - share) / share) ** -scenario.missing_slope
    return u < own / (1 + own)


def _observe_normal(
    scenario: Scenario, truth: Truth, numbers: Ints, trials: Ints, seed: Seed
) -> Observations:
    key = stream_key(scenario.truth_key, "cases", seed)
    error = standard_normal(key, numbers, 0, scenario.facilities)[:, :, None, None]
    se = np.empty_like(truth.level)
    se[:] = scenario.unit_sd * np.sqrt(_design_effects(scenario, trials) / trials)
    value = truth.level + se * error
    if not scenario.known_se:
        key = stream_key(scenario.truth_key, "variance", seed)
        u = uniforms(key, numbers, 0, scenario.facilities)[:, :, None, None]
        half = (trials - 1) / 2
        se *= np.sqrt(gammaincinv(half, u) / half)
    return Observations(value=value, size=se, trials=trials)


def _design_effects(scenario: Scenario, trials: Ints) -> Floats:
    """Return by what the visits raise the variance of each mean, in the shape of `trials`."""
    if scenario.visit_correlation == 0:
        return np.ones(trials.shape)
    sizes, which = np.unique(trials, return_inverse=True)
    found = [
        visit_design_effect(int(n), scenario.cases_per_visit, scenario.visit_correlation)
        for n in sizes
    ]
    return np.array(found)[which].reshape(trials.shape)


def as_analysed(scenario: Scenario, observed: Observations) -> Observations:
    """Return what the analysis takes the counts to be, divided by its design effect."""
    effect = scenario.analysed_design_effect
    if effect == 1.0:
        return observed
    return Observations(
        value=observed.value / effect, size=observed.size / effect, trials=observed.trials
    )
