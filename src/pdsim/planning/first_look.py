"""A first answer within seconds, from normal theory, and what the search for a better one takes."""

import numpy as np
import xarray as xr

from pdsim.planning.budget import affordable_size, cost_of
from pdsim.planning.question import Question, guess
from pdsim.planning.sizes import Costs
from pdsim.simulation.block import estimate_cost

_TYPICAL = {True: 1_000, False: 4_000}


def first_look(question: Question, costs: Costs | None, budget: float | None) -> xr.Dataset:
    """Return about how large the study must be, before anything of it is simulated.

    Parameters
    ----------
    question : Question
    costs : Costs or None
    budget : float or None

    Returns
    -------
    Dataset
        Scalars ``n`` (NaN where normal theory has no answer), ``cost`` (of n), ``budget``,
        ``affordable`` (the size that the budget pays for), ``seconds`` (that the search will
        take, within a factor of three or so). Attributes ``target``, ``over``, ``currency``.

    Examples
    --------
    >>> from pdsim.planning.target import parse_target
    >>> from pdsim.simulation import Scenario
    >>> lead = Scenario(kind="normal", means=(0.5,) * 3 + (0.0,) * 7)
    >>> asked = Question(scenario=lead, target=parse_target("pcs_top >= 0.95"), over="trials",
    ...                  low=2, high=1000)
    >>> float(first_look(asked, None, None).n)  # Bechhofer 1954
    60.0
    """
    found = guess(question)
    n = np.nan if found is None else float(np.ceil(found))
    costed = costs is not None and np.isfinite(n)
    scenario = question.scenario
    return xr.Dataset(
        {
            "n": n,
            "cost": cost_of(question, costs, int(n)) if costs is not None and costed else np.nan,
            "budget": np.nan if budget is None else budget,
            "affordable": np.nan
            if costs is None or budget is None
            else float(affordable_size(question, costs, budget)),
            "seconds": _TYPICAL[scenario.needs_posterior] * estimate_cost(scenario),
        },
        attrs={
            "target": str(question.target),
            "over": question.over,
            "currency": "" if costs is None else costs.currency,
        },
    )
