"""One study from table to a folder of results."""

from pdsim.analysis.fits import load_fit, save_fit
from pdsim.analysis.gather import gather
from pdsim.analysis.refits import (
    case_correlation_sensitivity,
    compare_selections,
    design_effect_sensitivity,
    prior_sensitivity,
)
from pdsim.analysis.report import report, write_plan, write_report
from pdsim.analysis.result import Analysis
from pdsim.analysis.run import analyse
from pdsim.analysis.stages import AnalysisProgress
from pdsim.analysis.weight_tables import WeightSettings, weight_tables

__all__ = [
    "Analysis",
    "AnalysisProgress",
    "WeightSettings",
    "analyse",
    "case_correlation_sensitivity",
    "compare_selections",
    "design_effect_sensitivity",
    "gather",
    "load_fit",
    "prior_sensitivity",
    "report",
    "save_fit",
    "weight_tables",
    "write_plan",
    "write_report",
]
