"""Types and decorators of the compiled loops; mypy sees the functions as they are written."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numba.extending import intrinsic
from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]
type Words = NDArray[np.uint64]
type Word = np.uint64
type FourWords = tuple[Word, Word, Word, Word]

_SETTINGS = {"cache": True, "nogil": True, "error_model": "numpy"}
"""No fastmath: sums keep their order on every machine."""


def compiled[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` on its first call, keep the machine code, run it without the GIL."""
    made: Callable[P, R] = njit(**_SETTINGS)(function)
    return made


def inlined[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` into each of its callers; a call would cost more than its work."""
    made: Callable[P, R] = njit(inline="always", **_SETTINGS)(function)
    return made


def native(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a compiled operation of a function that writes the machine's instructions."""
    made: Callable[..., Any] = intrinsic(function)
    return made
