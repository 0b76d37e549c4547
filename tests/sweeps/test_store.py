"""The store: one writer, leftovers, disk full, and the order of a commit."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import pdsim.sweeps as sweeps
import pdsim.sweeps.ledger as ledger_module
import pdsim.sweeps.writer as writer_module
from pdsim.sweeps import StoreError

CONFIG = {"replicates": 60, "seed": 3, "factors": {"trials": [5, 10]}}


def test_second_process_is_refused_with_a_clear_message(run, tmp_path, log):
    run(CONFIG)
    store = tmp_path / "store"
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys\n"
            "from filelock import FileLock\n"
            f"with FileLock({str(store / 'LOCK')!r}):\n"
            "    print('held', flush=True)\n"
            "    sys.stdin.read()\n",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreError, match=r"is in use by process \d+ on .*: wait until it ends"):
            run(CONFIG)
        sweeps.open_sweep(store)  # reading needs no lock
        holder.stdin.close()
    run(CONFIG)


def test_two_sweeps_at_once_on_one_store_are_refused(run, tmp_path):
    refused = []

    def intrude(event):
        with pytest.raises(StoreError, match="is in use by process"):
            run(CONFIG)
        refused.append(event.done)

    run(CONFIG, progress=intrude)
    assert len(refused) >= 2


def test_failed_replicates_are_written_though_they_are_all_missing(run, tmp_path):
    result = run({**CONFIG, "scenario": {"behaviour": "error", "at": -1}})
    assert (result.n_ok == 0).all()
    assert (result.n_simulated == 60).all()
    assert result.pcs_top.isnull().all()


@pytest.mark.parametrize("stop_before", ["blocks.bin", "ledger.txt"])
def test_crash_between_any_two_steps_of_a_commit_loses_only_that_commit(
    run, tmp_path, log, monkeypatch, stop_before
):
    whole = run(CONFIG, store=tmp_path / "whole")
    log.write_text("")
    monkeypatch.setattr(writer_module, "COMMIT_SECONDS", -1.0)
    commits = {"count": 0}

    class Crash(BaseException):
        pass

    append = ledger_module.append

    def crashing_append(path, content):
        if path.name == stop_before and (stop_before == "blocks.bin" or b'"block"' in content):
            commits["count"] += 1
            if commits["count"] == 3:
                raise Crash
        append(path, content)

    for module in (writer_module, ledger_module):
        monkeypatch.setattr(module, "append", crashing_append)
    with pytest.raises(Crash):
        run(CONFIG, block=20)
    assert int(sweeps.open_sweep(tmp_path / "store").n_simulated.sum()) == 40
    before = log.read_text().splitlines()
    monkeypatch.undo()
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setenv("PDSIM_FAKE_LOG", str(log))
    xr.testing.assert_identical(run(CONFIG, block=20), whole)
    again = log.read_text().splitlines()[len(before) :]
    kept = {tuple(line.split()[:2]) for line in before[:40]}
    assert len(again) == 120 - 40
    assert not kept & {tuple(line.split()[:2]) for line in again}


@pytest.mark.skipif(sys.platform != "linux", reason="names of open files are read from /proc")
def test_commit_makes_data_durable_before_ledger(run, tmp_path, monkeypatch):
    steps = []
    sync = os.fsync

    def note(descriptor):
        place = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if tmp_path / "store" in place.parents:
            steps.append(place.relative_to(tmp_path / "store").as_posix())
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    run({"replicates": 5, "seed": 1})
    first = steps.index("blocks.bin")
    assert steps[first : first + 2] == ["blocks.bin", "ledger.txt"]


def test_leftovers_of_a_crash_are_removed(run, tmp_path):
    whole = run(CONFIG)
    store = tmp_path / "store"
    blocks = (store / "blocks.bin").read_bytes()
    (store / "blocks.bin").write_bytes(blocks + b"half")
    (store / ".sweep.json.x.tmp").write_text("half")
    xr.testing.assert_identical(run(CONFIG), whole)
    assert (store / "blocks.bin").read_bytes() == blocks
    assert not (store / ".sweep.json.x.tmp").exists()


def test_disk_full_ends_in_a_clear_message_and_a_store_that_goes_on(run, tmp_path, log):
    """A limit on the size of files is a real error of the kernel in the middle of a line."""
    config = {**CONFIG, "replicates": 200}
    code = (
        "import os, resource\n"
        "del os.environ['PDSIM_FAKE_LOG']\n"
        "import pdsim.sweeps.writer as writer\n"
        "from pdsim.sweeps import StoreError, sweep\n"
        "writer.COMMIT_SECONDS = -1\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))\n"
        "try:\n"
        f"    sweep({config!r}, store={str(tmp_path / 'store')!r}, executor='serial',\n"
        "          block=1, simulation='fake_simulation')\n"
        "except StoreError as error:\n"
        "    print(error)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "cannot be written (File too large)" in ended.stdout
    assert "run the same sweep again; it goes on where it stopped" in ended.stdout
    ledger = tmp_path / "store" / "ledger.txt"
    content = ledger.read_bytes()
    assert len(content) == 4000
    assert not content.endswith(b"\n")
    partial = sweeps.open_sweep(tmp_path / "store")
    assert 0 < int(partial.n_simulated.sum()) < 400
    resumed = run(config)
    assert len(log.read_text().splitlines()) == 400 - int(partial.n_simulated.sum())
    xr.testing.assert_identical(resumed, run(config, store=tmp_path / "whole"))


def test_no_space_for_a_chunk_is_told_likewise(run, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writer_module, "append", full)
    with pytest.raises(StoreError, match="No space left on device"):
        run(CONFIG)


def test_folder_of_other_files_is_refused(run, tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "thesis.docx").touch()
    with pytest.raises(StoreError, match=r"holds other files \(thesis.docx\)"):
        run(CONFIG)
    with pytest.raises(StoreError, match="is a file"):
        run(CONFIG, store=tmp_path / "store" / "thesis.docx")


def test_results_survive_a_concurrent_reader(run, tmp_path, monkeypatch):
    """Every moment of a running sweep opens, with the same numbers as at the end."""
    monkeypatch.setattr(writer_module, "COMMIT_SECONDS", -1.0)
    monkeypatch.setattr("pdsim.sweeps.progress.TELL_SECONDS", -1.0)
    seen = []

    def look(event):
        table = sweeps.open_replicates(tmp_path / "store")
        seen.append((int((table.status > 0).sum()), table))

    run(CONFIG, block=20, progress=look)
    last = seen[-1][1]
    counts = [count for count, _ in seen]
    # a thread commits, so what is seen lags behind what was told, but never by half a block
    assert counts == sorted(counts)
    assert all(count % 20 == 0 for count in counts)
    assert counts[0] == 0
    assert counts[-1] == 120
    for _, table in seen:
        there = table.status > 0
        np.testing.assert_array_equal(
            table.measures.where(there).values, last.measures.where(there).values
        )
