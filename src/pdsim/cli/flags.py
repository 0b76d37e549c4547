"""Flags of the command line that are made from the settings they state."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Annotated, Any, Literal, get_type_hints

import typer

from pdsim.errors import InputError, Problem
from pdsim.study import StudyOptions


def with_study_options[R](command: Callable[..., R]) -> Callable[..., R]:
    """Give a command that takes `options` the flags of `StudyOptions`, from their definition."""
    flags = {item.name: item for item in fields(StudyOptions) if "help" in item.metadata}
    hints = get_type_hints(StudyOptions)
    periods = {"baseline": str | None, "endline": str | None}
    helps = {name: item.metadata["help"] for name, item in flags.items()}
    helps |= {name: f"Label of the {name} period." for name in periods}
    kinds = {name: hints[name] for name in flags} | periods
    defaults = {name: item.default for name, item in flags.items()} | dict.fromkeys(periods)
    signature = inspect.signature(command, eval_str=True)
    own = [item for name, item in signature.parameters.items() if name != "options"]
    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=defaults[name],
            annotation=Annotated[kinds[name], typer.Option(help=text)],
        )
        for name, text in helps.items()
    ]

    @functools.wraps(command)
    def run(**given: Any) -> R:
        labels = [given.pop(name) for name in periods]
        stated = {name: given.pop(name) for name in flags}
        chosen = tuple(label for label in labels if label is not None)
        return command(**given, options=StudyOptions(periods=chosen or None, **stated))

    own = [item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in own]
    run.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
    return run


def pairs_of(text: str) -> dict[str, str]:
    """Return the names of columns of ``a=b,c=d``."""
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    for name, _, value in pairs:
        if not (name.strip() and value.strip()):
            rule = f"--columns {text!r:.60} is not of the form facility=treatment,estimate=TE"
            raise InputError(Problem(rule=rule, cure="write it so"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def decimal_sign(text: str | None) -> Literal[".", ","] | None:
    """Return a stated decimal sign."""
    if text is not None and text not in (".", ","):
        raise InputError(Problem(rule=f"--decimal {text!r:.20} is neither . nor ,"))
    return "," if text == "," else "." if text == "." else None
