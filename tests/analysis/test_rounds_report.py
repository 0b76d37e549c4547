"""The section on rounds: its probabilities are those of the rounds fitted one by one."""

import numpy as np
import pytest

import pdsim
from pdsim.analysis.round_fits import round_tables
from pdsim.simulation import Scenario
from pdsim.study import Study, StudyOptions


@pytest.fixture(scope="module")
def study():
    rounds = {}
    for year in ("2020", "2021", "2022"):
        scenario = Scenario(facilities=6, trials=30, m=2, sd_baseline_facility=1.0)
        data = pdsim.simulate(scenario, seed=3)[1].data
        at = "baseline" if year == "2020" else "endline"
        rounds[year] = data.sel(period=at).successes.values[:, 0]
    rows = [
        (f"F{f}", year, int(count), 30)
        for year, counts in rounds.items()
        for f, count in enumerate(counts)
    ]
    names = ("facility", "period", "successes", "trials")
    table = dict(zip(names, zip(*rows, strict=True), strict=True)) | {
        "indicator": ["a"] * len(rows)
    }
    options = StudyOptions(periods=("2020", "2021", "2022"), m=2)
    return Study.from_long({k: list(v) for k, v in table.items()}, options=options)


def test_the_report_says_how_steady(study, tmp_path):
    result = pdsim.analyse(study, out=tmp_path / "out", engine="laplace", seed=1, formats=("md",))
    text = (tmp_path / "out" / "report.md").read_text()
    assert "Steady over the rounds?" in text
    assert "From 2020 to 2021" in text
    assert "A run chart needs ten values" in text
    steady = result.results["steadiness_top"].to_dataset()
    np.testing.assert_allclose(steady.end_probability.sum("facility"), 2, atol=1e-9)
    # the same counts in two rounds: the same probabilities, but draws of their own
    same = steady.end_probability.sel(round=["2021", "2022"]).values
    error = steady.end_probability_mcse.sel(round=["2021", "2022"]).values
    assert (abs(same[0] - same[1]) < 4 * np.hypot(*error)).all()
    assert steady.observed_overlap.values[1] == 1
    by_products = (same[0] * same[1]).sum() / 2
    of_products = np.hypot(same[0] * error[1], same[1] * error[0]).sum() / 2
    slack = 4 * (of_products + float(steady.overlap_mcse[1]))
    assert float(steady.overlap[1]) == pytest.approx(by_products, abs=slack)
    assert float(steady.by_noise[1]) > 2 / 6


def test_a_round_is_fitted_as_a_study_of_its_own(study):
    single = Study(
        data=study.rounds.isel(round=[2]).rename(round="period").assign_coords(period=["endline"]),
        options=StudyOptions(m=2),
    )
    score = pdsim.composite(pdsim.fit(single, engine="laplace", seed=5))
    found = round_tables(study, seed=5)["steadiness_top"].sel(round="2022")
    alone = pdsim.top_probability(score, m=2)
    error = np.hypot(found.end_probability_mcse, alone.top_probability_mcse)
    assert (abs(found.end_probability - alone.top_probability) < 4 * error).all()


def test_a_facility_without_a_round_is_left_out_and_named(study):
    data = study.rounds.copy(deep=True)
    data.trials[0, :, 1] = data.successes[0, :, 1] = 0
    gap = Study(data=study.data, options=study.options, rounds=data)
    tables = round_tables(gap, seed=1)
    assert tables["steadiness_top"]["facility"].values.tolist() == ["F1", "F2", "F3", "F4", "F5"]
    assert tables["rounds"].attrs["left_out"] == '["F0"]'


def test_two_periods_have_no_rounds(study):
    assert round_tables(Study(data=study.data), seed=1) == {}
