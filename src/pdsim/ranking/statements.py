"""Logical statements about facilities, and their probability.

Statements combine with ``&`` (and), ``|`` (or) and ``~`` (not): ``above("A", "B") &
~in_bottom("C", 3)``. Each speaks of one score, and those that are combined may speak of several:
``in_top("A", 3, score="change[safety]") & meets("A", "endline >= 60")``.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import permutations
from math import perm, prod
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Bools, Floats, Ints
from pdsim.errors import InputError, Problem
from pdsim.ranking.draws import ScoreDraws, as_draws, mean_and_error, never_seen
from pdsim.ranking.named_draws import known_scores, named_draws, smallest_size
from pdsim.terms.criteria import Criterion, check_score, parse_criterion
from pdsim.terms.places import places

_WAYS = 10_000
"""Most ways to break the ties of one draw among the facilities of a statement."""


class Read(NamedTuple):
    """What a statement needs to know: the rank of a facility, or whether it keeps a bound.

    Attributes
    ----------
    score : str or None
        By name; None is the only score that there is.
    facility : str
    bound : Criterion or None
        None asks for the rank.
    """

    score: str | None
    facility: str
    bound: Criterion | None = None


type Seen = Mapping[Read, Ints]
"""Ranks without ties (1 is best), and 1 or 0 for bounds that are kept or not, by draw."""


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

    def facilities(self) -> frozenset[str]:
        """Return the facilities that it speaks of."""
        return frozenset(read.facility for read in self.reads())

    @abstractmethod
    def reads(self) -> frozenset[Read]:
        """Return what it needs to know."""

    @abstractmethod
    def holds(self, seen: Seen, count: int) -> Bools:
        """Say where it holds, from what it reads, among `count` facilities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Above(Statement):
    better: Read
    worse: Read

    def reads(self) -> frozenset[Read]:
        return frozenset((self.better, self.worse))

    def holds(self, seen: Seen, count: int) -> Bools:
        return np.asarray(seen[self.better] < seen[self.worse])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Between(Statement):
    read: Read
    low: int
    high: int
    from_below: bool = False

    def reads(self) -> frozenset[Read]:
        return frozenset((self.read,))

    def holds(self, seen: Seen, count: int) -> Bools:
        rank = seen[self.read]
        if self.from_below:
            rank = count + 1 - rank
        return np.asarray((self.low <= rank) & (rank <= self.high))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meets(Statement):
    read: Read
    criterion: Criterion

    def reads(self) -> frozenset[Read]:
        return frozenset((self.read,))

    def holds(self, seen: Seen, count: int) -> Bools:
        value = seen[self.read]
        if self.read.bound is not None:
            return np.asarray(value == 1)
        m = self.criterion.count(count)
        inside = value <= m if self.criterion.sign == "top" else value > count - m
        return np.asarray(inside != self.criterion.negated)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Both(Statement):
    first: Statement
    second: Statement

    def reads(self) -> frozenset[Read]:
        return self.first.reads() | self.second.reads()

    def holds(self, seen: Seen, count: int) -> Bools:
        return self.first.holds(seen, count) & self.second.holds(seen, count)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Not(Statement):
    of: Statement

    def reads(self) -> frozenset[Read]:
        return self.of.reads()

    def holds(self, seen: Seen, count: int) -> Bools:
        return ~self.of.holds(seen, count)


def above(facility: str, other: str, *, score: str | None = None) -> Statement:
    """Say that `facility` is ahead of `other`, by a named score where there are several.

    Raises
    ------
    InputError
        If they are the same.

    Examples
    --------
    >>> sorted(above("A", "B", score="change[safety]").facilities())
    ['A', 'B']
    """
    if facility == other:
        raise InputError(Problem(rule=f"{facility!r} is compared with itself"))
    return _Above(better=Read(score, facility), worse=Read(score, other))


def between(facility: str, low: int, high: int, *, score: str | None = None) -> Statement:
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
    return _Between(read=Read(score, facility), low=_place(low), high=_place(high, low))


def in_top(facility: str, m: int, *, score: str | None = None) -> Statement:
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
    return _Between(read=Read(score, facility), low=1, high=_place(m))


def in_bottom(facility: str, m: int, *, score: str | None = None) -> Statement:
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
    return _Between(read=Read(score, facility), low=1, high=_place(m), from_below=True)


def meets(facility: str, criterion: str) -> Statement:
    """Say that `facility` meets a criterion, see `pdsim.terms.criteria.parse_criterion`.

    Raises
    ------
    InputError
        If it is none.

    Examples
    --------
    >>> sorted((meets("A", "endline >= 60") & meets("B", "not top(change, 20 %)")).facilities())
    ['A', 'B']
    """
    asked = parse_criterion(criterion)
    read = Read(asked.score, facility, asked if asked.bounds else None)
    return _Meets(read=read, criterion=asked)


def _place(value: int, least: int = 1) -> int:
    if value < least:
        raise InputError(Problem(rule=f"a rank or a number of facilities is {value} < {least}"))
    return value


