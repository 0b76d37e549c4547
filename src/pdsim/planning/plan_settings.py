"""Settings of a plan, as written in plan.toml."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import xarray as xr

from pdsim.errors import InputError, Problem
from pdsim.planning.pilot import scenario_of_pilot
from pdsim.planning.plan_presets import preset_of
from pdsim.planning.sizes import GRID, OVER, Costs
from pdsim.planning.target import parse_target
from pdsim.planning.uncertain import DrawnFrom
from pdsim.priors import Priors
from pdsim.settings import FORBID_EXTRA, from_mapping, read_toml, to_mapping
from pdsim.simulation import Scenario

ANALYSED_RULE: Final = "p_top"
"""The rule by which `pdsim.analyse` names facilities."""

CRITERIA_MET: Final = "criteria_met"
"""The measure of who is named by criteria, whatever the rule."""

_PRIORS: Final = Priors()
_ALWAYS: Final = ("facilities", "indicators", "domains", "m")
"""Named as the preset's even where they equal a default."""

_LISTED: Final = {
    "indicators": (
        "baseline_level", "improvement", "weights", "target_weights", "sd_baseline_indicator",
        "sd_change_indicator", "corr_indicator",
    ),
    "facilities": ("trials",),
}  # fmt: skip
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
        Scenario to start from, see `pdsim.planning.PRESETS`; a pilot takes its place.
    scenario : dict
        Settings of the scenario, on top of those of the preset or the pilot.
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
        What there is to spend: the answer then says first whether it is enough.
    grid : dict of str to tuple of int
        Facilities, indicators and cases per visit of the designs that are compared.
    stand_in : int
        Studies in which a rule that stands in for that of `pdsim.analyse` is compared with it;
        0 for none.
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
    assurance: DrawnFrom = ""
    design_priors: Priors = _PRIORS
    costs: Costs | None = None
    budget: float | None = None
    grid: dict[str, tuple[int, ...]] = field(default_factory=dict)
    stand_in: int = 100
    seed: int = 1
    most: int = 1_000_000

    @property
    def range(self) -> tuple[int, int]:
        """Smallest and largest size that is searched."""
        low, high = _DEFAULT_RANGE.get(self.over, _DEFAULT_RANGE["trials"])
        return (
            low if self.low is None else self.low,
            high if self.high is None else self.high,
        )

    @property
    def planned(self) -> set[str]:
        """Names of the settings that the plan finds out."""
        return {"trials", *self.grid} if self.over == "cost" else {self.over}


def stands_in(scenario: Scenario, measure: str) -> bool:
    """Return whether another rule than that of the analysis decides what is planned for."""
    by_rule = scenario.kind == "counts" and measure != CRITERIA_MET
    return by_rule and scenario.rule != ANALYSED_RULE


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """The scenario that is planned for, and where each of its numbers comes from.

    Attributes
    ----------
    scenario : Scenario
    source : mapping of str to str
        For every setting: ``you``, ``pilot``, ``preset`` or ``default``.
    instead : mapping of str to object
        What the pilot or the preset says of the settings that plan.toml overrides.
    """

    scenario: Scenario
    source: Mapping[str, str]
    instead: Mapping[str, Any]


def stated_scenario(settings: PlanSettings, pilot: xr.DataTree | None = None) -> Stated:
    """Return the scenario of a plan with the source of every number.

    Parameters
    ----------
    settings : PlanSettings
    pilot : DataTree, optional
        A fit of a pilot study, which then fills whatever `settings` leave open.

    Raises
    ------
    InputError
        With every unknown or impossible setting.

    Examples
    --------
    >>> stated = stated_scenario(PlanSettings(preset="like_founding", scenario={"m": 2}))
    >>> stated.source["m"], stated.source["improvement"], stated.source["missing"]
    ('you', 'preset', 'default')
    >>> stated.instead["m"]
    3
    """
    filled: dict[str, Any] = {}
    word = "pilot" if pilot is not None else "preset"
    if pilot is not None:
        filled = scenario_of_pilot(pilot)
    elif settings.preset:
        filled = to_mapping(preset_of(settings.preset).scenario)
    start = _without_conflicts(filled, settings.scenario)
    scenario = from_mapping(Scenario, start | settings.scenario)
    plain = Scenario()
    source, instead = {}, {}
    for one in fields(Scenario):
        name = one.name
        if name in settings.scenario:
            source[name] = "you"
            if name in start and getattr(scenario, name) != _as_field(name, start[name]):
                instead[name] = start[name]
        elif name in start and (
            word == "pilot" or start[name] != getattr(plain, name) or name in _ALWAYS
        ):
            source[name] = word
        else:
            source[name] = "default"
    return Stated(scenario=scenario, source=source, instead=instead)


