"""A study survives files and JSON."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from pdsim.errors import InputError
from pdsim.priors import MeanPrior, Priors, ScalePrior
from pdsim.study import (
    SamplerSettings,
    Study,
    StudyOptions,
    load_example,
    study_from_dataset,
    study_to_dataset,
)
from pdsim.study.correlation import CaseCorrelation


def study_of_rounds() -> Study:
    rng = np.random.default_rng(1)
    years = ("2019", "2020", "2021", "2022")
    size = 5 * 2 * len(years)
    table = pd.DataFrame({
        "facility": np.repeat(["A", "B", "C", "D", "E"], 2 * len(years)),
        "indicator": np.tile(np.repeat(["x", "y"], len(years)), 5),
        "period": np.tile(years, 10),
        "successes": rng.integers(0, 20, size),
        "trials": 20,
        "tier": "high",
    }).drop(index=[3, 17])  # fmt: skip
    windows = {"baseline": ("2019", "2020"), "endline": ("2022",)}
    return Study.from_long(
        table,
        facilities={"facility": list("ABCDE"), "stratum": list("uuvvv")},
        options=StudyOptions(periods=years, windows=windows),
    )


def full_study(table: pd.DataFrame) -> Study:
    hostile = ["=1+1", "<b>", "[red]", "مستشفى", "a'b\"c", "{0}"]
    indicators = {"indicator": ["K0", "K1"], "case_group": ["", ""], "label": ["", "é"]}
    return Study.from_long(
        table.assign(facility=np.repeat(hostile, 4), tier="high"),
        indicators=indicators,
        options=StudyOptions(
            name="ünïcode",
            m=2,
            case_correlation=0.1,
            design_effect=1.5,
            priors=Priors(
                alpha=MeanPrior(mean_sd=1000.0, sd=0.001),
                sd_change_facility=ScalePrior(family="half_t", df=3.0, scale=0.5),
            ),
            sampler=SamplerSettings(engine="laplace", seed=0),
            notes=("one", "two"),
            suppress_below=5,
        ),
    )


def assert_same(one: Study, other: Study) -> None:
    xr.testing.assert_identical(one.data, other.data)
    assert (one.rounds is None) == (other.rounds is None)
    if one.rounds is not None:
        xr.testing.assert_identical(one.rounds, other.rounds)
        assert one.rounds["round"].dtype == other.rounds["round"].dtype
    assert one.data["facility"].dtype == other.data["facility"].dtype
    for name in Study.__dataclass_fields__:
        if name not in ("data", "rounds"):
            assert getattr(one, name) == getattr(other, name), name
    assert one.assumptions == other.assumptions


@pytest.mark.parametrize("engine", ["h5netcdf", "memory"])
def test_round_trip(table: pd.DataFrame, tmp_path: Path, engine: str) -> None:
    studies = [
        full_study(table),
        study_of_rounds(),
        load_example("surgical"),
        load_example("safe_surgery_like"),
        load_example("lake_zone", trials=20, case_correlation=0.1),
    ]
    for k, study in enumerate(studies):
        dataset = study_to_dataset(study)
        if engine == "h5netcdf":
            path = tmp_path / f"{k}.nc"
            dataset.to_netcdf(path, engine="h5netcdf")
            with xr.open_dataset(path, engine="h5netcdf") as opened:
                dataset = opened.load()
        assert_same(study_from_dataset(dataset), study)


def test_round_trip_of_scores_with_missing_cells_and_limits(table: pd.DataFrame) -> None:
    scores = table.rename(columns={"successes": "mean", "trials": "se"}).drop(index=3)
    study = Study.from_long(scores)
    assert_same(study_from_dataset(study_to_dataset(study)), study)
    estimated = Study(
        data=full_study(table).data,
        estimated=CaseCorrelation(estimate=0.1, limits=(0.05, 0.2)),
    )
    assert_same(study_from_dataset(study_to_dataset(estimated)), estimated)


def test_other_variables_are_ignored(table: pd.DataFrame) -> None:
    study = full_study(table)
    dataset = study_to_dataset(study).assign(m=3, other=("draw", [1.0, 2.0]))
    assert_same(study_from_dataset(dataset.assign_coords(chain=0)), study)


@pytest.mark.parametrize("dataset", [xr.Dataset(), xr.Dataset(attrs={"study": "no JSON"})])
def test_other_datasets_are_refused(dataset: xr.Dataset) -> None:
    with pytest.raises(InputError, match="holds no study"):
        study_from_dataset(dataset)


def test_rounds_of_a_part_are_those_of_the_part() -> None:
    study = study_of_rounds()
    part = replace(study, data=study.data.isel(facility=[0, 3]))
    again = study_from_dataset(study_to_dataset(part))
    xr.testing.assert_identical(again.data, part.data)
    assert again.rounds is not None
    assert study.rounds is not None
    xr.testing.assert_identical(again.rounds, study.rounds.isel(facility=[0, 3]))
