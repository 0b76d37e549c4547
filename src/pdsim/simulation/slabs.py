"""Sums over replicates that are read in slabs, so that memory does not grow with their number.

Slabs always begin at the same replicates and their sums are added in order, so that the result
does not depend on how the replicates were made or kept.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pdsim.arraytypes import Floats
from pdsim.errors import InputError
from pdsim.terms.measures import COLUMNS, ReadSlab

SLAB: Final = 4000
"""Replicates read at a time."""


def reader(measures: Floats, status: NDArray[np.uint8]) -> ReadSlab:
    """Return what gives the replicates of arrays (..., replicate, measure) and (..., replicate)."""
    return lambda start, stop: (measures[..., start:stop, :], status[..., start:stop])


def slabs(read: ReadSlab, replicates: int) -> Iterator[tuple[Floats, NDArray[np.uint8]]]:
    """Yield measures and status of one slab after the other, at least one."""
    for start in range(0, max(replicates, 1), SLAB):
        yield checked(*read(start, min(start + SLAB, replicates)))


def checked(measures: Floats, status: NDArray[np.uint8]) -> tuple[Floats, NDArray[np.uint8]]:
    """Return measures and status as arrays.

    Raises
    ------
    InputError
        If the shapes do not fit.
    """
    measures, status = np.asarray(measures, dtype=np.float64), np.asarray(status)
    fits = measures.ndim in (2, 3) and measures.shape[-1] == len(COLUMNS)
    if not fits or measures.shape[:-1] != status.shape:
        raise InputError(
            f"measures must be (scenario, replicate, {len(COLUMNS)}) with a status for each "
            f"replicate, got {measures.shape} and {status.shape}"
        )
    return measures, status


class Sums:
    """Running sums of columns (..., replicate); NaN is left out."""

    def __init__(self) -> None:
        self.count: dict[str, Any] = {}
        self.total: dict[str, Any] = {}

    def add(self, columns: Mapping[str, Floats]) -> None:
        """Add the columns of a slab."""
        for name, column in columns.items():
            seen = ~np.isnan(column)
            total = np.where(seen, column, 0.0).sum(axis=-1)
            self.count[name] = self.count.get(name, 0) + seen.sum(axis=-1)
            self.total[name] = self.total.get(name, 0.0) + total

    @property
    def means(self) -> dict[str, Floats]:
        """Return the mean of every column, NaN where nothing was seen."""
        return {name: divide(self.total[name], count) for name, count in self.count.items()}


class Squares:
    """Running sums of influences (..., replicate) and of their squares; NaN is left out.

    Influences are measured from the mean, so that nothing is lost when that is taken off at the
    end.
    """

    def __init__(self) -> None:
        self._sums = Sums()
        self._squares = Sums()

    def add(self, name: str, influence: Floats) -> None:
        """Add the influences of a slab on one measure."""
        self._sums.add({name: influence})
        self._squares.add({name: influence**2})

    def error(self, name: str) -> Floats:
        """Return the standard error of the mean of the influences."""
        count, total = self._sums.count[name], self._sums.total[name]
        off = np.divide(total**2, count, out=np.zeros(count.shape), where=count > 0)
        squares = np.maximum(self._squares.total[name] - off, 0.0)
        error: Floats = np.sqrt(divide(squares, count * (count - 1.0)))
        return error


def divide(top: Floats, bottom: Floats) -> Floats:
    """Return the quotient, NaN where the divisor is zero."""
    quotient: Floats = np.divide(
        top, bottom, out=np.full(np.shape(bottom), np.nan), where=bottom > 0
    )
    return quotient
