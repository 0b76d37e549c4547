"""Run a sweep: expand, look what is there, run what is missing, commit, summarise."""

import subprocess
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from pdsim.errors import InputError, Problem, suggestion
from pdsim.files import write_json
from pdsim.provenance import versions
from pdsim.settings import to_mapping
from pdsim.sweeps.contract import SIMULATION, Simulation, Status, has_failed, load_simulation
from pdsim.sweeps.crossing import Cell, Grid, expand
from pdsim.sweeps.datasets import known_names, open_sweep
from pdsim.sweeps.executors import choose_executor
from pdsim.sweeps.ledger import Intervals
from pdsim.sweeps.packing import CHUNK
from pdsim.sweeps.progress import Meter, SweepCallback
from pdsim.sweeps.store import SWEEP, Contents, Identity, add_run, locked, mended_contents
from pdsim.sweeps.sweepfile import SweepSettings, read_settings, readable_settings
from pdsim.sweeps.tasks import Done, Lost, SweepWork, Task, TaskQueue, tasks_left, wanted
from pdsim.sweeps.writer import Writer
from pdsim.terms.measures import column_key
from pdsim.terms.registry import check_portable

TASK_SECONDS = 1.0
"""About so long is a task of which the caller does not say how many replicates it has: short
enough to lose with a crash and to share out at the end, long beside sending and storing it."""

_STATUS = {
    "error": Status.ERROR,
    "timeout": Status.TIMEOUT,
    "worker died": Status.WORKER_DIED,
}


