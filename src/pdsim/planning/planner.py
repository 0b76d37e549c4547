"""`plan`: the smallest study that reaches a target."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import xarray as xr

from pdsim.errors import InputError, Problem
from pdsim.planning.designs import grid_of
from pdsim.planning.first_look import FirstLook, first_look
from pdsim.planning.pilot import from_pilot
from pdsim.planning.plan_parts import answers_of
from pdsim.planning.plan_presets import preset_of
from pdsim.planning.plan_settings import (
    PlanSettings,
    Stated,
    as_mapping,
    check,
    read_plan,
    stands_in,
    stated_scenario,
)
from pdsim.planning.question import DrawFor, Question, Tell, quiet
from pdsim.planning.runs import workers_map
from pdsim.planning.sizes import Costs
from pdsim.planning.target import parse_target
from pdsim.planning.uncertain import Range, check_ranges, from_priors, from_ranges
from pdsim.priors import Priors
from pdsim.provenance import stamp
from pdsim.settings import from_mapping, to_mapping
from pdsim.simulation import Scenario


def plan(
    scenario: Scenario,
    *,
    target: str = "pcs_top >= 0.8",
    over: str = "trials",
    low: int | None = None,
    high: int | None = None,
    precision: float = 0.1,
    ranges: Mapping[str, tuple[Any, Any]] | None = None,
    sensitivity: bool = True,
    assurance: str = "",
    design_priors: Priors | None = None,
    pilot: xr.DataTree | None = None,
    costs: Costs | None = None,
    budget: float | None = None,
    grid: Mapping[str, Sequence[int]] | None = None,
    stand_in: int = 100,
    seed: int = 1,
    most: int = 1_000_000,
    workers: int = 1,
    progress: Tell | None = None,
) -> xr.DataTree:
    """Find the smallest or cheapest study that reaches a target.

    Parameters
    ----------
    scenario : Scenario
        What is assumed; its rule and its engine are those of the planned analysis.
    target : str
        A bound on a performance measure: ``pcs_top >= 0.8``, ``regret_top <= 1``, ...
    pilot : DataTree, optional
        A fit of a pilot study, see `pdsim.fit`.
    workers : int
        Processes, for rules that need a posterior; numbers do not depend on it. A script that
        asks for several must keep its work under ``if __name__ == "__main__":``.
    progress : callable, optional
        Called with (stage, replicates so far, about how many it will take or 0).
    over, low, high, precision, ranges, sensitivity, assurance, design_priors, costs, budget, \
grid, stand_in, seed, most
        As in `pdsim.planning.PlanSettings`.

    Returns
    -------
    DataTree
        The parts of `pdsim.planning.plan_parts.answers_of`, and ``assumptions``: over
        ``setting`` its ``source``, and what it is ``instead`` of. Attributes ``headline`` (which
        of ``answer`` and ``assurance`` to quote), ``status``, ``configuration``, ``replicates``.

    Raises
    ------
    InputError
        With every problem of the settings, before anything is simulated.

    Examples
    --------
    >>> lead = Scenario(kind="normal", means=(0.5,) * 3 + (0.0,) * 7)
    >>> tree = plan(lead, target="pcs_top >= 0.95", precision=0.05, seed=1)
    >>> bool(tree["answer"].n_low <= 59.4 <= tree["answer"].n_high)  # Bechhofer: 60 trials
    True
    """
    stated = {
        "target": target,
        "over": over,
        "low": low,
        "high": high,
        "precision": precision,
        "scenario": _stated(scenario),
        "ranges": ranges,
        "sensitivity": sensitivity,
        "assurance": assurance,
        "design_priors": None if design_priors is None else to_mapping(design_priors),
        "costs": None if costs is None else to_mapping(costs),
        "budget": budget,
        "grid": grid,
        "stand_in": stand_in,
        "seed": seed,
        "most": most,
    }
    settings = from_mapping(PlanSettings, {k: v for k, v in stated.items() if v is not None})
    return run_plan(settings, pilot=pilot, workers=workers, progress=progress)


def _stated(scenario: Scenario) -> dict[str, Any]:
    """Return the settings that differ from the defaults, which are somebody's statement."""
    plain = Scenario()
    differ = {
        field.name
        for field in fields(scenario)
        if getattr(scenario, field.name) != getattr(plain, field.name)
    }
    return {name: value for name, value in to_mapping(scenario).items() if name in differ}


def plan_file(
    path: str | Path,
    *,
    pilot: xr.DataTree | None = None,
    workers: int = 1,
    progress: Tell | None = None,
) -> xr.DataTree:
    """Plan as plan.toml says; see `plan`.

    Parameters
    ----------
    path : str or Path
        The keys are those of `pdsim.planning.PlanSettings`.
    pilot : DataTree, optional
        A fit of a pilot study, which fills the scenario; the assurance is drawn from it.
    workers : int
    progress : callable, optional

    Raises
    ------
    InputError
    """
    settings = read_plan(path, pilot=pilot)
    return run_plan(settings, pilot=pilot, workers=workers, progress=progress)


