"""Local worker processes: started afresh, one task at a time, replaced when they die.

They are started as new interpreters, neither forked (which not every system can, and which would
hand the lock of the store down) nor by importing the caller's script again (which would then need a
guard). A task goes to a worker's standard input as a line of JSON, what it gives comes back from
its standard output; a thread for each worker waits there.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import IO, Any, cast

import numpy as np

from pdsim.errors import PdsimError
from pdsim.sweeps.tasks import Done, Lost, Outcome, SweepWork, Task, TaskQueue
from pdsim.sweeps.worker import THREAD_VARIABLES

AHEAD = 2
"""Tasks taken from the queue for every worker, so that none waits while the caller writes."""


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

    def run(self, queue: TaskQueue, work: SweepWork) -> Iterator[Outcome]:
        """Yield outcomes as they arrive; all workers are gone when this ends, however it does.

        Raises
        ------
        PdsimError
            If a worker dies before it can take a task.
        """
        pool, crew = ThreadPoolExecutor(self.workers), _Crew(work, self.timeout)
        waiting: set[Future[Outcome]] = set()
        try:
            while True:
                while len(waiting) < AHEAD * self.workers and (task := queue.pop()) is not None:
                    waiting.add(pool.submit(crew.run, task))
                if not waiting:
                    return
                arrived, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in arrived:
                    yield future.result()
        finally:
            crew.stop()
            pool.shutdown(cancel_futures=True)
            crew.close()


@dataclass(slots=True)
class _Crew:
    """The worker processes: those that are idle, and all that were started."""

    work: SweepWork
    timeout: float | None
    idle: "SimpleQueue[_Worker]" = field(default_factory=SimpleQueue)
    started: "list[_Worker]" = field(default_factory=list)
    stopped: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, task: Task) -> Outcome:
        """Have an idle worker run a task, or a new one if none is idle."""
        worker = self._take()
        worker.send(_message(task, self.work))
        timer = None
        if self.timeout is not None:
            timer = threading.Timer(self.timeout, worker.stop, kwargs={"late": True})
            timer.start()
        try:
            outcome = worker.receive(task)
        except EOFError:
            worker.stop()
            if worker.late:
                message = f"no result after {self.timeout:g} s"
                return Lost(task=task, cause="timeout", message=message)
            message = f"its worker ended with exit code {worker.process.returncode}"
            return Lost(task=task, cause="worker died", message=message)
        finally:
            if timer is not None:
                timer.cancel()
        self.idle.put(worker)
        return outcome

    def stop(self) -> None:
        """End all workers, at once."""
        with self.lock:
            self.stopped = True
            for worker in self.started:
                worker.stop()

    def close(self) -> None:
        """Close the lines to workers that have ended, once no thread waits there."""
        for worker in self.started:
            for line in (worker.process.stdin, worker.process.stdout):
                # what could not be sent to a worker that died is of no use
                with suppress(OSError):
                    cast(IO[bytes], line).close()

    def _take(self) -> "_Worker":
        try:
            return self.idle.get_nowait()
        except Empty:
            pass
        with self.lock:
            if self.stopped:
                raise PdsimError("the sweep has ended.")
            worker = _Worker(_start(self.work.simulation))
            self.started.append(worker)
        worker.check_ready()
        return worker


@dataclass(slots=True, eq=False)
class _Worker:
    """A process and the lines to it."""

    process: "subprocess.Popen[bytes]"
    late: bool = False

    def send(self, message: bytes) -> None:
        """Hand a task over; a worker that is gone is found when its answer is waited for."""
        try:
            self._input.write(message)
            self._input.flush()
        except OSError:
            return

    def receive(self, task: Task) -> Outcome:
        """Wait for what became of a task.

        Raises
        ------
        EOFError
            If the worker is gone.
        """
        answer = json.loads(self._line())
        if "error" in answer:
            return Lost(task=task, cause="error", message=answer["error"])
        frames = [self._bytes(length) for length in answer["frames"]]
        shape = task.last - task.first, task.stop - task.start
        status = np.frombuffer(self._bytes(shape[0] * shape[1]), dtype=np.uint8).reshape(shape)
        return Done(task=task, frames=frames, status=status)

    def check_ready(self) -> None:
        """Wait until the worker has imported what it needs.

        Raises
        ------
        PdsimError
            If it ends before.
        """
        try:
            self._line()
        except EOFError:
            self.stop()
            raise PdsimError(
                f"a worker process ended with exit code {self.process.returncode} before it could "
                "take a task: its own error output above says why."
            ) from None

    def stop(self, *, late: bool = False) -> None:
        """End the process."""
        if self.process.poll() is None:
            self.late = self.late or late
            self.process.kill()
        self.process.wait()

    @property
    def _input(self) -> IO[bytes]:
        return cast(IO[bytes], self.process.stdin)

    def _line(self) -> bytes:
        line = cast(IO[bytes], self.process.stdout).readline()
        if not line.endswith(b"\n"):
            raise EOFError
        return line

    def _bytes(self, count: int) -> bytes:
        content = cast(IO[bytes], self.process.stdout).read(count)
        if len(content) < count:
            raise EOFError
        return content


def _start(simulation: str) -> "subprocess.Popen[bytes]":
    """Start a new interpreter with this one's import path and one thread."""
    environment = {
        **os.environ,
        **dict.fromkeys(THREAD_VARIABLES, "1"),
        "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
        "PYTHONUTF8": "1",
    }
    code = f"from pdsim.sweeps.worker import serve; serve({simulation!r})"
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )


def _message(task: Task, work: SweepWork) -> bytes:
    content = {
        "scenarios": list(work.scenarios(task)),
        "start": task.start,
        "stop": task.stop,
        "seed": work.seed,
    }
    return json.dumps(content).encode() + b"\n"


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    of_process: Any = getattr(os, "sched_getaffinity", None)
    return len(of_process(0)) if of_process else os.cpu_count() or 1
