"""Compiled searches for the best partition into ordered grades.

``cost[i, j]`` is the expected discordance of a pair with i in a better grade than j. Tables hold
the smallest total cost for each number of separated pairs, so that one search answers for every
bound on the discordance, and every price of it.
"""

import numpy as np

from pdsim.arraytypes import Floats, Ints32
from pdsim.jit import compiled


@compiled
def over_subsets(cost: Floats) -> tuple[Floats, Ints32]:
    """Search all ordered partitions.

    Returns
    -------
    table : ndarray (subset, pairs)
        Smallest cost with the facilities of the subset graded, ``pairs`` pairs separated; the
        subset's bits are facilities. Infinite where there is no such partition.
    before : ndarray (subset, pairs)
        The subset without its worst grade.
    """
    count = cost.shape[0]
    size = 1 << count
    pairs = count * (count - 1) // 2
    table = np.full((size, pairs + 1), np.inf)
    before = np.zeros((size, pairs + 1), dtype=np.int32)
    table[0, 0] = 0.0
    bits = np.zeros(size, dtype=np.int32)
    for s in range(1, size):
        bits[s] = bits[s >> 1] + (s & 1)
    column = np.zeros(count)
    added = np.zeros(size)
    for done in range(size):
        rest = size - 1 - done
        for j in range(count):
            column[j] = 0.0
            for i in range(count):
                if done >> i & 1:
                    column[j] += cost[i, j]
        separated = bits[done] * (bits[done] - 1) // 2
        grade = rest
        # first the costs of all possible next grades, each from the one without its lowest bit
        _subset_sums(column, rest, added)
        while grade > 0:
            step = bits[done] * bits[grade]
            after = done | grade
            for n in range(separated + 1):
                value = table[done, n] + added[grade]
                if value < table[after, n + step]:
                    table[after, n + step] = value
                    before[after, n + step] = done
            grade = (grade - 1) & rest
    return table, before


@compiled
def _subset_sums(column: Floats, rest: int, added: Floats) -> None:
    """Write the sum of `column` over each subset of `rest`, in rising order of subsets."""
    added[0] = 0.0
    part = 0
    while part != rest:
        part = (part - rest) & rest
        lowest = 0
        while not part >> lowest & 1:
            lowest += 1
        added[part] = added[part & (part - 1)] + column[lowest]


@compiled
def along_order(cost: Floats) -> tuple[Floats, Ints32]:
    """Search the partitions into stretches of facilities in the order given.

    Returns
    -------
    table, before : ndarray (graded, pairs)
        As in `over_subsets`, for the first ``graded`` facilities.
    """
    count = cost.shape[0]
    pairs = count * (count - 1) // 2
    table = np.full((count + 1, pairs + 1), np.inf)
    before = np.zeros((count + 1, pairs + 1), dtype=np.int32)
    table[0, 0] = 0.0
    # above[i, j]: cost of having the first i facilities above facility j
    above = np.zeros((count + 1, count))
    for i in range(count):
        for j in range(count):
            above[i + 1, j] = above[i, j] + cost[i, j]
    for done in range(count):
        separated = done * (done - 1) // 2
        added = 0.0
        for after in range(done + 1, count + 1):
            added += above[done, after - 1]
            step = done * (after - done)
            for n in range(separated + 1):
                value = table[done, n] + added
                if value < table[after, n + step]:
                    table[after, n + step] = value
                    before[after, n + step] = done
    return table, before


@compiled
def priced(cost: Floats, reward: float) -> Ints32:
    """Return the partition along the order that maximises reward * pairs separated - cost.

    Returns
    -------
    ndarray (facility,)
        Grades, 0 the best.
    """
    count = cost.shape[0]
    above = np.zeros((count + 1, count))
    for i in range(count):
        for j in range(count):
            above[i + 1, j] = above[i, j] + cost[i, j]
    best = np.full(count + 1, -np.inf)
    before = np.zeros(count + 1, dtype=np.int32)
    best[0] = 0.0
    for done in range(count):
        added = 0.0
        for after in range(done + 1, count + 1):
            added += above[done, after - 1]
            value = best[done] + reward * done * (after - done) - added
            if value > best[after]:
                best[after] = value
                before[after] = done
    grade = np.zeros(count, dtype=np.int32)
    end, number = count, 0
    while end > 0:
        for j in range(before[end], end):
            grade[j] = number
        end = before[end]
        number += 1
    return number - 1 - grade
