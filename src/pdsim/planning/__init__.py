"""The smallest study that reaches a target, and where the next cases are best observed.

Everything public is imported from here, on first use.
"""

from typing import TYPE_CHECKING

from pdsim.lazily import on_first_use

if TYPE_CHECKING:
    from pdsim.planning.allocation import next_cases
    from pdsim.planning.allocation_check import check_allocation
    from pdsim.planning.answers import root_dataset
    from pdsim.planning.closed import best_cases_per_visit, pcs_lead, pcs_means, required_lead
    from pdsim.planning.control_arms import ControlDesign, control_design
    from pdsim.planning.designs import design_table, frontier
    from pdsim.planning.first_look import FirstLook
    from pdsim.planning.pilot import from_pilot, scenario_of_pilot
    from pdsim.planning.plan_presets import PRESETS
    from pdsim.planning.plan_settings import PlanSettings, read_plan
    from pdsim.planning.planner import look_at_plan, plan, plan_file, run_plan
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

__getattr__ = on_first_use(
    __name__,
    {
        "PRESETS": "plan_presets",
        "ControlDesign": "control_arms",
        "Costs": "sizes",
        "Estimate": "root_search",
        "FirstLook": "first_look",
        "PlanSettings": "plan_settings",
        "Root": "root_search",
        "Search": "root_search",
        "Target": "target",
        "best_cases_per_visit": "closed",
        "check_allocation": "allocation_check",
        "control_design": "control_arms",
        "design_table": "designs",
        "from_pilot": "pilot",
        "from_priors": "uncertain",
        "from_ranges": "uncertain",
        "frontier": "designs",
        "look_at_plan": "planner",
        "next_cases": "allocation",
        "parse_target": "target",
        "pcs_lead": "closed",
        "pcs_means": "closed",
        "plan": "planner",
        "plan_file": "planner",
        "read_plan": "plan_settings",
        "refine": "root_search",
        "required_lead": "closed",
        "root_dataset": "answers",
        "run_plan": "planner",
        "scenario_of_pilot": "pilot",
        "solve": "root_search",
    },
)
