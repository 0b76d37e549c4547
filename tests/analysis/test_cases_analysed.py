"""Tables as people have them, from the file to the answer: what an analysis of each must say."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import pdsim
from pdsim.analysis import Analysis
from pdsim.scoring import normalise, observed_levels
from pdsim.study import SamplerSettings, Study, StudyOptions, read_study

CASES = Path(__file__).parents[1] / "cases"

# few cells may fail a gate, which labels the numbers; a library of the engine raises the limit of
# recursion
pytestmark = [
    pytest.mark.filterwarnings("ignore::pdsim.errors.PdsimWarning"),
    pytest.mark.filterwarnings("ignore:The recursion limit"),
]


def analysed(path: Path, **options: object) -> tuple[Study, Analysis]:
    sampler = SamplerSettings(engine="laplace")
    study = read_study(path, options=StudyOptions(sampler=sampler, **options))
    return study, pdsim.analyse(study)


def improvement(result: Analysis) -> xr.Dataset:
    table = result.results["improvement"].to_dataset()
    return table.isel(estimand=0) if "estimand" in table.dims else table


@pytest.mark.slow
@pytest.mark.parametrize(("file", "lost"), [("drop.csv", "D"), ("new.csv", "E")])
def test_a_unit_that_is_seen_in_one_round_is_ranked_with_a_wider_interval(
    file: str, lost: str
) -> None:
    study, result = analysed(CASES / "lost_unit" / file)
    table = improvement(result)
    assert set(table["facility"].to_numpy()) == set(study.data["facility"].to_numpy())
    low, high = (table["interval"].isel(ci_bound=k) for k in (0, 1))
    width = high - low
    assert bool(np.isfinite(width).all())
    assert np.isnan(float(table["observed"].sel(facility=lost)))
    assert float(width.sel(facility=lost)) > float(width.drop_sel(facility=lost).max())


@pytest.mark.slow
def test_a_domain_without_weight_is_left_out_with_a_note() -> None:
    study, result = analysed(CASES / "zero_weight_domain" / "study.toml")
    assert "weigh 0: 'B'" in " ".join(study.assumptions)
    assert "domains" not in result.results.children
    assert set(improvement(result)["facility"].to_numpy()) == set(study.data["facility"].to_numpy())


def test_min_max_where_lower_is_better() -> None:
    # by hand: the goalposts are the smallest and the largest of the six
    study = read_study(
        CASES / "minmax_lower" / "scores.csv",
        options=StudyOptions(
            periods=("2015", "2022"),
            indicators=str(CASES / "minmax_lower" / "ind.csv"),
        ),
    )
    scaled = 100 * normalise(observed_levels(study), "min_max")
    found = scaled.transpose("facility", "indicator", "period").to_numpy().ravel()
    expected = [91.278, 100.0, 0.0, 5.354, 27.236, 52.455]
    np.testing.assert_allclose(found, expected, atol=5e-4)


@pytest.mark.filterwarnings("error")
def test_an_indicator_that_is_seen_whole_in_no_facility_has_no_place_on_a_scale() -> None:
    level = observed_levels(read_study(CASES / "lost_unit" / "ind.csv"))
    empty = level.where(level["indicator"] != "briefing")
    for method in ("pp", "z", "min_max", "rank"):
        scaled = normalise(empty, method)
        assert bool(scaled.sel(indicator="briefing").isnull().all())
        assert bool(scaled.sel(indicator="checklist").notnull().all())
