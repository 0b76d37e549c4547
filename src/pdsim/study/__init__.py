"""What was observed: tables become a checked `Study`.

Everything public is imported from here. A study is read once, checked once, and never
changed: later stages ask it for `data`, `effective_data` and `assumptions`.
"""

from pdsim.study.bundled import EXAMPLES, example_files, load_example
from pdsim.study.core import Study
from pdsim.study.netcdf import study_from_dataset, study_to_dataset, study_to_mapping
from pdsim.study.read import read_study
from pdsim.study.sampler import SamplerSettings
from pdsim.study.settings import StudyFile

__all__ = [
    "EXAMPLES",
    "SamplerSettings",
    "Study",
    "StudyFile",
    "example_files",
    "load_example",
    "read_study",
    "study_from_dataset",
    "study_to_dataset",
    "study_to_mapping",
]
