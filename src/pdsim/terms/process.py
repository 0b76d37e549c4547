"""Data-generating processes: how the counts of a simulated study come out of what is true."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pdsim.arraytypes import Floats, Ints
from pdsim.terms.registry import Registry

type DrawCounts = Callable[[Any, Floats, Ints, np.random.Generator], Floats]
type DrawLevels = Callable[[Any, np.random.Generator], Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """How one replicate of a scenario comes about; what is None is done as pdsim does.

    Attributes
    ----------
    name : str
    draw : callable or None
        ``draw(scenario, level, trials, rng)`` returns the cases that met each indicator, from
        arrays (facility, indicator, period) of true levels and of cases.
    truth : callable or None
        ``truth(scenario, rng)`` returns the true levels (facility, indicator, period), 0 to 1.
    """

    name: str
    draw: DrawCounts | None = None
    truth: DrawLevels | None = None


PROCESSES: Final = Registry("process", (Process(name="cases"),))
"""The processes by name: ``cases`` scores case by case, with all that a scenario says of them."""


def register_process(name: str, draw: DrawCounts, *, truth: DrawLevels | None = None) -> Process:
    """Add a data-generating process of your own, for ``process = "name"`` in a scenario.

    Parameters
    ----------
    name : str
        Small letters, digits and underscores.
    draw : callable
        ``draw(scenario, level, trials, rng)`` returns how many of the `trials` cases met each
        indicator; arrays are over (facility, indicator, period), `level` is the true adherence.
        All randomness comes from `rng`, a `numpy.random.Generator` of the replicate.
        ``scenario.process_values`` may hold numbers of its own, for factors of a sweep.
    truth : callable, optional
        ``truth(scenario, rng)`` returns the true levels; by default those of the scenario.

    Returns
    -------
    Process
        The record. Keys of sweeps hold a hash of the source of its functions, so that two
        processes never share data.

    Raises
    ------
    InputError
        If the name is taken or no plain name, or a function has no source.

    Notes
    -----
    The data of a scenario with more cases need not begin with those of one with fewer, as they do
    under the built-in process.

    Examples
    --------
    >>> from pdsim.simulation import Scenario, simulate
    >>> def beta_binomial(scenario, level, trials, rng):
    ...     return rng.binomial(trials, rng.beta(20 * level, 20 * (1 - level)))
    >>> term = register_process("beta_binomial", beta_binomial)
    >>> truth, study = simulate(Scenario(process="beta_binomial"), seed=1)
    >>> int(study.data.trials.max())
    40
    >>> PROCESSES.unregister("beta_binomial")
    """
    return PROCESSES.register(Process(name=name, draw=draw, truth=truth))
