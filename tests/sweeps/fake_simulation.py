"""A tiny simulation of the contract, with cells that fail, hang, and kill their worker.

Every executed replicate is written to the file named by PDSIM_FAKE_LOG.
"""

import hashlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr

from pdsim.settings import FORBID_EXTRA, digest

COLUMNS = ("pcs_top", "regret")


@dataclass(frozen=True, slots=True, kw_only=True)
class Nested:
    """A setting that is itself a table."""

    __pydantic_config__: ClassVar = FORBID_EXTRA
    trials: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`behaviour` happens at replicate `at`; -1 is every replicate."""

    __pydantic_config__: ClassVar = FORBID_EXTRA
    trials: int = 10
    shift: float = 0.0
    weighting: str = "equal"
    weights: tuple[float, ...] = ()
    nested: Nested = Nested()
    flag: bool = False
    behaviour: str = "ok"
    at: int = 3
    pause: float = 0.0

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise ValueError("trials must be positive")

    @property
    def extensions(self) -> tuple[str, ...]:
        return ()

    @property
    def data_key(self) -> str:
        return digest([self.trials, self.shift, self.behaviour, self.at, self.pause, self.flag])

    @property
    def fit_key(self) -> str:
        return digest([self.data_key, self.nested.trials])

    @property
    def decision_key(self) -> str:
        return digest([self.fit_key, self.weighting, list(self.weights)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    measures: np.ndarray
    status: np.ndarray


def _draws(scenario: Scenario, replicate: int, seed: int) -> tuple[float, float]:
    text = f"{scenario.decision_key} {replicate} {seed}".encode()
    words = np.frombuffer(hashlib.sha256(text).digest(), dtype=np.uint32)
    return float(words[0] % 1000 < 700), float(words[1]) / 2**32


def run_block(scenarios, replicates, *, seed):
    measures = np.full((len(scenarios), len(replicates), len(COLUMNS)), np.nan)
    status = np.zeros((len(scenarios), len(replicates)), dtype=np.uint8)
    assert len({scenario.data_key for scenario in scenarios}) == 1, "cells do not share their data"
    for column, replicate in enumerate(replicates):
        for row, scenario in enumerate(scenarios):
            if scenario.pause:
                time.sleep(scenario.pause)
            status[row, column] = _behave(scenario, replicate)
            if status[row, column] < 4:
                measures[row, column] = _draws(scenario, replicate, seed)
            _log(scenario, replicate)
    return Block(measures=measures, status=status)


def _behave(scenario: Scenario, replicate: int) -> int:
    if scenario.at not in (-1, replicate):
        return 1
    if scenario.behaviour == "raise":
        raise RuntimeError("the block failed\nwith a second line")
    if scenario.behaviour == "die" and not Path(os.environ.get("PDSIM_FAKE_CURE", "-")).exists():
        os.kill(os.getpid(), signal.SIGKILL)
    if scenario.behaviour == "hang" and not Path(os.environ.get("PDSIM_FAKE_CURE", "-")).exists():
        time.sleep(1000)
    return {"warn": 2, "not converged": 3, "error": 4}.get(scenario.behaviour, 1)


def _log(scenario: Scenario, replicate: int) -> None:
    path = os.environ.get("PDSIM_FAKE_LOG")
    if path:
        with Path(path).open("a") as file:
            file.write(f"{scenario.decision_key} {replicate} {os.getpid()}\n")


def summarise_slabs(read, replicates):
    measures, status = read(0, replicates)
    usable = (status > 0) & (status < 4)
    n_ok = usable.sum(axis=1)
    simulated = (status > 0).sum(axis=1)
    variables = {"n_ok": ("scenario", n_ok), "n_simulated": ("scenario", simulated)}
    for index, name in enumerate(COLUMNS):
        values = np.where(usable, measures[..., index], 0.0)
        mean = np.divide(values.sum(axis=1), n_ok, out=np.full(len(n_ok), np.nan), where=n_ok > 0)
        square = np.where(usable, (values - mean[:, None]) ** 2, 0.0).sum(axis=1)
        divisor = n_ok * (n_ok - 1.0)
        nan = np.full(len(n_ok), np.nan)
        variance = np.divide(square, divisor, out=nan, where=n_ok > 1)
        variables |= {name: ("scenario", mean), f"{name}_mcse": ("scenario", np.sqrt(variance))}
        variables[f"{name}_if_failures_wrong"] = ("scenario", mean * n_ok)
    bins = np.stack([(measures[..., 1] < cut).mean(axis=1) for cut in (0.25, 0.75)], axis=1)
    variables["below"] = (("scenario", "cut"), bins)
    return xr.Dataset(variables, coords={"cut": [0.25, 0.75]})


def paired_contrast_slabs(read, others, replicates):
    measures, status = read(0, replicates)
    reference, reference_status = others(0, replicates)
    usable = (status == 1) & (reference_status == 1)
    variables = {"n_ok": ("scenario", usable.sum(axis=1))}
    for index, name in enumerate(COLUMNS):
        gain = np.where(usable, measures[..., index] - reference[..., index], np.nan)
        error = np.nanstd(gain, axis=1, ddof=1) / np.sqrt(usable.sum(axis=1))
        variables |= {
            name: ("scenario", np.nanmean(gain, axis=1)),
            f"{name}_mcse": ("scenario", error),
        }
    return xr.Dataset(variables)


def simulate(scenario, replicate, seed):
    truth = xr.Dataset({"value": _draws(scenario, replicate, seed)[0]})
    return truth, xr.Dataset({"value": _draws(scenario, replicate, seed)[1]})


def estimate_cost(scenario):
    return 0.001 + scenario.pause
