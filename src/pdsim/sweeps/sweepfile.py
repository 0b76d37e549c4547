"""Settings of a sweep, as written in sweep.toml."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from pdsim.errors import InputError
from pdsim.settings import FORBID_EXTRA, from_mapping, from_toml, read_toml, to_mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepSettings:
    """What is swept.

    In a sweep.toml::

        name = "Weights and cases"
        replicates = 1000
        seed = 1
        measures = ["pcs_top", "overlap_top"]

        [scenario]
        facilities = 10
        indicators = 14
        rule = "p_top"

        [factors]
        trials = [10, 20, 40]

        [factors.weighting]
        equal = "equal"
        first_double = {weighting = "given", weights = [2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]}

    Attributes
    ----------
    replicates : int
        Replicates of every cell.
    seed : int
        Root seed; every random number follows from it and from the scenario.
    scenario : dict
        Settings of the base scenario, as in a scenario's TOML.
    factors : dict
        Factors that are crossed, in the order of the result's dimensions. A factor is a list of
        values of the scenario setting of that name (``trials = [10, 20, 40]``), or a table of
        labelled levels: of values of that setting, or, where no setting bears the name, of
        tables of settings (``weighting = {equal = {}, safety = {weights = [...]}}``).
    cells : tuple of dict
        Instead of factors: one table of settings for each cell, each with a `label`.
    measures : tuple of str
        Summaries to keep in the result; all when empty. Every measure is stored in any case.
    name : str
        Title of the sweep.

    Examples
    --------
    >>> SweepSettings(replicates=100, seed=1, factors={"trials": [10, 20]}).replicates
    100
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    replicates: int
    seed: int
    scenario: dict[str, Any] = field(default_factory=dict)
    factors: dict[str, Any] = field(default_factory=dict)
    cells: tuple[dict[str, Any], ...] = ()
    measures: tuple[str, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        if self.replicates < 1:
            raise ValueError(f"replicates must be 1 or more, not {self.replicates}")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more, not {self.seed}")
        if self.factors and self.cells:
            raise ValueError("factors are crossed and cells are listed: give one of the two")


def read_settings(config: SweepSettings | Mapping[str, Any] | str | Path) -> SweepSettings:
    """Return sweep settings from a file, a mapping, or settings (as they are).

    Parameters
    ----------
    config : SweepSettings, mapping, str or Path
        A path is read as TOML; unknown keys are errors.

    Raises
    ------
    InputError
        With all problems of the settings.

    Examples
    --------
    >>> read_settings({"replicates": 10, "seed": 1, "scenario": {"trials": 20}}).scenario
    {'trials': 20}
    """
    if isinstance(config, SweepSettings):
        return config
    if isinstance(config, Mapping):
        return from_mapping(SweepSettings, config)
    return from_toml(SweepSettings, config)


def readable_settings(config: SweepSettings | Mapping[str, Any] | str | Path) -> SweepSettings:
    """Return what can be read of settings that hold problems, so that all are told at once."""
    if isinstance(config, SweepSettings):
        return config
    mapping = config if isinstance(config, Mapping) else read_toml(Path(config))
    settings = SweepSettings(replicates=1, seed=0)
    for name in ("scenario", "factors", "cells", "measures"):
        with suppress(InputError):
            stated = {name: mapping[name]} if name in mapping else {}
            settings = from_mapping(SweepSettings, to_mapping(settings) | stated)
    return settings
