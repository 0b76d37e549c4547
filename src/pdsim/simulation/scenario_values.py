"""Which values each setting of a scenario can have, whatever the others are."""

import math
from collections.abc import Iterator
from typing import Any, Final

from pdsim.errors import Problem
from pdsim.priors import Priors
from pdsim.terms.process import PROCESSES
from pdsim.terms.rules import RULES

_CHOICES = {
    "kind": ("counts", "normal"),
    "trials_unit": ("facility", "cell"),
    "engine": ("laplace", "nuts", "known"),
    "target": ("change", "programme"),
    "weighting": ("equal", "domain", "given"),
}  # fmt: skip
_COUNTS = {"facilities": 2, "controls": 0, "indicators": 1, "domains": 1, "m": 1, "draws": 100}
LEVELS: Final = ("facility", "domain", "indicator")
"""Of the effects."""
# name: (lowest, highest, whether the ends are allowed)
_RANGES = {
    **{
        f"sd_{kind}_{level}": (0.0, 10.0, True)
        for kind in ("baseline", "change")
        for level in LEVELS
    },
    **{f"corr_{level}": (-1.0, 1.0, True) for level in LEVELS},
    "visit_correlation": (0.0, 0.9, True),
    "assumed_design_effect": (1.0, 1e6, True),
    "sd_alpha": (0.0, 10.0, True),
    "sd_beta": (0.0, 10.0, True),
    "sd_secular_trend": (0.0, 10.0, True),
    "heterogeneity": (0.0, 5.0, True),
    "secular_trend": (-100.0, 100.0, True),
    "imbalance": (-100.0, 100.0, True),
    "ceiling": (0.0, 1.0, True),
    "trials_cv": (0.0, 10.0, True),
    "case_correlation": (0.0, 0.9, True),
    "assumed_case_correlation": (0.0, 0.9, True),
    "missing": (0.0, 0.95, True),
    "missing_slope": (-20.0, 20.0, True),
    "sensitivity": (0.0, 1.0, True),
    "specificity": (0.0, 1.0, True),
    "observer_effect": (-20.0, 20.0, True),
    "observer_halving": (0.0, math.inf, False),
    "observer_endline": (0.0, 1.0, True),
    "unit_sd": (0.0, math.inf, False),
    "flag_threshold": (0.0, 1.0, False),
}
_OPTIONAL = ("observer_halving", "assumed_case_correlation", "assumed_design_effect")
PER_INDICATOR: Final = ("sd_baseline_indicator", "sd_change_indicator", "corr_indicator")
"""May have one value for each indicator."""


def value_problems(settings: Any) -> Iterator[Problem]:
    """Yield what is wrong with single values; made in Python, they can have any type."""
    yield from _choices(settings)
    yield from _numbers(settings)


def _choices(settings: Any) -> Iterator[Problem]:
    for name, allowed in (_CHOICES | {"rule": tuple(RULES)}).items():
        value = getattr(settings, name)
        if value not in allowed:
            yield Problem(rule=f"{name} is {value!r}", cure=f"use one of {', '.join(allowed)}")
    if settings.process not in PROCESSES:
        rule = f"there is no process {settings.process!r}"
        yield Problem(rule=rule, cure=f"use one of {', '.join(PROCESSES)}, or register it")
    if not isinstance(settings.known_se, bool):
        yield Problem(rule=f"known_se is {settings.known_se!r}", cure="use true or false")
    if not isinstance(settings.priors, Priors):
        yield Problem(rule="priors are no Priors", cure="use pdsim.Priors(...)")


def _numbers(settings: Any) -> Iterator[Problem]:
    for name, least in _COUNTS.items():
        value = getattr(settings, name)
        if not is_int(value) or value < least:
            yield Problem(rule=f"{name} must be a whole number from {least}, got {value!r}")
    for name, (low, high, closed) in _RANGES.items():
        value = getattr(settings, name)
        if value is None and name in _OPTIONAL:
            continue
        values = value if name in PER_INDICATOR and isinstance(value, tuple) else (value,)
        if not all(
            is_number(one) and (low <= one <= high if closed else low < one < high)
            for one in values
        ):
            ends = f"from {low:g} to {high:g}" if closed else f"above {low:g} and below {high:g}"
            yield Problem(rule=f"{name} must be a number {ends}, got {value!r}")


def is_int(value: Any) -> bool:
    """Tell whether a value is a whole number by its type."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Tell whether a value is a finite number by its type."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_row(value: Any, size: int | None) -> bool:
    """Tell whether a value is a tuple of finite numbers, of a size if one is given."""
    return (
        isinstance(value, tuple)
        and (size is None or len(value) == size)
        and all(is_number(item) for item in value)
    )


def trials_fit(value: Any, facilities: int, indicators: int) -> bool:
    """Tell whether trials are whole numbers from 1: one, one a facility, or one a cell."""
    if is_int(value):
        return bool(value >= 1)
    if not isinstance(value, tuple) or len(value) != facilities:
        return False
    if all(is_int(item) for item in value):
        return bool(min(value) >= 1)
    return all(
        isinstance(row, tuple)
        and len(row) == indicators
        and all(is_int(item) and item >= 1 for item in row)
        for row in value
    )
