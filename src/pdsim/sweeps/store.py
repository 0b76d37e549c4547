"""A store of replicates: what it holds, and how it is opened for reading or by its one writer.

store/
  store.json      what every number in it shares: seed, measures, versions
  sweep.json      the sweep that was run last: settings, dimensions, keys of its cells
  ledger.jsonl    which blocks are there
  run.json        executor, workers, times, git revision of every run
  LOCK            held with flock by the one writer
  parts/0000/     cells.jsonl and a Zarr group of `measures` and `status`, of fixed shape
"""

import fcntl
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pdsim.conventions import SCHEMA_VERSION
from pdsim.errors import PdsimError
from pdsim.files import write_atomically
from pdsim.sweeps.intervals import Intervals
from pdsim.sweeps.ledger import BlockLine, PartLine, cut_torn_line, read_ledger

STORE = "store.json"
SWEEP = "sweep.json"
RUN = "run.json"
LOCK = "LOCK"
PARTS = "parts"
CELLS = "cells.jsonl"


class StoreError(PdsimError):
    """A store cannot be used: in use, full, of another sweep, or no store at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What all numbers of one store share; results that differ in it never mix."""

    simulation: str
    seed: int
    measures: tuple[str, ...]
    versions: Mapping[str, str]
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> str:
        """Return the text of store.json."""
        content = {
            "schema_version": self.schema_version,
            "simulation": self.simulation,
            "seed": self.seed,
            "measures": list(self.measures),
            "versions": dict(self.versions),
        }
        return json.dumps(content, indent=1, sort_keys=True) + "\n"

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read store.json.

        Raises
        ------
        StoreError
            If `folder` is not a store.
        """
        try:
            content = json.loads((folder / STORE).read_text(encoding="utf-8"))
            return cls(**{**content, "measures": tuple(content["measures"])})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{folder} is not the store of a sweep: it has no readable {STORE}."
            ) from error

    def differences(self, other: Self) -> list[str]:
        """Say in words how `other` differs from this."""
        mine, theirs = json.loads(self.to_json()), json.loads(other.to_json())
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
class Part:
    """A rectangle of cells and replicates in one Zarr group, and what of it is done.

    Attributes
    ----------
    folder : Path
    number : int
    keys : tuple of str
        Decision key of each row.
    start, stop : int
        The replicates it has room for.
    chunk : int
        Replicates in one Zarr chunk.
    done : dict of int to Intervals
        By row; rows without any are absent.
    retry : dict of int to set of int
        By row, the replicates that a resumed sweep runs again.
    """

    folder: Path
    number: int
    keys: tuple[str, ...]
    start: int
    stop: int
    chunk: int
    done: dict[int, Intervals] = field(default_factory=dict)
    retry: dict[int, set[int]] = field(default_factory=dict)

    def record(self, line: BlockLine) -> None:
        """Take note of a committed block."""
        for row in range(line.first, line.last):
            self.done.setdefault(row, Intervals()).add(line.start, line.stop)
            if row in self.retry:
                self.retry[row] -= set(range(line.start, line.stop))
        for row, replicate in line.retry:
            self.retry.setdefault(row, set()).add(replicate)

    def chunks(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Cut [start, stop) where one Zarr chunk ends and the next begins."""
        first = start - (start - self.start) % self.chunk
        edges = range(first, stop, self.chunk)
        return [(max(start, at), min(at + self.chunk, stop)) for at in edges]

    def finished(self, row: int) -> Intervals:
        """Return the replicates of a row that need not be run again."""
        done = self.done.get(row, Intervals())
        again = self.retry.get(row)
        return done.without(again) if again else done


def read_parts(folder: Path) -> list[Part]:
    """Return the parts of a store with what the ledger says is done.

    Raises
    ------
    StoreError
        If the ledger speaks of a part that is not there.
    """
    parts: dict[int, Part] = {}
    for line in read_ledger(folder):
        if isinstance(line, PartLine):
            place = part_folder(folder, line.part)
            keys = tuple(key for key, _ in read_cells(place))
            if len(keys) != line.cells:
                raise StoreError(
                    f"part {place.name} of {folder} has {len(keys)} cells but its ledger says "
                    f"{line.cells}: the store is damaged; restore it or sweep into a new one."
                )
            parts[line.part] = Part(place, line.part, keys, line.start, line.stop, line.chunk)
        else:
            parts[line.part].record(line)
    return list(parts.values())


def part_folder(folder: Path, number: int) -> Path:
    """Return the folder of a part."""
    return folder / PARTS / f"{number:04d}"


def read_cells(part: Path) -> Iterator[tuple[str, str]]:
    """Yield the key of every row of a part and its scenario as JSON text."""
    path = part / CELLS
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            key, _, scenario = line.rstrip("\n").partition(" ")
            yield key, scenario


@contextmanager
def locked(folder: Path, identity: Identity) -> Iterator[None]:
    """Make `folder` a store if need be, and hold it as its one writer.

    Leftovers of a crash (a torn ledger line, files half written, a part without a ledger line)
    are removed while the lock is held.

    Raises
    ------
    StoreError
        If another process holds the store, if the folder is something else, or if the store's
        numbers were made with another seed, measures or versions.
    """
    _refuse_other_folders(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise StoreError(
                f"{folder} is in use by {lock.read().strip() or 'another process'}: wait until "
                "it ends, or sweep into another store."
            ) from error
        lock.seek(0)
        lock.truncate()
        lock.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        lock.flush()
        if (folder / STORE).exists():
            _refuse_other_numbers(folder, identity)
        else:
            write_atomically(folder / STORE, identity.to_json())
        _remove_leftovers(folder)
        yield


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


def _remove_leftovers(folder: Path) -> None:
    cut_torn_line(folder)
    for stray in folder.glob(".*.tmp"):
        stray.unlink()
    known = {line.part for line in read_ledger(folder) if isinstance(line, PartLine)}
    parts = folder / PARTS
    parts.mkdir(exist_ok=True)
    for place in sorted(parts.iterdir()):
        if not place.name.isdigit() or int(place.name) not in known:
            shutil.rmtree(place)
            continue
        for stray in place.rglob("*.partial"):
            stray.unlink()


def write_json(path: Path, content: Any) -> None:
    """Write JSON text whole or not at all."""
    write_atomically(path, json.dumps(content, sort_keys=True) + "\n")
