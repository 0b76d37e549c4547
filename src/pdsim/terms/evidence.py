"""What a selection rule may read of facilities, as arrays; larger is better throughout."""

from dataclasses import dataclass, field, replace
from typing import Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from pdsim.arraytypes import Floats

type Needs = Literal["ranks", "mean", "draws", "change", "estimate", "variance", "covariance"]

POSTERIOR: Final = ("ranks", "mean", "draws")
"""What is read of a posterior; the rest is read of observed values."""


def _nothing() -> Floats:
    return np.empty(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Facilities as rules see them, of one study or many (batch); empty where not given.

    Attributes
    ----------
    draws : ndarray (batch, draw, facility)
        Posterior draws of the score.
    ranks : ndarray (batch, facility, rank)
        Probabilities of the ranks, rank 1 first.
    mean : ndarray (batch, facility)
        Posterior means of the score.
    change : ndarray (batch, facility, indicator)
        Observed change of each indicator, NaN where it was not seen in every period.
    weights : ndarray (indicator,)
    estimate, centre, variance : ndarray (batch, facility)
        Observed change over indicators, the middle of its interval and its variance.
    covariance : ndarray (batch, facility, facility)
        Of the estimates, where they are not independent.
    seeds : tuple of int
        One for each study, for rules that draw.
    turned : bool
        Whether signs were changed, so that the bottom is chosen as a top.
    """

    draws: Floats = field(default_factory=_nothing)
    ranks: Floats = field(default_factory=_nothing)
    mean: Floats = field(default_factory=_nothing)
    change: Floats = field(default_factory=_nothing)
    weights: Floats = field(default_factory=_nothing)
    estimate: Floats = field(default_factory=_nothing)
    centre: Floats = field(default_factory=_nothing)
    variance: Floats = field(default_factory=_nothing)
    covariance: Floats = field(default_factory=_nothing)
    seeds: tuple[int, ...] = ()
    turned: bool = False

    def turn(self) -> Self:
        """Return the same with changed signs: who was last is first."""
        return replace(
            self,
            draws=-self.draws,
            ranks=self.ranks[..., ::-1],
            mean=-self.mean,
            change=-self.change,
            estimate=-self.estimate,
            centre=-self.centre,
            turned=not self.turned,
        )

    def take(self, rows: NDArray[np.bool_]) -> Self:
        """Return the same of some of the studies."""
        names = (
            *("draws", "ranks", "mean", "change"),
            *("estimate", "centre", "variance", "covariance"),
        )
        given = {name: part for name in names if (part := getattr(self, name)).size}
        return replace(
            self,
            seeds=tuple(s for s, kept in zip(self.seeds, rows, strict=False) if kept),
            **{name: part[rows] for name, part in given.items()},
        )


def evidence_of_cells(
    value: Floats,
    size: Floats,
    weights: Floats,
    *,
    counts: bool,
    correlation: float = 0.0,
    interval: bool = True,
    seeds: tuple[int, ...] = (),
) -> Evidence:
    """Return changes, estimates and variances of observed cells.

    A missing cell takes its indicator out of its facility's mean: the weights of the others are
    divided by their sum.

    Parameters
    ----------
    value, size : ndarray (batch, facility, indicator, period)
        Successes and trials, or means and standard errors, turned so that higher is better; 0
        trials, or NaN, in a missing cell. One row of sizes may serve all studies.
    weights : ndarray (indicator,)
    counts : bool
    correlation : float
        Of two indicators scored on one case.
    interval : bool
        Whether `centre` and `variance` are wanted too.
    seeds : tuple of int
    """
    from pdsim.terms.loops import observed_changes

    change = np.empty(value.shape[:3])
    estimate, centre, variance = np.empty((3, *value.shape[:2]))
    filled = (change, estimate, centre, variance)
    observed_changes(value, size, weights, counts, correlation, interval, *filled)
    return Evidence(
        change=change,
        weights=weights,
        estimate=estimate,
        centre=centre,
        variance=variance,
        seeds=seeds,
    )
