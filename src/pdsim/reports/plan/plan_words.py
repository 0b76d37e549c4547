"""What a plan's sizes and measures are called in a report."""

from typing import Final

import numpy as np
import xarray as xr

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


def design_words(one: xr.Dataset) -> str:
    """Return a design in words."""
    facilities, indicators = int(one["facilities"]), int(one["indicators"])
    words = (
        f"{facilities} {'facility' if facilities == 1 else 'facilities'} and {indicators} "
        f"{'indicator' if indicators == 1 else 'indicators'}"
    )
    per_visit = float(one["cases_per_visit"])
    return words if np.isnan(per_visit) else f"{words}, {per_visit:.0f} cases a visit"


SETTING_WORDS: Final = {
    "process": "how the data are generated",
    "process_values": "settings of a way to generate data that was registered",
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
    "controls": "facilities without the programme, beside those of the study",
    "imbalance": "programme's baseline above that of the controls, percentage points",
    "covariate_level": "slopes of the baseline on covariates, logits for one SD",
    "covariate_change": "slopes of the change on covariates, logits for one SD",
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
    "criteria": "criteria that a facility should meet",
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
