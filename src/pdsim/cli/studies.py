"""Commands on a study: begin, check, analyse it; rank scores made elsewhere; an example."""

import shlex
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pdsim.cli.arguments import (
    Brief,
    Correlation,
    EngineName,
    Formats,
    ItemCount,
    Out,
    SeedOption,
    StudyPath,
    Trials,
    check_free,
)
from pdsim.cli.flags import decimal_sign, pairs_of, with_study_options
from pdsim.cli.saying import bar, complain, console, say
from pdsim.errors import InputError, Problem
from pdsim.settings import from_mapping, to_mapping
from pdsim.study import StudyOptions
from pdsim.study.options import SamplerSettings

if TYPE_CHECKING:
    from pdsim.study import Study


def init(
    file: Annotated[
        Path, typer.Argument(help="Table (CSV, Excel, Parquet, Stata, SPSS, SAS), or JSON export.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to make; default: that of the file.")
    ] = None,
    ask: Annotated[
        bool, typer.Option("--ask", help="Ask what the file does not say, on a terminal.")
    ] = False,
    keep_exclusions: Annotated[
        bool,
        typer.Option(
            "--keep-exclusions", help="FHIR: the reports have subtracted exclusions already."
        ),
    ] = False,
) -> None:
    """Look at a file and write a study.toml for it, with what was taken for what."""
    from pdsim.study import recognise, start_study

    answers, exclusions = {}, not keep_exclusions
    if ask and sys.stdin.isatty():
        seen = recognise(file)
        if "trials" in seen.keys:
            answers["trials"] = typer.prompt("Cases behind every percentage", type=int)
        if "counts_with_exclusions" in seen.receipt:
            question = "Are exclusions still to be subtracted from the denominators?"
            exclusions = typer.confirm(question, default=exclusions)
    start = start_study(file, out=out, answers=answers, exclusions=exclusions)
    for text in start.found.taken:
        say(text)
    for text in start.found.unsure:
        say(f"To be looked at: {text}.")
    for text in start.problems:
        say(f"To be decided: {text}")
    say(f"The study.toml lies in {start.folder}: pdsim check {start.folder / 'study.toml'}")


@with_study_options
def check(
    study: StudyPath,
    options: StudyOptions,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to make for a page of this.")
    ] = None,
    formats: Formats = ["html"],  # noqa: B006 - typer copies it
) -> None:
    """Read a study, say what was read, what is doubtful and what it assumes."""
    if out is not None:
        check_free(out)
    from pdsim.reports.formats.terminal import study_lines, terminal_table
    from pdsim.reports.study.quality_page import coverage_table, quality_document
    from pdsim.study.quality import doubts

    read = _read(study, options)
    doubtful = doubts(read)
    say("\n".join(study_lines(read)))
    console().print(terminal_table(coverage_table(read)))
    for doubt in doubtful:
        say(f"Doubtful: {doubt.what}. To mend it:")
        say("\n".join(f"    {line}" for line in doubt.cure.split("\n")))
    if out is not None:
        from pdsim.files import published
        from pdsim.reports.formats.write import write_document

        page = quality_document(read, doubtful)
        with published(out) as new:
            write_document(page, new, formats=formats, stem="quality")
        say(f"The page lies in {out}")


@with_study_options
def analyse(
    study: StudyPath,
    out: Out,
    options: StudyOptions,
    engine: Annotated[
        EngineName | None,
        typer.Option(help="laplace, the fast engine, which hands over by itself; or nuts."),
    ] = None,
    seed: SeedOption = None,
    draws: Annotated[int | None, typer.Option(help="Draws of each chain.")] = None,
    tune: Annotated[int | None, typer.Option(help="Tuning draws of each chain of NUTS.")] = None,
    chains: Annotated[int | None, typer.Option(help="Chains.")] = None,
    delta: Annotated[
        float, typer.Option(help="State the probability of an improvement above this too.")
    ] = 0.0,
    formats: Formats = ["html"],  # noqa: B006 - typer copies it
    brief: Brief = False,
    keep_draws: Annotated[
        bool, typer.Option("--keep-draws", help="Keep every draw in fit.nc, which grows large.")
    ] = False,
    second_opinion: Annotated[
        bool, typer.Option("--second-opinion", help="Run both engines; print their differences.")
    ] = False,
) -> None:
    """Say who improved most and least, how sure that is, and what would change it.

    Writes tables, figures and sentences to a folder. Exits with 3 where a check of the
    computation failed: the numbers are there, marked, and must not be cited.
    """
    found = _read(study, options)
    with bar() as advance:
        from pdsim.analysis import AnalysisProgress
        from pdsim.analysis import analyse as analyse_study

        def tell(event: AnalysisProgress) -> None:
            advance(event.stage, event.done, event.total)

        stated = {"draws": draws, "tune": tune, "chains": chains, "seed": seed,
                  "engine": None if engine is None else engine.value}  # fmt: skip
        given = {name: value for name, value in stated.items() if value is not None}
        sampler = from_mapping(
            SamplerSettings, to_mapping(found.options.sampler) | given, file="the command line"
        )
        own = {"delta": delta or None, "format": formats, "brief": brief,
               "keep-draws": keep_draws, "second-opinion": second_opinion}  # fmt: skip
        result = analyse_study(
            found,
            out=out,
            sampler=sampler,
            delta=delta,
            formats=tuple(formats),
            brief=brief,
            keep_draws=keep_draws,
            second_opinion=second_opinion,
            command=_typed(study, out, options, {**to_mapping(sampler), **own}),
            progress=tell,
        )
    say(result.summary())
    say(f"\nThe report, tables and settings lie in {out}")
    if result.failed:
        raise typer.Exit(3)


