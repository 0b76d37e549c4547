"""A study survives files and JSON."""

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
    assert one.data["facility"].dtype == other.data["facility"].dtype
    for name in Study.__dataclass_fields__:
        if name != "data":
            assert getattr(one, name) == getattr(other, name), name
    assert one.assumptions == other.assumptions


@pytest.mark.parametrize("engine", ["h5netcdf", "memory"])
def test_round_trip(table: pd.DataFrame, tmp_path: Path, engine: str) -> None:
    studies = [
        full_study(table),
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
