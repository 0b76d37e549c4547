"""From a store, complete or not, to one labelled Dataset; and from there to a netCDF file."""

import json
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.errors import InputError, Problem
from pdsim.files import write_atomically
from pdsim.provenance import stamp
from pdsim.sweeps.contract import Simulation, load_simulation
from pdsim.sweeps.crossing import Label
from pdsim.sweeps.reading import OpenStore, read_store


def open_sweep(store: str | Path) -> xr.Dataset:
    """Return the results of a sweep, complete or not.

    Parameters
    ----------
    store : str or Path
        Folder of the store, or the folder that holds the stores of array jobs.

    Returns
    -------
    Dataset
        One dimension for every crossed factor, else `scenario`; `<name>` and `<name>_mcse` of
        every summary; counts such as `n_ok` and `n_simulated` (fewer than wanted while the sweep
        is not complete); the coordinate `key`, which `replay` takes. Attributes: settings, seed,
        versions.

    Raises
    ------
    StoreError
        If there is no store.

    Examples
    --------
    >>> import tempfile
    >>> from pdsim.sweeps import open_sweep, sweep
    >>> settings = {"replicates": 20, "seed": 1, "factors": {"trials": [10, 20]}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = sweep(settings, store=folder, executor="serial")
    ...     open_sweep(folder).n_simulated.values
    array([20, 20])
    """
    opened = read_store(store)
    simulation = load_simulation(opened.identity.simulation)
    keys = list(dict.fromkeys(opened.keys))
    parts = [
        simulation.summarise_slabs(
            partial(opened.read, keys[at : at + opened.batch]), opened.replicates
        )
        for at in range(0, len(keys), opened.batch)
    ]
    rows = {key: row for row, key in enumerate(keys)}
    return _arrange(_join(parts), opened, np.array([rows[key] for key in opened.keys]))


def open_replicates(store: str | Path, *, keys: Sequence[str] | None = None) -> xr.Dataset:
    """Return the single replicates of some cells, for paired contrasts and a closer look.

    Parameters
    ----------
    store : str or Path
    keys : sequence of str, optional
        Keys of the cells, as in the coordinate `key` of `open_sweep`; default: all.

    Returns
    -------
    Dataset
        `measures` (scenario, replicate, measure) and `status` (scenario, replicate), with the
        keys as the coordinate of `scenario`.

    Raises
    ------
    InputError
        If a key is not of this sweep.
    """
    opened = read_store(store)
    known = dict.fromkeys(opened.keys)
    chosen = list(known if keys is None else keys)
    unknown = [key for key in chosen if key not in known]
    if unknown:
        raise InputError(
            Problem(rule=f"no cell of this sweep has the key {unknown[0]!r}", cure="see `key`")
        )
    measures, status = opened.read(chosen, 0, opened.replicates)
    return xr.Dataset(
        {
            "measures": (("scenario", "replicate", "measure"), measures),
            "status": (("scenario", "replicate"), status),
        },
        coords={
            "scenario": chosen,
            "replicate": np.arange(opened.replicates),
            "measure": list(opened.columns),
        },
    )


def open_contrast(store: str | Path, *, dim: str, reference: Label) -> xr.Dataset:
    """Return what every level of a factor changes, with paired Monte Carlo errors.

    Replicates are paired: cells that share a truth share it replicate by replicate, so the error
    of a difference is smaller than that of its two sides.

    Parameters
    ----------
    store : str or Path
    dim : str
        A dimension of `open_sweep`'s result.
    reference : bool, int, float or str
        The level that is subtracted.

    Returns
    -------
    Dataset
        As `open_sweep`: every measure minus that of the cell which differs in `dim` only, its
        ``<name>_mcse``, and ``n_ok`` replicates usable in both.

    Raises
    ------
    InputError
        If there is no such dimension or level.
    StoreError
        If there is no store.

    Examples
    --------
    >>> import tempfile
    >>> from pdsim.sweeps import open_contrast, sweep
    >>> settings = {"replicates": 400, "seed": 1, "factors": {"trials": [20, 40]}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = sweep(settings, store=folder, executor="serial")
    ...     gain = open_contrast(folder, dim="trials", reference=20)
    >>> bool(gain.overlap_top.sel(trials=40) > 2 * gain.overlap_top_mcse.sel(trials=40))
    True
    """
    opened = read_store(store)
    dims: dict[str, list[Label]] = dict(opened.sweep["dims"])
    if reference not in dims.get(dim, []):
        rule = f"no dimension {dim!r} with the level {reference!r}"
        levels = "; ".join(f"{name}: {labels}" for name, labels in dims.items())
        raise InputError(Problem(rule=rule, cure=f"choose from {levels}"))
    cells = np.array(opened.keys).reshape([len(labels) for labels in dims.values()])
    axis = list(dims).index(dim)
    base = np.take(cells, [dims[dim].index(reference)], axis=axis)
    pairs = list(zip(cells.ravel(), np.broadcast_to(base, cells.shape).ravel(), strict=True))
    simulation = load_simulation(opened.identity.simulation)
    parts = []
    for at in range(0, len(pairs), opened.batch):
        some = pairs[at : at + opened.batch]
        read = partial(opened.read, [key for key, _ in some])
        reference_of = partial(opened.read, [key for _, key in some])
        parts.append(simulation.paired_contrast_slabs(read, reference_of, opened.replicates))
    contrast = _arrange(_join(parts), opened, np.arange(len(pairs)))
    return contrast.assign_attrs(reference=f"{dim} = {reference}")


