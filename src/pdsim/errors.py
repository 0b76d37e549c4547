"""Errors and warnings: one clear message each, with the facts as attributes."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One broken rule in an input: where, which rule, and how to mend it.

    Attributes
    ----------
    rule : str
        The rule and the value received, as one sentence without a full stop.
    cure : str
        What the user can do about it, in the imperative.
    file, facility, indicator, period : str or None
        Where the problem is, as far as that is known.
    row : int or None
        Line of the file, counted from 1 with the header as line 1.
    """

    rule: str
    cure: str = ""
    file: str | None = None
    row: int | None = None
    facility: str | None = None
    indicator: str | None = None
    period: str | None = None

    def __str__(self) -> str:
        """Say where the problem is, which rule is broken, and the cure."""
        where = [
            self.file,
            None if self.row is None else f"row {self.row}",
            *(
                None if value is None else f"{name} {value!r}"
                for name, value in (
                    ("facility", self.facility),
                    ("indicator", self.indicator),
                    ("period", self.period),
                )
            ),
        ]
        place = ", ".join(part for part in where if part)
        text = f"{place}: {self.rule}" if place else self.rule
        return f"{text}; {self.cure}." if self.cure else f"{text}."


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return a "did you mean" of the known names, or nothing.

    Examples
    --------
    >>> suggestion("sheeet", ["sheet", "header"])
    " (did you mean 'sheet'?)"
    """
    near = get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f" (did you mean {near[0][:60]!r}?)" if near else ""


class PdsimError(Exception):
    """Base of the errors that are a user's to mend; the command line ends with exit code 2."""


class InputError(PdsimError, ValueError):
    """An input breaks one or more rules; all of them are listed at once.

    Attributes
    ----------
    problems : tuple of Problem
    """

    def __init__(self, problems: Iterable[Problem] | Problem | str) -> None:
        if isinstance(problems, str):
            problems = Problem(rule=problems)
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class DamagedError(PdsimError):
    """A file is not as pdsim wrote it.

    Attributes
    ----------
    path : Path
    """

    def __init__(
        self, path: Path, what: str, *, cure: str = "restore it, or make it again"
    ) -> None:
        self.path = path
        super().__init__(f"{path}: is damaged ({what}); {cure}.")


class PdsimWarning(UserWarning):
    """Base of all warnings that pdsim gives."""


class ConvergenceWarning(PdsimWarning):
    """A convergence gate failed: every number downstream carries the label."""
