"""SIGKILL at random moments: nothing that the ledger names is lost or computed again."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import pdsim.sweeps as sweeps

CONFIG = {
    "replicates": 400,
    "seed": 3,
    "scenario": {"pause": 0.001},
    "factors": {"trials": [5, 10, 20], "weighting": ["a", "b"]},
}


SLOW = [("serial", 20), ("processes", 8)]


@pytest.mark.parametrize(
    ("executor", "kills"),
    [("serial", 5), *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)],
)
def test_killed_and_resumed_sweep_ends_with_the_same_bytes(run, tmp_path, log, executor, kills):
    store = tmp_path / "store"
    helper = Path(__file__).parent / "killed_sweeps.py"
    arguments = [str(store), str(log), executor, str(kills), "7", json.dumps(CONFIG)]
    told = subprocess.run(
        [sys.executable, str(helper), *arguments], capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    assert len(lines) == kills
    assert sum(line["killed"] for line in lines) > kills // 2
    assert [line["again"] for line in lines] == [0] * kills
    assert [line["lost"] for line in lines] == [0] * kills
    done = [line["done"] for line in lines]
    assert done == sorted(done)
    assert len({count for count in done if 0 < count < 2400}) >= min(3, kills // 2)
    log.write_text("")
    sweeps.write_result(run(CONFIG), tmp_path / "killed.nc")
    assert len(log.read_text().splitlines()) == 2400 - done[-1]
    sweeps.write_result(run(CONFIG, store=tmp_path / "whole"), tmp_path / "whole.nc")
    assert (tmp_path / "killed.nc").read_bytes() == (tmp_path / "whole.nc").read_bytes()
