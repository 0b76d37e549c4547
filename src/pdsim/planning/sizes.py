"""A scenario at another size, and what a study of that size costs."""

from dataclasses import dataclass, replace
from typing import ClassVar, Final

import numpy as np

from pdsim.errors import InputError, Problem
from pdsim.settings import FORBID_EXTRA
from pdsim.simulation import Scenario

GRID: Final = ("facilities", "indicators", "cases_per_visit")
"""Dimensions in which designs can differ."""

OVER: Final = ("trials", "facilities", "indicators", "rounds", "cost")

_ROUNDING: Final = 1e-9
_PER_INDICATOR: Final = (
    "baseline_level", "improvement", "weights", "target_weights", "sd_baseline_indicator",
    "sd_change_indicator", "corr_indicator",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a study costs, in any currency or in hours.

    A case is one operation (or patient) observed in one facility in one period, scored on every
    indicator; a visit is one round of observation of one facility in one period.

    Attributes
    ----------
    fixed : float
    per_facility, per_visit, per_case : float
    per_score : float
        Of scoring one indicator in one case.
    per_wrong : float
        What naming one facility wrongly loses; makes the worth of the evaluation part of the
        answer.
    currency : str
        Written after every amount.

    Examples
    --------
    >>> costs = Costs(per_facility=1000, per_visit=300, per_case=20)
    >>> costs.of(Scenario(facilities=10, trials=40, cases_per_visit=25))
    38000.0
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    fixed: float = 0.0
    per_facility: float = 0.0
    per_visit: float = 0.0
    per_case: float = 0.0
    per_score: float = 0.0
    per_wrong: float = 0.0
    currency: str = ""

    def __post_init__(self) -> None:
        values = (
            self.fixed, self.per_facility, self.per_visit, self.per_case, self.per_score,
            self.per_wrong,
        )  # fmt: skip
        if not all(np.isfinite(value) and value >= 0 for value in values):
            raise ValueError("costs must be finite and not negative")
        if not self.per_case + self.per_score > 0:
            raise ValueError("a case must cost something: set per_case or per_score")

    def of_case(self, scenario: Scenario) -> float:
        """Return the cost of a case that is scored on every indicator."""
        return self.per_case + scenario.indicators * self.per_score

    def of_facility(self, scenario: Scenario) -> float:
        """Return the cost of one facility more, of either arm."""
        visits = visits_of(scenario) * self.per_visit
        cases = mean_trials(scenario) * self.of_case(scenario)
        return self.per_facility + periods_of(scenario) * (visits + cases)

    def of(self, scenario: Scenario, *, rounds: int | None = None) -> float:
        """Return the cost of the study of a scenario.

        Parameters
        ----------
        scenario : Scenario
            Its `trials` are those of all rounds together.
        rounds : int, optional
            Visits to each facility in each period; default: as few as the cases need.
        """
        visited = scenario.observed_facilities * periods_of(scenario)
        visits = visited * (visits_of(scenario) if rounds is None else rounds)
        return (
            self.fixed
            + scenario.observed_facilities * self.per_facility
            + visits * self.per_visit
            + visited * mean_trials(scenario) * self.of_case(scenario)
        )

    def affordable(self, scenario: Scenario, budget: float) -> int:
        """Return the most trials per cell that a budget pays for; 0 if not even one."""
        visited = scenario.observed_facilities * periods_of(scenario)
        low, high = 0, 1 + int(budget / (visited * (self.per_case + self.per_score)))
        while high - low > 1:
            middle = (low + high) // 2
            if self.of(with_trials(scenario, middle)) <= budget:
                low = middle
            else:
                high = middle
        return low


def periods_of(scenario: Scenario) -> int:
    """Return in how many periods a facility is observed."""
    return 1 if scenario.kind == "normal" else 2


def visits_of(scenario: Scenario) -> int:
    """Return the visits that each facility needs in each period."""
    if scenario.cases_per_visit is None:
        return 1
    return int(np.ceil(mean_trials(scenario) / scenario.cases_per_visit - _ROUNDING))


def mean_trials(scenario: Scenario) -> float:
    """Return the mean number of trials of a cell."""
    return float(np.mean([np.mean(row) for row in np.atleast_1d(np.asarray(scenario.trials))]))


def with_trials(scenario: Scenario, trials: float) -> Scenario:
    """Return the scenario with another mean number of trials; unequal ones keep their shape."""
    if isinstance(scenario.trials, int):
        return replace(scenario, trials=max(1, round(trials)))
    factor = trials / mean_trials(scenario)

    def scaled(value: int | tuple[int, ...]) -> int | tuple[int, ...]:
        if isinstance(value, int):
            return max(1, round(value * factor))
        return tuple(max(1, round(item * factor)) for item in value)

    rows = tuple(scaled(row) for row in scenario.trials)
    return replace(scenario, trials=rows)  # type: ignore[arg-type]


def resize(scenario: Scenario, over: str, size: int) -> Scenario:
    """Return the scenario at another size.

    Parameters
    ----------
    scenario : Scenario
    over : {"trials", "facilities", "indicators", "rounds"}
        ``rounds``: every facility is visited `size` times a period, with the scenario's trials
        at each visit.
    size : int

    Raises
    ------
    InputError
        If the scenario gives something for each facility or indicator and their number changes.

    Examples
    --------
    >>> resize(Scenario(trials=20), "rounds", 3).trials
    60
    """
    if over == "trials":
        return with_trials(scenario, size)
    if over == "rounds":
        return with_trials(scenario, size * mean_trials(scenario))
    if size == getattr(scenario, over):
        return scenario
    fixed = [name for name in _listed(scenario, over) if isinstance(getattr(scenario, name), tuple)]
    if fixed:
        raise InputError(
            Problem(
                rule=f"{', '.join(fixed)} has one value for each of {getattr(scenario, over)} "
                f"{over}, so the number of {over} cannot be planned",
                cure="give one value for all",
            )
        )
    if over == "cases_per_visit":
        return replace(scenario, cases_per_visit=size)
    if over == "facilities":
        return replace(scenario, facilities=size)
    return replace(scenario, indicators=size, domains=min(scenario.domains, size))


def _listed(scenario: Scenario, over: str) -> tuple[str, ...]:
    """Return the settings that may have one value for each facility or indicator."""
    if over == "cases_per_visit":
        return ()
    if over == "facilities":
        return ("trials", "levels", "means")
    by_cell = isinstance(scenario.trials, tuple) and not isinstance(scenario.trials[0], int)
    return (*_PER_INDICATOR, "trials") if by_cell else _PER_INDICATOR
