"""The Zarr arrays of a part: created whole, written a chunk at a time, never resized.

Zarr lays the arrays out and reads them. Chunks are written here, as Zarr would write them: its own
way takes three times as long, and there is one writer for all workers.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import zarr
from numcodecs.zstd import Zstd  # type: ignore[import-untyped]
from numpy.typing import NDArray
from zarr.codecs import ZstdCodec

from pdsim.files import sync_folder, write_atomically
from pdsim.sweeps.store import CELLS, Part

CHUNK = 4000
"""Most replicates in one chunk: writing it stays small beside computing what is in it."""

GROUP = 40_000
"""Most (cell, replicate) pairs in the chunks that the cells of one data set fill together."""

_ENCODING: Final[dict[str, Any]] = {"name": "default", "separator": "."}
"""All chunks of an array in one folder, so that one fsync makes their names durable."""

MEASURES, STATUS = "measures", "status"

LEVEL: Final = -5
"""Of Zstandard: half the time of level 1, for a sixth more bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartArrays:
    """The two arrays of a part."""

    part: Part
    measures: zarr.Array[Any]
    status: zarr.Array[Any]

    def read(
        self, row: int, start: int, stop: int
    ) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Return measures (replicate, measure) and status (replicate,) of a row, as stored."""
        here = slice(start - self.part.start, stop - self.part.start)
        return (
            np.asarray(self.measures[row, here, :], dtype=np.float64),
            np.asarray(self.status[row, here], dtype=np.uint8),
        )


def create_part(part: Part, scenarios: Iterable[str], measures: tuple[str, ...]) -> None:
    """Lay out a part on disk and make it durable; its ledger line comes after.

    Parameters
    ----------
    part : Part
    scenarios : iterable of str
        JSON text of the scenario of every row.
    measures : tuple of str
        Names along the last axis.
    """
    part.folder.mkdir(parents=True)
    lines = zip(part.keys, scenarios, strict=True)
    write_atomically(part.folder / CELLS, "".join(f"{key} {text}\n" for key, text in lines))
    group = zarr.create_group(
        part.folder, zarr_format=3, attributes={"start": part.start, "measure": list(measures)}
    )
    cells, replicates = len(part.keys), part.stop - part.start
    group.create_array(
        MEASURES,
        shape=(cells, replicates, len(measures)),
        chunks=(1, part.chunk, len(measures)),
        dtype="float64",
        compressors=ZstdCodec(level=LEVEL),
        fill_value=np.nan,
        dimension_names=("scenario", "replicate", "measure"),
        chunk_key_encoding=_ENCODING,
    )
    group.create_array(
        STATUS,
        shape=(cells, replicates),
        chunks=(1, part.chunk),
        dtype="uint8",
        compressors=ZstdCodec(level=LEVEL),
        fill_value=0,
        dimension_names=("scenario", "replicate"),
        chunk_key_encoding=_ENCODING,
    )
    for folder, _, files in os.walk(part.folder):
        for name in files:
            sync_file(Path(folder) / name)
        sync_folder(Path(folder))
    sync_folder(part.folder.parent)


def chunk_length(replicates: int, sharing: int) -> int:
    """Return the replicates in a chunk of a part, of whose cells up to `sharing` share data.

    Those are computed together and so wait in memory together until their chunks are full.

    Examples
    --------
    >>> chunk_length(10_000, 1), chunk_length(10_000, 100), chunk_length(50, 1)
    (4000, 400, 50)
    """
    return min(replicates, max(100, min(CHUNK, GROUP // sharing)))


def open_part(part: Part) -> PartArrays:
    """Open the arrays of a part for reading."""
    group = zarr.open_group(part.folder, mode="r", zarr_format=3)
    measures, status = group[MEASURES], group[STATUS]
    if not (isinstance(measures, zarr.Array) and isinstance(status, zarr.Array)):
        raise TypeError(f"{part.folder} holds no arrays")
    return PartArrays(part=part, measures=measures, status=status)


def write_chunk(part: Part, row: int, number: int, values: NDArray[Any]) -> None:
    """Write a chunk of measures (replicate, measure) or of status (replicate,) durably.

    A reader sees the old chunk or the new one. The folder is left to be synchronised once for all
    chunks of a commit.

    Parameters
    ----------
    part : Part
    row, number : int
        Row of the part, and number of the chunk along the replicates.
    values : ndarray of float64 or uint8
        The whole chunk, ``part.chunk`` replicates.
    """
    name = f"c.{row}.{number}.0" if values.ndim == 2 else f"c.{row}.{number}"
    path = part.folder / (MEASURES if values.ndim == 2 else STATUS) / name
    content = Zstd(level=LEVEL).encode(np.ascontiguousarray(values, values.dtype.newbyteorder("<")))
    partial = path.with_name(f"{name}.partial")
    with partial.open("wb", buffering=0) as file:
        written = 0
        while written < len(content):
            written += file.write(content[written:])
        os.fsync(file.fileno())
    partial.replace(path)


def sync_file(path: Path) -> None:
    """Make the content of a file durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
