"""Parameters of a scenario that are not known: drawn from ranges or priors.

Assurance (O'Hagan, Stevens and Campbell 2005, doi 10.1002/pst.175) is the measure averaged over
these draws; it answers another question than the measure at one assumed truth.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Literal

import numpy as np
import xarray as xr
from scipy.special import expit

from pdsim.arraytypes import Floats
from pdsim.conventions import CI_PROB
from pdsim.errors import InputError, Problem
from pdsim.model.predictive import parameters_of
from pdsim.priors import Priors
from pdsim.simulation import Scenario

type DrawnFrom = Literal["", "ranges", "priors", "pilot"]
type DrawSettings = Callable[[int], Mapping[str, Any]]
"""The settings of a scenario that draw number j replaces; the same j, the same settings."""

_STREAM: Final = 0x61737375
LARGEST_SD: Final = 10.0
"""Of a scenario, in logits."""

_SHOWN: Final = 1000
_QUANTILES: Final = (0.5 - CI_PROB / 2, 0.5, 0.5 + CI_PROB / 2)
_EDGE: Final = 1e-6
_WHOLE: Final = ("facilities", "indicators", "domains", "trials", "m", "draws")


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Lowest and highest plausible value of one assumption."""

    low: Any
    high: Any


def check_ranges(scenario: Scenario, ranges: Mapping[str, Any]) -> dict[str, Range]:
    """Return the ranges of a scenario's assumptions, each end of which makes a scenario.

    Parameters
    ----------
    scenario : Scenario
    ranges : mapping of str to (low, high)
        By the names of the scenario's settings.

    Raises
    ------
    InputError
        With every unknown name and impossible value.

    Examples
    --------
    >>> check_ranges(Scenario(indicators=14), {"case_correlation": (0.0, 0.3)})
    {'case_correlation': Range(low=0.0, high=0.3)}
    """
    problems: list[Problem] = []
    names = {field.name for field in fields(Scenario)}
    found: dict[str, Range] = {}
    for name, ends in ranges.items():
        if name not in names:
            cure = "use the name of a setting of the scenario"
            problems.append(Problem(rule=f"ranges: there is no setting {name!r}", cure=cure))
            continue
        if not isinstance(ends, tuple | list) or len(ends) != 2:
            problems.append(
                Problem(rule=f"ranges: {name} must be two values, low and high, got {ends!r:.80}")
            )
            continue
        for end in ends:
            try:
                replace(scenario, **{name: end})
            except InputError as error:
                problems += [
                    replace(problem, rule=f"ranges: {name} = {end!r:.40}: {problem.rule}")
                    for problem in error.problems
                ]
        found[name] = Range(low=ends[0], high=ends[1])
    if problems:
        raise InputError(problems)
    return found


def from_ranges(ranges: Mapping[str, Range], *, seed: int) -> DrawSettings:
    """Return draws that are uniform and independent between the ends of numeric ranges.

    Raises
    ------
    InputError
        If a range is not of numbers.
    """
    wrong = [name for name, ends in ranges.items() if not _is_number(ends.low, ends.high)]
    if wrong or not ranges:
        raise InputError(
            Problem(
                rule="assurance from ranges needs ranges of numbers"
                + (f", {', '.join(wrong)} is none" if wrong else ""),
                cure="state [ranges], or draw from priors or a pilot",
            )
        )

    def draw(number: int) -> Mapping[str, Any]:
        rng = generator(seed, number)
        return {name: _between(name, ends, float(rng.random())) for name, ends in ranges.items()}

    return draw


