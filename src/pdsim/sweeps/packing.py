"""The replicates of a store: bytes of one row and block after the other in one file.

Nothing in the file is ever changed: blocks are appended, and the ledger says where they are. What
the ledger does not name, after a crash, is cut off before the next block comes.
"""

from functools import lru_cache
from typing import Any, Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

BLOCKS = "blocks.bin"

CHUNK = 4000
"""Summaries read so many replicates at a time; no block crosses a multiple of it."""

_LEVEL: Final = 1
"""Of Zstandard; workers compress, so that it costs the one writer nothing."""


@lru_cache(maxsize=1)
def _codec() -> Any:
    import pyarrow

    return pyarrow.Codec("zstd", compression_level=_LEVEL)


def pack(measures: NDArray[np.float64], status: NDArray[np.uint8]) -> bytes:
    """Return the bytes of measures (replicate, measure) and status (replicate,) of one row."""
    columns = np.ascontiguousarray(measures.T, dtype="<f8").tobytes()
    packed: bytes = _codec().compress(columns + status.tobytes(), asbytes=True)
    return packed


def unpack(
    content: bytes, replicates: int, width: int
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Return what `pack` was given."""
    size = 8 * replicates * width
    whole = _codec().decompress(content, decompressed_size=size + replicates, asbytes=True)
    columns = np.frombuffer(whole, dtype="<f8", count=replicates * width)
    status = np.frombuffer(whole, dtype=np.uint8, offset=size)
    return columns.reshape(width, replicates).T, status


def frame_of(content: bytes) -> tuple[int, int]:
    """Return the length and the checksum of the bytes of a row."""
    return len(content), crc32(content)
