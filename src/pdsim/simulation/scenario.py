"""A scenario: what is true, what is observed of it, how it is fitted, and who is then chosen."""

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, is_dataclass
from functools import lru_cache
from typing import Any, ClassVar, Final, Literal

from pdsim.conventions import DEFAULT_M
from pdsim.errors import InputError, Problem
from pdsim.priors import Priors
from pdsim.settings import FORBID_EXTRA, digest
from pdsim.simulation.labelling import simulated_scores
from pdsim.simulation.scenario_values import (
    LEVELS,
    PER_INDICATOR,
    is_int,
    is_number,
    is_row,
    trials_fit,
    value_problems,
)
from pdsim.terms.criteria import parse_criterion
from pdsim.terms.estimands import ESTIMANDS, estimands_of
from pdsim.terms.measures import MEASURES
from pdsim.terms.process import PROCESSES
from pdsim.terms.registry import Registry
from pdsim.terms.rules import RULES

type Weighting = Literal["equal", "domain", "given"]

ALGORITHM: Final = 2
"""Part of every key: raised when the same scenario would give other numbers."""

_EFFECTS = tuple(
    f"{kind}_{level}" for level in LEVELS for kind in ("sd_baseline", "sd_change", "corr")
)
_TRUTH = (
    "kind", "facilities", "indicators", "domains", "baseline_level", "improvement", "levels",
    "means", "sd_alpha", "sd_beta", "heterogeneity", "secular_trend", "sd_secular_trend",
    "ceiling", "outlying", "process", "process_values", "controls", "imbalance",
    "covariate_level", "covariate_change", *_EFFECTS,
)  # fmt: skip
_DATA = (
    "trials", "trials_cv", "trials_unit", "case_correlation", "missing", "missing_slope",
    "sensitivity", "specificity", "observer_effect", "observer_halving", "observer_endline",
    "visit_correlation", "cases_per_visit", "unit_sd", "known_se",
)  # fmt: skip
_FIT = ("engine", "draws", "priors")
_DECISION = (
    "rule", "m", "estimand", "target", "weighting", "weights", "target_weights", "flag_threshold",
    "criteria",
)  # fmt: skip

_TERMS: Final[dict[str, Registry[Any]]] = {
    "estimand": ESTIMANDS,
    "process": PROCESSES,
    "rule": RULES,
}
"""Settings that name a record, which counts in keys by its source where a user registered it."""

