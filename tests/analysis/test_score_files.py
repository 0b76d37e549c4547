"""Files of scores made elsewhere: every header that is known, and what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from pdsim.analysis.rank_scores import rank_results
from pdsim.analysis.score_columns import ScoreOptions
from pdsim.analysis.score_files import read_scores
from pdsim.errors import InputError
from pdsim.ranking import Marginals, Score
from pdsim.reports.study.tables import improvement_table, selection_table
from pdsim.reports.study.view import read_results

CASES = Path(__file__).parents[1] / "cases"


def first_to_last(score: Score) -> list[str]:
    rank = rank_results(score, m=1)["ranking"]["expected_rank"]
    return [str(name) for name in rank["facility"].to_numpy()[np.argsort(rank.to_numpy())]]


def draws(facilities: int = 4, size: int = 200) -> np.ndarray:
    return np.random.default_rng(3).normal(np.arange(facilities), 1.0, (size, facilities))


def test_headers_of_netmeta_and_limits_of_a_stated_level() -> None:
    assert first_to_last(read_scores(CASES / "rank_headers" / "netmeta.csv")) == ["B", "A", "C"]
    with pytest.raises(InputError, match="state it: --level 95"):
        read_scores(CASES / "rank_headers" / "ci.csv")
    score = read_scores(CASES / "rank_headers" / "ci.csv", options=ScoreOptions(level=95))
    assert isinstance(score, Marginals)
    assert score.second.values.ravel()[0] == pytest.approx(6 / (2 * 1.959964), rel=1e-6)
    with pytest.raises(InputError, match="row 3, facility 'B': an estimate needs a positive se"):
        read_scores(CASES / "rank_headers" / "zero_se.csv")


def test_headers_of_csranks_and_of_meta_analysis(tmp_path: Path) -> None:
    (tmp_path / "pisa.csv").write_text(
        "jurisdiction,math_score,math_se\nX,500,3\nY,480,2\nZ,490,1\n"
    )
    assert first_to_last(read_scores(tmp_path / "pisa.csv")) == ["X", "Z", "Y"]
    (tmp_path / "meta.csv").write_text("Study label;yi;ci.lb;ci.ub\nX;1,5;1,0;2,0\nY;0,5;0,0;1,0\n")
    chosen = ScoreOptions(columns={"facility": "study label"}, level=90)
    assert first_to_last(read_scores(tmp_path / "meta.csv", options=chosen)) == ["X", "Y"]
    with pytest.raises(InputError, match=r"no column .study lable.*did you mean .Study label"):
        read_scores(
            tmp_path / "meta.csv", options=ScoreOptions(columns={"facility": "study lable"})
        )


def test_row_names_of_r_and_summaries_of_a_sampler(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text('"","treatment","TE","seTE"\n"1","A",1,1\n"2","B",3,1\n')
    assert first_to_last(read_scores(tmp_path / "r.csv")) == ["B", "A"]
    (tmp_path / "names.csv").write_text(",estimate,se\nA,1,1\nB,3,1\n")
    assert first_to_last(read_scores(tmp_path / "names.csv")) == ["B", "A"]
    (tmp_path / "summary.csv").write_text(
        ",mean,sd,hdi_3%,hdi_97%,mcse_mean,r_hat\ntheta[A],1,0.5,0,2,0.01,1.0\n"
        "theta[B],2,0.5,1,3,0.01,1.0\nmu,9,0.5,8,9,0.01,1.0\nsigma,9,0.5,8,9,0.01,1.0\n"
    )
    assert first_to_last(read_scores(tmp_path / "summary.csv")) == ["B", "A"]


def test_lower_is_better_keeps_the_users_numbers_and_words() -> None:
    notes: list[str] = []
    path = CASES / "lower_is_better" / "rank_raw.csv"
    tree = rank_results(read_scores(path, notes=notes), m=3, lower_is_better=True)
    results = read_results(tree)
    table = improvement_table(results)
    assert table.frame.index[:3].tolist() == ["Hospital 09", "Hospital 36", "Hospital 29"]
    best = table.frame.loc["Hospital 09"]
    low, high = tree["improvement"]["interval"].sel(facility="Hospital 09").to_numpy()
    assert (round(float(best["mean"]), 1), round(low, 1), round(high, 1)) == (12.4, 9.3, 15.5)
    chosen = selection_table(results).frame["choice"]
    assert chosen["Hospital 09"] == "lowest"
    assert chosen["Hospital 06"] == "highest"
    assert notes[-1].startswith("Left out, without an estimate: 'Hospital 12'")


def test_a_table_with_a_column_of_words_holds_no_draws() -> None:
    path = CASES / "lower_is_better" / "md_as_downloaded.csv"
    with pytest.raises(InputError, match="'Hospital Name' holds words"):
        read_scores(path)
    names = {
        "facility": "Hospital Name",
        "estimate": "Hospital 30-Day Death (Mortality) Rates from Heart Attack",
        "lower": "Lower Mortality Estimate - Hospital 30-Day Death (Mortality) Rates from "
        "Heart Attack",
        "upper": "Upper Mortality Estimate - Hospital 30-Day Death (Mortality) Rates from "
        "Heart Attack",
    }
    score = read_scores(path, options=ScoreOptions(columns=names, level=95))
    assert isinstance(score, Marginals)


def test_bookkeeping_columns_are_never_facilities(tmp_path: Path) -> None:
    table = pd.DataFrame(draws(), columns=list("ABCD"))
    table.insert(0, ".draw", np.arange(1, 201))
    table.insert(0, ".iteration", np.tile(np.arange(1, 101), 2))
    table.insert(0, ".chain", np.repeat([1, 2], 100))
    table["lp__"], table["accept_stat__"] = -5.0, 0.9
    table.to_csv(tmp_path / "brms.csv", index=False)
    score = read_scores(tmp_path / "brms.csv")
    assert isinstance(score, xr.DataArray)
    assert dict(score.sizes) == {"chain": 2, "draw": 100, "facility": 4}
    assert score["facility"].to_numpy().tolist() == list("ABCD")


def test_columns_of_jags_and_log_posteriors_are_never_facilities(tmp_path: Path) -> None:
    table = pd.DataFrame(draws(), columns=list("ABCD"))
    table["CHAIN"], table["ITER"] = np.repeat([1, 2], 100), np.tile(np.arange(1, 101), 2)
    table["deviance"], table["log_posterior"], table["loglik"] = 300.0, -150.0, -140.0
    table.to_csv(tmp_path / "jags.csv", index=False)
    score = read_scores(tmp_path / "jags.csv")
    assert isinstance(score, xr.DataArray)
    assert score["facility"].to_numpy().tolist() == list("ABCD")


def test_varying_effects_of_brms_and_comments_of_cmdstan(tmp_path: Path) -> None:
    names = [f"r_hospital[{name},Intercept]" for name in "ABCD"]
    table = pd.DataFrame(draws(), columns=names)
    table.insert(0, "b_Intercept", 0.5)
    table["lp__"] = -1.0
    table.to_csv(tmp_path / "brms.csv", index=False)
    assert first_to_last(read_scores(tmp_path / "brms.csv")) == list("DCBA")
    table = pd.DataFrame(draws(), columns=[f"theta.{k}" for k in range(1, 5)])
    table.insert(0, "lp__", -1.0)
    text = table.to_csv(index=False)
    (tmp_path / "stan.csv").write_text(f"# model = schools\n{text}# Elapsed Time: 1\n")
    assert first_to_last(read_scores(tmp_path / "stan.csv")) == ["4", "3", "2", "1"]
    table["eta.1"] = table["eta.2"] = 1.0
    table.to_csv(tmp_path / "more.csv", index=False)
    with pytest.raises(InputError, match="--variable theta"):
        read_scores(tmp_path / "more.csv")
    chosen = ScoreOptions(variable="theta")
    assert first_to_last(read_scores(tmp_path / "more.csv", options=chosen))[0] == "4"


@pytest.mark.parametrize("names", [[f"theta[{k}]" for k in "1234"], list("ABCD")])
@pytest.mark.parametrize("alone", ["sigma", "mu", "tau", "sd", "lp", "sigma_a", "b_Intercept"])
def test_a_parameter_among_draws_is_no_facility(tmp_path, names, alone) -> None:
    table = pd.DataFrame(draws(), columns=names)
    table.insert(2, alone, 9.0)
    table.to_csv(tmp_path / "wide.csv", index=False)
    table.assign(draw=np.arange(200)).melt("draw", var_name="term").to_csv(
        tmp_path / "long.csv", index=False
    )
    for file in ("wide.csv", "long.csv"):
        notes: list[str] = []
        score = read_scores(tmp_path / file, notes=notes)
        found = score["facility"].to_numpy().tolist()
        assert found == [name.removeprefix("theta[").removesuffix("]") for name in names]
        assert any(f"parameters of a model, not facilities: '{alone}'" in text for text in notes)


def test_parameters_alone_are_no_facilities(tmp_path) -> None:
    pd.DataFrame(draws(2), columns=["mu", "sigma"]).to_csv(tmp_path / "d.csv", index=False)
    with pytest.raises(InputError, match="there are 0"):
        read_scores(tmp_path / "d.csv")


def test_summaries_of_several_parameters_are_asked_for_the_one(tmp_path) -> None:
    rows = [(f"{name}[{k}]", k, 1.0, 1.0) for name in ("theta", "eta") for k in (1, 2, 3)]
    table = pd.DataFrame(rows, columns=["variable", "mean", "sd", "rhat"])
    table.to_csv(tmp_path / "summary.csv", index=False)
    with pytest.raises(InputError, match=r"several parameters: 'theta', 'eta'.*--variable theta"):
        read_scores(tmp_path / "summary.csv")
    score = read_scores(tmp_path / "summary.csv", options=ScoreOptions(variable="eta"))
    assert first_to_last(score) == ["3", "2", "1"]


@pytest.mark.parametrize("index", ["i", "hospital", "ward number"])
def test_draws_of_tidybayes(tmp_path, index) -> None:
    table = pd.DataFrame(draws(), columns=list("ABCD"))
    table[".chain"], table[".iteration"] = np.repeat([1, 2], 100), np.tile(np.arange(100), 2)
    table[".draw"] = np.arange(200)
    long = table.melt([".chain", ".iteration", ".draw"], var_name=index, value_name="r_hospital")
    long.assign(**{".variable": "r_hospital"}).to_csv(tmp_path / "d.csv", index=False)
    score = read_scores(tmp_path / "d.csv")
    assert isinstance(score, xr.DataArray)
    assert dict(score.sizes) == {"chain": 2, "draw": 100, "facility": 4}
    assert first_to_last(score) == list("DCBA")


def test_draws_below_each_other(tmp_path: Path) -> None:
    table = pd.DataFrame(draws(), columns=list("ABCD"))
    table[".draw"] = np.arange(200)
    long = table.melt(".draw", var_name="hospital", value_name="value")
    long.sample(frac=1, random_state=1).to_csv(tmp_path / "long.csv", index=False, sep=";")
    score = read_scores(tmp_path / "long.csv")
    assert isinstance(score, xr.DataArray)
    assert score.sizes == {"sample": 200, "facility": 4}
    assert first_to_last(score) == list("DCBA")
    long.iloc[1:].to_csv(tmp_path / "short.csv", index=False)
    with pytest.raises(InputError, match="differ in their number of draws"):
        read_scores(tmp_path / "short.csv")


def test_any_dimension_of_an_arviz_file() -> None:
    path = CASES / "rank_dims" / "idata.nc"
    score = read_scores(path)
    assert isinstance(score, xr.DataArray)
    assert set(score.dims) == {"chain", "draw", "facility"}
    again = read_scores(path, options=ScoreOptions(dim="hospital"))
    xr.testing.assert_identical(score, again)
    with pytest.raises(InputError, match="those that fit: none"):
        read_scores(path, options=ScoreOptions(dim="ward"))


def test_few_draws_are_refused_unless_insisted_on() -> None:
    path = CASES / "two_draws" / "two.csv"
    with pytest.raises(InputError, match="2 draws are too few"):
        read_scores(path)
    score = read_scores(path, options=ScoreOptions(few_draws=True))
    assert rank_results(score, m=1).attrs["convergence"] == "failed: only 2 draws"


def test_ties_of_estimates() -> None:
    ranking = rank_results(read_scores(CASES / "exact_ties" / "est.csv"), m=2)["ranking"]
    rank = ranking["expected_rank"].to_numpy()
    np.testing.assert_allclose(rank[:4], 2.9795, atol=5e-5)
    np.testing.assert_allclose(rank[4:], 4.5410, atol=5e-5)
    equal = rank_results(read_scores(CASES / "exact_ties" / "all_equal.csv"), m=2)["ranking"]
    np.testing.assert_allclose(equal["p_top"], 0.5, atol=1e-9)


@pytest.mark.parametrize(
    "columns",
    [
        {"grpvar": "hospital", "grp": "NAMES", "condval": "MEANS", "condsd": 0.5},
        {"group": "hospital", "level": "NAMES", "estimate": "MEANS", "std.error": 0.5},
        {"Hôpital": "NAMES", "Estimation": "MEANS", "Erreur type": 0.5},
    ],
)
def test_headers_of_lme4_broom_and_in_french(tmp_path, columns) -> None:
    known = {"NAMES": list("ABC"), "MEANS": [1.0, 3.0, 2.0]}
    table = pd.DataFrame({name: known.get(what, what) for name, what in columns.items()})
    table.to_csv(tmp_path / "t.csv", index=False, sep=";", decimal=",")
    assert first_to_last(read_scores(tmp_path / "t.csv")) == ["B", "C", "A"]


@pytest.mark.parametrize("write", ["{} ({} to {})", "{} [{}, {}]", "{}% ({}–{})"])
def test_an_estimate_and_its_limits_in_one_cell(tmp_path, write) -> None:
    cells = [write.format(x, round(x - 0.5, 1), round(x + 0.5, 1)) for x in (4.2, 8.1, 6.3)]
    table = pd.DataFrame({"Hospital": list("ABC"), "Rate (95% CI)": cells})
    table.to_csv(tmp_path / "t.csv", index=False)
    score = read_scores(tmp_path / "t.csv")
    assert isinstance(score, Marginals)
    assert first_to_last(score) == ["B", "C", "A"]
    assert score.second.values.ravel()[0] == pytest.approx(0.5 / 1.959964, rel=1e-6)


def test_totals_weights_and_seeds_are_no_facilities(tmp_path) -> None:
    notes: list[str] = []
    table = pd.DataFrame({"Hospital": ["A", "B", "All hospitals"], "Estimate": [1, 2, 9], "SE": 1})
    table.to_csv(tmp_path / "t.csv", index=False)
    assert first_to_last(read_scores(tmp_path / "t.csv", notes=notes)) == ["B", "A"]
    assert notes == ["Left out as totals or averages, not facilities: 'All hospitals'."]
    table = pd.DataFrame(draws(), columns=list("ABCD")).assign(weight=9.0, seed=9.0, Total=9.0)
    table.to_csv(tmp_path / "d.csv", index=False)
    assert first_to_last(read_scores(tmp_path / "d.csv")) == list("DCBA")


def test_draws_of_rstanarm(tmp_path) -> None:
    table = pd.DataFrame(draws(), columns=[f"b[(Intercept) hospital:{name}]" for name in "ABCD"])
    table["(Intercept)"] = table["Sigma[hospital:(Intercept),(Intercept)]"] = 9.0
    table.to_csv(tmp_path / "d.csv", index=False)
    assert first_to_last(read_scores(tmp_path / "d.csv")) == list("DCBA")
