"""Progress of a sweep: an event handed to a plain callable."""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepProgress:
    """How far a sweep is; counts are of replicates over all cells.

    Attributes
    ----------
    total : int
        Replicates wanted.
    done : int
        Replicates that are there, reused ones included.
    reused : int
        Replicates that were in the store before.
    failed : int
        Replicates of this run that ended in an error, a timeout or with a dead worker.
    elapsed : float
        Seconds since the start of this run.
    remaining : float
        Seconds left as far as can be told from the cost of what is left; NaN until the first
        block is there.

    Examples
    --------
    >>> event = SweepProgress(
    ...     total=100, done=60, reused=20, failed=0, elapsed=4.0, remaining=4.0
    ... )
    >>> event.done / event.total
    0.6
    """

    total: int
    done: int
    reused: int
    failed: int
    elapsed: float
    remaining: float


type SweepCallback = Callable[[SweepProgress], None]

TELL_SECONDS = 0.1


class Meter:
    """Counts what is done, by replicates and by cost, and tells a callback now and then.

    Parameters
    ----------
    total, reused : int
        Replicates over all cells.
    cost : mapping of str to float
        Cost of one replicate of each cell.
    callback : callable, optional
    """

    def __init__(
        self,
        *,
        total: int,
        reused: int,
        cost: Mapping[str, float],
        callback: SweepCallback | None,
    ) -> None:
        self._total, self._reused, self._done, self._failed = total, reused, reused, 0
        self._cost, self._callback = cost, callback
        self._paid = 0.0
        self._started = self._told = time.monotonic()
        # what is there is taken as spread evenly over the cells
        self._due = sum(cost.values()) * (total - reused) / max(1, len(cost))

    def add(self, keys: Iterable[str], replicates: int, *, failed: int) -> None:
        """Count a task of some cells, and tell the callback if it has not heard for a while."""
        for key in keys:
            self._done += replicates
            self._paid += replicates * self._cost[key]
        self._failed += failed
        if time.monotonic() - self._told > TELL_SECONDS:
            self.tell()

    def tell(self) -> None:
        """Tell the callback how far the sweep is."""
        self._told = time.monotonic()
        if self._callback is None:
            return
        elapsed = self._told - self._started
        left = max(0.0, self._due - self._paid)
        if self._done == self._total:
            remaining = 0.0
        else:
            remaining = elapsed * left / self._paid if self._paid else math.nan
        self._callback(
            SweepProgress(
                total=self._total,
                done=self._done,
                reused=self._reused,
                failed=self._failed,
                elapsed=elapsed,
                remaining=remaining,
            )
        )

    def record(self) -> dict[str, Any]:
        """Return what run.json says of the time."""
        return {
            "seconds": round(time.monotonic() - self._started, 3),
            "replicates": self._done - self._reused,
            "failed": self._failed,
        }
