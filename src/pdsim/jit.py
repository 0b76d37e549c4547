"""How loops are compiled, and when machine code kept on disk is no longer good."""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from numba import njit
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering
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


class _Part(JITCodeLibrary):  # type: ignore[misc]
    """Code for others to take in; it is optimised there and has no machine code of its own."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class _PartLowering(NativeLowering):  # type: ignore[misc]
    _name = "part_lowering"

    def run_pass(self, state: Any) -> bool:
        state.library = _Part(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        state.flags.no_compile = True
        super().run_pass(state)
        # numba knows a function by the built-in that runs it: one that nobody calls
        entry: Any = [].append
        state.targetctx.insert_user_function(entry, state.cr.fndesc, [state.library])
        state.cr = state.cr._replace(cfunc=entry)
        return True


class _PartCompiler(CompilerBase):  # type: ignore[misc]
    def define_pipelines(self) -> list[Any]:
        builder = DefaultPassBuilder.define_nopython_pipeline(self.state)
        builder.add_pass_after(_PartLowering, NativeLowering)
        builder.passes = [part for part in builder.passes if part[0] is not NativeLowering]
        builder.finalize()
        return [builder]


def kernel[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` into those that call it; Python itself cannot.

    Numba would optimise and translate a function anew at every level of calls: more than half of
    the time that the first use takes.
    """
    made: Callable[P, R] = njit(
        function,
        pipeline_class=_PartCompiler,
        no_cpython_wrapper=True,
        no_cfunc_wrapper=True,
        **_OPTIONS,
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
