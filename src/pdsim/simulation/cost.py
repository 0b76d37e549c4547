"""About how long a replicate takes, for a dry run."""

import numpy as np

from pdsim.simulation.scenario import Scenario

_CELL = 5e-8
_CASE = 3e-10
_COPULA_CASE = 8e-9
_FIT = {"laplace": 1e-4, "nuts": 0.07}


def estimate_cost(scenario: Scenario) -> float:
    """Return the seconds that one replicate takes on one core, within a factor of three or so.

    Parameters
    ----------
    scenario : Scenario

    Examples
    --------
    >>> estimate_cost(Scenario(rule="p_top")) > estimate_cost(Scenario(rule="observed_change"))
    True
    """
    cells = 2 * scenario.facilities * scenario.indicators
    cases = cells * float(np.mean([np.mean(row) for row in np.atleast_1d(scenario.trials)]))
    slow = scenario.case_correlation > 0 or scenario.observer_effect != 0
    seconds = cells * _CELL + cases * (_COPULA_CASE if slow else _CASE)
    return seconds + cells * _FIT[scenario.engine] if scenario.needs_posterior else seconds
