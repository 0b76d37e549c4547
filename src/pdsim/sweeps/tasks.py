"""What is left to do, as rectangles of cells and replicates; and what came of each."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pdsim.sweeps.grid import Cell
from pdsim.sweeps.intervals import Intervals
from pdsim.sweeps.store import Part

LARGEST = 20_000
"""Most (cell, replicate) pairs in one task, so that no task's result is large."""

PIECE = 100
"""Replicates that an array job takes of a group of cells at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The rows [first, last) of a part, which share their data, for replicates [start, stop)."""

    part: int
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
    """A task was run; arrays as in a block of the simulation."""

    task: Task
    measures: NDArray[np.float64]
    status: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A task could not be run as a whole: it raised, took too long, or its worker died."""

    task: Task
    cause: Literal["error", "timeout", "worker died"]
    message: str


type Outcome = Done | Lost


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


def group_rows(part: Part, cells: Mapping[str, Cell]) -> list[tuple[int, int]]:
    """Return the runs of neighbouring rows that share their data and are wanted.

    Parameters
    ----------
    part : Part
    cells : mapping of str to Cell
        The wanted cells by key; rows of other cells are left out.
    """
    runs: list[tuple[int, int]] = []
    before: str | None = None
    for row, key in enumerate(part.keys):
        cell = cells.get(key)
        data = None if cell is None else cell.data_key
        if data is not None and data == before:
            runs[-1] = (runs[-1][0], row + 1)
        elif data is not None:
            runs.append((row, row + 1))
        before = data
    return runs


def tasks_left(
    parts: Iterable[Part],
    cells: Mapping[str, Cell],
    *,
    replicates: int,
    blocks: Mapping[str, int],
) -> Iterator[Task]:
    """Yield the tasks that complete the wanted cells up to `replicates`.

    A task never crosses a chunk of its part. Rows of a group that lack the same replicates are
    run together. `blocks` gives the replicates in one task by data key.
    """
    for part in parts:
        stop = min(part.stop, replicates)
        chunks = part.chunks(part.start, stop)
        for first, last in group_rows(part, cells):
            finished = [part.finished(row) for row in range(first, last)]
            block = blocks[cells[part.keys[first]].data_key]
            for start, end in chunks:
                gaps = [intervals.missing(start, end) for intervals in finished]
                for a, b in _alike(gaps):
                    step = max(1, min(block, LARGEST // (b - a)))
                    for at, to in gaps[a]:
                        for begin in range(at, to, step):
                            yield Task(
                                part=part.number,
                                first=first + a,
                                last=first + b,
                                start=begin,
                                stop=min(begin + step, to),
                            )


def _alike(gaps: list[list[tuple[int, int]]]) -> Iterator[tuple[int, int]]:
    """Yield the runs of neighbouring rows with equal gaps; rows without any are left out."""
    first = 0
    for row in range(1, len(gaps) + 1):
        if row == len(gaps) or gaps[row] != gaps[first]:
            if gaps[first]:
                yield first, row
            first = row


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


def parts_needed(
    parts: Iterable[Part], own: Mapping[str, Intervals]
) -> list[tuple[int, int, tuple[str, ...]]]:
    """Return (start, stop, keys) of the parts that must be added to hold what is wanted."""
    room: dict[str, Intervals] = {}
    for part in parts:
        for key in part.keys:
            room.setdefault(key, Intervals()).add(part.start, part.stop)
    new: dict[tuple[int, int], list[str]] = {}
    for key, intervals in own.items():
        have = room.get(key, Intervals())
        for start, stop in intervals:
            for gap in have.missing(start, stop):
                new.setdefault(gap, []).append(key)
    return [(start, stop, tuple(keys)) for (start, stop), keys in sorted(new.items())]
