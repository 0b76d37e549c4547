"""Commands on results: report, figure, table, comparison; and the list of names."""

from pathlib import Path
from typing import Annotated

import typer

from pdsim.cli.arguments import Brief, Folder, Formats
from pdsim.cli.saying import console, say


def report(
    results: Annotated[
        Path, typer.Argument(help="Folder of pdsim analyse or plan, or netCDF file of a sweep.")
    ],
    formats: Formats = ["html"],  # noqa: B006 - typer copies it
    brief: Brief = False,
) -> None:
    """Write the report of an analysis, a plan or a sweep again, in any format."""
    from pdsim.analysis import report as write_again

    for path in write_again(results, formats=tuple(formats), brief=brief):
        say(str(path))


def figure(
    results: Folder,
    name: Annotated[str, typer.Argument(help="forest, ranks, slope, bump, weights_top, ...")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File: .pdf, .svg, .png or .tiff.")],
    width: Annotated[str, typer.Option(help="Width, such as 85mm.")] = "170mm",
    dpi: Annotated[int, typer.Option(help="Dots per inch of PNG and TIFF.")] = 300,
    style: Annotated[str, typer.Option(help="plain, bmj, lancet or jama.")] = "plain",
    grey: Annotated[bool, typer.Option("--grey", help="Without colours.")] = False,
) -> None:
    """Write one figure of an analysis as a journal wants it."""
    from pdsim.analysis.handout import write_figure

    path = write_figure(results, name, out, width=width, dpi=dpi, style=style, grey=grey)
    say(f"The figure lies in {path}")


def table(
    results: Folder,
    name: Annotated[str, typer.Argument(help="Table; default: the one for a paper.")] = "journal",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File; default: print.")] = None,
    kind: Annotated[
        str | None, typer.Option("--format", "-f", help="docx, tex, md, csv or xlsx.")
    ] = None,
    spreadsheet: Annotated[
        bool, typer.Option("--spreadsheet", help="CSV with a byte order mark and semicolons.")
    ] = False,
    decimal: Annotated[str, typer.Option(help="Decimal mark of a CSV file: . or ,")] = ".",
) -> None:
    """Print or write one table of an analysis; by default the table of a paper."""
    from pdsim.analysis.handout import find_table, write_table
    from pdsim.reports.formats.terminal import terminal_table

    if out is None:
        console().print(terminal_table(find_table(results, name)))
        return
    path = write_table(results, name, out, kind=kind, spreadsheet=spreadsheet, decimal=decimal)
    say(f"The table lies in {path}")


def compare(first: Folder, second: Folder) -> None:
    """Say what two analyses have in common, what changed, and why."""
    from pdsim.analysis.compare import comparison
    from pdsim.reports.formats.terminal import terminal_table

    said, tabled = comparison(first, second)
    for line in said:
        say(line)
    console().print(terminal_table(tabled))


def terms(
    sort: Annotated[
        str, typer.Argument(help="estimands, rules, measures, normalisations or aggregations.")
    ] = "",
) -> None:
    """List the names that settings know, those of your extensions too, and what they mean."""
    from pdsim.terms.glossary import SORTS, glossary

    for name in (sort,) if sort else SORTS:
        headers, rows = glossary(name)
        say(name)
        for word, meaning, note in rows:
            say(f"  {word:<22} {meaning}" + (f"; {headers[2].lower()}: {note}" if note else ""))
