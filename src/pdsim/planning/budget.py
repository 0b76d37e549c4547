"""What a budget buys, what the target takes, and what else moves the price of a study."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np
import xarray as xr
from scipy.special import ndtri

from pdsim.conventions import CI_PROB
from pdsim.errors import InputError
from pdsim.planning.answers import value_at
from pdsim.planning.closed import best_cases_per_visit
from pdsim.planning.control_arms import unstated_controls
from pdsim.planning.curve import crossing
from pdsim.planning.question import DrawFor, Question, estimates_at
from pdsim.planning.root_search import Root
from pdsim.planning.sizes import Costs, mean_trials, periods_of, resize, visits_of, with_trials
from pdsim.planning.start import Signal, signal_of
from pdsim.planning.target import Target
from pdsim.simulation import Scenario
from pdsim.simulation.scenario import visit_design_effect

_STREAM: Final = 4_000
_REPLICATES: Final = {True: 150, False: 2_000}
_MOST_TRIALS: Final = 1e7
_TRUTHS: Final = (256, 4096)
_CELLS: Final = 4_000_000
_CERTAIN: Final = 0.95
DROPOUT: Final = 0.1
_MISSING, _CORRELATION, _CV, _UNEQUAL = 0.1, 0.1, 0.5, 0.5


def certain_size(root: Root) -> float:
    """Return the size at which the target is reached with 95 % certainty, as the curve tells.

    The upper end of the one-sided interval; NaN where the search did not go that far.
    """
    search = root.search
    found = crossing(
        root.curve, search.value, low=search.low, high=search.high, at_least=search.at_least,
        rising=root.rising, prob=2 * _CERTAIN - 1,
    )  # fmt: skip
    end = found.high if root.rising else found.low
    if not (np.isfinite(end) and end > 0):
        return np.nan
    return float(np.ceil(end) if root.rising else np.floor(end))


def affordable_size(question: Question, costs: Costs, budget: float) -> int:
    """Return the largest size that a budget pays for; 0 if not even the smallest.

    Examples
    --------
    >>> from pdsim.planning.target import parse_target
    >>> asked = Question(scenario=Scenario(), target=parse_target("pcs_top >= 0.8"),
    ...                  over="trials", low=2, high=1000)
    >>> affordable_size(asked, Costs(per_facility=100, per_case=1), 2000)
    50
    """

    def cost(size: int) -> float:
        return cost_of(question, costs, size)

    least = least_size(question, costs)
    low, high = 0, least
    while cost(high) <= budget and high < 10_000_000:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if cost(middle) <= budget else (low, middle)
    return low


def least_size(question: Question, costs: Costs) -> int:
    """Return the smallest size at which there is a study: of facilities it is not 1."""
    sizes = range(1, question.low + 1)
    return next((n for n in sizes if np.isfinite(cost_of(question, costs, n))), question.low)


def cost_of(question: Question, costs: Costs, size: int) -> float:
    """Return the cost of the study at a size; infinite where there is no such study."""
    try:
        sized = resize(question.scenario, question.over, size)
    except InputError:
        return np.inf
    return costs.of(sized, rounds=size if question.over == "rounds" else None)


def budget_dataset(
    question: Question,
    root: Root,
    costs: Costs,
    *,
    n: float,
    budget: float,
    draw_for: DrawFor | None = None,
) -> xr.Dataset:
    """Return whether a budget is enough, what it buys, and what the target takes.

    Parameters
    ----------
    question : Question
    root : Root
        The answer to it.
    costs : Costs
    n : float
        The size that reaches the target, NaN if none does.
    budget : float
    draw_for : callable, optional
        The draws that the answer averages over.

    Returns
    -------
    Dataset
        Scalars ``budget``, ``cost`` (of n), ``factor`` (cost over budget; NaN where no n reaches
        the target), ``over`` (1 where n costs more), ``size`` (the largest that the budget pays
        for, 0 if none), ``size_cost``, ``least_cost`` (of the smallest study), ``visits`` (per
        facility and period at that size), and the measure there: ``value``, ``value_low``,
        ``value_high``, ``replicates`` (0 where the curve of the search tells it).
    """
    cost = cost_of(question, costs, int(n)) if np.isfinite(n) else np.nan
    size = affordable_size(question, costs, budget)
    value, spent = (np.nan, np.nan, np.nan), 0
    if size:
        value, spent = _measure_at(question, root, size, draw_for)
    sized = resize(question.scenario, question.over, size) if size else question.scenario
    visits = size if question.over == "rounds" else visits_of(sized)
    return xr.Dataset(
        {
            "budget": budget,
            "cost": cost,
            "factor": cost / budget,
            "over": float(not cost <= budget),
            "size": float(size),
            "size_cost": cost_of(question, costs, size) if size else np.nan,
            "least_cost": cost_of(question, costs, least_size(question, costs)),
            "visits": float(visits if size else 0),
            "value": value[0],
            "value_low": value[1],
            "value_high": value[2],
            "replicates": spent,
        }
    )


def _measure_at(
    question: Question, root: Root, size: int, draw_for: DrawFor | None
) -> tuple[tuple[float, float, float], int]:
    """Return the measure at a size with its interval, and the replicates that took."""
    if root.size.min() <= size <= root.size.max():
        return value_at(root, size), 0
    count = _REPLICATES[question.scenario.needs_posterior]
    (found,) = estimates_at(question, [size], count, stream=_STREAM, draw_for=draw_for)
    half = float(ndtri(0.5 + CI_PROB / 2)) * found.error
    return (found.value, found.value - half, found.value + half), count


def visit_dataset(question: Question, costs: Costs, *, n: float) -> xr.Dataset:
    """Return what visits do to a study, and how many cases of a visit are best for the money.

    Returns
    -------
    Dataset
        Scalars ``correlation`` (of the scores of two cases of one visit), ``design_effect`` (at
        n), ``per_visit`` (cases of a visit as planned; NaN: all on one), ``best`` (by the closed
        form, see `pdsim.planning.best_cases_per_visit`; infinite without correlation),
        ``cost_of_visit``, ``cost_of_case``.
    """
    scenario = question.scenario
    signal = signal_of(scenario, seed=question.seed)
    trials = n if question.over == "trials" and np.isfinite(n) else mean_trials(scenario)
    per_case = costs.of_case(scenario)
    return xr.Dataset(
        {
            "correlation": signal.visit_correlation,
            "design_effect": visit_design_effect(
                trials, signal.per_visit, signal.visit_correlation
            ),
            "per_visit": np.nan if signal.per_visit is None else float(signal.per_visit),
            "best": best_cases_per_visit(costs.per_visit, per_case, signal.visit_correlation),
            "cost_of_visit": costs.per_visit,
            "cost_of_case": per_case,
        }
    )


def price_dataset(question: Question, costs: Costs, *, n: float) -> xr.Dataset:
    """Return what the circumstances of the field cost, by normal theory.

    The trials that a target takes rise with the square of (error of one case / spread between
    facilities); nothing is simulated.

    Parameters
    ----------
    question : Question
        Over trials.
    costs : Costs
    n : float
        The answer.

    Returns
    -------
    Dataset
        Over ``change``: ``size`` (trials that the target then takes, NaN where it stays), ``cost``
        and ``extra`` (over that of the answer; NaN where no number of trials makes up for it).
        Attribute ``lost`` (facilities that drop out of a tenth more).
    """
    scenario = question.scenario
    before = costs.of(with_trials(scenario, n))
    rows: list[tuple[str, float, float]] = []

    signal = _signal(question, scenario)
    wanted = signal.reliability(n)
    for name, moved in field_changes(scenario).items():
        size = size_needed(question, moved, wanted)
        cost = costs.of(with_trials(moved, size)) if np.isfinite(size) else np.nan
        rows.append((name, size, cost))
    per_facility = costs.of_facility(with_trials(scenario, n))
    lost = np.ceil(scenario.facilities / (1 - DROPOUT)) - scenario.facilities
    rows.append(("dropout", np.nan, before + lost * per_facility))
    step = scenario.cases_per_visit or max(1, round(n))
    visit = scenario.observed_facilities * (costs.per_visit + step * costs.of_case(scenario))
    rows.append(("visit", n + step, before + periods_of(scenario) * visit))
    if not scenario.controls:
        controls = unstated_controls(scenario)
        rows.append(("controls", np.nan, before + controls * per_facility))
    return xr.Dataset(
        {
            "size": ("change", [row[1] for row in rows]),
            "cost": ("change", [row[2] for row in rows]),
            "extra": ("change", [row[2] - before for row in rows]),
        },
        coords={"change": [row[0] for row in rows]},
        attrs={"lost": int(lost)},
    )


def field_changes(scenario: Scenario) -> dict[str, Scenario]:
    """Return the scenario under each circumstance of the field that can be put in its settings."""
    changes: dict[str, Callable[[], Scenario]] = {}
    if scenario.kind == "counts" and scenario.indicators > 1:
        r = scenario.case_correlation + _CORRELATION
        changes["case_correlation"] = lambda: replace(scenario, case_correlation=r)
        changes["indicators"] = lambda: resize(scenario, "indicators", scenario.indicators - 1)
        changes["heterogeneity"] = lambda: _with_unequal_spreads(scenario)
    if scenario.kind == "counts":
        missing = scenario.missing + _MISSING
        changes["missing"] = lambda: replace(scenario, missing=missing)
    cv = float(np.hypot(scenario.trials_cv, _CV))
    changes["trials_cv"] = lambda: replace(scenario, trials_cv=cv)
    found = {}
    for name, change in changes.items():
        # a scenario that lists its indicators or trials one by one allows only some
        with contextlib.suppress(InputError):
            found[name] = change()
    return found


def _with_unequal_spreads(scenario: Scenario) -> Scenario:
    """Return the scenario with indicators whose spreads differ more, their mean square the same."""
    before = scenario.heterogeneity
    after = float(np.hypot(before, _UNEQUAL))
    # the mean of a squared factor with logarithm N(0, h^2) is exp(2 h^2)
    factor = np.exp(before**2 - after**2)
    spreads: dict[str, Any] = {}
    for level in scenario.effect_levels:
        for name in (f"sd_baseline_{level}", f"sd_change_{level}"):
            scaled = factor * np.asarray(getattr(scenario, name), dtype=float)
            spreads[name] = tuple(scaled.tolist()) if scaled.ndim else float(scaled)
    return replace(scenario, heterogeneity=after, **spreads)


def _signal(question: Question, scenario: Scenario) -> Signal:
    """Return the signal from so many truths that chance moves a price by about 1 %."""
    cells = 2 * scenario.facilities * scenario.indicators
    truths = int(np.clip(_CELLS // cells, *_TRUTHS))
    return signal_of(scenario, seed=question.seed, truths=truths)


def size_needed(question: Question, moved: Scenario, wanted: float) -> float:
    """Return the trials at which a changed scenario reaches a reliability, or NaN."""
    signal = _signal(question, moved)
    low, high = 1.0, _MOST_TRIALS
    if signal.reliability(high) < wanted:
        return np.nan
    while high / low > 1 + 1e-6:
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if signal.reliability(middle) >= wanted else (middle, high)
    return float(np.ceil(high - 1e-3))


def worth_dataset(question: Question, costs: Costs, *, n: float) -> xr.Dataset:
    """Return what the evaluation is worth: names that it puts right, less what it costs.

    Drawing lots names m / facilities of the best rightly.

    Returns
    -------
    Dataset
        Scalars ``right`` and ``right_mcse`` (facilities named rightly, of m), ``by_lot``, ``gain``
        (their difference at ``per_wrong`` each), ``cost``, ``worth`` (gain less cost).
    """
    scenario = question.scenario
    asked = replace(question, target=Target(measure="overlap_top", at_least=True, value=0.5))
    count = _REPLICATES[scenario.needs_posterior]
    (found,) = estimates_at(asked, [int(n)], count, stream=_STREAM + 1)
    m = scenario.m
    by_lot = m * m / resize(scenario, question.over, int(n)).facilities
    gain = costs.per_wrong * (m * found.value - by_lot)
    cost = cost_of(question, costs, int(n))
    return xr.Dataset(
        {
            "right": m * found.value,
            "right_mcse": m * found.error,
            "by_lot": by_lot,
            "gain": gain,
            "cost": cost,
            "worth": gain - cost,
            "replicates": count,
        }
    )
