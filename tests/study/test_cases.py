"""Cases become counts and a within-case correlation."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from pdsim.study import Columns, Study, StudyOptions, read_study
from pdsim.study.caselevel import observed_from_cases
from pdsim.study.clustering import estimate_clustering
from pdsim.study.core import study_of
from pdsim.study.correlation import estimate_case_correlation
from pdsim.study.frames import frame_of
from pdsim.study.netcdf import study_from_dataset, study_to_dataset
from pdsim.study.problems import Findings


def simulated(
    rng: np.random.Generator,
    *,
    facilities: int,
    cases: int,
    p: np.ndarray,
    r: float,
    scored: float = 1.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw cases whose items copy a common coin: for equal p the correlation is exactly r."""
    size = 2 * facilities * cases
    facility = np.repeat(np.arange(facilities), 2 * cases)
    period = np.tile(np.repeat([0, 1], cases), facilities)
    probability = p[facility, period][:, None]
    coin = rng.random((size, 1)) < probability
    copies = rng.random((size, 5)) < np.sqrt(r)
    met = np.where(copies, coin, rng.random((size, 5)) < probability).astype(float)
    met[rng.random(met.shape) > scored] = np.nan
    return met, facility, period


def all_pairs(size: int) -> np.ndarray:
    return ~np.eye(size, dtype=bool)


def test_one_facility_pair_is_the_plain_correlation() -> None:
    rng = np.random.default_rng(3)
    scores = (rng.random((50, 2)) < [[0.4, 0.7]]).astype(float)
    scores[:20, 1] = scores[:20, 0]
    zeros = np.zeros(50, dtype=np.int64)
    result = estimate_case_correlation(scores, zeros, zeros, all_pairs(2))
    assert result.estimate == pytest.approx(np.corrcoef(scores.T)[0, 1], abs=1e-12)


def test_formula_by_hand() -> None:
    """Two facilities, one period, indicators with pooled variances and summed covariances."""
    first = np.array([[1, 1], [1, 0], [0, 0], [1, 1]], dtype=float)
    second = np.array([[0, 0], [0, 1], [0, np.nan]], dtype=float)
    scores = np.vstack([first, second])
    facility = np.array([0, 0, 0, 0, 1, 1, 1])
    zeros = np.zeros(7, dtype=np.int64)
    # sums of cross products: 0.5 in the first, 0 in the second; degrees of freedom 3 and 1
    # variances: indicator 1 (0.75 + 0) / (3 + 2), indicator 2 (1 + 0.5) / (3 + 1)
    expected = 0.5 / ((3 + 1) * np.sqrt(0.15 * 0.375))
    result = estimate_case_correlation(scores, facility, zeros, all_pairs(2))
    assert result.estimate == pytest.approx(expected, rel=1e-12)
    # without the first facility nothing varies in the first indicator
    assert np.isnan(result.limits).all()


def test_jackknife_limits_by_brute_force() -> None:
    rng = np.random.default_rng(5)
    p = rng.uniform(0.2, 0.8, (6, 2))
    scores, facility, period = simulated(rng, facilities=6, cases=9, p=p, r=0.3, scored=0.8)
    result = estimate_case_correlation(scores, facility, period, all_pairs(5))
    without = np.array(
        [
            estimate_case_correlation(
                scores[facility != i],
                np.unique(facility[facility != i], return_inverse=True)[1],
                period[facility != i],
                all_pairs(5),
            ).estimate
            for i in range(6)
        ]
    )
    error = np.sqrt(5 / 6 * ((without - without.mean()) ** 2).sum())
    reach = stats.t.ppf(0.975, 5) * error
    np.testing.assert_allclose(
        result.limits, [result.estimate - reach, result.estimate + reach], rtol=1e-10
    )