def from_priors(scenario: Scenario, priors: Priors, *, seed: int) -> DrawSettings:
    """Return draws of every variance, correlation and level from priors of the model.

    The change that is drawn holds any secular trend, so the scenario's own is set to zero.

    Parameters
    ----------
    scenario : Scenario
        Counts; its effect levels decide which parameters exist.
    priors : Priors
    seed : int

    Raises
    ------
    InputError
        If they have a standard deviation of change by arm, which a scenario has not.
    """
    need_counts(scenario)
    if priors.change_spread == "by_arm":
        rule = "design priors with change_spread = 'by_arm': a plan has one SD of change"
        raise InputError(Problem(rule=rule, cure="leave change_spread out of them"))

    own = priors.indicator_spread == "own"

    def draw(number: int) -> Mapping[str, Any]:
        drawn = parameters_of(
            priors,
            scenario.effect_levels,
            indicators=scenario.indicators,
            own_spread=own,
            rng=generator(seed, number),
        )
        found: dict[str, Any] = {}
        for level in scenario.effect_levels:
            for name, values in (
                ("sd_baseline", np.minimum(drawn.sd_baseline[level], LARGEST_SD)),
                ("sd_change", np.minimum(drawn.sd_change[level], LARGEST_SD)),
                ("corr", drawn.corr[level]),
            ):
                each = tuple(values.tolist())
                found[f"{name}_{level}"] = each if len(each) > 1 else each[0]
        return found | levels_of(scenario, drawn.alpha, drawn.beta)

    return draw


def drawn(draw: DrawSettings) -> xr.Dataset:
    """Return what is drawn: quantiles of each parameter that varies.

    Returns
    -------
    Dataset
        Over ``parameter``: ``drawn_low``, ``drawn_median``, ``drawn_high``, the 2.5, 50 and
        97.5 % quantiles; of values by indicator those of their mean.

    Examples
    --------
    >>> found = drawn(from_ranges({"sd_change_facility": Range(low=0.5, high=0.9)}, seed=1))
    >>> found.drawn_median.sel(parameter="sd_change_facility").round(1).item()
    0.7
    """
    rows = [draw(number) for number in range(_SHOWN)]
    values = {
        name: np.array([np.mean(row[name]) for row in rows])
        for name, value in rows[0].items()
        if value is not None
    }
    varying = {name: each for name, each in values.items() if np.ptp(each) > 0}
    quantiles = np.array([np.quantile(each, _QUANTILES) for each in varying.values()])
    quantiles = quantiles.reshape(-1, len(_QUANTILES))
    names = ("drawn_low", "drawn_median", "drawn_high")
    return xr.Dataset(
        {name: ("parameter", quantiles[:, i]) for i, name in enumerate(names)},
        coords={"parameter": list(varying)},
    )


def levels_of(scenario: Scenario, alpha: Floats, beta: Floats) -> dict[str, Any]:
    """Return baseline levels and improvements of an average facility."""
    base = scenario.ceiling * np.clip(expit(alpha), _EDGE, 1 - _EDGE)
    end = scenario.ceiling * np.clip(expit(alpha + beta), _EDGE, 1 - _EDGE)
    return {
        "baseline_level": tuple(base.tolist()),
        "improvement": tuple((100 * (end - base)).tolist()),
        "secular_trend": 0.0,
        "sd_alpha": 0.0,
        "sd_beta": 0.0,
        "levels": None,
    }


def need_counts(scenario: Scenario) -> None:
    """Raise InputError unless the scenario is of counts."""
    if scenario.kind != "counts":
        raise InputError(
            Problem(
                rule="parameters of the model belong to counts",
                cure="draw from ranges for normal data",
            )
        )


def _is_number(*values: Any) -> bool:
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def _between(name: str, ends: Range, share: float) -> int | float:
    value = float(ends.low + share * (ends.high - ends.low))
    if name in _WHOLE:
        return round(value)
    # each within-case correlation needs a table of its own, which is kept
    return round(value, 2) if name == "case_correlation" else value


def generator(seed: int, number: int) -> np.random.Generator:
    """Return the random numbers of one draw; -1 is the stream of an order."""
    # spawn keys are of fixed width, and number -1 is the stream of the order
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM, number + 1)))
