"""A first answer within seconds, from normal theory, and what the search for a better one takes."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pdsim.planning.budget import affordable_size, cost_of
from pdsim.planning.question import Question, guess
from pdsim.planning.sizes import Costs
from pdsim.simulation.block import estimate_cost

_TYPICAL: Final = {True: 1_000, False: 4_000}
_START: Final = 3.0


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
    n = np.nan if found is None else float(np.ceil(found))
    costed = costs is not None and np.isfinite(n)
    scenario = question.scenario
    fitted = replace(scenario, rule="p_top") if scenario.kind == "counts" else scenario
    seconds = (
        _START
        + searches * _TYPICAL[scenario.needs_posterior] * estimate_cost(scenario)
        + compared * estimate_cost(fitted)
    )
    return FirstLook(
        n=n,
        cost=cost_of(question, costs, int(n)) if costs is not None and costed else np.nan,
        budget=np.nan if budget is None else budget,
        affordable=np.nan
        if costs is None or budget is None
        else float(affordable_size(question, costs, budget)),
        seconds=seconds,
        target=str(question.target),
        over=question.over,
        currency="" if costs is None else costs.currency,
    )