def _as_field(name: str, value: Any) -> Any:
    """Return a value as the scenario holds it, for a comparison."""
    if isinstance(value, list):
        return tuple(_as_field(name, item) for item in value)
    return from_mapping(Priors, value) if name == "priors" and isinstance(value, dict) else value


def _without_conflicts(filled: Mapping[str, Any], stated: Mapping[str, Any]) -> dict[str, Any]:
    """Drop what has one value for each indicator or facility where their number is overridden."""
    kept = dict(filled)
    for count, names in _LISTED.items():
        if stated.get(count, filled.get(count)) == filled.get(count):
            continue
        for name in names:
            value = kept.get(name)
            if isinstance(value, tuple | list) and name not in stated:
                # the mean stands for indicators that the filled scenario does not know
                kept[name] = float(np.mean(value))
    if stated.get("weighting", "given") != "given":
        kept.pop("weights", None)
    if not isinstance(kept.get("weights", ()), tuple | list):
        kept |= {"weights": None, "weighting": "equal"}
    if "indicators" in stated and "domains" not in stated and "domains" in kept:
        indicators = stated["indicators"]
        if isinstance(indicators, int):
            kept["domains"] = min(kept["domains"], max(1, indicators))
    return {name: value for name, value in kept.items() if value is not None}


def read_plan(path: str | Path, *, pilot: xr.DataTree | None = None) -> PlanSettings:
    """Read plan.toml; unknown keys and values of a wrong type are errors, all named at once.

    Parameters
    ----------
    path : str or Path
    pilot : DataTree, optional
        See `stated_scenario`.

    Raises
    ------
    InputError
    """
    path = Path(path)
    mapping = read_toml(path)
    problems: list[Problem] = []
    try:
        settings = from_mapping(PlanSettings, mapping, file=path.name)
    except InputError as error:
        problems += error.problems
        # what can be read is checked all the same, so that every problem is named
        settings = from_mapping(
            PlanSettings, {key: value for key, value in mapping.items() if _readable(key, value)}
        )
    try:
        check(settings, pilot)
    except InputError as error:
        problems += error.problems
    problems += _without_source(settings, pilot)
    if problems:
        named = (replace(one, file=one.file or path.name) for one in problems)
        raise InputError(list(dict.fromkeys(named)))
    return settings


def _readable(key: str, value: Any) -> bool:
    try:
        from_mapping(PlanSettings, {key: value})
    except InputError:
        return False
    return True


def _without_source(settings: PlanSettings, pilot: xr.DataTree | None) -> list[Problem]:
    """Refuse a scenario whose size nobody has stated."""
    if settings.preset or pilot is not None:
        return []
    stated = settings.scenario.keys() | settings.planned
    if settings.scenario.get("kind") == "normal":
        wanted = [] if "means" in stated or "facilities" in stated else ["facilities"]
    else:
        wanted = [name for name in ("facilities", "indicators") if name not in stated]
    return [
        Problem(
            rule=f"scenario: nothing says what {name} is, and the default may have nothing to do "
            "with your study",
            cure=f"state {name} under [scenario], or start from a preset or --pilot",
        )
        for name in wanted
    ]


