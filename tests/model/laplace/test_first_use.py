"""The first use on a machine compiles the engine once, whatever the study."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import pdsim
from pdsim.jit import on_disk
from pdsim.model.data import model_data
from pdsim.model.laplace.blocks import draw_blocks
from pdsim.model.laplace.first_use import (
    compile_draws,
    compile_draws_aside,
    compiled_before,
)
from pdsim.model.laplace.sample import sample_laplace
from pdsim.model.laplace.trajectories import trajectories
from pdsim.study import EXAMPLES


def test_every_kind_of_study_runs_the_same_machine_code(make_data: Callable[..., Any]) -> None:
    compile_draws()
    assumed = {"lake_zone": {"trials": 20, "case_correlation": 0.1}}
    studies = [pdsim.load_example(name, **assumed.get(name, {})) for name in EXAMPLES]
    made = [
        make_data(kind="scores", facilities=3),
        make_data(arm=[0, 0, 1, 1], covariates=1, offset=0.1, visit_sd=0.4),
    ]
    for data in (*map(model_data, studies), *made):
        sample_laplace(data, draws=64, seed=1)
    assert len(trajectories.signatures) == 1
    assert len(draw_blocks.signatures) == 1


def test_machine_code_is_seen_on_disk() -> None:
    sample_laplace(model_data(pdsim.load_example("surgical")), draws=64, seed=1)
    assert compiled_before()
    assert on_disk(trajectories)


def test_a_second_process_compiles_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr("pdsim.model.laplace.first_use.on_disk", lambda function: False)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(subprocess, "Popen", lambda call, **_: asked.append(call))
    compile_draws_aside.cache_clear()
    try:
        compile_draws_aside()
    finally:
        compile_draws_aside.cache_clear()
    assert asked[0][0] == sys.executable
    # what it is told to run is there, and runs
    monkeypatch.undo()
    assert subprocess.run(asked[0], check=False).returncode == 0
