"""What a plan's sizes and measures are called in a report."""

from typing import Final

SIZE_WORDS: Final = {
    "trials": "cases observed per facility and period",
    "facilities": "facilities",
    "indicators": "indicators",
    "rounds": "rounds of observation per period",
}
"""After a number, by what is planned."""

_ONE: Final = {
    "trials": "case observed per facility and period",
    "facilities": "facility",
    "indicators": "indicator",
    "rounds": "round of observation per period",
}


def sized(over: str, number: float) -> str:
    """Return what is planned, in the number that goes with it."""
    return _ONE[over] if number == 1 else SIZE_WORDS[over]


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

IN_UNITS: Final = (
    "regret_top", "regret_bottom", "contrast", "contrast_best", "contrast_estimated",
    "curse_top", "curse_bottom", "width", "bias", "rmse", "empirical_sd", "stated_sd",
)  # fmt: skip
"""Measures in units of the estimand."""

SETTING_WORDS: Final = {
    "kind": "kind of data",
    "facilities": "facilities in the study",
    "indicators": "indicators scored in every case",
    "domains": "domains that the indicators belong to",
    "baseline_level": "adherence of an average facility at baseline",
    "improvement": "what the programme adds to it, percentage points",
    "levels": "given adherence of every facility, baseline and endline",
    "means": "given true values of the facilities",
    "sd_alpha": "SD between indicators of the baseline, logits",
    "sd_beta": "SD between indicators of the change, logits",
    "heterogeneity": "SD of the log factor by which effects differ between indicators",
    "secular_trend": "change without the programme, percentage points",
    "sd_secular_trend": "its SD between facilities, logits",
    "ceiling": "highest adherence that can be measured",
    "outlying": "extra change of the first facilities",
    "sd_baseline_facility": "SD between facilities of the baseline, logits",
    "sd_change_facility": "SD between facilities of the change, logits (normal data: units)",
    "corr_facility": "correlation of the two",
    "sd_baseline_domain": "SD of the baseline between domains within a facility, logits",
    "sd_change_domain": "SD of the change between domains within a facility, logits",
    "corr_domain": "correlation of the two",
    "sd_baseline_indicator": "SD of the baseline between indicators within a facility, logits",
    "sd_change_indicator": "SD of the change between indicators within a facility, logits",
    "corr_indicator": "correlation of the two",
    "trials": "cases observed per facility, indicator and period",
    "trials_cv": "coefficient of variation of the numbers of cases",
    "trials_unit": "what has a number of cases of its own",
    "case_correlation": "correlation of two indicators scored on one case",
    "visit_correlation": "correlation of two cases of one visit",
    "cases_per_visit": "cases observed on one visit",
    "missing": "probability that an indicator is missing in a facility and period",
    "missing_slope": "log odds that a logit of lower adherence adds to that",
    "sensitivity": "P(scored as met, if met)",
    "specificity": "P(scored as not met, if not met)",
    "observer_effect": "logits that being observed adds at the first baseline case",
    "observer_halving": "cases after which that has halved",
    "observer_endline": "share of it that is left at the first endline case",
    "unit_sd": "SD of one observation",
    "known_se": "whether standard errors are known",
    "engine": "how the posterior is computed",
    "draws": "draws of the posterior",
    "priors": "priors of the analysis",
    "assumed_case_correlation": "what the analysis takes the correlation within a case to be",
    "assumed_design_effect": "by what the analysis divides counts",
    "rule": "how the analysis ranks facilities",
    "m": "facilities named at each end",
    "estimand": "what facilities are ranked on",
    "target": "whether the change without the programme counts as true",
    "weighting": "how indicators are weighted",
    "weights": "weights of the analysis",
    "target_weights": "weights that define the truth",
    "flag_threshold": "confidence at which a facility is flagged",
    "costs.fixed": "cost of the study before any facility",
    "costs.per_facility": "cost of a facility",
    "costs.per_visit": "cost of a visit to a facility",
    "costs.per_case": "cost of observing a case",
    "costs.per_score": "cost of scoring one indicator in one case",
    "costs.per_wrong": "loss of naming one facility wrongly",
    "costs.currency": "currency of every amount",
}
"""By the names of plan.toml."""
