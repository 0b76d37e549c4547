"""What every output carries about how it was made."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

import xarray as xr

from pdsim.conventions import SCHEMA_VERSION

_PACKAGES = ("pdsim", "numpy", "scipy", "xarray", "pymc", "pytensor", "nutpie", "arviz", "numba")


# every fit asks, and each answer is a file to be read
_version = cache(version)


def versions() -> dict[str, str]:
    """Return the versions of pdsim and of the packages that decide its numbers."""
    return {name: _version(name) for name in _PACKAGES}


def stamp(dataset: xr.Dataset, *, configuration: Mapping[str, Any]) -> xr.Dataset:
    """Return `dataset` with schema version, configuration and versions as attributes.

    netCDF takes neither dicts nor None as attributes, so they are JSON text.
    """
    return dataset.assign_attrs(
        schema_version=SCHEMA_VERSION,
        configuration=json.dumps(configuration, sort_keys=True),
        versions=json.dumps(versions(), sort_keys=True),
    )
