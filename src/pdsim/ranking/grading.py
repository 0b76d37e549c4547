"""Grades: few ordered classes of facilities that the data can tell apart."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Floats, Ints
from pdsim.errors import InputError, Problem
from pdsim.ranking.comparison import pairwise_probability
from pdsim.ranking.draws import ScoreDraws, as_draws, check_finite, mean_and_error, never_seen
from pdsim.ranking.marginals import Marginals, Score

type Among = Literal["all", "separated"]

_SUBSETS = 14
"""Facilities up to which all partitions are searched."""

_FRONTIER = 150
"""Facilities up to which, along an order, every number of separated pairs is searched."""

_SLACK = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class _Goal:
    """What makes a partition good: a bound on discordance, or a price of it."""

    rate: float | None
    concordance: float | None
    among: Among

    def value(self, separated: Floats, discordance: Floats, pairs: int) -> Floats:
        """Return what is to be maximised, -inf where the bound is broken."""
        if self.rate is None:
            assert self.concordance is not None
            agreeing = separated - discordance
            return np.asarray(self.concordance * agreeing - discordance)
        whole = pairs if self.among == "all" else separated
        within = discordance <= self.rate * whole + _SLACK
        return np.where(within, separated - 2.0 * discordance, -np.inf)


def grades(
    score: Score,
    *,
    rate: float | None = 0.05,
    concordance: float | None = None,
    among: Among = "all",
    zone: float = 0.0,
) -> xr.Dataset:
    """Return the ordered grades that agree best with the true order.

    A pair in different grades is concordant if the truth orders it likewise and discordant if
    it does not. Grades maximise the expected number of concordant minus discordant pairs, so that
    the discordance rate stays within `rate`; or, with `concordance` L in (0, 1], maximise L times
    concordant minus discordant pairs, which alone would separate a pair when it is ordered rightly
    with more than 1 / (1 + L).

    Parameters
    ----------
    score : DataArray or Marginals
        See `rank_probability`; without further dimensions.
    rate : float, optional
        Bound on the expected share of discordant pairs.
    concordance : float, optional
        Price instead of a bound; give ``rate=None``.
    among : {"all", "separated"}
        The share is of all pairs, or of those in different grades, which is stricter.
    zone : float
        Indifference zone, in the units of the score: a pair whose true scores differ by no more
        is not discordant, however it is graded. Above 0, draws are needed.

    Returns
    -------
    Dataset
        ``grade`` over ``facility``, 1 the best; ``discordance_rate`` with
        ``discordance_rate_mcse``, of all pairs; ``separated_share`` of pairs in different grades;
        ``separated_discordance``, the share of these that is discordant; ``agreement``,
        (concordant - discordant) / pairs, and ``agreement_bound``, which no grades exceed (with
        `rate`: none that keep it).
        Attribute ``optimal``: 1 if no partition is better, for certain. To 14 facilities
        all are searched; beyond, stretches of the Condorcet order, and the attribute is 1
        only if the bound is reached.

    Raises
    ------
    InputError
        If the score has further dimensions or is none, or an argument is out of range.

    References
    ----------
    Kline, Rose and Walters (2024), doi 10.1257/aer.20230700.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> values = np.random.default_rng(1).normal([9.0, 8.9, 0.0], 1.0, (1000, 3))
    >>> score = xr.DataArray(values, dims=("sample", "facility"),
    ...                      coords={"facility": ["A", "B", "C"]})
    >>> grades(score).grade.values.tolist()
    [1, 1, 2]
    """
    goal = _goal(rate, concordance, among)
    if not 0.0 <= zone < np.inf:
        raise InputError(Problem(rule=f"an indifference zone is at least 0 (received {zone})"))
    draws = score.first if isinstance(score, Marginals) else as_draws(score)
    if len(draws.template.dims) > 1:
        raise InputError(
            Problem(
                rule=f"grades are made for one score, not along {draws.template.dims[:-1]}",
                cure="select one element of the further dimensions",
            )
        )
    cost, ess = _discordance(score, draws, zone)
    order = _condorcet(cost)
    grade, optimal_search = _search(cost[np.ix_(order, order)], goal)
    placed = np.empty_like(grade)
    placed[order] = grade
    apart = placed[:, np.newaxis] < placed
    pairs = len(placed) * (len(placed) - 1) // 2
    separated, discordant = float(apart.sum()), float(cost[apart].sum())
    bound = _bound(cost, goal)
    agreement = (separated - 2.0 * discordant) / pairs
    reached = goal.value(*_arrays(separated, discordant), pairs) >= bound[0] - 1e-9
    error = 0.0 if np.isinf(ess) else _error(score, draws, apart, zone, ess) / pairs
    single = {
        "discordance_rate": discordant / pairs,
        "discordance_rate_mcse": error,
        "separated_share": separated / pairs,
        "separated_discordance": discordant / separated if separated else 0.0,
        "agreement": agreement,
        "agreement_bound": agreement if optimal_search and rate is not None else bound[1] / pairs,
    }
    attrs: dict[str, str | float] = {
        "optimal": int(optimal_search or bool(reached)),
        "search": "all partitions" if optimal_search else "stretches of the Condorcet order",
        "among": among,
        "zone": zone,
        "ess": ess,
        "grades": int(placed.max()) + 1,
        **({"rate": rate} if rate is not None else {}),
        **({"concordance": concordance} if concordance is not None else {}),
    }
    result = draws.label({"grade": placed[np.newaxis] + 1}, attrs=attrs)
    return result.assign({name: float(value) for name, value in single.items()})


def _goal(rate: float | None, concordance: float | None, among: Among) -> _Goal:
    problems = []
    if (rate is None) == (concordance is None):
        problems.append(Problem(rule="give either a rate or a price of concordance, not both"))
    if rate is not None and not 0.0 <= rate <= 1.0:
        problems.append(Problem(rule=f"a discordance rate is between 0 and 1 (received {rate})"))
    if concordance is not None and not 0.0 < concordance <= 1.0:
        problems.append(Problem(rule=f"concordance is in (0, 1] (received {concordance})"))
    if among not in ("all", "separated"):
        problems.append(Problem(rule=f"among is 'all' or 'separated' (received {among!r})"))
    if problems:
        raise InputError(problems)
    return _Goal(rate=rate, concordance=concordance, among=among)


def _discordance(score: Score, draws: ScoreDraws, zone: float) -> tuple[Floats, float]:
    """Return cost[i, j] = P(j ahead of i, by more than the zone), and the ESS."""
    if zone > 0.0 and isinstance(score, Marginals):
        raise InputError(
            Problem(
                rule="an indifference zone needs joint draws",
                cure="use the method sample of the distributions",
            )
        )
    pairs = pairwise_probability(score)
    ess = float(pairs.attrs["ess"])
    if zone == 0.0:
        cost = pairs["pairwise_probability"].values.T.copy()
    else:
        check_finite(draws, "an indifference zone")
        flat = draws.flat[0]
        cost = np.stack(
            [(flat - flat[:, i : i + 1] > zone).mean(axis=0) for i in range(len(flat.T))]
        )
    np.fill_diagonal(cost, 0.0)
    return cost, ess


def _condorcet(cost: Floats) -> Ints:
    """Order facilities by how many others they beat, then by expected rank."""
    wins = (cost < cost.T).sum(axis=1) + 0.5 * (cost == cost.T).sum(axis=1)
    return np.lexsort((cost.sum(axis=1), -wins))


def _search(cost: Floats, goal: _Goal) -> tuple[Ints, bool]:
    """Return grades, 0 the best, of facilities in Condorcet order; and if all were searched."""
    from pdsim.ranking import grading_kernels as kernels

    count = len(cost)
    pairs = count * (count - 1) // 2
    cost = np.ascontiguousarray(cost)
    if count > _FRONTIER:
        return _by_price(cost, goal), False
    whole = count <= _SUBSETS
    table, before = (kernels.over_subsets if whole else kernels.along_order)(cost)
    value = goal.value(np.arange(pairs + 1.0), table[-1], pairs)
    n = int(np.argmax(np.where(np.isfinite(table[-1]), value, -np.inf)))
    grade = np.zeros(count, dtype=np.int64)
    state, number = len(table) - 1, 0
    while state:
        earlier = int(before[state, n])
        if whole:
            new = [j for j in range(count) if (state ^ earlier) >> j & 1]
            held = earlier.bit_count()
        else:
            new, held = list(range(earlier, state)), earlier
        grade[new] = number
        n -= held * len(new)
        state, number = earlier, number + 1
    return number - 1 - grade, whole


def _by_price(cost: Floats, goal: _Goal) -> Ints:
    """Find the price at which the best partition along the order just keeps the bound."""
    from pdsim.ranking.grading_kernels import priced

    if goal.rate is None:
        assert goal.concordance is not None
        # L (n - d) - d is (1 + L) times reward n - d, with reward L / (1 + L)
        return priced(cost, goal.concordance / (1.0 + goal.concordance)).astype(np.int64)
    pairs = len(cost) * (len(cost) - 1) // 2
    best, low, high = np.zeros(len(cost), dtype=np.int64), 0.0, 0.5
    top = -np.inf
    for _ in range(40):
        middle = 0.5 * (low + high)
        grade = priced(cost, middle).astype(np.int64)
        apart = grade[:, np.newaxis] < grade
        value = float(goal.value(*_arrays(float(apart.sum()), float(cost[apart].sum())), pairs))
        if np.isfinite(value):
            low = middle
            if value > top:
                best, top = grade, value
        else:
            high = middle
    return best


def _arrays(separated: float, discordant: float) -> tuple[Floats, Floats]:
    return np.asarray(separated), np.asarray(discordant)


def _bound(cost: Floats, goal: _Goal) -> tuple[float, float]:
    """Return bounds of the goal and of separated - 2 discordant, each pair judged by itself."""
    upper = np.triu_indices(len(cost), 1)
    cheapest = np.sort(np.minimum(cost, cost.T)[upper])
    total = np.concatenate(([0.0], cheapest.cumsum()))
    separated = np.arange(len(total), dtype=np.float64)
    value = goal.value(separated, total, len(cheapest))
    agreement = separated - 2.0 * total if goal.rate is None else value
    return float(value.max()), float(agreement.max())


def _error(
    score: Score, draws: ScoreDraws, apart: NDArray[np.bool_], zone: float, ess: float
) -> float:
    """Return the Monte Carlo error of the expected number of discordant pairs."""
    pairs = apart.sum()
    if isinstance(score, Marginals) or len(apart) > _FRONTIER or not pairs:
        return float(pairs) * 0.5 / np.sqrt(ess) if pairs else 0.0
    values = draws.values
    number = np.zeros((*values.shape[:-1], 1))
    for i in np.flatnonzero(apart.any(axis=1)):
        behind = values[..., apart[i]] - values[..., i : i + 1]
        number[..., 0] += (behind > zone).sum(axis=-1)
        if zone == 0.0:
            number[..., 0] += 0.5 * (behind == 0.0).sum(axis=-1)
    _, error, size = mean_and_error(number, ess=draws.ess)
    return float(never_seen(error, size)[0, 0])
