"""The few constants and names that every part of pdsim shares."""

from typing import Final, Literal

CI_PROB: Final = 0.95
"""Probability of every interval, unless a caller states another."""

CI_KIND: Final = "eti"
"""Every interval is equal-tailed."""

CERTAIN: Final = 0.95
"""Text calls a statement certain from this probability on."""

DEFAULT_M: Final = 3
"""Facilities named at each end."""

PERIODS: Final = ("baseline", "endline")

SCHEMA_VERSION: Final = 1
"""Version of the layout of every file and Dataset that pdsim writes."""

type Side = Literal["top", "bottom"]
