"""A store opened for reading: what is there, and the replicates of some cells."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pdsim.sweeps.arrays import CHUNK, PartArrays, open_part
from pdsim.sweeps.store import STORE, SWEEP, Identity, StoreError, read_parts

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
    rows : dict of str to list of (PartArrays, int)
        Where the replicates of each cell are.
    """

    identity: Identity
    sweep: dict[str, Any]
    rows: dict[str, list[tuple[PartArrays, int]]]

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

        What is not there is NaN with status 0. Chunk by chunk, so that no more than the result
        is in memory.
        """
        shape = (len(keys), end - begin, len(self.identity.measures))
        measures, status = np.full(shape, np.nan), np.zeros(shape[:2], dtype=np.uint8)
        for cell, key in enumerate(keys):
            for arrays, row in self.rows.get(key, ()):
                part = arrays.part
                for first, last in part.done[row].within(begin, end):
                    for start, stop in part.chunks(first, last):
                        here = slice(start - begin, stop - begin)
                        measures[cell, here], status[cell, here] = arrays.read(row, start, stop)
        return measures, status


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
    """
    place = Path(store)
    folders = job_stores(place)
    if not folders:
        raise StoreError(f"{place} is not the store of a sweep.")
    identity, sweep = Identity.read(folders[0]), _read_sweep(folders[0])
    rows: dict[str, list[tuple[PartArrays, int]]] = {}
    for folder in folders:
        if Identity.read(folder) != identity or _read_sweep(folder) != sweep:
            raise StoreError(
                f"{folder.name} and {folders[0].name} in {place} are of different sweeps: run "
                "every array job with the same settings and versions."
            )
        for part in read_parts(folder):
            arrays = open_part(part)
            for row in part.done:
                rows.setdefault(part.keys[row], []).append((arrays, row))
    return OpenStore(identity=identity, sweep=sweep, rows=rows)


def _read_sweep(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / SWEEP).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise StoreError(f"no sweep was started in {folder} yet.") from error
