"""Workers of a Dask cluster that is already there."""

import itertools
import time
import uuid
from collections.abc import Iterator
from typing import Any

from pdsim.errors import InputError, PdsimError, Problem
from pdsim.sweeps.tasks import Done, Lost, Outcome, SweepWork, Task, TaskQueue
from pdsim.sweeps.worker import run_remote_task

DEPTH = 2
"""Tasks handed out for every worker, so that none waits and the scheduler's memory stays flat."""

PATIENCE = "20s"

LOOK_SECONDS = 5.0
"""A cluster may grow and shrink: its size is asked for this often."""


class DaskExecutor:
    """Runs tasks on a `dask.distributed` cluster whose workers have one thread each.

    Parameters
    ----------
    cluster : dask.distributed.Client or str
        A client, or the address of a scheduler.

    Raises
    ------
    InputError
        If Dask is not installed.
    """

    def __init__(self, cluster: Any) -> None:
        try:
            import distributed
        except ModuleNotFoundError as error:
            problem = Problem(
                rule="a Dask cluster needs dask.distributed", cure="pip install 'pdsim[cluster]'"
            )
            raise InputError(problem) from error
        if not isinstance(cluster, str | distributed.Client):
            problem = Problem(
                rule=f"executor is a {type(cluster).__name__}",
                cure="use 'serial', 'processes', an address, or a dask.distributed.Client",
            )
            raise InputError(problem)
        self._cluster = cluster
        self._workers = 0

    @property
    def description(self) -> dict[str, Any]:
        """What run.json says of it."""
        return {"executor": "dask", "workers": self._workers}

    def run(self, queue: TaskQueue, work: SweepWork) -> Iterator[Outcome]:
        """Yield outcomes as they arrive.

        Raises
        ------
        InputError
            If the scheduler does not answer, or a worker has more than one thread.
        PdsimError
            If a worker cannot run tasks, for example for want of the same versions.
        """
        from distributed import Client

        if not isinstance(self._cluster, str):
            yield from self._run(queue, work, self._cluster)
            return
        try:
            client = Client(self._cluster, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError) as error:
            problem = Problem(
                rule=f"no Dask scheduler answers at {self._cluster!r} ({error})",
                cure="check the address, and that the cluster runs",
            )
            raise InputError(problem) from error
        with client:
            yield from self._run(queue, work, client)

    def _run(self, queue: TaskQueue, work: SweepWork, client: Any) -> Iterator[Outcome]:
        from distributed import as_completed

        run, numbers = uuid.uuid4().hex, itertools.count()
        held: dict[str, Task] = {}
        # a worker takes the tasks that wait on it along: a single replicate is only blamed when
        # it kills a worker while nothing else is under way
        suspects: list[Task] = []
        arriving = as_completed(loop=client.loop)

        def submit(task: Task) -> None:
            future = client.submit(
                run_remote_task,
                work.simulation,
                list(work.scenarios(task)),
                task.start,
                task.stop,
                work.seed,
                work.versions,
                key=f"pdsim-{run}-{next(numbers)}",
                pure=False,
                retries=0,
            )
            held[future.key] = task
            arriving.add(future)

        room, looked = 0, -LOOK_SECONDS
        try:
            while True:
                if time.monotonic() - looked > LOOK_SECONDS:
                    room, looked = self._look(client), time.monotonic()
                while len(held) < room and (task := queue.pop()) is not None:
                    submit(task)
                alone = not held
                if alone and not suspects:
                    return
                if alone:
                    submit(suspects.pop())
                future = next(arriving)
                outcome = self._outcome(future, held.pop(future.key))
                died = isinstance(outcome, Lost) and outcome.cause == "worker died"
                if died and outcome.task.size == 1 and not alone:
                    suspects.append(outcome.task)
                else:
                    yield outcome
        finally:
            client.cancel(list(arriving.futures), force=True)

    def _look(self, client: Any) -> int:
        """Return how many tasks the cluster is handed at a time."""
        threads = client.nthreads()
        if any(count != 1 for count in threads.values()):
            problem = Problem(
                rule="the workers of the cluster have more than one thread",
                cure="start them with --nthreads 1 (and more of them)",
            )
            raise InputError(problem)
        self._workers = max(self._workers, len(threads))
        return DEPTH * max(1, len(threads))

    def _outcome(self, future: Any, task: Task) -> Outcome:
        from distributed import KilledWorker

        error = future.exception()
        if isinstance(error, KilledWorker):
            return Lost(task=task, cause="worker died", message="its workers died")
        if error is not None:
            raise PdsimError(f"the cluster cannot run the sweep: {error}") from error
        result = future.result()
        if isinstance(result, str):
            return Lost(task=task, cause="error", message=result)
        frames, status = result
        return Done(task=task, frames=frames, status=status)
