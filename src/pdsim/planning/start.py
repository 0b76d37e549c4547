"""Reliability of a scenario's scores, and a guess of the answer from normal theory."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.errors import InputError
from pdsim.planning.closed import pcs_means
from pdsim.planning.root_search import Search, solve
from pdsim.planning.runs import measure_rows, reduce_rows
from pdsim.planning.sizes import mean_trials, resize
from pdsim.planning.target import Target
from pdsim.simulation import Scenario
from pdsim.simulation.scenario import visit_design_effect
from pdsim.simulation.targets import target_weights, true_values
from pdsim.simulation.truth import draw_truth
from pdsim.terms.estimands import ESTIMANDS

_TRUTHS: Final = 256
_COARSE: Final = 0.3
_BATCH: Final = 200
_TYPICAL: Final = 1_500
"""Replicates of a search to within 10 %, where none has been made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """How far facilities lie apart, and how far one case leaves their scores off.

    Attributes
    ----------
    apart : ndarray (truth,)
        Standard deviation of the true values between facilities, in units of the estimand, in each
        of some drawn truths.
    single : float
        Standard error of a facility's observed score at one case per cell and period.
    visit_correlation : float
        Of the scores of two cases of one visit.
    per_visit : int or None
        Cases of a visit.
    lost : float
        Standard error that no number of cases removes: cells are missing, and the indicators that
        are left are others in each facility.
    """

    apart: Floats
    single: float
    visit_correlation: float = 0.0
    per_visit: int | None = None
    lost: float = 0.0

    @property
    def between(self) -> float:
        """The root mean square of `apart`."""
        return float(np.sqrt((self.apart**2).mean()))

    def error(self, trials: float) -> float:
        """Return the standard error of a facility's observed score."""
        effect = visit_design_effect(trials, self.per_visit, self.visit_correlation)
        return float(np.hypot(self.single * np.sqrt(effect / trials), self.lost))

    def reliability(self, trials: float) -> float:
        """Return the share of the variance of observed scores that is true, the mean over truths.

        The share of mean variances would be too large where truths differ in how far facilities lie
        apart: those in which they hardly do cost more than the others gain.
        """
        true = self.apart**2
        return float((true / (true + self.error(trials) ** 2)).mean())


def signal_of(scenario: Scenario, *, seed: int, truths: int = _TRUTHS) -> Signal:
    """Return signal and noise of a scenario by the delta method over some drawn truths.

    Within-case correlation, unequal numbers of cases and missing cells are allowed for roughly;
    misclassification and observer effects are not. An indicator counts where it is seen in both
    periods; its weight is shared out among the others where it is not.

    Examples
    --------
    >>> signal = signal_of(Scenario(facilities=10, indicators=14, trials=40), seed=1)
    >>> 0.9 < signal.reliability(40) < 1
    True
    """
    truth = draw_truth(scenario, range(truths), seed)
    value = true_values(scenario, truth)
    apart = value.std(axis=1, ddof=1)
    if scenario.kind == "normal":
        return Signal(
            apart=apart,
            single=scenario.unit_sd,
            visit_correlation=scenario.visit_correlation,
            per_visit=scenario.cases_per_visit,
        )
    weights = target_weights(scenario)
    level = np.clip(truth.level[:, : scenario.facilities], 1e-9, 1 - 1e-9)
    root = weights[:, None] * np.sqrt(level * (1 - level))
    r = max(scenario.case_correlation, scenario.visit_correlation)
    joint = root.sum(axis=2) ** 2
    variance = (1 - r) * (root**2).sum(axis=2) + r * joint
    overall = np.einsum("k,rfkt->rft", weights, level)
    slope = ESTIMANDS[scenario.estimand].slopes(overall[..., 0], overall[..., 1], factor=100.0)
    single, shared = (
        (slope[0] ** 2 * part[..., 0] + slope[1] ** 2 * part[..., 1]).mean()
        for part in (variance, joint)
    )
    seen = (1 - scenario.missing) ** 2
    own = slope[0][..., None] * level[..., 0] + slope[1][..., None] * level[..., 1]
    if scenario.needs_posterior:
        # a model knows what an indicator is like elsewhere
        own = own - own.mean(axis=1, keepdims=True)
    unlike = own - (own @ weights)[..., None]
    lost = (1 - seen) / seen * (weights**2 * unlike**2).sum(axis=2).mean()
    return Signal(
        apart=apart,
        single=float(np.sqrt(single * (1 + scenario.trials_cv**2) / seen)),
        lost=float(np.sqrt(lost)),
        visit_correlation=float(scenario.visit_correlation * shared / single),
        per_visit=scenario.cases_per_visit,
    )