_PRIORS = Priors()
_MAX_CELLS = 10_000_000
_NORMAL_ONLY = ("means", "unit_sd", "known_se")
_NORMAL = (
    "kind", "facilities", "outlying", "trials", "trials_cv", "visit_correlation",
    "cases_per_visit", *_NORMAL_ONLY,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One world, one study in it, one way to choose: a point of a simulation study.

    Truth: logits of facility i, indicator k in domain d(k) are ``alpha_k + a_i + a_id + e_ik`` at
    baseline and that plus ``beta_k + t_i + t_id + c_ik + trend`` at endline; each pair (baseline
    effect, change effect) is bivariate normal with the stated standard deviations and
    correlation. Adherence is ``ceiling * expit(logit)``. The domain level exists where
    1 < domains < indicators, the indicator level where indicators > 1, as in the fitted model.

    Attributes
    ----------
    kind : {"counts", "normal"}
        ``normal``: one value per facility, known up to a normal error of standard deviation
        ``unit_sd / sqrt(trials)``; true values are ``means``, or N(0, sd_change_facility^2).
    facilities, indicators, domains : int
        Indicators are spread over the domains evenly and in order.
    baseline_level : float or tuple of float (indicator)
        Adherence of an average facility at baseline, 0 to 1.
    improvement : float or tuple of float (indicator)
        What the programme adds to it, in percentage points.
    levels : tuple of (baseline, endline), optional
        Given adherence of every facility, 0 to 1, instead of the two above and of facility
        effects.
    means : tuple of float, optional
        Given true values of the facilities (normal data).
    sd_alpha, sd_beta : float
        Standard deviations between indicators of baseline logit and of change in logits.
    heterogeneity : float
        Standard deviation of the logarithm of an indicator's factor on all its effects, so that
        some indicators tell facilities apart and others do not.
    secular_trend : float
        What would have been added without the programme, in percentage points.
    sd_secular_trend : float
        Its standard deviation between facilities, in logits.
    controls : int
        Facilities beside those of the programme, without it: they change by the secular trend (in
        logits, as an average facility of the programme would have) and by their own effects, and
        are never ranked.
    imbalance : float
        By how much the programme's baseline lies above that of the controls, in percentage points.
    covariate_level, covariate_change : tuple of float (covariate)
        Slopes of the baseline and of the change on covariates that all indicators share, in logits
        for one standard deviation. Their values are fixed by the number of facilities.
    ceiling : float
        Highest adherence that can be measured, 0 to 1.
    outlying : tuple of float
        Shifts of the change (logits; normal data: units) of the first facilities.
    sd_baseline_facility, sd_change_facility, corr_facility, sd_baseline_domain, sd_change_domain,
    corr_domain, sd_baseline_indicator, sd_change_indicator, corr_indicator : float
        In logits, named as in `pdsim.priors.Priors`; those of the indicators may be tuples with
        one value for each.
    trials : int or tuple of int (facility) or of tuple of int (facility, indicator)
        Cases observed per cell and period.
    trials_cv : float
        Coefficient of variation of drawn numbers of cases around `trials` (lognormal, rounded, at
        least 1); 0 means as given.
    trials_unit : {"facility", "cell"}
        Whether one draw serves all indicators of a facility in a period.
    case_correlation : float
        Correlation of two indicators scored on one case (Gaussian copula).
    visit_correlation : float
        Correlation of two cases of one visit, on one indicator or on two: what the day, the team
        or the observer does to all of them. A part of `case_correlation`.
    cases_per_visit : int, optional
        Cases observed one after another on one visit to a facility; by default one visit holds all
        cases of a period.
    missing, missing_slope : float
        Probability that a cell is missing, and the log odds that one logit of lower adherence
        adds to it.
    sensitivity, specificity : float
        P(scored as met | met) and P(scored as not met | not met).
    observer_effect : float
        Logits that being observed adds at the first case of the baseline period.
    observer_halving : float, optional
        Number of cases after which the effect has halved; by default it lasts the period.
    observer_endline : float
        The share of `observer_effect` that is left at the first case of the endline period.
    unit_sd : float
        Standard deviation of one observation (normal data).
    known_se : bool
        False: the standard error is estimated from the sample (normal data).
    process : str
        A data-generating process of your own, see `pdsim.register_process`.
    process_values : tuple of float
        Numbers for it.
    engine, draws, priors : str, int, Priors
        How a posterior is computed, for rules that need one. ``known`` takes the spreads and
        correlations of a scenario of counts for known and the levels at their mode: every rule
        then names by that value, with no uncertainty, a hundred times as fast as by a fit.
    assumed_case_correlation : float, optional
        What the analysis takes it to be; by default the true one, with the part of the visits.
    assumed_design_effect : float, optional
        By what the analysis divides counts; by default the design effect of the visits.
    rule : str
        A name in `pdsim.RULES`: ``observed_change`` (of normal data: the observed value),
        ``z_score``, ``shrunken_mean``, ``posterior_mean``, ``expected_rank``, ``p_top`` and others.
    m : int
        Facilities chosen at each end.
    estimand : str
        What facilities are ranked on in truth and in the posterior, see `pdsim.terms.estimands`.
    target : {"change", "programme"}
        Whether the secular trend counts as true improvement.
    weighting : {"equal", "domain", "given"}
        ``domain``: every domain the same weight.
    weights, target_weights : tuple of float (indicator), optional
        Given weights of the analysis; weights of the truth, by default those of the analysis.
    criteria : tuple of str
        Such as ``("top(change, 3)", "endline >= 60")``, see `pdsim.criteria`: the measure
        ``criteria_met`` says how many of those named by them truly meet them all. Indicators are
        called "indicator 1" and so on, with zeros in front where there are ten or more, and domains
        "domain 1".
    flag_threshold : float
        A facility is flagged as clearly among the best when the posterior P(top m) reaches it; by
        rules without a posterior, when it is above the mean of the others at this one-sided
        confidence.

    Raises
    ------
    InputError
        With every broken rule.

    Examples
    --------
    >>> scenario = Scenario(facilities=10, indicators=14, trials=40)
    >>> scenario.data_key == Scenario(facilities=10, indicators=14, trials=60).data_key
    False
    >>> scenario.truth_key == Scenario(facilities=10, indicators=14, trials=60).truth_key
    True
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA

    kind: Literal["counts", "normal"] = "counts"
    facilities: int = 10
    indicators: int = 1
    domains: int = 1
    baseline_level: float | tuple[float, ...] = 0.5
    improvement: float | tuple[float, ...] = 12.0
    levels: tuple[tuple[float, float], ...] | None = None
    means: tuple[float, ...] | None = None
    sd_alpha: float = 0.0
    sd_beta: float = 0.0
    heterogeneity: float = 0.0
    secular_trend: float = 0.0
    sd_secular_trend: float = 0.0
    controls: int = 0
    imbalance: float = 0.0
    covariate_level: tuple[float, ...] = ()
    covariate_change: tuple[float, ...] = ()
    ceiling: float = 1.0
    outlying: tuple[float, ...] = ()
    sd_baseline_facility: float = 0.35
    sd_change_facility: float = 0.7
    corr_facility: float = 0.0
    sd_baseline_domain: float = 0.3
    sd_change_domain: float = 0.3
    corr_domain: float = 0.0
    sd_baseline_indicator: float | tuple[float, ...] = 0.3
    sd_change_indicator: float | tuple[float, ...] = 0.3
    corr_indicator: float | tuple[float, ...] = 0.0

    trials: int | tuple[int, ...] | tuple[tuple[int, ...], ...] = 40
    trials_cv: float = 0.0
    trials_unit: Literal["facility", "cell"] = "facility"
    case_correlation: float = 0.0
    visit_correlation: float = 0.0
    cases_per_visit: int | None = None
    missing: float = 0.0
    missing_slope: float = 0.0
    sensitivity: float = 1.0
    specificity: float = 1.0
    observer_effect: float = 0.0
    observer_halving: float | None = None
    observer_endline: float = 1.0
    unit_sd: float = 1.0
    known_se: bool = True
    process: str = "cases"
    process_values: tuple[float, ...] = ()

    engine: Literal["laplace", "nuts", "known"] = "laplace"
    draws: int = 1000
    priors: Priors = _PRIORS
    assumed_case_correlation: float | None = None
    assumed_design_effect: float | None = None

    rule: str = "observed_change"
    m: int = DEFAULT_M
    estimand: str = "change"
    target: Literal["change", "programme"] = "change"
    weighting: Weighting = "equal"
    weights: tuple[float, ...] | None = None
    target_weights: tuple[float, ...] | None = None
    flag_threshold: float = 0.95
    criteria: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        problems = _problems(self)
        if problems:
            raise InputError(problems)

    @property
    def observed_facilities(self) -> int:
        """Facilities of both arms; those of the programme come first."""
        return self.facilities + self.controls

    @property
    def needs_posterior(self) -> bool:
        """Whether the rule needs a fitted model."""
        return RULES[self.rule].needs_posterior

    @property
    def analysed_case_correlation(self) -> float:
        """The within-case correlation that the analysis assumes.

        By default the true one; with visits the share of a cell's error, design effect D and all,
        that its indicators have in common: (r + D - 1) / D, at most 0.9.
        """
        if self.assumed_case_correlation is not None:
            return self.assumed_case_correlation
        if self.visit_correlation == 0 or self.indicators == 1:
            return self.case_correlation
        effect = self.analysed_design_effect
        return min((self.case_correlation + effect - 1.0) / effect, 0.9)

    @property
    def analysed_design_effect(self) -> float:
        """By what the analysis divides the counts of a cell of average size."""
        if self.assumed_design_effect is not None:
            return self.assumed_design_effect
        if self.kind == "normal" or self.visit_correlation == 0:
            return 1.0
        rows = self.trials if isinstance(self.trials, tuple) else (self.trials,)
        # 1-D or 2-D; a flat list of numbers says the same
        cells = [n for row in rows for n in (row if isinstance(row, tuple) else (row,))]
        return visit_design_effect(
            sum(cells) / len(cells), self.cases_per_visit, self.visit_correlation
        )

    @property
    def effect_levels(self) -> tuple[str, ...]:
        """The levels of effects that exist in this scenario."""
        if self.kind == "normal" or self.indicators == 1:
            return ("facility",)
        if self.domains in (1, self.indicators):
            return ("facility", "indicator")
        return ("facility", "domain", "indicator")

    @property
    def extensions(self) -> tuple[str, ...]:
        """What a user registered and this scenario names, as text for other processes."""
        named = [(terms, str(getattr(self, field))) for field, terms in _TERMS.items()]
        # every replicate is judged by all measures
        named += [(MEASURES, name) for name in MEASURES]
        return tuple(terms.hand_over(name) for terms, name in named if terms.is_own(name))

    @property
    def truth_key(self) -> str:
        """SHA-256 of what decides the truth, 64 hexadecimal digits."""
        return _truth_key(self, PROCESSES.key(self.process))

    @property
    def data_key(self) -> str:
        """SHA-256 of what decides the data: the truth key and how it is observed."""
        return _data_key(self, self.truth_key)

    @property
    def fit_key(self) -> str:
        """SHA-256 of what decides the fit; without a posterior, engine and priors do not."""
        fit = _part(self, _FIT) if self.needs_posterior else {}
        assumed = _canonical([self.analysed_case_correlation, self.analysed_design_effect])
        return digest({"data": self.data_key, "assumed": assumed, "fit": fit})

    @property
    def decision_key(self) -> str:
        """SHA-256 of what decides who is chosen and how that is judged."""
        return digest({"fit": self.fit_key, "decision": _part(self, _DECISION)})


def visit_design_effect(trials: float, per_visit: int | None, correlation: float) -> float:
    """Return by what visits raise the variance of a mean of some cases.

    ``1 + (sum of squared cases of the visits / cases - 1) correlation`` (Kish 1965), which is
    ``1 + (b - 1) correlation`` for full visits of b cases.

    Examples
    --------
    >>> visit_design_effect(40, 10, 0.1)
    1.9
    """
    size = trials if per_visit is None else min(float(per_visit), trials)
    full, rest = divmod(trials, size)
    return 1 + ((full * size**2 + rest**2) / trials - 1) * correlation


@lru_cache(maxsize=1024)
def _truth_key(scenario: Scenario, process: str) -> str:
    """Return the truth key; a block asks for it once per stream and slice of replicates."""
    del process  # it is part of the memory's key: a process may be registered anew
    return digest({"algorithm": ALGORITHM, "truth": _part(scenario, _TRUTH)})


@lru_cache(maxsize=1024)
def _data_key(scenario: Scenario, truth_key: str) -> str:
    return digest({"truth": truth_key, "data": _part(scenario, _DATA)})


def _part(scenario: Scenario, names: Collection[str]) -> dict[str, Any]:
    """Return the named fields that matter in this scenario, equal for equal meaning."""
    values = {name: getattr(scenario, name) for name in names if _matters(scenario, name)}
    return {
        name: _TERMS[name].key(value) if name in _TERMS else _canonical(value)
        for name, value in values.items()
    }


def _matters(scenario: Scenario, name: str) -> bool:
    """Whether a field can change a result, given the others."""
    if scenario.kind == "normal":
        if name == "criteria":
            return False
        if name == "sd_change_facility":
            return scenario.means is None
        if name == "cases_per_visit":
            return scenario.visit_correlation > 0
        return name in _NORMAL or name not in (*_TRUTH, *_DATA)
    if name in _NORMAL_ONLY:
        return False
    if name == "criteria":
        return bool(scenario.criteria)
    if name in ("baseline_level", "improvement"):
        return scenario.levels is None
    if name in ("process", "process_values"):
        return scenario.process != "cases"
    if name in ("controls", "imbalance"):
        return scenario.controls > 0
    if name.startswith("covariate_"):
        return bool(scenario.covariate_level)
    if name == "cases_per_visit":
        return scenario.visit_correlation > 0
    if name in _EFFECTS:
        return name.rpartition("_")[2] in scenario.effect_levels
    return True


def _canonical(value: Any) -> Any:
    """Return plain JSON values; 12 and 12.0 are the same number, and so are 0 and -0."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, dict):
        if value.get("change_spread") == "shared":  # what all priors of older keys have
            value = {key: item for key, item in value.items() if key != "change_spread"}
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_canonical(item) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) + 0.0
    return value


def _problems(scenario: Scenario) -> list[Problem]:
    """Return every broken rule of a scenario."""
    problems = [*value_problems(scenario), *_shapes(scenario)]
    # later rules compute with the values, so they wait until each value is sound
    rules = (_truth, _arms, _observation, _decision)
    return problems or [problem for rule in rules for problem in rule(scenario)]


def _shapes(scenario: Scenario) -> Iterator[Problem]:
    if any(not is_int(getattr(scenario, name)) for name in ("facilities", "indicators")):
        return
    facilities, indicators = scenario.facilities, scenario.indicators
    per_indicator = {
        "baseline_level": scenario.baseline_level,
        "improvement": scenario.improvement,
        "weights": scenario.weights,
        "target_weights": scenario.target_weights,
        **{name: getattr(scenario, name) for name in PER_INDICATOR},
    }
    for name, value in per_indicator.items():
        if value is None and name in ("weights", "target_weights"):
            continue
        if not name.endswith("weights") and is_number(value):
            continue
        if not is_row(value, indicators):
            yield Problem(
                rule=f"{name} must be {indicators} finite numbers, one for each indicator, "
                f"got {value!r:.80}"
            )
    if scenario.means is not None and not is_row(scenario.means, facilities):
        yield Problem(rule=f"means must be {facilities} finite numbers, one for each facility")
    if not is_row(scenario.outlying, None) or len(scenario.outlying) > facilities:
        yield Problem(rule=f"outlying must be at most {facilities} finite numbers")
    levels = scenario.levels
    if levels is not None and not (
        isinstance(levels, tuple)
        and len(levels) == facilities
        and all(is_row(row, 2) and all(0 < x < 1 for x in row) for row in levels)
    ):
        yield Problem(
            rule=f"levels must be {facilities} pairs (baseline, endline) between 0 and 1",
            cure="divide percentages by 100",
        )
    if not trials_fit(scenario.trials, facilities, indicators):
        yield Problem(
            rule="trials must be whole numbers from 1: one for all, one for each of the "
            f"{facilities} facilities, or a table of {facilities} x {indicators}, "
            f"got {scenario.trials!r:.80}"
        )
    everyone = scenario.observed_facilities if is_int(scenario.controls) else facilities
    if everyone * indicators > _MAX_CELLS:
        yield Problem(rule=f"{everyone} x {indicators} cells are more than {_MAX_CELLS}")


def _truth(scenario: Scenario) -> Iterator[Problem]:
    if scenario.domains > scenario.indicators:
        yield Problem(
            rule=f"{scenario.domains} domains need at least as many indicators, "
            f"got {scenario.indicators}"
        )
    if scenario.kind == "normal":
        if scenario.indicators != 1:
            yield Problem(
                rule=f"normal data have one value per facility, got indicators = "
                f"{scenario.indicators}",
                cure="set indicators = 1",
            )
        return
    if scenario.means is not None:
        yield Problem(rule="means belong to normal data", cure='set kind = "normal" or use levels')
    if scenario.ceiling == 0:
        yield Problem(rule="ceiling must be above 0")
    if scenario.levels is not None:
        if scenario.sd_baseline_facility or scenario.sd_change_facility:
            yield Problem(
                rule="levels already say how facilities differ",
                cure="set sd_baseline_facility = 0 and sd_change_facility = 0",
            )
        if max(max(row) for row in scenario.levels) >= scenario.ceiling:
            yield Problem(rule=f"levels must stay below the ceiling {scenario.ceiling:g}")
        return
    for k in range(scenario.indicators):
        base = _at(scenario.baseline_level, k)
        gain = _at(scenario.improvement, k) / 100
        for words, value in (
            ("baseline_level", base),
            ("baseline_level + improvement", base + gain),
            (
                "baseline_level + improvement + secular_trend",
                base + gain + scenario.secular_trend / 100,
            ),
        ):
            if not 0 < value < scenario.ceiling:
                yield Problem(
                    rule=f"{words} is {value:g} for indicator {k + 1}; it must lie above 0 and "
                    f"below the ceiling {scenario.ceiling:g}"
                )
                return


def _arms(scenario: Scenario) -> Iterator[Problem]:
    """Return what is wrong with controls and covariates."""
    slopes = scenario.covariate_level
    if not is_row(slopes, None) or not is_row(scenario.covariate_change, len(slopes)):
        yield Problem(
            rule="covariate_level and covariate_change must be one finite number for each "
            f"covariate, got {slopes!r:.80} and {scenario.covariate_change!r:.80}"
        )
        return
    if 5 * len(slopes) > scenario.observed_facilities:
        yield Problem(
            rule=f"{len(slopes)} covariates are too many for {scenario.observed_facilities} "
            "facilities: at most one for every five"
        )
    if isinstance(scenario.priors, Priors):
        yield from scenario.priors.problems(kind="counts", controls=scenario.controls > 0)
    if scenario.imbalance and not scenario.controls:
        yield Problem(rule="imbalance speaks of controls", cure="set controls to 1 or more")
    if not (scenario.controls or slopes):
        return
    reasons = {
        "normal data": scenario.kind == "normal",
        "given levels": scenario.levels is not None,
        "trials of every facility": isinstance(scenario.trials, tuple),
        f"the process {scenario.process!r}": scenario.process != "cases",
    }
    if lost := [name for name, given in reasons.items() if given]:
        rule = f"controls and covariates do not go with {' or '.join(lost)}"
        yield Problem(rule=rule, cure="leave one of them out")
        return
    if not scenario.controls:
        return
    if scenario.target == "programme":
        yield Problem(
            rule="target = 'programme' leaves the secular trend out of the truth, as controls do",
            cure="use target = 'change' with estimand = 'effect'",
        )
    for k in range(scenario.indicators):
        start = _at(scenario.baseline_level, k) - scenario.imbalance / 100
        plain = _at(scenario.baseline_level, k) + scenario.secular_trend / 100
        if not (0 < start < scenario.ceiling and 0 < plain < scenario.ceiling):
            yield Problem(
                rule=f"indicator {k + 1} of the controls goes from {start:g} by a trend to "
                f"{plain:g}: both must lie above 0 and below the ceiling {scenario.ceiling:g}",
                cure="correct imbalance or secular_trend",
            )
            return


def _visits(scenario: Scenario) -> Iterator[Problem]:
    per_visit: Any = scenario.cases_per_visit
    if per_visit is not None and (not is_int(per_visit) or per_visit < 1):
        yield Problem(rule=f"cases_per_visit must be a whole number from 1, got {per_visit!r}")
    if scenario.indicators > 1 and scenario.visit_correlation > scenario.case_correlation:
        yield Problem(
            rule=f"visit_correlation is {scenario.visit_correlation:g}, above the "
            f"case_correlation of {scenario.case_correlation:g}: two indicators of one case share "
            "its visit too",
            cure="raise case_correlation to at least as much",
        )


def _observation(scenario: Scenario) -> Iterator[Problem]:
    if scenario.process_values and scenario.process == "cases":
        yield Problem(rule="process_values belong to a process of your own", cure="name it")
    if scenario.process != "cases":
        done_by_cases = {
            "case_correlation": 0.0, "visit_correlation": 0.0, "observer_effect": 0.0,
            "sensitivity": 1.0, "specificity": 1.0,
        }  # fmt: skip
        lost = [name for name, none in done_by_cases.items() if getattr(scenario, name) != none]
        if lost or scenario.kind != "counts":
            rule = f"the process {scenario.process!r} draws counts and knows of no "
            rule += " and no ".join(lost or ["normal data"])
            yield Problem(rule=rule, cure="leave it out, or use the process 'cases'")
    yield from _visits(scenario)
    if scenario.sensitivity + scenario.specificity <= 1:
        yield Problem(
            rule="sensitivity + specificity must be above 1, got "
            f"{scenario.sensitivity:g} + {scenario.specificity:g}",
            cure="below that, scoring is worse than tossing a coin",
        )
    if scenario.kind == "normal":
        wanted = [name for name in ("missing", "case_correlation") if getattr(scenario, name)]
        if wanted:
            yield Problem(rule=f"normal data have no {' and no '.join(wanted)}")
        if not scenario.known_se and _least_trials(scenario) < 2:
            yield Problem(rule="a standard error is estimated from at least 2 trials")


def _decision(scenario: Scenario) -> Iterator[Problem]:
    if 2 * scenario.m > scenario.facilities:
        yield Problem(
            rule=f"m = {scenario.m} at each end needs at least {2 * scenario.m} facilities, "
            f"got {scenario.facilities}"
        )
    if (scenario.weighting == "given") != (scenario.weights is not None):
        yield Problem(
            rule='weighting = "given" and weights belong together',
            cure="state both or neither",
        )
    for name in ("weights", "target_weights"):
        value = getattr(scenario, name)
        if value is not None and (min(value) < 0 or sum(value) <= 0):
            yield Problem(rule=f"{name} must not be negative, and not all be 0")
    allowed = tuple(
        name
        for name in estimands_of("counts", 2, controls=scenario.controls > 0)
        if ESTIMANDS[name].controls or not ESTIMANDS[name].net
    )
    if scenario.kind == "normal":
        allowed = ("change", "level")  # both are the value itself
    if scenario.estimand not in allowed:
        rule = f"estimand {scenario.estimand!r} is none that {scenario.kind} data can have"
        yield Problem(rule=rule, cure=f"use one of: {', '.join(allowed)}")
    if scenario.engine == "known":
        yield from _known(scenario)
    if scenario.criteria:
        yield from _criteria(scenario)
    if scenario.kind == "normal" and RULES[scenario.rule].needs == "change":
        yield Problem(rule=f"rule {scenario.rule!r} needs counts", cure="use observed_change")


def _known(scenario: Scenario) -> Iterator[Problem]:
    """Return what one value for each facility cannot say."""
    reasons = {
        "normal data": scenario.kind == "normal",
        "criteria": bool(scenario.criteria),
        f"the estimand {scenario.estimand!r}": scenario.estimand in ESTIMANDS
        and ESTIMANDS[scenario.estimand].net,
    }
    if lost := [name for name, given in reasons.items() if given]:
        rule = f"engine 'known' does not go with {' or '.join(lost)}"
        yield Problem(rule=rule, cure="use laplace or nuts")


def _criteria(scenario: Scenario) -> Iterator[Problem]:
    if scenario.kind != "counts":
        yield Problem(rule="criteria speak of counts in two periods", cure='set kind = "counts"')
        return
    known = simulated_scores(scenario.indicators, scenario.domains)
    for text in scenario.criteria:
        try:
            criterion = parse_criterion(text, known)
            if criterion.sign in ("top", "bottom"):
                criterion.count(scenario.facilities)
        except InputError as error:
            yield from error.problems


def _least_trials(scenario: Scenario) -> int:
    trials = scenario.trials
    if isinstance(trials, int):
        return trials
    return min(row if isinstance(row, int) else min(row) for row in trials)


def _at(value: float | tuple[float, ...], k: int) -> float:
    return value[k] if isinstance(value, tuple) else value
