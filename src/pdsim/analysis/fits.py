"""Fits on disk: one netCDF file each, no pickle."""

from pathlib import Path

import xarray as xr

from pdsim.errors import InputError, Problem
from pdsim.files import check_seal, write_atomically


def save_fit(fit: xr.DataTree, path: str | Path) -> Path:
    """Write a fit (or any DataTree) as netCDF; an older file is replaced whole or not at all.

    Parameters
    ----------
    fit : xarray.DataTree
    path : str or Path

    Returns
    -------
    Path
        The file written.

    Examples
    --------
    >>> import tempfile, pdsim
    >>> fit = pdsim.fit(pdsim.load_example("surgical"), engine="laplace", seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pdsim.load_fit(pdsim.save_fit(fit, f"{folder}/fit.nc")).attrs["engine"]
    'laplace'
    """
    path = Path(path)
    write_atomically(path, fit.to_netcdf(engine="h5netcdf"), sealed=True)
    return path


def load_fit(path: str | Path) -> xr.DataTree:
    """Read a fit written by `save_fit`, wholly into memory.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    xarray.DataTree

    Raises
    ------
    InputError
        If there is no such file.
    DamagedError
        If it is not as `save_fit` wrote it.

    Examples
    --------
    >>> load_fit("no such file.nc")
    Traceback (most recent call last):
        ...
    pdsim.errors.InputError: no such file.nc: does not exist; check the path.
    """
    path = Path(path)
    try:
        check_seal(path)
    except FileNotFoundError:
        raise InputError(
            Problem(file=str(path), rule="does not exist", cure="check the path")
        ) from None
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        return tree.load()
