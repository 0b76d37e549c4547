"""Arms, strata and covariates: where they are read, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from pdsim.errors import InputError
from pdsim.model.data import model_data
from pdsim.study import Study, StudyOptions, read_study, study_from_dataset, study_to_dataset

ARMS = ("programme", "control", "programme", "control", "programme", "control")


@pytest.fixture
def armed(table):
    """The table of six facilities with arm, stratum and beds in every row."""
    place = table["facility"].str[1:].astype(int)
    return table.assign(
        arm=np.array(ARMS)[place], stratum=np.where(place < 3, "small", "large"), beds=10.0 * place
    )


def refusal(table, **options):
    with pytest.raises(InputError) as caught:
        Study.from_long(table, options=StudyOptions(**options))
    return str(caught.value)


def test_columns_of_the_table(armed):
    study = Study.from_long(armed, options=StudyOptions(covariates=("beds",)))
    assert study.data["arm"].to_numpy().tolist() == list(ARMS)
    assert study.data["stratum"].to_numpy().tolist() == ["small"] * 3 + ["large"] * 3
    assert study.covariates.to_numpy().ravel().tolist() == [0, 10, 20, 30, 40, 50]
    assert study.m == 1  # of three facilities that are ranked
    assert study.programme.data["facility"].to_numpy().tolist() == ["F0", "F2", "F4"]
    data = model_data(study)
    assert data.arm.tolist() == [1, 0, 1, 0, 1, 0]
    assert data.covariates.mean() == pytest.approx(0)
    assert data.covariates.std(ddof=1) == pytest.approx(1)


def test_a_table_of_facilities_of_its_own(table, armed):
    about = armed[["facility", "arm", "stratum", "beds"]].drop_duplicates()[::-1]
    options = StudyOptions(covariates=("beds",))
    apart = Study.from_long(table, facilities=about, options=options)
    assert apart.data.identical(Study.from_long(armed, options=options).data)


@pytest.mark.parametrize("layout", ["long", "wide", "cases"])
def test_every_layout_of_a_file(tmp_path, layout):
    facilities = "facility;arm;beds\n" + "".join(
        f"F{i};{'SSP' if i % 2 else 'comparison'};{i}\n" for i in range(6)
    )
    (tmp_path / "facilities.csv").write_text(facilities)
    rows = {
        "long": ["facility,indicator,period,successes,trials"]
        + [f"F{i},x,{p},{3 + i},20" for i in range(6) for p in ("baseline", "endline")],
        "wide": ["facility,successes_baseline,successes_endline,trials,indicator"]
        + [f"F{i},{3 + i},{3 + i},20,x" for i in range(6)],
        "cases": ["facility,period,x"]
        + [
            f"F{i},{p},{int(c < 3 + i)}"
            for i in range(6)
            for p in ("baseline", "endline")
            for c in range(20)
        ],
    }[layout]
    (tmp_path / "table.csv").write_text("\n".join(rows))
    (tmp_path / "study.toml").write_text(
        'data = "table.csv"\nfacilities = "facilities.csv"\ncovariates = ["beds"]\n'
        + ('format = "cases"\n' if layout == "cases" else "")
    )
    study = read_study(tmp_path)
    assert study.data["arm"].to_numpy().tolist() == ["control", "programme"] * 3
    assert study.covariates.to_numpy().ravel().tolist() == list(range(6))
    assert study.data["successes"].to_numpy()[:, 0, 0].tolist() == [3 + i for i in range(6)]


def test_a_wide_table_that_holds_them_itself(tmp_path):
    rows = ["facility,arm,beds,baseline_percent,endline_percent"]
    rows += [f"F{i},{'yes' if i % 2 else 'no'},{i},{20 + i},{40 + i}" for i in range(6)]
    (tmp_path / "table.csv").write_text("\n".join(rows))
    study = read_study(
        tmp_path / "table.csv",
        options=StudyOptions(trials=20, case_correlation=0.1, covariates=("beds",)),
    )
    assert study.data["arm"].to_numpy().tolist() == ["control", "programme"] * 3
    assert study.data.sizes["indicator"] == 1


def test_the_label_of_the_control_arm_can_be_stated(armed):
    named = armed.assign(arm=armed["arm"].map({"programme": "2019", "control": "2021"}))
    assert "which of them is the control arm is not known" in refusal(named)
    study = Study.from_long(named, options=StudyOptions(control="2021"))
    assert study.data["arm"].to_numpy().tolist() == list(ARMS)


def test_staggered_starts_are_refused_and_the_right_tool_is_named(armed):
    by_period = armed.assign(arm=np.where(armed["period"] == "baseline", "control", armed["arm"]))
    said = refusal(by_period)
    assert "the facility has two arms" in said
    assert "CausalPy" in said
    waves = armed.assign(arm="wave " + armed["facility"].str[1:].astype(int).mod(3).astype(str))
    assert "CausalPy" in refusal(waves)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"arm": "control"}, {}, "every facility is in the control arm"),
        ({"arm": ""}, {}, "the arm is blank"),
        ({"beds": 1.0}, {"covariates": ("beds",)}, "is the same in every facility"),
        ({}, {"covariates": ("bed",)}, "there is no column 'bed'"),
        ({"rooms": 2.0}, {"covariates": ("beds", "rooms")}, "2 covariates are too many for 6"),
    ],
)
def test_what_is_refused(armed, change, options, message):
    assert message in refusal(armed.assign(**change), **options)


def test_a_covariate_that_is_blank_or_changes(armed):
    some = armed.assign(beds=armed["beds"].where(armed["facility"] != "F2"))
    assert "is blank" in refusal(some, covariates=("beds",))
    moving = armed.assign(beds=np.arange(len(armed)))
    assert "differs from an earlier row" in refusal(moving, covariates=("beds",))


def test_controls_need_two_periods_and_two_facilities_to_rank(armed):
    assert "needs two periods" in refusal(
        armed[armed["period"] == "endline"].drop(columns="period")
    )
    few = armed.assign(arm=np.where(armed["facility"] == "F0", "programme", "control"))
    assert "there is nothing to rank" in refusal(few)


def test_a_facility_without_an_entry_is_named(table, armed):
    about = armed[["facility", "arm"]].drop_duplicates()
    with pytest.raises(InputError, match="'F3': the facility has data, but does not stand"):
        Study.from_long(table, facilities=about[about["facility"] != "F3"])


def test_a_study_survives_its_file(armed, tmp_path):
    study = Study.from_long(armed, options=StudyOptions(covariates=("beds",)))
    study_to_dataset(study).to_netcdf(tmp_path / "study.nc")
    back = study_from_dataset(xr.load_dataset(tmp_path / "study.nc"))
    assert back.data.identical(study.data)
    assert pd.Series(back.control).tolist() == [arm == "control" for arm in ARMS]
