"""Figures of finished results: each function returns a matplotlib figure and what it draws.

Everything public is imported from here, on first use.
"""

from typing import TYPE_CHECKING

from pdsim.lazily import on_first_use

if TYPE_CHECKING:
    from pdsim.reports.plots.distribution import acceptability_bars, funnel, grades
    from pdsim.reports.plots.forests import forest
    from pdsim.reports.plots.interview_figures import roles_forest, theme_contrasts, theme_rounds
    from pdsim.reports.plots.moves import bump, domain_profile, predictive, sides_by_name, slope
    from pdsim.reports.plots.plan_curves import plan_curve, plan_frontier, plan_tornado
    from pdsim.reports.plots.ranks import membership_dots, rank_heatmap, round_heatmap
    from pdsim.reports.plots.simulated import calibration_ecdf, pcs_curves, pcs_heatmap
    from pdsim.reports.plots.weights import decomposition_bars, domain_strip, flip_density, tornado

__all__ = [
    "acceptability_bars",
    "bump",
    "calibration_ecdf",
    "decomposition_bars",
    "domain_profile",
    "domain_strip",
    "flip_density",
    "forest",
    "funnel",
    "grades",
    "membership_dots",
    "pcs_curves",
    "pcs_heatmap",
    "plan_curve",
    "plan_frontier",
    "plan_tornado",
    "predictive",
    "rank_heatmap",
    "roles_forest",
    "round_heatmap",
    "sides_by_name",
    "slope",
    "theme_contrasts",
    "theme_rounds",
    "tornado",
]

__getattr__ = on_first_use(
    __name__,
    {
        "acceptability_bars": "distribution",
        "bump": "moves",
        "calibration_ecdf": "simulated",
        "decomposition_bars": "weights",
        "domain_profile": "moves",
        "domain_strip": "weights",
        "flip_density": "weights",
        "forest": "forests",
        "funnel": "distribution",
        "grades": "distribution",
        "membership_dots": "ranks",
        "pcs_curves": "simulated",
        "pcs_heatmap": "simulated",
        "plan_curve": "plan_curves",
        "plan_frontier": "plan_curves",
        "plan_tornado": "plan_curves",
        "predictive": "moves",
        "rank_heatmap": "ranks",
        "roles_forest": "interview_figures",
        "round_heatmap": "ranks",
        "sides_by_name": "moves",
        "slope": "moves",
        "theme_contrasts": "interview_figures",
        "theme_rounds": "interview_figures",
        "tornado": "weights",
    },
)
