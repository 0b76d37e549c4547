"""What runs the tasks of a sweep; results are the same whatever does."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pdsim.errors import InputError, Problem
from pdsim.sweeps.tasks import Done, Executor, Lost, Outcome, SweepWork, Task, TaskQueue
from pdsim.sweeps.worker import describe, run_task


@dataclass(frozen=True, slots=True)
class SerialExecutor:
    """Runs tasks one after the other in this process."""

    @property
    def description(self) -> dict[str, Any]:
        """What run.json says of it."""
        return {"executor": "serial", "workers": 1}

    def run(self, queue: TaskQueue, work: SweepWork) -> Iterator[Outcome]:
        """Yield the outcome of every task in turn."""
        # the number of BLAS threads must not change a sum
        with threadpool_limits(1):
            while (task := queue.pop()) is not None:
                yield self._one(task, work)

    def _one(self, task: Task, work: SweepWork) -> Outcome:
        try:
            measures, status = run_task(
                work.simulation, work.scenarios(task), task.start, task.stop, work.seed
            )
        except Exception as error:
            return Lost(task=task, cause="error", message=describe(error))
        return Done.of(task, measures, status)


def choose_executor(executor: Any, *, workers: int | None, timeout: float | None) -> Executor:
    """Return the executor that a caller named.

    Parameters
    ----------
    executor : str or dask.distributed.Client
        ``"serial"``, ``"processes"``, the address of a Dask scheduler such as
        ``"tcp://host:8786"``, or a client of one.
    workers : int, optional
        Processes; default: the cores this process may use.
    timeout : float, optional
        Seconds that a worker process may spend on a task.

    Raises
    ------
    InputError
        If there is no such executor, or it has no such setting.
    """
    if timeout is not None and (executor != "processes" or timeout <= 0):
        problem = Problem(
            rule=f"timeout {timeout} needs executor 'processes' and a positive number of seconds",
            cure="only a local process can be stopped in the middle of a replicate",
        )
        raise InputError(problem)
    if workers is not None and (executor != "processes" or workers < 1):
        problem = Problem(
            rule=f"workers = {workers} needs executor 'processes' and one worker or more",
            cure="a Dask cluster brings its own workers",
        )
        raise InputError(problem)
    if executor == "serial":
        return SerialExecutor()
    if executor == "processes":
        from pdsim.sweeps.processes import ProcessExecutor, usable_cores

        return ProcessExecutor(workers=workers or usable_cores(), timeout=timeout)
    if isinstance(executor, str) and "://" not in executor:
        problem = Problem(
            rule=f"there is no executor {executor!r}",
            cure="use 'serial', 'processes', or the address of a Dask scheduler (tcp://host:port)",
        )
        raise InputError(problem)
    from pdsim.sweeps.cluster import DaskExecutor

    return DaskExecutor(executor)
