"""Scenarios with a source, to start from."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pdsim.errors import InputError, Problem
from pdsim.simulation.scenario import Scenario

_LAKE_ZONE_PERCENT = (
    (19, 95), (18, 92), (9, 74), (13, 73), (10, 59),
    (11, 55), (5, 41), (8, 39), (14, 44), (15, 34),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A scenario and where its numbers come from.

    Attributes
    ----------
    scenario : Scenario
    source : str
        One or two sentences, with what is published and what is assumed.
    """

    scenario: Scenario
    source: str


_FOUNDING = (
    "Ten facilities, 14 indicators in two domains, 12 % adherence before and 61 % after, as in "
    "Alidina et al. 2021, doi 10.1136/bmjqs-2020-011795, Table 2"
)

PRESETS: Final[Mapping[str, Preset]] = MappingProxyType(
    {
        "lake_zone": Preset(
            scenario=Scenario(
                indicators=14,
                domains=2,
                levels=tuple((before / 100, after / 100) for before, after in _LAKE_ZONE_PERCENT),
                sd_baseline_facility=0.0,
                sd_change_facility=0.0,
                sd_baseline_domain=0.0,
                sd_change_domain=0.0,
                sd_baseline_indicator=0.0,
                sd_change_indicator=0.0,
                trials=20,
                case_correlation=0.1,
            ),
            source=(
                "The published adherence of each of ten facilities taken as the truth of every "
                "indicator: Alidina et al. 2021, doi 10.1136/bmjqs-2020-011795, Table 2. The "
                "numbers of cases observed are not published: 20 a period and a within-case "
                "correlation of 0.1 are assumed."
            ),
        ),
        "controlled_effect": Preset(
            scenario=Scenario(
                indicators=14,
                domains=2,
                baseline_level=0.4,
                improvement=13.0,
                sd_change_facility=0.4,
                sd_change_domain=0.2,
                sd_change_indicator=0.2,
                trials=40,
                case_correlation=0.1,
            ),
            source=(
                "An improvement of 13 percentage points, the middle of the 10.3 to 15.9 that "
                "training or supervision typically had over controls: Rowe et al. 2018, doi "
                "10.1016/S2214-109X(18)30398-X. Baseline of 40 %, differences between facilities, "
                "40 cases and within-case correlation are assumed."
            ),
        ),
        "low_reliability": Preset(
            scenario=Scenario(
                indicators=14,
                domains=2,
                baseline_level=0.12,
                improvement=49.0,
                sd_change_facility=0.35,
                trials=5,
                case_correlation=0.3,
            ),
            source=(
                f"{_FOUNDING}; few cases (5), strongly correlated within a case (0.3), and "
                "facilities half as different as published make the share of true variance in the "
                "observed changes about 0.31, far below the 0.7 usually asked for (Scholle et al. "
                "2008, Am J Manag Care 14:833-838)."
            ),
        ),
        "high_reliability": Preset(
            scenario=Scenario(
                indicators=14,
                domains=2,
                baseline_level=0.12,
                improvement=49.0,
                trials=50,
                case_correlation=0.1,
            ),
            source=(
                f"{_FOUNDING}; 50 cases with a within-case correlation of 0.1 make the share of "
                "true variance in the observed changes about 0.96."
            ),
        ),
    }
)
"""Presets by name; change fields with `dataclasses.replace`."""


def preset(name: str) -> Scenario:
    """Return the scenario of a preset.

    Parameters
    ----------
    name : str
        A key of ``PRESETS``.

    Raises
    ------
    InputError
        If there is no such preset.

    Examples
    --------
    >>> preset("lake_zone").levels[0]
    (0.19, 0.95)
    """
    if name not in PRESETS:
        raise InputError(
            Problem(rule=f"there is no preset {name!r}", cure=f"use one of {', '.join(PRESETS)}")
        )
    return PRESETS[name].scenario