def statement_probability(
    source: xr.DataArray | xr.DataTree | Mapping[str, xr.DataArray], statement: Statement
) -> xr.Dataset:
    """Return the probability that a statement is true.

    Parameters
    ----------
    source : DataArray, or xarray.DataTree or mapping of str to DataArray
        Draws of one score, see `rank_probability` (for `Marginals` take their ``sample``), of which
        the statement names none; a fit or several scores by name, as for `criteria`. The rounds of
        a study, fitted one by one, are scores by name too.
    statement : Statement
        Made of `above`, `between`, `in_top`, `in_bottom` and `meets` with ``&``, ``|`` and ``~``.

    Returns
    -------
    Dataset
        ``statement_probability`` and ``statement_probability_mcse``. A draw with ties counts by
        the share of the ways to break them in which the statement holds, each score for itself.

    Raises
    ------
    InputError
        If a score is none or lacks a facility, there is no score of a name, the scores do not
        belong together, or the ties of a draw can be broken among the facilities of the statement
        in more than 10,000 ways.

    Examples
    --------
    >>> import xarray as xr
    >>> score = xr.DataArray([[2.0, 1.0, 0.0], [3.0, 3.0, 0.0]], dims=("sample", "facility"),
    ...                      coords={"facility": ["A", "B", "C"]})
    >>> both = in_top("A", 1) & in_bottom("C", 1)
    >>> float(statement_probability(score, both).statement_probability)
    0.75
    >>> several = {"gain": score, "trust": -score}
    >>> ends = in_top("A", 1, score="gain") & meets("A", "trust < -2")
    >>> float(statement_probability(several, ends).statement_probability)
    0.25
    """
    draws = _draws(source, statement)
    first = next(iter(draws.values()))
    names = [str(name) for name in first.template.coords["facility"].values]
    unknown = sorted(statement.facilities() - set(names))
    if unknown:
        raise InputError(Problem(rule=f"no facility {name!r} in the score") for name in unknown)
    reads = sorted(statement.reads(), key=repr)
    ahead, tied = _columns(reads, draws, names)
    # draws that place the facilities of the statement alike are looked at once
    kinds, kind = np.unique(np.concatenate((ahead, tied), axis=1), axis=0, return_inverse=True)
    value = _share_true(statement, kinds, reads, first.facilities)
    series = value[kind.reshape(-1)].reshape(*first.values.shape[:-1], 1)
    mean, error, size = mean_and_error(series, ess=smallest_size(draws.values()))
    name = "statement_probability"
    return first.label(
        {name: mean[:, 0], f"{name}_mcse": never_seen(error, size)[:, 0]},
        dims=(),
        attrs={"ess": float(size.min())},
    )


def _draws(
    source: xr.DataArray | xr.DataTree | Mapping[str, xr.DataArray], statement: Statement
) -> Mapping[str | None, ScoreDraws]:
    """Return the draws of every score that the statement names; None is the only one."""
    named = {read.score for read in statement.reads()}
    if isinstance(source, xr.DataTree | Mapping):
        known = known_scores(source)
        if None in named:
            rule = "there are several scores, and the statement does not say which it is about"
            cure = f"give each part a score: {', '.join(known)}"
            raise InputError(Problem(rule=rule, cure=cure))
        asked = [name for name in named if name is not None]
        for name in asked:
            check_score(name, known, where="the statement")
        found: Mapping[str, ScoreDraws] = named_draws(source, asked)
        return {name: found[name] for name in asked}
    if named != {None}:
        rule = "the statement names scores, and there is one without a name"
        raise InputError(Problem(rule=rule, cure="give a fit, or a mapping of scores by name"))
    return {None: as_draws(source)}


def _columns(
    reads: list[Read], draws: Mapping[str | None, ScoreDraws], names: list[str]
) -> tuple[Ints, Ints]:
    """Return for every draw how many are ahead and how many tie, by what is read (row, read).

    A bound counts as one less than whether it is kept, and ties with none.
    """
    rows = next(iter(draws.values())).values.reshape(-1, len(names)).shape[0]
    ahead, tied = np.zeros((rows, len(reads)), np.int64), np.ones((rows, len(reads)), np.int64)
    for score in {read.score for read in reads}:
        values = draws[score].values.reshape(-1, len(names))
        place = places(values)
        for column, read in enumerate(reads):
            if read.score != score:
                continue
            at = names.index(read.facility)
            if read.bound is None:
                ahead[:, column], tied[:, column] = (part[:, at] for part in place)
            else:
                ahead[:, column] = read.bound.met(values[:, at]) - 1.0
    return ahead, tied


def _share_true(statement: Statement, kinds: Ints, reads: list[Read], count: int) -> Floats:
    """Return, for each kind of draw, the share of its orders in which the statement holds."""
    width = len(reads)
    ahead, tied = kinds[:, :width], kinds[:, width:]
    value = np.empty(len(kinds))
    clear = (tied == 1).all(axis=1)
    seen = {read: ahead[clear, i] + 1 for i, read in enumerate(reads)}
    value[clear] = statement.holds(seen, count)
    for number in np.flatnonzero(~clear):
        orders = _orders(reads, ahead[number].tolist(), tied[number].tolist())
        seen = {read: orders[:, i] for i, read in enumerate(reads)}
        value[number] = statement.holds(seen, count).mean()
    return value


def _orders(reads: list[Read], ahead: list[int], tied: list[int]) -> NDArray[np.int64]:
    """Return all equally likely ranks (way, read) of facilities of which some are tied."""
    # facilities that tie by one score are ordered in turn; a bound stands alone
    keys = [
        (read.score if read.bound is None else read, first)
        for read, first in zip(reads, ahead, strict=True)
    ]
    groups = {key: [i for i, other in enumerate(keys) if other == key] for key in keys}
    ways = prod(perm(tied[members[0]], len(members)) for members in groups.values())
    if ways > _WAYS:
        raise InputError(
            Problem(
                rule=f"a draw ties its facilities so that they can be ordered in {ways} ways",
                cure="speak of fewer facilities at a time",
            )
        )
    orders = np.zeros((1, len(ahead)), dtype=np.int64)
    for (_, first), members in groups.items():
        seats: Iterable[tuple[int, ...]] = permutations(range(tied[members[0]]), len(members))
        ranks = first + 1 + np.array(list(seats), dtype=np.int64)
        orders = np.repeat(orders, len(ranks), axis=0)
        orders[:, members] = np.tile(ranks, (len(orders) // len(ranks), 1))
    return orders
