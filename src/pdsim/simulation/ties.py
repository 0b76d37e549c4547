"""Sets of m facilities when scores tie: lots decide, and are averaged over exactly."""

from pdsim.arraytypes import Floats, Ints
from pdsim.jit import compiled
from pdsim.terms.places import TIE


@compiled
def _choose(n: int, k: int) -> float:
    """Return the binomial coefficient as a float; 0 outside 0 <= k <= n."""
    if k < 0 or k > n:
        return 0.0
    result = 1.0
    for j in range(min(k, n - k)):
        result = result * (n - j) / (j + 1)
    return result


@compiled
def mark_end(order: Ints, score: Floats, m: int, share: Floats, place: Ints) -> None:
    """Mark the m largest of `score`: 2 certain, 1 in the tied group at the cut, 0 out.

    `order` sorts the scores downwards. `share` gets each facility's probability of being chosen
    when lots decide among the tied.
    """
    size = order.size
    largest = max(abs(score[order[0]]), abs(score[order[size - 1]]))
    tolerance = TIE * largest
    last, next_ = score[order[m - 1]], score[order[m]]
    for j in range(size):
        share[j] = 0.0
        place[j] = 0
    if last - next_ > tolerance:
        for j in range(m):
            share[order[j]] = 1.0
            place[order[j]] = 2
        return
    first = m - 1
    while first > 0 and score[order[first - 1]] - last <= tolerance:
        first -= 1
    stop = m + 1
    while stop < size and last - score[order[stop]] <= tolerance:
        stop += 1
    for j in range(first):
        share[order[j]] = 1.0
        place[order[j]] = 2
    for j in range(first, stop):
        share[order[j]] = (m - first) / (stop - first)
        place[order[j]] = 1


@compiled
def count_ways(
    top_a: Ints, bottom_a: Ints, top_b: Ints, bottom_b: Ints, m: int, use_b: bool
) -> float:
    """Count the (top set, bottom set) pairs that one or two rankings with ties allow.

    A facility's allowed places form a run of top, middle, bottom, so it is one of six types.
    """
    only_top = only_bottom = top_middle = middle_bottom = free = 0
    for i in range(top_a.size):
        may_top, may_middle, may_bottom = top_a[i] > 0, top_a[i] < 2, bottom_a[i] > 0
        may_middle = may_middle and bottom_a[i] < 2
        if use_b:
            may_top = may_top and top_b[i] > 0
            may_middle = may_middle and top_b[i] < 2 and bottom_b[i] < 2
            may_bottom = may_bottom and bottom_b[i] > 0
        if may_top and may_middle and may_bottom:
            free += 1
        elif may_top and may_middle:
            top_middle += 1
        elif may_middle and may_bottom:
            middle_bottom += 1
        elif may_top:
            only_top += 1
        elif may_bottom:
            only_bottom += 1
        elif not may_middle:
            return 0.0
    total = 0.0
    for j in range(free + 1):
        for l in range(free - j + 1):  # noqa: E741
            total += (
                _choose(free, j)
                * _choose(free - j, l)
                * _choose(top_middle, m - only_top - j)
                * _choose(middle_bottom, m - only_bottom - l)
            )
    return total


@compiled
def same_set(a: Ints, b: Ints, m: int) -> float:
    """Return the probability that two sets of size m are equal, lots deciding among the tied."""
    certain_a = certain_b = either = open_both = tied_a = tied_b = 0
    for i in range(a.size):
        certain_a += a[i] == 2
        certain_b += b[i] == 2
        tied_a += a[i] == 1
        tied_b += b[i] == 1
        if a[i] == 2 or b[i] == 2:
            if a[i] == 0 or b[i] == 0:
                return 0.0
            either += 1
        elif a[i] == 1 and b[i] == 1:
            open_both += 1
    common = _choose(open_both, m - either)
    return common / (_choose(tied_a, m - certain_a) * _choose(tied_b, m - certain_b))


@compiled
def sets_meet(a: Ints, b: Ints, m: int) -> float:
    """Return the probability that two sets of size m share a member, lots deciding ties."""
    certain_a = certain_b = tied_a = tied_b = shared = both_tied = b_of_certain_a = 0
    for i in range(a.size):
        certain_a += a[i] == 2
        certain_b += b[i] == 2
        tied_a += a[i] == 1
        tied_b += b[i] == 1
        if a[i] == 2 and b[i] == 2:
            return 1.0
        if a[i] == 1 and b[i] == 2:
            shared += 1
        if a[i] == 2 and b[i] == 1:
            b_of_certain_a += 1
        if a[i] == 1 and b[i] == 1:
            both_tied += 1
    slots_a, slots_b = m - certain_a, m - certain_b
    apart = 0.0
    for j in range(both_tied + 1):
        chosen = _choose(both_tied, j) * _choose(tied_a - shared - both_tied, slots_a - j)
        apart += chosen * _choose(tied_b - b_of_certain_a - j, slots_b)
    return 1.0 - apart / (_choose(tied_a, slots_a) * _choose(tied_b, slots_b))
