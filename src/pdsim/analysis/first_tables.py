"""The first analysis on a machine: another process compiles what the tables run, during the fit."""

import os
import subprocess
import sys
from functools import cache

import numpy as np
import xarray as xr

from pdsim.analysis.rank_groups import (
    pairs_group,
    ranking_group,
    rules_group,
    sets_group,
    superset_group,
)
from pdsim.analysis.weighting_tables import WeightSettings, weight_tables
from pdsim.conventions import Side
from pdsim.jit import on_disk
from pdsim.ranking import observed_of
from pdsim.scoring import observed_sources
from pdsim.study import load_example
from pdsim.weights.grid_kernels import add_cells

_DRAWS = 40


@cache
def compile_tables_aside() -> "subprocess.Popen[bytes] | None":
    """Start another process that compiles the tables; None where that would gain nothing."""
    if on_disk(add_cells) or (os.cpu_count() or 1) < 2:
        return None
    name = compile_tables.__name__
    call = f"from {__name__} import {name}; {name}()"
    nothing = subprocess.DEVNULL
    return subprocess.Popen([sys.executable, "-c", call], stdout=nothing, stderr=nothing)


def compile_tables() -> None:
    """Compile what the tables of a study run, by making small ones of nothing."""
    study = load_example("safe_surgery_like")
    data, m = study.data, study.m
    dims = ("facility", "indicator", "period")
    shape = tuple(data.sizes[dim] for dim in dims)
    level = xr.DataArray(
        np.random.default_rng(1).uniform(0.2, 0.8, (1, _DRAWS, *shape)),
        dims=("chain", "draw", *dims),
        coords={name: data[name] for name in (*dims, "weight", "domain")},
        attrs={"kind": "counts", "ess": float(_DRAWS)},
    )
    change = 100.0 * level.mean("indicator").diff("period").isel(period=0, drop=True)
    score = change.assign_attrs(estimand="change", units="pp", ess=float(_DRAWS))
    ranking = ranking_group(score, m=m)
    pairs_group(score)
    rules_group(score, m=m, observed=observed_of(study))
    sides: tuple[Side, ...] = ("top", "bottom")
    for side in sides:
        sets_group(score, m=m, side=side, selected=ranking[f"selected_{side}"])
        superset_group(score, m=m, side=side)
    weight_tables(
        level,
        m=m,
        settings=WeightSettings(draws=_DRAWS, weight_draws=_DRAWS, grid_draws=_DRAWS),
        sources=observed_sources(study),
        trials=data["trials"],
    )
