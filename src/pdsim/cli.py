"""The command line: arguments in, one call of the library, text out."""

import io
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pdsim.errors import InputError, PdsimError, PdsimWarning, Problem
from pdsim.flags import decimal_sign, pairs_of, with_study_options
from pdsim.settings import from_mapping, to_mapping
from pdsim.study import StudyOptions
from pdsim.study.options import SamplerSettings

if TYPE_CHECKING:
    from rich.console import Console

    from pdsim.reports.formats.document import Document

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

        _say(f"pdsim {__version__}")
        raise typer.Exit


type Advance = Callable[[str, int, int], None]


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
Formats = Annotated[list[str], typer.Option("--format", "-f", help="Format of the report.")]


def main() -> None:
    """Run the command line.

    Exits with 2 when an input is at fault, 1 when a file cannot be written or pdsim itself is at
    fault, 130 on Ctrl-C. No traceback is shown: that of an unforeseen error goes to a file.
    """
    warnings.showwarning = _show_warning
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # terminals of Windows may not have every letter of a name
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="pdsim")
    except PdsimError as error:
        _complain(str(error))
        sys.exit(2)
    except BrokenPipeError:
        # whoever read the output has seen enough
        sys.stdout = None
        sys.exit(1)
    except OSError as error:
        _complain(f"{error.filename or 'a file'}: {error.strerror or error}")
        if isinstance(error, PermissionError) and sys.platform == "win32":
            _complain("If it is open in another program, close it there first.")
        sys.exit(1)
    except MemoryError:
        _complain("There is not enough memory for this.")
        sys.exit(1)
    except Exception as error:
        from pdsim.unforeseen import keep_trace

        _complain(keep_trace(error))
        sys.exit(1)


def _complain(text: str) -> None:
    """Print lines on stderr; whatever names they hold cannot colour or move anything."""
    from pdsim.reports.formats.escape import plain

    for line in text.split("\n"):
        sys.stderr.write(f"{plain(line)}\n")
    sys.stderr.flush()


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    if issubclass(category, PdsimWarning):
        _complain(f"Warning: {message}")


def _console(*, stderr: bool = False) -> "Console":
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=False)


@app.command()
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
) -> None:
    """Look at a file and write a study.toml for it, with what was taken for what."""
    from pdsim.study import recognise, start_study

    answers = {}
    if ask and sys.stdin.isatty() and "trials" in recognise(file).keys:
        answers["trials"] = typer.prompt("Cases behind every percentage", type=int)
    start = start_study(file, out=out, answers=answers)
    for text in start.found.taken:
        _say(text)
    for text in start.found.unsure:
        _say(f"To be looked at: {text}.")
    for text in start.problems:
        _say(f"To be decided: {text}")
    _say(f"The study.toml lies in {start.folder}: pdsim check {start.folder / 'study.toml'}")


@app.command()
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
        from pdsim.reports.formats.write import check_formats

        check_formats(formats)
        _check_free(out)
    from pdsim.reports.formats.terminal import study_lines, terminal_table
    from pdsim.reports.study.quality_page import coverage_table, quality_document
    from pdsim.study import read_study
    from pdsim.study.quality import doubts

    read = read_study(study, options=options)
    doubtful = doubts(read)
    _say("\n".join(study_lines(read)))
    _console().print(terminal_table(coverage_table(read)))
    for doubt in doubtful:
        _say(f"Doubtful: {doubt.what}. To mend it:")
        _say("\n".join(f"    {line}" for line in doubt.cure.split("\n")))
    if out is not None:
        from pdsim.files import published
        from pdsim.reports.formats.write import write_document

        page = quality_document(read, doubtful)
        with published(out) as new:
            write_document(page, new, formats=formats, stem="quality")
        _say(f"The page lies in {out}")


@app.command()
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
    from pdsim.reports.formats.write import check_formats

    check_formats(formats)
    from pdsim.study import read_study

    found = read_study(study, options=options)
    with _bar() as advance:
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
    _say(result.summary())
    _say(f"\nThe report, tables and settings lie in {out}")
    if result.failed:
        raise typer.Exit(3)


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