def open_contrasts(store: str | Path) -> dict[str, xr.Dataset]:
    """Return `open_contrast` of every factor against its first level."""
    dims: dict[str, list[Label]] = dict(read_store(store).sweep["dims"])
    return {
        dim: open_contrast(store, dim=dim, reference=labels[0])
        for dim, labels in dims.items()
        if dim != "scenario" and len(labels) > 1
    }


def write_result(dataset: xr.Dataset, path: str | Path) -> None:
    """Write a result as netCDF; equal Datasets give equal bytes.

    Parameters
    ----------
    dataset : Dataset
    path : str or Path
        The file is replaced as a whole.
    """
    with _no_cluster():
        content = dataset.to_netcdf(engine="h5netcdf")
    write_atomically(Path(path), content, sealed=True)


def _no_cluster() -> AbstractContextManager[Any]:
    """Keep xarray from asking a Dask cluster for a lock on a file that is only in memory."""
    if "dask" not in sys.modules:
        return nullcontext()
    import dask

    return cast(AbstractContextManager[Any], dask.config.set(scheduler="synchronous"))


def known_names(simulation: Simulation) -> tuple[list[str], list[str]]:
    """Return the names of the performance measures, and of everything in a summary."""
    width = len(simulation.COLUMNS)

    def nothing(start: int, stop: int) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        shape = (1, stop - start)
        return np.full((*shape, width), np.nan), np.zeros(shape, dtype=np.uint8)

    empty = simulation.summarise_slabs(nothing, 1)
    return measure_names(empty), [str(name) for name in (*empty.variables, *empty.dims)]


def measure_names(summary: xr.Dataset) -> list[str]:
    """Return the names that have an error beside them."""
    return [str(name) for name in summary.data_vars if f"{name}_mcse" in summary]


def _measure_of(name: str, known: Sequence[str]) -> str | None:
    """Return the measure that a variable such as ``pcs_top_mcse`` belongs to."""
    of = [measure for measure in known if name == measure or name.startswith(f"{measure}_")]
    return max(of, key=len, default=None)


def _join(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    return xr.concat(
        parts, dim="scenario", data_vars="all", coords="minimal", compat="equals", join="exact"
    )


def _arrange(summary: xr.Dataset, opened: OpenStore, order: NDArray[np.integer[Any]]) -> xr.Dataset:
    """Lay the cells out over the dimensions of the sweep, label and stamp them.

    `order` gives the row of `summary` of every cell.
    """
    dims: dict[str, list[Any]] = dict(opened.sweep["dims"])
    shape = tuple(len(labels) for labels in dims.values())
    kept = opened.sweep["settings"].get("measures") or []
    known = measure_names(summary)
    variables: dict[str, Any] = {}
    for name, variable in summary.data_vars.items():
        if kept and _measure_of(str(name), known) not in (None, *kept):
            continue
        if "scenario" not in variable.dims:
            variables[str(name)] = variable.variable
            continue
        others = [dim for dim in variable.dims if dim != "scenario"]
        values = variable.transpose("scenario", *others).to_numpy()[order]
        variables[str(name)] = (
            (*dims, *others),
            values.reshape(*shape, *values.shape[1:]),
            variable.attrs,
        )
    coords: dict[str, Any] = {
        str(name): variable.variable
        for name, variable in summary.coords.items()
        if "scenario" not in variable.dims
    }
    coords |= {name: np.array(labels) for name, labels in dims.items()}
    coords["key"] = (tuple(dims), np.array(opened.keys).reshape(shape))
    result = xr.Dataset(variables, coords=coords, attrs=summary.attrs)
    stamped = stamp(result, configuration=opened.sweep["settings"])
    return stamped.assign_attrs(
        # the versions that made the numbers, not those that read them
        versions=json.dumps(dict(opened.identity.versions), sort_keys=True),
        seed=opened.identity.seed,
        replicates=opened.replicates,
        simulation=opened.identity.simulation,
    )
