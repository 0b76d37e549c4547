"""The one writer of a store: gathers finished blocks and commits them together.

A commit is: chunks of measures, made durable; then chunks of status, made durable; then one line
for each block in the ledger, made durable. A crash between any two of these loses what the
ledger does not name and nothing else. Commits are made one after the other by a thread, while the
caller goes on with what workers send.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pdsim.files import sync_folder
from pdsim.sweeps.arrays import (
    MEASURES,
    STATUS,
    PartArrays,
    chunk_length,
    create_part,
    open_part,
    write_chunk,
)
from pdsim.sweeps.contract import is_retried
from pdsim.sweeps.grid import Cell
from pdsim.sweeps.intervals import Intervals
from pdsim.sweeps.ledger import BlockLine, PartLine, append_lines
from pdsim.sweeps.store import Part, StoreError, part_folder, read_parts
from pdsim.sweeps.tasks import Done, Task, parts_needed

COMMIT_SECONDS = 2.0
"""A crash loses no more than this much work of every worker, and the block that it is at."""

COMMIT_BYTES = 1 << 24

SYNCS = 8
"""Chunks written at a time: a disk makes several durable in little more time than one."""

type _Place = tuple[int, int, int]
"""Part, row, number of a chunk."""


@dataclass(slots=True)
class _Chunk:
    """One whole chunk of one row, in memory while it is being filled."""

    measures: NDArray[np.float64]
    status: NDArray[np.uint8]
    changed: bool = False


@dataclass(frozen=True, slots=True)
class _Commit:
    """Chunks, no longer to be changed, and the ledger lines that speak of them."""

    chunks: Mapping[_Place, _Chunk]
    lines: Sequence[BlockLine]


class Writer:
    """Writes blocks into the parts of a store whose lock the caller holds.

    A context manager: what was not committed when it ends is lost, and nothing is written after.

    Parameters
    ----------
    folder : Path
    measures : tuple of str
        Names along the last axis.

    Attributes
    ----------
    measures : tuple of str
    parts : dict of int to Part
    """

    def __init__(self, folder: Path, *, measures: tuple[str, ...]) -> None:
        self._folder = folder
        self.measures = measures
        self.parts = {part.number: part for part in read_parts(folder)}
        self._arrays: dict[int, PartArrays] = {}
        self._chunks: dict[_Place, _Chunk] = {}
        self._lines: list[BlockLine] = []
        self._thread = ThreadPoolExecutor(1)
        self._syncs = ThreadPoolExecutor(SYNCS)
        self._under_way: tuple[_Commit, Future[None]] | None = None
        self._since = 0.0
        self._bytes = 0

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for the commit that is under way."""
        self._thread.shutdown()
        self._syncs.shutdown()

    def make_room(self, own: Mapping[str, Intervals], cells: Mapping[str, Cell]) -> None:
        """Add the parts that are needed to hold the wanted replicates.

        Parameters
        ----------
        own : mapping of str to Intervals
            Wanted replicates of every cell, cells that share their data one after the other.
        cells : mapping of str to Cell
        """
        for start, stop, keys in parts_needed(self.parts.values(), own):
            number = max(self.parts, default=-1) + 1
            place = part_folder(self._folder, number)
            sharing = max(Counter(cells[key].data_key for key in keys).values())
            part = Part(place, number, keys, start, stop, chunk_length(stop - start, sharing))
            texts = (cells[key].text for key in keys)
            line = PartLine(part=number, cells=len(keys), start=start, stop=stop, chunk=part.chunk)
            try:
                create_part(part, texts, self.measures)
                append_lines(self._folder, [line])
            except OSError as error:
                raise self._trouble(error) from error
            self.parts[number] = part

    def add(self, done: Done, *, errors: Iterable[str] = ()) -> None:
        """Take a finished block, and begin a commit if enough has gathered.

        Raises
        ------
        StoreError
            If an earlier commit could not be written.
        """
        task = done.task
        part = self.parts[task.part]
        at, to = task.start - part.start, task.stop - part.start
        number = at // part.chunk
        inside = slice(at - number * part.chunk, to - number * part.chunk)
        for row in range(task.first, task.last):
            chunk = self._chunk(part, row, number)
            chunk.measures[inside] = done.measures[row - task.first]
            chunk.status[inside] = done.status[row - task.first]
            chunk.changed = True
        if not self._lines:
            self._since = time.monotonic()
        self._lines.append(
            BlockLine(
                part=task.part,
                first=task.first,
                last=task.last,
                start=task.start,
                stop=task.stop,
                retry=_to_retry(task, done.status),
                errors=tuple(errors),
            )
        )
        self._bytes += done.measures.nbytes
        if time.monotonic() - self._since > COMMIT_SECONDS or self._bytes > COMMIT_BYTES:
            self._begin_commit()

    def commit(self) -> None:
        """Make everything that was added durable.

        Raises
        ------
        StoreError
            If it cannot be written, for example because the disk is full.
        """
        self._begin_commit()
        self._end_commit()

    def _begin_commit(self) -> None:
        """Hand what was added to the thread, once the commit before is durable."""
        self._end_commit()
        if not self._lines:
            return
        changed = {place: chunk for place, chunk in self._chunks.items() if chunk.changed}
        for chunk in changed.values():
            chunk.changed = False
        commit = _Commit(changed, self._lines)
        self._under_way = commit, self._thread.submit(self._make_durable, commit)
        self._lines, self._bytes = [], 0

    def _end_commit(self) -> None:
        """Wait for the commit under way and take note of what is durable now."""
        if self._under_way is None:
            return
        commit, written = self._under_way
        self._under_way = None
        try:
            written.result()
        except OSError as error:
            raise self._trouble(error) from error
        for line in commit.lines:
            self.parts[line.part].record(line)
        for place in commit.chunks:
            number, row, at = place
            part = self.parts[number]
            start = part.start + at * part.chunk
            stop = min(start + part.chunk, part.stop)
            if not self._chunks[place].changed and not part.done[row].missing(start, stop):
                del self._chunks[place]

    def _make_durable(self, commit: _Commit) -> None:
        parts = [self.parts[number] for number in dict.fromkeys(n for n, _, _ in commit.chunks)]
        for which in (MEASURES, STATUS):
            list(self._syncs.map(partial(self._write, which), commit.chunks.items()))
            for part in parts:
                sync_folder(part.folder / which)
        append_lines(self._folder, commit.lines)

    def _write(self, which: str, item: tuple[_Place, _Chunk]) -> None:
        (number, row, at), chunk = item
        values = chunk.measures if which == MEASURES else chunk.status
        write_chunk(self.parts[number], row, at, values)

    def _chunk(self, part: Part, row: int, at: int) -> _Chunk:
        """Return a chunk in memory, read from the store if a part of it is done."""
        place = (part.number, row, at)
        if place not in self._chunks:
            start = part.start + at * part.chunk
            stop = min(start + part.chunk, part.stop)
            measures = np.full((part.chunk, len(self.measures)), np.nan)
            status = np.zeros(part.chunk, dtype=np.uint8)
            if row in part.done and part.done[row].count(start, stop):
                there = slice(stop - start)
                measures[there], status[there] = self._open(part.number).read(row, start, stop)
            self._chunks[place] = _Chunk(measures, status)
        chunk = self._chunks[place]
        if self._under_way is not None and self._under_way[0].chunks.get(place) is chunk:
            chunk = self._chunks[place] = _Chunk(chunk.measures.copy(), chunk.status.copy())
        return chunk

    def _open(self, number: int) -> PartArrays:
        if number not in self._arrays:
            self._arrays[number] = open_part(self.parts[number])
        return self._arrays[number]

    def _trouble(self, error: OSError) -> StoreError:
        return StoreError(
            f"{self._folder} cannot be written ({error.strerror or error}). All that its ledger "
            "names is safe: make room, or mend what is wrong, and run the same sweep again; it "
            "goes on where it stopped."
        )


def _to_retry(task: Task, status: NDArray[np.uint8]) -> tuple[tuple[int, int], ...]:
    """Return the (row, replicate) that a resumed sweep runs again."""
    rows, replicates = np.nonzero(is_retried(status))
    return tuple(
        (task.first + int(row), task.start + int(replicate))
        for row, replicate in zip(rows, replicates, strict=True)
    )
