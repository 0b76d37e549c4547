"""Logical statements about the order, and their probability.

Statements combine with ``&`` (and), ``|`` (or) and ``~`` (not): ``above("A", "B") &
~in_bottom("C", 3)``.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import permutations
from math import perm, prod

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Bools, Floats
from pdsim.errors import InputError, Problem
from pdsim.ranking.draws import ScoreDraws, as_draws, mean_and_error, never_seen
from pdsim.terms.places import places

type Ranks = Mapping[str, NDArray[np.int64]]

_WAYS = 10_000
"""Most ways to break the ties of one draw among the facilities of a statement."""


class Statement(ABC):
    """Something that is true or false of an order of facilities."""

    __slots__ = ()

    def __and__(self, other: "Statement") -> "Statement":
        """Claim both."""
        return _Both(first=self, second=other)

    def __or__(self, other: "Statement") -> "Statement":
        """Claim one, or both."""
        return ~(~self & ~other)

    def __invert__(self) -> "Statement":
        """Deny it."""
        return _Not(of=self)

    @abstractmethod
    def facilities(self) -> frozenset[str]:
        """Return the facilities that it speaks of."""

    @abstractmethod
    def holds(self, ranks: Ranks, count: int) -> Bools:
        """Say where it holds, from the ranks of its facilities among `count`, without ties."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Above(Statement):
    facility: str
    other: str

    def facilities(self) -> frozenset[str]:
        return frozenset((self.facility, self.other))

    def holds(self, ranks: Ranks, count: int) -> Bools:
        return ranks[self.facility] < ranks[self.other]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Between(Statement):
    facility: str
    low: int
    high: int
    from_below: bool

    def facilities(self) -> frozenset[str]:
        return frozenset((self.facility,))

    def holds(self, ranks: Ranks, count: int) -> Bools:
        rank = ranks[self.facility]
        if self.from_below:
            rank = count + 1 - rank
        return (self.low <= rank) & (rank <= self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Both(Statement):
    first: Statement
    second: Statement

    def facilities(self) -> frozenset[str]:
        return self.first.facilities() | self.second.facilities()

    def holds(self, ranks: Ranks, count: int) -> Bools:
        return self.first.holds(ranks, count) & self.second.holds(ranks, count)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Not(Statement):
    of: Statement

    def facilities(self) -> frozenset[str]:
        return self.of.facilities()

    def holds(self, ranks: Ranks, count: int) -> Bools:
        return ~self.of.holds(ranks, count)


def above(facility: str, other: str) -> Statement:
    """Say that `facility` is ahead of `other`.

    Raises
    ------
    InputError
        If they are the same.

    Examples
    --------
    >>> sorted(above("A", "B").facilities())
    ['A', 'B']
    """
    if facility == other:
        raise InputError(Problem(rule=f"{facility!r} is compared with itself"))
    return _Above(facility=facility, other=other)


def between(facility: str, low: int, high: int) -> Statement:
    """Say that the rank of `facility` is at least `low` and at most `high` (1 is best).

    Raises
    ------
    InputError
        Unless 1 <= low <= high.

    Examples
    --------
    >>> sorted(between("A", 2, 4).facilities())
    ['A']
    """
    return _Between(facility=facility, low=_place(low), high=_place(high, low), from_below=False)


def in_top(facility: str, m: int) -> Statement:
    """Say that `facility` is among the m best.

    Raises
    ------
    InputError
        Unless m >= 1.

    Examples
    --------
    >>> sorted((in_top("A", 3) | in_top("B", 1)).facilities())
    ['A', 'B']
    """
    return _Between(facility=facility, low=1, high=_place(m), from_below=False)


def in_bottom(facility: str, m: int) -> Statement:
    """Say that `facility` is among the m worst.

    Raises
    ------
    InputError
        Unless m >= 1.

    Examples
    --------
    >>> sorted((~in_bottom("A", 3)).facilities())
    ['A']
    """
    return _Between(facility=facility, low=1, high=_place(m), from_below=True)


def _place(value: int, least: int = 1) -> int:
    if value < least:
        raise InputError(Problem(rule=f"a rank or a number of facilities is {value} < {least}"))
    return value


def statement_probability(score: xr.DataArray, statement: Statement) -> xr.Dataset:
    """Return the probability that a statement about the order is true.

    Parameters
    ----------
    score : DataArray
        Draws, see `rank_probability`. For `Marginals` take their ``sample``.
    statement : Statement
        Made of `above`, `between`, `in_top` and `in_bottom` with ``&``, ``|`` and ``~``.

    Returns
    -------
    Dataset
        ``statement_probability`` and ``statement_probability_mcse``. A draw with ties counts by
        the share of the ways to break them in which the statement holds.

    Raises
    ------
    InputError
        If the score is none or lacks a facility, or the ties of a draw can be broken among the
        facilities of the statement in more than 10,000 ways.

    Examples
    --------
    >>> import xarray as xr
    >>> score = xr.DataArray([[2.0, 1.0, 0.0], [3.0, 3.0, 0.0]], dims=("sample", "facility"),
    ...                      coords={"facility": ["A", "B", "C"]})
    >>> both = in_top("A", 1) & in_bottom("C", 1)
    >>> float(statement_probability(score, both).statement_probability)
    0.75
    """
    draws = as_draws(score)
    names = [str(name) for name in draws.template.coords["facility"].values]
    unknown = sorted(statement.facilities() - set(names))
    if unknown:
        raise InputError(Problem(rule=f"no facility {name!r} in the score") for name in unknown)
    which = [names.index(name) for name in sorted(statement.facilities())]
    ahead, tied = (part[..., which] for part in places(draws.values))
    shape = ahead.shape[:-1]
    flat = ahead.reshape(-1, len(which)).astype(np.int64), tied.reshape(-1, len(which))
    # draws that place the facilities of the statement alike are looked at once
    kinds, kind = np.unique(np.concatenate(flat, axis=1), axis=0, return_inverse=True)
    value = _share_true(statement, kinds, sorted(statement.facilities()), draws)
    series = value[kind.reshape(-1)].reshape(*shape, 1)
    mean, error, size = mean_and_error(series, ess=draws.ess)
    name = "statement_probability"
    return draws.label(
        {name: mean[:, 0], f"{name}_mcse": never_seen(error, size)[:, 0]},
        dims=(),
        attrs={"ess": float(size.min())},
    )


def _share_true(
    statement: Statement, kinds: NDArray[np.int64], names: list[str], draws: ScoreDraws
) -> Floats:
    """Return, for each kind of draw, the share of its orders in which the statement holds."""
    width = len(names)
    ahead, tied = kinds[:, :width], kinds[:, width:]
    value = np.empty(len(kinds))
    clear = (tied == 1).all(axis=1)
    ranks = {name: ahead[clear, i] + 1 for i, name in enumerate(names)}
    value[clear] = statement.holds(ranks, draws.facilities)
    for number in np.flatnonzero(~clear):
        orders = _orders(ahead[number].tolist(), tied[number].tolist())
        ranks = {name: orders[:, i] for i, name in enumerate(names)}
        value[number] = statement.holds(ranks, draws.facilities).mean()
    return value


def _orders(ahead: list[int], tied: list[int]) -> NDArray[np.int64]:
    """Return all equally likely ranks (way, facility) of facilities of which some are tied."""
    groups = {first: [i for i, a in enumerate(ahead) if a == first] for first in ahead}
    ways = prod(perm(tied[members[0]], len(members)) for members in groups.values())
    if ways > _WAYS:
        raise InputError(
            Problem(
                rule=f"a draw ties its facilities so that they can be ordered in {ways} ways",
                cure="speak of fewer facilities at a time",
            )
        )
    orders = np.zeros((1, len(ahead)), dtype=np.int64)
    for first, members in groups.items():
        seats: Iterable[tuple[int, ...]] = permutations(range(tied[members[0]]), len(members))
        ranks = first + 1 + np.array(list(seats), dtype=np.int64)
        orders = np.repeat(orders, len(ranks), axis=0)
        orders[:, members] = np.tile(ranks, (len(orders) // len(ranks), 1))
    return orders
