"""What was observed: tables become a checked `Study`.

Everything public is imported from here, on first use. A study is read once, checked once, and
never changed: later stages ask it for `data`, `effective_data` and `assumptions`.
"""

from typing import TYPE_CHECKING

from pdsim.lazily import on_first_use

if TYPE_CHECKING:
    from pdsim.study.bundled import EXAMPLES, example_files, load_example
    from pdsim.study.core import Study
    from pdsim.study.errorcorrelation import ErrorCorrelation
    from pdsim.study.netcdf import study_from_dataset, study_to_dataset
    from pdsim.study.options import Columns, SamplerSettings, StudyOptions
    from pdsim.study.read import read_study
    from pdsim.study.recognised import Recognised
    from pdsim.study.recognising import recognise
    from pdsim.study.starting import Start, start_study

__all__ = [
    "EXAMPLES",
    "Columns",
    "ErrorCorrelation",
    "Recognised",
    "SamplerSettings",
    "Start",
    "Study",
    "StudyOptions",
    "example_files",
    "load_example",
    "read_study",
    "recognise",
    "start_study",
    "study_from_dataset",
    "study_to_dataset",
]

__getattr__ = on_first_use(
    __name__,
    {
        "EXAMPLES": "bundled",
        "Columns": "options",
        "ErrorCorrelation": "errorcorrelation",
        "Recognised": "recognised",
        "SamplerSettings": "options",
        "Start": "starting",
        "Study": "core",
        "StudyOptions": "options",
        "example_files": "bundled",
        "load_example": "bundled",
        "read_study": "read",
        "recognise": "recognising",
        "start_study": "starting",
        "study_from_dataset": "netcdf",
        "study_to_dataset": "netcdf",
    },
)
