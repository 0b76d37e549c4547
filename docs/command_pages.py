"""The pages of the commands: their help as it is in force, and examples that the build runs."""

from dataclasses import dataclass
from typing import Final

import click
import typer

from pdsim.cli import app

_HEAD: Final = "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n\n"

_COUNTS: Final = "facility,indicator,period,successes,trials\n" + "".join(
    f"{name},{item},{period},{met},20\n"
    for name, first, last in (("Hill", 4, 15), ("Lake", 6, 9), ("Town", 5, 12), ("Bay", 7, 8))
    for item in ("checklist", "briefing")
    for period, met in (("baseline", first), ("endline", last))
)
_ESTIMATES: Final = "facility,estimate,se\nHill,11.0,2.0\nLake,3.5,1.5\nTown,7.0,2.5\nBay,1.0,1.0\n"
_SWEEP: Final = (
    'name = "How many cases?"\nreplicates = 200\nseed = 1\n'
    'measures = ["pcs_top", "overlap_top"]\n\n'
    '[factors]\ntrials = [10, 40]\nrule = ["observed_change", "z_score"]\n'
)
_PLAN: Final = (
    'name = "Next evaluation"\ntarget = "overlap_top >= 0.8"\nover = "trials"\nseed = 1\n\n'
    '[scenario]\nkind = "normal"\nfacilities = 10\nsd_change_facility = 0.5\nunit_sd = 1.5\n'
)
_INTERVIEWS: Final = 'name = "Why?"\ninformants = 8\nrounds = [1, 6]\nbudget = 60\n'


_EXIT_CODES: Final = (
    "Exit codes: 0 all is well; 1 a file cannot be written; 2 an input is at fault, and nothing "
    "was written; 3 a check of the computation failed, and the numbers are marked; 130 interrupted."
)


@dataclass(frozen=True, slots=True)
class Example:
    """Files that are written first, then commands; `made` if they read the common analysis."""

    commands: tuple[str, ...]
    files: tuple[tuple[str, str], ...] = ()
    made: bool = False


EXAMPLES: Final[dict[str, Example]] = {
    "example": Example(("pdsim example surgical surgical-example",)),
    "init": Example(("pdsim init counts.csv --out started",), (("counts.csv", _COUNTS),)),
    "check": Example(("pdsim check lake",), made=True),
    "analyse": Example(("pdsim analyse lake --out results-again --brief",), made=True),
    "rank": Example(("pdsim rank estimates.csv --m 1",), (("estimates.csv", _ESTIMATES),)),
    "sweep": Example(
        ("pdsim sweep sweep.toml --store store --executor serial --report sweep-report",),
        (("sweep.toml", _SWEEP),),
    ),
    "plan": Example(("pdsim plan plan.toml --dry-run",), (("plan.toml", _PLAN),)),
    "report": Example(("pdsim report results --format md --format csv",), made=True),
    "figure": Example(
        ("pdsim figure results forest --out forest.pdf --width 85mm --style bmj --grey",), made=True
    ),
    "table": Example(
        ("pdsim table results", "pdsim table results --out table2.csv --spreadsheet --decimal ,"),
        made=True,
    ),
    "compare": Example(
        ("pdsim analyse lake --out results-ten --trials 10", "pdsim compare results results-ten"),
        made=True,
    ),
    "terms": Example(("pdsim terms normalisations",)),
    "interviews plan": Example(
        ("pdsim interviews plan results interviews.toml --out interview-plan",),
        (("interviews.toml", _INTERVIEWS),),
        made=True,
    ),
}
"""Of every command that needs no material of one's own; the tutorials have the others."""


def commands() -> dict[str, click.Command]:
    """Return every command by its name, those of a group with the group's name before them."""
    found: dict[str, click.Command] = {}
    group = typer.main.get_command(app)
    for name, command in getattr(group, "commands").items():  # noqa: B009 - typer's own class
        inner = getattr(command, "commands", None)
        if inner is None:
            found[name] = command
        else:
            found |= {f"{name} {own}": one for own, one in inner.items()}
    return found


def command_page(name: str, command: click.Command) -> str:
    """Return the page of one command in MyST Markdown."""
    lines = [f"# pdsim {name}", "", (command.help or "").strip(), ""]
    pieces = command.collect_usage_pieces(click.Context(command))
    usage = " ".join(piece.strip("{}").upper() if "{" in piece else piece for piece in pieces)
    lines += ["```", f"pdsim {name} {usage}", "```", ""]
    for parameter in command.params:
        text = getattr(parameter, "help", None) or ""
        if parameter.name in ("help", "install_completion", "show_completion"):
            continue
        shown = ", ".join(f"`{flag}`" for flag in (*parameter.opts, *parameter.secondary_opts))
        if parameter.param_type_name == "argument":
            shown = f"`{(parameter.name or '').upper()}`"
        default = parameter.default
        given = default not in (None, False, "", ()) and not callable(default)
        value = getattr(default, "value", default)
        lines += [shown, f": {text}{f' Default: `{value}`.' if given else ''}", ""]
    lines += _example(EXAMPLES.get(name))
    return _HEAD + "\n".join(lines)


def _example(example: Example | None) -> list[str]:
    if example is None:
        return []
    names = ["run", *(["file"] if example.files else []), *(["made"] if example.made else [])]
    lines = ["## Example", "", "```{code-cell} python", ":tags: [remove-input]"]
    lines += [f"from shell import {', '.join(sorted(names))}", ""]
    lines += ["made()"] if example.made else []
    lines += [f"file({name!r}, {text!r})" for name, text in example.files]
    lines += [f"run({command!r})" for command in example.commands]
    return [*lines, "```", ""]


def index_page(names: list[str]) -> str:
    """Return the page that lists the commands."""
    found = commands()
    lines = ["# Commands", "", "| Command | What it does |", "|---|---|"]
    for name in names:
        first = (found[name].help or "").strip().split("\n")[0]
        lines.append(f"| [`pdsim {name}`]({file_name(name)}.md) | {first} |")
    lines += ["", _EXIT_CODES, "", "```{toctree}", ":hidden:", ""]
    return "\n".join([*lines, *(file_name(name) for name in names), "```", ""])


def file_name(name: str) -> str:
    """Return the name of a command's page."""
    return name.replace(" ", "-")
