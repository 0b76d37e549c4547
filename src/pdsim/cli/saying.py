"""What the command line prints: sentences, complaints, tables and progress."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from pdsim.errors import PdsimWarning

if TYPE_CHECKING:
    from rich.console import Console

    from pdsim.reports.formats.document import Document

type Advance = Callable[[str, int, int], None]


def say(text: str) -> None:
    """Print lines on stdout; whatever names they hold cannot colour or move anything."""
    from pdsim.reports.formats.escape import plain

    for line in text.split("\n"):
        sys.stdout.write(f"{plain(line)}\n")


def complain(text: str) -> None:
    """Print lines on stderr, as `say` does."""
    from pdsim.reports.formats.escape import plain

    for line in text.split("\n"):
        sys.stderr.write(f"{plain(line)}\n")
    sys.stderr.flush()


def show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    """Print warnings of pdsim as one line; take the place of `warnings.showwarning`."""
    if issubclass(category, PdsimWarning):
        complain(f"Warning: {message}")


def console(*, stderr: bool = False) -> "Console":
    """Return a terminal that takes names for what they are."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=False)


def print_document(document: "Document") -> None:
    """Print the sentences and tables of the first section."""
    from pdsim.reports.formats.terminal import printed

    say(printed(document, width=console().width))


@contextmanager
def bar() -> Iterator[Advance]:
    """Show one progress bar, or a line for each stage where there is no terminal."""
    terminal = console(stderr=True)
    try:
        if not terminal.is_terminal:
            yield _lines()
            return
        from rich.progress import (
            BarColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn(),
            TextColumn("left"), TimeRemainingColumn(),
        )  # fmt: skip
        with Progress(*columns, console=terminal) as progress:
            task = progress.add_task("starting", total=None)
            stage = ""

            def advance(name: str, done: int, total: int) -> None:
                nonlocal stage
                if name != stage:
                    # what is left is reckoned from this stage alone
                    progress.reset(task, description=name, total=total or None)
                    stage = name
                progress.update(task, completed=done, total=total or None)

            yield advance
    except KeyboardInterrupt:
        complain("Interrupted; nothing half-written is left behind.")
        raise typer.Exit(130) from None


def _lines() -> Advance:
    """Print a line for each stage, and now and then how much of it is left."""
    began: dict[str, float] = {}
    said = 0.0

    def advance(stage: str, done: int, total: int) -> None:
        nonlocal said
        now = time.monotonic()
        if stage not in began:
            began[stage] = said = now
            complain(stage)
        elif 0 < done < total and now - said >= _SECONDS_BETWEEN_LINES:
            left = (now - began[stage]) / done * (total - done)
            complain(f"{stage}: {done:,} of {total:,}, about {left:.0f} s left")
            said = now

    return advance


_SECONDS_BETWEEN_LINES = 10.0
