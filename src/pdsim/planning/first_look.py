"""A first answer within seconds, from normal theory, and what the search for a better one takes."""

import time
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pdsim.planning.budget import affordable_size, cost_of
from pdsim.planning.question import Question, guess
from pdsim.planning.runs import CHEAP_RULE, CONTROL_RATIO, control_of, has_control
from pdsim.planning.sizes import Costs, resize
from pdsim.simulation import Scenario, run_block
from pdsim.simulation.block import estimate_cost
from pdsim.terms.rules import RULES

_TYPICAL: Final = 4_000
_START: Final = 3.0
_TIMED: Final = 40
_SHARE: Final = 8
"""A control leaves one in so many replicates of a rule with a posterior."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstLook:
    """About how large a study must be, before anything of it is simulated.

    Attributes
    ----------
    n : float
        The size; NaN where normal theory has no answer.
    cost : float
        Of n; NaN without costs.
    budget, affordable : float
        What was stated, and the size that it pays for; NaN where nothing was.
    seconds : float
        That the plan will take, within a factor of three or so.
    target, over, currency : str
    """

    n: float
    cost: float
    budget: float
    affordable: float
    seconds: float
    target: str
    over: str
    currency: str


def first_look(
    question: Question,
    costs: Costs | None,
    budget: float | None,
    *,
    searches: int = 1,
    ranges: int = 0,
    compared: int = 0,
) -> FirstLook:
    """Return about how large the study must be, before anything of it is simulated.

    Parameters
    ----------
    question : Question
    costs : Costs or None
    budget : float or None
    searches : int
        Searches of about the same length that the plan makes.
    ranges : int
        Assumptions at both ends of whose range the plan is made again, less exactly: together about
        one search each.
    compared : int
        Studies that are also analysed by a rule with a posterior.

    Returns
    -------
    FirstLook

    Examples
    --------
    >>> from pdsim.planning.target import parse_target
    >>> from pdsim.simulation import Scenario
    >>> lead = Scenario(kind="normal", means=(0.5,) * 3 + (0.0,) * 7)
    >>> asked = Question(scenario=lead, target=parse_target("pcs_top >= 0.95"), over="trials",
    ...                  low=2, high=1000)
    >>> first_look(asked, None, None).n  # Bechhofer 1954
    60.0
    """
    found = guess(question)
    n = np.nan if found is None else float(np.ceil(found.trials))
    sized = question.scenario
    if np.isfinite(n):
        sized = resize(sized, question.over, int(n))
    replicates = _TYPICAL if found is None else found.replicates
    measure = question.target.measure
    costed = costs is not None and np.isfinite(n)
    return FirstLook(
        n=n,
        cost=cost_of(question, costs, int(n)) if costs is not None and costed else np.nan,
        budget=np.nan if budget is None else budget,
        affordable=np.nan
        if costs is None or budget is None
        else float(affordable_size(question, costs, budget)),
        seconds=_START
        + searches * _search_seconds(sized, measure, replicates)
        + ranges * _search_seconds(_as_ranged(sized, measure), measure, replicates)
        + compared * estimate_cost(_fitted(sized)),
        target=str(question.target),
        over=question.over,
        currency="" if costs is None else costs.currency,
    )


def _search_seconds(scenario: Scenario, measure: str, replicates: float) -> float:
    """Return the seconds of a search, from those of a few replicates that are simulated now."""
    cheap = scenario
    if scenario.needs_posterior or RULES[scenario.rule].seeded:
        cheap = replace(scenario, rule=CHEAP_RULE)
    # what is compiled or read at the first use counts once
    run_block([cheap], range(1), seed=0)
    start = time.process_time()
    run_block([cheap], range(1, 1 + _TIMED), seed=0)
    one = (time.process_time() - start) / _TIMED
    if scenario is cheap:
        return replicates * one
    dear = estimate_cost(scenario)
    if has_control(scenario, measure):
        control = max(one, estimate_cost(control_of(scenario)))
        return replicates / _SHARE * (dear + CONTROL_RATIO * control)
    return replicates * dear


def _as_ranged(scenario: Scenario, measure: str) -> Scenario:
    """Return the scenario that `pdsim.planning.sensitivity.tornado` simulates."""
    return replace(scenario, rule=CHEAP_RULE) if has_control(scenario, measure) else scenario


def _fitted(scenario: Scenario) -> Scenario:
    return replace(scenario, rule="p_top") if scenario.kind == "counts" else scenario
