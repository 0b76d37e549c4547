"""What was recognised in a file."""

from dataclasses import dataclass, field
from typing import Any

import pandas as pd


@dataclass(slots=True, kw_only=True)
class Recognised:
    """What was recognised in a file.

    Attributes
    ----------
    layout : {"long", "wide", "cases", "ratios", "estimates", "unknown"}
    keys : dict
        Of the study.toml, without ``data``.
    taken : list of str
        What was taken for what.
    unsure : list of str
        What the user has to look at, and why.
    indicators : list of dict
        Rows of an indicator table; empty where there is nothing to say.
    converted : DataFrame or None
        The table, where the file is none itself.
    receipt : dict
        Source, its sha256, rows read and dropped.
    """

    layout: str = "unknown"
    keys: dict[str, Any] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    indicators: list[dict[str, str]] = field(default_factory=list)
    converted: pd.DataFrame | None = None
    receipt: dict[str, Any] = field(default_factory=dict)
