"""One study from table to a folder of results.

Everything public is imported from here, on first use.
"""

from typing import TYPE_CHECKING

from pdsim.lazily import on_first_use

if TYPE_CHECKING:
    from pdsim.analysis.all_tables import gather
    from pdsim.analysis.fits import load_fit, save_fit
    from pdsim.analysis.refits import (
        case_correlation_sensitivity,
        compare_selections,
        design_effect_sensitivity,
        prior_sensitivity,
    )
    from pdsim.analysis.report_files import report, write_plan, write_report
    from pdsim.analysis.result import Analysis
    from pdsim.analysis.run import analyse
    from pdsim.analysis.stages import AnalysisProgress
    from pdsim.analysis.weighting_tables import WeightSettings, weight_tables

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

__getattr__ = on_first_use(
    __name__,
    {
        "Analysis": "result",
        "AnalysisProgress": "stages",
        "WeightSettings": "weighting_tables",
        "analyse": "run",
        "case_correlation_sensitivity": "refits",
        "compare_selections": "refits",
        "design_effect_sensitivity": "refits",
        "gather": "all_tables",
        "load_fit": "fits",
        "prior_sensitivity": "refits",
        "report": "report_files",
        "save_fit": "fits",
        "weight_tables": "weighting_tables",
        "write_plan": "report_files",
        "write_report": "report_files",
    },
)
