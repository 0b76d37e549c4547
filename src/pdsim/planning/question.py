"""One question to the search: a scenario, a target and a size, with everything it runs on."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pdsim.errors import InputError
from pdsim.planning.root_search import Estimate, Reduce, Root, Run, Search, refine
from pdsim.planning.runs import (
    CHEAP_RULE,
    Jobs,
    Map,
    ScenarioTask,
    control_of,
    has_control,
    measure_rows,
    reduce_rows,
    reduce_with_control,
    serial,
)
from pdsim.planning.sizes import mean_trials, resize
from pdsim.planning.start import Guess, guess_trials
from pdsim.planning.target import Target
from pdsim.planning.uncertain import DrawSettings
from pdsim.simulation import Scenario

type DrawFor = Callable[[Scenario], DrawSettings]
type Tell = Callable[[str, int, int], None]

_BATCH: Final = {True: 100, False: 200}
_AROUND: Final = (0.25, 0.5, 2.0, 4.0)
_COARSE: Final = 0.2
_CLUSTER: Final = {True: 1, False: 4}


def quiet(_stage: str, _done: int, _total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of the search.

    Attributes
    ----------
    scenario : Scenario
    target : Target
    over : {"trials", "facilities", "indicators", "rounds"}
    low, high : int
    precision : float
    most : int
    seed : int
    apply : callable
        From `pdsim.planning.runs.workers_map`.
    workers : int
    tell : callable
        Called with (stage, replicates so far, about how many it will take or 0).
    """

    scenario: Scenario
    target: Target
    over: str
    low: int
    high: int
    precision: float = 0.1
    most: int = 1_000_000
    seed: int = 1
    apply: Map = serial
    workers: int = 1
    tell: Tell = quiet


def answer(
    question: Question,
    *,
    stream: int,
    stage: str,
    draw_for: DrawFor | None = None,
    start: float | None = None,
    also: tuple[int, ...] = (),
    display: bool = True,
) -> Root:
    """Search to the end.

    Parameters
    ----------
    question : Question
    stream : int
        Part of the seed: other streams, other random numbers.
    stage : str
        What the progress callback is told.
    draw_for : callable, optional
        Gives the draws of the uncertain parameters of a scenario; every replicate then has its
        own.
    start : float, optional
        A guess; default: normal theory, then the rule that needs no posterior.
    also : tuple of int
        Further sizes to simulate.
    display : bool
        Whether the curve will be drawn.
    """
    *_, root = searching(
        question, stream=stream, stage=stage, draw_for=draw_for, start=start, also=also,
        display=display,
    )  # fmt: skip
    return root


def searching(
    question: Question,
    *,
    stream: int,
    stage: str,
    draw_for: DrawFor | None = None,
    start: float | None = None,
    also: tuple[int, ...] = (),
    display: bool = True,
) -> Iterator[Root]:
    """Yield the states of the search; see `answer`."""
    if start is None:
        start = _sharpened(question, stream, stage, draw_for)
    scenario, target = question.scenario, question.target
    search = Search(
        value=target.value,
        at_least=target.at_least,
        link=target.link,
        low=question.low,
        high=question.high,
        start=start,
        precision=question.precision,
        batch=_BATCH[scenario.needs_posterior],
        most=question.most,
        rising=True if question.over in ("trials", "rounds") else None,
        also=also,
        around=_AROUND if display else (),
    )
    run, reduce = _runner(question, draw_for, stream)
    for root in refine(run, search, reduce=reduce):
        each = replicates_per_row(scenario, draw_for)
        question.tell(stage, root.spent * each, root.expected * each)
        yield root


def replicates_per_row(scenario: Scenario, draw_for: DrawFor | None) -> int:
    """Return how many replicates share one draw of the parameters.

    Where a replicate costs little beside setting up its scenario, some share a draw.
    """
    return 1 if draw_for is None else _CLUSTER[scenario.needs_posterior]


def estimates_at(
    question: Question,
    sizes: Sequence[int],
    replicates: int,
    *,
    stream: int,
    draw_for: DrawFor | None = None,
) -> list[Estimate]:
    """Return the measure at some sizes, with replicates of its own at each.

    Replicates of one number share their truth at every size, so that their errors would not
    average out along a curve.
    """
    run, reduce = _runner(question, draw_for, stream)
    return [
        reduce(size, run(size, range(i * replicates, (i + 1) * replicates)))
        for i, size in enumerate(sizes)
    ]


def _runner(question: Question, draw_for: DrawFor | None, stream: int) -> tuple[Run, Reduce]:
    scenario, measure, seed = question.scenario, question.target.measure, (question.seed, stream)
    cluster = replicates_per_row(scenario, draw_for)
    jobs = _jobs(scenario, question.over, draw_for, cluster)
    control = has_control(scenario, measure)
    run = measure_rows(
        jobs,
        measure,
        seed=seed,
        apply=question.apply,
        workers=question.workers,
        control=control,
        cluster=cluster,
    )
    if not control:
        return run, reduce_rows(measure)
    cheap = measure_rows(
        _cheaply(jobs),
        measure,
        seed=seed,
        apply=question.apply,
        workers=question.workers,
        cluster=cluster,
    )
    return run, reduce_with_control(measure, cheap)


def _jobs(scenario: Scenario, over: str, draw_for: DrawFor | None, cluster: int) -> Jobs:
    known: dict[int, tuple[Scenario, DrawSettings | None]] = {}

    def jobs(size: int, rows: range) -> list[ScenarioTask]:
        if size not in known:
            sized = resize(scenario, over, size)
            known[size] = sized, None if draw_for is None else draw_for(sized)
        sized, draw = known[size]
        if draw is None:
            return [(sized, rows)]
        return [
            (replace(sized, **draw(row)), range(row * cluster, (row + 1) * cluster)) for row in rows
        ]

    return jobs


def _cheaply(jobs: Jobs) -> Jobs:
    def cheap(size: int, replicates: range) -> list[ScenarioTask]:
        return [(control_of(scenario), part) for scenario, part in jobs(size, replicates)]

    return cheap


def guess(question: Question) -> Guess | None:
    """Return a size from normal theory, None where it has no answer; nothing is simulated of it.

    Its ``trials`` are in the sizes that are planned.
    """
    scenario = question.scenario
    if question.over not in ("trials", "rounds"):
        return None
    per_size = mean_trials(scenario) if question.over == "rounds" else 1.0
    low, high = question.low * per_size, question.high * per_size
    found = guess_trials(
        scenario, question.target, low=max(1, round(low)), high=round(high),
        precision=question.precision, seed=question.seed,
    )  # fmt: skip
    return None if found is None else found._replace(trials=found.trials / per_size)


def _sharpened(
    question: Question, stream: int, stage: str, draw_for: DrawFor | None
) -> float | None:
    """Return the guess, sharpened by the cheap rule where the rule is dear."""
    scenario = question.scenario
    guessed = guess(question)
    start = None if guessed is None else guessed.trials
    if not has_control(scenario, question.target.measure):
        return start
    cheap = replace(
        question, scenario=replace(scenario, rule=CHEAP_RULE), precision=_COARSE, workers=1,
        apply=serial,
    )  # fmt: skip
    try:
        found = answer(
            cheap, stream=stream, stage=stage, draw_for=draw_for, start=start, display=False
        ).crossing.n
    except InputError:
        return start
    return found if found == found else start
