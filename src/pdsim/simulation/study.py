"""A replicate's observations as the `Study` that an analyst would be given."""

import numpy as np
import xarray as xr

from pdsim.conventions import PERIODS
from pdsim.simulation.cases import Observed
from pdsim.simulation.scenario import Scenario
from pdsim.simulation.targets import analysis_weights
from pdsim.simulation.truth import domain_of
from pdsim.study import SamplerSettings, Study, StudyOptions


def study_of(
    scenario: Scenario, observed: Observed, *, row: int = 0, name: str = "simulated study"
) -> Study:
    """Return one row of `observed` as a study."""
    labels = labels_of(scenario)
    dims = tuple(labels)
    sizes = observed.size[row if len(observed.size) > 1 else 0]
    names = ("successes", "trials") if scenario.kind == "counts" else ("mean", "se")
    arrays = dict(zip(names, (observed.value[row], sizes), strict=True))
    indicators = labels["indicator"]
    counts = scenario.kind == "counts"
    data = xr.Dataset(
        {name: (dims, np.ascontiguousarray(array)) for name, array in arrays.items()},
        coords={
            **labels,
            "direction": ("indicator", ["higher"] * len(indicators)),
            "weight": ("indicator", analysis_weights(scenario)),
            "domain": ("indicator", [f"domain {d + 1}" for d in domain_of(scenario)]),
            "label": ("indicator", indicators),
            "case_group": ("indicator", ["cases" if counts else ""] * len(indicators)),
        },
    )
    return Study(
        data=data,
        options=StudyOptions(
            name=name,
            m=scenario.m,
            case_correlation=scenario.analysed_case_correlation if counts else None,
            priors=scenario.priors,
            sampler=SamplerSettings(engine=scenario.engine),
            notes=("The data are simulated.",),
        ),
    )


def labels_of(scenario: Scenario) -> dict[str, list[str]]:
    """Return the coordinate labels of a scenario's facilities, indicators and periods."""

    def numbered(word: str, count: int) -> list[str]:
        width = len(str(count))
        return [f"{word} {i:0{width}d}" for i in range(1, count + 1)]

    return {
        "facility": numbered("facility", scenario.facilities),
        "indicator": numbered("indicator", scenario.indicators),
        "period": list(PERIODS if scenario.kind == "counts" else PERIODS[1:]),
    }
