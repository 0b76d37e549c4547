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


def silent(event: AnalysisProgress) -> None:
    """Take no notice."""
