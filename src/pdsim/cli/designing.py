"""Commands before there are data: sweeps of simulations, and plans."""

from pathlib import Path
from typing import Annotated

import typer

from pdsim.cli.arguments import Formats, check_free
from pdsim.cli.saying import bar, print_document, say
from pdsim.errors import InputError, Problem


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

        print_document(trial_document(try_out(config)))
        return
    if store is None:
        raise InputError(Problem(rule="--store is missing", cure="name a folder, or use --dry-run"))
    if report_to is not None:
        check_free(report_to)
    share = _job(job)
    with bar() as advance:
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
            from pdsim.sweeps import open_contrasts

            page = sweep_document(result, contrasts=open_contrasts(store))
            with published(report_to) as new:
                write_document(page, new, formats=formats)
    say(f"The store is {store}" if out is None else f"The summaries lie in {out}")


def _job(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal()):
        raise InputError(
            Problem(rule=f"--job {text!r:.40} is not of the form k/n", cure="write 1/8")
        )
    return int(number), int(count)


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
    from pdsim.planning import look_at_plan, plan_file
    from pdsim.reports.plan.plan_sentences import first_sentence

    if out is not None:
        check_free(out)
    elif not dry_run:
        raise InputError(Problem(rule="--out is missing", cure="name a folder, or use --dry-run"))
    fit = None
    if pilot is not None:
        from pdsim.analysis import load_fit

        fit = load_fit(pilot / "fit.nc" if pilot.is_dir() else pilot)
    say(first_sentence(look_at_plan(config, pilot=fit)))
    if dry_run or out is None:
        return
    with bar() as advance:
        from pdsim.analysis import save_fit
        from pdsim.files import published
        from pdsim.reports.formats.write import write_document
        from pdsim.reports.plan.plan_document import plan_document

        answer = plan_file(config, pilot=fit, workers=workers, progress=advance)
        document = plan_document(answer)
        with published(out) as new:
            save_fit(answer, new / "plan.nc")
            write_document(document, new, formats=formats, stem="planning")
    print_document(document)
    say(f"The answer and its report lie in {out}")
