"""A store of replicates: what it holds, and how it is opened by its one writer.

store/
  store.json      what every number in it shares: seed, measures, versions
  sweep.json      the sweep that was run last: settings, dimensions, keys of its cells
  ledger.txt      cells, and which blocks are there
  blocks.bin      the blocks
  run.json        executor, workers, times, git revision of every run; how long the ledger was
  LOCK            held by the one writer

Every file is checked when it is read: JSON has its digest in it, every line of the ledger its
checksum, and the ledger those of the blocks.
"""

import os
import socket
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from filelock import FileLock, Timeout

from pdsim.arraytypes import Ints
from pdsim.conventions import SCHEMA_VERSION
from pdsim.errors import DamagedError, PdsimError, PdsimWarning
from pdsim.files import read_json, write_json
from pdsim.sweeps.ledger import (
    LEDGER,
    BlockLine,
    CellLine,
    Intervals,
    Line,
    cut,
    read_ledger,
    rewrite_ledger,
)
from pdsim.sweeps.packing import BLOCKS, frame_of
from pdsim.terms.measures import column_key

STORE = "store.json"
SWEEP = "sweep.json"
RUN = "run.json"
LOCK = "LOCK"

AGAIN = "run the same sweep again: what is damaged is computed anew"


class StoreError(PdsimError):
    """A store cannot be used: in use, of another sweep, or no store at all."""


class UnwritableError(StoreError, OSError):
    """A store cannot be written: the disk is full, for example."""


