"""The ledger of a store: one line for every part and every committed block.

Only what has a whole line here counts as done. A line is written, and made durable, after the
data it speaks of; a torn last line is what a crash leaves, and is ignored.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

LEDGER = "ledger.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartLine:
    """A part was created: `cells` rows of the replicates [start, stop)."""

    part: int
    cells: int
    start: int
    stop: int
    chunk: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockLine:
    """The rows [first, last) of a part are there for the replicates [start, stop).

    `retry` lists the (row, replicate) that a resumed sweep runs again, `errors` what went wrong
    where a whole block could not be run.
    """

    part: int
    first: int
    last: int
    start: int
    stop: int
    retry: Sequence[tuple[int, int]] = field(default_factory=tuple)
    errors: Sequence[str] = field(default_factory=tuple)

    def to_json(self) -> dict[str, Any]:
        """Return the line's JSON, short for the usual case."""
        line: dict[str, Any] = {"done": [self.part, self.first, self.last, self.start, self.stop]}
        if self.retry:
            line["retry"] = [list(item) for item in self.retry]
        if self.errors:
            line["errors"] = list(self.errors)
        return line

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        part, first, last, start, stop = line["done"]
        return cls(
            part=part,
            first=first,
            last=last,
            start=start,
            stop=stop,
            retry=tuple((row, replicate) for row, replicate in line.get("retry", ())),
            errors=tuple(line.get("errors", ())),
        )


def read_ledger(folder: Path) -> Iterator[PartLine | BlockLine]:
    """Yield the whole lines of the ledger of a store; none where there is no ledger."""
    path = folder / LEDGER
    if not path.is_file():
        return
    with path.open("rb") as file:
        for text in file:
            if not text.endswith(b"\n"):
                return
            line = json.loads(text)
            if "done" in line:
                yield BlockLine.from_json(line)
            else:
                yield PartLine(**line)


def cut_torn_line(folder: Path) -> None:
    """Remove a torn last line, so that the next line does not continue it."""
    path = folder / LEDGER
    if not path.is_file():
        return
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        keep = size
        while keep:
            step = min(keep, 65536)
            file.seek(keep - step)
            newline = file.read(step).rfind(b"\n")
            if newline >= 0:
                keep = keep - step + newline + 1
                break
            keep -= step
        if keep < size:
            file.truncate(keep)
            os.fsync(file.fileno())


def append_lines(folder: Path, lines: Sequence[PartLine | BlockLine]) -> None:
    """Append lines in one write and make them durable.

    Raises
    ------
    OSError
        If the disk is full; a part of a line may then be there.
    """
    text = "".join(json.dumps(_line(line), separators=(",", ":")) + "\n" for line in lines).encode()
    with (folder / LEDGER).open("ab", buffering=0) as file:
        written = 0
        while written < len(text):
            written += file.write(text[written:])
        os.fsync(file.fileno())


def _line(line: PartLine | BlockLine) -> dict[str, Any]:
    if isinstance(line, BlockLine):
        return line.to_json()
    return {name: getattr(line, name) for name in ("part", "cells", "start", "stop", "chunk")}
