"""Sweeps of the fake simulation: numbers, reuse, and what may not change them."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import pdsim.sweeps as sweeps
from pdsim.errors import InputError
from pdsim.files import read_json, write_json
from pdsim.sweeps import StoreError
from pdsim.sweeps.ledger import read_ledger

FACTORS = {
    "trials": [5, 10, 20],
    "weighting": {"equal": "equal", "safety": {"weighting": "given", "weights": [1, 2]}},
}
CONFIG = {"replicates": 60, "seed": 3, "factors": FACTORS}


def executed(log: Path) -> Counter:
    return Counter(tuple(line.split()[:2]) for line in log.read_text().splitlines())


def test_result_is_the_summary_of_each_cell_over_one_dimension_per_factor(run, log, tmp_path):
    import fake_simulation as fake

    result = run(CONFIG)
    assert result.pcs_top.dims == ("trials", "weighting")
    for trials in (5, 10, 20):
        scenario = fake.Scenario(trials=trials, weighting="given", weights=(1.0, 2.0))
        block = fake.run_block([scenario], range(60), seed=3)
        whole = (block.measures, block.status)
        expected = fake.summarise_slabs(lambda *_, whole=whole: whole, 60).isel(scenario=0)
        cell = result.sel(trials=trials, weighting="safety")
        for name in ("pcs_top", "pcs_top_mcse", "regret", "n_ok", "below"):
            np.testing.assert_array_equal(cell[name], expected[name])
        assert cell.key == scenario.decision_key
        assert cell.n_simulated == 60
    assert result.below.dims == ("trials", "weighting", "cut")
    assert max(executed(log).values()) == 2  # once in the sweep, once here


def test_attributes_say_how_it_was_made_but_not_where_or_by_whom(run, tmp_path):
    result = run(CONFIG)
    assert json.loads(result.attrs["configuration"])["factors"]["trials"] == [5, 10, 20]
    assert result.attrs["seed"] == 3
    assert result.attrs["replicates"] == 60
    assert "numpy" in json.loads(result.attrs["versions"])
    assert not {"executor", "workers", "git_revision", "seconds"} & set(result.attrs)
    [record] = json.loads((tmp_path / "store" / "run.json").read_text())["runs"]
    assert record["executor"] == "serial"
    assert record["replicates"] == 360
    assert record["seconds"] > 0


EXECUTORS = [
    {"block": 7},
    {"executor": "processes", "workers": 2, "block": 7},
]
MORE_EXECUTORS = [
    {"executor": "processes", "workers": 1, "block": 7},
    {"executor": "processes", "workers": 2, "block": 100},
    {"executor": "processes", "workers": 4, "block": 7},
]


@pytest.mark.parametrize(
    "options", [*EXECUTORS, *(pytest.param(o, marks=pytest.mark.slow) for o in MORE_EXECUTORS)]
)
def test_bytes_do_not_depend_on_block_executor_or_workers(run, tmp_path, options):
    for name, choice in (("reference", {}), ("other", options)):
        result = run(CONFIG, store=tmp_path / name, **choice)
        sweeps.write_result(result, tmp_path / f"{name}.nc")
    assert (tmp_path / "reference.nc").read_bytes() == (tmp_path / "other.nc").read_bytes()
    read = xr.load_dataset(tmp_path / "other.nc", engine="h5netcdf")
    xr.testing.assert_identical(read, result)


def test_second_run_computes_nothing(run, log):
    first = run(CONFIG)
    log.write_text("")
    xr.testing.assert_identical(run(CONFIG), first)
    assert not executed(log)


def test_more_replicates_keep_those_that_are_there(run, log, tmp_path):
    run(CONFIG)
    more = run({**CONFIG, "replicates": 130})
    assert set(executed(log).values()) == {1}
    assert len(executed(log)) == 6 * 130
    fresh = run({**CONFIG, "replicates": 130}, store=tmp_path / "fresh")
    xr.testing.assert_identical(more, fresh)
    fewer = run(CONFIG)
    xr.testing.assert_identical(fewer, run(CONFIG, store=tmp_path / "fewer"))


def test_new_level_keeps_the_others(run, log, tmp_path):
    run(CONFIG)
    wider = {**CONFIG, "factors": {**FACTORS, "trials": [5, 7, 10, 20]}}
    result = run(wider)
    assert set(executed(log).values()) == {1}
    assert len(executed(log)) == 8 * 60
    xr.testing.assert_identical(result, run(wider, store=tmp_path / "fresh"))


def test_changed_scenario_is_another_cell(run, log):
    before = run(CONFIG)
    after = run({**CONFIG, "scenario": {"shift": 1.0}})
    assert not set(before.key.values.ravel()) & set(after.key.values.ravel())
    assert (after.n_simulated == 60).all()
    assert len(executed(log)) == 12 * 60
    log.write_text("")
    xr.testing.assert_identical(run(CONFIG), before)
    assert not executed(log)


@pytest.mark.parametrize("change", ["seed", "versions", "measures"])
def test_what_must_not_mix_is_refused(run, monkeypatch, change, tmp_path):
    first = run(CONFIG)
    if change == "versions":
        monkeypatch.setattr("pdsim.sweeps.runner.versions", lambda: {"numpy": "0.1"})
    if change == "measures":
        path = tmp_path / "store" / "store.json"
        content = read_json(path)
        write_json(path, {**content, "measures": ["pcs_top", "regrets"]})
    with pytest.raises(StoreError, match=change if change != "versions" else "numpy is 0.1 now"):
        run({**CONFIG, "seed": 4} if change == "seed" else CONFIG)
    if change != "measures":
        xr.testing.assert_identical(sweeps.open_sweep(tmp_path / "store"), first)


def test_measures_choose_the_summaries(run):
    result = run({**CONFIG, "measures": ["regret"]})
    assert {"regret", "regret_mcse", "regret_if_failures_wrong", "n_ok", "below"} <= set(
        result.data_vars
    )
    assert not {"pcs_top", "pcs_top_mcse", "pcs_top_if_failures_wrong"} & set(result.data_vars)


def test_bad_settings_write_nothing(run, tmp_path):
    for config, options, message in [
        ({**CONFIG, "measures": ["speed"]}, {}, "no measure 'speed'"),
        ({**CONFIG, "factors": {"pcs_top": {"a": {"trials": 5}}}}, {}, "name of a result"),
        ({**CONFIG, "factors": {"cut": {"a": {"trials": 5}}}}, {}, "name of a result"),
        (CONFIG, {"block": 0}, "block must be"),
        (CONFIG, {"job": (3, 2)}, "array job 3 of 2"),
        (CONFIG, {"executor": "threads"}, "no executor 'threads'"),
        (CONFIG, {"workers": 2}, "needs executor 'processes'"),
        (CONFIG, {"executor": "processes", "workers": 0}, "one worker or more"),
        (CONFIG, {"timeout": 5.0}, "needs executor 'processes'"),
        (CONFIG, {"executor": 7}, "executor is a int"),
    ]:
        with pytest.raises(InputError, match=message):
            run(config, **options)
        assert not (tmp_path / "store").exists()


def test_unknown_simulation_is_refused(tmp_path):
    with pytest.raises(InputError, match="no module 'nowhere'"):
        sweeps.sweep(CONFIG, store=tmp_path / "s", executor="serial", simulation="nowhere")
    with pytest.raises(InputError, match="has no COLUMNS, Scenario"):
        sweeps.sweep(CONFIG, store=tmp_path / "s", executor="serial", simulation="json")


def test_progress_counts_what_is_reused_and_ends_at_the_total(run, monkeypatch):
    monkeypatch.setattr("pdsim.sweeps.progress.TELL_SECONDS", -1.0)
    run(CONFIG)
    events = []
    run({**CONFIG, "replicates": 90}, progress=events.append, block=10)
    assert [event.done for event in events] == sorted(event.done for event in events)
    assert (events[0].done, events[0].reused, events[0].total) == (360, 360, 540)
    assert np.isnan(events[0].remaining)
    assert events[1].remaining > 0
    assert (events[-1].done, events[-1].remaining) == (540, 0.0)


def test_tasks_take_about_a_second_unless_told_otherwise(run, monkeypatch, tmp_path):
    # a replicate of the fake is said to cost a millisecond
    monkeypatch.setattr("pdsim.sweeps.runner.TASK_SECONDS", 0.010)
    run({"replicates": 45, "seed": 1})
    blocks = [line for line in read_ledger(tmp_path / "store").lines if hasattr(line, "frames")]
    assert [line.stop - line.start for line in blocks] == [10, 10, 10, 10, 5]


def test_array_jobs_own_their_stores_and_open_as_one(run, log, tmp_path):
    config = {**CONFIG, "replicates": 250}
    together = tmp_path / "jobs"
    for number in (1, 2, 3):
        partial = run(config, store=together, job=(number, 3))
        assert 0 < int(partial.n_simulated.sum()) < 6 * 250
    assert set(executed(log).values()) == {1}
    assert len(executed(log)) == 6 * 250
    whole = run(config, store=tmp_path / "whole")
    xr.testing.assert_identical(sweeps.open_sweep(together), whole)
    log.write_text("")
    more = {**config, "replicates": 330, "factors": {**FACTORS, "trials": [2, 5, 10, 20]}}
    for number in (1, 2, 3):
        run(more, store=together, job=(number, 3))
    assert set(executed(log).values()) == {1}
    assert len(executed(log)) == 8 * 330 - 6 * 250
    fresh = run(more, store=tmp_path / "fresh")
    xr.testing.assert_identical(sweeps.open_sweep(together), fresh)


def test_array_jobs_divide_all_there_is_among_them_about_evenly(log):
    from pdsim.sweeps.contract import load_simulation
    from pdsim.sweeps.crossing import expand
    from pdsim.sweeps.tasks import wanted

    settings = sweeps.SweepSettings(replicates=90, seed=1, factors={"trials": list(range(1, 101))})
    cells = expand(settings, load_simulation("fake_simulation")).by_data()
    shares = [wanted(cells, replicates=90, job=(number, 4)) for number in (1, 2, 3, 4)]
    owners = [[key for key in share if share[key].count(0, 90)] for share in shares]
    assert sorted(key for owned in owners for key in owned) == sorted(cells)
    # a hundred cells fall on four jobs by their digest: 25 each, with a standard deviation of 4.3
    assert all(8 <= len(owned) <= 42 for owned in owners)


def test_array_jobs_of_different_sweeps_do_not_open_as_one(run, tmp_path):
    run(CONFIG, store=tmp_path / "jobs", job=(1, 2))
    run({**CONFIG, "replicates": 70}, store=tmp_path / "jobs", job=(2, 2))
    with pytest.raises(StoreError, match="different sweeps"):
        sweeps.open_sweep(tmp_path / "jobs")


def test_partial_store_opens_with_what_its_ledger_names(run, tmp_path):
    whole = run(CONFIG, block=10)
    store = tmp_path / "store"
    lines = (store / "ledger.txt").read_text().splitlines(keepends=True)
    cells = sum('"cell"' in line for line in lines)
    (store / "ledger.txt").write_text("".join(lines[: cells + 2]) + lines[cells + 2][:5])
    # as it was before the run ended
    write_json(store / "run.json", {"runs": [{"ledger_bytes": 0}]})
    partial = sweeps.open_sweep(tmp_path / "store")
    assert int(partial.n_simulated.sum()) == 2 * 2 * 10
    assert set(np.unique(partial.n_simulated)) == {0, 20}
    xr.testing.assert_identical(run(CONFIG), whole)


def test_replicates_and_replay_give_what_was_stored(run, tmp_path):
    result = run(CONFIG)
    key = str(result.key.sel(trials=10, weighting="safety").values)
    table = sweeps.open_replicates(tmp_path / "store", keys=[key])
    assert table.sizes == {"scenario": 1, "replicate": 60, "measure": 2}
    mean = table.measures.sel(measure="pcs_top").mean()
    assert float(mean) == pytest.approx(float(result.sel(trials=10, weighting="safety").pcs_top))
    again = sweeps.replay(tmp_path / "store", key[:16], 41)
    np.testing.assert_array_equal(again.measures, table.measures.sel(scenario=key, replicate=41))
    np.testing.assert_array_equal(again.measures, again.stored)
    assert again.status is again.stored_status is sweeps.Status.OK
    assert again.scenario.trials == 10
    assert float(again.study["value"]) == float(again.measures.sel(measure="regret"))


def test_replay_refuses_what_is_not_there(run, tmp_path):
    run(CONFIG)
    for key, replicate, message in [
        ("nokey", 0, "no cells"),
        ("", 0, "6 cells"),
    ]:
        with pytest.raises(InputError, match=message):
            sweeps.replay(tmp_path / "store", key, replicate)
    key = str(sweeps.open_sweep(tmp_path / "store").key.values[0, 0])
    with pytest.raises(InputError, match="no replicate 60 among 60"):
        sweeps.replay(tmp_path / "store", key, 60)
    with pytest.raises(InputError, match="no cell of this sweep"):
        sweeps.open_replicates(tmp_path / "store", keys=["nokey"])
    with pytest.raises(StoreError, match="not the store of a sweep"):
        sweeps.open_sweep(tmp_path / "nowhere")


def test_contrast_pairs_every_cell_with_the_one_that_differs_in_one_factor(run, tmp_path):
    result = run(CONFIG)
    store = tmp_path / "store"
    gain = sweeps.open_contrast(store, dim="trials", reference=10)
    np.testing.assert_allclose(gain.pcs_top, result.pcs_top - result.pcs_top.sel(trials=10))
    assert (gain.pcs_top_mcse.sel(trials=10) == 0).all()
    assert gain.attrs["reference"] == "trials = 10"
    keys = [str(result.key.sel(trials=t, weighting="safety").values) for t in (5, 10)]
    pair = sweeps.open_replicates(store, keys=keys).measures.sel(measure="regret")
    error = (pair[0] - pair[1]).std(ddof=1) / np.sqrt(60)
    cell = gain.regret_mcse.sel(trials=5, weighting="safety")
    np.testing.assert_allclose(cell, error)
    for dim, level in (("trials", 11), ("facilities", 10)):
        with pytest.raises(InputError, match="no dimension"):
            sweeps.open_contrast(store, dim=dim, reference=level)


def test_dry_run_tries_every_cell_and_writes_nothing(log, tmp_path):
    config = {
        **CONFIG,
        "factors": {"trials": [5, 10], "behaviour": ["ok", "error"]},
        "scenario": {"at": 0},
    }
    trial = sweeps.dry_run(config, simulation="fake_simulation")
    assert list(trial.scenario.values)[1] == "trials = 5, behaviour = error"
    assert list(trial.status.values) == ["ok", "error", "ok", "error"]
    assert trial.attrs["cells"] == 4
    assert trial.attrs["estimated_seconds"] == pytest.approx(4 * 60 * 0.001)
    assert set(executed(log).values()) == {1}
    assert [path.name for path in tmp_path.iterdir()] == ["executed.log"]