@pytest.mark.parametrize("r", [0.0, 0.1, 0.4])
@pytest.mark.parametrize("scored", [1.0, 0.6])
def test_estimate_is_right_on_average_and_limits_cover(r: float, scored: float) -> None:
    """Few cases, facilities at 5 % to 95 %: neither their differences nor sparse cells bias."""
    rng = np.random.default_rng(11)
    sets = 200
    estimates, covered = np.empty(sets), 0
    p = np.tile(np.linspace(0.05, 0.95, 10)[:, None], (1, 2))
    # for equal p of all items the estimand is r exactly, whatever the weights of facilities
    for k in range(sets):
        scores, facility, period = simulated(rng, facilities=10, cases=8, p=p, r=r, scored=scored)
        result = estimate_case_correlation(scores, facility, period, all_pairs(5))
        estimates[k] = result.estimate
        covered += result.limits[0] <= r <= result.limits[1]
    error = estimates.std(ddof=1) / np.sqrt(sets)
    assert abs(estimates.mean() - r) < 3.5 * error
    assert covered / sets > 0.95 - 3.5 * np.sqrt(0.95 * 0.05 / sets)


def test_indicators_of_other_case_groups_are_left_out() -> None:
    rng = np.random.default_rng(2)
    scores = (rng.random((60, 1)) < 0.5) * np.ones((1, 3))
    scores[:, 2] = rng.random(60) < 0.5
    zeros = np.zeros(60, dtype=np.int64)
    pairs = np.zeros((3, 3), dtype=bool)
    pairs[0, 1] = pairs[1, 0] = True
    assert estimate_case_correlation(scores, zeros, zeros, pairs).estimate == pytest.approx(1)


