"""A store opened for reading: what is there, and the replicates of some cells."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pdsim.arraytypes import Bytes, Floats, Ints
from pdsim.errors import DamagedError
from pdsim.files import read_json
from pdsim.sweeps.contract import load_simulation
from pdsim.sweeps.ledger import BlockLine
from pdsim.sweeps.packing import BLOCKS, CHUNK, frame_of, unpack
from pdsim.sweeps.store import (
    AGAIN,
    STORE,
    SWEEP,
    Contents,
    Identity,
    StoreError,
    places_of,
    read_contents,
)
from pdsim.terms.measures import MEASURES
from pdsim.terms.registry import take_over

BATCH_BYTES = 1 << 23
"""About so much is read at a time for a summary, at least one chunk of one cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenStore:
    """What is known of a sweep without reading a single replicate.

    Attributes
    ----------
    identity : Identity
    sweep : dict
        Content of sweep.json: `settings`, `dims`, `keys`.
    columns : tuple of str
        Names along the last axis of what is read: those of the simulation as it is here.
    order : ndarray of int
        Where the measures of the store stand among them.
    places : list of (Path, Contents)
        The stores of the array jobs, or the one store.
    """

    identity: Identity
    sweep: dict[str, Any]
    columns: tuple[str, ...]
    order: Ints
    places: list[tuple[Path, Contents]]

    @property
    def keys(self) -> list[str]:
        """Key of every cell, in the order of the dimensions."""
        return list(self.sweep["keys"])

    @property
    def replicates(self) -> int:
        """Replicates wanted of every cell."""
        return int(self.sweep["settings"]["replicates"])

    @property
    def batch(self) -> int:
        """Cells that are read at a time."""
        slab = min(self.replicates, CHUNK)
        return max(1, BATCH_BYTES // (slab * len(self.identity.measures) * 8))

    def read(
        self, keys: Sequence[str], begin: int, end: int
    ) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Return measures (scenario, replicate, measure) and status of some replicates.

        What is not there is NaN, with status 0 where nothing of a replicate is. Block by block, so
        that no more than the result is in memory.

        Raises
        ------
        DamagedError
            If a block is not as it was written.
        """
        shape = (len(keys), end - begin, len(self.columns))
        measures, status = np.full(shape, np.nan), np.zeros(shape[:2], dtype=np.uint8)
        for folder, contents in self.places:
            if not (folder / BLOCKS).is_file():
                raise DamagedError(folder / BLOCKS, "it is missing", cure=AGAIN)
            with (folder / BLOCKS).open("rb") as file:
                for cell, key in enumerate(keys):
                    row = contents.rows.get(key)
                    if row is not None:
                        lines = contents.blocks.get(row, ())
                        _read_row(file, lines, row, begin, self.order, measures[cell], status[cell])
        return measures, status


def _read_row(
    file: BinaryIO,
    lines: Sequence[BlockLine],
    row: int,
    begin: int,
    order: Ints,
    measures: Floats,
    status: Bytes,
) -> None:
    """Fill in the replicates of one row from `begin`; of what was run twice, the later run."""
    end = begin + len(status)
    for line in lines:
        start, stop = max(line.start, begin), min(line.stop, end)
        if start >= stop:
            continue
        at, length, check = line.place(row)
        file.seek(at)
        content = file.read(length)
        if frame_of(content) != (length, check):
            what = f"replicates {line.start} to {line.stop - 1} of row {row}"
            raise DamagedError(Path(file.name), what, cure=AGAIN)
        whole = unpack(content, line.stop - line.start, len(order))
        here, there = (
            slice(start - begin, stop - begin),
            slice(start - line.start, stop - line.start),
        )
        measures[here][:, order], status[here] = whole[0][there], whole[1][there]


def job_stores(store: Path) -> list[Path]:
    """Return the stores at a place: itself, and those of the array jobs in it."""
    found = [store] if (store / STORE).exists() else []
    return found + sorted(path.parent for path in store.glob(f"job-*/{STORE}"))


def read_store(store: str | Path) -> OpenStore:
    """Read the metadata and the ledger of a store, or of all array jobs' stores in a folder.

    Raises
    ------
    StoreError
        If there is no store, no sweep was started in it, or its array jobs ran other sweeps.
    InputError
        If it has a measure that somebody registered and that cannot be imported here.
    """
    place = Path(store)
    folders = job_stores(place)
    if not folders:
        raise StoreError(f"{place} is not the store of a sweep.")
    identity, sweep = Identity.read(folders[0]), _read_sweep(folders[0])
    places = []
    for folder in folders:
        if Identity.read(folder) != identity or _read_sweep(folder) != sweep:
            raise StoreError(
                f"{folder.name} and {folders[0].name} in {place} are of different sweeps: run "
                "every array job with the same settings and versions."
            )
        places.append((folder, read_contents(folder)))
    _take_over_measures(identity, places[0][1])
    columns = tuple(load_simulation(identity.simulation).COLUMNS)
    order = places_of(identity.measures, columns)
    return OpenStore(identity=identity, sweep=sweep, columns=columns, order=order, places=places)


def _take_over_measures(identity: Identity, contents: Contents) -> None:
    """Register the measures of somebody's own that the store has, as its first cell names them."""
    for line in list(contents.cells.values())[:1]:
        for extension in json.loads(line.scenario).get("extensions", ()):
            about = json.loads(extension)
            if about["sort"] == MEASURES.sort and about["key"] in identity.measures:
                take_over(extension)


def _read_sweep(folder: Path) -> dict[str, Any]:
    try:
        return read_json(folder / SWEEP)
    except FileNotFoundError:
        raise StoreError(f"no sweep was started in {folder} yet.") from None
    except DamagedError as error:
        raise DamagedError(error.path, "its digest is wrong", cure=AGAIN) from None
