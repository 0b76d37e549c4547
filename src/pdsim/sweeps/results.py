"""From a store, complete or not, to one labelled Dataset; and from there to a netCDF file."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.errors import InputError, Problem
from pdsim.files import write_atomically
from pdsim.provenance import stamp
from pdsim.sweeps.arrays import PartArrays, open_part
from pdsim.sweeps.contract import Simulation, load_simulation
from pdsim.sweeps.store import STORE, SWEEP, Identity, StoreError, read_parts

BATCH_BYTES = 1 << 25
"""Replicates that are summarised at a time, at least one cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenStore:
    """What is known of a sweep without reading a single replicate.

    Attributes
    ----------
    identity : Identity
    sweep : dict
        Content of sweep.json: `settings`, `dims`, `keys`.
    rows : dict of str to list of (PartArrays, int)
        Where the replicates of each cell are.
    """

    identity: Identity
    sweep: dict[str, Any]
    rows: dict[str, list[tuple[PartArrays, int]]]

    @property
    def keys(self) -> list[str]:
        """Key of every cell, in the order of the dimensions."""
        return list(self.sweep["keys"])

    @property
    def replicates(self) -> int:
        """Replicates wanted of every cell."""
        return int(self.sweep["settings"]["replicates"])

    def read(self, key: str) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Return the measures (replicate, measure) and status (replicate,) of a cell."""
        measures = np.full((self.replicates, len(self.identity.measures)), np.nan)
        status = np.zeros(self.replicates, dtype=np.uint8)
        for arrays, row in self.rows.get(key, ()):
            part = arrays.part
            done = part.done.get(row)
            for start, stop in done.within(0, self.replicates) if done else ():
                measures[start:stop], status[start:stop] = arrays.read(row, start, stop)
        return measures, status


def job_stores(store: Path) -> list[Path]:
    """Return the stores at a place: itself, and those of the array jobs in it."""
    found = [store] if (store / STORE).exists() else []
    return found + sorted(path.parent for path in store.glob(f"job-*/{STORE}"))


def read_store(store: str | Path) -> OpenStore:
    """Read the metadata and the ledger of a store, or of all array jobs' stores in a folder.

    Raises
    ------
    StoreError
        If there is no store, no sweep was started in it, or its array jobs ran other sweeps.
    """
    place = Path(store)
    folders = job_stores(place)
    if not folders:
        raise StoreError(f"{place} is not the store of a sweep.")
    identity, sweep = Identity.read(folders[0]), _read_sweep(folders[0])
    rows: dict[str, list[tuple[PartArrays, int]]] = {}
    for folder in folders:
        if Identity.read(folder) != identity or _read_sweep(folder) != sweep:
            raise StoreError(
                f"{folder.name} and {folders[0].name} in {place} are of different sweeps: run "
                "every array job with the same settings and versions."
            )
        for part in read_parts(folder):
            arrays = open_part(part)
            for row in part.done:
                rows.setdefault(part.keys[row], []).append((arrays, row))
    return OpenStore(identity=identity, sweep=sweep, rows=rows)


def _read_sweep(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / SWEEP).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise StoreError(f"no sweep was started in {folder} yet.") from error


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
    parts = [simulation.summarise(measures, status) for measures, status in _batches(opened, keys)]
    summary = xr.concat(
        parts, dim="scenario", data_vars="all", coords="minimal", compat="equals", join="exact"
    )
    return _arrange(summary, opened, keys)


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
    read = [opened.read(key) for key in chosen]
    return xr.Dataset(
        {
            "measures": (
                ("scenario", "replicate", "measure"),
                np.stack([measures for measures, _ in read]),
            ),
            "status": (("scenario", "replicate"), np.stack([status for _, status in read])),
        },
        coords={
            "scenario": chosen,
            "replicate": np.arange(opened.replicates),
            "measure": list(opened.identity.measures),
        },
    )


def write_result(dataset: xr.Dataset, path: str | Path) -> None:
    """Write a result as netCDF; equal Datasets give equal bytes.

    Parameters
    ----------
    dataset : Dataset
    path : str or Path
        The file is replaced as a whole.
    """
    content = dataset.to_netcdf(engine="h5netcdf")
    write_atomically(Path(path), bytes(content))


def known_names(simulation: Simulation) -> tuple[list[str], list[str]]:
    """Return the names of the performance measures, and of everything in a summary."""
    width = len(simulation.MEASURES)
    empty = simulation.summarise(np.full((1, 1, width), np.nan), np.zeros((1, 1), dtype=np.uint8))
    return measure_names(empty), [str(name) for name in (*empty.variables, *empty.dims)]


def measure_names(summary: xr.Dataset) -> list[str]:
    """Return the names that have an error beside them."""
    return [str(name) for name in summary.data_vars if f"{name}_mcse" in summary]


def _measure_of(name: str, known: Sequence[str]) -> str | None:
    """Return the measure that a variable such as ``pcs_top_mcse`` belongs to."""
    of = [measure for measure in known if name == measure or name.startswith(f"{measure}_")]
    return max(of, key=len, default=None)


def _batches(
    opened: OpenStore, keys: Sequence[str]
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.uint8]]]:
    size = opened.replicates * len(opened.identity.measures) * 8
    step = max(1, BATCH_BYTES // size)
    for at in range(0, len(keys), step):
        read = [opened.read(key) for key in keys[at : at + step]]
        yield np.stack([measures for measures, _ in read]), np.stack([s for _, s in read])


def _arrange(summary: xr.Dataset, opened: OpenStore, keys: Sequence[str]) -> xr.Dataset:
    """Lay the cells out over the dimensions of the sweep, label and stamp them."""
    dims: dict[str, list[Any]] = dict(opened.sweep["dims"])
    shape = tuple(len(labels) for labels in dims.values())
    rows = {key: row for row, key in enumerate(keys)}
    order = np.array([rows[key] for key in opened.keys])
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
