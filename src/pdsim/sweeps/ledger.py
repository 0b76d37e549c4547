"""The ledger of a store: one line for every cell and every committed block.

Only what has a whole line here counts as done. A line is written, and made durable, after the
data it speaks of. A torn last line is what a crash leaves, and is ignored; a line whose checksum
is wrong is damage.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from zlib import crc32

from pdsim.files import write_atomically

LEDGER = "ledger.txt"


class Intervals:
    """A set of whole numbers that grows; a million replicates done in order are one interval.

    Examples
    --------
    >>> done = Intervals([(0, 100), (200, 300)])
    >>> done.add(100, 150)
    >>> done.missing(0, 300)
    [(150, 200)]
    """

    __slots__ = ("_parts",)

    def __init__(self, parts: Iterable[tuple[int, int]] = ()) -> None:
        self._parts: list[tuple[int, int]] = []
        for start, stop in parts:
            self.add(start, stop)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Iterate over the intervals in order."""
        return iter(self._parts)

    def add(self, start: int, stop: int) -> None:
        """Add the numbers from `start` up to, not with, `stop`."""
        if start >= stop:
            return
        if self._parts and self._parts[-1][0] <= start <= self._parts[-1][1]:
            first, last = self._parts[-1]
            self._parts[-1] = (first, max(last, stop))
            return
        apart = [part for part in self._parts if part[1] < start or part[0] > stop]
        touching = [part for part in self._parts if not (part[1] < start or part[0] > stop)]
        merged = (
            min([start, *(part[0] for part in touching)]),
            max([stop, *(part[1] for part in touching)]),
        )
        self._parts = sorted([*apart, merged])

    def missing(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Return the intervals of [start, stop) that are not in the set."""
        gaps: list[tuple[int, int]] = []
        at = start
        for first, last in self._parts:
            if last <= at:
                continue
            if first >= stop:
                break
            if first > at:
                gaps.append((at, first))
            at = last
        if at < stop:
            gaps.append((at, stop))
        return gaps

    def within(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Return the intervals of [start, stop) that are in the set."""
        clipped = ((max(first, start), min(last, stop)) for first, last in self._parts)
        return [(first, last) for first, last in clipped if first < last]

    def without(self, numbers: Iterable[int]) -> Self:
        """Return the set without some single numbers."""
        kept = self._parts
        for number in numbers:
            kept = [
                piece
                for first, last in kept
                for piece in ((first, min(last, number)), (max(first, number + 1), last))
                if piece[0] < piece[1]
            ]
        return type(self)(kept)

    def count(self, start: int, stop: int) -> int:
        """Return how many numbers of [start, stop) are in the set."""
        return sum(last - first for first, last in self.within(start, stop))


@dataclass(frozen=True, slots=True, kw_only=True)
class CellLine:
    """A cell came to the store: number of its row, key, scenario as JSON text."""

    row: int
    key: str
    scenario: str

    def content(self) -> list[Any]:
        """Return what stands in the line."""
        return ["cell", self.row, self.key, self.scenario]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockLine:
    """The rows [first, last) are there for the replicates [start, stop).

    Attributes
    ----------
    at : int
        Where they begin in the file of blocks.
    frames : sequence of (int, int)
        Length and checksum of each row's bytes, which lie there one after the other.
    retry : sequence of (int, int)
        (row, replicate) that a resumed sweep runs again.
    errors : sequence of str
        What went wrong where a whole block could not be run.
    """

    first: int
    last: int
    start: int
    stop: int
    at: int
    frames: Sequence[tuple[int, int]]
    retry: Sequence[tuple[int, int]] = field(default_factory=tuple)
    errors: Sequence[str] = field(default_factory=tuple)

    @property
    def size(self) -> int:
        """Bytes of all rows."""
        return sum(length for length, _ in self.frames)

    def place(self, row: int) -> tuple[int, int, int]:
        """Return where the bytes of a row begin, their length and checksum."""
        number = row - self.first
        before = sum(length for length, _ in self.frames[:number])
        return self.at + before, *self.frames[number]

    def content(self) -> list[Any]:
        """Return what stands in the line, short for the usual case."""
        place = [self.first, self.last, self.start, self.stop, self.at, self.frames]
        more = [self.retry, self.errors] if self.retry or self.errors else []
        return ["block", *place, *more]

    @classmethod
    def of(cls, content: Sequence[Any]) -> Self:
        """Read what `content` returned, without its first word."""
        first, last, start, stop, at, frames, *more = content
        retry, errors = more or ((), ())
        return cls(
            first=first, last=last, start=start, stop=stop, at=at,
            frames=tuple((length, check) for length, check in frames),
            retry=tuple((row, replicate) for row, replicate in retry),
            errors=tuple(errors),
        )  # fmt: skip


type Line = CellLine | BlockLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What is written in a ledger.

    Attributes
    ----------
    lines : list of CellLine or BlockLine
        Those that are whole.
    damaged : list of int
        Numbers of the lines that are not as they were written, from 1.
    size : int
        Bytes up to the end of the last line, without a torn one.
    torn : bool
        Whether a torn line comes after it.
    """

    lines: list[Line]
    damaged: list[int]
    size: int
    torn: bool


def read_ledger(folder: Path) -> Ledger:
    """Read the ledger of a store; one that is not there has no lines."""
    path = folder / LEDGER
    content = path.read_bytes() if path.is_file() else b""
    whole, _, rest = content.rpartition(b"\n")
    lines: list[Line] = []
    damaged = []
    for number, text in enumerate(whole.split(b"\n") if whole else [], start=1):
        line = _line(text)
        if line is None:
            damaged.append(number)
        else:
            lines.append(line)
    return Ledger(lines=lines, damaged=damaged, size=len(content) - len(rest), torn=bool(rest))


def _line(text: bytes) -> Line | None:
    check, _, content = text.partition(b" ")
    if check != _check(content):
        return None
    kind, *values = json.loads(content)
    if kind == "block":
        return BlockLine.of(values)
    row, key, scenario = values
    return CellLine(row=row, key=key, scenario=scenario)


def _text(lines: Iterable[Line]) -> bytes:
    contents = (json.dumps(line.content(), separators=(",", ":")).encode() for line in lines)
    return b"".join(b"%s %s\n" % (_check(content), content) for content in contents)


def _check(content: bytes) -> bytes:
    return b"%08x" % crc32(content)


def append_lines(folder: Path, lines: Iterable[Line]) -> None:
    """Append lines in one write and make them durable.

    Raises
    ------
    OSError
        If the disk is full; a part of a line may then be there.
    """
    append(folder / LEDGER, _text(lines))


def append(path: Path, content: bytes) -> None:
    """Append bytes to a file and make them durable."""
    with path.open("ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def rewrite_ledger(folder: Path, lines: Iterable[Line]) -> None:
    """Put these lines in the place of all that the ledger holds."""
    write_atomically(folder / LEDGER, _text(lines))


def cut(path: Path, size: int) -> None:
    """Cut a file off after `size` bytes; one that is as short already stays."""
    if path.is_file() and path.stat().st_size > size:
        with path.open("r+b") as file:
            file.truncate(size)
            os.fsync(file.fileno())
