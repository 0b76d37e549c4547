"""One replicate laid open: the truth and the study, from the same draws as in a block."""

from typing import Any

import numpy as np
import xarray as xr

from pdsim.errors import InputError
from pdsim.simulation.labelling import numbered, period_names
from pdsim.simulation.observing import Observations, observe
from pdsim.simulation.philox import Seed
from pdsim.simulation.scenario import Scenario
from pdsim.simulation.targets import analysis_weights, true_values
from pdsim.simulation.truth import Truth, covariates_of, domain_of, draw_truth
from pdsim.study import SamplerSettings, Study, StudyOptions
from pdsim.study.facilities import CONTROL, PROGRAMME
from pdsim.terms.places import mean_places, places


def simulate(scenario: Scenario, replicate: int = 0, seed: Seed = 1) -> tuple[xr.Dataset, Study]:
    """Return the truth and the study of one replicate.

    The numbers are those of the same replicate in a sweep with the same root seed.

    Parameters
    ----------
    scenario : Scenario
    replicate : int
        From 0 on.
    seed : int or sequence of int
        Root seed.

    Returns
    -------
    truth : Dataset
        ``level`` (facility, indicator, period): true adherence, 0 to 1, or true values of normal
        data. ``value`` (facility): what facilities are truly ranked on, in pp where it is a
        difference; ``rank`` (facility), 1 = highest, ties share; both are NaN for controls.
    study : Study
        What was observed, with the case correlation that the analysis assumes.

    Raises
    ------
    InputError
        If `replicate` is no whole number from 0.

    Examples
    --------
    >>> truth, study = simulate(Scenario(facilities=10, indicators=14, trials=40), 3, seed=1)
    >>> study
    <Study 'replicate 3': counts, 10 facilities x 14 indicators x 2 periods, m = 3>
    >>> truth.value.dims
    ('facility',)
    """
    if isinstance(replicate, bool) or not isinstance(replicate, int) or replicate < 0:
        raise InputError(f"replicate must be a whole number from 0, got {replicate!r}")
    part = range(replicate, replicate + 1)
    truth = draw_truth(scenario, part, seed)
    observed = observe(scenario, truth, part, seed)
    study = study_of(scenario, observed, name=f"replicate {replicate}")
    return _truth_dataset(scenario, truth), study


def _truth_dataset(scenario: Scenario, truth: Truth) -> xr.Dataset:
    labels = labels_of(scenario)
    value = true_values(scenario, truth)[0]
    unranked = np.full(scenario.controls, np.nan)
    return xr.Dataset(
        {
            "level": (tuple(labels), truth.level[0]),
            "value": ("facility", np.append(value, unranked)),
            "rank": ("facility", np.append(mean_places(*places(value)), unranked)),
        },
        coords={**labels, **_about(scenario)},
        attrs={"estimand": scenario.estimand, "target": scenario.target},
    )


def study_of(
    scenario: Scenario, observed: Observations, *, row: int = 0, name: str = "simulated study"
) -> Study:
    """Return one row of `observed` as a study."""
    labels = labels_of(scenario)
    dims = tuple(labels)
    sizes = observed.size[row if len(observed.size) > 1 else 0]
    names = ("successes", "trials") if scenario.kind == "counts" else ("mean", "se")
    arrays = dict(zip(names, (observed.value[row], sizes), strict=True))
    indicators = labels["indicator"]
    domains = numbered("domain", scenario.domains)
    counts = scenario.kind == "counts"
    data = xr.Dataset(
        {name: (dims, np.ascontiguousarray(array)) for name, array in arrays.items()},
        coords={
            **labels,
            **_about(scenario),
            "direction": ("indicator", ["higher"] * len(indicators)),
            "weight": ("indicator", analysis_weights(scenario)),
            "domain": ("indicator", [domains[d] for d in domain_of(scenario)]),
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
            design_effect=scenario.analysed_design_effect,
            priors=scenario.priors,
            sampler=SamplerSettings(engine="nuts" if scenario.engine == "nuts" else "laplace"),
            notes=("The data are simulated.",),
        ),
    )


def _about(scenario: Scenario) -> dict[str, Any]:
    """Return the coordinates of arm and covariates, as far as there are any."""
    found: dict[str, Any] = {}
    if scenario.controls:
        arm = [PROGRAMME] * scenario.facilities + [CONTROL] * scenario.controls
        found["arm"] = ("facility", arm)
    if scenario.covariate_level:
        found["covariate"] = [f"covariate {j + 1}" for j in range(len(scenario.covariate_level))]
        found["covariates"] = (("facility", "covariate"), covariates_of(scenario))
    return found


def labels_of(scenario: Scenario) -> dict[str, list[str]]:
    """Return the coordinate labels of a scenario's facilities, indicators and periods."""
    return {
        "facility": numbered("facility", scenario.facilities)
        + numbered("control", scenario.controls),
        "indicator": numbered("indicator", scenario.indicators),
        "period": period_names(scenario.kind),
    }
