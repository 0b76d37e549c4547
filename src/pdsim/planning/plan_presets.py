"""Scenarios to plan from, with plausible ranges of what they assume."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final

from pdsim.errors import InputError, Problem
from pdsim.simulation import Scenario
from pdsim.simulation.scenarios import PRESETS as SCENARIOS


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPreset:
    """A scenario to plan from.

    Attributes
    ----------
    scenario : Scenario
    ranges : mapping of str to (low, high)
        Plausible ranges of its assumptions.
    source : str
        What is published and what is assumed.
    """

    scenario: Scenario
    ranges: Mapping[str, tuple[Any, Any]]
    source: str


_FOUNDING_TABLE: Final = "Alidina et al. 2021, doi 10.1136/bmjqs-2020-011795, Table 2"

PRESETS: Final[Mapping[str, PlanPreset]] = MappingProxyType(
    {
        "like_founding": PlanPreset(
            scenario=Scenario(
                facilities=10,
                indicators=14,
                domains=2,
                baseline_level=0.12,
                improvement=49.0,
                sd_baseline_facility=0.35,
                sd_change_facility=0.7,
                case_correlation=0.1,
            ),
            ranges={
                "sd_change_facility": (0.5, 0.9),
                "sd_change_domain": (0.1, 0.5),
                "sd_change_indicator": (0.1, 0.5),
                "case_correlation": (0.0, 0.3),
                "improvement": (30.0, 60.0),
                "trials_cv": (0.0, 0.5),
                "missing": (0.0, 0.1),
            },
            source=(
                "New facilities like the ten of "
                f"{_FOUNDING_TABLE}: 12 % adherence before and 61 % after on average, changes "
                "that differ between facilities by 20 percentage points (SD). The numbers of "
                "cases, the correlation within a case and the differences between indicators are "
                "not published: they are assumed, with wide ranges."
            ),
        ),
        "modest_programme": PlanPreset(
            scenario=SCENARIOS["controlled_effect"].scenario,
            ranges={
                "sd_change_facility": (0.2, 0.6),
                "sd_change_indicator": (0.1, 0.4),
                "case_correlation": (0.0, 0.3),
                "improvement": (10.3, 15.9),
                "baseline_level": (0.3, 0.5),
                "missing": (0.0, 0.1),
            },
            source=SCENARIOS["controlled_effect"].source,
        ),
    }
)
"""Presets by name."""


def preset_of(name: str) -> PlanPreset:
    """Return a preset of planning, or a preset of the simulation without ranges.

    Raises
    ------
    InputError
        If there is none of that name.

    Examples
    --------
    >>> preset_of("like_founding").scenario.facilities
    10
    """
    if name in PRESETS:
        return PRESETS[name]
    if name in SCENARIOS:
        found = SCENARIOS[name]
        return PlanPreset(scenario=found.scenario, ranges={}, source=found.source)
    names = [*PRESETS, *SCENARIOS]
    close = get_close_matches(name, names, n=1)
    cure = f"perhaps {close[0]!r} was meant" if close else f"use one of {', '.join(names)}"
    raise InputError(Problem(rule=f"there is no preset {name!r}", cure=cure))
