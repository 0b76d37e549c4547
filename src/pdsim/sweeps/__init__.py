"""Sweeps: a grid of scenarios, run into a store that survives anything, read as one Dataset."""

from pdsim.sweeps.contract import Simulation, Status
from pdsim.sweeps.datasets import (
    open_contrast,
    open_contrasts,
    open_replicates,
    open_sweep,
    write_result,
)
from pdsim.sweeps.progress import SweepCallback, SweepProgress
from pdsim.sweeps.runner import sweep
from pdsim.sweeps.store import StoreError
from pdsim.sweeps.sweepfile import SweepSettings, read_settings
from pdsim.sweeps.trial import Replay, dry_run, replay

__all__ = [
    "Replay",
    "Simulation",
    "Status",
    "StoreError",
    "SweepCallback",
    "SweepProgress",
    "SweepSettings",
    "dry_run",
    "open_contrast",
    "open_contrasts",
    "open_replicates",
    "open_sweep",
    "read_settings",
    "replay",
    "sweep",
    "write_result",
]
