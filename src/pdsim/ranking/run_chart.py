"""Run charts, which tell a change of the level from the ups and downs of chance.

Anhoej's rules: an unusually long run on one side of the median, or unusually few crossings of it.
"""

from dataclasses import dataclass
from math import log2

import numpy as np
from scipy.special import bdtr

from pdsim.arraytypes import Bools, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """What chance allows in a run chart.

    Attributes
    ----------
    longest : int
        The longest run on one side that is not unusual.
    crossings : int
        The fewest crossings of the median that are not unusual.
    """

    longest: int
    crossings: int


def run_limits(useful: int) -> RunLimits:
    """Return Anhoej's limits for a series of so many values off its median.

    Parameters
    ----------
    useful : int
        At least 2.

    References
    ----------
    Anhoej and Olesen (2014), doi 10.1371/journal.pone.0113825; Anhoej (2015),
    doi 10.1371/journal.pone.0121349.

    Examples
    --------
    >>> run_limits(20)
    RunLimits(longest=7, crossings=6)
    """
    if useful < 2:
        raise ValueError(f"a run chart needs two values off its median, got {useful}")
    fewest = int(np.argmax(bdtr(np.arange(useful), useful - 1, 0.5) >= 0.05))
    return RunLimits(longest=round(log2(useful) + 3), crossings=fewest)


def signal_by_chance(useful: int) -> float:
    """Return how often the rules signal where every side is as likely: exact.

    Parameters
    ----------
    useful : int
        Values off the median, whose sides are independent.

    Examples
    --------
    >>> round(signal_by_chance(12), 6)
    0.042969
    """
    limits = run_limits(useful)
    # quiet[r, c]: P(no run was too long, the present one is r, c crossings so far)
    quiet = np.zeros((limits.longest + 1, useful))
    quiet[1, 0] = 1.0
    for _ in range(useful - 1):
        after = np.zeros_like(quiet)
        after[2:] += 0.5 * quiet[1:-1]
        after[1, 1:] += 0.5 * quiet[:, :-1].sum(axis=0)
        quiet = after
    return float(1.0 - quiet[:, limits.crossings :].sum())


def longest_and_crossings(values: Floats) -> tuple[int, int, int]:
    """Return the useful values of a series, its longest run and its crossings of the median.

    Parameters
    ----------
    values : ndarray (round,)
        Without NaN; values on the median are left out.
    """
    side: Bools = values[values != np.median(values)] > np.median(values)
    if not side.size:
        return 0, 0, 0
    turns = np.flatnonzero(side[1:] != side[:-1]) + 1
    edges = np.concatenate([[0], turns, [side.size]])
    return int(side.size), int(np.diff(edges).max()), int(turns.size)