class StoreWarning(PdsimWarning):
    """A store was damaged; what is lost is computed again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What all numbers of one store share; results that differ in it never mix."""

    simulation: str
    seed: int
    measures: tuple[str, ...]
    versions: Mapping[str, str]
    schema_version: int = SCHEMA_VERSION

    def to_mapping(self) -> dict[str, Any]:
        """Return the content of store.json."""
        return {
            "schema_version": self.schema_version,
            "simulation": self.simulation,
            "seed": self.seed,
            "measures": list(self.measures),
            "versions": dict(self.versions),
        }

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read store.json.

        Raises
        ------
        StoreError
            If `folder` is not a store.
        DamagedError
        """
        try:
            content = read_json(folder / STORE)
        except FileNotFoundError:
            raise StoreError(f"{folder} is not the store of a sweep.") from None
        return cls(**{**content, "measures": tuple(content["measures"])})

    def differences(self, other: Self) -> list[str]:
        """Say in words how `other` differs from this."""
        mine, theirs = self.to_mapping(), other.to_mapping()
        found = [
            f"{name} is {theirs[name]!r} now and {mine[name]!r} in the store"
            for name in ("schema_version", "simulation", "seed", "measures")
            if mine[name] != theirs[name]
        ]
        packages = sorted({*self.versions, *other.versions})
        return found + [
            f"{name} is {other.versions.get(name)} now and {self.versions.get(name)} in the store"
            for name in packages
            if self.versions.get(name) != other.versions.get(name)
        ]


@dataclass(slots=True)
class Contents:
    """What the ledger of a store says.

    Attributes
    ----------
    cells : dict of int to CellLine
        By row; rows of which the line was damaged are absent.
    rows : dict of str to int
        Row of each key.
    blocks : dict of int to list of BlockLine
        By row, those written last at the end.
    done : dict of int to Intervals
        By row; rows without any are absent.
    retry : dict of int to set of int
        By row, the replicates that a resumed sweep runs again.
    end : int
        Where the next block begins.
    next_row : int
        Row of the next cell.
    """

    cells: dict[int, CellLine] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    blocks: dict[int, list[BlockLine]] = field(default_factory=dict)
    done: dict[int, Intervals] = field(default_factory=dict)
    retry: dict[int, set[int]] = field(default_factory=dict)
    end: int = 0
    next_row: int = 0

    def record(self, line: Line) -> None:
        """Take note of a line."""
        if not isinstance(line, BlockLine):
            self.cells[line.row] = line
            self.rows[line.key] = line.row
            self.next_row = max(self.next_row, line.row + 1)
            return
        for row in range(line.first, line.last):
            self.blocks.setdefault(row, []).append(line)
            self.done.setdefault(row, Intervals()).add(line.start, line.stop)
            if row in self.retry:
                self.retry[row] -= set(range(line.start, line.stop))
        for row, replicate in line.retry:
            self.retry.setdefault(row, set()).add(replicate)
        self.end = max(self.end, line.at + line.size)
        self.next_row = max(self.next_row, line.last)

    def finished(self, row: int) -> Intervals:
        """Return the replicates of a row that need not be run again."""
        done = self.done.get(row, Intervals())
        again = self.retry.get(row)
        return done.without(again) if again else done


def places_of(stored: Sequence[str], columns: Sequence[str]) -> Ints:
    """Return where a store's measures stand among those that a block of the simulation has here.

    Raises
    ------
    StoreError
        If one is unknown here: a measure of somebody's own that was not registered.
    """
    known = {column_key(name): place for place, name in enumerate(columns)}
    unknown = [name.partition(" ")[0] for name in stored if name not in known]
    if unknown:
        raise StoreError(
            f"the store has the performance measure {unknown[0]!r}, which is not known here, or "
            "from another source: register it first."
        )
    return np.array([known[name] for name in stored], dtype=np.int64)


def read_contents(folder: Path) -> Contents:
    """Read the ledger of a store.

    Raises
    ------
    DamagedError
        If it is not as it was written, or shorter than when the last run ended.
    """
    # first, since a sweep may be running
    least = _sealed_size(folder)
    ledger = read_ledger(folder)
    if ledger.damaged:
        lines = ", ".join(map(str, ledger.damaged[:5]))
        raise DamagedError(folder / LEDGER, f"line {lines}", cure=AGAIN)
    if ledger.size < least:
        raise DamagedError(folder / LEDGER, "its end is missing", cure=AGAIN)
    contents = Contents()
    for line in ledger.lines:
        contents.record(line)
    return contents


def _sealed_size(folder: Path) -> int:
    """Return how long the ledger was when a run began or ended last."""
    try:
        return int(read_json(folder / RUN)["runs"][-1]["ledger_bytes"])
    except FileNotFoundError:
        raise StoreError(f"no sweep was started in {folder} yet.") from None
    except DamagedError as error:
        raise DamagedError(error.path, "its digest is wrong", cure=AGAIN) from None


def mended_contents(folder: Path) -> Contents:
    """Read a store whose lock is held; leave out, and take out of it, all that is damaged.

    Gives a StoreWarning where something was.
    """
    try:
        least = _sealed_size(folder)
    except (DamagedError, StoreError):
        least = 0
    ledger, path = read_ledger(folder), folder / BLOCKS
    path.touch()
    with path.open("rb") as file:
        kept = [line for line in ledger.lines if _is_whole(line, file)]
    lost = len(ledger.lines) - len(kept) + len(ledger.damaged)
    if lost or ledger.size < least:
        rewrite_ledger(folder, kept)
        told = f"{lost} records of it are lost" if lost else "the end of its ledger is lost"
        warnings.warn(
            f"{folder} was damaged: {told}; what they held is computed again.",
            StoreWarning,
            stacklevel=3,
        )
    elif ledger.torn:
        cut(folder / LEDGER, ledger.size)
    contents = Contents()
    for line in kept:
        contents.record(line)
    cut(path, contents.end)
    return contents


def _is_whole(line: Line, blocks: IO[bytes]) -> bool:
    """Whether the bytes that a line speaks of are as they were written."""
    if isinstance(line, CellLine):
        return True
    blocks.seek(line.at)
    return all(frame_of(blocks.read(length)) == (length, check) for length, check in line.frames)


@contextmanager
def locked(folder: Path, identity: Identity) -> Iterator[None]:
    """Make `folder` a store if need be, and hold it as its one writer.

    Raises
    ------
    StoreError
        If another process holds the store, if the folder is something else, or if the store's
        numbers were made with another seed, measures or versions.
    """
    _refuse_other_folders(folder)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=0):
            if (folder / STORE).exists():
                _refuse_other_numbers(folder, identity)
            else:
                write_json(folder / STORE, identity.to_mapping())
            for stray in folder.glob(".*.tmp"):
                stray.unlink()
            yield
    except Timeout as error:
        raise StoreError(
            f"{folder} is in use by {_holder(folder)}: wait until it ends, or sweep into another "
            "store."
        ) from error


def _holder(folder: Path) -> str:
    try:
        return str(read_json(folder / RUN)["runs"][-1]["process"])
    except (OSError, PdsimError, LookupError):
        return "another process"


def add_run(folder: Path, record: Mapping[str, Any], *, new: bool) -> None:
    """Add a run to run.json, or complete the last one; and how long the ledger is."""
    try:
        runs = read_json(folder / RUN)["runs"]
    except (FileNotFoundError, DamagedError):
        runs = []
    whole = {
        **record,
        "process": f"process {os.getpid()} on {socket.gethostname()}",
        "ledger_bytes": read_ledger(folder).size,
    }
    write_json(folder / RUN, {"runs": [*(runs if new else runs[:-1]), whole]})


def _refuse_other_folders(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file: name a folder for the store.")
    if folder.is_dir() and not (folder / STORE).exists():
        others = sorted(
            path.name
            for path in folder.iterdir()
            if path.name != LOCK and not (path.name.startswith(".") and path.suffix == ".tmp")
        )
        if others:
            raise StoreError(
                f"{folder} holds other files ({', '.join(others[:3])}): name a new or empty "
                "folder for the store."
            )


def _refuse_other_numbers(folder: Path, identity: Identity) -> None:
    differences = Identity.read(folder).differences(identity)
    if differences:
        raise StoreError(
            f"{folder} was made otherwise, and its results must not mix with new ones: "
            + "; ".join(differences)
            + ". Sweep into a new store, or go back to what the store was made with."
        )
