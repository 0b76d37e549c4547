"""Documents to files: the only module of the reports that writes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pdsim.errors import InputError, Problem, suggestion

if TYPE_CHECKING:
    from pdsim.reports.formats.document import Document

# a format is imported where it is written: its name is known without
type Renderer = Callable[["Document"], dict[str, str | bytes]]


def _html(document: "Document") -> dict[str, str | bytes]:
    from pdsim.reports.formats.html import to_html

    return {"report.html": to_html(document)}


def _markdown(document: "Document") -> dict[str, str | bytes]:
    from pdsim.reports.formats.markdown import FIGURES, to_markdown
    from pdsim.reports.formats.svg import figure_to_svg

    figures = {
        f"{FIGURES}/{picture.key}.svg": figure_to_svg(picture.figure, key=picture.key)
        for picture in document.pictures
    }
    return {"report.md": to_markdown(document), **figures}


def _word(document: "Document") -> dict[str, str | bytes]:
    from pdsim.reports.formats.word import to_word

    return {"report.docx": to_word(document)}


def _latex(document: "Document") -> dict[str, str | bytes]:
    from pdsim.reports.formats.latex import to_latex

    return {"tables.tex": to_latex(document)}


def _csv(document: "Document") -> dict[str, str | bytes]:
    from pdsim.reports.formats.csv import frame_to_csv, table_to_csv
    from pdsim.reports.formats.markdown import FIGURES

    convergence = document.failed or "passed"
    tables = {
        f"tables/{key}.csv": table_to_csv(table, convergence=convergence)
        for key, table in document.tables.items()
    }
    drawn = {
        f"{FIGURES}/{picture.key}.csv": frame_to_csv(picture.data) for picture in document.pictures
    }
    return {**tables, **drawn}


_RENDERERS: Final[dict[str, Renderer]] = {
    "html": _html,
    "docx": _word,
    "md": _markdown,
    "tex": _latex,
    "csv": _csv,
}

FORMATS: Final = tuple(_RENDERERS)

_AT_ONCE: Final = 4
"""Files that are written at the same time."""


def write_document(
    document: "Document",
    folder: str | Path,
    *,
    formats: Sequence[str] = ("html",),
    stem: str = "report",
) -> list[Path]:
    """Write a document into a folder in some formats.

    `stem` takes the place of ``report`` in the names of the files.
    """
    check_formats(formats)
    contents = {
        f"{stem}{file.removeprefix('report')}" if file.startswith("report.") else file: content
        for file, content in rendered(document, formats).items()
    }
    return write_files(contents, Path(folder))


def check_formats(formats: Sequence[str]) -> None:
    """Raise InputError unless there are all these formats."""
    unknown = [name for name in formats if name not in _RENDERERS]
    if unknown:
        raise InputError(
            Problem(
                rule=f"there is no report format {', '.join(map(repr, unknown))}"
                + suggestion(unknown[0], FORMATS),
                cure=f"use any of: {', '.join(FORMATS)}",
            )
        )


def rendered(document: "Document", formats: Sequence[str]) -> dict[str, str | bytes]:
    """Return the files of a document in some formats."""
    contents: dict[str, str | bytes] = {}
    for name in formats:
        contents |= _RENDERERS[name](document)
    return contents


def write_files(contents: dict[str, str | bytes], target: Path) -> list[Path]:
    """Write files into a folder, each whole or not at all."""
    from concurrent.futures import ThreadPoolExecutor

    from pdsim.files import write_atomically

    def write(file: str) -> None:
        (target / file).parent.mkdir(exist_ok=True)
        write_atomically(target / file, contents[file])

    # that a file is safe on the disk is waited for, not worked for: many are at once
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(write, contents))
    return [target / file for file in contents]
