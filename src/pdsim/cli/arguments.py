"""Arguments that several commands have, and their checks."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pdsim.errors import InputError, Problem
from pdsim.reports.formats.write import FORMATS, check_formats


class EngineName(StrEnum):
    """Inference engines."""

    NUTS = "nuts"
    LAPLACE = "laplace"


StudyPath = Annotated[
    Path,
    typer.Argument(help="study.toml, a folder that holds one, or a table (CSV, XLSX, Parquet)."),
]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")]
SeedOption = Annotated[int | None, typer.Option(min=0, help="Seed; default: the study's own.")]
Correlation = Annotated[
    float | None, typer.Option(help="Within-case correlation that you assume, 0 to 0.9.")
]
Trials = Annotated[int | None, typer.Option(help="Assumed number of cases behind percentages.")]
ItemCount = Annotated[int | None, typer.Option(help="Items scored on every case, for composites.")]
Folder = Annotated[Path, typer.Argument(help="Folder of pdsim analyse.")]
Brief = Annotated[bool, typer.Option("--brief", help="Page one alone, on one A4 page.")]


def _known(formats: list[str]) -> list[str]:
    """Refuse an unknown format before anything is read."""
    check_formats(formats)
    return formats


Formats = Annotated[
    list[str],
    typer.Option(
        "--format",
        "-f",
        help="Format of the report; may be given several times.",
        metavar="|".join(FORMATS),
        autocompletion=lambda: list(FORMATS),
        callback=_known,
    ),
]


def check_free(folder: Path) -> None:
    """Refuse a folder that holds something."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            Problem(
                file=str(folder),
                rule="exists and is not an empty folder",
                cure="choose another folder, or remove it yourself",
            )
        )
