"""The multiverse of choices, rank reversal, and the tables gathered for a report."""

import itertools

import numpy as np
import pytest
import xarray as xr

from pdsim.analysis import WeightSettings, weight_tables
from pdsim.errors import InputError
from pdsim.scoring import apply_missing_policy, score
from pdsim.terms.places import membership, places
from pdsim.weights import by_factor, multiverse, rank_reversal


def levels_of(seed, samples=20, facilities=6, indicators=4):
    rng = np.random.default_rng(seed)
    names = [f"k{k}" for k in range(indicators)]
    return xr.DataArray(
        rng.uniform(0.05, 0.95, size=(samples, facilities, indicators, 2)),
        dims=("sample", "facility", "indicator", "period"),
        coords={
            "facility": [f"f{f}" for f in range(facilities)],
            "indicator": names,
            "period": ["baseline", "endline"],
            "weight": ("indicator", np.full(indicators, 1 / indicators)),
            "domain": ("indicator", np.where(np.arange(indicators) % 2, "x", "y")),
        },
    )


def equal(levels):
    return levels["weight"].reset_coords(drop=True)


@pytest.mark.parametrize("side", ["top", "bottom"])
def test_every_row_is_the_score_it_says(side):
    levels = levels_of(0)
    table = multiverse(
        levels,
        equal(levels),
        m=2,
        side=side,
        estimands=("change", "gap_closed"),
        left_out=2,
    )
    # pp with two estimands and four other scales, geometric for three; none, one, two left out
    assert table.sizes["choice"] == (2 + 4 + 2 + 2) * (1 + 4 + 6)
    for at in (0, 7, 40, table.sizes["choice"] - 1):
        row = table.isel(choice=at)
        out = [] if row.left_out.item() == "" else row.left_out.item().split(" + ")
        own = equal(levels) * ~equal(levels)["indicator"].isin(out)
        value = score(
            levels,
            own / own.sum(),
            normalisation=row.normalisation.item(),
            aggregation=row.aggregation.item(),
            estimand=row.estimand.item(),
        )
        value = value.transpose("sample", "facility").values
        share = membership(*places(value if side == "top" else -value), 2).mean(axis=0)
        assert np.allclose(row.probability, share)
    assert np.allclose(table.selected.sum("facility"), 2)
    assert np.allclose(table.stays, table.selected.mean("choice"))
    assert bool(table.same[0])


def test_what_changes_nothing_leaves_the_set():
    levels = levels_of(1)
    best = levels.copy(deep=True)
    best[:, :2, :, 0], best[:, :2, :, 1] = 0.06, 0.94
    table = multiverse(best, equal(levels), m=2)
    assert bool(table.same.all())
    assert table.stays.values.tolist() == [1, 1, 0, 0, 0, 0]
    assert bool((by_factor(table).same == 1).all())


def test_sources_weightings_and_facilities_left_out():
    levels = levels_of(2)
    observed = levels[0].drop_vars("sample", errors="ignore").copy(deep=True)
    observed[0, 0, 0] = np.nan
    sources = {
        "model": levels,
        "available": apply_missing_policy(observed, "available"),
        "complete": apply_missing_policy(observed, "drop_facility"),
    }
    nominal = {"equal": equal(levels), "first": equal(levels) * [7, 1, 1, 1]}
    table = multiverse(
        sources, nominal, m=2, normalisations=("pp", "z"), left_out=0, facility_left_out=True
    )
    gone = table.facility_left_out.values
    for name in levels["facility"].values:
        assert np.isnan(table.probability.sel(facility=name).values[gone == name]).all()
    complete = table.isel(choice=np.flatnonzero(table.source.values == "complete"))
    assert np.isnan(complete.probability.sel(facility="f0")).all()
    assert np.allclose(table.selected.sum("facility"), 2)
    summary = by_factor(table)
    assert set(summary.factor.values) == {
        "source",
        "weighting",
        "normalisation",
        "aggregation",
        "facility_left_out",
    }
    for factor, name in zip(summary.factor.values, summary.name.values, strict=True):
        own = table[factor].values == name
        row = summary.isel(
            level=np.flatnonzero((summary.factor == factor) & (summary.name == name))
        )
        assert float(row.same[0]) == pytest.approx(table.same.values[own].mean())


