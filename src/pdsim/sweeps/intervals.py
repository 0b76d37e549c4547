"""Sets of replicates as sorted, disjoint half-open intervals."""

from collections.abc import Iterable, Iterator
from typing import Self


class Intervals:
    """A set of whole numbers that grows; a million replicates done in order are one interval.

    Examples
    --------
    >>> done = Intervals([(0, 100), (200, 300)])
    >>> done.add(100, 150)
    >>> done.missing(0, 300)
    [(150, 200)]
    """

    __slots__ = ("_parts",)

    def __init__(self, parts: Iterable[tuple[int, int]] = ()) -> None:
        self._parts: list[tuple[int, int]] = []
        for start, stop in parts:
            self.add(start, stop)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Iterate over the intervals in order."""
        return iter(self._parts)

    def add(self, start: int, stop: int) -> None:
        """Add the numbers from `start` up to, not with, `stop`."""
        if start >= stop:
            return
        if self._parts and self._parts[-1][0] <= start <= self._parts[-1][1]:
            first, last = self._parts[-1]
            self._parts[-1] = (first, max(last, stop))
            return
        apart = [part for part in self._parts if part[1] < start or part[0] > stop]
        touching = [part for part in self._parts if not (part[1] < start or part[0] > stop)]
        merged = (
            min([start, *(part[0] for part in touching)]),
            max([stop, *(part[1] for part in touching)]),
        )
        self._parts = sorted([*apart, merged])

    def missing(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Return the intervals of [start, stop) that are not in the set."""
        gaps: list[tuple[int, int]] = []
        at = start
        for first, last in self._parts:
            if last <= at:
                continue
            if first >= stop:
                break
            if first > at:
                gaps.append((at, first))
            at = last
        if at < stop:
            gaps.append((at, stop))
        return gaps

    def within(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Return the intervals of [start, stop) that are in the set."""
        clipped = ((max(first, start), min(last, stop)) for first, last in self._parts)
        return [(first, last) for first, last in clipped if first < last]

    def without(self, numbers: Iterable[int]) -> Self:
        """Return the set without some single numbers."""
        kept = self._parts
        for number in numbers:
            kept = [
                piece
                for first, last in kept
                for piece in ((first, min(last, number)), (max(first, number + 1), last))
                if piece[0] < piece[1]
            ]
        return type(self)(kept)

    def count(self, start: int, stop: int) -> int:
        """Return how many numbers of [start, stop) are in the set."""
        return sum(last - first for first, last in self.within(start, stop))
