"""Interviews in facilities named as higher and lower: their plan, and the contrast of themes.

Codes and counts are read, never transcripts.
"""

from pdsim.interviews.agreement import krippendorff_alpha
from pdsim.interviews.assignments import least_p
from pdsim.interviews.codematrix import read_code_matrix
from pdsim.interviews.codings import CodedProject
from pdsim.interviews.conditions import Combination, separating_combinations
from pdsim.interviews.groups import Groups, groups_of, roles, separation
from pdsim.interviews.hearing import (
    chance_of_split,
    heard,
    informants_to_hear,
    pooled_false_positives,
    voices,
)
from pdsim.interviews.interviewplan import plan_interviews
from pdsim.interviews.interviewsettings import InterviewSettings
from pdsim.interviews.lambdas import contrast_variance, exchangeable_lambda
from pdsim.interviews.mapping import ThemeMapping, mapped_themes, read_project
from pdsim.interviews.qcaexport import qca_table
from pdsim.interviews.refi import read_refi
from pdsim.interviews.sqliteprojects import read_qualcoder, read_taguette
from pdsim.interviews.themes import contrast_themes
from pdsim.interviews.themesettings import ContrastSettings
from pdsim.interviews.themetable import ThemeTable, read_themes, theme_shares, theme_table
from pdsim.interviews.visits import visits

__all__ = [
    "CodedProject",
    "Combination",
    "ContrastSettings",
    "Groups",
    "InterviewSettings",
    "ThemeMapping",
    "ThemeTable",
    "chance_of_split",
    "contrast_themes",
    "contrast_variance",
    "exchangeable_lambda",
    "groups_of",
    "heard",
    "informants_to_hear",
    "krippendorff_alpha",
    "least_p",
    "mapped_themes",
    "plan_interviews",
    "pooled_false_positives",
    "qca_table",
    "read_code_matrix",
    "read_project",
    "read_qualcoder",
    "read_refi",
    "read_taguette",
    "read_themes",
    "roles",
    "separating_combinations",
    "separation",
    "theme_shares",
    "theme_table",
    "visits",
    "voices",
]
