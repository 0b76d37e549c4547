"""Figures of finished results: each function returns a matplotlib figure and what it draws."""

from pdsim.reports.plots.forest import forest
from pdsim.reports.plots.ranks import membership_dots, rank_heatmap

__all__ = ["forest", "membership_dots", "rank_heatmap"]
