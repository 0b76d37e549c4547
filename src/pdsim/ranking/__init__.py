"""From a score of each facility to ranks, memberships, sets, intervals, grades and choices.

A score is larger where a facility is better. It comes as draws, a DataArray over (``chain``,
``draw``, ``facility``) or (``sample``, ``facility``), or as distributions (`Marginals`).
"""

from pdsim.ranking.comparison import improvement_probability, pairwise_probability
from pdsim.ranking.confidence import rank_confidence_set
from pdsim.ranking.containing import likely_sets, subset, superset
from pdsim.ranking.contrast import disagreement
from pdsim.ranking.correlated import correlated_scores
from pdsim.ranking.grading import grades
from pdsim.ranking.intervals import joint_rank_region, rank_interval
from pdsim.ranking.joint import criteria, undominated_probability
from pdsim.ranking.marginals import (
    Marginals,
    Score,
    beta_scores,
    gridded_scores,
    normal_scores,
)
from pdsim.ranking.naming_costs import naming_costs, naming_threshold
from pdsim.ranking.observed import observed_of
from pdsim.ranking.percentiles import pcer, r_values, rankability, sucra, triple_goal
from pdsim.ranking.probability import expected_rank, rank_probability, top_probability
from pdsim.ranking.run_chart import RunLimits, run_limits, signal_by_chance
from pdsim.ranking.selection import select
from pdsim.ranking.sets import set_probability
from pdsim.ranking.statements import (
    Statement,
    above,
    between,
    in_bottom,
    in_top,
    meets,
    statement_probability,
)
from pdsim.ranking.steadiness import over_rounds, repeat_membership, run_charts, steadiness
from pdsim.ranking.winners import winners_curse
from pdsim.terms.evidence import Evidence
from pdsim.terms.rules import LOSSES, RULES, Rule, register_rule

__all__ = [
    "LOSSES",
    "RULES",
    "Evidence",
    "Marginals",
    "Rule",
    "RunLimits",
    "Score",
    "Statement",
    "above",
    "beta_scores",
    "between",
    "correlated_scores",
    "criteria",
    "disagreement",
    "expected_rank",
    "grades",
    "gridded_scores",
    "improvement_probability",
    "in_bottom",
    "in_top",
    "joint_rank_region",
    "likely_sets",
    "meets",
    "naming_costs",
    "naming_threshold",
    "normal_scores",
    "observed_of",
    "over_rounds",
    "pairwise_probability",
    "pcer",
    "r_values",
    "rank_confidence_set",
    "rank_interval",
    "rank_probability",
    "rankability",
    "register_rule",
    "repeat_membership",
    "run_charts",
    "run_limits",
    "select",
    "set_probability",
    "signal_by_chance",
    "statement_probability",
    "steadiness",
    "subset",
    "sucra",
    "superset",
    "top_probability",
    "triple_goal",
    "undominated_probability",
    "winners_curse",
]
