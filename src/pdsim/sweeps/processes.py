"""Local worker processes: started afresh, one task at a time, replaced when they die.

They are started as new interpreters, neither forked (a forked orphan would keep the lock of the
store) nor by importing the caller's script again (which would then need a guard). What a task
gives comes back through a file in memory, since a worker that wrote it into its line would wait
there for a parent that has other workers.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import IO, Any

import numpy as np

from pdsim.errors import PdsimError
from pdsim.sweeps.contract import load_simulation
from pdsim.sweeps.executors import Work
from pdsim.sweeps.tasks import Done, Lost, Outcome, Task, TaskQueue
from pdsim.sweeps.worker import THREAD_VARIABLES

DEPTH = 2
"""Tasks handed to a worker at a time, so that it does not wait while the parent writes."""

AHEAD_BYTES = 1 << 14
"""Largest task handed to a busy worker: a larger one might not fit into the line, and the parent
would wait until the worker reads it."""


@dataclass(slots=True)
class _Worker:
    """A process, the line to it, and the tasks it holds, the one under way first.

    Its results go to the files in turn, so that it can write one while another is read.
    """

    process: subprocess.Popen[bytes]
    connection: Connection
    files: list[IO[bytes]]
    received: int = 0
    tasks: deque[Task] = field(default_factory=deque)
    since: float = 0.0
    ready: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessExecutor:
    """Runs tasks in `workers` processes.

    Attributes
    ----------
    workers : int
    timeout : float or None
        Seconds after which a worker is stopped and its task counts as timed out.
    """

    workers: int
    timeout: float | None = None

    @property
    def description(self) -> dict[str, Any]:
        """What run.json says of it."""
        return {"executor": "processes", "workers": self.workers}

    def run(self, queue: TaskQueue, work: Work) -> Iterator[Outcome]:
        """Yield outcomes as they arrive; all workers are gone when this ends, however it does.

        Raises
        ------
        PdsimError
            If a worker dies before it can take a task.
        """
        workers: list[_Worker] = []
        try:
            while True:
                self._hand_out(queue, work, workers)
                busy = [worker for worker in workers if worker.tasks]
                if not busy:
                    return
                ready = wait([worker.connection for worker in busy], timeout=self._patience(busy))
                for worker in busy:
                    outcome = self._look_at(worker, work, arrived=worker.connection in ready)
                    if isinstance(outcome, Lost) and outcome.cause != "error":
                        for task in reversed(worker.tasks):
                            queue.push(task)
                        _stop(worker)
                        workers.remove(worker)
                    if outcome is not None:
                        yield outcome
        finally:
            for worker in workers:
                _stop(worker)

    def _hand_out(self, queue: TaskQueue, work: Work, workers: list[_Worker]) -> None:
        for level in range(DEPTH):
            for number in range(self.workers):
                if number < len(workers) and len(workers[number].tasks) > level:
                    continue
                task = queue.pop()
                if task is None:
                    return
                message = _message(task, work)
                if level and len(message) > AHEAD_BYTES:
                    queue.push(task)
                    return
                if number >= len(workers):
                    workers.append(_start(work.simulation))
                    number = len(workers) - 1
                _send(workers[number], task, message)

    def _patience(self, busy: list[_Worker]) -> float | None:
        if self.timeout is None:
            return None
        first = min((worker.since for worker in busy if worker.ready), default=None)
        if first is None:
            return None
        return max(0.0, first + self.timeout - time.monotonic())

    def _look_at(self, worker: _Worker, work: Work, *, arrived: bool) -> Outcome | None:
        if arrived:
            try:
                return _receive(worker, work)
            except (EOFError, OSError):
                return self._died(worker)
        late = worker.ready and self.timeout is not None
        if late and time.monotonic() - worker.since > (self.timeout or 0.0):
            task = worker.tasks.popleft()
            message = f"no result after {self.timeout:g} s"
            return Lost(task=task, cause="timeout", message=message)
        return None

    def _died(self, worker: _Worker) -> Lost:
        worker.process.kill()
        code = worker.process.wait()
        if not worker.ready:
            raise PdsimError(
                f"a worker process ended with exit code {code} before it could take a task: "
                "its own error output above says why."
            )
        message = f"its worker ended with exit code {code}"
        return Lost(task=worker.tasks.popleft(), cause="worker died", message=message)


def _start(simulation: str) -> _Worker:
    """Start a worker: a new interpreter with this one's import path and one thread each."""
    ours, theirs = socket.socketpair()
    files = [_file_in_memory() for _ in range(DEPTH)]
    numbers = [file.fileno() for file in files]
    with theirs:
        environment = {
            **os.environ,
            **dict.fromkeys(THREAD_VARIABLES, "1"),
            "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
        }
        arguments = f"{theirs.fileno()}, {numbers}, {simulation!r}"
        code = f"from pdsim.sweeps.worker import serve; serve({arguments})"
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", code],
            stdin=subprocess.PIPE,
            pass_fds=[theirs.fileno(), *numbers],
            env=environment,
        )
    return _Worker(process, Connection(ours.detach()), files)


def _file_in_memory() -> IO[bytes]:
    """Open a file without a name, which is gone with the last process that holds it."""
    if sys.platform != "linux":
        return tempfile.TemporaryFile(buffering=0)
    return os.fdopen(os.memfd_create("pdsim"), "w+b", buffering=0)


def _message(task: Task, work: Work) -> bytes:
    content = {
        "scenarios": list(work.scenarios(task)),
        "start": task.start,
        "stop": task.stop,
        "seed": work.seed,
    }
    return json.dumps(content).encode()


def _send(worker: _Worker, task: Task, message: bytes) -> None:
    if not worker.tasks:
        worker.since = time.monotonic()
    worker.tasks.append(task)
    try:
        worker.connection.send_bytes(message)
    except OSError:
        # it died; the closed line is found when its answer is waited for
        return


def _receive(worker: _Worker, work: Work) -> Outcome | None:
    """Read one answer; None for the first, which says that the worker can take tasks.

    Raises
    ------
    EOFError, OSError
        If the worker is gone.
    """
    answer = worker.connection.recv_bytes()
    worker.since = time.monotonic()
    if not worker.ready:
        worker.ready = True
        return None
    task = worker.tasks[0]
    file = worker.files[worker.received % len(worker.files)]
    worker.received += 1
    if answer:
        worker.tasks.popleft()
        return Lost(task=task, cause="error", message=answer.decode())
    cells, replicates = task.last - task.first, task.stop - task.start
    width = len(load_simulation(work.simulation).MEASURES)
    measures = np.empty((cells, replicates, width))
    status = np.empty((cells, replicates), dtype=np.uint8)
    if os.preadv(file.fileno(), [measures, status], 0) != measures.nbytes + status.nbytes:
        raise EOFError("a result is shorter than it should be")
    worker.tasks.popleft()
    return Done(task=task, measures=measures, status=status)


def _stop(worker: _Worker) -> None:
    worker.connection.close()
    for file in worker.files:
        file.close()
    worker.process.kill()
    worker.process.wait()
    if worker.process.stdin is not None:
        worker.process.stdin.close()