@app.command()
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
        str, typer.Option(help="What is ranked: change, level, ...; any other is called a score.")
    ] = "score",
    units: Annotated[str, typer.Option(help="Units of the score.")] = "",
    formats: Formats = ["html"],  # noqa: B006 - typer copies it
) -> None:
    """Rank facilities by draws or estimates that were made elsewhere."""
    from pdsim.reports.formats.write import check_formats

    check_formats(formats)
    if out is not None:
        _check_free(out)
    from pdsim.analysis.rank_scores import rank_results
    from pdsim.analysis.score_columns import ScoreOptions
    from pdsim.analysis.score_files import read_scores
    from pdsim.reports.formats.terminal import terminal_table
    from pdsim.reports.study.sections import base_tables
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
        _complain(note)
    console = _console()
    tables = base_tables(read_results(results))
    for key in ("selection", "improvement"):
        console.print(terminal_table(tables[key]))
    if out is not None:
        from pdsim.analysis import write_report
        from pdsim.files import published

        with published(out) as new:
            write_report(results, new, formats=tuple(formats))
        _say(f"The tables and the report lie in {out}")


@app.command()
def sweep(
    config: Annotated[Path, typer.Argument(help="sweep.toml")],
    store: Annotated[
        Path | None, typer.Option(help="Folder that holds the replicates; it is resumed.")
    ] = None,
    executor: Annotated[
        str, typer.Option(help="serial, processes, or a Dask scheduler: tcp://host:port.")
    ] = "processes",
    workers: Annotated[int | None, typer.Option(min=1, help="Local processes.")] = None,
    block: Annotated[
        int | None, typer.Option(min=1, help="Replicates in one task; default: a second's worth.")
    ] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds for one task.")] = None,
    job: Annotated[str | None, typer.Option(help="Array job k/n, counted from 1.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="netCDF file of the summaries.")
    ] = None,
    report_to: Annotated[
        Path | None, typer.Option("--report", help="Folder to make for a report.")
    ] = None,
    formats: Formats = ["html"],  # noqa: B006 - typer copies it
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Try one replicate of each cell; write nothing.")
    ] = False,
) -> None:
    """Run what is missing of a simulation sweep."""
    if dry_run:
        from pdsim.reports.sweep import trial_document
        from pdsim.sweeps import dry_run as try_out

        _print_document(trial_document(try_out(config)))
        return
    if store is None:
        raise InputError(Problem(rule="--store is missing", cure="name a folder, or use --dry-run"))
    if report_to is not None:
        _check_free(report_to)
    share = _job(job)
    with _bar() as advance:
        from pdsim.sweeps import SweepProgress, write_result
        from pdsim.sweeps import sweep as run_sweep

        def tell(event: SweepProgress) -> None:
            failed = f", {event.failed:,} failed" if event.failed else ""
            advance(f"replicates{failed}", event.done, event.total)

        result = run_sweep(
            config,
            store=store,
            executor=executor,
            workers=workers,
            block=block,
            timeout=timeout,
            job=share,
            progress=tell,
        )
        if out is not None:
            write_result(result, out)
        if report_to is not None:
            from pdsim.files import published
            from pdsim.reports.formats.write import write_document
            from pdsim.reports.sweep import sweep_document

            with published(report_to) as new:
                write_document(sweep_document(result), new, formats=formats)
    _say(f"The store is {store}" if out is None else f"The summaries lie in {out}")


