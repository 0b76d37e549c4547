"""Sequential search for the size at which a simulated measure reaches its target.

Replicates go where the root seems to be; a smooth curve in log n through all points says where
that is and how sure it is (see `pdsim.planning.curve`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from pdsim.arraytypes import Floats
from pdsim.conventions import CI_PROB
from pdsim.errors import InputError
from pdsim.planning.curve import Crossing, Curve, Link, crossing, fit_curve, lead_of

type Run = Callable[[int, range], Floats]
type SearchStatus = Literal[
    "searching", "found", "always_reached", "not_reachable", "undecided", "replicates_used_up"
]

_CLEAR: Final = 2.0
_SURE: Final = 3.3
_FACTOR: Final = 1.6
_EDGE_BATCHES: Final = 16
_SPREAD: Final = 2.0
_SHARE: Final = 0.6
_NEAR: Final = 0.1
_ROUGH: Final = 0.5
_LEAST_ERROR: Final = 1e-12


class Estimate(NamedTuple):
    """A measure at one size, its standard error, and the usable replicates behind it."""

    value: float
    error: float
    replicates: int


type Reduce = Callable[[int, Floats], Estimate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is searched for, and when to stop.

    Attributes
    ----------
    value : float
        The target's bound.
    at_least : bool
        True for ``>=``.
    link : {"probit", "log", "identity"}
        Scale on which the measure is close to a straight line in log n.
    low, high : int
        Range of sizes.
    start : float, optional
        A guess; default: the middle of the range in logarithms.
    precision : float
        Stop when the interval is within this share of n on either side (0.1 for +-10 %), or
        when all of it rounds up to the same whole number.
    prob : float
        Probability of the interval.
    batch : int
        Replicates at a new point.
    most : int
        Replicates after which the search gives up.
    rising : bool, optional
        Whether larger sizes do better; None: look at both ends of the range.
    also : tuple of int
        Further sizes to simulate, one batch each.
    around : tuple of float
        Multiples of the root to simulate once it is roughly known, half a batch each: they fix
        the slope there, and the curve that is drawn.
    """

    value: float
    at_least: bool = True
    link: Link = "probit"
    low: int = 2
    high: int = 10_000
    start: float | None = None
    precision: float = 0.1
    prob: float = CI_PROB
    batch: int = 400
    most: int = 1_000_000
    rising: bool | None = True
    also: tuple[int, ...] = ()
    around: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.low < self.high:
            raise InputError(f"need 1 <= low < high, got {self.low} and {self.high}")
        if not 0 < self.precision < 10 or not 0 < self.prob < 1:
            raise InputError(
                f"need a positive precision and a probability, got {self.precision}, {self.prob}"
            )
        if self.batch < 10 or self.most < 4 * self.batch:
            raise InputError(f"need 10 <= batch <= most / 4, got {self.batch} and {self.most}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """How far a search has come.

    Attributes
    ----------
    search : Search
    status : str
        ``found``; ``always_reached``, ``not_reachable`` over the whole range; ``undecided``:
        too close to call at the end of the range; ``replicates_used_up``; ``searching``.
    rising : bool
    size, value, error, replicates : ndarray (point,)
        Simulated points in order of size, with their usable replicates.
    spent : int
        Replicates simulated, usable or not.
    curve : Curve
    crossing : Crossing
    """

    search: Search
    status: SearchStatus
    rising: bool
    size: NDArray[np.int64]
    value: Floats
    error: Floats
    replicates: NDArray[np.int64]
    spent: int
    curve: Curve
    crossing: Crossing

    @property
    def n(self) -> int | None:
        """The smallest whole size on the curve that reaches the target (falling: largest)."""
        if self.status == "always_reached":
            return self.search.low if self.rising else self.search.high
        if not np.isfinite(self.crossing.n):
            return None
        return int(np.ceil(self.crossing.n) if self.rising else np.floor(self.crossing.n))

    @property
    def expected(self) -> int:
        """About how many replicates the search will have taken at its end; 0 if unknown."""
        width, aim = self.crossing.half_width, np.log1p(self.search.precision)
        if self.status != "searching" or not np.isfinite(width):
            return self.spent if self.status != "searching" else 0
        near = np.abs(np.log(self.size / self.crossing.n)) < np.log(2.0)
        behind = float(self.replicates[near].sum())
        return self.spent + int(behind * max((width / aim) ** 2 - 1, 0.0))

    def reached(self, size: float) -> float:
        """Return P(the target is reached at `size`), given the points and the curve."""
        lead, sd = lead_of(
            self.curve, self.search.value, np.array([size]), at_least=self.search.at_least
        )
        return float(ndtr(lead / np.maximum(sd, _LEAST_ERROR))[0])


def mean_of(size: int, rows: Floats) -> Estimate:
    """Return mean and standard error of the values that are not NaN."""
    values = rows[~np.isnan(rows)]
    if values.size < 2:
        raise InputError(f"size {size}: fewer than two usable replicates of {rows.size}")
    return Estimate(
        float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size)), values.size
    )


def solve(run: Run, search: Search, *, reduce: Reduce = mean_of) -> Root:
    """Find the size at which a simulated measure reaches its target.

    Parameters
    ----------
    run : callable
        ``run(size, replicates)`` returns one row for each replicate number in a range; rows of
        different numbers must be independent.
    search : Search
    reduce : callable
        Turns (size, all rows at that size) into an `Estimate`; default: their mean.

    Returns
    -------
    Root

    Raises
    ------
    InputError
        If no replicate is usable.

    Examples
    --------
    >>> import numpy as np
    >>> def hit(size, replicates):  # P = 1 - exp(-size / 50), so 0.8 at 50 log 5 = 80.5
    ...     u = [np.random.default_rng([size, r]).random() for r in replicates]
    ...     return (np.array(u) < 1 - np.exp(-size / 50)).astype(float)
    >>> root = solve(hit, Search(value=0.8, high=1000, precision=0.2))
    >>> root.status, root.crossing.low < 80.5 < root.crossing.high
    ('found', True)
    """
    *_, last = refine(run, search, reduce=reduce)
    return last


def refine(run: Run, search: Search, *, reduce: Reduce = mean_of) -> Iterator[Root]:
    """Yield the state of the search after every step, the finished one last.

    See `solve`; several searches can so be advanced in turn.
    """
    points = _Points(run, search, reduce)
    rising = search.rising
    if rising is None:
        points.add(search.low, search.batch)
        points.add(search.high, search.batch)
        sign = 1.0 if search.at_least else -1.0
        rising = sign * (points.at(search.high).value - points.at(search.low).value) >= 0
    middle = float(np.sqrt(search.low * search.high))
    _begin(points, search, _whole(search, search.start or middle), rising)
    status = _bracket(points, search, rising)
    filled = False
    while status == "searching":
        root = points.root(status, rising)
        batch = _next_batch(root)
        if batch == 0 and filled:
            status = "found"
        elif points.spent + batch > search.most:
            status = "replicates_used_up"
        else:
            yield root
            if not filled and (batch == 0 or root.crossing.half_width <= _ROUGH):
                # early, since the slope is best known from points further off
                _fill_in(points, root)
                filled = True
                continue
            for size in _places(root):
                points.add(size, max(10, batch // 3))
            if not np.isfinite(root.crossing.n):
                end = search.high if rising else search.low
                status = "undecided" if points.edge_is_exhausted(end) else status
    if not filled:
        _fill_in(points, points.root(status, rising))
    yield points.root(status, rising)


def _fill_in(points: "_Points", root: Root) -> None:
    """Simulate where nothing near has been, so that the curve can be drawn."""
    search = root.search
    sizes = [(_whole(search, size), search.batch) for size in search.also]
    if np.isfinite(root.crossing.n):
        around = [_whole(search, root.crossing.n * share) for share in search.around]
        sizes += [(size, search.batch // 2) for size in around]
    for size, batch in sizes:
        if np.abs(np.log(size / points.sizes())).min() > _NEAR:
            points.add(size, batch)


def _begin(points: "_Points", search: Search, start: int, rising: bool) -> None:
    """Simulate at the guess, and at a second size on the side where the root seems to be."""
    points.add(start, search.batch)
    onward = (points.scores()[start] < 0) == rising
    second = _whole(search, start * _FACTOR if onward else start / _FACTOR)
    if second == start:
        second = start + (1 if start < search.high else -1)
    points.add(second, search.batch)


def _bracket(points: "_Points", search: Search, rising: bool) -> SearchStatus:
    """Evaluate sizes until one clearly misses the target and one clearly reaches it."""
    good, bad = (search.high, search.low) if rising else (search.low, search.high)
    factor = _FACTOR
    while True:
        scores = points.scores()
        reached = {size for size, z in scores.items() if z > _CLEAR}
        missed = {size for size, z in scores.items() if z < -_CLEAR}
        if reached and missed:
            return "searching"
        if points.spent + search.batch > search.most:
            return "replicates_used_up"
        wanted = good if not reached else bad
        upward = wanted == search.high
        edge = max(scores) if upward else min(scores)
        if edge != wanted:
            points.add(_whole(search, edge * factor if upward else edge / factor), search.batch)
            factor *= _FACTOR
            continue
        z = scores[edge]
        if abs(z) > _SURE and points.at(edge).replicates >= 4 * search.batch:
            return "not_reachable" if z < 0 else "always_reached"
        if points.edge_is_exhausted(edge):
            return "searching"
        points.add(edge, search.batch)


def _next_batch(root: Root) -> int:
    """Return how many more replicates to run, 0 when the interval is narrow enough."""
    search, found = root.search, root.crossing
    total = root.spent
    width = found.half_width
    if not np.isfinite(width):
        return min(total, 4 * search.batch)
    aim = np.log1p(search.precision)
    one_answer = np.ceil(found.low) == np.ceil(found.high)
    if width <= aim or one_answer:
        return 0
    near = np.abs(np.log(root.size / found.n)) < np.log(2.0)
    behind = float(root.replicates[near].sum())
    wanted = behind * ((width / aim) ** 2 - 1)
    # the root and the slope still move, so a part of it is spent before looking again
    return int(np.clip(_SHARE * wanted, search.batch // 2, total))


def _places(root: Root) -> tuple[int, ...]:
    """Return the sizes to simulate next: around the root, or the end of the range."""
    search = root.search
    if not np.isfinite(root.crossing.n):
        end = search.high if root.rising else search.low
        return (end, end, end)
    spread = np.exp(_SPREAD * np.log1p(search.precision))
    middle = root.crossing.n
    return tuple(_whole(search, size) for size in (middle / spread, middle, middle * spread))


def _whole(search: Search, size: float) -> int:
    return int(np.clip(round(size), search.low, search.high))


class _Points:
    """The simulated points of one search: rows by size, and replicate numbers used once."""

    def __init__(self, run: Run, search: Search, reduce: Reduce) -> None:
        self._run, self._search, self._reduce = run, search, reduce
        self._rows: dict[int, list[Floats]] = {}
        self._known: dict[int, Estimate] = {}
        self.spent = 0

    def add(self, size: int, replicates: int) -> None:
        """Simulate more replicates at a size."""
        numbers = range(self.spent, self.spent + replicates)
        self._rows.setdefault(size, []).append(self._run(size, numbers))
        self.spent += replicates
        self._known[size] = self._reduce(size, np.concatenate(self._rows[size]))

    def sizes(self) -> NDArray[np.int64]:
        return np.array(sorted(self._known), dtype=np.int64)

    def at(self, size: int) -> Estimate:
        return self._known[size]

    def edge_is_exhausted(self, size: int) -> bool:
        """Whether so much was spent on one end of the range that the rest is better unspent."""
        known = self._known.get(size)
        return known is not None and known.replicates >= _EDGE_BATCHES * self._search.batch

    def scores(self) -> dict[int, float]:
        """Return how many standard errors each size lies on the right side of the target."""
        search = self._search
        sign = 1.0 if search.at_least else -1.0
        scores = {}
        for size, (value, error, count) in self._known.items():
            if search.link == "probit":
                # an estimate of 0 or 1 has no error of its own
                error = max(error, float(np.sqrt(search.value * (1 - search.value) / count) / 4))
            scores[size] = sign * (value - search.value) / max(error, _LEAST_ERROR)
        return scores

    def root(self, status: SearchStatus, rising: bool) -> Root:
        """Fit the curve and return the state of the search."""
        search = self._search
        size = self.sizes()
        value, error, count = map(np.array, zip(*(self._known[n] for n in size), strict=True))
        curve = fit_curve(size, value, error, count, link=search.link, low=search.low)
        return Root(
            search=search,
            status=status,
            rising=rising,
            size=size,
            value=value.astype(float),
            error=error.astype(float),
            replicates=count.astype(np.int64),
            spent=self.spent,
            curve=curve,
            crossing=crossing(
                curve,
                search.value,
                low=search.low,
                high=search.high,
                at_least=search.at_least,
                rising=rising,
                prob=search.prob,
            ),
        )
