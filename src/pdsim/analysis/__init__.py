"""One study from table to a folder of results."""

from pdsim.analysis.fits import load_fit, save_fit
from pdsim.analysis.gather import gather
from pdsim.analysis.progress import AnalysisProgress
from pdsim.analysis.run import analyse
from pdsim.analysis.sensitivity import (
    case_correlation_sensitivity,
    compare_selections,
    prior_sensitivity,
    who_moves,
)

__all__ = [
    "AnalysisProgress",
    "analyse",
    "case_correlation_sensitivity",
    "compare_selections",
    "gather",
    "load_fit",
    "prior_sensitivity",
    "save_fit",
    "who_moves",
]
