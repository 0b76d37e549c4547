"""Workers that fail, hang, die, and outlive nobody."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

import pdsim.sweeps as sweeps
from pdsim.errors import PdsimError
from pdsim.sweeps import Status
from pdsim.sweeps.processes import _Worker
from pdsim.sweeps.tasks import Task

PROCESSES = {"executor": "processes", "workers": 2}


def config(behaviour, at, **base):
    return {
        "replicates": 20,
        "seed": 3,
        "scenario": {"at": at, **base},
        "factors": {"trials": [5], "behaviour": ["ok", behaviour], "weighting": ["a", "b"]},
    }


def statuses(tmp_path, result, behaviour):
    cells = result if behaviour is None else result.sel(trials=5, behaviour=behaviour)
    keys = [str(key) for key in cells.key.values.ravel()]
    return sweeps.open_replicates(tmp_path / "store", keys=keys).status.values


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [("warn", Status.WARNED), ("not converged", Status.NOT_CONVERGED), ("error", Status.ERROR)],
)
def test_status_of_a_replicate_is_kept(run, tmp_path, behaviour, code):
    result = run(config(behaviour, at=3))
    found = statuses(tmp_path, result, behaviour)
    expected = np.full((2, 20), Status.OK)
    expected[:, 3] = code
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_block_that_raises_is_halved_down_to_the_replicate_at_fault(run, tmp_path, log, executor):
    result = run(config("raise", at=3), executor=executor)
    found = statuses(tmp_path, result, "raise")
    expected = np.full((2, 20), Status.OK)
    expected[:, 3] = Status.ERROR
    np.testing.assert_array_equal(found, expected)
    assert list(result.n_ok.values.ravel()) == [20, 20, 19, 19]
    ledger = (tmp_path / "store" / "ledger.txt").read_text()
    assert ledger.count("error: RuntimeError: the block failed") == 2
    log.write_text("")
    run(config("raise", at=3), executor=executor)
    assert not log.read_text()  # an error is a result and is not run again


def test_killed_worker_costs_one_replicate_which_a_resumed_sweep_runs_again(
    run, tmp_path, log, monkeypatch
):
    cure = tmp_path / "cured"
    monkeypatch.setenv("PDSIM_FAKE_CURE", str(cure))
    once = {
        **config("die", at=3),
        "replicates": 4,
        "factors": {"trials": [5], "behaviour": ["ok", "die"], "weighting": ["a"]},
    }
    result = run(once, **PROCESSES)
    [found] = statuses(tmp_path, result, "die")
    assert list(found) == [Status.OK] * 3 + [Status.WORKER_DIED]
    assert (result.sel(behaviour="ok").n_ok == 4).all()
    assert "ended with exit code -9" in (tmp_path / "store" / "ledger.txt").read_text()
    cure.touch()
    log.write_text("")
    healed = run(once)
    assert [line.split()[1] for line in log.read_text().splitlines()] == ["3"]
    assert (healed.n_ok == 4).all()
    xr.testing.assert_identical(healed, run(once, store=tmp_path / "fresh"))


def test_replicate_that_hangs_is_a_timeout_and_the_others_are_there(run, tmp_path):
    once = {
        "replicates": 4,
        "seed": 3,
        "scenario": {"at": 1, "behaviour": "hang"},
        "factors": {"behaviour": ["hang"], "weighting": ["a", "b"]},
    }
    result = run(once, **PROCESSES, timeout=2.0, block=2)
    found = statuses(tmp_path, result, None)
    assert (found[:, 1] == Status.TIMEOUT).all()
    assert (found[:, [0, 2, 3]] == Status.OK).all()
    assert "timeout: no result after 2 s" in (tmp_path / "store" / "ledger.txt").read_text()


def test_worker_that_cannot_start_ends_the_sweep(run, monkeypatch, tmp_path, capfd):
    (tmp_path / "sitecustomize.py").write_text("import os; os._exit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PdsimError, match="exit code 3 before it could take a task"):
        run(config("ok2", at=0), **PROCESSES)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


def wait_until(condition, seconds=120.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_workers_leave_with_their_parent_and_the_lock_is_free(run, log, tmp_path):
    slow = {"replicates": 500, "seed": 1, "scenario": {"pause": 0.02}}
    code = (
        "from pdsim.sweeps import sweep\n"
        f"sweep({slow!r}, store={str(tmp_path / 'store')!r}, executor='processes', workers=2,\n"
        "      block=50, simulation='fake_simulation')\n"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as parent:
        assert wait_until(
            lambda: (
                len(
                    {
                        line.split()[2]
                        for line in log.read_text().splitlines()
                        if line.count(" ") == 2
                    }
                )
                == 2
            )
        )
        parent.send_signal(signal.SIGKILL)
    pids = {int(line.split()[2]) for line in log.read_text().splitlines()}
    assert parent.pid not in pids
    assert wait_until(lambda: not any(alive(pid) for pid in pids))
    run({**slow, "replicates": 2})


def test_interrupt_keeps_what_was_done(run, log, tmp_path):
    def interrupt(event):
        if event.done > 40:
            raise KeyboardInterrupt

    slow = {"replicates": 200, "seed": 1, "scenario": {"pause": 0.01}}
    with pytest.raises(KeyboardInterrupt):
        run(slow, block=10, progress=interrupt)
    assert int(sweeps.open_sweep(tmp_path / "store").n_simulated.sum()) > 40


def test_a_short_result_is_not_taken_for_a_whole_one():
    line = io.BytesIO(b'{"frames": [80]}\n' + bytes(79))
    worker = _Worker(process=SimpleNamespace(stdout=line))
    with pytest.raises(EOFError):
        worker.receive(Task(first=0, last=1, start=0, stop=10))
