"""What a sweep needs of a simulation: a module with these names, `pdsim.simulation` by default."""

import json
from collections.abc import Sequence
from enum import IntEnum
from importlib import import_module
from typing import Any, Protocol, cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.errors import InputError, Problem
from pdsim.settings import from_mapping
from pdsim.terms.measures import ReadSlab
from pdsim.terms.registry import take_over

SIMULATION = "pdsim.simulation"
"""The module that is swept unless a caller names another."""


class Status(IntEnum):
    """What became of one replicate; 0 is what an unwritten chunk reads as."""

    NOT_RUN = 0
    OK = 1
    WARNED = 2
    NOT_CONVERGED = 3
    ERROR = 4
    TIMEOUT = 5
    WORKER_DIED = 6


def has_failed(status: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which replicates have no result: error, timeout, worker died."""
    return status >= Status.ERROR


def is_retried(status: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which may be the machine's fault, so that a resumed sweep runs them again."""
    return status >= Status.TIMEOUT


class SweptScenario(Protocol):
    """One cell of a sweep: its settings and the nested keys of what they decide."""

    @property
    def data_key(self) -> str:
        """Digest of all that decides the data."""

    @property
    def fit_key(self) -> str:
        """Digest of all that decides the fit."""

    @property
    def decision_key(self) -> str:
        """Digest of the whole scenario."""

    @property
    def extensions(self) -> tuple[str, ...]:
        """What a user registered and the scenario names, see `pdsim.terms.registry.take_over`."""


class SweptBlock(Protocol):
    """Results of some scenarios and replicates."""

    @property
    def measures(self) -> NDArray[np.float64]:
        """(scenario, replicate, measure)."""

    @property
    def status(self) -> NDArray[np.uint8]:
        """(scenario, replicate), see `Status`."""


class Simulation(Protocol):
    """The module that is swept; all of it is a pure function of its arguments."""

    COLUMNS: Sequence[str]
    Scenario: type[Any]

    def run_block(
        self, scenarios: Sequence[Any], replicates: range, *, seed: int
    ) -> SweptBlock:  # pragma: no cover - protocol
        """Run the replicates of scenarios that share their data."""

    def summarise_slabs(
        self, read: ReadSlab, replicates: int
    ) -> xr.Dataset:  # pragma: no cover - protocol
        """Reduce the replicates of every scenario to summaries over `scenario`.

        `read(start, stop)` gives measures and status as in a block; it may be called again.
        """

    def paired_contrast_slabs(
        self, read: ReadSlab, reference: ReadSlab, replicates: int
    ) -> xr.Dataset:  # pragma: no cover - protocol
        """Return the summaries of every scenario minus those of its reference, paired."""

    def simulate(
        self, scenario: Any, replicate: int, seed: int
    ) -> Any:  # pragma: no cover - protocol
        """Return the truth and the study of one replicate."""

    def estimate_cost(self, scenario: Any) -> float:  # pragma: no cover - protocol
        """Return the seconds that one replicate takes, roughly."""


def read_scenario(simulation: Simulation, text: str) -> Any:
    """Return the scenario that the text of a cell holds, in any process.

    Raises
    ------
    InputError
        If the scenario names what a user registered and is not there, or has another source.
    """
    content = json.loads(text)
    for extension in content.pop("extensions", ()):
        take_over(extension)
    return from_mapping(simulation.Scenario, content)


def load_simulation(name: str) -> Simulation:
    """Import the module `name` that offers the names of `Simulation`.

    Raises
    ------
    InputError
        If there is no such module or a name is missing in it.
    """
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        problem = Problem(rule=f"there is no module {error.name!r}", cure="check its name and path")
        raise InputError(problem) from error
    needed = (
        "COLUMNS",
        "Scenario",
        "run_block",
        "summarise_slabs",
        "paired_contrast_slabs",
        "simulate",
        "estimate_cost",
    )
    missing = [part for part in needed if part not in vars(module) and part not in dir(module)]
    if missing:
        raise InputError(Problem(rule=f"module {name!r} has no {', '.join(missing)}"))
    return cast(Simulation, module)
