"""Progress of an analysis: an event handed to a plain callable."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisProgress:
    """How far an analysis is.

    Attributes
    ----------
    stage : str
        What is being done now, in words.
    done, total : int
        Steps of this stage; NUTS draws while it samples.
    """

    stage: str
    done: int
    total: int


type AnalysisCallback = Callable[[AnalysisProgress], None]


def steps(progress: AnalysisCallback, stage: str, total: int) -> Callable[[], None]:
    """Announce a stage of some steps, and return what to call after each of them."""
    done = 0
    progress(AnalysisProgress(stage=stage, done=0, total=total))

    def step() -> None:
        nonlocal done
        done += 1
        progress(AnalysisProgress(stage=stage, done=done, total=total))

    return step


def nothing() -> None:
    """Take no notice of a step."""


def silent(event: AnalysisProgress) -> None:
    """Take no notice."""