def cases_table(r: float, *, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    scores, facility, period = simulated(
        rng, facilities=8, cases=15, p=np.full((8, 2), 0.4), r=r, scored=0.9
    )
    table = pd.DataFrame(scores, columns=[f"K{k}" for k in range(5)])
    table.insert(0, "period", np.array(["before", "after"])[period])
    table.insert(0, "facility", [f"0{i}" for i in facility])
    table.insert(2, "case", np.arange(len(table)))
    return table


def write(table: pd.DataFrame, folder: Path, **options: object) -> Study:
    path = folder / "cases.csv"
    table.to_csv(path, index=False)
    stated = {"format": "cases", "ignore": ("case",), "periods": ("before", "after")}
    return read_study(path, options=StudyOptions(**stated, **options))


def test_cases_give_the_counts_of_the_long_table(tmp_path: Path) -> None:
    table = cases_table(0.3)
    study = write(table, tmp_path)
    long = table.drop(columns="case").melt(["facility", "period"], var_name="indicator").dropna()
    counts = (
        long.groupby(["facility", "indicator", "period"], sort=False)["value"]
        .agg(["sum", "count"])
        .reset_index()
        .rename(columns={"sum": "successes", "count": "trials"})
    )
    expected = Study.from_long(counts, options=StudyOptions(periods=["before", "after"]))
    xr.testing.assert_identical(study.data, expected.data)
    assert study.case_correlation_source == "estimated"
    assert study.estimated is not None
    low, high = study.estimated.limits
    assert study.case_correlation is not None
    assert 0 <= low < study.case_correlation < high <= 0.9
    assert f"{study.case_correlation:.3f} (95 % jackknife limits" in " ".join(study.assumptions)


def test_order_of_cases_does_not_matter(tmp_path: Path) -> None:
    table = cases_table(0.3)
    study = write(table, tmp_path)
    mixed = write(table.sample(frac=1, random_state=1), tmp_path)
    assert mixed.case_correlation == pytest.approx(study.case_correlation, rel=1e-12)
    labels = {name: study.data[name] for name in ("facility", "indicator")}
    xr.testing.assert_equal(mixed.data.sel(labels), study.data)


def test_negative_estimates_are_truncated_and_said_so(tmp_path: Path) -> None:
    table = cases_table(0.0)
    table["K1"] = 1 - table["K0"]
    study = write(table[["facility", "period", "case", "K0", "K1"]], tmp_path)
    assert study.case_correlation == 0.0
    assert study.estimated is not None
    assert study.estimated.limits == (0.0, 0.0)
    assert any("-1.000 (-1.000 to -1.000), is truncated" in note for note in study.notes)


def test_estimates_above_the_range_are_truncated(tmp_path: Path) -> None:
    table = cases_table(0.0)
    table["K1"] = table["K0"]
    study = write(table[["facility", "period", "case", "K0", "K1"]], tmp_path)
    assert study.case_correlation == 0.9


def test_stated_correlation_wins_and_the_estimate_is_told(tmp_path: Path) -> None:
    study = write(cases_table(0.3), tmp_path, case_correlation=0.05)
    assert (study.case_correlation, study.case_correlation_source) == (0.05, "stated")
    assert any("The cases themselves give" in note for note in study.notes)


def test_cases_without_variation_leave_the_correlation_unset(tmp_path: Path) -> None:
    table = cases_table(0.0)
    table[["K0", "K1", "K2", "K3", "K4"]] = 1
    study = write(table, tmp_path)
    assert study.case_correlation is None
    assert any("do not tell the within-case correlation" in note for note in study.notes)


def test_words_for_met_and_an_indicator_table(tmp_path: Path) -> None:
    path, indicators = tmp_path / "cases.csv", tmp_path / "indicators.csv"
    path.write_text(
        "Site;when;operation;hand;team\n"
        "A;baseline;hernia;Yes;0\nA;endline;hernia;no;\nB;baseline;caesarean;TRUE;1\n"
        "B;endline;caesarean;false;NA\nB;endline;caesarean;1.0;1\n"
    )
    indicators.write_text("indicator,case_group\nteam,\nhand,\n")
    study = read_study(
        path,
        options=StudyOptions(
            format="cases",
            indicators=str(indicators),
            columns={"facility": "Site", "period": "when"},
        ),
    )
    data = study.data
    assert data["indicator"].to_numpy().tolist() == ["team", "hand"]
    assert data["successes"].to_numpy().tolist() == [[[0, 0], [1, 0]], [[1, 1], [1, 1]]]
    assert data["trials"].to_numpy().tolist() == [[[1, 0], [1, 1]], [[1, 1], [1, 2]]]
    assert study.case_correlation is None
    assert not study.shares_cases


def test_one_period_of_cases(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    cases_table(0.3).drop(columns=["period", "case"]).to_csv(path, index=False)
    study = read_study(path, options=StudyOptions(format="cases"))
    assert study.data.sizes["period"] == 1
    assert study.case_correlation is not None


def visited(
    rng: np.random.Generator, *, own: float, shift: float, facilities: int = 60
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw cases of four visits of five: beta-distributed by visit and indicator, and shifted."""
    place = np.indices((facilities, 2, 4, 5)).reshape(4, -1)
    base = rng.normal(0.3, 0.5, (facilities, 2, 1, 6)) + rng.normal(0, 0.6, 6)
    moved = base + shift * rng.standard_normal((facilities, 2, 4, 1))
    chance = np.broadcast_to(1 / (1 + np.exp(-moved)), (facilities, 2, 4, 6))
    if own > 0:
        size = 1 / own - 1
        chance = rng.beta(chance * size, (1 - chance) * size)
    scores = rng.random((len(place[0]), 6)) < chance[place[0], place[1], place[2]]
    return scores.astype(float), place[0], place[1], place[2]


@pytest.mark.parametrize(("own", "shift"), [(0.0, 0.0), (0.1, 0.0), (0.0, 0.4), (0.1, 0.4)])
def test_visits_give_back_what_they_were_made_of(own: float, shift: float) -> None:
    rng = np.random.default_rng(4)
    sets = [visited(rng, own=own, shift=shift) for _ in range(12)]
    found = [estimate_clustering(*one, all_pairs(6)) for one in sets]
    rho = np.array([one.correlation for one in found if one])
    variance = np.array([(one.shift_sd or 0.0) ** 2 for one in found if one])
    # 4 standard errors of a mean of 12; estimates are cut off at 0, and the shift is turned from
    # the scale of proportions by a series that is right to a few in a hundred
    error = 4 * rho.std(ddof=1) / np.sqrt(12)
    assert abs(rho.mean() - own) < error + 0.003
    error = 4 * variance.std(ddof=1) / np.sqrt(12)
    assert abs(variance.mean() - shift**2) < error + 0.1 * shift**2 + 0.003


def test_between_and_within_by_hand() -> None:
    """One indicator, two visits of two cases: all met on the first, none on the second."""
    scores = np.array([[1.0], [1.0], [0.0], [0.0]] * 2)
    facility, visit = np.repeat([0, 1], 4), np.array([0, 0, 1, 1] * 2)
    found = estimate_clustering(scores, facility, 0 * facility, visit, np.eye(1) > 1)
    # between 1, within 0; weight 4 - 8 / 4 = 2; spread 1 / 3: 1 / (2 / 3) = 1.5, cut off at 0.9
    assert found is not None
    assert found.correlation == 0.9
    assert found.shift_sd is None


def test_one_visit_tells_nothing() -> None:
    scores, facility, period, visit = visited(np.random.default_rng(1), own=0.1, shift=0.0)
    assert estimate_clustering(scores, facility, period, 0 * visit, all_pairs(6)) is None
    alone = np.arange(len(visit))
    assert estimate_clustering(scores, facility, period, alone, all_pairs(6)) is None


def visit_table(name: str = "visit", **options: object) -> Study:
    scores, facility, period, visit = visited(np.random.default_rng(2), own=0.1, shift=0.4)
    table = pd.DataFrame(scores.astype(int), columns=[f"i{k}" for k in range(6)])
    table["hospital"] = [f"f{i}" for i in facility]
    table["period"] = np.array(["baseline", "endline"])[period]
    table[name] = [f"2021-0{v + 1}-01" for v in visit]
    given = StudyOptions(format="cases", columns=Columns(facility="hospital"), **options)
    found = Findings()
    return study_of(observed_from_cases(frame_of(table), None, given, found), given, found)


@pytest.mark.parametrize("name", ["visit", "day"])
def test_visits_enter_a_study(name: str) -> None:
    study = visit_table(name)
    assert study.data["indicator"].to_numpy().tolist() == [f"i{k}" for k in range(6)]
    assert (study.data["visits"] == 4.0).all()
    assert study.clustering is not None
    assert study.design_effect_source == "estimated"
    # visits of five
    inflation = 1 + 4 * study.clustering.correlation
    expected = study.data["trials"] / inflation
    np.testing.assert_allclose(study.effective_data()["trials"], expected)
    assert 1.2 < study.average_design_effect < 2.2
    assert f"{study.clustering.correlation:.3f}" in " ".join(study.assumptions)
    assert study_from_dataset(study_to_dataset(study)).clustering == study.clustering


def test_a_stated_design_effect_stands_for_all_clustering() -> None:
    study = visit_table(design_effect=1.5)
    assert (study.visit_sd, study.average_design_effect) == (0.0, 1.5)
    assert "a design effect is stated" in " ".join(study.assumptions)
    shifted = visit_table(visit_sd=0.2)
    assert shifted.visit_sd == 0.2


def test_unequal_visits_average_less() -> None:
    table = pd.DataFrame(
        {
            "facility": ["A"] * 10 + ["B"] * 10,
            "period": "endline",
            "visit": [1] * 6 + [2] * 2 + [""] * 2 + [1] * 5 + [2] * 5,
            "one": [1, 0] * 10,
        }
    )
    options, found = StudyOptions(format="cases", periods=("endline",)), Findings()
    study = study_of(observed_from_cases(frame_of(table), None, options, found), options, found)
    # 10^2 / (36 + 4 + 1 + 1) and 10^2 / 50
    assert study.data["visits"].to_numpy().ravel() == pytest.approx([100 / 42, 2.0])
    assert "2 of 20 cases have no visit" in " ".join(study.notes)
