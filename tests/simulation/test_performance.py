from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import pdsim.simulation.slabs as slabs_module
from pdsim.errors import InputError
from pdsim.simulation import (
    COLUMNS,
    MEASURES,
    Scenario,
    describe,
    paired_contrast,
    run_block,
    summarise,
    summarise_slabs,
)

NORMAL = Scenario(kind="normal", sd_change_facility=1.0, unit_sd=0.7, trials=1)
COUNTS = Scenario(facilities=8, indicators=4, m=2, trials=15)


def column(name):
    return COLUMNS.index(name)


@pytest.fixture(scope="module")
def block():
    return run_block([NORMAL], range(3000), seed=1)


def test_formulas_of_morris_white_and_crowther(block):
    measures, summary = block.measures[0], summarise(block.measures[0], block.status[0])
    n = len(measures)
    assert int(summary.n_ok) == int(summary.n_simulated) == n
    p = measures[:, column("pcs_top")].mean()
    assert set(np.unique(measures[:, column("pcs_top")])) == {0.0, 1.0}
    assert float(summary.pcs_top) == pytest.approx(p)
    assert float(summary.pcs_top_mcse) == pytest.approx(np.sqrt(p * (1 - p) / (n - 1)))
    error, squared = measures[:, column("error")], measures[:, column("squared_error")]
    assert float(summary.bias) == pytest.approx(error.mean())
    assert float(summary.bias_mcse) == pytest.approx(error.std(ddof=1) / np.sqrt(n))
    rmse = np.sqrt(squared.mean())
    assert float(summary.rmse) == pytest.approx(rmse)
    mse_error = squared.std(ddof=1) / np.sqrt(n)
    assert float(summary.rmse_mcse) == pytest.approx(mse_error / (2 * rmse))
    spread = np.sqrt(n / (n - 1) * (rmse**2 - error.mean() ** 2))
    assert float(summary.empirical_sd) == pytest.approx(spread)
    assert float(summary.stated_sd) == pytest.approx(0.7)
    ratio = 100 * (0.7 / float(summary.empirical_sd) - 1)
    assert float(summary.relative_sd_error) == pytest.approx(ratio)
    got, best = measures[:, column("contrast")], measures[:, column("contrast_best")]
    assert float(summary.contrast_retained) == pytest.approx(got.mean() / best.mean())


def test_one_estimate_a_replicate_as_in_simsum():
    """Table 6 of Morris, White and Crowther (2019), with n - 1; their errors take normal errors."""
    generator = np.random.default_rng(1)
    n = 4000
    error, variance = generator.normal(0.1, 2.0, n), generator.gamma(50, 0.08, n)
    measures = np.full((n, len(COLUMNS)), np.nan)
    measures[:, column("error")], measures[:, column("squared_error")] = error, error**2
    measures[:, column("variance")] = variance
    summary = summarise(measures, np.ones(n, dtype=np.uint8))
    spread, stated = error.std(ddof=1), np.sqrt(variance.mean())
    expected = {
        "bias": (error.mean(), spread / np.sqrt(n)),
        "empirical_sd": (spread, spread / np.sqrt(2 * (n - 1))),
        "stated_sd": (stated, np.sqrt(variance.var(ddof=1) / (4 * n * stated**2))),
        "relative_sd_error": (
            100 * (stated / spread - 1),
            100 * (stated / spread)
            * np.sqrt(variance.var(ddof=1) / (4 * n * stated**4) + 1 / (2 * (n - 1))),
        ),
    }  # fmt: skip
    for name, (value, mcse) in expected.items():
        assert float(summary[name]) == pytest.approx(value, rel=1e-12), name
        # the fourth moment of 4,000 normal errors is known to 4 %, so the errors to 2 %
        assert float(summary[f"{name}_mcse"]) == pytest.approx(mcse, rel=0.08), name


def test_known_values_of_a_normal_study(block):
    summary = summarise(block.measures[0], block.status[0])
    for name, value in {
        "bias": 0.0,
        "rmse": 0.7,
        "empirical_sd": 0.7,
        "coverage": 0.95,
        "relative_sd_error": 0.0,
    }.items():
        assert abs(float(summary[name]) - value) < 4 * float(summary[f"{name}_mcse"]), name
    assert float(summary.curse_top) > 4 * float(summary.curse_top_mcse)
    assert float(summary.curse_bottom) < -4 * float(summary.curse_bottom_mcse)


# 200 runs know a standard deviation to 5 %, so 0.8 to 1.2 is four standard errors
@pytest.mark.parametrize("scenario", [NORMAL, replace(COUNTS, trials=12)], ids=["normal", "counts"])
def test_monte_carlo_errors_are_right(scenario):
    runs = [run_block([scenario], range(150), seed=seed) for seed in range(200)]
    measures = np.stack([run.measures[0] for run in runs])
    summary = summarise(measures, np.stack([run.status[0] for run in runs]))
    checked = 0
    for name in MEASURES:
        spread, stated = float(summary[name].std(ddof=1)), float(summary[f"{name}_mcse"].mean())
        if np.isnan(stated) or stated < 1e-12:
            continue
        if name in ("wrong_end_top", "wrong_end_bottom") and float(summary[name].mean()) < 0.02:
            continue
        assert 0.8 <= spread / stated <= 1.2, (name, spread / stated)
        checked += 1
    assert checked >= 18


