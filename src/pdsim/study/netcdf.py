"""A study as one Dataset that netCDF can hold."""

import json
from typing import Any, Final

import xarray as xr

from pdsim.errors import InputError, Problem
from pdsim.settings import from_mapping, to_mapping
from pdsim.study.clustering import Clustering
from pdsim.study.core import Study
from pdsim.study.correlation import CaseCorrelation
from pdsim.study.options import StudyOptions

ATTRIBUTE: Final = "study"
"""Attribute that holds everything but the data, as JSON text."""

_VALUES: Final = (
    *("successes", "trials", "expected", "low", "high", "of", "visits"),
    *("mean", "se", "sd", "correlation"),
)
_ABOUT: Final = ("arm", "stratum", "covariate")
_COVARIATES: Final = ("covariate", "covariates")
_BY_ROUND: Final = "_by_round"
"""Ends the names of what was observed in all rounds, beside what is compared."""
_TEXTS: Final = ("direction", "domain", "label", "case_group")


def study_to_dataset(study: Study) -> xr.Dataset:
    """Return the study as a Dataset that can be written to netCDF and Zarr.

    Parameters
    ----------
    study : Study

    Returns
    -------
    xr.Dataset (facility, indicator, period)
        The data; the rounds, where there are more than two, as variables
        (facility, indicator, round) that end in ``_by_round``; and everything else as JSON text
        in the attribute ``study``.
    """
    about: dict[str, Any] = {
        "options": to_mapping(study.options),
        "read_notes": list(study.read_notes),
        "period_labels": list(study.period_labels),
    }
    if study.estimated is not None:
        about["estimated"] = to_mapping(study.estimated)
    if study.clustering is not None:
        about["clustering"] = to_mapping(study.clustering)
    data = study.data
    if study.rounds is not None:
        # a study of some of the facilities may still hold the rounds of all
        rounds = study.rounds.sel(facility=data["facility"], indicator=data["indicator"])
        of_rounds = rounds[[str(name) for name in rounds.data_vars]]
        data = data.assign({f"{name}{_BY_ROUND}": value for name, value in of_rounds.items()})
    return data.assign_attrs({ATTRIBUTE: json.dumps(about, sort_keys=True, allow_nan=False)})


def study_from_dataset(dataset: xr.Dataset) -> Study:
    """Return the study that `study_to_dataset` made a Dataset of.

    Parameters
    ----------
    dataset : xr.Dataset
        May hold more variables; they are ignored.

    Raises
    ------
    InputError
        If the Dataset holds no study, or one that breaks a rule.
    """
    try:
        about = json.loads(dataset.attrs[ATTRIBUTE])
        names = [name for name in _VALUES if name in dataset]
        given = {name: dataset[name] for name in _COVARIATES if name in dataset.coords}
        data = dataset[names].assign_coords(given).drop_attrs()
        by_round = {name: f"{name}{_BY_ROUND}" for name in _VALUES}
        rounds = {name: dataset[own] for name, own in by_round.items() if own in dataset}
        numeric = ("weight", "covariates")
        keep = ["facility", "indicator", "period", "tier", *_ABOUT, *numeric, *_TEXTS]
        data = data.drop_vars([name for name in data.coords if name not in keep])
        texts = [name for name in keep if name in data.coords and name not in numeric]
        # files give texts back as objects
        data = data.assign_coords(
            {name: (data[name].dims, data[name].to_numpy().astype(str)) for name in texts}
        )
    except (KeyError, TypeError, ValueError):
        problem = Problem(
            rule="the Dataset holds no study of pdsim", cure="give one that pdsim wrote"
        )
        raise InputError(problem) from None
    estimated, clustering = about.get("estimated"), about.get("clustering")
    return Study(
        data=data,
        options=from_mapping(StudyOptions, about["options"]),
        estimated=None if estimated is None else from_mapping(CaseCorrelation, estimated),
        clustering=None if clustering is None else from_mapping(Clustering, clustering),
        read_notes=tuple(about["read_notes"]),
        period_labels=tuple(about["period_labels"]),
        rounds=_rounds(rounds, data) if rounds else None,
    )


def _rounds(values: dict[str, xr.DataArray], data: xr.Dataset) -> xr.Dataset:
    """Return what was observed in all rounds, with the labels of the study's data."""
    labels = next(iter(values.values()))["round"].to_numpy().astype(str)
    shared = [name for name in data.coords if name not in ("period", *_ABOUT, *_COVARIATES)]
    return xr.Dataset(
        {
            name: (("facility", "indicator", "round"), value.to_numpy())
            for name, value in values.items()
        },
        coords={**{name: data[name].variable for name in shared}, "round": labels},
    )
