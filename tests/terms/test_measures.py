"""Performance measures of one's own, and stores that are older than a measure."""

import numpy as np
import pytest

from pdsim.simulation import COLUMNS, MEASURES, Scenario, run_block, summarise
from pdsim.sweeps import StoreError, open_sweep, sweep
from pdsim.terms.measures import register_measure

SETTINGS = {"seed": 1, "scenario": {"facilities": 6, "m": 2}, "factors": {"trials": [10, 20]}}


def all_above_median(judged):
    median = np.median(judged.truth, axis=1, keepdims=True)
    return 1.0 * (judged.top * (judged.truth <= median) == 0).all(axis=1)


def register():
    return register_measure(
        "all_above_median",
        all_above_median,
        words="chance that every named facility is above the median",
        scale="probability",
        heading="P(all above the median)",
    )


@pytest.fixture
def own_measure():
    yield register()
    MEASURES.unregister("all_above_median")


def test_it_is_summarised_with_its_error(own_measure):
    block = run_block([Scenario(facilities=6, m=2)], range(300), seed=1)
    summary = summarise(block.measures[0], block.status[0])
    p = float(summary.all_above_median)
    assert float(summary.pcs_top) < p < 1
    assert float(summary.all_above_median_mcse) == pytest.approx(np.sqrt(p * (1 - p) / 299))
    assert "all_above_median_if_failures_wrong" in summary


def test_a_store_from_before_a_measure_is_read(tmp_path):
    store = tmp_path / "store"
    old = sweep(SETTINGS | {"replicates": 20}, store=store, executor="serial")
    register()
    try:
        read = open_sweep(store)
        np.testing.assert_array_equal(read.pcs_top, old.pcs_top)
        assert read.all_above_median.isnull().all()
        with pytest.raises(StoreError, match="was made otherwise"):
            sweep(SETTINGS | {"replicates": 40}, store=store, executor="serial")
        new = sweep(SETTINGS | {"replicates": 20}, store=tmp_path / "new", executor="serial")
        assert new.all_above_median.notnull().all()
        np.testing.assert_array_equal(new.pcs_top, old.pcs_top)
        MEASURES.unregister("all_above_median")
        # found again by where its function is
        assert open_sweep(tmp_path / "new").equals(new)
    finally:
        MEASURES.unregister("all_above_median")


def test_every_built_in_column_is_filled_in():
    scenario = Scenario(
        facilities=6, m=2, trials=10, draws=200, rule="p_top", criteria=("top(change, 2)",)
    )
    block = run_block([scenario, Scenario(facilities=6, m=2, trials=10)], range(3), seed=1)
    assert block.measures.shape[-1] == len(COLUMNS)
    assert not np.isnan(block.measures).all(axis=(0, 1)).any()
