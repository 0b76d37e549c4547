"""`plan`: the smallest study that reaches a target."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr

from pdsim.errors import InputError, Problem
from pdsim.planning.designs import design_table, frontier, grid_of, race
from pdsim.planning.parameters import (
    Range,
    check_ranges,
    drawn,
    from_pilot,
    from_priors,
    from_ranges,
)
from pdsim.planning.presets import preset_of
from pdsim.planning.question import (
    DrawFor,
    Question,
    Tell,
    answer,
    quiet,
    replicates_per_row,
)
from pdsim.planning.results import root_dataset, value_at
from pdsim.planning.runs import workers_map
from pdsim.planning.sensitivity import tornado
from pdsim.planning.settings import PlanSettings, as_mapping, check, read_plan
from pdsim.planning.sizes import Costs, mean_trials, resize
from pdsim.planning.solve import Root
from pdsim.planning.start import signal_of
from pdsim.planning.target import parse_target
from pdsim.priors import Priors
from pdsim.provenance import stamp
from pdsim.settings import from_mapping, to_mapping
from pdsim.simulation import Scenario

_CONDITIONAL: Final = 1
_ASSURANCE: Final = 2


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
        A bound on a performance measure: ``pcs_top >= 0.8``, ``overlap_top >= 0.9``,
        ``regret_top <= 1``, ``width <= 10``, ``pcs_both >= 0.7``, ...
    over : {"trials", "facilities", "indicators", "rounds", "cost"}
        What is made as small as possible: cases per cell and period; facilities; indicators;
        rounds of `scenario.trials` cases each; or the cost of the designs in `grid`.
    low, high : int, optional
        Range that is searched.
    precision : float
        The interval is to lie within this share of n: 0.1 for +-10 %.
    ranges : mapping of str to (low, high), optional
        Plausible ranges of assumptions, by the names of the scenario's settings.
    sensitivity : bool
        Whether to plan again at both ends of every range.
    assurance : {"", "ranges", "priors", "pilot"}
        Also average over parameters drawn evenly from `ranges`, from `design_priors`, or from
        the posterior of `pilot`.
    design_priors : Priors, optional
    pilot : DataTree, optional
        A fit of a pilot study, see `pdsim.fit`.
    costs : pdsim.planning.Costs, optional
    budget : float, optional
        Also find the best design that it pays for; default: the cost of the answer.
    grid : mapping of str to sequence of int, optional
        ``facilities`` and ``indicators`` of the designs that are compared by cost.
    seed : int
    most : int
        Replicates after which a search gives up.
    workers : int
        Processes, for rules that need a posterior; numbers do not depend on it. A script that
        asks for several must keep its work under ``if __name__ == "__main__":``.
    progress : callable, optional
        Called with (stage, replicates so far, 0).

    Returns
    -------
    DataTree
        ``answer``: n with its interval and the curve, for the scenario as stated (see
        `pdsim.planning.root_dataset`), and ``cost``, ``cases``, ``reliability`` at n.
        ``assurance``: the same, averaged over the draws, and ``at_n`` with ``at_n_low`` and
        ``at_n_high``, the average at the answer's n, and over ``parameter`` what was drawn:
        ``drawn_low``, ``drawn_median``, ``drawn_high``. ``sensitivity``, ``designs``, ``frontier``
        where asked for. Attributes ``target``, ``over``, ``status``, ``seed``, ``configuration``
        (with the whole scenario), ``replicates`` (spent in all) and versions.

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
        "scenario": to_mapping(scenario),
        "ranges": ranges,
        "sensitivity": sensitivity,
        "assurance": assurance,
        "design_priors": None if design_priors is None else to_mapping(design_priors),
        "costs": None if costs is None else to_mapping(costs),
        "budget": budget,
        "grid": grid,
        "seed": seed,
        "most": most,
    }
    settings = from_mapping(PlanSettings, {k: v for k, v in stated.items() if v is not None})
    return run_plan(settings, pilot=pilot, workers=workers, progress=progress)


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
        A fit of a pilot study; the assurance is then drawn from it.
    workers : int
    progress : callable, optional

    Raises
    ------
    InputError
    """
    return run_plan(read_plan(path), pilot=pilot, workers=workers, progress=progress)


def run_plan(
    settings: PlanSettings,
    *,
    pilot: xr.DataTree | None = None,
    workers: int = 1,
    progress: Tell | None = None,
) -> xr.DataTree:
    """Plan from settings; see `plan`."""
    if pilot is not None and settings.assurance in ("", "pilot"):
        settings = replace(settings, assurance="pilot")
    ranges = _check(settings, pilot)
    scenario = settings.base()
    if workers < 1:
        raise InputError(Problem(rule=f"workers must be 1 or more, got {workers}"))
    draw_for = _draws(settings, ranges, pilot)
    low, high = settings.range
    with workers_map(workers if scenario.needs_posterior else 1) as apply:
        question = Question(
            scenario=scenario,
            target=parse_target(settings.target),
            over="trials" if settings.over == "cost" else settings.over,
            low=low,
            high=high,
            precision=settings.precision,
            most=settings.most,
            seed=settings.seed,
            apply=apply,
            workers=workers if scenario.needs_posterior else 1,
            tell=progress or quiet,
        )
        parts = _parts(settings, question, ranges, draw_for)
    spent = sum(int(part["replicates"].sum()) for part in parts.values() if "replicates" in part)
    stated = {name: [ends.low, ends.high] for name, ends in ranges.items()}
    configuration = as_mapping(settings) | {"ranges": stated}
    root = stamp(xr.Dataset(), configuration=configuration).assign_attrs(
        name=settings.name,
        target=str(question.target),
        over=settings.over,
        status=parts["answer"].attrs["status"],
        assurance=settings.assurance,
        source=preset_of(settings.preset).source if settings.preset else "",
        seed=settings.seed,
        replicates=spent + int(parts["frontier"].attrs["replicates"] if "frontier" in parts else 0),
    )
    return xr.DataTree.from_dict({"/": root, **parts})