def synthetic(rows, replicates, rng):
    """Forecasts that mean what they say, as in no block of a rule without a posterior."""
    measures = np.full((rows, replicates, len(COLUMNS)), np.nan)
    truth = rng.random((rows, replicates, 10))
    stated = truth / truth.sum(axis=-1, keepdims=True) * 3
    stated = np.minimum(stated, 1.0)
    happened = rng.random(stated.shape) < stated
    bins = np.minimum((stated * 10).astype(int), 9)
    measures[..., column("brier_top")] = ((stated - happened) ** 2).mean(axis=-1)
    measures[..., column("forecast_squared")] = (stated**2).mean(axis=-1)
    measures[..., column("forecast_hit")] = (stated * happened).mean(axis=-1)
    for b in range(10):
        inside = bins == b
        measures[..., column(f"forecast_count_{b}")] = inside.sum(axis=-1)
        measures[..., column(f"forecast_sum_{b}")] = (stated * inside).sum(axis=-1)
        measures[..., column(f"forecast_hits_{b}")] = (happened & inside).sum(axis=-1)
    return measures, np.ones((rows, replicates), dtype=np.uint8), stated, happened


def test_reliability_of_forecasts():
    measures, status, stated, happened = synthetic(1, 4000, np.random.default_rng(1))
    summary = summarise(measures, status).isel(scenario=0)
    for b in range(10):
        inside = np.minimum((stated * 10).astype(int), 9) == b
        if not inside.any():
            assert np.isnan(summary.reliability.values[b])
            continue
        assert summary.reliability.values[b] == pytest.approx(happened[inside].mean())
        assert summary.forecast.values[b] == pytest.approx(stated[inside].mean())
        gap = summary.reliability.values[b] - summary.forecast.values[b]
        assert abs(gap) < 4.5 * summary.reliability_mcse.values[b]
    slope = np.polyfit(stated.ravel(), happened.ravel(), 1)[0]
    assert float(summary.calibration_slope) == pytest.approx(slope)
    assert abs(float(summary.calibration_slope) - 1) < 4.5 * float(summary.calibration_slope_mcse)


def test_failures_are_counted_as_all_wrong_and_all_right(block):
    measures, status = block.measures[0, :100].copy(), block.status[0, :100].copy()
    right, astray = measures[:60, column("pcs_top")], measures[:60, column("wrong_end_top")]
    status[60:70], status[70:75], status[75:80], status[80:] = 3, 4, 6, 0
    status[:5] = 2
    measures[60:] = 0.123
    summary = summarise(measures, status)
    counts = {"n_ok": 60, "n_warned": 5, "n_not_converged": 10, "n_failed": 10, "n_simulated": 80}
    assert {name: int(summary[name]) for name in counts} == counts
    assert float(summary.pcs_top) == pytest.approx(right.mean())
    assert float(summary.pcs_top_if_failures_wrong) == pytest.approx(right.sum() / 80)
    assert float(summary.pcs_top_if_failures_right) == pytest.approx((right.sum() + 20) / 80)
    # being among the true bottom m is the wrong thing to be
    assert float(summary.wrong_end_top_if_failures_wrong) == pytest.approx((astray.sum() + 20) / 80)
    assert float(summary.wrong_end_top_if_failures_right) == pytest.approx(astray.sum() / 80)


def test_nothing_usable_is_no_estimate():
    measures = np.full((200, len(COLUMNS)), np.nan)
    summary = summarise(measures, np.full(200, 4, dtype=np.uint8))
    for name in MEASURES:
        assert np.isnan(summary[name])
        assert np.isnan(summary[f"{name}_mcse"])
        assert describe(summary, name) == "no estimate, 0 of 200 usable"
    assert float(summary.pcs_top_if_failures_wrong) == 0
    assert float(summary.pcs_top_if_failures_right) == 1
    assert int(summary.n_ok) == 0


def test_words(block):
    summary = summarise(block.measures[0, :400], block.status[0, :400])
    value, error = float(summary.overlap_top), float(summary.overlap_top_mcse)
    words = describe(summary, "overlap_top")
    assert words == f"{value:.3f} (MCSE {error:.3f}, 400 replicates)"
    assert describe(summary, "brier_top") == "no estimate, the rule states none"
    never = block.measures[0, :300].copy()
    never[:, column("pcs_both")] = 0
    status = block.status[0, :300].copy()
    assert describe(summarise(never, status), "pcs_both") == "below 0.01 (300 replicates)"
    never[:, column("pcs_both")] = 1
    status[:100] = 4
    words = describe(summarise(never, status), "pcs_both")
    assert words == "above 0.985 (200 of 300 replicates)"