def check(settings: PlanSettings, pilot: xr.DataTree | None = None) -> None:
    """Check all that can be checked before anything is simulated.

    Raises
    ------
    InputError
    """
    problems = [Problem(rule=rule, cure=cure) for rule, cure in _broken_rules(settings)]
    for part in (
        lambda: parse_target(settings.target),
        lambda: stated_scenario(settings, pilot),
    ):
        try:
            part()
        except InputError as error:
            problems += error.problems
    if not problems:
        problems += _without_criteria(settings, stated_scenario(settings, pilot).scenario)
    problems += [
        Problem(rule=f"{name} is planned, so it cannot have a range", cure="remove it")
        for name in sorted(settings.planned & settings.ranges.keys())
    ]
    if pilot is not None and settings.preset:
        problems.append(
            Problem(
                rule="a preset and a pilot both fill the scenario", cure="leave one of them out"
            )
        )
    if settings.assurance == "pilot" and pilot is None:
        problems.append(
            Problem(rule="assurance from a pilot needs its fit", cure="give the fit of the pilot")
        )
    if problems:
        raise InputError(list(dict.fromkeys(problems)))


def _without_criteria(settings: PlanSettings, scenario: Scenario) -> list[Problem]:
    """Refuse a target on criteria where there are none, or no posterior to judge them by."""
    if parse_target(settings.target).measure != CRITERIA_MET:
        return []
    problems: list[Problem] = []
    if not scenario.criteria:
        cure = 'state them under [scenario], like criteria = ["top(change, 3)", "endline >= 60"]'
        problems.append(Problem(rule=f"target: {CRITERIA_MET} needs criteria", cure=cure))
    if not scenario.needs_posterior:
        problems.append(
            Problem(
                rule=f"target: by the rule {scenario.rule!r} nobody can say how probable it is "
                "that a facility meets criteria",
                cure=f'set rule = "{ANALYSED_RULE}" under [scenario], the rule of the analysis',
            )
        )
    return problems


def _broken_rules(settings: PlanSettings) -> Iterator[tuple[str, str]]:
    if settings.over not in OVER:
        close = get_close_matches(settings.over, OVER, n=1)
        cure = f"perhaps {close[0]!r} was meant" if close else f"use one of {', '.join(OVER)}"
        yield f"over is {settings.over!r}", cure
    if not 0.005 <= settings.precision <= 1:
        yield f"precision must lie between 0.005 and 1, got {settings.precision:g}", "try 0.1"
    if settings.seed < 0:
        yield f"seed must be 0 or more, got {settings.seed}", "use a whole number"
    if settings.stand_in < 0 or settings.stand_in == 1:
        yield f"stand_in must be 0, or 2 or more, got {settings.stand_in}", "leave it out"
    if settings.over == "cost" and settings.costs is None:
        yield "over = 'cost' needs costs", "add a table [costs]"
    if settings.budget is not None and settings.costs is None:
        yield "a budget needs costs", "add a table [costs]"
    if settings.budget is not None and not settings.budget > 0:
        yield f"budget must be above 0, got {settings.budget:g}", "state what there is to spend"
    for name, values in settings.grid.items():
        if name not in GRID:
            close = get_close_matches(name, GRID, n=1)
            cure = f"perhaps {close[0]!r} was meant" if close else f"use {', '.join(GRID)}"
            yield f"grid: there is no dimension {name!r}", cure
        elif not values or min(values) < 1 or len(set(values)) < len(values):
            yield f"grid: {name} must be different whole numbers from 1, got {values}", ""
    low, high = settings.range
    if not 1 <= low < high:
        yield f"need 1 <= low < high, got {low} and {high}", "correct low or high"


def as_mapping(settings: PlanSettings, scenario: Scenario) -> dict[str, Any]:
    """Return the settings with the whole scenario, for the attributes of a result."""
    whole = {f.name: getattr(scenario, f.name) for f in fields(scenario)}
    return {
        **to_mapping(settings),
        "scenario": to_mapping(scenario)
        | {key: value for key, value in whole.items() if value is not None and key != "priors"},
    }