def _check(settings: PlanSettings, pilot: xr.DataTree | None) -> dict[str, Range]:
    """Check everything, and return the ranges."""
    problems: list[Problem] = []
    try:
        check(settings)
    except InputError as error:
        problems += error.problems
    if (settings.assurance == "pilot") != (pilot is not None):
        problems.append(
            Problem(
                rule="assurance from a pilot needs its fit, and a fit needs assurance = 'pilot'",
                cure="give both or neither",
            )
        )
    if problems:
        raise InputError(problems)
    stated = dict(settings.ranges)
    if not stated and settings.preset:
        defaults = preset_of(settings.preset).ranges
        stated = {name: ends for name, ends in defaults.items() if name not in settings.planned}
    scenario = settings.base()
    ranges: dict[str, Range] = {}
    try:
        ranges = check_ranges(scenario, stated)
    except InputError as error:
        problems += error.problems
    if settings.over == "cost":
        try:
            grid_of(scenario, settings.grid)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return ranges


def _draws(
    settings: PlanSettings, ranges: Mapping[str, Range], pilot: xr.DataTree | None
) -> DrawFor | None:
    match settings.assurance:
        case "ranges":
            fixed = from_ranges(ranges, seed=settings.seed)
            return lambda scenario: fixed
        case "priors":
            return lambda scenario: from_priors(
                scenario, settings.design_priors, seed=settings.seed
            )
        case "pilot" if pilot is not None:
            return lambda scenario: from_pilot(scenario, pilot, seed=settings.seed)
    return None


def _parts(
    settings: PlanSettings,
    question: Question,
    ranges: Mapping[str, Range],
    draw_for: DrawFor | None,
) -> dict[str, xr.Dataset]:
    parts: dict[str, xr.Dataset] = {}
    costs = settings.costs
    if settings.over == "cost" and costs is not None:
        raced = race(question, grid_of(question.scenario, settings.grid), costs)
        parts["designs"] = design_table(raced, costs)
        chosen = raced.cheapest or 0
        root = raced.roots[chosen]
        question = replace(question, scenario=raced.scenarios[chosen])
    else:
        root = answer(question, stream=_CONDITIONAL, stage="the scenario as stated")
    parts["answer"] = _answer_dataset(question, root, costs)
    n = float(parts["answer"]["n"])
    if draw_for is not None:
        averaged = answer(
            question,
            stream=_ASSURANCE,
            stage="averaged over uncertain parameters",
            draw_for=draw_for,
            start=root.crossing.n if np.isfinite(root.crossing.n) else None,
            also=(int(n),) if np.isfinite(n) else (),
        )
        rows = replicates_per_row(question.scenario, draw_for)
        dataset = _answer_dataset(question, averaged, costs, replicates_per_row=rows)
        at_n = value_at(averaged, n) if np.isfinite(n) else (np.nan, np.nan, np.nan)
        names = ("at_n", "at_n_low", "at_n_high")
        dataset = dataset.assign(dict(zip(names, at_n, strict=True)))
        parts["assurance"] = dataset.merge(drawn(draw_for(question.scenario)))
    if ranges and settings.sensitivity and np.isfinite(root.crossing.n):
        parts["sensitivity"] = tornado(question, ranges, found=root.crossing)
    budget = settings.budget
    if budget is None and costs is not None and np.isfinite(n):
        budget = float(parts["answer"]["cost"])
    if costs is not None and budget is not None:
        designs = grid_of(settings.base(), settings.grid)
        parts["frontier"] = frontier(question, designs, costs, budget=budget)
    return parts


def _answer_dataset(
    question: Question, root: Root, costs: Costs | None, *, replicates_per_row: int = 1
) -> xr.Dataset:
    """Return the answer with what the study at n amounts to."""
    dataset = root_dataset(
        root,
        measure=question.target.measure,
        over=question.over,
        replicates_per_row=replicates_per_row,
    )
    n = float(dataset["n"])
    nothing = {"cost": np.nan, "cases": np.nan, "reliability": np.nan}
    if not np.isfinite(n):
        return dataset.assign(nothing)
    sized = resize(question.scenario, question.over, int(n))
    rounds = int(n) if question.over == "rounds" else None
    periods = 1 if sized.kind == "normal" else 2
    trials = mean_trials(sized)
    return dataset.assign(
        cost=np.nan if costs is None else costs.of(sized, rounds=rounds),
        cases=trials * sized.facilities * periods,
        reliability=signal_of(sized, seed=question.seed).reliability(trials),
    )
