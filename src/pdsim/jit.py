"""How loops are compiled, and when machine code kept on disk is no longer good."""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from numba import njit
from numba.extending import intrinsic

# No fastmath: sums keep their order on every machine.
_OPTIONS: Final = {"nogil": True, "error_model": "numpy"}
_SHARED: Final = Path(__file__).parent / "ranking"
"""Kernels of other packages are built from those of this one."""


def compiled[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` on its first call and keep the machine code on disk."""
    return _kept(njit(cache=True, **_OPTIONS)(function), function)


def inlined[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` into each of its callers; a call would cost more than its work."""
    return _kept(njit(inline="always", cache=True, **_OPTIONS)(function), function)


def kernel[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` into those that call it; Python itself cannot."""
    made: Callable[P, R] = njit(
        function, no_cpython_wrapper=True, no_cfunc_wrapper=True, **_OPTIONS
    )
    return made


def native(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a compiled operation of a function that writes the machine's instructions."""
    made: Callable[..., Any] = intrinsic(function)
    return made


def _kept[**P, R](dispatcher: Any, function: Callable[P, R]) -> Callable[P, R]:
    """Let the disk cache of `function` expire with the source of anything it may be built from.

    Numba looks at the file of the function alone: after an edit or an upgrade elsewhere it would
    run old machine code without a word.
    """
    file = dispatcher._cache._cache_file
    file._source_stamp = (file._source_stamp, _sources(Path(function.__code__.co_filename).parent))
    made: Callable[P, R] = dispatcher
    return made


@cache
def _sources(folder: Path) -> str:
    """Return a hash of the source files that kernels in `folder` may be built from."""
    paths = sorted({path for place in (folder, _SHARED) for path in place.glob("*.py")})
    digest = sha256(Path(__file__).read_bytes())
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()