def test_observed_ends_and_one_indicator_sources():
    levels = levels_of(13)
    observed = levels[0].copy(deep=True)
    observed[0, :, 0] = 0.0  # no log odds, and no ratio to its baseline
    whole = observed.isel(indicator=[0]).assign_coords(indicator=["all_or_none"])
    trials = xr.full_like(levels[0], 30.0).drop_vars(["weight", "domain"])
    less = observed.isel(indicator=[0, 1, 3], facility=[0, 1, 2, 4])
    table = multiverse(
        {"model": levels, "observed": observed, "all or none": whole, "less": less},
        equal(levels),
        m=2,
        aggregations=("arithmetic", "opportunity"),
        estimands=("change", "ratio"),
        trials=trials,
    )
    assert np.allclose(table.selected.sum("facility"), 2)
    plain = (table.source == "observed") & (table.left_out == "")
    assert "logit" in table.normalisation.values[table.source.values == "model"]
    assert "logit" not in table.normalisation.values[plain.values]
    assert "ratio" not in table.estimand.values[plain.values]
    single = table.isel(choice=np.flatnonzero(table.source.values == "all or none"))
    change = (observed[:, 0, 1] - observed[:, 0, 0]).values
    best = np.sort(np.argsort(-change)[:2])
    for row in single.selected.values[single.normalisation.values == "pp"]:
        assert np.flatnonzero(row).tolist() == best.tolist()
    # equal trials: opportunities count as the weights do
    own = table.isel(choice=np.flatnonzero((table.source == "model") & (table.left_out == "")))
    by = [
        own.isel(
            choice=np.flatnonzero(
                (own.aggregation == name).values & (own.normalisation == "pp").values
            )
        )
        for name in ("arithmetic", "opportunity")
    ]
    assert np.allclose(by[0].probability, by[1].probability)


def test_a_source_whose_indicators_weigh_nothing_is_no_choice():
    levels = levels_of(3)
    nominal = equal(levels).copy(data=[0.0, 0.0, 0.0, 1.0])
    observed = levels.isel(sample=0, indicator=[0, 1])
    table = multiverse({"model": levels, "observed": observed}, nominal, m=2)
    assert set(table.source.values.tolist()) == {"model"}


def test_rank_reversal_only_where_a_scale_looks_at_the_others():
    levels = levels_of(3, samples=30)
    answer = rank_reversal(levels, equal(levels), m=2)
    for name in ("pp", "logit"):
        assert float(answer.sel(normalisation=name).reversed_pairs.max()) == 0
        assert float(answer.sel(normalisation=name).set_reversal.max()) == 0
    assert float(answer.sel(normalisation="min_max").reversal.max()) > 0
    # by hand, for one facility left out of one sample
    f, s = 1, 4
    before = score(levels[s], equal(levels), normalisation="rank").values
    rest = [at for at in range(6) if at != f]
    after = score(levels[s, rest], equal(levels), normalisation="rank").values
    pairs = itertools.combinations(range(5), 2)
    exact = sum((before[rest[i]] - before[rest[j]]) * (after[i] - after[j]) < 0 for i, j in pairs)
    one = rank_reversal(levels[[s]], equal(levels), m=2, normalisations=("rank",))
    assert float(one.reversed_pairs[0, f]) == exact


def test_choices_that_do_not_fit_are_refused():
    levels = levels_of(4)
    with pytest.raises(InputError):
        multiverse(levels, equal(levels), m=2, left_out=3)
    with pytest.raises(InputError):
        multiverse(levels, equal(levels), m=2, normalisations=("z",), aggregations=("geometric",))
    with pytest.raises(InputError, match="no weight"):
        multiverse(levels, equal(levels)[:2], m=2)


@pytest.mark.parametrize(
    ("facilities", "indicators", "periods"), [(5, 4, 2), (35, 3, 2), (4, 1, 2), (5, 3, 1)]
)
def test_all_tables_of_a_report(tmp_path, facilities, indicators, periods):
    levels = levels_of(5, samples=30, facilities=facilities, indicators=indicators)
    levels = levels.isel(period=slice(2 - periods, None))
    few = WeightSettings(draws=30, weight_draws=40, grid_draws=16)
    tables = weight_tables(levels, m=2, settings=few)
    assert all(name.startswith("weights_") for name in tables)
    for side in ("top", "bottom"):
        assert {
            f"weights_{kind}_{side}" for kind in ("sets", "flip", "multiverse", "factors")
        } <= set(tables)
        shares = tables[f"weights_decomposition_{side}"].share
        assert np.allclose(shares.sum("component", skipna=False).dropna("outcome"), 1)
    assert ("weights_bounds" in tables) == (facilities <= 30)
    assert ("weights_sweep_top_0" in tables) == (indicators > 1)
    assert np.allclose(tables["weights_acceptability"].top_acceptability.sum("facility"), 2)
    for name, table in tables.items():
        table.to_netcdf(tmp_path / f"{name}.nc", engine="h5netcdf")
    if indicators == 1:
        again = weight_tables(levels, m=2, settings=few)
        assert all(tables[name].identical(again[name]) for name in tables)


def test_settings_are_checked():
    with pytest.raises(ValueError, match="at least 8"):
        WeightSettings(draws=2)
    with pytest.raises(InputError, match="no weights"):
        weight_tables(levels_of(6).drop_vars("weight"))
