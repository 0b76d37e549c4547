"""A Dask cluster: same bytes, killed workers, other versions, threads."""

import warnings

import pytest
import xarray as xr

import pdsim.sweeps as sweeps
from pdsim.errors import InputError, PdsimError

distributed = pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

CONFIG = {"replicates": 60, "seed": 3, "factors": {"trials": [5, 10], "weighting": ["a", "b"]}}


@pytest.fixture
def cluster(log):
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as running,
        distributed.Client(running) as client,
    ):
        yield client


def test_same_bytes_as_serial_and_a_dead_worker_costs_one_replicate(run, cluster, tmp_path):
    sweeps.write_result(run(CONFIG, executor=cluster, block=7), tmp_path / "dask.nc")
    sweeps.write_result(run(CONFIG, store=tmp_path / "serial"), tmp_path / "serial.nc")
    assert (tmp_path / "dask.nc").read_bytes() == (tmp_path / "serial.nc").read_bytes()
    address = cluster.scheduler.address
    again = run(CONFIG, store=tmp_path / "address", executor=address)
    xr.testing.assert_identical(again, sweeps.open_sweep(tmp_path / "serial"))
    deadly = {"replicates": 4, "seed": 1, "scenario": {"behaviour": "die", "at": 2}}
    cluster.run_on_scheduler(lambda dask_scheduler: setattr(dask_scheduler, "allowed_failures", 0))
    result = run(deadly, store=tmp_path / "deadly", executor=cluster)
    table = sweeps.open_replicates(tmp_path / "deadly")
    assert list(table.status.values[0]) == [1, 1, 6, 1]
    assert int(result.n_ok[0]) == 3
    raising = {"replicates": 4, "seed": 1, "scenario": {"behaviour": "raise", "at": 2}}
    run(raising, store=tmp_path / "raising", executor=cluster)
    assert list(sweeps.open_replicates(tmp_path / "raising").status.values[0]) == [1, 1, 4, 1]


def test_workers_with_other_versions_are_refused(run, cluster, monkeypatch):
    monkeypatch.setattr("pdsim.sweeps.runner.versions", lambda: {"numpy": "0.1"})
    with pytest.raises(PdsimError, match=r"other versions: numpy .* \(not 0.1\)"):
        run(CONFIG, executor=cluster)


def test_workers_with_several_threads_are_refused(run):
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
        ) as running,
        distributed.Client(running) as client,
        pytest.raises(InputError, match="more than one thread"),
    ):
        run(CONFIG, executor=client)


def test_no_scheduler_is_told(run, monkeypatch):
    monkeypatch.setattr("pdsim.sweeps.cluster.PATIENCE", "1s")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(InputError, match="no Dask scheduler answers"):
            run(CONFIG, executor="tcp://127.0.0.1:9")