def sweep(
    config: SweepSettings | Mapping[str, Any] | str | Path,
    *,
    store: str | Path,
    executor: Any = "processes",
    workers: int | None = None,
    block: int | None = None,
    timeout: float | None = None,
    job: tuple[int, int] | None = None,
    progress: SweepCallback | None = None,
    simulation: str = SIMULATION,
) -> xr.Dataset:
    """Run what is missing of a sweep and return its results.

    What the store holds is reused: after a crash, with more replicates, with a new level of a
    factor. Results do not depend on executor, workers, block or interruptions.

    Parameters
    ----------
    config : SweepSettings, mapping, str or Path
        Settings, or the path of a sweep.toml.
    store : str or Path
        Folder that holds the replicates; made if need be.
    executor : str or dask.distributed.Client
        ``"serial"``, ``"processes"``, or a Dask cluster (a client or ``"tcp://host:port"``).
    workers : int, optional
        Local processes; default: the cores this process may use.
    block : int, optional
        Replicates in one task; default: as many as take about a second.
    timeout : float, optional
        Seconds that a local process may spend on one task. A task that takes longer is stopped
        and run in halves; a single replicate of a single cell that takes longer is recorded as
        timed out. So choose it well above the time of a task.
    job : (int, int), optional
        Array job k of n, from 1: runs its share into a store of its own below `store`.
    progress : callable, optional
        Receives a `SweepProgress` now and then, and one at the end.
    simulation : str
        Module that is swept, see `pdsim.sweeps.contract.Simulation`.

    Returns
    -------
    Dataset
        See `open_sweep`.

    Raises
    ------
    InputError
        With all problems of the settings; nothing is written then.
    StoreError
        If the store is in use, cannot be written, or its numbers must not mix with these.

    Examples
    --------
    >>> import tempfile
    >>> settings = {"replicates": 50, "seed": 1, "factors": {"trials": [10, 40]}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = sweep(settings, store=folder, executor="serial")
    >>> dict(result.sizes)["trials"]
    2
    """
    module = load_simulation(simulation)
    _check_arguments(block, job)
    settings, grid = read_sweep(config, module)
    runner = choose_executor(executor, workers=workers, timeout=timeout)
    if executor != "serial":
        check_portable(text for cell in grid.cells for text in cell.scenario.extensions)
    place = Path(store) if job is None else Path(store) / f"job-{job[0]:05d}-of-{job[1]:05d}"
    identity = Identity(
        simulation=simulation,
        seed=settings.seed,
        measures=tuple(map(column_key, module.COLUMNS)),
        versions=versions(),
    )
    place.parent.mkdir(parents=True, exist_ok=True)
    with (
        locked(place, identity),
        Writer(place, mended_contents(place), width=len(module.COLUMNS)) as writer,
    ):
        cells = grid.by_data()
        own = wanted(cells, replicates=settings.replicates, job=job)
        writer.add_cells(cells)
        write_json(place / SWEEP, _sweep_record(settings, grid))
        cost = costs(cells, module)
        blocks = (
            _blocks(cells, cost)
            if block is None
            else dict.fromkeys((c.data_key for c in cells.values()), block)
        )
        meter = Meter(
            total=sum(intervals.count(0, settings.replicates) for intervals in own.values()),
            reused=_count_done(writer.contents, own),
            cost=cost,
            callback=progress,
        )
        record: dict[str, Any] = {
            "block": block,
            "git_revision": _git_revision(),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        add_run(place, record | runner.description, new=True)
        queue = TaskQueue(tasks_left(writer.contents, cells, own, blocks=blocks))
        work = SweepWork(
            simulation=simulation,
            seed=settings.seed,
            versions=dict(identity.versions),
            scenarios=partial(_texts, writer.contents),
        )
        meter.tell()
        try:
            for outcome in runner.run(queue, work):
                _take(outcome, writer, queue, meter)
        except KeyboardInterrupt:
            writer.commit()
            raise
        writer.commit()
        meter.tell()
        add_run(place, record | runner.description | meter.record(), new=False)
    return open_sweep(place)


def _take(outcome: Done | Lost, writer: Writer, queue: TaskQueue, meter: Meter) -> None:
    """Store what was done; run what was lost in halves, down to the one replicate at fault."""
    task = outcome.task
    keys = [writer.contents.cells[row].key for row in range(task.first, task.last)]
    if isinstance(outcome, Lost):
        halves = task.halves()
        for half in reversed(halves):
            queue.push(half)
        if halves:
            return
        nothing = np.full((1, 1, writer.width), np.nan)
        status = np.full((1, 1), _STATUS[outcome.cause], dtype=np.uint8)
        failed = Done.of(task, nothing, status)
        writer.add(failed, errors=[f"{outcome.cause}: {outcome.message}"])
        meter.add(keys, 1, failed=1)
        return
    writer.add(outcome)
    failures = int(np.count_nonzero(has_failed(outcome.status)))
    meter.add(keys, task.stop - task.start, failed=failures)


def _texts(contents: Contents, task: Task) -> list[str]:
    return [contents.cells[row].scenario for row in range(task.first, task.last)]


def costs(cells: Mapping[str, Cell], module: Simulation) -> dict[str, float]:
    """Return the cost of one replicate of each cell; cells that share a fit share its cost."""
    sharing = Counter(cell.fit_key for cell in cells.values())
    cost: dict[str, float] = {}
    for cell in cells.values():
        if cell.fit_key not in cost:
            cost[cell.fit_key] = module.estimate_cost(cell.scenario)
    return {key: cost[cell.fit_key] / sharing[cell.fit_key] for key, cell in cells.items()}


def _blocks(cells: Mapping[str, Cell], cost: Mapping[str, float]) -> dict[str, int]:
    """Return the replicates of each data key that take about a second, up to a chunk."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for key, cell in cells.items():
        seconds[cell.data_key] += cost[key]
    return {data: max(1, min(CHUNK, int(TASK_SECONDS / s))) for data, s in seconds.items()}


def _count_done(contents: Contents, own: Mapping[str, Intervals]) -> int:
    """Return how many of the wanted replicates are there already."""
    return sum(
        contents.finished(contents.rows[key]).count(*part)
        for key, parts in own.items()
        for part in parts
    )


def _sweep_record(settings: SweepSettings, grid: Grid) -> dict[str, Any]:
    return {
        "settings": to_mapping(settings),
        # a list, since the order is the order of the dimensions
        "dims": [[name, list(labels)] for name, labels in grid.dims.items()],
        "keys": list(grid.keys),
    }


def _check_arguments(block: int | None, job: tuple[int, int] | None) -> None:
    problems = []
    if block is not None and block < 1:
        problems.append(Problem(rule=f"block must be 1 or more, not {block}"))
    if job is not None and not 1 <= job[0] <= job[1]:
        rule = f"array job {job[0]} of {job[1]} does not exist"
        problems.append(Problem(rule=rule, cure="count jobs from 1"))
    if problems:
        raise InputError(problems)


def read_sweep(
    config: SweepSettings | Mapping[str, Any] | str | Path, module: Simulation
) -> tuple[SweepSettings, Grid]:
    """Return settings and the cells that they make.

    Raises
    ------
    InputError
        With all problems of settings, measures, factors and cells at once.
    """
    problems: list[Problem] = []
    grid = None
    try:
        settings = read_settings(config)
    except InputError as error:
        problems += error.problems
        settings = readable_settings(config)
    try:
        check_names(settings, module)
    except InputError as error:
        problems += error.problems
    try:
        grid = expand(settings, module)
    except InputError as error:
        problems += error.problems
    if grid is None or problems:
        raise InputError(problems)
    return settings, grid


def check_names(settings: SweepSettings, module: Simulation) -> None:
    """Refuse unknown measures, and factors that bear the name of a result."""
    summaries, taken = known_names(module)
    problems = [
        Problem(
            rule=f"there is no measure {name!r}{suggestion(name, summaries)}",
            cure="use some of: " + ", ".join(summaries),
        )
        for name in settings.measures
        if name not in summaries
    ]
    problems += [
        Problem(rule=f"factor {name!r} has the name of a result", cure="give it another name")
        for name in settings.factors
        if name in taken
    ]
    if problems:
        raise InputError(problems)


def _git_revision() -> str:
    """Return the git revision of this package's source, or an empty text outside of git."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""
