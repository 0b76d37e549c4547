"""Search for the smallest set that holds, or the largest that lies in, the true m."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pdsim.arraytypes import Bools, Floats, Ints
from pdsim.conventions import Side
from pdsim.ranking.draws import Draws, as_draws, check_m, check_side
from pdsim.ranking.exact import of_sets
from pdsim.ranking.marginals import Marginals, Score
from pdsim.ranking.sets import seen_sets

MOST_CANDIDATES = 18
"""Facilities of which all subsets are tried: 2^18 numbers for each leading element."""

SLACK = 1e-12
"""Sums of shares fall short of a bound by rounding; not by more than this."""

_CELLS = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenSets:
    """Sets of m and their probabilities, as the draws or the distributions give them.

    Attributes
    ----------
    draws : Draws
    members : ndarray (set, m)
    batch, code, weight : ndarray (seen,)
        Where a set was seen, its number, and its probability there.
    row, share : ndarray (seen,) or None
        The draw (batch * draw), and its share that counts; None for distributions.
    ess : float
    """

    draws: Draws
    members: Ints
    batch: Ints
    code: Ints
    weight: Floats
    row: Ints | None
    share: Floats | None
    ess: float

    def common(self, inside: Bools) -> Ints:
        """Return how many members each seen set has in common with `inside` (batch, facility)."""
        here = inside[self.batch[:, np.newaxis], self.members[self.code]]
        return np.asarray(here.sum(axis=1), dtype=np.int64)


def see(score: Score, m: int, side: Side) -> SeenSets:
    """Return the sets of a score."""
    check_side(side)
    if isinstance(score, Marginals):
        check_m(m, score.first.facilities)
        members, (probability, _, ess) = of_sets(score, m, side)
        batch, code = np.nonzero(probability > 0)
        weight = probability[batch, code]
        return SeenSets(
            draws=score.first,
            members=members,
            batch=batch,
            code=code,
            weight=weight / np.bincount(batch, weight)[batch],
            row=None,
            share=None,
            ess=ess,
        )
    draws = as_draws(score)
    check_m(m, draws.facilities)
    members, row, code, share = seen_sets(draws, m, side)
    length = draws.flat.shape[1]
    return SeenSets(
        draws=draws,
        members=members,
        batch=row // length,
        code=code,
        weight=share / length,
        row=row,
        share=share,
        ess=float(length) if draws.ess is None else draws.ess,
    )


def best(seen: SeenSets, candidates: Ints, prob: float, *, holding: bool) -> tuple[Bools, Floats]:
    """Try all sets of candidates.

    Parameters
    ----------
    seen : SeenSets
    candidates : ndarray (candidate,)
        At most `MOST_CANDIDATES` facilities.
    prob : float
    holding : bool
        Whether the set sought is to hold the true m (then the smallest), or lie in them (then
        the largest).

    Returns
    -------
    inside : ndarray (batch, facility)
        Of the sets of the best size the likeliest.
    other : ndarray (batch,)
        Probability of the likeliest set that is one facility better; -inf if there is none.
    """
    count = len(candidates)
    size = 2**count
    sizes = np.bitwise_count(np.arange(size))
    inside = np.zeros((len(seen.draws.values), seen.draws.facilities), dtype=bool)
    other = np.empty(len(inside))
    wanted = np.arange(count + 1) if holding else np.arange(count, -1, -1)
    for start, table in _tables(seen, candidates, size):
        for bit in range(count):
            # sums over all subsets (or supersets), one candidate at a time
            half = table.reshape(len(table), -1, 2, 2**bit)
            half[:, :, int(holding)] += half[:, :, int(not holding)]
        likeliest = np.stack([np.where(sizes == k, table, -1.0).max(axis=1) for k in wanted])
        enough = likeliest >= prob - SLACK
        # all candidates hold the m, and the empty set lies in them, whatever rounding says
        enough[-1] = True
        first = enough.argmax(axis=0)
        chosen = np.where(sizes == wanted[first][:, np.newaxis], table, -1.0).argmax(axis=1)
        block = slice(start, start + len(table))
        inside[block, candidates] = (chosen[:, np.newaxis] >> np.arange(count)) & 1
        before = likeliest[np.maximum(first - 1, 0), np.arange(len(table))]
        other[block] = np.where(first > 0, before, -np.inf)
    return inside, other


def _tables(seen: SeenSets, candidates: Ints, size: int) -> Iterator[tuple[int, Floats]]:
    """Yield probabilities by the candidates in the set, as bits: (batch, 2^candidates)."""
    place = np.full(seen.draws.facilities, -1)
    place[candidates] = np.arange(len(candidates))
    where = place[seen.members]
    bits = np.where(where >= 0, 1 << np.maximum(where, 0), 0).sum(axis=1)
    total = len(seen.draws.values)
    step = max(1, _CELLS // size)
    order = np.argsort(seen.batch, kind="stable")
    ends = np.searchsorted(seen.batch[order], np.arange(0, total + step, step))
    for number, start in enumerate(range(0, total, step)):
        part = order[ends[number] : ends[number + 1]]
        count = min(step, total - start)
        cell = (seen.batch[part] - start) * size + bits[seen.code[part]]
        yield start, np.bincount(cell, seen.weight[part], count * size).reshape(count, size)


def nested(seen: SeenSets, likely: Floats, prob: float, *, holding: bool) -> tuple[Bools, Floats]:
    """Try only the k likeliest facilities, for all k; see `best`."""
    batch, facilities = likely.shape
    places = places_of(likely)
    place = np.sort(places[seen.batch[:, np.newaxis], seen.members[seen.code]], axis=1)
    if holding:
        number = place[:, -1]
    else:
        # the set has the likeliest facilities, from the first on, without a gap
        run = (place == np.arange(place.shape[1])).cumprod(axis=1).sum(axis=1)
        number = facilities - run
    cells = np.bincount(
        seen.batch * (facilities + 1) + number, seen.weight, batch * (facilities + 1)
    )
    reached = cells.reshape(batch, facilities + 1).cumsum(axis=1)
    enough = reached >= prob - SLACK
    enough[:, -1] = True
    first = enough.argmax(axis=1)
    before = reached[np.arange(batch), np.maximum(first - 1, 0)]
    count = first + 1 if holding else facilities - first
    return places < count[:, np.newaxis], np.where(first > 0, before, -np.inf)


def places_of(likely: Floats) -> NDArray[np.intp]:
    """Return the place of each facility, 0 the likeliest, from (batch, facility)."""
    return np.argsort(np.argsort(-likely, axis=1, kind="stable"), axis=1)
