"""Replicates of scenarios for the search: rows of measures, a control variate, worker processes.

A rule that needs a posterior costs a hundred times more than choosing by the most probable levels
of the same data, with the spreads of the scenario taken as known. The two choose the same
facilities in most replicates, so the measure of the cheap choice, whose mean many cheap replicates
give, is a control variate (Lavenberg and Welch 1981, doi 10.1287/mnsc.27.3.322): value - b (control
- mean of control), b by regression. The answer stays that of the rule itself.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pdsim.arraytypes import Floats
from pdsim.errors import InputError, Problem
from pdsim.planning.root_search import Estimate, Reduce, Run, mean_of
from pdsim.simulation import COLUMNS, MEASURES, Scenario, run_block, summarise
from pdsim.simulation.philox import Seed
from pdsim.terms.estimands import ESTIMANDS
from pdsim.terms.registry import check_portable, take_over

type Jobs = Callable[[int, range], Sequence[tuple[Scenario, range]]]
type ScenarioTask = tuple[Scenario, range]
type Map = Callable[[Callable[..., Floats], Sequence[tuple[object, ...]]], Sequence[Floats]]

CHEAP_RULE: Final = "observed_change"

CONTROL_RATIO: Final = 50
"""Cheap replicates beside each dear one: at their costs and their correlation about the best."""

_CONTROL_START: Final = 1_000_000_000
_CHUNKS: Final = 8
USABLE: Final = (1, 2)
"""Status of a replicate that counts."""

_FEWEST: Final = 2


def serial(
    function: Callable[..., Floats], arguments: Sequence[tuple[object, ...]]
) -> list[Floats]:
    """Call a function on each tuple of arguments, in this process."""
    with threadpool_limits(1):
        return [function(*each) for each in arguments]


@contextmanager
def workers_map(workers: int, *, extensions: tuple[str, ...] = ()) -> Iterator[Map]:
    """Give a map over `workers` processes; with one, over none but this.

    Results do not depend on the number of workers. `extensions` are those of the scenario.
    """
    if workers == 1:
        yield serial
        return
    # a forked child would keep locks of threads that it does not have
    context = multiprocessing.get_context("spawn")
    check_portable(extensions)
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_prepare, initargs=extensions
    ) as pool:

        def spread(
            function: Callable[..., Floats], arguments: Sequence[tuple[object, ...]]
        ) -> list[Floats]:
            return list(pool.map(function, *zip(*arguments, strict=True)))

        yield spread


def _prepare(*extensions: str) -> None:
    threadpool_limits(1)
    for text in extensions:
        take_over(text)


def measure_rows(
    jobs: Jobs,
    measure: str,
    *,
    seed: Seed,
    apply: Map = serial,
    workers: int = 1,
    control: bool = False,
    cluster: int = 1,
) -> Run:
    """Return the function that simulates rows of a measure at a size.

    Parameters
    ----------
    jobs : callable
        ``jobs(size, replicates)`` returns scenarios with the replicate numbers to run of each.
    measure : str
        A performance measure. One that is a mean over replicates gives rows (replicate,), others
        rows (replicate, measure) of all measures.
    seed : int or tuple of int
    apply : callable
        From `workers_map`.
    workers : int
        Of `apply`.
    control : bool
        Add a column with the same measure under `control_of`.
    cluster : int
        Replicates of one row, which share a draw of the parameters: they are not independent, so
        a row is their mean.
    """

    def run(size: int, replicates: range) -> Floats:
        pieces = _split(jobs(size, replicates), 1 if workers == 1 else workers * _CHUNKS)
        rows = np.concatenate(apply(_rows, [(piece, measure, seed, control) for piece in pieces]))
        return rows if cluster == 1 else _averaged(rows, cluster)

    return run


def _averaged(rows: Floats, cluster: int) -> Floats:
    """Return the means of the usable rows of each cluster; NaN where there is none."""
    parts = rows.reshape(rows.shape[0] // cluster, cluster, *rows.shape[1:])
    usable = ~np.isnan(parts)
    count = usable.sum(axis=1)
    total = np.where(usable, parts, 0.0).sum(axis=1)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _split(tasks: Sequence[ScenarioTask], pieces: int) -> list[list[ScenarioTask]]:
    """Return the tasks in about so many pieces, in order."""
    total = sum(len(numbers) for _, numbers in tasks)
    size = max(1, -(-total // pieces))
    found: list[list[ScenarioTask]] = [[]]
    room = size
    for scenario, numbers in tasks:
        rest = numbers
        while len(rest):
            found[-1].append((scenario, rest[:room]))
            taken = min(room, len(rest))
            rest, room = rest[taken:], room - taken
            if room == 0:
                found.append([])
                room = size
    return [piece for piece in found if piece]


def _rows(tasks: Sequence[ScenarioTask], measure: str, seed: Seed, control: bool) -> Floats:
    parts = []
    for scenario, numbers in tasks:
        scenarios = [scenario, control_of(scenario)] if control else [scenario]
        block = run_block(scenarios, numbers, seed=seed)
        usable = np.isin(block.status, USABLE)
        measures = np.where(usable[:, :, None], block.measures, np.nan)
        if MEASURES[measure].is_mean:
            column = measures[:, :, COLUMNS.index(MEASURES[measure].columns[0])]
            parts.append(column.T if control else column[0])
        else:
            parts.append(measures[0])
    return np.concatenate(parts)


def reduce_rows(measure: str) -> Reduce:
    """Return the function that turns the rows of one size into an estimate."""

    def reduce(size: int, rows: Floats) -> Estimate:
        if rows.ndim == 1:
            few = np.count_nonzero(~np.isnan(rows)) < _FEWEST
            return Estimate(np.nan, np.nan, 0) if few else mean_of(size, rows)
        usable = ~np.isnan(rows[:, 0])
        summary = summarise(rows, usable.astype(np.uint8))
        value, error = float(summary[measure]), float(summary[f"{measure}_mcse"])
        return Estimate(value, error, int(usable.sum()))

    return _stated(reduce, measure)


def reduce_with_control(measure: str, cheap: Run) -> Reduce:
    """Return the function that adjusts the measure (column 0) by its control (column 1).

    Parameters
    ----------
    measure : str
    cheap : callable
        Gives rows of the control alone, for its mean.
    """
    known: dict[int, list[Floats]] = {}
    moments: dict[int, tuple[float, float]] = {}
    # numbers are used once, as replicates of one number share their truth at every size
    following = _CONTROL_START

    def reduce(size: int, rows: Floats) -> Estimate:
        nonlocal following
        value, control = rows[~np.isnan(rows).any(axis=1)].T
        count = value.size
        if count < _FEWEST:
            return Estimate(np.nan, np.nan, count)
        have = sum(part.size for part in known.setdefault(size, []))
        if have < CONTROL_RATIO * count:
            more = range(following, following + CONTROL_RATIO * count - have)
            known[size].append(cheap(size, more))
            following = more.stop
        mean = mean_of(size, np.concatenate(known[size]))
        apart = control - control.mean()
        moments[size] = float(apart @ (value - value.mean())), float(apart @ apart)
        # pooled over sizes, since a slope of few replicates is noise
        top, bottom = np.sum(list(moments.values()), axis=0)
        slope = top / bottom if bottom > 0 else 0.0
        adjusted = value - slope * (control - mean.value)
        error = np.hypot(adjusted.std(ddof=1) / np.sqrt(count), slope * mean.error)
        return Estimate(float(adjusted.mean()), float(error), count)

    return _stated(reduce, measure)


def _stated(reduce: Reduce, measure: str) -> Reduce:
    """Say so when a rule states no such measure."""

    def checked(size: int, rows: Floats) -> Estimate:
        found = reduce(size, rows)
        if found.replicates < _FEWEST or np.isnan(found.value):
            raise InputError(
                Problem(
                    rule=f"at size {size} no replicate gives {measure}",
                    cure="choose a rule that states it, such as p_top, or another target",
                )
            )
        return found

    return checked


def control_of(scenario: Scenario) -> Scenario:
    """Return the scenario whose measures are the control of those of `scenario`.

    The same analysis with known spreads; where that does not exist (normal data, the endline
    expected from the baseline, no posterior), the rule that needs no posterior.
    """
    net = ESTIMANDS[scenario.estimand].net
    if not scenario.needs_posterior or scenario.kind == "normal" or net:
        return replace(scenario, rule=CHEAP_RULE)
    return replace(scenario, engine="known", criteria=())


def has_control(scenario: Scenario, measure: str) -> bool:
    """Whether a control variate exists: a dear rule, and a mean that the cheap rule states too."""
    dear = scenario.needs_posterior and scenario.engine != "known"
    return dear and MEASURES[measure].control