@app.command()
def plan(
    config: Annotated[Path, typer.Argument(help="plan.toml")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to make for the answer.")
    ] = None,
    pilot: Annotated[
        Path | None,
        typer.Option(help="Results of a pilot study (folder or fit.nc): they fill the scenario."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check, and give a first answer by normal theory.")
    ] = False,
    formats: Formats = ["html"],  # noqa: B006 - typer copies it
) -> None:
    """Find the smallest study that reaches a target."""
    from pdsim.analysis import load_fit, save_fit
    from pdsim.planning import look_at_plan, plan_file
    from pdsim.reports.formats.write import check_formats, write_document
    from pdsim.reports.plan.plan_sentences import first_sentence

    check_formats(formats)
    if out is not None:
        _check_free(out)
    elif not dry_run:
        raise InputError(Problem(rule="--out is missing", cure="name a folder, or use --dry-run"))
    fit = None
    if pilot is not None:
        fit = load_fit(pilot / "fit.nc" if pilot.is_dir() else pilot)
    _say(first_sentence(look_at_plan(config, pilot=fit)))
    if dry_run or out is None:
        return
    with _bar() as advance:
        from pdsim.files import published
        from pdsim.reports.plan.plan_document import plan_document

        answer = plan_file(config, pilot=fit, workers=workers, progress=advance)
        document = plan_document(answer)
        with published(out) as new:
            save_fit(answer, new / "plan.nc")
            write_document(document, new, formats=formats, stem="planning")
    _print_document(document)
    _say(f"The answer and its report lie in {out}")


@app.command()
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
        _say(str(path))


@app.command()
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
    _say(f"The figure lies in {path}")


@app.command()
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
        _console().print(terminal_table(find_table(results, name)))
        return
    path = write_table(results, name, out, kind=kind, spreadsheet=spreadsheet, decimal=decimal)
    _say(f"The table lies in {path}")


@app.command()
def compare(first: Folder, second: Folder) -> None:
    """Say what two analyses have in common, what changed, and why."""
    from pdsim.analysis.compare import comparison
    from pdsim.reports.formats.terminal import terminal_table

    said, tabled = comparison(first, second)
    for line in said:
        _say(line)
    _console().print(terminal_table(tabled))


@app.command()
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
    _check_free(folder)
    with published(folder) as new:
        for file, data in content.items():
            write_atomically(new / file, data)
    _say(f"The example lies in {folder}: pdsim analyse {folder / 'study.toml'} --out results")


interviews = typer.Typer(
    help="Interviews in the facilities that were named: plan them, read codes, contrast themes.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(interviews, name="interviews")

ResultsFolder = Annotated[Path, typer.Argument(help="Folder of pdsim analyse.")]


@interviews.command("plan")
def plan_of_interviews(
    results: ResultsFolder,
    config: Annotated[Path, typer.Argument(help="plan.toml")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to make for the plan.")],
    formats: Formats = ["html"],  # noqa: B006 - typer copies it
) -> None:
    """Say whom to interview, how often, and what contrast to expect."""
    from pdsim.analysis.interview_pages import interview_plan_page

    _check_free(out)
    _print_document(interview_plan_page(results, config, out=out, formats=formats))
    _say(f"The plan and its page lie in {out}")


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
    _say(f"{rows:,} rows are written to {out}")


@interviews.command()
def contrast(
    results: ResultsFolder,
    themes: Annotated[Path, typer.Argument(help="Table of themes.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to make for the contrast.")],
    config: Annotated[
        Path | None, typer.Option(help="contrast.toml: groups, coders' error, combinations.")
    ] = None,
    formats: Formats = ["html"],  # noqa: B006 - typer copies it
) -> None:
    """Compare themes between truly higher and truly lower facilities."""
    from pdsim.analysis.interview_pages import theme_page

    _check_free(out)
    _print_document(theme_page(results, themes, out=out, config=config, formats=formats))
    _say(f"The contrast and its page lie in {out}")


def _print_document(document: "Document") -> None:
    """Print the sentences and tables of the first section."""
    from pdsim.reports.formats.document import Paragraph, Table
    from pdsim.reports.formats.plainwords import words_of
    from pdsim.reports.formats.terminal import terminal_table

    for block in document.sections[0].blocks:
        if isinstance(block, Paragraph):
            _say(words_of(block.text))
        elif isinstance(block, Table):
            _console().print(terminal_table(block))


def _say(text: str) -> None:
    from pdsim.reports.formats.escape import plain

    for line in text.split("\n"):
        sys.stdout.write(f"{plain(line)}\n")


def _check_free(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            Problem(
                file=str(folder),
                rule="exists and is not an empty folder",
                cure="choose another folder, or remove it yourself",
            )
        )


def _job(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal()):
        raise InputError(
            Problem(rule=f"--job {text!r:.40} is not of the form k/n", cure="write 1/8")
        )
    return int(number), int(count)


@contextmanager
def _bar() -> Iterator[Advance]:
    """Show one progress bar, or a line for each stage where there is no terminal."""
    console = _console(stderr=True)
    try:
        if not console.is_terminal:
            yield _lines()
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("starting", total=None)

            def advance(stage: str, done: int, total: int) -> None:
                progress.update(task, description=stage, completed=done, total=total or None)

            yield advance
    except KeyboardInterrupt:
        _complain("Interrupted; nothing half-written is left behind.")
        raise typer.Exit(130) from None


def _lines() -> Advance:
    stages: list[str] = []

    def advance(stage: str, done: int, total: int) -> None:
        if stage not in stages:
            stages.append(stage)
            _complain(stage)

    return advance
