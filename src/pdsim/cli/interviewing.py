"""Commands on interviews."""

from pathlib import Path
from typing import Annotated

import typer

from pdsim.cli.arguments import Folder, Formats, check_free
from pdsim.cli.saying import print_document, say

interviews = typer.Typer(
    help="Interviews in the facilities that were named: plan them, read codes, contrast themes.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@interviews.command("plan")
def plan_of_interviews(
    results: Folder,
    config: Annotated[Path, typer.Argument(help="plan.toml")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to make for the plan.")],
    formats: Formats = ["html"],  # noqa: B006 - typer copies it
) -> None:
    """Say whom to interview, how often, and what contrast to expect."""
    from pdsim.analysis.interview_pages import interview_plan_page

    check_free(out)
    print_document(interview_plan_page(results, config, out=out, formats=formats))
    say(f"The plan and its page lie in {out}")


@interviews.command("read")
def read_codes(
    project: Annotated[
        Path, typer.Argument(help=".qdpx, .qda, .sqlite3, or a table of codes by documents.")
    ],
    mapping: Annotated[Path, typer.Argument(help="mapping.toml")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Table of themes to write (CSV).")],
) -> None:
    """Make the table of themes from a coded project; texts are never read."""
    from pdsim.analysis.interview_pages import theme_file

    rows = theme_file(project, mapping, out=out)
    say(f"{rows:,} rows are written to {out}")


@interviews.command()
def contrast(
    results: Folder,
    themes: Annotated[Path, typer.Argument(help="Table of themes.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to make for the contrast.")],
    config: Annotated[
        Path | None, typer.Option(help="contrast.toml: groups, coders' error, combinations.")
    ] = None,
    formats: Formats = ["html"],  # noqa: B006 - typer copies it
) -> None:
    """Compare themes between truly higher and truly lower facilities."""
    from pdsim.analysis.interview_pages import theme_page

    check_free(out)
    print_document(theme_page(results, themes, out=out, config=config, formats=formats))
    say(f"The contrast and its page lie in {out}")
