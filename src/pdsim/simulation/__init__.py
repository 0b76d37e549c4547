"""Scenario to truth to data to one replicate's decision, and how good such decisions are."""

from pdsim.simulation.block import Block, estimate_cost, run_block
from pdsim.simulation.measures import MEASURES
from pdsim.simulation.performance import (
    PERFORMANCE,
    describe,
    paired_contrast,
    paired_contrast_slabs,
    summarise,
    summarise_slabs,
)
from pdsim.simulation.presets import PRESETS, preset
from pdsim.simulation.replicate import simulate
from pdsim.simulation.scenario import Scenario

__all__ = [
    "MEASURES",
    "PERFORMANCE",
    "PRESETS",
    "Block",
    "Scenario",
    "describe",
    "estimate_cost",
    "paired_contrast",
    "paired_contrast_slabs",
    "preset",
    "run_block",
    "simulate",
    "summarise",
    "summarise_slabs",
]