def baseline_spread(scenario: Scenario, *, seed: int) -> float:
    """Return the standard deviation of the true baselines between facilities, in pp."""
    truth = draw_truth(scenario, range(_TRUTHS), seed)
    first = truth.level[:, : scenario.facilities, :, 0] @ target_weights(scenario)
    return float(100.0 * np.sqrt(first.var(axis=1, ddof=1).mean()))


class Guess(NamedTuple):
    """Trials that a target takes by normal theory, and how many replicates a search takes.

    Attributes
    ----------
    trials : float
    replicates : float
        Of a rule that needs no posterior, at the precision asked for.
    """

    trials: float
    replicates: float


def guess_trials(
    scenario: Scenario, target: Target, *, low: int, high: int, precision: float, seed: int
) -> Guess | None:
    """Return trials at which normal theory reaches the target; None where it has no answer.

    Given true values and normal data: the exact probability of correct selection. Otherwise the
    target is sought in a normal twin of the scenario, with its signal and its noise, by the
    observed ranking.

    Examples
    --------
    >>> from pdsim.planning.target import parse_target
    >>> lead = Scenario(kind="normal", means=(0.5,) * 3 + (0.0,) * 7)
    >>> asked = parse_target("pcs_top >= 0.95")
    >>> guess = guess_trials(lead, asked, low=2, high=1000, precision=0.1, seed=1)
    >>> round(guess.trials, 2)
    59.42
    """
    if scenario.kind == "normal" and scenario.means is not None and target.measure == "pcs_top":
        exact = _exact(scenario, target, low, high)
        return None if exact is None else Guess(exact, _TYPICAL * (0.1 / precision) ** 2)
    signal = signal_of(scenario, seed=seed)
    if not signal.between > 0:
        return None
    twin = Scenario(
        kind="normal",
        facilities=scenario.facilities,
        m=scenario.m,
        sd_change_facility=1.0,
        unit_sd=signal.single / signal.between,
        visit_correlation=min(signal.visit_correlation, 0.9),
        cases_per_visit=scenario.cases_per_visit,
    )
    scaled = target.value / signal.between if target.record.unit == "estimand" else target.value
    search = Search(
        value=scaled,
        at_least=target.at_least,
        link=target.link,
        low=low,
        high=high,
        precision=_COARSE,
        batch=_BATCH,
        most=100 * _BATCH,
    )
    run = measure_rows(
        lambda size, numbers: [(resize(twin, "trials", size), numbers)], target.measure, seed=seed
    )
    try:
        root = solve(run, search, reduce=reduce_rows(target.measure))
    except InputError:
        # the observed ranking states no such measure
        return None
    found = root.crossing
    if not np.isfinite(found.n):
        return None
    narrower = found.half_width / np.log1p(precision)
    return Guess(found.n, root.spent * max(1.0, narrower**2))


def _exact(scenario: Scenario, target: Target, low: int, high: int) -> float | None:
    from scipy.optimize import brentq  # slow to import, and most scenarios draw their truth

    means = np.array(scenario.means)
    means[: len(scenario.outlying)] += scenario.outlying
    relative = np.asarray(scenario.trials, dtype=float) / mean_trials(scenario)

    def excess(log_trials: float) -> float:
        trials = np.exp(log_trials)
        effect = visit_design_effect(trials, scenario.cases_per_visit, scenario.visit_correlation)
        se = scenario.unit_sd * np.sqrt(effect / (relative * trials))
        found = pcs_means(means, np.broadcast_to(se, means.shape), m=scenario.m)
        return found - target.value

    ends = np.log(low), np.log(high)
    if excess(ends[0]) * excess(ends[1]) > 0:
        return None
    return float(np.exp(brentq(excess, *ends, xtol=1e-8)))
