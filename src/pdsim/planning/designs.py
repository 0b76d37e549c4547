"""Designs that differ in several dimensions: the cheapest that reaches the target, the frontier."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import xarray as xr
from scipy.special import ndtri

from pdsim.conventions import CI_PROB
from pdsim.errors import InputError, Problem
from pdsim.planning.curve import fit_curve, from_link
from pdsim.planning.question import Question, estimates_at, searching
from pdsim.planning.root_search import Root
from pdsim.planning.sizes import GRID, Costs, periods_of, resize, visits_of, with_trials
from pdsim.simulation import Scenario

_STREAM_RACE: Final = 1_000
_STREAM_FRONTIER: Final = 2_000
_BUDGETS: Final = np.geomspace(0.35, 2.5, 8)
_REPLICATES: Final = {True: 150, False: 1_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Raced:
    """Designs after the race.

    Attributes
    ----------
    scenarios : tuple of Scenario
        One for each design; trials are those that were searched for, or the scenario's own.
    roots : tuple of Root
    dropped : tuple of bool
        Whether the search stopped because the design is surely dearer than the cheapest.
    cheapest : int or None
        Index of the cheapest design that reaches the target.
    """

    scenarios: tuple[Scenario, ...]
    roots: tuple[Root, ...]
    dropped: tuple[bool, ...]
    cheapest: int | None


def grid_of(scenario: Scenario, grid: Mapping[str, Sequence[int]]) -> tuple[Scenario, ...]:
    """Return the scenarios of all designs; a dimension that is absent keeps the scenario's own.

    Raises
    ------
    InputError
        With the problems of every design that cannot be.

    Examples
    --------
    >>> [s.facilities for s in grid_of(Scenario(), {"facilities": [10, 20]})]
    [10, 20]
    """
    names = [name for name in GRID if name in grid]
    found: list[Scenario] = []
    problems: list[Problem] = []
    for values in itertools.product(*(grid[name] for name in names)):
        try:
            sized = scenario
            for name, value in zip(names, values, strict=True):
                sized = resize(sized, name, value)
            found.append(sized)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(dict.fromkeys(problems))
    return tuple(found)


def race(question: Question, scenarios: Sequence[Scenario], costs: Costs) -> Raced:
    """Search the trials of every design, dropping those that are surely dearer than another.

    After the first look, the design whose cost could be lowest is refined first.
    """
    asked = [replace(question, scenario=scenario, over="trials") for scenario in scenarios]
    runs = [
        searching(each, stream=_STREAM_RACE + i, stage=f"design {i + 1} of {len(asked)}")
        for i, each in enumerate(asked)
    ]
    roots = [next(run) for run in runs]

    def cost(i: int, trials: float) -> float:
        if not np.isfinite(trials):
            return np.inf
        return costs.of(with_trials(scenarios[i], max(1.0, trials)))

    def lowest(i: int) -> float:
        if roots[i].status == "not_reachable":
            return np.inf
        return cost(i, max(roots[i].crossing.low, question.low))

    def highest(i: int) -> float:
        return cost(i, roots[i].crossing.high)

    dropped = [False] * len(runs)
    while True:
        best = min(highest(i) for i in range(len(runs)))
        waiting = [i for i, root in enumerate(roots) if root.status == "searching"]
        for i in waiting:
            dropped[i] = lowest(i) > best
        waiting = [i for i in waiting if not dropped[i]]
        if not waiting:
            break
        first = min(waiting, key=lowest)
        roots[first] = next(runs[first])
    reaching = [
        i for i, root in enumerate(roots) if root.status in ("found", "always_reached", "undecided")
        and root.n is not None and not dropped[i]
    ]  # fmt: skip
    cheapest = min(reaching, key=lambda i: cost(i, float(roots[i].n or 0)), default=None)
    return Raced(
        scenarios=tuple(scenarios), roots=tuple(roots), dropped=tuple(dropped), cheapest=cheapest
    )


def design_table(raced: Raced, costs: Costs) -> xr.Dataset:
    """Return the designs of a race, in the order of the grid.

    Returns
    -------
    Dataset
        Over ``design``: ``facilities``, ``indicators``, ``cases_per_visit`` (NaN: all on one
        visit), ``trials``, ``trials_low``, ``trials_high``, ``rounds``, ``cases`` (observed in
        all), ``cost``, ``cost_low``, ``cost_high``, ``ceiling``, ``replicates``, ``status``,
        ``cheapest`` (0 or 1). Costs and trials are NaN where no design of the kind reaches the
        target.
    """
    rows = []
    for i, (scenario, root) in enumerate(zip(raced.scenarios, raced.roots, strict=True)):
        n = np.nan if root.n is None or root.status == "not_reachable" else float(root.n)
        sized = with_trials(scenario, n) if np.isfinite(n) else None
        rows.append(
            {
                "facilities": scenario.facilities,
                "indicators": scenario.indicators,
                "cases_per_visit": _per_visit(scenario),
                "trials": n,
                "trials_low": root.crossing.low,
                "trials_high": root.crossing.high,
                "rounds": np.nan if sized is None else visits_of(sized),
                "cases": n * scenario.observed_facilities * periods_of(scenario),
                "cost": np.nan if sized is None else costs.of(sized),
                "cost_low": _cost(costs, scenario, root.crossing.low),
                "cost_high": _cost(costs, scenario, root.crossing.high),
                "ceiling": root.value[-1] if root.status == "not_reachable" else np.nan,
                "replicates": root.spent,
                "status": "dearer" if raced.dropped[i] else root.status,
                "cheapest": int(i == raced.cheapest),
            }
        )
    columns = {name: ("design", [row[name] for row in rows]) for name in rows[0]}
    return xr.Dataset(columns)


def _per_visit(scenario: Scenario) -> float:
    return np.nan if scenario.cases_per_visit is None else float(scenario.cases_per_visit)


def _cost(costs: Costs, scenario: Scenario, trials: float) -> float:
    if not np.isfinite(trials):
        return np.inf
    return costs.of(with_trials(scenario, max(1.0, trials)))


def frontier(
    question: Question,
    scenarios: Sequence[Scenario],
    costs: Costs,
    *,
    budget: float,
) -> xr.Dataset:
    """Return what each design reaches for some budgets, and which is best.

    Every design is simulated at the trials that each budget pays for; a curve through its points
    smooths them.

    Parameters
    ----------
    question : Question
    scenarios : sequence of Scenario
    costs : Costs
    budget : float
        The budgets lie around it, and it is one of them.

    Returns
    -------
    Dataset
        Over (``budget``, ``design``): ``trials`` (NaN where the budget pays for no case),
        ``value``, ``value_low``, ``value_high``, ``p_reached``; over ``budget``: ``best`` (design
        with the best value, -1 if none is affordable); over ``design``: ``facilities``,
        ``indicators``, ``cases_per_visit``. Attributes ``stated_budget``, ``replicates``.
    """
    target = question.target
    # what is spent before the first case is the same for every budget
    free = min(costs.of(with_trials(scenario, 1)) for scenario in scenarios)
    above = max(budget - free, 0.0)
    budgets = np.unique(np.append(free + above * _BUDGETS, budget))
    shape = (budgets.size, len(scenarios))
    trials = np.full(shape, np.nan)
    mean, sd = np.full(shape, np.nan), np.full(shape, np.nan)
    spent = 0
    for i, scenario in enumerate(scenarios):
        affordable = np.array([costs.affordable(scenario, float(b)) for b in budgets])
        sizes = np.unique(affordable[affordable > 0])
        if sizes.size == 0:
            continue
        asked = replace(question, scenario=scenario, over="trials")
        count = _REPLICATES[scenario.needs_posterior]
        question.tell(f"frontier, design {i + 1} of {len(scenarios)}", spent, 0)
        estimates = estimates_at(asked, sizes.tolist(), count, stream=_STREAM_FRONTIER + i)
        spent += count * sizes.size
        rows = affordable > 0
        trials[rows, i] = affordable[rows]
        value, error, used = map(np.array, zip(*estimates, strict=True))
        if sizes.size == 1:
            continue
        curve = fit_curve(sizes, value, error, used, link=target.link, low=float(sizes[0]))
        mean[rows, i], sd[rows, i] = curve.at(affordable[rows])
    half = ndtri(0.5 + CI_PROB / 2) * sd
    sign = 1.0 if target.at_least else -1.0
    score = np.where(np.isnan(mean), -np.inf, sign * mean)
    best = np.where(np.isfinite(score).any(axis=1), score.argmax(axis=1), -1)
    dims = ("budget", "design")
    return xr.Dataset(
        {
            "trials": (dims, trials),
            "value": (dims, from_link(mean, target.link)),
            "value_low": (dims, from_link(mean - half, target.link)),
            "value_high": (dims, from_link(mean + half, target.link)),
            "best": ("budget", best),
            "facilities": ("design", [scenario.facilities for scenario in scenarios]),
            "indicators": ("design", [scenario.indicators for scenario in scenarios]),
            "cases_per_visit": ("design", [_per_visit(scenario) for scenario in scenarios]),
        },
        coords={"budget": budgets},
        attrs={"stated_budget": budget, "replicates": spent},
    )
