"""Settings of a plan, as written in plan.toml."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Final

from pdsim.errors import InputError, Problem
from pdsim.planning.parameters import Source
from pdsim.planning.presets import preset_scenario
from pdsim.planning.sizes import OVER, Costs
from pdsim.planning.target import parse_target
from pdsim.priors import Priors
from pdsim.settings import FORBID_EXTRA, from_mapping, read_toml, to_mapping
from pdsim.simulation import Scenario

GRID: Final = ("facilities", "indicators")

_PRIORS: Final = Priors()
_DEFAULT_RANGE: Final = {
    "trials": (2, 5000), "facilities": (6, 200), "indicators": (1, 100), "rounds": (1, 50),
    "cost": (2, 5000),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSettings:
    """What is planned.

    Attributes
    ----------
    name : str
        Title of the plan.
    target : str
        Such as ``pcs_top >= 0.8``, see `pdsim.planning.parse_target`.
    over : {"trials", "facilities", "indicators", "rounds", "cost"}
        What is made as small as possible. ``cost``: the cheapest of the designs in `grid`, each
        with as many trials as it needs.
    low, high : int, optional
        Range that is searched; for ``cost`` that of the trials.
    precision : float
        The interval is to lie within this share of n (0.1 for +-10 %).
    preset : str
        Scenario to start from, see `pdsim.planning.PRESETS`.
    scenario : dict
        Settings of the scenario, on top of the preset's.
    ranges : dict of str to (low, high)
        Plausible ranges of assumptions, for the sensitivity of the answer.
    sensitivity : bool
        Whether to plan again at both ends of every range.
    assurance : {"", "ranges", "priors", "pilot"}
        Where the parameters of the scenario are drawn from, to average over them.
    design_priors : Priors
        For ``assurance = "priors"``; not those of the analysis.
    costs : Costs, optional
    budget : float, optional
        For the best design that it pays for.
    grid : dict of str to tuple of int
        Facilities and indicators of the designs that are compared.
    seed : int
    most : int
        Replicates after which a search gives up.

    Examples
    --------
    >>> PlanSettings(target="overlap_top >= 0.9", scenario={"facilities": 20}).over
    'trials'
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    name: str = ""
    target: str = "pcs_top >= 0.8"
    over: str = "trials"
    low: int | None = None
    high: int | None = None
    precision: float = 0.1
    preset: str = ""
    scenario: dict[str, Any] = field(default_factory=dict)
    ranges: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    sensitivity: bool = True
    assurance: Source = ""
    design_priors: Priors = _PRIORS
    costs: Costs | None = None
    budget: float | None = None
    grid: dict[str, tuple[int, ...]] = field(default_factory=dict)
    seed: int = 1
    most: int = 1_000_000

    def __post_init__(self) -> None:
        problems = list(_broken_rules(self))
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def range(self) -> tuple[int, int]:
        """Smallest and largest size that is searched."""
        low, high = _DEFAULT_RANGE[self.over]
        return (
            low if self.low is None else self.low,
            high if self.high is None else self.high,
        )

    @property
    def planned(self) -> set[str]:
        """Names of the settings that the plan finds out."""
        return {"trials", *self.grid} if self.over == "cost" else {self.over}

    def base(self) -> Scenario:
        """Return the scenario that is planned for."""
        return preset_scenario(self.preset, self.scenario)


def _broken_rules(settings: PlanSettings) -> list[str]:
    problems = []
    if settings.over not in OVER:
        problems.append(f"over is {settings.over!r}; use one of {', '.join(OVER)}")
    if not 0.005 <= settings.precision <= 1:
        problems.append(f"precision must lie between 0.005 and 1, got {settings.precision:g}")
    if settings.seed < 0:
        problems.append(f"seed must be 0 or more, got {settings.seed}")
    if settings.over == "cost" and settings.costs is None:
        problems.append("over = 'cost' needs costs")
    if settings.budget is not None and settings.costs is None:
        problems.append("a budget needs costs")
    if settings.budget is not None and not settings.budget > 0:
        problems.append(f"budget must be above 0, got {settings.budget:g}")
    for name, values in settings.grid.items():
        if name not in GRID:
            problems.append(f"grid: there is no dimension {name!r}; use {', '.join(GRID)}")
        elif not values or min(values) < 1 or len(set(values)) < len(values):
            problems.append(f"grid: {name} must be different whole numbers from 1, got {values}")
    if not problems:
        low, high = settings.range
        if not 1 <= low < high:
            problems.append(f"need 1 <= low < high, got {low} and {high}")
    return problems


def read_plan(path: str | Path) -> PlanSettings:
    """Read plan.toml; unknown keys and values of a wrong type are errors, all named at once.

    Raises
    ------
    InputError
    """
    path = Path(path)
    settings = from_mapping(PlanSettings, read_toml(path), file=path.name)
    check(settings)
    return settings


def check(settings: PlanSettings) -> None:
    """Check all that can be checked before anything is simulated.

    Raises
    ------
    InputError
    """
    problems: list[Problem] = []
    for part in (lambda: parse_target(settings.target), settings.base):
        try:
            part()
        except InputError as error:
            problems += error.problems
    problems += [
        Problem(rule=f"{name} is planned, so it cannot have a range", cure="remove it")
        for name in sorted(settings.planned & settings.ranges.keys())
    ]
    if problems:
        raise InputError(problems)


def as_mapping(settings: PlanSettings) -> dict[str, Any]:
    """Return the settings with the whole scenario, for the attributes of a result."""
    mapping: Mapping[str, Any] = to_mapping(settings)
    scenario = settings.base()
    whole = {f.name: getattr(scenario, f.name) for f in fields(scenario)}
    return {
        **mapping,
        "scenario": to_mapping(scenario)
        | {key: value for key, value in whole.items() if value is not None and key != "priors"},
    }
