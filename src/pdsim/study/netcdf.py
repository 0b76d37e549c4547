"""A study as one Dataset that netCDF can hold, and as a mapping for provenance."""

import dataclasses
import hashlib
import json
from typing import Any, Final

import numpy as np
import xarray as xr

from pdsim.errors import InputError, Problem
from pdsim.priors import Priors
from pdsim.settings import from_mapping, to_mapping
from pdsim.study.core import Study
from pdsim.study.sampler import SamplerSettings

ATTRIBUTE: Final = "study"
"""Attribute that holds everything but the data, as JSON text."""

_VALUES: Final = ("successes", "trials", "mean", "se", "sd")
_TEXTS: Final = ("direction", "domain", "label", "case_group")


def study_to_mapping(study: Study) -> dict[str, Any]:
    """Return what a result has to say about its study, ready for JSON.

    Parameters
    ----------
    study : Study

    Returns
    -------
    dict
        Name, kind, sizes, settings, indicators and assumptions, and ``data_sha256``, a
        fingerprint of the numbers and labels. Keys without a value are left out.

    Examples
    --------
    >>> from pdsim.study import load_example
    >>> study_to_mapping(load_example("surgical"))["sizes"]
    {'facility': 12, 'indicator': 1, 'period': 1}
    """
    data = study.data
    return {
        **_settings(study),
        "kind": study.kind,
        "sizes": {str(dim): int(size) for dim, size in data.sizes.items()},
        "indicators": [
            {
                "indicator": str(name),
                "weight": float(data["weight"].to_numpy()[k]),
                **{text: str(data[text].to_numpy()[k]) for text in _TEXTS},
            }
            for k, name in enumerate(data["indicator"].to_numpy().tolist())
        ],
        "assumptions": list(study.assumptions),
        "data_sha256": fingerprint(data),
    }


def fingerprint(data: xr.Dataset) -> str:
    """Return the SHA-256 of the numbers and labels of a study's data, as 64 hex digits."""
    sha = hashlib.sha256()
    for name in ("facility", "indicator", "period", "weight", *_TEXTS, *_VALUES):
        if name not in data.variables:
            continue
        values = data[name].to_numpy()
        sha.update(name.encode() + b"\0")
        if values.dtype.kind in "OUT":
            sha.update(json.dumps([str(value) for value in values.tolist()]).encode())
        else:
            # adding 0 makes -0 and 0 one
            sha.update(np.ascontiguousarray(values + 0.0, dtype="<f8").tobytes())
    return sha.hexdigest()


def study_to_dataset(study: Study) -> xr.Dataset:
    """Return the study as a Dataset that can be written to netCDF and Zarr.

    Parameters
    ----------
    study : Study

    Returns
    -------
    xr.Dataset (facility, indicator, period)
        The data, and everything else as JSON text in the attribute ``study``.
    """
    text = json.dumps(_settings(study), sort_keys=True, allow_nan=False)
    return study.data.assign_attrs({ATTRIBUTE: text})


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
        settings = json.loads(dataset.attrs[ATTRIBUTE])
        names = [name for name in _VALUES if name in dataset]
        data = dataset[names].drop_attrs()
        keep = ["facility", "indicator", "period", "weight", "tier", *_TEXTS]
        data = data.drop_vars([name for name in data.coords if name not in keep])
        texts = [name for name in keep if name in data.coords and name != "weight"]
        # files give texts back as objects
        data = data.assign_coords(
            {name: (data[name].dims, data[name].to_numpy().astype(str)) for name in texts}
        )
    except (KeyError, TypeError, ValueError):
        problem = Problem(
            rule="the Dataset holds no study of pdsim", cure="give one that pdsim wrote"
        )
        raise InputError(problem) from None
    limits = settings.pop("case_correlation_limits", None)
    priors = settings.pop("priors", None)
    return Study(
        data=data,
        priors=None if priors is None else from_mapping(Priors, priors),
        sampler=from_mapping(SamplerSettings, settings.pop("sampler", {})),
        case_correlation_limits=None if limits is None else (limits[0], limits[1]),
        notes=tuple(settings.pop("notes", ())),
        period_labels=tuple(settings.pop("period_labels", ())),
        **settings,
    )


def _settings(study: Study) -> dict[str, Any]:
    """Return all fields but the data as plain values, without the unset ones."""
    values: dict[str, Any] = {}
    for item in dataclasses.fields(Study):
        value = getattr(study, item.name)
        if item.name == "data" or value is None:
            continue
        if isinstance(value, Priors | SamplerSettings):
            value = to_mapping(value)
        elif isinstance(value, tuple):
            value = list(value)
        elif isinstance(value, np.generic):
            value = value.item()
        values[item.name] = value
    return values
