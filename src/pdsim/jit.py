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
    return _kept(function, inline="never")


def inlined[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` into each of its callers; a call would cost more than its work."""
    return _kept(function, inline="always")


def kernel[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` for those that call it; Python itself cannot.

    The machine code on disk is that of the callers.
    """
    made: Callable[P, R] = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **_OPTIONS)(
        function
    )
    return made


def spliced[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Write `function` out where it is called, as if its text stood there: for one caller.

    Numba optimises and translates all that a function calls anew with every function: more than
    half of the time that the first use takes.
    """
    made: Callable[P, R] = njit(inline="always", **_OPTIONS)(function)
    return made


def native(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a compiled operation of a function that writes the machine's instructions."""
    made: Callable[..., Any] = intrinsic(function)
    return made


def _kept[**P, R](function: Callable[P, R], *, inline: str) -> Callable[P, R]:
    """Keep `function` on disk under a name that changes with all it may be built from.

    Numba looks at the file of the function alone: after an edit or an upgrade elsewhere it would
    run old machine code without a word.
    """
    name = function.__qualname__
    function.__qualname__ = f"{name}.{_stamp(function)}"
    made: Callable[P, R] = njit(cache=True, inline=inline, **_OPTIONS)(function)
    function.__qualname__ = made.__qualname__ = name
    return made


def on_disk(function: Callable[..., Any]) -> bool:
    """Return whether machine code of a `compiled` function is kept from an earlier process."""
    made: Any = function
    folder, name = Path(made.stats.cache_path), made.py_func.__name__
    return any(folder.glob(f"*{name}.{_stamp(made.py_func)}*.nbc"))


def _stamp(function: Callable[..., Any]) -> str:
    return _sources(Path(function.__code__.co_filename).parent)[:16]


@cache
def _sources(folder: Path) -> str:
    """Return a hash of the source files that kernels in `folder` may be built from."""
    paths = sorted({path for place in (folder, _SHARED) for path in place.glob("*.py")})
    digest = sha256(Path(__file__).read_bytes())
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()
