"""Scenario to truth to data to one replicate's decision, and how good such decisions are."""

from pdsim.simulation.block import Block, estimate_cost, run_block
from pdsim.simulation.performance import (
    describe,
    paired_contrast,
    paired_contrast_slabs,
    summarise,
    summarise_slabs,
)
from pdsim.simulation.replicate import simulate
from pdsim.simulation.scenario import Scenario
from pdsim.simulation.scenarios import PRESETS, preset
from pdsim.terms.measures import COLUMNS, MEASURES, Judged, register_measure

__all__ = [
    "COLUMNS",
    "MEASURES",
    "PRESETS",
    "Block",
    "Judged",
    "Scenario",
    "describe",
    "estimate_cost",
    "paired_contrast",
    "paired_contrast_slabs",
    "preset",
    "register_measure",
    "run_block",
    "simulate",
    "summarise",
    "summarise_slabs",
]