def test_one_replicate_has_no_error(block):
    summary = summarise(block.measures[0, :1], block.status[0, :1])
    assert np.isfinite(summary.overlap_top)
    assert np.isnan(summary.overlap_top_mcse)


def test_scenarios_do_not_touch_each_other(block):
    other = run_block([COUNTS, replace(COUNTS, trials=40)], range(3000), seed=1)
    together = summarise(
        np.concatenate([block.measures, other.measures]),
        np.concatenate([block.status, other.status]),
    )
    for i, (measures, status) in enumerate(
        [(block.measures[0], block.status[0]), (other.measures[1], other.status[1])]
    ):
        alone = summarise(measures, status)
        for name in alone.data_vars:
            assert together[name].values[2 * i].tobytes() == alone[name].values.tobytes(), name


def test_paired_contrast():
    one = run_block([COUNTS, replace(COUNTS, trials=30)], range(800), seed=1)
    gain = paired_contrast(
        one.measures, one.status, reference=one.measures[0], reference_status=one.status[0]
    )
    x = one.measures[:, :, column("overlap_top")]
    assert gain.overlap_top.values == pytest.approx([0, (x[1] - x[0]).mean()])
    error = (x[1] - x[0]).std(ddof=1) / np.sqrt(800)
    assert gain.overlap_top_mcse.values == pytest.approx([0, error])
    apart = summarise(one.measures, one.status)
    unpaired = np.hypot(*apart.overlap_top_mcse.values)
    assert error < 0.9 * unpaired
    rmse = (apart.rmse[1] - apart.rmse[0]).item()
    assert gain.rmse.values[1] == pytest.approx(rmse)
    status = one.status.copy()
    status[0, :100], status[1, 50:150] = 4, 3
    lost = paired_contrast(
        one.measures[1], status[1], reference=one.measures[0], reference_status=status[0]
    )
    assert int(lost.n_ok) == 650
    assert float(lost.overlap_top) == pytest.approx((x[1] - x[0])[150:].mean())


def test_paired_errors_are_right():
    runs = [
        run_block([COUNTS, replace(COUNTS, trials=30)], range(100), seed=seed)
        for seed in range(200)
    ]
    first, second = (np.stack([run.measures[i] for run in runs]) for i in (0, 1))
    status = np.ones(first.shape[:2], dtype=np.uint8)
    gain = paired_contrast(second, status, reference=first, reference_status=status)
    for name in ("pcs_top", "overlap_top", "regret_top", "rmse", "contrast_retained"):
        ratio = float(gain[name].std(ddof=1) / gain[f"{name}_mcse"].mean())
        assert 0.8 <= ratio <= 1.2, (name, ratio)


def test_shapes_that_do_not_fit(block):
    with pytest.raises(InputError, match="measures must be"):
        summarise(block.measures[0][:, :3], block.status[0])
    with pytest.raises(InputError, match="measures must be"):
        summarise(block.measures[0], block.status[0][:5])
    with pytest.raises(InputError, match="do not pair"):
        paired_contrast(
            block.measures[0][:10], block.status[0][:10],
            reference=block.measures[0], reference_status=block.status[0],
        )  # fmt: skip


@pytest.mark.parametrize("slab", [1, 37, 200])
def test_slabs_give_what_all_at_once_gives(monkeypatch, slab):
    scenarios = [Scenario(trials=10, missing=0.4, indicators=2), Scenario(trials=30)]
    block = run_block(scenarios, range(200), seed=5)
    assert (block.status == 4).any()
    whole = summarise(block.measures, block.status)
    contrast = paired_contrast(
        block.measures[1:], block.status[1:],
        reference=block.measures[0], reference_status=block.status[0],
    )  # fmt: skip
    monkeypatch.setattr(slabs_module, "SLAB", slab)
    # sums of 200 numbers in another order
    xr.testing.assert_allclose(summarise(block.measures, block.status), whole, rtol=1e-12)
    in_slabs = paired_contrast(
        block.measures[1:], block.status[1:],
        reference=block.measures[0], reference_status=block.status[0],
    )  # fmt: skip
    xr.testing.assert_allclose(in_slabs, contrast, rtol=1e-12)


def test_no_more_than_a_slab_is_read_at_a_time():
    asked = []

    def read(start, stop):
        asked.append((start, stop))
        return np.full((1, stop - start, len(COLUMNS)), np.nan), np.ones((1, stop - start))

    summary = summarise_slabs(read, 10_000)
    assert asked == 2 * [(0, 4000), (4000, 8000), (8000, 10_000)]
    assert int(summary.n_ok[0]) == 10_000


def test_slabs_of_the_wrong_shape_are_refused():
    with pytest.raises(InputError, match="measures must be"):
        summarise_slabs(lambda start, stop: (np.ones((1, 3, 2)), np.ones((1, 3))), 3)
