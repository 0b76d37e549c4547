"""From a score of each facility to ranks, memberships, sets, intervals and choices."""

from pdsim.ranking.intervals import rank_interval
from pdsim.ranking.probability import expected_rank, rank_probability, top_probability
from pdsim.ranking.rules import LOSSES, RULES, Rule
from pdsim.ranking.selection import select
from pdsim.ranking.sets import set_probability

__all__ = [
    "LOSSES",
    "RULES",
    "Rule",
    "expected_rank",
    "rank_interval",
    "rank_probability",
    "select",
    "set_probability",
    "top_probability",
]
