"""Indicators to one score per facility: normalisation, aggregation, missing cells."""

from pdsim.scoring.aggregate import (
    aggregate,
    allowed_estimands,
    is_defined,
    score,
    score_composite,
    score_normalised,
)
from pdsim.scoring.allornone import all_or_none
from pdsim.scoring.case_mix import observed_over_expected
from pdsim.scoring.missing import (
    MISSING_POLICIES,
    apply_missing_policy,
    observed_levels,
    observed_sources,
)
from pdsim.scoring.normalise import implied_weights, indicator_values, normalise

__all__ = [
    "MISSING_POLICIES",
    "aggregate",
    "all_or_none",
    "allowed_estimands",
    "apply_missing_policy",
    "implied_weights",
    "indicator_values",
    "is_defined",
    "normalise",
    "observed_levels",
    "observed_over_expected",
    "observed_sources",
    "score",
    "score_composite",
    "score_normalised",
]
