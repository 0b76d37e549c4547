"""What the command line prints: sentences, complaints, tables and progress."""

import sys
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
    from pdsim.reports.formats.document import Paragraph, Table
    from pdsim.reports.formats.plainwords import words_of
    from pdsim.reports.formats.terminal import terminal_table

    for block in document.sections[0].blocks:
        if isinstance(block, Paragraph):
            say(words_of(block.text))
        elif isinstance(block, Table):
            console().print(terminal_table(block))


@contextmanager
def bar() -> Iterator[Advance]:
    """Show one progress bar, or a line for each stage where there is no terminal."""
    terminal = console(stderr=True)
    try:
        if not terminal.is_terminal:
            yield _lines()
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, console=terminal) as progress:
            task = progress.add_task("starting", total=None)

            def advance(stage: str, done: int, total: int) -> None:
                progress.update(task, description=stage, completed=done, total=total or None)

            yield advance
    except KeyboardInterrupt:
        complain("Interrupted; nothing half-written is left behind.")
        raise typer.Exit(130) from None


def _lines() -> Advance:
    stages: list[str] = []

    def advance(stage: str, done: int, total: int) -> None:
        if stage not in stages:
            stages.append(stage)
            complain(stage)

    return advance