def _read(path: Path, options: StudyOptions) -> "Study":
    """Read a study; a table that cannot be read by itself is one for `init`."""
    from pdsim.study import read_study

    try:
        return read_study(path, options=options)
    except InputError as error:
        if not path.is_file() or path.suffix.lower() == ".toml":
            raise
        rule = "a table without a study.toml is read by the names of its columns"
        cure = f"let pdsim look at what it holds: {shlex.join(['pdsim', 'init', str(path)])}"
        hint = Problem(file=path.name, rule=rule, cure=cure)
        raise InputError([*error.problems, hint]) from None


def _typed(study: Path, out: Path, options: StudyOptions, own: dict[str, Any]) -> str:
    """Return the whole command: the real file, and everything that was in force."""
    words = ["pdsim", "analyse", str(study), "--out", str(out)]
    flags = [item.name for item in fields(StudyOptions) if "help" in item.metadata]
    stated = {name.replace("_", "-"): getattr(options, name) for name in flags}
    periods = options.periods or ()
    stated |= dict(zip(("baseline", "endline")[-len(periods) :], periods, strict=False))
    for name, value in (stated | own).items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if one is True:
                words.append(f"--{name}")
            elif one not in (None, False):
                words += [f"--{name}", str(one)]
    return shlex.join(words)


def rank(
    draws: Annotated[
        Path,
        typer.Argument(
            help="netCDF or table of draws; or table of estimates with se, or with limits."
        ),
    ],
    m: Annotated[int, typer.Option("--m", min=1, help="Facilities to name at each end.")] = 3,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for tables and report.")
    ] = None,
    variable: Annotated[
        str | None, typer.Option(help="Variable of a netCDF file, or theta of theta[1].")
    ] = None,
    dim: Annotated[
        str | None, typer.Option(help="Dimension of a netCDF file with the facilities.")
    ] = None,
    columns: Annotated[
        str, typer.Option(help="Names of columns: facility=treatment,estimate=TE,se=seTE.")
    ] = "",
    level: Annotated[float | None, typer.Option(help="Level of limits in percent: 95.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="Of a text file.")] = None,
    decimal: Annotated[str | None, typer.Option(help="Decimal sign: . or ,")] = None,
    few_draws: Annotated[
        bool, typer.Option("--few-draws", help="Rank fewer than 100 draws all the same.")
    ] = False,
    lower_is_better: Annotated[bool, typer.Option(help="The smallest score is the best.")] = False,
    estimand: Annotated[
        str, typer.Option(help="What is ranked, see pdsim terms; any other name is called a score.")
    ] = "score",
    units: Annotated[str, typer.Option(help="Units of the score.")] = "",
    formats: Formats = ["html"],  # noqa: B006 - typer copies it
) -> None:
    """Rank facilities by draws or estimates that were made elsewhere."""
    if out is not None:
        check_free(out)
    from pdsim.analysis.rank_scores import rank_results
    from pdsim.analysis.score_columns import ScoreOptions
    from pdsim.analysis.score_files import read_scores
    from pdsim.reports.formats.terminal import terminal_table
    from pdsim.reports.study.tables import improvement_table, selection_table
    from pdsim.reports.study.view import read_results

    options = ScoreOptions(
        variable=variable, dim=dim, columns=pairs_of(columns), level=level, delimiter=delimiter,
        decimal=decimal_sign(decimal), few_draws=few_draws,
    )  # fmt: skip
    notes: list[str] = []
    score = read_scores(draws, options=options, notes=notes)
    results = rank_results(
        score, m=m, name=draws.stem, estimand=estimand, units=units,
        lower_is_better=lower_is_better, notes=notes,
    )  # fmt: skip
    for note in notes:
        complain(note)
    view = read_results(results)
    for table in (selection_table(view), improvement_table(view)):
        console().print(terminal_table(table))
    if out is not None:
        from pdsim.analysis import write_report
        from pdsim.files import published

        with published(out) as new:
            write_report(results, new, formats=tuple(formats))
        say(f"The tables and the report lie in {out}")


def example(
    name: Annotated[str, typer.Argument(help="lake_zone, surgical or safe_surgery_like.")],
    folder: Annotated[Path, typer.Argument(help="Folder to make.")],
    trials: Trials = None,
    items: ItemCount = None,
    case_correlation: Correlation = None,
) -> None:
    """Write a bundled example, ready to be analysed and changed."""
    from pdsim.files import published, write_atomically
    from pdsim.study import example_files

    content = example_files(name, trials=trials, items=items, case_correlation=case_correlation)
    check_free(folder)
    with published(folder) as new:
        for file, data in content.items():
            write_atomically(new / file, data)
    say(f"The example lies in {folder}: pdsim analyse {folder / 'study.toml'} --out results")
