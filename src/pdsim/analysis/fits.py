"""Fits on disk: one netCDF file each, no pickle."""

from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
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
    write_atomically(path, _netcdf(fit), sealed=True)
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
    with h5py.File(path, "r") as file:
        return xr.DataTree.from_dict(dict(_read_groups(file)))


RESULTS_LAYOUT: Final = 2
"""Of the groups in ``results.nc``; rises when a report needs what older ones lack."""


def load_results(path: str | Path) -> xr.DataTree:
    """Read the results of an analysis, see `load_fit`.

    Raises
    ------
    InputError
        If another version of pdsim laid them out otherwise.
    """
    tree = load_fit(path)
    layout = int(tree.attrs.get("layout", 1))
    if layout != RESULTS_LAYOUT:
        command = str(tree.attrs.get("command", "pdsim analyse"))
        raise InputError(
            Problem(
                file=str(path),
                rule=f"another version of pdsim wrote these results (layout {layout}, this version "
                f"reads {RESULTS_LAYOUT})",
                cure=f"analyse again: {command}",
            )
        )
    return tree


def _netcdf(tree: xr.DataTree) -> bytes:
    """Return a tree as netCDF-4, which is HDF5 with dimension scales.

    xarray's own way takes ten times as long where there are hundreds of small variables.
    """
    with h5py.File("tree.nc", "w", driver="core", backing_store=False, track_order=True) as file:
        for node in tree.subtree:
            group = (
                file.require_group(node.path)
                if node.path == "/"
                else file.create_group(node.path, track_order=True)
            )
            _write_group(group, node.to_dataset(inherit=False))
        file.flush()
        image: bytes = file.id.get_file_image()
    return image


def _write_group(group: h5py.Group, dataset: xr.Dataset) -> None:
    variables, attributes = xr.conventions.cf_encoder(
        *xr.conventions.encode_dataset_coordinates(dataset)
    )
    _write_attributes(group, attributes)
    made: dict[Hashable, h5py.Dataset] = {}
    for dim, size in dataset.sizes.items():
        if dim not in variables:
            made[dim] = scale = group.create_dataset(str(dim), shape=(size,), dtype=">f4")
            scale.make_scale(f"This is a netCDF dimension but not a netCDF variable. {size:10d}")
    for name, variable in variables.items():
        values = np.asarray(variable.data)
        is_text = values.dtype.kind in "UO"
        made[name] = stored = group.create_dataset(
            str(name),
            data=values.astype(object) if is_text else values,
            dtype=h5py.string_dtype() if is_text else values.dtype,
        )
        _write_attributes(stored, variable.attrs)
        if name in dataset.sizes:
            stored.make_scale(str(name))
    for name, variable in variables.items():
        if name not in dataset.sizes:
            for axis, dim in enumerate(variable.dims):
                made[name].dims[axis].attach_scale(made[dim])


def _write_attributes(place: h5py.Group | h5py.Dataset, attributes: Mapping[Any, Any]) -> None:
    for name, value in attributes.items():
        place.attrs[str(name)] = value


_OF_SCALES: Final = frozenset({"CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST"})
"""Attributes by which HDF5 knows which dimensions a variable has."""


def _read_groups(group: h5py.Group) -> Iterator[tuple[str, xr.Dataset]]:
    """Yield path and content of a group and all below; the counterpart of `_netcdf`."""
    items = dict(group.items())
    stored = {name: item for name, item in items.items() if isinstance(item, h5py.Dataset)}
    # HDF5 takes milliseconds to tell the name of what a reference leads to
    scales = {_address(item): name for name, item in stored.items() if item.is_scale}
    variables = {
        name: _read_variable(item, scales) for name, item in stored.items() if not _lies_bare(item)
    }
    yield group.name, xr.decode_cf(xr.Dataset(variables, attrs=_read_attributes(group)))
    for item in items.values():
        if isinstance(item, h5py.Group):
            yield from _read_groups(item)


def _address(item: h5py.Dataset) -> int:
    return int(h5py.h5o.get_info(item.id).addr)


def _lies_bare(item: h5py.Dataset) -> bool:
    """Tell whether this is a dimension without labels."""
    name: bytes = item.attrs["NAME"] if item.is_scale else b""
    return name.startswith(b"This is a netCDF dimension but not a netCDF variable")


def _read_variable(stored: h5py.Dataset, scales: Mapping[int, str]) -> xr.Variable:
    places = [stored] if stored.is_scale else [dim[0] for dim in stored.dims]
    is_text = h5py.check_string_dtype(stored.dtype) is not None
    values = np.asarray(stored.asstr()[()], dtype=str) if is_text else stored[()]
    dims = [scales[_address(place)] for place in places]
    return xr.Variable(dims, values, _read_attributes(stored))


def _read_attributes(place: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    read = {name: value for name, value in place.attrs.items() if name not in _OF_SCALES}
    return {
        name: value.tolist() if isinstance(value, np.ndarray) and value.dtype == object else value
        for name, value in read.items()
    }
