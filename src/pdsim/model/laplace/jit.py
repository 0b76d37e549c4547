"""How kernels are compiled."""

from collections.abc import Callable

from numba import njit

# No fastmath: sums keep their order on every machine.
_OPTIONS = {"nogil": True, "error_model": "numpy"}


def kernel[F: Callable[..., object]](function: F) -> F:
    """Compile `function` into those that call it; Python itself cannot."""
    compiled: F = njit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, **_OPTIONS)
    return compiled


def entry[F: Callable[..., object]](function: F) -> F:
    """Compile `function` on first use and keep it on disk, with all that it calls.

    The disk cache watches the file of `function`, not those of the kernels in it: after an edit
    delete ``__pycache__``.
    """
    compiled: F = njit(function, cache=True, **_OPTIONS)
    return compiled
