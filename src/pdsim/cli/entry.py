"""`pdsim`: every command in its place, and what becomes of errors."""

import io
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from pdsim.cli.designing import plan, sweep
from pdsim.cli.handing import compare, figure, report, table, terms
from pdsim.cli.interviewing import interviews
from pdsim.cli.saying import complain, say, show_warning
from pdsim.cli.studies import analyse, check, example, init, rank
from pdsim.errors import PdsimError

app = typer.Typer(
    name="pdsim",
    help="Say who improved most and least, how sure that is, and whether the choice would hold.",
    no_args_is_help=True,
    add_completion=True,
    # names in messages may look like markup, and tracebacks are not for users
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def start(
    version: Annotated[
        bool, typer.Option("--version", help="Say which version this is, and stop.", is_eager=True)
    ] = False,
) -> None:
    """Say who improved most and least, how sure that is, and whether the choice would hold."""
    if version:
        from pdsim import __version__

        say(f"pdsim {__version__}")
        raise typer.Exit


for command in (
    init,
    check,
    analyse,
    rank,
    sweep,
    plan,
    report,
    figure,
    table,
    compare,
    terms,
    example,
):
    app.command()(command)
app.add_typer(interviews, name="interviews")


def main() -> None:
    """Run the command line.

    Exits with 2 when an input is at fault, 1 when a file cannot be written or pdsim itself is at
    fault, 130 on Ctrl-C. No traceback is shown: that of an unforeseen error goes to a file.
    """
    warnings.showwarning = show_warning
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # terminals of Windows may not have every letter of a name
            stream.reconfigure(errors="backslashreplace")
    try:
        with _without_dask():
            app(prog_name="pdsim")
    except PdsimError as error:
        complain(str(error))
        sys.exit(1 if isinstance(error, OSError) else 2)
    except BrokenPipeError:
        # whoever read the output has seen enough
        sys.stdout = None
        sys.exit(1)
    except OSError as error:
        complain(f"{error.filename or 'a file'}: {error.strerror or error}")
        if isinstance(error, PermissionError) and sys.platform == "win32":
            complain("If it is open in another program, close it there first.")
        sys.exit(1)
    except MemoryError:
        complain("There is not enough memory for this.")
        sys.exit(1)
    except Exception as error:
        from pdsim.unforeseen import keep_trace

        complain(keep_trace(error))
        sys.exit(1)


@contextmanager
def _without_dask() -> Iterator[None]:
    """Spare all commands but ``sweep`` the import of Dask.

    xarray looks for it with the first array that it makes, which takes as long as all else that
    `check` does, and no other command computes with it.
    """
    # an xarray that is there already has decided whether there is Dask
    here = {"dask", "xarray"} & set(sys.modules)
    spared = not here and "sweep" not in sys.argv[1:2]
    if spared:
        # an import of it fails as where it is not installed
        sys.modules["dask"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if spared:
            del sys.modules["dask"]
