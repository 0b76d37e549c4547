"""Figures of finished results: each function returns a matplotlib figure and what it draws."""

from pdsim.reports.plots.distribution import acceptability_bars, funnel, grades
from pdsim.reports.plots.forest import forest
from pdsim.reports.plots.moves import bump, domain_profile, predictive, sides_by_name, slope
from pdsim.reports.plots.ranks import membership_dots, rank_heatmap

__all__ = [
    "acceptability_bars",
    "bump",
    "domain_profile",
    "forest",
    "funnel",
    "grades",
    "membership_dots",
    "predictive",
    "rank_heatmap",
    "sides_by_name",
    "slope",
]
