"""What is left to do, as rectangles of cells and replicates; and what came of each."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from pdsim.arraytypes import Floats
from pdsim.sweeps.crossing import Cell
from pdsim.sweeps.ledger import Intervals
from pdsim.sweeps.packing import CHUNK, pack
from pdsim.sweeps.store import Contents

LARGEST = 20_000
"""Most (cell, replicate) pairs in one task, so that no task's result is large."""

PIECE = 100
"""Replicates that an array job takes of a group of cells at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The rows [first, last) of a store, which share their data, for replicates [start, stop)."""

    first: int
    last: int
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Number of (cell, replicate) pairs."""
        return (self.last - self.first) * (self.stop - self.start)

    def halves(self) -> "tuple[Task, ...]":
        """Split by replicates, then by cells; a single pair gives nothing."""
        middle = (self.start + self.stop) // 2
        if middle > self.start:
            return replace(self, stop=middle), replace(self, start=middle)
        middle = (self.first + self.last) // 2
        if middle > self.first:
            return replace(self, last=middle), replace(self, first=middle)
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A task was run: the bytes of every row, and the status (row, replicate) of its replicates.

    Workers pack what they computed, so that the one writer has only to write.
    """

    task: Task
    frames: Sequence[bytes]
    status: NDArray[np.uint8]

    @classmethod
    def of(cls, task: Task, measures: Floats, status: NDArray[np.uint8]) -> Self:
        """Pack measures (row, replicate, measure) and status (row, replicate)."""
        frames = [pack(*row) for row in zip(measures, status, strict=True)]
        return cls(task=task, frames=frames, status=status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A task could not be run as a whole: it raised, took too long, or its worker died."""

    task: Task
    cause: Literal["error", "timeout", "worker died"]
    message: str


type Outcome = Done | Lost


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepWork:
    """What every task of a sweep shares.

    Attributes
    ----------
    simulation : str
        Name of the module that is swept.
    seed : int
    versions : dict of str to str
        Packages that decide the numbers; a remote worker must have the same.
    scenarios : callable
        Gives the JSON texts of a task's scenarios.
    """

    simulation: str
    seed: int
    versions: dict[str, str]
    scenarios: Callable[[Task], Sequence[str]]


class Executor(Protocol):
    """Runs tasks from a queue until it is empty and nothing is under way."""

    @property
    def description(self) -> dict[str, Any]:
        """What run.json says of it."""

    def run(self, queue: "TaskQueue", work: SweepWork) -> Iterator[Outcome]:
        """Yield the outcome of every task, in any order; the caller may push tasks meanwhile."""


class TaskQueue:
    """Tasks made when they are asked for, and those that come back to be run in halves."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._fresh = iter(tasks)
        self._again: list[Task] = []

    def push(self, task: Task) -> None:
        """Put a task in front."""
        self._again.append(task)

    def pop(self) -> Task | None:
        """Take the next task, or None when there is none (for now)."""
        return self._again.pop() if self._again else next(self._fresh, None)


def tasks_left(
    contents: Contents,
    cells: Mapping[str, Cell],
    own: Mapping[str, Intervals],
    *,
    blocks: Mapping[str, int],
) -> Iterator[Task]:
    """Yield the tasks that complete what is wanted of each cell.

    Rows side by side that share their data and lack the same replicates are run together. No task
    crosses a multiple of `CHUNK`, by which summaries read. `blocks` gives the replicates in one
    task by data key.
    """
    rows = sorted(contents.rows[key] for key in cells)
    keys = [contents.cells[row].key for row in rows]
    gaps = [
        [gap for part in own[key] for gap in contents.finished(row).missing(*part)]
        for row, key in zip(rows, keys, strict=True)
    ]
    for first, last in _alike(rows, [cells[key].data_key for key in keys], gaps):
        block = blocks[cells[keys[first]].data_key]
        step = max(1, min(block, LARGEST // (last - first)))
        for at, to in gaps[first]:
            while at < to:
                stop = min(at + step, to, at - at % CHUNK + CHUNK)
                yield Task(first=rows[first], last=rows[last - 1] + 1, start=at, stop=stop)
                at = stop


def _alike(
    rows: Sequence[int], data: Sequence[str], gaps: Sequence[list[tuple[int, int]]]
) -> Iterator[tuple[int, int]]:
    """Yield the runs of neighbouring rows with equal data and gaps, if they have any."""
    first = 0
    for at in range(1, len(rows) + 1):
        if at < len(rows):
            beside = rows[at] == rows[at - 1] + 1
            if beside and data[at] == data[first] and gaps[at] == gaps[first]:
                continue
        if gaps[first]:
            yield first, at
        first = at


def wanted(
    cells: Mapping[str, Cell], *, replicates: int, job: tuple[int, int] | None
) -> dict[str, Intervals]:
    """Return the replicates of every cell that this run is to make.

    An array job k of n takes every n-th piece of 100 replicates of a group of cells that share
    their data, from an offset given by the data key: so what a job owns stays its own when
    replicates or levels are added.
    """
    if job is None:
        return {key: Intervals([(0, replicates)]) for key in cells}
    number, jobs = job
    own: dict[str, Intervals] = {}
    for key, cell in cells.items():
        offset = (number - 1 - int(cell.data_key[:12], 16)) % jobs
        pieces = range(offset * PIECE, replicates, jobs * PIECE)
        own[key] = Intervals((at, min(at + PIECE, replicates)) for at in pieces)
    return own
