"""Look before and after: what a sweep would do, and one replicate of it again."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from pdsim.errors import InputError, Problem
from pdsim.sweeps.contract import SIMULATION, Status, load_simulation, read_scenario
from pdsim.sweeps.reading import read_store
from pdsim.sweeps.runner import costs, read_sweep
from pdsim.sweeps.sweepfile import SweepSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One replicate again.

    Attributes
    ----------
    scenario : Scenario
    truth : Dataset
        What the simulation takes as true.
    study : Study
        The data that were drawn; fit it to see what the sweep saw.
    measures : DataArray (measure)
        As computed now.
    status : Status
        As computed now.
    stored : DataArray (measure)
        As the store has them; NaN where the replicate was not run.
    stored_status : Status
    """

    scenario: Any
    truth: Any
    study: Any
    measures: xr.DataArray
    status: Status
    stored: xr.DataArray
    stored_status: Status


def replay(store: str | Path, key: str, replicate: int) -> Replay:
    """Make one replicate of a sweep again, with the same draws, for example in a debugger.

    Parameters
    ----------
    store : str or Path
    key : str
        Key of the cell as in the coordinate `key` of `open_sweep`, or the beginning of it.
    replicate : int

    Returns
    -------
    Replay

    Raises
    ------
    InputError
        If the store has no such cell or replicate, or several keys begin so.
    StoreError
        If there is no store.

    Examples
    --------
    >>> import tempfile
    >>> from pdsim.sweeps import replay, sweep
    >>> settings = {"replicates": 10, "seed": 1}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = sweep(settings, store=folder, executor="serial")
    ...     again = replay(folder, str(result.key.values[0]), 7)
    >>> again.measures.equals(again.stored)
    True
    """
    opened = read_store(store)
    cells = {
        line.key: line.scenario
        for _, contents in opened.places
        for line in contents.cells.values()
        if line.key.startswith(key)
    }
    if len(cells) != 1:
        rule = f"{len(cells) or 'no'} cells of {store} have a key that begins with {key!r}"
        raise InputError(Problem(rule=rule, cure="see the coordinate `key` of the result"))
    [(full, text)] = cells.items()
    if not 0 <= replicate < opened.replicates:
        rule = f"there is no replicate {replicate} among {opened.replicates}"
        raise InputError(Problem(rule=rule, cure="count replicates from 0"))
    simulation = load_simulation(opened.identity.simulation)
    scenario = read_scenario(simulation, text)
    seed = opened.identity.seed
    truth, study = simulation.simulate(scenario, replicate, seed)
    block = simulation.run_block([scenario], range(replicate, replicate + 1), seed=seed)
    stored, status = opened.read([full], replicate, replicate + 1)
    names = list(opened.columns)
    return Replay(
        scenario=scenario,
        truth=truth,
        study=study,
        measures=xr.DataArray(
            np.asarray(block.measures)[0, 0], dims="measure", coords={"measure": names}
        ),
        status=Status(int(block.status[0, 0])),
        stored=xr.DataArray(stored[0, 0], dims="measure", coords={"measure": names}),
        stored_status=Status(int(status[0, 0])),
    )


def dry_run(
    config: SweepSettings | Mapping[str, Any] | str | Path, *, simulation: str = SIMULATION
) -> xr.Dataset:
    """Check a sweep and run one trial replicate of every cell; nothing is written.

    Parameters
    ----------
    config : SweepSettings, mapping, str or Path
    simulation : str
        Module that is swept.

    Returns
    -------
    Dataset
        Over the different cells, as `scenario` (labelled by factor levels): `cost`, the seconds
        one replicate is estimated to take, shared fits counted once; `status` and `seconds` of
        the trial replicate; `key`. Attributes: `cells`, `replicates`, `estimated_seconds` of one
        core for the whole sweep.

    Raises
    ------
    InputError
        With all problems of the settings.

    Examples
    --------
    >>> settings = {"replicates": 1000, "seed": 1, "factors": {"trials": [10, 20]}}
    >>> trial = dry_run(settings)
    >>> trial.scenario.values
    array(['trials = 10', 'trials = 20'], dtype='<U11')
    """
    module = load_simulation(simulation)
    settings, grid = read_sweep(config, module)
    cells = grid.by_data()
    cost = costs(cells, module)
    status, seconds = {}, {}
    for key, cell in cells.items():
        started = time.perf_counter()
        block = module.run_block([cell.scenario], range(1), seed=settings.seed)
        seconds[key] = time.perf_counter() - started
        status[key] = Status(int(block.status[0, 0])).name.lower().replace("_", " ")
    labels = dict(zip(grid.keys, grid.labels(), strict=True))
    keys = list(labels)
    return xr.Dataset(
        {
            "cost": ("scenario", [cost[key] for key in keys], {"units": "s"}),
            "seconds": ("scenario", [seconds[key] for key in keys], {"units": "s"}),
            "status": ("scenario", [status[key] for key in keys]),
        },
        coords={"scenario": list(labels.values()), "key": ("scenario", keys)},
        attrs={
            "cells": len(grid.keys),
            "replicates": settings.replicates,
            "estimated_seconds": sum(cost.values()) * settings.replicates,
        },
    )
