"""The one writer of a store: gathers finished blocks and commits them together.

A commit is: the bytes of the blocks, made durable; then one line for each block in the ledger,
made durable. A crash between the two loses what the ledger does not name and nothing else. Commits
are made one after the other by a thread, while the caller goes on with what workers send.
"""

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pdsim.sweeps.contract import is_retried
from pdsim.sweeps.crossing import Cell
from pdsim.sweeps.ledger import BlockLine, CellLine, append, append_lines
from pdsim.sweeps.packing import BLOCKS, frame_of
from pdsim.sweeps.store import Contents, UnwritableError
from pdsim.sweeps.tasks import Done, Task

COMMIT_SECONDS = 2.0
"""A crash loses no more than this much work of every worker, and the block that it is at."""

COMMIT_BYTES = 1 << 24


class Writer:
    """Appends blocks to a store whose lock the caller holds.

    A context manager: what was not committed when it ends is lost, and nothing is written after.

    Parameters
    ----------
    folder : Path
    contents : Contents
        What the store holds; kept up to date with what is durable.
    width : int
        Number of measures.
    """

    def __init__(self, folder: Path, contents: Contents, *, width: int) -> None:
        self._folder = folder
        self.width = width
        self.contents = contents
        self._at = contents.end
        self._lines: list[BlockLine] = []
        self._frames: list[bytes] = []
        self._bytes = 0
        self._since = 0.0
        self._thread = ThreadPoolExecutor(1)
        self._under_way: tuple[list[BlockLine], Future[None]] | None = None

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

    def add_cells(self, cells: Mapping[str, Cell]) -> None:
        """Give a row to every cell that has none yet.

        Parameters
        ----------
        cells : mapping of str to Cell
            By key, cells that share their data one after the other.
        """
        new = [cell for key, cell in cells.items() if key not in self.contents.rows]
        first = self.contents.next_row
        lines = [
            CellLine(row=row, key=cell.key, scenario=cell.text)
            for row, cell in enumerate(new, start=first)
        ]
        if not lines:
            return
        try:
            append_lines(self._folder, lines)
        except OSError as error:
            raise self._trouble(error) from error
        for line in lines:
            self.contents.record(line)

    def add(self, done: Done, *, errors: Iterable[str] = ()) -> None:
        """Take a finished block, and begin a commit if enough has gathered.

        Raises
        ------
        UnwritableError
            If an earlier commit could not be written.
        """
        task = done.task
        if not self._lines:
            self._since = time.monotonic()
        line = BlockLine(
            first=task.first,
            last=task.last,
            start=task.start,
            stop=task.stop,
            at=self._at,
            frames=[frame_of(frame) for frame in done.frames],
            retry=_to_retry(task, done.status),
            errors=tuple(errors),
        )
        self._lines.append(line)
        self._frames.extend(done.frames)
        self._at += line.size
        self._bytes += line.size
        if time.monotonic() - self._since > COMMIT_SECONDS or self._bytes > COMMIT_BYTES:
            self._begin_commit()

    def commit(self) -> None:
        """Make everything that was added durable.

        Raises
        ------
        UnwritableError
            If it cannot be written, for example because the disk is full.
        """
        self._begin_commit()
        self._end_commit()

    def _begin_commit(self) -> None:
        """Hand what was added to the thread, once the commit before is durable."""
        self._end_commit()
        if self._lines:
            made = self._thread.submit(self._make_durable, self._frames, self._lines)
            self._under_way = self._lines, made
            self._lines, self._frames, self._bytes = [], [], 0

    def _end_commit(self) -> None:
        """Wait for the commit under way and take note of what is durable now."""
        if self._under_way is None:
            return
        lines, made = self._under_way
        self._under_way = None
        try:
            made.result()
        except OSError as error:
            raise self._trouble(error) from error
        for line in lines:
            self.contents.record(line)

    def _make_durable(self, frames: list[bytes], lines: list[BlockLine]) -> None:
        append(self._folder / BLOCKS, b"".join(frames))
        append_lines(self._folder, lines)

    def _trouble(self, error: OSError) -> UnwritableError:
        return UnwritableError(
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
