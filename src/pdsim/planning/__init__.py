"""The smallest study that reaches a target, and where the next cases are best observed."""

from pdsim.planning.allocation import next_cases
from pdsim.planning.allocation_check import check_allocation
from pdsim.planning.answers import root_dataset
from pdsim.planning.closed import best_cases_per_visit, pcs_lead, pcs_means, required_lead
from pdsim.planning.control_design import ControlDesign, control_design
from pdsim.planning.designs import design_table, frontier
from pdsim.planning.first_look import FirstLook
from pdsim.planning.pilot import from_pilot, scenario_of_pilot
from pdsim.planning.plan import look_at_plan, plan, plan_file, run_plan
from pdsim.planning.plan_presets import PRESETS
from pdsim.planning.plan_settings import PlanSettings, read_plan
from pdsim.planning.root_search import Estimate, Root, Search, refine, solve
from pdsim.planning.sizes import Costs
from pdsim.planning.target import Target, parse_target
from pdsim.planning.uncertain import from_priors, from_ranges

__all__ = [
    "PRESETS",
    "ControlDesign",
    "Costs",
    "Estimate",
    "FirstLook",
    "PlanSettings",
    "Root",
    "Search",
    "Target",
    "best_cases_per_visit",
    "check_allocation",
    "control_design",
    "design_table",
    "from_pilot",
    "from_priors",
    "from_ranges",
    "frontier",
    "look_at_plan",
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
    "scenario_of_pilot",
    "solve",
]
