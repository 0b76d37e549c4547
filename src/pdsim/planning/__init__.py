"""The smallest study that reaches a target, and where the next cases are best observed."""

from pdsim.planning.allocation import next_cases
from pdsim.planning.check import check_allocation
from pdsim.planning.closed import pcs_lead, pcs_means, required_lead
from pdsim.planning.designs import design_table, frontier
from pdsim.planning.parameters import from_pilot, from_priors, from_ranges
from pdsim.planning.plan import plan, plan_file, run_plan
from pdsim.planning.presets import PRESETS
from pdsim.planning.results import root_dataset
from pdsim.planning.settings import PlanSettings, read_plan
from pdsim.planning.sizes import Costs
from pdsim.planning.solve import Estimate, Root, Search, refine, solve
from pdsim.planning.target import Target, parse_target

__all__ = [
    "PRESETS",
    "Costs",
    "Estimate",
    "PlanSettings",
    "Root",
    "Search",
    "Target",
    "check_allocation",
    "design_table",
    "from_pilot",
    "from_priors",
    "from_ranges",
    "frontier",
    "next_cases",
    "parse_target",
    "pcs_lead",
    "pcs_means",
    "plan",
    "plan_file",
    "read_plan",
    "refine",
    "required_lead",
    "root_dataset",
    "run_plan",
    "solve",
]