def look_at_plan(path: str | Path, *, pilot: xr.DataTree | None = None) -> FirstLook:
    """Return the first answer to plan.toml, by normal theory; see `first_look`.

    Parameters
    ----------
    path : str or Path
    pilot : DataTree, optional

    Raises
    ------
    InputError
    """
    settings = read_plan(path, pilot=pilot)
    stated = stated_scenario(settings, pilot)
    ranges = _ranges(settings, stated)
    question = _question(settings, stated.scenario)
    averaged = bool(settings.assurance) or pilot is not None
    designs = len(grid_of(stated.scenario, settings.grid)) if settings.over == "cost" else 1
    return first_look(
        question,
        settings.costs,
        settings.budget,
        searches=designs + averaged,
        ranges=len(ranges) if settings.sensitivity else 0,
        compared=settings.stand_in if stands_in(stated.scenario, question.target.measure) else 0,
    )


def run_plan(
    settings: PlanSettings,
    *,
    pilot: xr.DataTree | None = None,
    workers: int = 1,
    progress: Tell | None = None,
) -> xr.DataTree:
    """Plan from settings; see `plan`."""
    if pilot is not None and not settings.assurance:
        settings = replace(settings, assurance="pilot")
    check(settings, pilot)
    stated = stated_scenario(settings, pilot)
    ranges = _ranges(settings, stated)
    if workers < 1:
        raise InputError(Problem(rule=f"workers must be 1 or more, got {workers}"))
    draw_for = _draws(settings, ranges, pilot)
    with workers_map(workers, extensions=stated.scenario.extensions) as apply:
        question = replace(
            _question(settings, stated.scenario),
            apply=apply,
            workers=workers,
            tell=progress or quiet,
        )
        parts = answers_of(settings, question, ranges, draw_for)
    spent = sum(int(part["replicates"].sum()) for part in parts.values() if "replicates" in part)
    spent += sum(int(part.attrs.get("replicates", 0)) for part in parts.values())
    given = {name: [ends.low, ends.high] for name, ends in ranges.items()}
    configuration = as_mapping(settings, stated.scenario) | {"ranges": given}
    root = stamp(xr.Dataset(), configuration=configuration).assign_attrs(
        name=settings.name,
        target=str(question.target),
        over=settings.over,
        status=parts["answer"].attrs["status"],
        assurance=settings.assurance,
        headline="assurance" if settings.assurance in ("pilot", "priors") else "answer",
        source=preset_of(settings.preset).source if settings.preset else "",
        seed=settings.seed,
        replicates=spent,
    )
    parts["assumptions"] = _assumptions(stated, settings)
    return xr.DataTree.from_dict({"/": root, **parts})


def _question(settings: PlanSettings, scenario: Scenario) -> Question:
    low, high = settings.range
    return Question(
        scenario=scenario,
        target=parse_target(settings.target),
        over="trials" if settings.over == "cost" else settings.over,
        low=low,
        high=high,
        precision=settings.precision,
        most=settings.most,
        seed=settings.seed,
    )


def _assumptions(stated: Stated, settings: PlanSettings) -> xr.Dataset:
    """Return where every number of the scenario, the costs and the design priors comes from."""
    source = dict(stated.source)
    for part in ("costs", "design_priors"):
        given = getattr(settings, part)
        for field in () if given is None else fields(given):
            same = getattr(given, field.name) == field.default
            source[f"{part}.{field.name}"] = "default" if same else "you"
    names = list(source)
    return xr.Dataset(
        {
            "source": ("setting", [source[name] for name in names]),
            "instead": ("setting", [str(stated.instead.get(name, "")) for name in names]),
        },
        coords={"setting": names},
    )


def _ranges(settings: PlanSettings, stated: Stated) -> dict[str, Range]:
    """Check what a scenario allows, and return the ranges."""
    given = dict(settings.ranges)
    if not given and settings.preset:
        defaults = preset_of(settings.preset).ranges
        given = {name: ends for name, ends in defaults.items() if name not in settings.planned}
    problems: list[Problem] = []
    ranges: dict[str, Range] = {}
    try:
        ranges = check_ranges(stated.scenario, given)
    except InputError as error:
        problems += error.problems
    try:
        grid_of(stated.scenario, settings.grid)
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(problems)
    return ranges


def _draws(
    settings: PlanSettings, ranges: Mapping[str, Range], pilot: xr.DataTree | None
) -> DrawFor | None:
    if settings.assurance == "ranges":
        fixed = from_ranges(ranges, seed=settings.seed)
        return lambda scenario: fixed
    if settings.assurance == "priors":
        return lambda scenario: from_priors(scenario, settings.design_priors, seed=settings.seed)
    if pilot is not None and settings.assurance == "pilot":
        return lambda scenario: from_pilot(scenario, pilot, seed=settings.seed)
    return None
