"""What a plan's sizes and measures are called in a report."""

from typing import Final

SIZE_WORDS: Final = {
    "trials": "cases observed per facility and period",
    "facilities": "facilities",
    "indicators": "indicators",
    "rounds": "rounds of observation per period",
}
"""After a number, by what is planned."""

MEASURE_WORDS: Final = {
    "pcs_top": "chance that the facilities named as best are exactly the truly best",
    "pcs_bottom": "chance that the facilities named as worst are exactly the truly worst",
    "pcs_both": "chance that the facilities named at both ends are exactly the right ones",
    "overlap_top": "expected share of the truly best facilities among those named as best",
    "overlap_bottom": "expected share of the truly worst facilities among those named as worst",
    "wrong_end_top": "chance that a truly worst facility is named as best",
    "wrong_end_bottom": "chance that a truly best facility is named as worst",
    "regret_top": "expected shortfall of the facilities named as best from the truly best",
    "regret_bottom": "expected excess of the facilities named as worst over the truly worst",
    "contrast": "true difference between the facilities named as best and as worst",
    "contrast_best": "true difference between the best and the worst facilities",
    "contrast_estimated": "estimated difference between the facilities named best and worst",
    "contrast_retained": "share of the largest possible contrast that is kept",
    "curse_top": "overestimation of the facilities named as best",
    "curse_bottom": "overestimation of the facilities named as worst",
    "rank_correlation": "rank correlation of the order found with the true one",
    "coverage": "share of the 95 % intervals that hold the truth",
    "coverage_top": "share of the intervals of those named as best that hold the truth",
    "width": "mean width of the 95 % intervals",
    "brier_top": "Brier score of the stated P(top m)",
    "power": "share of the truly best facilities that are flagged as clearly among the best",
    "false_flag": "share of the other facilities that are flagged as clearly among the best",
    "bias": "mean error of the estimates",
    "rmse": "root mean squared error of the estimates",
    "empirical_sd": "standard deviation of the errors of the estimates",
    "stated_sd": "stated standard deviation of the estimates",
    "relative_sd_error": "error of the stated standard deviation, in percent",
    "calibration_slope": "calibration slope of the stated P(top m)",
}
"""By performance measure; each reads well after "the"."""
